"""Placement: machines that are ON get a host, and so do copies of disks that are still to be made.

Who waits is derived from the intents, so it goes on after a restart. What is kept is why one still waits, for its
status: the scheduler's words, or admission's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import structlog

from netctl.errors import Conflict, NetctlError
from netctl.loop import Wake
from netctl.model.intent import Place
from netctl.model.keys import Kind, VmId
from netctl.model.snapshot import Snapshot
from netctl.model.vm import Vm
from netctl.reconciler.ports import IntentSource
from netctl.scheduler.place import Placed, Refused, place
from netctl.scheduler.view import View

log = structlog.get_logger()
_COMMIT_S = 30.0
_EARLY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Why a machine has no place. `passing`: a moment may help."""

    message: str
    passing: bool = False


def wants_place(vm: Vm) -> bool:
    """Is a host to be found for a machine? One that is OFF needs one while disks of others are to be copied for it."""
    if vm.deleting:
        return False
    if vm.is_on:
        return not vm.is_placed
    return not vm.host and any(disk.source_vm for disk in vm.disks)


class Placement:
    """Owns: who waits for a host and why. `step` belongs to one thread; `why` to any."""

    def __init__(
        self,
        source: IntentSource,
        submit: Callable[[Place], Future[Any]],
        view: Callable[[Snapshot], View],
        wake: Wake,
        *,
        is_starting: Callable[[], bool] = lambda: False,
        changed: Callable[[Iterable[VmId]], None] = lambda ids: None,
    ) -> None:
        """`is_starting`: agents are still connecting. `changed` is told of machines with another reason to wait."""
        self._source, self._submit, self._view, self._wake = source, submit, view, wake
        self._is_starting, self._changed = is_starting, changed
        self._revision = -1
        self._unplaced: set[VmId] = set()
        self._why: dict[VmId, Waiting] = {}

    def step(self) -> None:
        """Find a host for everyone who waits; whoever finds none is tried again when anything has changed."""
        snapshot = self._look()
        before, self._why = self._why, {id: self._why[id] for id in self._unplaced if id in self._why}
        if self._unplaced:
            self._place(snapshot)
        news = {id for id in before.keys() | self._why.keys() if before.get(id) != self._why.get(id)}
        if news:
            self._changed(news)

    def why(self, id: VmId) -> Waiting | None:
        """Return why a machine has no place; None when it has, or when nobody has looked yet."""
        return self._why.get(id)

    def _look(self) -> Snapshot:
        """Bring up to date who waits."""
        snapshot = self._source.snapshot()
        if snapshot.revision == self._revision:
            return snapshot
        changed = self._source.changed_since(self._revision) if self._revision >= 0 else None
        if changed is None:
            self._unplaced = set()
            touched: Iterable[VmId] = [VmId(id) for id in snapshot.table(Kind.VM)]
        else:
            touched = [VmId(id) for kind, id in changed if kind is Kind.VM]
        for id in touched:
            vm = snapshot.vm(id)
            if vm is not None and wants_place(vm):
                self._unplaced.add(id)
            else:
                self._unplaced.discard(id)
        self._revision = snapshot.revision
        return snapshot

    def _place(self, snapshot: Snapshot) -> None:
        """Choose for one after the other, each beside those before it; then see what admission says of all."""
        view = self._view(snapshot)
        asked: list[tuple[Vm, Future[Any]]] = []
        waiting = [vm for vm in map(snapshot.vm, self._unplaced) if vm is not None]
        for vm in sorted(waiting, key=lambda vm: (not vm.agent_vm, vm.meta.create_time_s, vm.id)):
            found = place(vm, view)
            if isinstance(found, Refused):
                self._why[vm.id] = Waiting(message=found.message, passing=found.passing)
            elif self._is_early(vm, view):
                self._why[vm.id] = Waiting(message="agents of its cluster are still connecting", passing=True)
                self._wake.within(_EARLY_S)
            else:
                edit = Place(
                    vm=vm.id, host=found.host, cpu_model=found.cpu_model, if_revision=vm.meta.revision
                )
                asked.append((vm, self._submit(edit)))
                view = view.moved(_as_placed(vm, found), found.host)
        for vm, future in asked:
            self._hear(vm, future)

    def _is_early(self, vm: Vm, view: View) -> bool:
        """May a host that has not spoken yet know fewer CPU models? What is started could not go there."""
        if not self._is_starting():
            return False
        return any(view.said(host.id)[0] is None for host in view.hosts(vm.cluster))

    def _hear(self, vm: Vm, future: Future[Any]) -> None:
        """Take admission's answer; an edit that came between is no news: its commit wakes the next look."""
        try:
            future.result(timeout=_COMMIT_S)
        except Conflict:
            return
        except NetctlError as error:
            if self._why.get(vm.id) != Waiting(message=error.message):
                log.warning("virtual machine is not placed", vm=vm.id, reason=error.message)
            self._why[vm.id] = Waiting(message=error.message)
            return
        self._why.pop(vm.id, None)


def _as_placed(vm: Vm, found: Placed) -> Vm:
    return replace(vm, host=found.host, effective_cpu_model=found.cpu_model)
