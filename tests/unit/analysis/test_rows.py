"""Rows that a change would touch: all of them and no others, each with its intent, as ovn-nbctl prints them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.analysis.rows import RowChangeKind, render_value, row_changes
from netctl.compiler.compile import compile_intent, compile_rows
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.intent import key_of
from netctl.model.keys import Key, Kind, resource_name
from netctl.model.snapshot import Snapshot
from netctl.nb.diff import diff
from netctl.nb.rows import Row, Value
from tests.intents import OWNER
from tests.security_worlds import security_observations, security_walks
from tests.worlds import worlds


def changed_between(before: Snapshot, after: Snapshot) -> frozenset[Key]:
    """Return the keys that differ: what a change log would say."""
    intents = [
        {key_of(one): one for kind in Kind for one in snapshot.of_kind(kind)} for snapshot in (before, after)
    ]
    return frozenset(key for key in intents[0] | intents[1] if intents[0].get(key) != intents[1].get(key))


@settings(max_examples=50, deadline=None)
@given(worlds(), worlds(), st.builds(Observed, dhcpv6=st.booleans()))
def test_they_are_what_two_full_compilations_differ_in(
    before: Snapshot, after: Snapshot, observed: Observed
) -> None:
    compare(before, after, observed)


@settings(max_examples=50, deadline=None)
@given(security_walks(), security_observations())
def test_so_they_are_between_worlds_of_policies(walk: list[Snapshot], observed: Observed) -> None:
    for before, after in pairwise(walk):
        compare(before, after, observed)


def compare(before: Snapshot, after: Snapshot, observed: Observed) -> None:
    found = row_changes(before, after, changed_between(before, after), owner=OWNER, observed=observed)
    want, have = (compile_rows(snapshot, OWNER, observed) for snapshot in (after, before))
    delta = diff(want, have)
    assert len(found) == len(delta)
    told = {(one.kind, one.table, one.row, one.column, one.member) for one in found}
    inserted = {(RowChangeKind.INSERT, *row.key, "", "") for row in delta.insert}
    updated = {(RowChangeKind.UPDATE, one.table, one.uuid, "", "") for one in delta.update}
    deleted = {(RowChangeKind.DELETE, *key, "", "") for key in delta.delete}
    added = {(RowChangeKind.ADD_MEMBER, m.table, m.parent, m.column, m.member) for m in delta.add}
    removed = {(RowChangeKind.REMOVE_MEMBER, m.table, m.parent, m.column, m.member) for m in delta.remove}
    assert told == inserted | updated | deleted | added | removed
    whose = owners(before, after, observed)
    for one in found:
        if one.kind is RowChangeKind.UPDATE:
            assert one.columns
            assert all(one.columns[column] != one.before.get(column) for column in one.columns)
        assert one.name.partition("/")[0] in set(Kind)
        if one.column:
            assert one.row_resource_name == whose[one.table, one.row]
            assert one.row_name.partition(" ")[0] == one.row_resource_name


def owners(before: Snapshot, after: Snapshot, observed: Observed) -> dict[tuple[str, str], str]:
    """Return whose each row is."""
    return {
        (fact.table, fact.uuid): resource_name(key_of(one))
        for snapshot in (before, after)
        for kind in Kind
        for one in snapshot.of_kind(kind)
        for fact in compile_intent(snapshot, key_of(one), OWNER, observed)
        if isinstance(fact, Row)
    }


def test_what_does_not_change_touches_nothing() -> None:
    empty = Snapshot.empty()
    assert row_changes(empty, empty, frozenset(), owner=OWNER, observed=NOTHING_OBSERVED) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("allow-related", "allow-related"),
        ("ip4 && tcp", '"ip4 && tcp"'),
        ("", '""'),
        ("true", '"true"'),
        (True, "true"),
        (False, "false"),
        (12001, "12001"),
        (frozenset(), "[]"),
        (frozenset({True}), "[true]"),
        (frozenset({"b", "a b"}), '["a b", b]'),
        ("0a4c1f3e-0000-4000-8000-000000000000", "0a4c1f3e-0000-4000-8000-000000000000"),
        ({}, "{}"),
        ({"b": "1", "a": "x"}, '{a=x, b="1"}'),
        ({"n": 'Ω "q"'}, '{n="Ω \\"q\\""}'),
    ],
)
def test_values_are_printed_as_ovn_nbctl_does(value: Value, text: str) -> None:
    assert render_value(value) == text
