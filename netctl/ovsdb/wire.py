"""OVSDB's JSON (RFC 7047, 5.1) to the canonical values of nb/rows.py and back. Pure; nothing is kept.

A parser is chosen once per column, so that reading a row costs one call a column. Malformed input raises ValueError,
TypeError, IndexError or KeyError: a peer that sends it is not an OVSDB server, and `replica.py` treats it so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from netctl.nb.rows import Atom, Value
from netctl.ovsdb.schema import Column

Json = Any  # what orjson.loads returns
Parser = Callable[[Json], Value]
Renderer = Callable[[Any], Json]

_DEFAULTS: Mapping[str, Atom] = {
    "integer": 0,
    "real": 0.0,
    "boolean": False,
    "string": "",
    "uuid": "00000000-0000-0000-0000-000000000000",
}
_EMPTY_SET: frozenset[Atom] = frozenset()
# One object for every empty map: nothing writes to a canonical value.
_EMPTY_MAP: Mapping[str, str] = {}
# One-element sets of booleans and references repeat in every port; a set takes 216 bytes.
_SHARED_MOST = 65536


def default_value(column: Column) -> Value:
    """Return what a column holds when an insert does not name it."""
    if column.is_map:
        return _EMPTY_MAP
    if column.is_scalar:
        return _DEFAULTS[column.key]
    return _EMPTY_SET if column.min == 0 else frozenset({_DEFAULTS[column.key]})


def parser_of(column: Column) -> Parser:
    """Return the function that reads values of this column."""
    if column.is_map:
        return _map_parser(column.key, column.value)
    if not column.is_scalar:
        return _set_parser(column.key)
    if column.key == "uuid":
        return _parse_uuid
    return float if column.key == "real" else _parse_plain


def parse_members(value: Json) -> list[str]:
    """Return the elements of a set of references."""
    if value[0] == "set":
        return [element[1] for element in value[1]]
    return [value[1]]


def renderer_of(column: Column) -> Renderer:
    """Return the function that writes values of this column; a map may hold any of its pairs."""
    key, value = column.key, column.value
    if column.is_map:
        if key == value == "string":
            return lambda pairs: ["map", list(pairs.items())]
        return lambda pairs: ["map", [[_atom(k, key), _atom(v, value)] for k, v in pairs.items()]]
    if column.is_scalar:
        return lambda atom: _atom(atom, key)
    if key in ("uuid", "real"):
        return lambda elements: ["set", [_atom(element, key) for element in elements]]
    # A set of one goes bare: a fifth of the work for the server's parser.
    return lambda elements: next(iter(elements)) if len(elements) == 1 else ["set", list(elements)]


def render_uuids(uuids: list[str]) -> Json:
    """Return references as the JSON of a set."""
    return ["set", [["uuid", uuid] for uuid in uuids]]


def render_keys(keys: frozenset[str], column: Column) -> Json:
    """Return keys of a map column as the JSON that `mutate … delete` takes."""
    return ["set", [_atom(key, column.key) for key in sorted(keys)]]


def apply_diff(old: Value, change: Value, column: Column) -> Value:
    """Return the value after a `modify` of update2 or update3 (ovsdb-server(7), 4.1.14).

    A column that holds at most one element is replaced. In a larger set the elements of `change` are toggled. In a
    map a pair that is there is removed, any other is put.
    """
    if isinstance(change, Mapping):
        result = dict(old) if isinstance(old, Mapping) else {}
        for key, value in change.items():
            if result.get(key) == value:
                del result[key]
            else:
                result[key] = value
        return result
    if isinstance(change, frozenset) and isinstance(old, frozenset) and column.max > 1:
        return old ^ change
    return change


def _atom(value: Atom, kind: str) -> Json:
    """Render one atom; in maps integers, reals and booleans were read as text."""
    if kind == "uuid":
        return ["uuid", value]
    if isinstance(value, str) and kind != "string":
        return value == "true" if kind == "boolean" else (int(value) if kind == "integer" else float(value))
    return value


def _text(kind: str) -> Callable[[Json], str]:
    match kind:
        case "string":
            return str
        case "uuid":
            return lambda atom: str(atom[1])
        case "boolean":
            return lambda atom: "true" if atom else "false"
        case _:
            return str


def _map_parser(key_kind: str, value_kind: str) -> Parser:
    if key_kind == value_kind == "string":
        return lambda value: dict(value[1]) if value[1] else _EMPTY_MAP
    key_text, value_text = _text(key_kind), _text(value_kind)
    return lambda value: {key_text(key): value_text(item) for key, item in value[1]}


def _set_parser(kind: str) -> Parser:
    if kind == "uuid":
        return _uuid_set_parser()
    shared: dict[Json, frozenset[Atom]] = {}

    def parse(value: Json) -> Value:
        if type(value) is not list:  # a set of one is sent bare
            if kind == "string":
                return frozenset((value,))
            known = shared.get(value)
            if known is None:
                known = frozenset((float(value) if kind == "real" else value,))
                if len(shared) < _SHARED_MOST:
                    shared[value] = known
            return known
        elements = value[1]
        return frozenset(map(float, elements) if kind == "real" else elements) if elements else _EMPTY_SET

    return parse


def _uuid_set_parser() -> Parser:
    shared: dict[str, frozenset[Atom]] = {}

    def parse(value: Json) -> Value:
        if value[0] == "uuid":
            known = shared.get(value[1])
            if known is None:
                known = frozenset((value[1],))
                if len(shared) < _SHARED_MOST:
                    shared[value[1]] = known
            return known
        return frozenset([element[1] for element in value[1]]) if value[1] else _EMPTY_SET

    return parse


def _parse_plain(value: Json) -> Value:
    if isinstance(value, (str, bool, int)):
        return value
    raise TypeError(f"not an atom: {value!r}")


def _parse_uuid(value: Json) -> Value:
    return str(value[1])
