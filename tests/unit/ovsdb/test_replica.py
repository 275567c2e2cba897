"""A replica kept current by updates equals one loaded anew, and says exactly which facts changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netctl.nb.rows import OWNER_KEY, Fact, FactKey, Member, Row
from netctl.ovsdb.facts import OwnedFacts
from netctl.ovsdb.replica import Replica
from netctl.ovsdb.schema import parse_schema

WANTED = {
    "Logical_Switch": frozenset({"name", "ports", "external_ids", "not in the schema"}),
    "Logical_Switch_Port": frozenset({"name", "tag", "addresses", "external_ids"}),
    "Not_In_The_Schema": frozenset({"name"}),
}
SCHEMA = parse_schema(
    {
        "name": "OVN_Northbound",
        "version": "7.0.0",
        "tables": {
            "Logical_Switch": {
                "isRoot": True,
                "columns": {
                    "name": {"type": "string"},
                    "ports": {
                        "type": {
                            "key": {"type": "uuid", "refTable": "Logical_Switch_Port", "refType": "strong"},
                            "min": 0,
                            "max": "unlimited",
                        }
                    },
                    "external_ids": {
                        "type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}
                    },
                },
            },
            "Logical_Switch_Port": {
                "columns": {
                    "name": {"type": "string"},
                    "tag": {"type": {"key": "integer", "min": 0, "max": 1}},
                    "addresses": {"type": {"key": "string", "min": 0, "max": "unlimited"}},
                    "external_ids": {
                        "type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}
                    },
                }
            },
        },
    }
)
OURS, THEIRS = {OWNER_KEY: "us"}, {OWNER_KEY: "them"}
Ports = Mapping[str, tuple[str, frozenset[str], bool]]  # name, addresses, ours?
World = tuple[Ports, Mapping[str, tuple[frozenset[str], bool]]]  # ports; switches: which ports, ours?

_PORTS = st.sampled_from(["p1", "p2", "p3", "p4"])
_WORLDS: st.SearchStrategy[World] = st.tuples(
    st.dictionaries(
        _PORTS,
        st.tuples(st.sampled_from(["x", "y", ""]), st.frozensets(st.sampled_from("abc")), st.booleans()),
    ),
    st.dictionaries(st.sampled_from(["s1", "s2"]), st.tuples(st.frozensets(_PORTS), st.booleans())),
)


def replica() -> Replica:
    """Return an empty one."""
    return Replica(SCHEMA, WANTED, "us")


@given(st.lists(_WORLDS, min_size=1, max_size=5))
def test_updates_lead_where_a_fresh_load_does(worlds: list[World]) -> None:
    kept = replica()
    facts: dict[FactKey, Fact] = {}
    before: World = ({}, {})
    for world in worlds:
        old = dict(facts)
        changes = kept.update(_updates(before, world))
        for key, fact in changes.items():
            if fact is None:
                facts.pop(key, None)
            else:
                facts[key] = fact
        fresh = {key: fact for key, fact in replica().update(_updates(({}, {}), world)).items() if fact}
        assert facts == fresh == _expected(world)
        # Every fact that differs was named.
        assert {key for key in old.keys() | facts.keys() if old.get(key) != facts.get(key)} <= changes.keys()
        before = world


def test_only_what_is_both_wanted_and_there_is_asked_for() -> None:
    assert replica().monitor_requests() == {
        "Logical_Switch": [{"columns": ["external_ids", "name", "ports"]}],
        "Logical_Switch_Port": [{"columns": ["addresses", "external_ids", "name", "tag"]}],
    }


def test_a_reader_sees_nothing_move_until_it_looks() -> None:
    facts, row = OwnedFacts(), Row("T", "1", {})
    facts.replace({row.key: row})
    assert dict(facts.rows()) == {row.key: row}
    assert facts.take_changed() is None
    rows, other = facts.rows(), Row("T", "2", {})
    assert facts.put_aside({other.key: other, row.key: None})
    assert dict(rows) == {row.key: row}
    facts.merge()
    assert dict(rows) == {other.key: other}
    assert facts.take_changed() == frozenset({row.key, other.key})
    assert facts.take_changed() == frozenset()


def test_what_comes_and_goes_between_two_looks_leaves_nothing() -> None:
    facts, row = OwnedFacts(), Row("T", "1", {})
    facts.take_changed()
    assert facts.put_aside({row.key: row})
    assert facts.put_aside({row.key: None})
    assert not facts.put_aside({row.key: None})
    facts.merge()
    assert facts.take_changed() == frozenset()


def test_after_a_resync_old_changes_do_not_count() -> None:
    facts, row = OwnedFacts(), Row("T", "1", {})
    facts.take_changed()
    facts.put_aside({row.key: row})
    facts.replace({})
    facts.put_aside({("T", "2"): Row("T", "2", {})})
    assert facts.rows().keys() == {("T", "2")}
    assert facts.take_changed() is None


@pytest.mark.parametrize("table", ["Logical_Switch", "Logical_Switch_Port"])
def test_rows_of_others_are_known_and_not_ours(table: str) -> None:
    kept = replica()
    marks = ["map", list(THEIRS.items())]
    assert kept.update({table: {"u": {"initial": {"name": "n", "external_ids": marks}}}}) == {}
    assert kept.row((table, "u")) is not None


def _expected(world: World) -> dict[FactKey, Fact]:
    ports, switches = world
    facts: list[Fact] = [
        Row(
            "Logical_Switch_Port",
            uuid,
            {
                "name": name,
                "tag": frozenset({7}) if name == "x" else frozenset(),
                "addresses": addresses,
                "external_ids": OURS,
            },
        )
        for uuid, (name, addresses, ours) in ports.items()
        if ours
    ]
    for uuid, (members, ours) in switches.items():
        if ours:
            facts.append(Row("Logical_Switch", uuid, {"name": uuid, "external_ids": OURS}))
        for member in members:
            if member in ports and ports[member][2]:
                facts.append(Member("Logical_Switch", uuid, "ports", member))
    return {fact.key: fact for fact in facts}


def _updates(before: World, after: World) -> dict[str, Any]:
    """Return what a server would say."""
    return {
        "Logical_Switch_Port": _table(_ports(before[0]), _ports(after[0])),
        "Logical_Switch": _table(_switches(before[1]), _switches(after[1])),
    }


def _ports(ports: Ports) -> dict[str, dict[str, Any]]:
    return {
        uuid: {
            "name": name,
            "tag": {7} if name == "x" else set(),
            "addresses": set(addresses),
            "external_ids": OURS if ours else THEIRS,
        }
        for uuid, (name, addresses, ours) in ports.items()
    }


def _switches(switches: Mapping[str, tuple[frozenset[str], bool]]) -> dict[str, dict[str, Any]]:
    return {
        uuid: {"name": uuid, "ports": set(members), "external_ids": OURS if ours else THEIRS}
        for uuid, (members, ours) in switches.items()
    }


def _table(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> dict[str, Any]:
    rows: dict[str, Any] = {uuid: {"delete": None} for uuid in before.keys() - after.keys()}
    for uuid in after.keys() - before.keys():
        filled = {column: value for column, value in after[uuid].items() if value}
        rows[uuid] = {"insert": {column: _wire(column, value) for column, value in filled.items()}}
    for uuid in after.keys() & before.keys():
        old, new = before[uuid], after[uuid]
        differing = [column for column in new if new[column] != old[column]]
        if differing:
            rows[uuid] = {
                "modify": {column: _difference(column, old[column], new[column]) for column in differing}
            }
    return rows


def _difference(column: str, old: Any, new: Any) -> Any:
    if isinstance(new, dict):
        return _wire(column, {key: value for key, value in new.items() if old.get(key) != value})
    return _wire(column, old ^ new if column in ("ports", "addresses") else new)


def _wire(column: str, value: Any) -> Any:
    if isinstance(value, dict):
        return ["map", [list(pair) for pair in value.items()]]
    if not isinstance(value, set):
        return value
    atoms = [["uuid", element] if column == "ports" else element for element in sorted(value)]
    return atoms[0] if len(atoms) == 1 else ["set", atoms]
