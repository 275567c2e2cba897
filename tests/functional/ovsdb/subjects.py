"""What the contract test talks to: the fake, and the real class with a real server and another's hands on it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from netctl.loop import wait_until
from netctl.nb.rows import FactKey, Value
from netctl.ovsdb.northbound import OvsdbNorthbound
from netctl.ovsdb.schema import Schema, parse_schema
from netctl.ovsdb.wire import parser_of, render_uuids, renderer_of
from netctl.reconciler.ports import Northbound
from tests.fakes.northbound import FakeNorthbound
from tests.servers import SCHEMAS, OvsdbServer, ovsdb_server

OWNER = "test"


class Hands(Protocol):
    """Others who write to the same database, and see all of it."""

    def hand_insert(self, table: str, uuid: str, columns: Mapping[str, Value]) -> None:
        """Insert a row; one of a table that is no root must be added to a set in the same breath: `insert_port`."""

    def hand_update(self, table: str, uuid: str, columns: Mapping[str, Value]) -> None:
        """Write columns whole."""

    def hand_add(self, table: str, parent: str, column: str, member: str) -> None:
        """Add a member."""

    def hand_remove(self, table: str, parent: str, column: str, member: str) -> None:
        """Remove a member."""

    def read_row(self, table: str, uuid: str) -> Mapping[str, Value] | None:
        """Return a row."""

    def read_members(self, table: str, parent: str, column: str) -> frozenset[str]:
        """Return a set."""


class ServerHands:
    """Hands on a real server, through ovsdb-client."""

    def __init__(self, server: OvsdbServer) -> None:
        self._server = server
        self._schema: Schema = parse_schema(json.loads(SCHEMAS["nb"].read_text()))

    def hand_insert(self, table: str, uuid: str, columns: Mapping[str, Value]) -> None:
        """Insert a row; a port goes into no set and so vanishes, unless `columns` says `_switch`."""
        values = {name: value for name, value in columns.items() if name != "_switch"}
        operations = [{"op": "insert", "table": table, "uuid": uuid, "row": self._row(table, values)}]
        if "_switch" in columns:
            operations.append(_mutate("Logical_Switch", str(columns["_switch"]), "ports", "insert", uuid))
        self._transact(*operations)

    def hand_update(self, table: str, uuid: str, columns: Mapping[str, Value]) -> None:
        """Write columns whole."""
        row = self._row(table, columns)
        self._transact({"op": "update", "table": table, "where": _this(uuid), "row": row})

    def hand_add(self, table: str, parent: str, column: str, member: str) -> None:
        """Add a member."""
        self._transact(_mutate(table, parent, column, "insert", member))

    def hand_remove(self, table: str, parent: str, column: str, member: str) -> None:
        """Remove a member."""
        self._transact(_mutate(table, parent, column, "delete", member))

    def read_row(self, table: str, uuid: str) -> Mapping[str, Value] | None:
        """Return a row."""
        rows = self._transact({"op": "select", "table": table, "where": _this(uuid)})[0]["rows"]
        kinds = self._schema.tables[table].columns
        return (
            {name: parser_of(kinds[name])(value) for name, value in rows[0].items() if name in kinds}
            if rows
            else None
        )

    def read_members(self, table: str, parent: str, column: str) -> frozenset[str]:
        """Return a set."""
        row = self.read_row(table, parent)
        members = row[column] if row else frozenset()
        assert isinstance(members, frozenset)
        return frozenset(map(str, members))

    def _row(self, table: str, columns: Mapping[str, Value]) -> dict[str, Any]:
        kinds = self._schema.tables[table].columns
        return {name: renderer_of(kinds[name])(value) for name, value in columns.items()}

    def _transact(self, *operations: Mapping[str, Any]) -> Any:
        results = json.loads(self._server.transact(json.dumps(["OVN_Northbound", *operations])))
        assert not [result for result in results if result and "error" in result], results
        return results


class Wakes:
    """Counts what it is called for."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Be woken."""
        with self._lock:
            self.count += 1


class Subject:
    """A northbound under test, the hands of others, and the wakes that it made."""

    def __init__(self, northbound: OvsdbNorthbound | FakeNorthbound, hands: Hands, wakes: Wakes) -> None:
        self.northbound = northbound
        self.hands = hands
        self.wakes = wakes
        self._changed: set[FactKey] = set()

    @property
    def seam(self) -> Northbound:
        """What the reconciler sees of it; here the type checker sees that both fit."""
        return self.northbound

    def foreign_port(self, switch: str, uuid: str, columns: Mapping[str, Value]) -> None:
        """Another inserts a port into a switch."""
        if isinstance(self.hands, FakeNorthbound):
            self.hands.hand_insert("Logical_Switch_Port", uuid, columns)
            self.hands.hand_add("Logical_Switch", switch, "ports", uuid)
        else:
            self.hands.hand_insert("Logical_Switch_Port", uuid, {**columns, "_switch": switch})

    def see(self, condition: Callable[[], object], what: str) -> frozenset[FactKey]:
        """Look until `condition`; return the keys that the looks since the last `see` gave."""

        def look() -> object:
            changed = self.northbound.take_changed()
            self._changed |= changed or set()
            return condition()

        wait_until(look, timeout_s=10, what=what, poll_s=0.005)
        changed, self._changed = frozenset(self._changed), set()
        return changed


@contextmanager
def fake_subject(directory: Path) -> Iterator[Subject]:
    """Yield the fake."""
    wakes = Wakes()
    fake = FakeNorthbound(owner=OWNER, wake=wakes)
    yield Subject(fake, fake, wakes)


@contextmanager
def real_subject(directory: Path) -> Iterator[Subject]:
    """Yield the real class, in sync with a real, empty server."""
    with ovsdb_server(directory, "nb") as server:
        wakes = Wakes()
        with connected(OvsdbNorthbound(server.remote, owner=OWNER, wake=wakes)) as northbound:
            yield Subject(northbound, ServerHands(server), wakes)


@contextmanager
def connected(northbound: OvsdbNorthbound) -> Iterator[OvsdbNorthbound]:
    """Start, wait until in sync; close at the end."""
    northbound.start()
    try:
        wait_until(lambda: northbound.connected, timeout_s=10, what="in sync", poll_s=0.005)
        yield northbound
    finally:
        northbound.close()


def _mutate(table: str, parent: str, column: str, verb: str, member: str) -> dict[str, Any]:
    change = [column, verb, render_uuids([member])]
    return {"op": "mutate", "table": table, "where": _this(parent), "mutations": [change]}


def _this(uuid: str) -> list[Any]:
    return [["_uuid", "==", ["uuid", uuid]]]
