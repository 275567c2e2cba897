"""What is said to an OVSDB server to get a replica of one database: leader? schema? rows, then updates.

Comes in: results and notifications, on the client's I/O thread. Goes out: the replica and our facts, under `lock`,
and a call of `on_change` when either changed. Owns: both. Source of truth: the server.

The server sends the update that a transaction of ours causes before it answers the transaction, so what we wrote is
in the replica when the answer is read (seen with ovsdb-server 3.1; `northbound.py` waits for it all the same).
There is no fallback to older monitor methods: inserts with a uuid need ovsdb-server 2.13, monitor_cond_since is older.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Condition

import structlog

from netctl.bulk import settle, without_collector
from netctl.errors import NorthboundUnavailable
from netctl.ovsdb.client import Ask
from netctl.ovsdb.facts import OwnedFacts
from netctl.ovsdb.fence import Progress, progress_of
from netctl.ovsdb.replica import Replica
from netctl.ovsdb.schema import Json, Schema, parse_schema

log = structlog.get_logger()

_NEVER = "00000000-0000-0000-0000-000000000000"
_SERVER_COLUMNS = ["connected", "leader", "model", "name"]
_MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError)


class Monitor:
    """The dialogue that keeps `facts` and `replica` current; read both under `lock`."""

    def __init__(
        self,
        database: str,
        owner: str,
        wanted: Mapping[str, frozenset[str]],
        on_change: Callable[[], None],
    ) -> None:
        self.lock = Condition()
        self.facts = OwnedFacts()
        self.replica: Replica | None = None
        self.in_sync = False
        self.progress = Progress()
        self.highest_cfg = 0  # the largest nb_cfg ever seen, whatever became of the database since
        self._database = database
        self._owner = owner
        self._wanted = wanted
        self._on_change = on_change
        self._server: dict[str, Json] = {}
        self._schema_document: Json = None
        self._schema: Schema | None = None
        self._last_id = _NEVER
        self._ask: Ask | None = None

    @property
    def settled(self) -> bool:
        """Is the replica current?"""
        return self.in_sync

    def opened(self, ask: Ask) -> None:
        """Ask first which role this server has in its cluster."""
        self._ask = ask
        self._server = {}
        only = [["name", "==", self._database]]
        request = {"Database": [{"columns": _SERVER_COLUMNS, "where": only}]}
        ask("monitor_cond", ["_Server", "server", request], self._know_server)

    def heard(self, method: str, params: Json) -> None:
        """Take an update."""
        try:
            if method == "update3" and params[0] == "rows":
                self._take(params[2], params[1])
            elif method == "update2" and params[0] == "server":
                self._update_server(params[1])
        except _MALFORMED as error:
            self._last_id = _NEVER  # the replica may have taken half of it
            raise NorthboundUnavailable(f"{method} that cannot be read: {error!r}") from error

    def closed(self) -> None:
        """The replica may be behind from now on."""
        with self.lock:
            was_in_sync, self.in_sync = self.in_sync, False
            self.lock.notify_all()
        if was_in_sync:
            log.info("northbound database disconnected", database=self._database)
            self._on_change()

    def _know_server(self, result: Json) -> None:
        try:
            self._update_server(result)
        except _MALFORMED as error:
            raise NorthboundUnavailable(f"_Server that cannot be read: {error!r}") from error
        # Not from _Server: ovsdb-server 3.1 leaves its schema column as it was when a database is converted. It
        # closes the connections of clients to a database that it converts, so the schema holds for this connection.
        assert self._ask is not None
        self._ask("get_schema", [self._database], self._know_schema)

    def _know_schema(self, result: Json) -> None:
        if self._schema is None or result != self._schema_document:
            try:
                self._schema = parse_schema(result)
            except _MALFORMED as error:
                raise NorthboundUnavailable(f"schema that cannot be read: {error!r}") from error
            self._schema_document = result
            self._last_id = _NEVER
        requests = Replica(self._schema, self._wanted, self._owner).monitor_requests()
        assert self._ask is not None
        self._ask("monitor_cond_since", [self._database, "rows", requests, self._last_id], self._begin)

    def _update_server(self, updates: Json) -> None:
        """Follow our database's row of _Server; raise when this is no server to write to (ovsdb-server(5))."""
        for body in updates.get("Database", {}).values():
            ((kind, columns),) = body.items()
            before = self._server.get("schema")
            self._server = {} if kind == "delete" else {**self._server, **columns}
            if before is not None and self._server.get("schema") != before:
                raise NorthboundUnavailable(
                    "the server's schema changed"
                )  # what we monitor was asked for by the old
        if not self._server:
            raise NorthboundUnavailable(f"the server has no database {self._database}")
        if not self._server.get("connected", False):
            raise NorthboundUnavailable("the server has no contact to its cluster")
        if self._server.get("model") == "clustered" and not self._server.get("leader", False):
            raise NorthboundUnavailable("the server is not the leader of its cluster")

    def _begin(self, result: Json) -> None:
        """Take the rows as they are, or, where the server remembers what we have, what changed since."""
        found, last_id, updates = result
        try:
            if found and self.replica is not None:
                self._take(updates, last_id)
            else:
                self._load(updates, last_id)
        except _MALFORMED as error:
            self._last_id = _NEVER
            raise NorthboundUnavailable(f"initial rows that cannot be read: {error!r}") from error
        with self.lock:
            self.facts.forget_changes()
            self.in_sync = True
            self.lock.notify_all()
        log.info("northbound database in sync", database=self._database, resumed=bool(found))
        self._on_change()

    def _load(self, updates: Json, last_id: str) -> None:
        assert self._schema is not None
        replica = Replica(self._schema, self._wanted, self._owner)
        with without_collector(True):
            changes = replica.update(updates)
            settle()
        with self.lock:
            self.replica = replica
            self.facts.replace({key: fact for key, fact in changes.items() if fact is not None})
            self._follow(replica)
        self._last_id = last_id

    def _take(self, updates: Json, last_id: str) -> None:
        assert self.replica is not None
        with self.lock:
            changed = self.facts.put_aside(self.replica.update(updates))
            before = self.progress
            self._follow(self.replica)
            self.lock.notify_all()
        self._last_id = last_id
        if changed or (before.sb_cfg, before.hv_cfg) != (self.progress.sb_cfg, self.progress.hv_cfg):
            self._on_change()

    def _follow(self, replica: Replica) -> None:
        self.progress = progress_of(replica.only_row("NB_Global"))
        self.highest_cfg = max(self.highest_cfg, self.progress.nb_cfg)
