"""Delta to the operations of one OVSDB transaction, and its answer to our errors. Pure.

Comes in: a delta, the schema, what the replica knows. Goes out: operations (RFC 7047, 5.2), or what the answer means.
Source of truth for the order: every operation sees those before it, constraints are checked at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from netctl.errors import NetctlError, NorthboundUnavailable, Rejected
from netctl.nb.rows import Delta, MapEdit, Member, Row, Update, Value
from netctl.ovsdb.replica import Replica
from netctl.ovsdb.schema import Schema, Table
from netctl.ovsdb.wire import Json, Renderer, default_value, render_keys, render_uuids, renderer_of

# Errors of a transaction that say nothing against what we wrote: look again and retry.
_PASSING = frozenset(
    {
        "cluster error",
        "not owner",
        "canceled",
        "I/O error",
        "resources exhausted",
        "duplicate uuid",
        "aborted",
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """The first error of an answer: of operation `index`, or of the commit when that is beyond the operations."""

    index: int
    error: str
    details: str


def complete(delta: Delta, replica: Replica) -> Delta:
    """Return the delta with what the database as it is demands.

    A row to insert that is there without our mark (somebody took the mark away) is updated. A row that dies takes the
    memberships with it that hold it elsewhere. Raises Rejected for a row that would not live to the end.
    """
    fresh, there = [], []
    for row in delta.insert:
        if replica.row(row.key) is None:
            fresh.append(row)
        else:
            there.append(_adopt(row))
    deleted = {uuid for _, uuid in delta.delete}
    removed = {member.key for member in delta.remove}
    held = [
        Member(*holder)
        for uuid in deleted
        for holder in replica.holders(uuid)
        if holder not in removed and holder[1] not in deleted
    ]
    result = Delta(
        insert=tuple(fresh),
        update=(*delta.update, *there),
        delete=delta.delete,
        add=delta.add,
        remove=(*delta.remove, *held),
    )
    _refuse_short_lived(result, replica.schema)
    return result


def render_delta(delta: Delta, schema: Schema) -> list[Json]:
    """Return the operations; raises Rejected for a table, column or value that the schema does not have."""
    writers: dict[str, _Writer] = {}

    def writer(table: str) -> _Writer:
        if table not in writers:
            writers[table] = _Writer(table, schema)
        return writers[table]

    operations = [writer(row.table).insert(row) for row in delta.insert]
    for update in delta.update:
        operations += writer(update.table).update(update)
    operations += _render_members(delta.add, delta.remove)
    operations += ({"op": "delete", "table": name, "where": _this(uuid)} for name, uuid in delta.delete)
    return operations


def name_nul(operations: list[Json]) -> str:
    """Return which operation holds a NUL, or "". ovsdb-server closes the connection on one (its JSON has none)."""
    return next((describe(operation) for operation in operations if _holds_nul(operation)), "")


def describe(operation: Json) -> str:
    """Return `insert Logical_Switch 6d0f…`, for messages."""
    uuid = operation.get("uuid") or next(
        (clause[2][1] for clause in operation.get("where", ()) if clause[0] == "_uuid"), ""
    )
    return " ".join(part for part in (operation["op"], operation["table"], uuid) if part)


def find_failure(results: Json) -> Failure | None:
    """Return the error in the answer to a transaction, if there is one."""
    for index, result in enumerate(results):
        if result is not None and "error" in result:
            return Failure(index, result["error"], result.get("details", ""))
    return None


def failure_to_error(failure: Failure, operations: list[Json]) -> NetctlError:
    """Return what to raise."""
    where = describe(operations[failure.index]) if failure.index < len(operations) else "commit"
    message = f"{where}: {failure.error}: {failure.details}"
    return NorthboundUnavailable(message) if failure.error in _PASSING else Rejected(message)


def _adopt(row: Row) -> Update:
    maps = {column: MapEdit(put=value) for column, value in row.columns.items() if isinstance(value, Mapping)}
    columns = {column: value for column, value in row.columns.items() if column not in maps}
    return Update(row.table, row.uuid, columns, maps)


def _refuse_short_lived(delta: Delta, schema: Schema) -> None:
    """Raise for an inserted row that nothing refers to: the server would drop it without a word (RFC 7047, 3.2)."""
    holding = {key for key in {(member.table, member.column) for member in delta.add} if _holds(schema, *key)}
    held = {member.member for member in delta.add if (member.table, member.column) in holding}
    tender = [row for row in delta.insert if row.uuid not in held and not _table(schema, row.table).is_root]
    if not tender:
        return
    held.update(_strong_references(delta, schema))
    for row in tender:
        if row.uuid not in held:
            raise Rejected(
                f"insert {row.table} {row.uuid}: nothing in the transaction refers to it, it would vanish"
            )


def _holds(schema: Schema, table: str, column: str) -> bool:
    """Does a set keep its members alive?"""
    found = _table(schema, table).columns.get(column)
    return found is not None and bool(found.strong)


def _strong_references(delta: Delta, schema: Schema) -> Iterator[str]:
    written = [(row.table, row.columns) for row in delta.insert]
    written += [(update.table, update.columns) for update in delta.update]
    for table, values in written:
        columns = _table(schema, table).columns
        for name, value in values.items():
            if name in columns and columns[name].strong:
                yield from map(str, value if isinstance(value, frozenset) else (value,))


def _table(schema: Schema, name: str) -> Table:
    if name not in schema.tables:
        raise Rejected(f"the connected {schema.name} schema {schema.version} has no table {name}")
    return schema.tables[name]


class _Writer:
    """Writes rows of one table; remembers how each column is written."""

    def __init__(self, table: str, schema: Schema) -> None:
        self._table = table
        self._columns = _table(schema, table).columns
        self._ways: dict[str, tuple[Renderer, Value]] = {}

    def insert(self, row: Row) -> Json:
        return {
            "op": "insert",
            "table": self._table,
            "uuid": row.uuid,
            "row": self._render(row.uuid, row.columns, True),
        }

    def update(self, update: Update) -> Iterator[Json]:
        target = {"table": self._table, "where": _this(update.uuid)}
        if update.columns:
            yield {"op": "update", **target, "row": self._render(update.uuid, update.columns)}
        mutations: list[Json] = []
        for column, edit in update.maps.items():
            # `insert` leaves a key that is there as it is, so a key to set is removed first.
            put = self._render(update.uuid, {column: edit.put})[column]
            if gone := edit.remove | edit.put.keys():
                mutations.append([column, "delete", render_keys(frozenset(gone), self._columns[column])])
            if edit.put:
                mutations.append([column, "insert", put])
        if mutations:
            yield {"op": "mutate", **target, "mutations": mutations}

    def _render(self, uuid: str, columns: Mapping[str, Value], fresh: bool = False) -> dict[str, Json]:
        """Return values as JSON; in a fresh row those that are the default need not be said."""
        rendered: dict[str, Json] = {}
        ways = self._ways
        for column, value in columns.items():
            try:
                if column not in ways:
                    kind = self._columns[column]
                    ways[column] = renderer_of(kind), default_value(kind)
                renderer, default = ways[column]
                if not fresh or value != default:
                    rendered[column] = renderer(value)
            except KeyError as error:
                raise Rejected(
                    f"{self._table} {uuid}: the connected schema has no column {column}"
                ) from error
            except (ValueError, TypeError, AttributeError) as error:
                raise Rejected(f"{self._table} {uuid}: {column} cannot hold {value!r}") from error
        return rendered


def _render_members(add: Iterable[Member], remove: Iterable[Member]) -> Iterator[Json]:
    """Yield one mutation for each parent."""
    parents: dict[tuple[str, str], dict[tuple[str, str], list[str]]] = {}
    for verb, members in (("delete", remove), ("insert", add)):
        for member in members:
            columns = parents.setdefault((member.table, member.parent), {})
            columns.setdefault((member.column, verb), []).append(member.member)
    for (name, parent), columns in parents.items():
        mutations = [[column, verb, render_uuids(uuids)] for (column, verb), uuids in columns.items()]
        yield {"op": "mutate", "table": name, "where": _this(parent), "mutations": mutations}


def _this(uuid: str) -> Json:
    return [["_uuid", "==", ["uuid", uuid]]]


def _holds_nul(value: Json) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(item) for item in (*value, *value.values()))
    return isinstance(value, (list, tuple)) and any(map(_holds_nul, value))
