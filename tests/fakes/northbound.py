"""A northbound database in memory: the promises of `reconciler/ports.py`, and the refusals of the real one.

Passes the same contract test as `netctl/ovsdb/northbound.py` (`tests/functional/ovsdb/test_northbound_contract.py`).
Others' doings: the `hand_…` methods. Faults: `disconnect`, `fail_next_apply`, `hold_northd`, `lose_data`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from netctl.errors import Conflict, NetctlError, NorthboundUnavailable, Rejected
from netctl.nb.features import WANTED_COLUMNS, Features
from netctl.nb.rows import OWNER_KEY, Delta, Fact, FactKey, MapEdit, Member, Row, RowKey, Rows, Update, Value
from netctl.nb.schema import WEAK_COLUMNS
from tests.fakes.northbound_schema import (
    DEFAULTS,
    LOOSE,
    SETS,
    STRONG,
    TENDER,
    UNIQUE,
    WEAK,
    check_columns,
    references,
)


class FakeNorthbound:
    """`deltas` are those written; `northd` follows at once unless held."""

    def __init__(self, *, owner: str = "test", wake: Callable[[], None] = lambda: None) -> None:
        self.owner = owner
        self.connected = True
        self.nb_cfg = self.sb_cfg = self.hv_cfg = 0
        self.epoch: int | None = None
        self.deltas: list[Delta] = []
        self._wake = wake
        self._rows: dict[RowKey, dict[str, Value]] = {}
        self._sets: dict[tuple[str, str, str], set[str]] = {}
        self._facts: dict[FactKey, Fact] = {}
        self._changed: set[FactKey] | None = None
        self._failure: tuple[NetctlError, bool] | None = None
        self._northd_held = False

    def start(self) -> None:
        """Be connected; nothing to start."""

    def close(self) -> None:
        """Be disconnected for good."""
        self.connected = False

    def features(self) -> Features:
        """Return those of OVN 23.03."""
        self._require_connection()
        return Features(schema_version="7.0.0", northd_version="23.03.1-20.27.0-70.6", columns=WANTED_COLUMNS)

    def owned_rows(self) -> Rows:
        """Return our facts as of the last `take_changed` or `apply`."""
        self._require_connection()
        if self._changed is None:
            self._look()
        return MappingProxyType(self._facts)

    def take_changed(self) -> frozenset[FactKey] | None:
        """Return the facts changed since the last call; None at first and after a reconnect."""
        self._look()
        changed, self._changed = self._changed, set()
        return None if changed is None else frozenset(changed)

    def apply(self, delta: Delta, *, epoch: int) -> int:
        """Write all of it or nothing."""
        self._require_connection()
        if self.epoch is not None and self.epoch > epoch:
            raise Conflict(f"epoch {self.epoch} of another controller holds the northbound database")
        if not delta:
            return self.nb_cfg
        failure, self._failure = self._failure, None
        if failure and not failure[1]:
            raise failure[0]
        self._commit(delta)
        self.epoch = epoch
        self._count_up()
        if failure:
            raise failure[0]
        return self.nb_cfg

    def bump(self, epoch: int) -> int:
        """Bump nb_cfg and nothing else."""
        self.apply(Delta(), epoch=epoch)
        self.epoch = epoch
        self._count_up()
        return self.nb_cfg

    def northd_caught_up(self, nb_cfg: int) -> bool:
        """Has northd worked off `nb_cfg`?"""
        return self.sb_cfg >= nb_cfg

    def wait_in_sync(self, timeout_s: float) -> bool:
        """Say whether there is a connection; time does not pass here."""
        return self.connected

    def wait_northd(self, nb_cfg: int, timeout_s: float) -> bool:
        """Say whether northd is there; time does not pass here."""
        return self.connected and self.northd_caught_up(nb_cfg)

    # Faults.

    def disconnect(self) -> None:
        """Lose the connection; what others do goes on."""
        self.connected = False
        self._wake()

    def reconnect(self) -> None:
        """Be in sync again: anything may have changed."""
        self.connected = True
        self._changed = None
        self._wake()

    def fail_next_apply(self, error: NetctlError | None = None, *, after_commit: bool = False) -> None:
        """Let the next apply raise, before or after it has written."""
        self._failure = (error or NorthboundUnavailable("connection lost; outcome unknown"), after_commit)

    def hold_northd(self) -> None:
        """Stop northd."""
        self._northd_held = True

    def release_northd(self) -> None:
        """Let northd catch up."""
        self._northd_held = False
        self.sb_cfg = self.hv_cfg = self.nb_cfg
        self._wake()

    def lose_data(self) -> None:
        """Be an empty database."""
        self._rows.clear()
        self._sets.clear()
        self.nb_cfg = self.sb_cfg = self.hv_cfg = 0
        self.epoch = None
        self._wake()

    # Others' doings, and the view of one who sees every row.

    def hand_insert(self, table: str, uuid: str, columns: Mapping[str, Value]) -> None:
        """Insert a row."""
        self._rows[table, uuid] = {**DEFAULTS[table], **columns}
        self._wake()

    def hand_update(self, table: str, uuid: str, columns: Mapping[str, Value]) -> None:
        """Write columns whole."""
        self._rows[table, uuid] |= columns
        self._wake()

    def hand_delete(self, table: str, uuid: str) -> None:
        """Delete a row and what held it."""
        self._rows.pop((table, uuid), None)
        for members in self._sets.values():
            members.discard(uuid)
        self._collect_garbage()
        self._wake()

    def hand_add(self, table: str, parent: str, column: str, member: str) -> None:
        """Add a member to a set."""
        self._sets.setdefault((table, parent, column), set()).add(member)
        self._wake()

    def hand_remove(self, table: str, parent: str, column: str, member: str) -> None:
        """Remove a member from a set; a row that nothing holds any more is gone."""
        self._sets[table, parent, column].discard(member)
        self._collect_garbage()
        self._wake()

    def read_row(self, table: str, uuid: str) -> Mapping[str, Value] | None:
        """Return a row, ours or not."""
        return self._rows.get((table, uuid))

    def read_members(self, table: str, parent: str, column: str) -> frozenset[str]:
        """Return a set, ours and others'."""
        return frozenset(self._sets.get((table, parent, column), ()))

    # The database.

    def _require_connection(self) -> None:
        if not self.connected:
            raise NorthboundUnavailable("not in sync: disconnected")

    def _count_up(self) -> None:
        self.nb_cfg += 1
        if not self._northd_held:
            self.sb_cfg = self.hv_cfg = self.nb_cfg

    def _look(self) -> None:
        """Make the facts those of the database, and note which differ."""
        now = {fact.key: fact for fact in self._read_facts()}
        if self._changed is not None:
            self._changed |= {
                key for key in now.keys() | self._facts.keys() if now.get(key) != self._facts.get(key)
            }
        self._facts.clear()  # the same mapping: what was given out is live
        self._facts.update(now)

    def _read_facts(self) -> Iterator[Fact]:
        ours = {key for key, columns in self._rows.items() if self._is_ours(columns)}
        for table, uuid in ours:
            yield Row(table, uuid, dict(self._rows[table, uuid]))
        for (table, parent, column), members in self._sets.items():
            kind = SETS[table][column]
            if (table, column) in WEAK_COLUMNS and (table, parent) not in ours:
                continue
            yield from (Member(table, parent, column, member) for member in members if (kind, member) in ours)

    def _is_ours(self, columns: Mapping[str, Value]) -> bool:
        marks = columns["external_ids"]
        return isinstance(marks, Mapping) and marks.get(OWNER_KEY) == self.owner

    def _commit(self, delta: Delta) -> None:
        before = (
            {key: dict(row) for key, row in self._rows.items()},
            {key: set(s) for key, s in self._sets.items()},
        )
        self._look()  # what others did before us is noted as such
        try:
            self._write(delta)
            self._check()
        except NetctlError:
            self._rows, self._sets = before
            raise
        self.deltas.append(delta)
        self._look()

    def _write(self, delta: Delta) -> None:
        for row in delta.insert:
            check_columns(row.table, row.uuid, row.columns)
            if row.key in self._rows:  # its mark was taken away: it is ours all the same
                self._update(_adopted(row))
            else:
                self._rows[row.key] = {**DEFAULTS[row.table], **row.columns}
        for update in delta.update:
            check_columns(update.table, update.uuid, {**update.columns, **update.maps})
            self._update(update)
        for member in delta.remove:
            self._sets.get((member.table, member.parent, member.column), set()).discard(member.member)
        for member in delta.add:
            if (member.table, member.parent) in self._rows:
                self._sets.setdefault((member.table, member.parent, member.column), set()).add(member.member)
        for key in delta.delete:
            self._rows.pop(key, None)
            for members in self._sets.values():
                members.discard(key[1])
        added = {member.member for member in delta.add if (member.table, member.column) not in LOOSE}
        held = added | self._held()
        for row in delta.insert:
            if row.table in TENDER and row.uuid not in held:
                raise Rejected(f"insert {row.table} {row.uuid}: nothing in the transaction refers to it")

    def _update(self, update: Update) -> None:
        row = self._rows.get((update.table, update.uuid))
        if row is None:  # gone meanwhile: an update of no row is no error
            return
        row |= update.columns
        for column, edit in update.maps.items():
            present = row[column]
            assert isinstance(present, Mapping)
            kept = {key: value for key, value in present.items() if key not in edit.remove}
            row[column] = {**kept, **edit.put}

    def _check(self) -> None:
        self._collect_garbage()
        for (table, parent, column), members in self._sets.items():
            if (table, column) in LOOSE:
                members &= {uuid for name, uuid in self._rows if name == SETS[table][column]}
                continue
            for member in members:
                if (SETS[table][column], member) not in self._rows:
                    raise Rejected(
                        f"commit: referential integrity violation: {table} {parent} {column} {member}"
                    )
        for (table, uuid), columns in self._rows.items():
            for column, target in ((c, t) for (of, c), t in STRONG.items() if of == table):
                for member in references(columns, column):
                    if (target, member) not in self._rows:
                        raise Rejected(
                            f"commit: referential integrity violation: {table} {uuid} {column} {member}"
                        )
        for table, index in UNIQUE:
            seen: dict[tuple[Value, ...], str] = {}
            for (name, uuid), columns in self._rows.items():
                if name == table:
                    other = seen.setdefault(tuple(columns[column] for column in index), uuid)
                    if other != uuid:
                        raise Rejected(
                            f"commit: constraint violation: {other} and {uuid}: same {table}.{index[0]}"
                        )

    def _held(self) -> set[str]:
        """Return the rows that strong references hold."""
        holding = (
            members for (table, _, column), members in self._sets.items() if (table, column) not in LOOSE
        )
        held: set[str] = set().union(*holding)
        for table, column in STRONG:
            for (name, _), columns in self._rows.items():
                if name == table:
                    held |= references(columns, column)
        return held

    def _collect_garbage(self) -> None:
        gone: list[RowKey] = [("", "")]
        while gone:  # what held a row that dies may have held others
            for name in [name for name in self._sets if name[:2] not in self._rows]:
                del self._sets[name]
            held = self._held()
            gone = [key for key in self._rows if key[0] in TENDER and key[1] not in held]
            for key in gone:
                del self._rows[key]
        there = {uuid for _, uuid in self._rows}
        for columns in self._rows.values():
            for column in WEAK & columns.keys():
                if not (targets := references(columns, column)) <= there:
                    columns[column] = frozenset(targets & there)


def _adopted(row: Row) -> Update:
    maps = {column: MapEdit(put=value) for column, value in row.columns.items() if isinstance(value, Mapping)}
    return Update(row.table, row.uuid, {c: v for c, v in row.columns.items() if c not in maps}, maps)
