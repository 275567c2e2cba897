"""Migrations of virtual machines: each is asked for its next stage whenever anything may have changed.

Where each is, is stored; what is kept beside that may be forgotten, and a controller that starts finds it again: for
how long one has waited, and the nb_cfg that was raised after its ports were bound.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import structlog

from netctl.crashpoints import crashpoint
from netctl.errors import Conflict, NetctlError
from netctl.loop import Clock, Wake
from netctl.model.compute_report import RunState
from netctl.model.intent import Advance
from netctl.model.keys import HostId, Key, VmMigrationId
from netctl.model.snapshot import Snapshot
from netctl.model.status import Status
from netctl.model.vm_migration import ACTIVE_PER_HOST_MAX, Stage, VmMigration
from netctl.reconciler.compute_book import ComputeBook
from netctl.reconciler.migration_sight import Found, Sight, Waits, Why, state_on
from netctl.reconciler.migration_steps import next_step
from netctl.reconciler.ports import IntentSource
from netctl.reconciler.reports import Heard

log = structlog.get_logger()
_COMMIT_S = 30.0
_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """What is known of hosts, and what is asked of OVN, by the parts that do it.

    `raise_cfg` asks for one more nb_cfg; `raised_cfg` says which it was, None while it was not done.
    """

    compute: ComputeBook
    network: Callable[[HostId], Heard]
    status: Callable[[Key], Status | None]
    raise_cfg: Callable[[], int]
    raised_cfg: Callable[[int], int | None]
    behind: Callable[[int], Collection[HostId]]
    preflight: Callable[[Snapshot, VmMigration], Found]


@dataclass(slots=True)
class _Kept:
    """Of one try: what it waits for and since when; what raising nb_cfg was asked as; was it INCOMING?"""

    attempt: int
    why: Why = Why.OTHER
    since_s: float = 0.0
    message: str = ""
    asked: int | None = None
    came: bool = False


def in_order(migrations: Iterable[VmMigration]) -> list[VmMigration]:
    """Return migrations in the order of their turns: as they were created."""
    return sorted(migrations, key=lambda one: (one.meta.create_time_s, one.id))


def ahead_of(migrations: Iterable[VmMigration]) -> dict[VmMigrationId, int]:
    """Return for each that is QUEUED how many must go first: 0, it is its turn.

    A host takes part in two at once. Whoever waits for a host keeps those behind from passing by on it, or it could
    wait for ever.
    """
    ordered = in_order(migrations)
    active = Counter(host for one in ordered if one.stage is not Stage.QUEUED for host in _ends(one))
    last: Counter[HostId] = Counter()  # the place of who waits last for a host
    found: dict[VmMigrationId, int] = {}
    for one in ordered:
        if one.stage is not Stage.QUEUED:
            continue
        ends = _ends(one)
        before = max(last[host] for host in ends) if ends else 0
        if before or any(active[host] >= ACTIVE_PER_HOST_MAX for host in ends):
            found[one.id] = before + 1
            last.update({host: before + 1 - last[host] for host in ends})
        else:
            found[one.id] = 0
            active.update(ends)
    return found


def busy_hosts(migrations: Iterable[VmMigration]) -> frozenset[HostId]:
    """Return the hosts that take part in as many migrations as they may."""
    active = Counter(host for one in migrations if one.stage is not Stage.QUEUED for host in _ends(one))
    return frozenset(host for host, number in active.items() if number >= ACTIVE_PER_HOST_MAX)


def _ends(migration: VmMigration) -> list[HostId]:
    return [host for host in (migration.source, migration.destination) if host]


class VmMigrations:
    """`step` belongs to one thread; `waits_for` and `queue_position` to any."""

    def __init__(
        self,
        source: IntentSource,
        submit: Callable[[Advance], Future[Any]],
        hosts: Hosts,
        wake: Wake,
        *,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        self._source, self._submit, self._hosts, self._wake = source, submit, hosts, wake
        self._clock, self._wall = clock, wall
        self._kept: dict[VmMigrationId, _Kept] = {}
        self._queue: tuple[Snapshot, dict[VmMigrationId, int]] = (Snapshot.empty(), {})

    def step(self) -> None:
        """Let every migration go on as far as it can now."""
        snapshot = self._source.snapshot()
        active = in_order(snapshot.active_migrations())
        self._kept = {one.id: self._known(one) for one in active}
        again_s = math.inf
        for one in active:
            again_s = min(again_s, self._go_on(one.id))
        self._wake.within(again_s)

    def waits_for(self, id: VmMigrationId) -> str:
        """Return why a migration does not go on yet, "" when that is not known."""
        kept = self._kept.get(id)
        return kept.message if kept is not None else ""

    def queue_position(self, snapshot: Snapshot, id: VmMigrationId) -> int:
        """Return how many go before a migration that is QUEUED."""
        of, places = self._queue
        if of is not snapshot:
            places = ahead_of(snapshot.active_migrations())
            self._queue = (snapshot, places)
        return places.get(id, 0)

    def _known(self, migration: VmMigration) -> _Kept:
        kept = self._kept.get(migration.id)
        return kept if kept is not None and kept.attempt == migration.attempt else _Kept(migration.attempt)

    def _go_on(self, id: VmMigrationId) -> float:
        """Ask for the next stage of one; return after how many seconds to look again."""
        snapshot = self._source.snapshot()
        migration = snapshot.vm_migration(id)
        if migration is None:
            return math.inf
        kept = self._kept[id]
        match next_step(migration, self._sight(snapshot, migration, kept)):
            case Advance() as edit:
                return self._enter(edit, kept)
            case Waits() as waits:
                return self._wait(waits, kept)
        return math.inf

    def _sight(self, snapshot: Snapshot, migration: VmMigration, kept: _Kept) -> Sight:
        hosts = self._hosts
        return Sight(
            snapshot=snapshot,
            now_s=self._wall(),
            clock_s=self._clock(),
            compute=hosts.compute.get,
            is_gone=hosts.compute.is_gone,
            network=hosts.network,
            status=hosts.status,
            preflight=lambda one: hosts.preflight(snapshot, one),
            ahead=self.queue_position(snapshot, migration.id),
            busy=busy_hosts(snapshot.active_migrations()) if not migration.destination else frozenset(),
            why=kept.why,
            since_s=kept.since_s,
            came=self._came(migration, kept),
            raised=None if kept.asked is None else hosts.raised_cfg(kept.asked),
            behind=hosts.behind,
        )

    def _came(self, migration: VmMigration, kept: _Kept) -> bool:
        there = self._hosts.compute.get(migration.destination)
        if migration.stage is Stage.COPYING and state_on(there, migration) is RunState.INCOMING:
            kept.came = True
        return kept.came

    def _wait(self, waits: Waits, kept: _Kept) -> float:
        kept.message = waits.message
        if kept.why is not waits.why:
            kept.why, kept.since_s = waits.why, self._clock()
        if waits.why is not Why.FLOWS:
            kept.asked = None  # what was raised before all ports are bound says nothing
        elif kept.asked is None:
            kept.asked = self._hosts.raise_cfg()
        return waits.again_s

    def _enter(self, edit: Advance, kept: _Kept) -> float:
        """Ask admission; the commit wakes the next look. Whoever was faster is looked at anew."""
        try:
            self._submit(edit).result(timeout=_COMMIT_S)
        except Conflict:
            return 0.0
        except NetctlError as error:
            log.warning(
                "migration does not go on",
                migration=edit.migration,
                stage=edit.stage.value,
                reason=error.message,
            )
            kept.message = error.message
            return _AGAIN_S
        crashpoint(f"migration.{edit.stage.value}")
        log.info(
            "migration",
            migration=edit.migration,
            stage=edit.stage.value,
            failure=edit.failure,
            why=edit.message,
        )
        self._kept[edit.migration] = _Kept(kept.attempt)
        return 0.0
