"""The promises of a northbound database, kept by the real class on a real server and by the fake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from netctl.errors import Conflict, Rejected
from netctl.nb.features import check_supported
from netctl.nb.rows import OWNER_KEY, Delta, FactKey, MapEdit, Row, Update, row_uuid
from tests.functional.ovsdb.facts import marks, member, network, port, port_uuid, switch, switch_uuid
from tests.functional.ovsdb.subjects import Subject, fake_subject, real_subject

FOREIGN = row_uuid("foreign", "1")


@pytest.fixture(params=[fake_subject, real_subject], ids=["fake", "real"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    with request.param(tmp_path) as made:
        yield made


def test_an_empty_database_is_supported_and_holds_nothing_of_ours(subject: Subject) -> None:
    check_supported(subject.northbound.features())
    assert subject.northbound.connected
    assert subject.northbound.take_changed() is None
    assert subject.northbound.take_changed() == frozenset()
    assert dict(subject.northbound.owned_rows()) == {}


def test_what_is_applied_is_there_when_apply_returns(subject: Subject) -> None:
    subject.northbound.take_changed()
    delta = network("a", "p1", "p2")
    nb_cfg = subject.seam.apply(delta, epoch=1)
    rows = subject.northbound.owned_rows()
    assert set(rows) == {*(row.key for row in delta.insert), *(added.key for added in delta.add)}
    for want in delta.insert:
        have = rows[want.key]
        assert isinstance(have, Row)
        assert {name: have.columns[name] for name in want.columns} == dict(want.columns)
    assert subject.northbound.nb_cfg == nb_cfg
    assert subject.northbound.take_changed() == frozenset(rows)


def test_columns_that_nobody_set_hold_their_defaults(subject: Subject) -> None:
    subject.northbound.apply(network("a", "p"), epoch=1)
    have = subject.northbound.owned_rows()["Logical_Switch_Port", port_uuid("p")]
    assert isinstance(have, Row)
    empty: frozenset[str] = frozenset()
    assert have.columns == {
        **port("p").columns,
        "type": "",
        "port_security": empty,
        "options": {},
        "dhcpv4_options": empty,
        "dhcpv6_options": empty,
        "tag": empty,
        "parent_name": empty,
        "tag_request": empty,
    }


def test_each_transaction_counts_nb_cfg_up_once_and_an_empty_delta_writes_nothing(subject: Subject) -> None:
    first = subject.northbound.apply(network("a", "p"), epoch=1)
    assert subject.northbound.apply(Delta(), epoch=1) == first
    assert subject.northbound.apply(network("b", "q", "r"), epoch=1) == first + 1
    assert subject.northbound.bump(1) == first + 2


def test_an_update_touches_its_columns_and_map_keys_only(subject: Subject) -> None:
    subject.northbound.apply(network("a", "p"), epoch=1)
    key = port("p").key
    subject.hands.hand_update(*key, {"options": {"theirs": "1", "old": "x"}})
    change = Update(
        *key,
        columns={"enabled": frozenset({False}), "tag": frozenset({7})},
        maps={"options": MapEdit({"network_name": "physnet-vs0"}, frozenset({"old"}))},
    )
    subject.northbound.apply(Delta(update=(change,)), epoch=1)
    there = subject.hands.read_row(*key)
    assert there is not None
    assert there["options"] == {"theirs": "1", "network_name": "physnet-vs0"}
    assert (there["enabled"], there["tag"]) == (frozenset({False}), frozenset({7}))
    assert there["addresses"] == port("p").columns["addresses"]
    # Setting a key that is there changes it.
    again = Update(*key, maps={"options": MapEdit({"network_name": "physnet-vs1"})})
    subject.northbound.apply(Delta(update=(again,)), epoch=1)
    have = subject.northbound.owned_rows()[key]
    assert isinstance(have, Row)
    assert have.columns["options"] == {"theirs": "1", "network_name": "physnet-vs1"}


def test_values_of_every_type_go_and_come_back(subject: Subject) -> None:
    options = row_uuid("DHCP_Options", "a")
    given = port(
        "p", dhcpv4_options=frozenset({options}), tag=frozenset({4000}), addresses=frozenset({"a", "b", "c"})
    )
    dhcp = Row(
        "DHCP_Options",
        options,
        {"cidr": "10.0.0.0/24", "options": {"lease_time": "1"}, "external_ids": marks("a")},
    )
    delta = Delta(insert=(switch("a"), dhcp, given), add=(member("a", "p"),))
    subject.northbound.apply(delta, epoch=1)
    have = subject.northbound.owned_rows()[given.key]
    assert isinstance(have, Row)
    assert {name: have.columns[name] for name in given.columns} == dict(given.columns)
    # Elements of a set that change, one that becomes empty, a reference whose target goes.
    fewer = Update(
        *given.key, columns={"addresses": frozenset({"b", "d"}), "tag": frozenset(), "enabled": frozenset()}
    )
    subject.northbound.apply(Delta(update=(fewer,), delete=(dhcp.key,)), epoch=1)
    have = subject.northbound.owned_rows()[given.key]
    assert isinstance(have, Row)
    assert have.columns["addresses"] == frozenset({"b", "d"})
    assert have.columns["tag"] == have.columns["enabled"] == have.columns["dhcpv4_options"] == frozenset()


@pytest.mark.parametrize(
    "text", ['"quoted" \\back', "two\nlines\t", "naïve 😀 日本", "}{][", "'; $x && @y", "a" * 65536]
)
def test_any_text_goes_and_comes_back(subject: Subject, text: str) -> None:
    given = port("p", name=text, options={text: text}, addresses=frozenset({text, "x"}))
    subject.northbound.apply(Delta(insert=(switch("a"), given), add=(member("a", "p"),)), epoch=1)
    have = subject.northbound.owned_rows()[given.key]
    assert isinstance(have, Row)
    assert (have.columns["name"], have.columns["options"]) == (text, {text: text})
    assert have.columns["addresses"] == frozenset({text, "x"})


def test_a_nul_is_refused_by_name(subject: Subject) -> None:
    with pytest.raises(Rejected, match=port_uuid("p")):
        subject.northbound.apply(
            Delta(insert=(switch("a"), port("p", name="a\0b")), add=(member("a", "p"),)), epoch=1
        )
    assert subject.northbound.connected


def test_a_port_deleted_leaves_its_switch_too(subject: Subject) -> None:
    subject.northbound.apply(network("a", "p", "q"), epoch=1)
    subject.northbound.apply(Delta(delete=(port("p").key,), remove=(member("a", "p"),)), epoch=1)
    assert subject.northbound.owned_rows().keys() == {switch("a").key, port("q").key, member("a", "q").key}
    # Without naming the membership: nothing else may keep a dead row alive or fail the transaction.
    subject.northbound.apply(Delta(delete=(port("q").key,)), epoch=1)
    assert subject.northbound.owned_rows().keys() == {switch("a").key}


def test_a_switch_deleted_takes_its_ports(subject: Subject) -> None:
    subject.northbound.apply(network("a", "p", "q"), epoch=1)
    rows = [key for key in subject.northbound.owned_rows() if len(key) == 2]
    subject.northbound.apply(Delta(delete=tuple(rows)), epoch=1)
    assert dict(subject.northbound.owned_rows()) == {}


def test_a_port_moves_between_switches(subject: Subject) -> None:
    subject.northbound.apply(network("a", "p"), epoch=1)
    subject.northbound.apply(
        Delta(insert=(switch("b"),), add=(member("b", "p"),), remove=(member("a", "p"),)), epoch=1
    )
    rows = subject.northbound.owned_rows()
    assert member("b", "p").key in rows
    assert member("a", "p").key not in rows
    assert port("p").key in rows


def test_a_port_that_no_switch_holds_is_refused_and_not_lost(subject: Subject) -> None:
    with pytest.raises(Rejected, match=port_uuid("p")):
        subject.northbound.apply(Delta(insert=(switch("a"), port("p"))), epoch=1)
    assert dict(subject.northbound.owned_rows()) == {}


def test_a_refused_transaction_changes_nothing_and_names_the_row(subject: Subject) -> None:
    subject.northbound.apply(network("a", "p"), epoch=1)
    before = dict(subject.northbound.owned_rows())
    twin = Delta(insert=(switch("b"), port("q", name="p")), add=(member("b", "q"),))
    with pytest.raises(Rejected, match=port_uuid("q")):
        subject.northbound.apply(twin, epoch=1)
    with pytest.raises(Rejected, match=port_uuid("p")):
        subject.northbound.apply(
            Delta(update=(Update(*port("p").key, columns={"tag": frozenset({5000})}),)), epoch=1
        )
    with pytest.raises(Rejected, match="no column nonsense"):
        subject.northbound.apply(Delta(update=(Update(*port("p").key, columns={"nonsense": ""}),)), epoch=1)
    subject.northbound.take_changed()
    assert dict(subject.northbound.owned_rows()) == before


def test_a_hand_edit_is_seen(subject: Subject) -> None:
    subject.northbound.apply(network("a", "p"), epoch=1)
    subject.northbound.take_changed()
    wakes = subject.wakes.count
    key = port("p").key
    subject.hands.hand_update(*key, {"enabled": frozenset({False}), "options": {"x": "1"}})
    changed = subject.see(lambda: _column(subject, key, "enabled") == frozenset({False}), "edit seen")
    assert changed == {key}
    assert _column(subject, key, "options") == {"x": "1"}
    assert subject.wakes.count > wakes
    subject.hands.hand_remove("Logical_Switch", switch_uuid("a"), "ports", port_uuid("p"))
    changed = subject.see(lambda: key not in subject.northbound.owned_rows(), "removal seen")
    assert changed == {key, member("a", "p").key}


def test_what_is_held_does_not_move_while_it_is_looked_at(subject: Subject) -> None:
    subject.northbound.apply(network("a", "p"), epoch=1)
    rows = subject.northbound.owned_rows()
    seen = list(rows)
    subject.foreign_port(switch_uuid("a"), port_uuid("q"), port("q").columns)
    assert list(rows) == seen
    subject.see(lambda: port("q").key in rows, "a port with our mark")
    assert member("a", "q").key in rows


def test_foreign_rows_and_members_are_not_ours_and_stay(subject: Subject) -> None:
    subject.northbound.apply(network("a", "p"), epoch=1)
    subject.northbound.take_changed()
    subject.hands.hand_insert("Logical_Switch", row_uuid("foreign", "switch"), {"name": "theirs"})
    subject.foreign_port(
        switch_uuid("a"), FOREIGN, {"name": "theirs", "external_ids": {OWNER_KEY: "another"}}
    )
    subject.hands.hand_update(*port("p").key, {"options": {"x": "1"}})
    changed = subject.see(lambda: _column(subject, port("p").key, "options") == {"x": "1"}, "later edit seen")
    assert changed == {port("p").key}
    assert subject.northbound.owned_rows().keys() == {switch("a").key, port("p").key, member("a", "p").key}
    subject.northbound.apply(Delta(delete=(port("p").key,), remove=(member("a", "p"),)), epoch=1)
    assert subject.hands.read_members("Logical_Switch", switch_uuid("a"), "ports") == {FOREIGN}
    assert subject.hands.read_row("Logical_Switch", row_uuid("foreign", "switch")) is not None


def test_our_port_in_a_foreign_switch_is_our_member(subject: Subject) -> None:
    other = row_uuid("foreign", "switch")
    subject.northbound.apply(network("a", "p"), epoch=1)
    subject.hands.hand_insert("Logical_Switch", other, {"name": "theirs"})
    subject.hands.hand_add("Logical_Switch", other, "ports", port_uuid("p"))
    stray = ("Logical_Switch", other, "ports", port_uuid("p"))
    subject.see(lambda: stray in subject.northbound.owned_rows(), "our port there")
    subject.northbound.apply(Delta(delete=(port("p").key,)), epoch=1)
    assert subject.hands.read_members("Logical_Switch", other, "ports") == frozenset()
    assert subject.hands.read_row("Logical_Switch", other) is not None


def test_a_row_that_lost_its_mark_is_taken_back(subject: Subject) -> None:
    subject.northbound.apply(network("a", "p"), epoch=1)
    subject.northbound.take_changed()
    key = port("p").key
    subject.hands.hand_update(*key, {"external_ids": {"theirs": "1"}, "tag": frozenset({9})})
    changed = subject.see(lambda: key not in subject.northbound.owned_rows(), "mark gone")
    assert changed == {key, member("a", "p").key}
    subject.northbound.apply(Delta(insert=(port("p"),), add=(member("a", "p"),)), epoch=1)
    assert _column(subject, key, "external_ids") == {"theirs": "1", **marks("p", "nics")}
    assert member("a", "p").key in subject.northbound.owned_rows()


def test_a_newer_epoch_shuts_the_older_out(subject: Subject) -> None:
    subject.northbound.apply(network("a"), epoch=3)
    subject.northbound.apply(network("b"), epoch=12)  # as a number: "12" < "3"
    with pytest.raises(Conflict, match="12"):
        subject.northbound.apply(network("c"), epoch=3)
    with pytest.raises(Conflict):
        subject.northbound.apply(Delta(), epoch=3)
    subject.northbound.apply(network("d"), epoch=12)
    names = {_column(subject, key, "name") for key in subject.northbound.owned_rows()}
    assert names == {"a", "b", "d"}


def _column(subject: Subject, key: FactKey, column: str) -> object:
    row = subject.northbound.owned_rows().get(key)
    return row.columns.get(column) if isinstance(row, Row) else None
