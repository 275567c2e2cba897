"""What a change of intents would write to the northbound database. Pure.

In: the snapshot that is, the one that would be, the keys that differ, and what is observed; out: rows and members that
come, change and go, each with the intent that it is of. It is the reconciler's own way: what reads the changed is
compiled by the same functions, and compared by the same diff.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from netctl.compiler import identity
from netctl.compiler.compile import compile_intent
from netctl.compiler.dependents import readers_between
from netctl.compiler.observed import Observed
from netctl.compiler.realms import coverage_of, realms_in
from netctl.model.intent import key_of
from netctl.model.keys import Key, Kind, resource_name
from netctl.model.snapshot import Snapshot
from netctl.nb.diff import diff
from netctl.nb.rows import Atom, Fact, FactKey, Member, Row, Rows, Update, Value, collect

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

    Of a member `name` is the member's intent and `row_name` the row's; empty where the row is of none any more.
    """

    kind: RowChangeKind
    table: str
    row: str
    name: str
    columns: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)
    column: str = ""
    member: str = ""
    row_name: str = ""


def row_changes(
    before: Snapshot, after: Snapshot, changed: frozenset[Key], *, owner: str, observed: Observed
) -> list[RowChange]:
    """Return what would be written, sorted: rows that come, change and go, members that come and go."""
    readers = sorted(readers_between(before, after, changed))
    names: dict[FactKey, str] = {}
    have = _compile(before, readers, names, owner, observed)
    want = _compile(after, readers, names, owner, observed)
    delta = diff(want, have)
    found = [*(_inserted(row, names) for row in delta.insert)]
    found += (_updated(update, want, have, names) for update in delta.update)
    found += (_deleted(have[key], names) for key in delta.delete)
    _name_rows(after, ((one.table, one.parent) for one in delta.add), names)
    _name_rows(before, ((one.table, one.parent) for one in delta.remove), names)
    found += _members(RowChangeKind.ADD_MEMBER, delta.add, names)
    found += _members(RowChangeKind.REMOVE_MEMBER, delta.remove, names)
    order = {kind: place for place, kind in enumerate(RowChangeKind)}
    return sorted(found, key=lambda one: (order[one.kind], one.table, one.name, one.row, one.member))


def _compile(
    snapshot: Snapshot, keys: Iterable[Key], names: dict[FactKey, str], owner: str, observed: Observed
) -> Rows:
    def facts() -> Iterator[Fact]:
        for key in keys:
            for fact in compile_intent(snapshot, key, owner, observed):
                names[fact.key] = resource_name(key)
                yield fact

    return collect(facts())


def _inserted(row: Row, names: Mapping[FactKey, str]) -> RowChange:
    columns = {column: render_value(value) for column, value in sorted(row.columns.items())}
    return RowChange(
        kind=RowChangeKind.INSERT, table=row.table, row=row.uuid, name=names[row.key], columns=columns
    )


def _updated(update: Update, want: Rows, have: Rows, names: Mapping[FactKey, str]) -> RowChange:
    key = (update.table, update.uuid)
    after, before = want[key], have[key]
    assert isinstance(after, Row)
    assert isinstance(before, Row)
    columns = sorted((*update.columns, *update.maps))
    return RowChange(
        kind=RowChangeKind.UPDATE,
        table=update.table,
        row=update.uuid,
        name=names[key],
        columns={column: render_value(after.columns[column]) for column in columns},
        before={
            column: render_value(before.columns[column]) for column in columns if column in before.columns
        },
    )


def _deleted(row: Fact, names: Mapping[FactKey, str]) -> RowChange:
    assert isinstance(row, Row)
    before = {column: render_value(value) for column, value in sorted(row.columns.items())}
    return RowChange(
        kind=RowChangeKind.DELETE, table=row.table, row=row.uuid, name=names[row.key], before=before
    )


def _members(
    kind: RowChangeKind, members: Iterable[Member], names: Mapping[FactKey, str]
) -> Iterator[RowChange]:
    for one in members:
        yield RowChange(
            kind=kind,
            table=one.table,
            row=one.parent,
            name=names[one.key],
            column=one.column,
            member=one.member,
            row_name=names.get((one.table, one.parent), ""),
        )


def _name_rows(snapshot: Snapshot, keys: Iterable[tuple[str, str]], names: dict[FactKey, str]) -> None:
    """Find whose rows those are that get or lose members, where their intents are not compiled anew."""
    for table in sorted({key[0] for key in keys if key not in names}):
        for name, uuid in _ROWS_OF.get(table, _no_rows)(snapshot):
            names.setdefault((table, uuid), name)


def _switches(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    for subnet in snapshot.of_kind(Kind.SUBNET):
        yield resource_name(key_of(subnet)), identity.switch_uuid(subnet.meta.uid)


def _routers(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    for vpc in snapshot.of_kind(Kind.VPC):
        yield resource_name(key_of(vpc)), identity.router_uuid(vpc.meta.uid)


def _port_groups(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    for kind in (Kind.CATEGORY, Kind.ENTITY_GROUP):
        for term in snapshot.of_kind(kind):
            name = resource_name(key_of(term))
            for _, realm in realms_in(snapshot, coverage_of(snapshot, name)):
                yield name, identity.port_group_uuid(term.meta.uid, realm)


def _no_rows(_: Snapshot) -> Iterator[tuple[str, str]]:
    yield from ()


_ROWS_OF: Mapping[str, Callable[[Snapshot], Iterator[tuple[str, str]]]] = {
    "Logical_Switch": _switches,
    "Logical_Router": _routers,
    "Port_Group": _port_groups,
}


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
