"""Canonical values survive OVSDB's JSON, whole and as the differences that updates carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netctl.nb.rows import Value
from netctl.ovsdb.schema import Column
from netctl.ovsdb.wire import apply_diff, default_value, parser_of, renderer_of

UUIDS = st.uuids().map(str)
ATOMS: Mapping[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(-(2**63), 2**63 - 1),
    "real": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "string": st.text(max_size=20),
    "uuid": UUIDS,
}
KINDS = sorted(ATOMS)


@st.composite
def columns_and_values(draw: st.DrawFn) -> tuple[Column, Value, Value]:
    """Return a column and two values of it."""
    kind = draw(st.sampled_from(KINDS))
    shape = draw(st.sampled_from(["scalar", "optional", "set", "map"]))
    if shape == "scalar":
        return Column(key=kind), draw(ATOMS[kind]), draw(ATOMS[kind])
    if shape == "map":
        values = st.dictionaries(ATOMS["string"], ATOMS["string"], max_size=5)
        return Column(key="string", value="string", min=0, max=float("inf")), draw(values), draw(values)
    most = 1 if shape == "optional" else 6
    sets = st.frozensets(ATOMS[kind], max_size=most)
    return Column(key=kind, min=0, max=most), draw(sets), draw(sets)


@given(columns_and_values())
def test_a_value_goes_and_comes_back(given_: tuple[Column, Value, Value]) -> None:
    column, value, _ = given_
    assert parser_of(column)(renderer_of(column)(value)) == value


@given(columns_and_values())
def test_a_difference_leads_from_the_one_to_the_other(given_: tuple[Column, Value, Value]) -> None:
    column, old, new = given_
    assert apply_diff(old, _difference(old, new, column), column) == new


@pytest.mark.parametrize(
    ("column", "wire", "value"),
    [
        (Column(key="string", min=0, max=5), "bare", frozenset({"bare"})),
        (Column(key="string", min=0, max=5), ["set", []], frozenset()),
        (Column(key="uuid", min=0, max=5), ["uuid", "u"], frozenset({"u"})),
        (Column(key="uuid", min=0, max=5), ["set", [["uuid", "u"], ["uuid", "v"]]], frozenset({"u", "v"})),
        (Column(key="uuid"), ["uuid", "u"], "u"),
        (Column(key="boolean", min=0), True, frozenset({True})),
        (Column(key="real"), 1, 1.0),
        (Column(key="string", value="integer", min=0, max=5), ["map", [["rate", 5]]], {"rate": "5"}),
        (Column(key="string", value="uuid", min=0, max=5), ["map", [["a", ["uuid", "u"]]]], {"a": "u"}),
    ],
)
def test_spellings_of_the_protocol(column: Column, wire: object, value: Value) -> None:
    assert parser_of(column)(wire) == value
    assert parser_of(column)(renderer_of(column)(value)) == value


def test_maps_of_numbers_go_back_as_numbers() -> None:
    column = Column(key="string", value="integer", min=0, max=5)
    assert renderer_of(column)({"rate": "5"}) == ["map", [["rate", 5]]]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (Column(key="integer"), 0),
        (Column(key="string"), ""),
        (Column(key="boolean", min=0), frozenset()),
        (Column(key="string", min=0, max=5), frozenset()),
        (Column(key="string", value="string", min=0, max=5), {}),
    ],
)
def test_defaults(column: Column, value: Value) -> None:
    assert default_value(column) == value


def _difference(old: Value, new: Value, column: Column) -> Value:
    """Return what ovsdb-server sends, stated once more: ovsdb-server(7), 4.1.14."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        gone = {key: value for key, value in old.items() if key not in new}
        return gone | {key: value for key, value in new.items() if old.get(key) != value}
    if isinstance(old, frozenset) and isinstance(new, frozenset) and column.max > 1:
        return frozenset(element for element in old | new if (element in old) != (element in new))
    return new
