"""What rows of security policies refer to: the real class on a real server and the fake keep and refuse the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from netctl.errors import Rejected
from netctl.nb.rows import Delta, Member, Row, Update, Value, row_uuid
from tests.functional.ovsdb.facts import marks
from tests.functional.ovsdb.subjects import Subject, fake_subject, real_subject

SWITCH, PORT = row_uuid("Logical_Switch", "1"), row_uuid("Logical_Switch_Port", "1")
GROUP, OTHER = row_uuid("Port_Group", "1"), row_uuid("Port_Group", "2")
ACL, ACL2 = row_uuid("ACL", "1"), row_uuid("ACL", "2")
SET, METER, BAND = row_uuid("Address_Set", "1"), row_uuid("Meter", "1"), row_uuid("Meter_Band", "1")
STANDING = Member("Port_Group", GROUP, "ports", PORT)


@pytest.fixture(params=[fake_subject, real_subject], ids=["fake", "real"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    with request.param(tmp_path) as made:
        yield made


def row(table: str, uuid: str, **columns: Value) -> Row:
    return Row(table, uuid, {**columns, "external_ids": marks("shop", "securityPolicies")})


def acl(uuid: str, **columns: Value) -> Row:
    what: dict[str, Value] = {
        "name": frozenset({uuid}),
        "direction": "to-lport",
        "priority": 1001,
        "match": "ip",
        "action": "allow-related",
        "log": True,
        "severity": frozenset({"info"}),
        "meter": frozenset({"log"}),
    }
    return row("ACL", uuid, **(what | columns))


def everything() -> Delta:
    """A switch with a port, two groups, the first with that port and an ACL; an address set; a meter."""
    return Delta(
        insert=(
            row("Logical_Switch", SWITCH, name="v10"),
            row("Logical_Switch_Port", PORT, name="n1"),
            row("Port_Group", GROUP, name="one"),
            row("Port_Group", OTHER, name="two"),
            acl(ACL),
            acl(ACL2, log=False, severity=frozenset(), meter=frozenset(), direction="from-lport"),
            row("Address_Set", SET, name="set", addresses=frozenset({"10.0.0.0/8", "192.0.2.1"})),
            row("Meter", METER, name="log", unit="pktps", fair=frozenset({True}), bands=frozenset({BAND})),
            row("Meter_Band", BAND, action="drop", rate=100, burst_size=0),
        ),
        add=(
            Member("Logical_Switch", SWITCH, "ports", PORT),
            Member("Logical_Switch", SWITCH, "acls", ACL2),
            Member("Port_Group", GROUP, "acls", ACL),
            STANDING,
        ),
    )


def columns(subject: Subject, table: str, uuid: str) -> dict[str, Value]:
    subject.northbound.take_changed()
    found = subject.northbound.owned_rows()[table, uuid]
    assert isinstance(found, Row)
    return dict(found.columns)


def test_all_of_it_is_there_as_written(subject: Subject) -> None:
    delta = everything()
    subject.northbound.apply(delta, epoch=1)
    subject.northbound.take_changed()
    assert set(subject.northbound.owned_rows()) == {
        *(fresh.key for fresh in delta.insert),
        *(added.key for added in delta.add),
    }
    for fresh in delta.insert:
        there = columns(subject, fresh.table, fresh.uuid)
        assert {name: there[name] for name in fresh.columns} == fresh.columns


def test_a_port_that_goes_leaves_its_groups_by_itself(subject: Subject) -> None:
    subject.northbound.apply(everything(), epoch=1)
    gone = Delta(
        delete=(("Logical_Switch_Port", PORT),), remove=(Member("Logical_Switch", SWITCH, "ports", PORT),)
    )
    subject.northbound.apply(gone, epoch=1)
    subject.northbound.take_changed()
    assert STANDING.key not in subject.northbound.owned_rows()
    assert ("Port_Group", GROUP) in subject.northbound.owned_rows()


def test_a_port_goes_and_leaves_its_group_in_one_transaction(subject: Subject) -> None:
    subject.northbound.apply(everything(), epoch=1)
    gone = Delta(
        delete=(("Logical_Switch_Port", PORT),),
        remove=(Member("Logical_Switch", SWITCH, "ports", PORT), STANDING),
    )
    subject.northbound.apply(gone, epoch=1)
    subject.northbound.take_changed()
    assert STANDING.key not in subject.northbound.owned_rows()


def test_a_group_does_not_keep_a_port(subject: Subject) -> None:
    """A port that is in a group and on no switch is gone with the transaction, or refused at once."""
    lonely = Delta(insert=(*everything().insert[1:3],), add=(STANDING,))
    with pytest.raises(Rejected, match="nothing in the transaction refers to it"):
        subject.northbound.apply(lonely, epoch=1)


def test_an_acl_moves_to_another_group(subject: Subject) -> None:
    subject.northbound.apply(everything(), epoch=1)
    there, here = Member("Port_Group", OTHER, "acls", ACL), Member("Port_Group", GROUP, "acls", ACL)
    subject.northbound.apply(Delta(add=(there,), remove=(here,)), epoch=1)
    subject.northbound.take_changed()
    rows = subject.northbound.owned_rows()
    assert there.key in rows
    assert here.key not in rows
    assert ("ACL", ACL) in rows


def test_an_acl_that_nothing_holds_is_refused(subject: Subject) -> None:
    with pytest.raises(Rejected, match="nothing in the transaction refers to it"):
        subject.northbound.apply(Delta(insert=(acl(ACL),)), epoch=1)
    subject.northbound.apply(Delta(insert=(row("Port_Group", GROUP, name="one"),)), epoch=1)


def test_a_meter_needs_a_band(subject: Subject) -> None:
    bare = row("Meter", METER, name="log", unit="pktps", fair=frozenset(), bands=frozenset())
    with pytest.raises(Rejected):
        subject.northbound.apply(Delta(insert=(bare,)), epoch=1)
    subject.northbound.apply(everything(), epoch=1)


@pytest.mark.parametrize(
    "twice",
    [
        row("Port_Group", row_uuid("x"), name="one"),
        row("Address_Set", row_uuid("x"), name="set", addresses=frozenset()),
    ],
    ids=lambda twice: twice.table,
)
def test_names_are_unique(subject: Subject, twice: Row) -> None:
    subject.northbound.apply(everything(), epoch=1)
    with pytest.raises(Rejected, match="constraint violation"):
        subject.northbound.apply(Delta(insert=(twice,)), epoch=1)


@pytest.mark.parametrize("priority", [-1, 32_768])
def test_a_priority_out_of_range_is_refused(subject: Subject, priority: int) -> None:
    subject.northbound.apply(everything(), epoch=1)
    with pytest.raises(Rejected):
        subject.northbound.apply(Delta(update=(Update("ACL", ACL, {"priority": priority}),)), epoch=1)
    subject.northbound.apply(Delta(update=(Update("ACL", ACL, {"priority": 32_767}),)), epoch=1)
    assert columns(subject, "ACL", ACL)["priority"] == 32_767


def test_a_port_in_a_foreign_group_is_the_others_member_and_stays(subject: Subject) -> None:
    theirs = row_uuid("foreign", "group")
    subject.northbound.apply(everything(), epoch=1)
    subject.northbound.take_changed()
    subject.hands.hand_insert("Port_Group", theirs, {"name": "theirs"})
    subject.hands.hand_add("Port_Group", theirs, "ports", PORT)
    subject.hands.hand_update("Port_Group", GROUP, {"name": "renamed"})
    changed = subject.see(lambda: name_of(subject, GROUP) == "renamed", "a later edit of ours seen")
    assert changed == {("Port_Group", GROUP)}
    subject.northbound.apply(Delta(remove=(STANDING,)), epoch=1)
    assert subject.hands.read_members("Port_Group", theirs, "ports") == {PORT}
    assert subject.hands.read_members("Port_Group", GROUP, "ports") == frozenset()


def test_a_group_that_loses_its_mark_takes_its_ports_along_until_it_is_taken_back(subject: Subject) -> None:
    subject.northbound.apply(everything(), epoch=1)
    subject.northbound.take_changed()
    subject.hands.hand_update("Port_Group", GROUP, {"external_ids": {}})
    changed = subject.see(
        lambda: ("Port_Group", GROUP) not in subject.northbound.owned_rows(), "the mark is gone"
    )
    assert changed >= {("Port_Group", GROUP), STANDING.key}
    assert STANDING.key not in subject.northbound.owned_rows()
    subject.northbound.apply(Delta(insert=(row("Port_Group", GROUP, name="one"),), add=(STANDING,)), epoch=1)
    assert STANDING.key in subject.northbound.owned_rows()
    assert subject.hands.read_members("Port_Group", GROUP, "ports") == {PORT}


def name_of(subject: Subject, uuid: str) -> Value | None:
    found = subject.northbound.owned_rows().get(("Port_Group", uuid))
    return found.columns["name"] if isinstance(found, Row) else None
