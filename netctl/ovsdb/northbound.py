"""The northbound database: our facts as they are there, and one transaction at a time to change them.

Comes in: deltas, from the reconciler's thread. Goes out: facts, and `wake()` when they, northd's progress or the
connection changed. Owns: the connection and the replica. Source of truth: the database.
`reconciler/ports.py` says what is promised; `tests/fakes/northbound.py` keeps the same promises in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import orjson

from netctl.bulk import BULK_ROWS, without_collector
from netctl.errors import Conflict, NorthboundUnavailable, Rejected
from netctl.nb.features import FUNCTION_PROBES, WANTED_COLUMNS, Features, has_network_functions
from netctl.nb.rows import Delta, FactKey, Row, Rows
from netctl.ovsdb.client import Client
from netctl.ovsdb.fence import count_up, fence, set_options
from netctl.ovsdb.monitor import Monitor
from netctl.ovsdb.replica import Replica
from netctl.ovsdb.transact import complete, failure_to_error, find_failure, name_nul, render_delta
from netctl.ovsdb.wire import Json

DATABASE = "OVN_Northbound"
_SLOWEST_PER_S = 2000  # facts a second that any server takes; a RAFT leader takes 30,000
_FENCE_ATTEMPTS = 5  # each failure means that somebody else wrote NB_Global between our look and our write


class OvsdbNorthbound:
    """A northbound server, or the leader of a cluster of them (`remote` names all, comma separated)."""

    def __init__(
        self,
        remote: str,
        *,
        owner: str,
        wake: Callable[[], None],
        tables: Mapping[str, frozenset[str]] = WANTED_COLUMNS,
        options: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        probe_s: float = 5.0,
    ) -> None:
        self._owner = owner
        self._options = options or {}  # keys of NB_Global.options that we set
        self._timeout_s = timeout_s
        self._monitor = Monitor(DATABASE, owner, tables, wake)
        self._client = Client(remote, self._monitor, probe_s=probe_s)

    def start(self) -> None:
        """Connect in the background and stay connected."""
        self._client.start()

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    @property
    def connected(self) -> bool:
        """Is the replica current?"""
        return self._monitor.in_sync

    @property
    def last_error(self) -> str:
        """Why there is no connection, or ""."""
        return self._client.last_error

    @property
    def nb_cfg(self) -> int:
        """What was asked of northd and the hosts, as last seen."""
        return self._monitor.progress.nb_cfg

    @property
    def sb_cfg(self) -> int:
        """How far northd is, as last seen."""
        return self._monitor.progress.sb_cfg

    @property
    def hv_cfg(self) -> int:
        """How far the slowest host is, as last seen."""
        return self._monitor.progress.hv_cfg

    def wait_in_sync(self, timeout_s: float) -> bool:
        """Block until the replica is current or the time passed; say which."""
        monitor = self._monitor
        with monitor.lock:
            return monitor.lock.wait_for(lambda: monitor.in_sync, timeout_s)

    def features(self) -> Features:
        """Return what the connected server can do."""
        with self._monitor.lock:
            replica = self._replica()
            return _features(replica, _options(replica.only_row("NB_Global")))

    def owned_rows(self) -> Rows:
        """Return our facts as of the last `take_changed` or `apply`; live and read-only."""
        with self._monitor.lock:
            self._replica()
            return self._monitor.facts.rows()

    def take_changed(self) -> frozenset[FactKey] | None:
        """Return the facts changed by anyone since the last call, or None when any may have."""
        with self._monitor.lock:
            self._monitor.facts.merge()
            return self._monitor.facts.take_changed()

    def apply(self, delta: Delta, *, epoch: int) -> int:
        """Write in one transaction and bump nb_cfg in it; return the new nb_cfg. An empty delta writes nothing.

        NB_Global.options get our keys with the first transaction that finds them other, be its delta empty.

        Raises Conflict (a newer epoch holds the database), Rejected (nothing was written; the message names the
        operation and its row), NorthboundUnavailable (outcome unknown: look again).
        """
        if delta:
            with without_collector(len(delta) > BULK_ROWS):
                return self._transact(delta, epoch)
        with self._monitor.lock:
            replica = self._replica()
            row = replica.only_row("NB_Global")
            fence(row, self._owner, epoch)
            behind = bool(set_options(row, self._wanted_options(replica)))
        return self._transact(delta, epoch) if behind else self.nb_cfg

    def bump(self, epoch: int) -> int:
        """Bump nb_cfg and nothing else; return it. Raises as `apply`."""
        return self._transact(Delta(), epoch)

    def northd_caught_up(self, nb_cfg: int) -> bool:
        """Has northd worked off `nb_cfg`?"""
        return self.sb_cfg >= nb_cfg

    def wait_northd(self, nb_cfg: int, timeout_s: float) -> bool:
        """Block until northd has worked off `nb_cfg`, the time passed or the connection is lost; say which."""
        with self._monitor.lock:
            monitor = self._monitor
            monitor.lock.wait_for(lambda: not monitor.in_sync or self.northd_caught_up(nb_cfg), timeout_s)
            return monitor.in_sync and self.northd_caught_up(nb_cfg)

    def _replica(self) -> Replica:
        """Return the replica while it is current; call with the lock held."""
        if self._monitor.replica is None or not self._monitor.in_sync:
            raise NorthboundUnavailable(f"not in sync: {self._client.last_error or 'connecting'}")
        return self._monitor.replica

    def _wanted_options(self, replica: Replica) -> Mapping[str, str]:
        """Return what NB_Global.options must have of ours; what somebody else says of probes counts."""
        present = _options(replica.only_row("NB_Global"))
        if not has_network_functions(_features(replica, present)):
            return self._options
        return {**{k: v for k, v in FUNCTION_PROBES.items() if k not in present}, **self._options}

    def _transact(self, delta: Delta, epoch: int) -> int:
        deadline = time.monotonic() + self._timeout_s + len(delta) / _SLOWEST_PER_S
        for _ in range(_FENCE_ATTEMPTS):
            with self._monitor.lock:
                replica = self._replica()
                row = replica.only_row("NB_Global")
                guard = fence(row, self._owner, epoch)
                work = render_delta(complete(delta, replica), replica.schema)
                ours = set_options(row, self._wanted_options(replica))
            operations = [*guard, *work, *ours, *count_up(self._steps())]
            results = self._send(operations, deadline)
            failure = find_failure(results)
            if failure is None:
                return self._await_own(int(results[-1]["rows"][0]["nb_cfg"]), deadline)
            if failure.index >= len(guard):
                raise failure_to_error(failure, operations)
            self._await_fence(row, deadline)
        raise NorthboundUnavailable("NB_Global changes faster than we can write")

    def _send(self, operations: list[Json], deadline: float) -> Json:
        try:
            params = orjson.dumps([DATABASE, *operations])
            if b"\\u0000" in params and (where := name_nul(operations)):
                raise Rejected(f"{where}: a value holds a NUL, which OVSDB cannot store")
        except TypeError as error:  # a lone surrogate
            raise Rejected(f"a value is not text that can be encoded: {error}") from error
        return self._client.call(
            "transact", orjson.Fragment(params), timeout_s=max(0.0, deadline - time.monotonic())
        )

    def _steps(self) -> int:
        """Return by how much to raise nb_cfg: more than one after a restored database fell back behind what we saw.

        Hosts remember the highest number that they were asked for; a smaller one would look done before it is.
        """
        return 1 + self._monitor.highest_cfg - self.nb_cfg

    def _await_own(self, nb_cfg: int, deadline: float) -> int:
        """Return when the replica shows the transaction that set `nb_cfg`."""
        monitor = self._monitor
        with monitor.lock:
            monitor.lock.wait_for(
                lambda: not monitor.in_sync or self.nb_cfg >= nb_cfg, max(0.0, deadline - time.monotonic())
            )
            self._replica()
            if self.nb_cfg < nb_cfg:
                raise NorthboundUnavailable("committed, and the server does not show it")
            monitor.facts.merge()
        return nb_cfg

    def _await_fence(self, seen: Row | None, deadline: float) -> None:
        """Return when the replica shows who was faster; then the fence tells whether that was a newer epoch."""
        monitor = self._monitor
        with monitor.lock:
            monitor.lock.wait_for(
                lambda: not monitor.in_sync or self._replica().only_row("NB_Global") is not seen,
                max(0.0, deadline - time.monotonic()),
            )
            if self._replica().only_row("NB_Global") is seen:
                raise Conflict("another controller holds the northbound database")


def _options(row: Row | None) -> Mapping[str, str]:
    options = row.columns.get("options") if row is not None else None
    return options if isinstance(options, Mapping) else {}


def _features(replica: Replica, options: Mapping[str, str]) -> Features:
    return Features(
        schema_version=replica.schema.version,
        northd_version=options.get("northd_internal_version", ""),
        columns=replica.schema.columns,
    )
