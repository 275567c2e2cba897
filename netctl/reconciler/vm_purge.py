"""Virtual machines that are being deleted go for good when their host says that it has nothing of them any more."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import structlog

from netctl.errors import NetctlError
from netctl.model.intent import Purge
from netctl.model.keys import Kind
from netctl.model.snapshot import Snapshot
from netctl.model.vm import Vm
from netctl.reconciler.compute_book import ComputeBook
from netctl.reconciler.migration_sight import left_over
from netctl.reconciler.subjects import Kept

log = structlog.get_logger()
_COMMIT_S = 30.0


class VmPurge:
    """Owns: which machines are being deleted, as long as the intents are the same. One thread."""

    def __init__(self, book: ComputeBook, submit: Callable[[Purge], Future[Any]]) -> None:
        self._book, self._submit = book, submit
        self._deleting = Kept(_deleting, Kind.VM)

    def step(self, snapshot: Snapshot) -> None:
        """Purge those that are gone."""
        for vm in self._deleting.of(snapshot):
            if is_removed(vm, self._book) and snapshot.active_migration_of(vm.id) is None:
                try:
                    self._submit(Purge(vm=vm.id)).result(timeout=_COMMIT_S)
                except NetctlError as error:
                    log.warning("virtual machine is not purged", vm=vm.id, reason=error.message)


def is_removed(vm: Vm, book: ComputeBook) -> bool:
    """Does a machine's host say, knowing that it must go, that nothing of it is there?"""
    heard = book.get(vm.host)
    report = heard.report
    if report is None or not heard.connected or not report.libvirt_connected:
        return False
    if report.assignment_revision < vm.meta.revision:
        return False
    seen = heard.vms.get(vm.id)
    return seen is None or seen.uid != vm.meta.uid or left_over(seen, keep_disks=False) is None


def _deleting(snapshot: Snapshot) -> list[Vm]:
    machines = (vm for vm in snapshot.of_kind(Kind.VM) if isinstance(vm, Vm))
    return sorted((vm for vm in machines if vm.deleting), key=lambda vm: vm.id)
