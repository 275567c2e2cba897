"""An OVSDB schema as this room needs it: column types and which tables are roots. Pure.

Comes in: the schema as JSON (RFC 7047, 3.2). Goes out: `Schema`. Source of truth: the connected server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = Any  # what orjson.loads returns


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The type of a column: a scalar (min = max = 1), a set, or (value not "") a map."""

    key: str  # integer, real, boolean, string or uuid
    value: str = ""
    min: int = 1
    max: float = 1  # infinity: unlimited
    strong: str = ""  # the table that a strong reference points to
    weak: str = ""  # or a weak one: what it points to may go without it

    @property
    def is_map(self) -> bool:
        """Does the column hold key-value pairs?"""
        return bool(self.value)

    @property
    def is_scalar(self) -> bool:
        """Does the column hold exactly one value?"""
        return not self.value and self.min == 1 and self.max == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns by name; a row of a table that is no root lives only while a strong reference points to it."""

    columns: Mapping[str, Column]
    is_root: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One database: its name, its version, its tables, and the names of all columns."""

    name: str
    version: str
    tables: Mapping[str, Table]
    columns: Mapping[str, frozenset[str]]


def parse_schema(document: Json) -> Schema:
    """Read a schema; raises KeyError, TypeError or ValueError when it is none."""
    tables = {
        name: Table(
            columns={column: _column(body["type"]) for column, body in table["columns"].items()},
            is_root=bool(table.get("isRoot", False)),
        )
        for name, table in document["tables"].items()
    }
    # RFC 7047, 3.2: when no table says isRoot (an old schema), all are.
    if not any(table.is_root for table in tables.values()):
        tables = {name: Table(columns=table.columns, is_root=True) for name, table in tables.items()}
    columns = {name: frozenset(table.columns) for name, table in tables.items()}
    return Schema(name=document["name"], version=document.get("version", ""), tables=tables, columns=columns)


def _column(kind: Json) -> Column:
    if isinstance(kind, str):
        return Column(key=kind)
    key, value = kind["key"], kind.get("value", "")
    largest = kind.get("max", 1)
    return Column(
        key=_base(key),
        value=_base(value) if value else "",
        min=kind.get("min", 1),
        max=float("inf") if largest == "unlimited" else largest,
        strong=_reference(key, "strong") or _reference(value, "strong"),
        weak=_reference(key, "weak") or _reference(value, "weak"),
    )


def _base(kind: Json) -> str:
    return kind if isinstance(kind, str) else str(kind["type"])


def _reference(kind: Json, type: str) -> str:
    if isinstance(kind, str) or kind.get("refType", "strong") != type:
        return ""
    return str(kind.get("refTable", ""))
