"""A copy of the monitored rows of one database as canonical values, kept current from monitor updates. Pure.

Comes in: `<table-updates2>` (ovsdb-server(7), 4.1.14). Goes out: which facts of ours changed. Owns: every monitored
row, foreign ones too: one may become ours, and its uuid may stand in the way of an insert.
Source of truth: the server. Belongs to the thread that feeds it; others look under the owner's lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from netctl.bulk import BULK_ROWS, without_collector
from netctl.nb.rows import OWNER_KEY, Fact, FactKey, Member, MemberKey, Row, RowKey, Value
from netctl.nb.schema import MEMBER_COLUMNS, WEAK_COLUMNS
from netctl.ovsdb.schema import Column, Schema
from netctl.ovsdb.wire import Json, Parser, apply_diff, default_value, parse_members, parser_of

_SetKey = tuple[str, str, str]  # table, parent, column


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    columns: Mapping[str, Column]
    parsers: Mapping[str, Parser]
    defaults: Mapping[str, Value]
    members: Mapping[str, str]  # member column to the table of its members
    rows: dict[str, Row] = field(default_factory=dict)


class Replica:
    """Rows and members of the tables and columns that are both `wanted` and in the schema."""

    def __init__(self, schema: Schema, wanted: Mapping[str, frozenset[str]], owner: str) -> None:
        self.schema = schema
        self._owner = owner
        self._tables = {
            name: _describe(name, columns, schema)
            for name, columns in wanted.items()
            if name in schema.tables
        }
        self._sets: dict[_SetKey, set[str]] = {}
        self._holders: dict[str, tuple[MemberKey, ...]] = {}  # by member

    def monitor_requests(self) -> Json:
        """Return what to ask the server to monitor."""
        return {
            table.name: [{"columns": sorted((*table.columns, *table.members))}]
            for table in self._tables.values()
        }

    def row(self, key: RowKey) -> Row | None:
        """Return a row, foreign or ours."""
        return self._tables[key[0]].rows.get(key[1]) if key[0] in self._tables else None

    def only_row(self, table: str) -> Row | None:
        """Return the row of a table that has at most one."""
        return next(iter(self._tables[table].rows.values()), None) if table in self._tables else None

    def holders(self, uuid: str) -> tuple[MemberKey, ...]:
        """Return the memberships of a row, foreign parents too."""
        return self._holders.get(uuid, ())

    def update(self, updates: Json) -> dict[FactKey, Fact | None]:
        """Take what the server says has changed; return our facts that did, None for one that is gone."""
        with without_collector(sum(map(len, updates.values())) > BULK_ROWS):
            return self._update(updates)

    def _update(self, updates: Json) -> dict[FactKey, Fact | None]:
        changes: dict[FactKey, Fact | None] = {}
        suspects: set[MemberKey] = set()
        for name, rows in updates.items():
            table = self._tables[name]
            for uuid, body in rows.items():
                ((kind, columns),) = body.items()
                old = table.rows.get(uuid)
                if kind == "delete":
                    table.rows.pop(uuid, None)
                    new = None
                elif kind == "modify":
                    new = _modified(table, old or Row(table.name, uuid, table.defaults), columns)
                else:  # "initial" or "insert": columns that hold their default are left out
                    new = Row(table.name, uuid, _parsed(table, columns))
                if new is not None and new is not old:
                    table.rows[uuid] = new
                if table.members:
                    suspects.update(self._update_sets(table, uuid, kind, columns))
                self._note(old, new, changes, suspects)
        for member in suspects:
            changes[member] = Member(*member) if self._is_our_member(member) else None
        return changes

    def _note(
        self, old: Row | None, new: Row | None, changes: dict[FactKey, Fact | None], suspects: set[MemberKey]
    ) -> None:
        """Say what the change of one row means for our facts."""
        row = new or old
        if new is old or row is None:
            return
        was_ours, is_ours = self._is_ours(old), self._is_ours(new)
        if was_ours or is_ours:
            changes[row.key] = new if is_ours else None
        if was_ours != is_ours:
            suspects.update(self._holders.get(row.uuid, ()))
            suspects.update(self._held_weakly(row))

    def _is_ours(self, row: Row | None) -> bool:
        if row is None:
            return False
        marks = row.columns.get("external_ids")
        return type(marks) is dict and marks.get(OWNER_KEY) == self._owner

    def _is_our_member(self, key: MemberKey) -> bool:
        table, parent, column, member = key
        if member not in self._sets.get((table, parent, column), ()):
            return False
        if (table, column) in WEAK_COLUMNS and not self._is_ours(self.row((table, parent))):
            return False
        return self._is_ours(self.row((self._tables[table].members[column], member)))

    def _held_weakly(self, row: Row) -> Iterator[MemberKey]:
        """Yield the memberships that are ours when the row is."""
        for column in self._tables[row.table].members:
            if (row.table, column) in WEAK_COLUMNS:
                for member in self._sets.get((row.table, row.uuid, column), ()):
                    yield row.table, row.uuid, column, member

    def _update_sets(self, table: _Table, uuid: str, kind: str, columns: Json) -> Iterator[MemberKey]:
        """Follow the member columns of one row; yield the memberships that began or ended."""
        for column in table.members:
            if kind == "delete":
                toggled: Iterable[str] = self._sets.pop((table.name, uuid, column), ())
                for member in toggled:
                    yield self._release((table.name, uuid, column, member))
            elif column in columns:
                present = self._sets.setdefault((table.name, uuid, column), set())
                for member in parse_members(columns[column]):
                    key = (table.name, uuid, column, member)
                    if member in present:  # in a `modify` the elements of a set are toggled
                        present.remove(member)
                        yield self._release(key)
                    else:
                        present.add(member)
                        self._holders[member] = (*self._holders.get(member, ()), key)
                        yield key

    def _release(self, key: MemberKey) -> MemberKey:
        rest = tuple(holder for holder in self._holders.get(key[3], ()) if holder != key)
        if rest:
            self._holders[key[3]] = rest
        else:
            self._holders.pop(key[3], None)
        return key


def _describe(name: str, wanted: frozenset[str], schema: Schema) -> _Table:
    known = schema.tables[name].columns
    present = wanted & known.keys()
    members = {
        column: known[column].strong or known[column].weak
        for column in MEMBER_COLUMNS.get(name, frozenset()) & present
    }
    columns = {column: known[column] for column in sorted(present - members.keys())}
    return _Table(
        name=name,
        columns=columns,
        parsers={column: parser_of(kind) for column, kind in columns.items()},
        defaults={column: default_value(kind) for column, kind in columns.items()},
        members=members,
    )


def _parsed(table: _Table, columns: Json) -> dict[str, Value]:
    values = dict(table.defaults)
    parsers = table.parsers
    for column, value in columns.items():
        if column in parsers:
            values[column] = parsers[column](value)
    return values


def _modified(table: _Table, old: Row, columns: Json) -> Row:
    """Return the row after a `modify`, or `old` itself when only its members changed."""
    values = None
    for column, value in columns.items():
        if column in table.parsers:
            if values is None:
                values = dict(old.columns)
            change = table.parsers[column](value)
            values[column] = apply_diff(values[column], change, table.columns[column])
    return old if values is None else Row(table.name, old.uuid, values)
