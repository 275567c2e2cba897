"""Maintenance: the machines of a host in maintenance migrate away, a few at a time; who cannot is named.

What is to be done is derived: the machines that are on at such a host and do not move yet. Each look plans where all of
them go, and asks for as many migrations as the host may take part in. One that failed is tried again, ever later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import structlog

from netctl.errors import Conflict, NetctlError
from netctl.loop import Clock, Wake
from netctl.model.infra import Host
from netctl.model.intent import Create, Replace
from netctl.model.keys import HostId, Kind, VmId, VmMigrationId
from netctl.model.snapshot import Snapshot
from netctl.model.vm import Vm
from netctl.model.vm_migration import ACTIVE_PER_HOST_MAX, Stage, VmMigration
from netctl.reconciler.ports import IntentSource
from netctl.reconciler.subjects import Kept
from netctl.scheduler.evacuate import guests_of, plan_evacuation
from netctl.scheduler.view import View

log = structlog.get_logger()
CAUSE = "maintenance"
AGAIN_FIRST_S, AGAIN_LONGEST_S = 15.0, 600.0
_LOOK_S = 2.0  # how long a plan holds when no intent has changed
_NAME_MAX = 63
_COMMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class _Plan:
    """The last plan of a host: of which revision and when it was made, and who cannot move, with the reason."""

    revision: int
    made_s: float
    blocked: Mapping[VmId, str]


class Maintenance:
    """Owns: the last plan of each host in maintenance. `step` belongs to one thread; `blocked` to any."""

    def __init__(
        self,
        source: IntentSource,
        submit: Callable[[Create | Replace], Future[Any]],
        view: Callable[[Snapshot], View],
        wake: Wake,
        *,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
        changed: Callable[[Iterable[HostId]], None] = lambda ids: None,
    ) -> None:
        """`wall` tells when a migration failed. `changed` is told of hosts with others, or other reasons, blocked."""
        self._source, self._submit, self._view, self._wake = source, submit, view, wake
        self._clock, self._wall, self._changed = clock, wall, changed
        self._closed = Kept(_closed, Kind.HOST)
        self._plans: dict[HostId, _Plan] = {}

    def step(self) -> None:
        """Let machines leave the hosts in maintenance; stop those that wait to leave one that is not any more."""
        snapshot = self._source.snapshot()
        hosts = self._closed.of(snapshot)
        before = self._plans
        self._plans = {id: before[id] for id in hosts if id in before}
        for id in hosts:
            self._empty(snapshot, id)
        self._call_off(snapshot, hosts)
        blocked = {id: plan.blocked for id, plan in self._plans.items()}
        news = [id for id, plan in before.items() if plan.blocked and id not in blocked]
        news += [id for id, now in blocked.items() if now != (before[id].blocked if id in before else {})]
        if news:
            self._changed(news)

    def blocked(self, host: HostId) -> Mapping[VmId, str]:
        """Return the machines that cannot leave a host in maintenance, each with the reason."""
        plan = self._plans.get(host)
        return plan.blocked if plan is not None else {}

    def _empty(self, snapshot: Snapshot, id: HostId) -> None:
        """Plan where the machines of a host go, and ask for the migrations that it may take part in now."""
        now, plan = self._clock(), self._plans.get(id)
        if plan is not None and plan.revision == snapshot.revision and now - plan.made_s < _LOOK_S:
            self._wake.within(_LOOK_S - (now - plan.made_s))
            return
        view = self._view(snapshot)
        if not guests_of(id, view):
            self._plans[id] = _Plan(snapshot.revision, now, {})
            return
        free = ACTIVE_PER_HOST_MAX - sum(1 for _ in snapshot.active_migrations_of_host(id))
        blocked: dict[VmId, str] = {}
        for move in plan_evacuation(id, view):
            vm = snapshot.vm(move.vm)
            if vm is None or move.under_way or snapshot.active_migration_of(vm.id) is not None:
                continue
            if not move.destination:
                blocked[vm.id] = move.message
                continue
            failed = _failed_last(snapshot, vm, id)
            if failed:
                blocked[vm.id] = f"vmMigrations/{failed[-1].id} failed: {failed[-1].failure_message}"
            if free > 0 and self._is_due(failed):
                free -= 1
                asked = VmMigration(
                    id=_name(snapshot, vm.id), vm=vm.id, destination=move.destination, cause=CAUSE
                )
                problem = self._ask(Create(intent=asked), vm.id)
                if problem:
                    blocked[vm.id] = problem
        self._plans[id] = _Plan(snapshot.revision, now, blocked)
        self._wake.within(_LOOK_S)

    def _is_due(self, failed: list[VmMigration]) -> bool:
        """Is it time for another try?"""
        if not failed:
            return True
        pause_s = min(AGAIN_LONGEST_S, AGAIN_FIRST_S * 2.0 ** (len(failed) - 1))
        return self._wall() >= _ended_s(failed[-1]) + pause_s

    def _call_off(self, snapshot: Snapshot, hosts: Iterable[HostId]) -> None:
        """Abort what was asked for to empty a host that needs not be empty any more, if it has not begun."""
        closed = set(hosts)
        waiting = [
            one for one in snapshot.active_migrations() if one.stage is Stage.QUEUED and one.cause == CAUSE
        ]
        for one in sorted(waiting, key=lambda one: one.id):
            if one.source not in closed and not one.abort:
                self._ask(Replace(intent=replace(one, abort=True), if_revision=one.meta.revision), one.vm)

    def _ask(self, edit: Create | Replace, vm: VmId) -> str:
        """Ask admission; return why it refuses. Whoever was faster is looked at anew."""
        try:
            self._submit(edit).result(timeout=_COMMIT_S)
        except Conflict:
            return ""
        except NetctlError as error:
            log.warning("virtual machine does not leave its host", vm=vm, reason=error.message)
            return error.message
        return ""


def _closed(snapshot: Snapshot) -> list[HostId]:
    hosts = (host for host in snapshot.of_kind(Kind.HOST) if isinstance(host, Host))
    return sorted(host.id for host in hosts if host.maintenance)


def _failed_last(snapshot: Snapshot, vm: Vm, host: HostId) -> list[VmMigration]:
    """Return the last tries to get a machine away from a host that all failed, in order."""
    ours = [one for one in snapshot.migrations_of_vm(vm.id) if one.cause == CAUSE and not one.is_active]
    found: list[VmMigration] = []
    for one in sorted(ours, key=lambda one: (one.meta.create_time_s, one.meta.revision), reverse=True):
        if one.stage is not Stage.FAILED or one.source != host or one.abort:
            break
        found.append(one)
    return found[::-1]


def _ended_s(migration: VmMigration) -> float:
    return migration.steps[-1].time_s if migration.steps else migration.meta.update_time_s


def _name(snapshot: Snapshot, vm: VmId) -> VmMigrationId:
    """Return the first free name of an evacuation of a machine."""
    for number in range(1, 1 + len(snapshot.table(Kind.VM_MIGRATION)) + 1):
        end = f"-{number}"
        start = f"evacuate-{vm}"[: _NAME_MAX - len(end)].rstrip("-")
        id = VmMigrationId(f"{start}{end}")
        if snapshot.vm_migration(id) is None:
            return id
    raise AssertionError("there are more names than migrations")
