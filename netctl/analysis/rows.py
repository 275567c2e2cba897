"""What a change of intents would write to the northbound database. Pure.

In: the snapshot that is, the one that would be, the keys that differ, and what is observed; out: rows and members that
come, change and go, each with the intent that it is of. It is the reconciler's own way: what reads the changed is
compiled by the same functions, and compared by the same diff.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from netctl.analysis.row_names import RowNames
from netctl.compiler.compile import compile_intent
from netctl.compiler.dependents import readers_between
from netctl.compiler.observed import Observed
from netctl.model.keys import Key, resource_name
from netctl.model.snapshot import Snapshot
from netctl.nb.diff import diff
from netctl.nb.rows import Atom, Fact, FactKey, Member, Row, RowKey, Rows, Update, Value, collect

# What ovn-nbctl prints without quotes.
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_BARE_WORDS = ("true", "false")


class RowChangeKind(enum.StrEnum):
    """What happens to a row."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    ADD_MEMBER = "add member"
    REMOVE_MEMBER = "remove member"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """One row that would change, of the intent `name`; `columns` as they would be, `before` as they are, as text.

    Of a member `name` is the member's intent and `row_resource_name` the row's, empty where it is of none any more.
    `row_name` is the row in words, as RowChange of status.proto has it.
    """

    kind: RowChangeKind
    table: str
    row: str
    name: str
    columns: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)
    column: str = ""
    member: str = ""
    row_resource_name: str = ""
    row_name: str = ""


def row_changes(
    before: Snapshot, after: Snapshot, changed: frozenset[Key], *, owner: str, observed: Observed
) -> list[RowChange]:
    """Return what would be written, sorted: rows that come, change and go, members that come and go."""
    readers = sorted(readers_between(before, after, changed))
    keys: dict[FactKey, Key] = {}
    have = _compile(before, readers, keys, owner, observed)
    want = _compile(after, readers, keys, owner, observed)
    delta = diff(want, have)
    teller = _Teller(keys, RowNames(keys, ((after, want), (before, have)), observed))
    found = [*(teller.inserted(row) for row in delta.insert)]
    found += (teller.updated(update, want, have) for update in delta.update)
    found += (teller.deleted(have[key]) for key in delta.delete)
    found += teller.members(RowChangeKind.ADD_MEMBER, delta.add)
    found += teller.members(RowChangeKind.REMOVE_MEMBER, delta.remove)
    order = {kind: place for place, kind in enumerate(RowChangeKind)}
    return sorted(
        found, key=lambda one: (order[one.kind], one.table, one.name, one.row_name, one.row, one.member)
    )


def _compile(
    snapshot: Snapshot, readers: Iterable[Key], keys: dict[FactKey, Key], owner: str, observed: Observed
) -> Rows:
    def facts() -> Iterator[Fact]:
        for key in readers:
            for fact in compile_intent(snapshot, key, owner, observed):
                keys[fact.key] = key
                yield fact

    return collect(facts())


@dataclass(frozen=True, slots=True)
class _Teller:
    """Makes changes of what the diff found."""

    keys: Mapping[FactKey, Key]
    rows: RowNames

    def inserted(self, row: Row) -> RowChange:
        return self._of_row(RowChangeKind.INSERT, row.key, _render(row, row.columns), {})

    def updated(self, update: Update, want: Rows, have: Rows) -> RowChange:
        key = (update.table, update.uuid)
        after, before = want[key], have[key]
        assert isinstance(after, Row)
        assert isinstance(before, Row)
        columns = (*update.columns, *update.maps)
        return self._of_row(RowChangeKind.UPDATE, key, _render(after, columns), _render(before, columns))

    def deleted(self, row: Fact) -> RowChange:
        assert isinstance(row, Row)
        return self._of_row(RowChangeKind.DELETE, row.key, {}, _render(row, row.columns))

    def members(self, kind: RowChangeKind, members: Iterable[Member]) -> Iterator[RowChange]:
        for one in members:
            parent = self.rows.of_parent(one)
            yield RowChange(
                kind=kind,
                table=one.table,
                row=one.parent,
                name=resource_name(self.keys[one.key]),
                row_resource_name=parent.of,
                row_name=parent.words,
                column=one.column,
                member=one.member,
            )

    def _of_row(
        self, kind: RowChangeKind, row: RowKey, columns: Mapping[str, str], before: Mapping[str, str]
    ) -> RowChange:
        told = self.rows.of_row(row)
        return RowChange(
            kind=kind,
            table=row[0],
            row=row[1],
            name=told.of,
            row_name=told.words,
            columns=columns,
            before=before,
        )


def _render(row: Row, columns: Iterable[str]) -> dict[str, str]:
    return {column: render_value(row.columns[column]) for column in sorted(columns) if column in row.columns}


def render_value(value: Value) -> str:
    """Return a column as `ovn-nbctl list` prints it."""
    if isinstance(value, Mapping):
        pairs = (f"{_render_atom(key)}={_render_atom(text)}" for key, text in sorted(value.items()))
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, frozenset):
        return f"[{', '.join(sorted(map(_render_atom, value)))}]"
    return _render_atom(value)


def _render_atom(value: Atom) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and (_BARE.fullmatch(value) is None or value in _NO_BARE_WORDS):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
