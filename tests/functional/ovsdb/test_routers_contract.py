"""What the rows of routers refer to: the real class on a real server and the fake keep and refuse the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from netctl.errors import Rejected
from netctl.nb.rows import Delta, Member, Row, Update, Value, row_uuid
from tests.functional.ovsdb.facts import marks
from tests.functional.ovsdb.subjects import Subject, fake_subject, real_subject

ROUTER, OTHER = row_uuid("Logical_Router", "1"), row_uuid("Logical_Router", "2")
PORT, GROUP = row_uuid("Logical_Router_Port", "1"), row_uuid("HA_Chassis_Group", "1")
CHASSIS, NAT = row_uuid("HA_Chassis", "1"), row_uuid("NAT", "1")
EMPTY: frozenset[str] = frozenset()


@pytest.fixture(params=[fake_subject, real_subject], ids=["fake", "real"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    with request.param(tmp_path) as made:
        yield made


def row(table: str, uuid: str, **columns: Value) -> Row:
    return Row(table, uuid, {**columns, "external_ids": marks("blue", "vpcs")})


def routers() -> Delta:
    """Two routers; the first has a port with a gateway, and a NAT row by that port."""
    return Delta(
        insert=(
            row("Logical_Router", ROUTER, name="one"),
            row("Logical_Router", OTHER, name="two"),
            row(
                "Logical_Router_Port",
                PORT,
                name="lrp",
                mac="50:6b:8d:00:00:01",
                networks=frozenset({"10.0.0.1/24"}),
                ha_chassis_group=frozenset({GROUP}),
            ),
            row("HA_Chassis_Group", GROUP, name="group", ha_chassis=frozenset({CHASSIS})),
            row("HA_Chassis", CHASSIS, chassis_name="h1", priority=100),
            row(
                "NAT",
                NAT,
                type="snat",
                external_ip="203.0.100.10",
                logical_ip="10.0.0.0/24",
                gateway_port=frozenset({PORT}),
            ),
        ),
        add=(
            Member("Logical_Router", ROUTER, "ports", PORT),
            Member("Logical_Router", ROUTER, "nat", NAT),
        ),
    )


def columns(subject: Subject, table: str, uuid: str) -> dict[str, Value]:
    subject.northbound.take_changed()
    found = subject.northbound.owned_rows()[table, uuid]
    assert isinstance(found, Row)
    return dict(found.columns)


def test_a_router_with_a_gateway_is_there(subject: Subject) -> None:
    delta = routers()
    subject.northbound.apply(delta, epoch=1)
    subject.northbound.take_changed()
    assert set(subject.northbound.owned_rows()) == {
        *(fresh.key for fresh in delta.insert),
        *(added.key for added in delta.add),
    }
    assert columns(subject, "NAT", NAT)["gateway_port"] == frozenset({PORT})
    assert columns(subject, "HA_Chassis_Group", GROUP)["ha_chassis"] == frozenset({CHASSIS})


def test_a_nat_row_moves_to_another_router_in_one_transaction(subject: Subject) -> None:
    subject.northbound.apply(routers(), epoch=1)
    there = Member("Logical_Router", OTHER, "nat", NAT)
    subject.northbound.apply(
        Delta(
            update=(Update("NAT", NAT, {"logical_ip": "10.9.0.0/24"}),),
            add=(there,),
            remove=(Member("Logical_Router", ROUTER, "nat", NAT),),
        ),
        epoch=1,
    )
    assert columns(subject, "NAT", NAT)["logical_ip"] == "10.9.0.0/24"
    rows = subject.northbound.owned_rows()
    assert there.key in rows
    assert ("Logical_Router", ROUTER, "nat", NAT) not in rows


def test_a_group_that_a_port_refers_to_stays(subject: Subject) -> None:
    subject.northbound.apply(routers(), epoch=1)
    with pytest.raises(Rejected, match="referential integrity"):
        subject.northbound.apply(Delta(delete=(("HA_Chassis_Group", GROUP),)), epoch=1)
    assert ("HA_Chassis", CHASSIS) in subject.northbound.owned_rows()


def test_gateways_go_with_their_group(subject: Subject) -> None:
    subject.northbound.apply(routers(), epoch=1)
    freed = Update("Logical_Router_Port", PORT, {"ha_chassis_group": EMPTY})
    gone = (("HA_Chassis_Group", GROUP), ("HA_Chassis", CHASSIS))
    subject.northbound.apply(Delta(update=(freed,), delete=gone), epoch=1)
    subject.northbound.take_changed()
    assert not {key[0] for key in subject.northbound.owned_rows()} & {"HA_Chassis_Group", "HA_Chassis"}


def test_a_port_that_goes_is_forgotten_where_it_is_named(subject: Subject) -> None:
    subject.northbound.apply(routers(), epoch=1)
    subject.northbound.apply(
        Delta(
            delete=(("Logical_Router_Port", PORT),),
            remove=(Member("Logical_Router", ROUTER, "ports", PORT),),
        ),
        epoch=1,
    )
    assert columns(subject, "NAT", NAT)["gateway_port"] == EMPTY


@pytest.mark.parametrize("table", ["NAT", "HA_Chassis", "Logical_Router_Port"])
def test_a_row_that_nothing_holds_is_refused(subject: Subject, table: str) -> None:
    whole = routers()
    (alone,) = (fresh for fresh in whole.insert if fresh.table == table)
    with pytest.raises(Rejected):
        subject.northbound.apply(Delta(insert=(alone,)), epoch=1)


def test_one_bfd_session_for_each_port_and_peer(subject: Subject) -> None:
    one, two = (row("BFD", row_uuid("BFD", name), logical_port="lrp", dst_ip="203.0.100.1") for name in "ab")
    subject.northbound.apply(Delta(insert=(one,)), epoch=1)
    with pytest.raises(Rejected):
        subject.northbound.apply(Delta(insert=(two,)), epoch=1)


def test_priorities_beyond_the_schema_are_refused(subject: Subject) -> None:
    policy = row("Logical_Router_Policy", row_uuid("p", "1"), priority=40_000, match="ip4", action="drop")
    held = Member("Logical_Router", ROUTER, "policies", policy.uuid)
    subject.northbound.apply(routers(), epoch=1)
    with pytest.raises(Rejected):
        subject.northbound.apply(Delta(insert=(policy,), add=(held,)), epoch=1)
