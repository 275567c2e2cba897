"""The compute half of the controller, wired together: what compute agents say and get, and the loop of our own edits.

That places machines, lets migrations go on, empties hosts in maintenance and purges what was deleted.

`controller.py` makes it and gives it the parts that it shares with the network: admission, the board, the reconciler.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from netctl.loop import Loop, Pace, Wake
from netctl.model.intent import Edit
from netctl.model.keys import HostId, Kind
from netctl.model.snapshot import Snapshot
from netctl.model.vm import Vm
from netctl.model.vm_migration import VmMigration
from netctl.reconciler.board import StatusBoard
from netctl.reconciler.compute_assignments import ComputeAssignmentBook
from netctl.reconciler.compute_book import ComputeBook
from netctl.reconciler.compute_changes import Echo
from netctl.reconciler.maintenance import Maintenance
from netctl.reconciler.migration_sight import Found
from netctl.reconciler.overdue import Overdue
from netctl.reconciler.placement import Placement
from netctl.reconciler.reconcile import Reconciler
from netctl.reconciler.vm_migrations import Hosts, VmMigrations
from netctl.reconciler.vm_purge import VmPurge
from netctl.scheduler.memory import usable_mib
from netctl.scheduler.place import Refused
from netctl.scheduler.preflight import choose_destination, is_passing, preflight, problem_of, round_trip_us
from netctl.scheduler.view import ComputeSaid, View
from netctl.server.admission import Admission
from netctl.server.requests import Answer, Request

# Of our own edits, in the change log.
MIGRATION_ACTOR, PURGE_ACTOR, PLACEMENT_ACTOR, MAINTENANCE_ACTOR = (
    "vm-migration",
    "vm-purge",
    "placement",
    "maintenance",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the compute half needs of the rest; `nb_cfg` is the northbound database's now."""

    admission: Admission
    board: StatusBoard
    reconciler: Reconciler
    wake_reconciler: Callable[[], None]
    nb_cfg: Callable[[], int]
    epoch: int


class ComputeHalf:
    """Owns: the book of reports, the compute assignments, and the loop of migrations and purges."""

    def __init__(self, shared: Shared, pace: Pace) -> None:
        self._shared = shared
        self.book = ComputeBook()
        self.assignments = ComputeAssignmentBook(shared.admission, self.book, shared.epoch)
        self.wake = Wake()
        self._overdue = Overdue()
        self.migrations = VmMigrations(
            shared.admission, self._submit_as(MIGRATION_ACTOR), self._hosts(), self.wake
        )
        self.placement = Placement(
            shared.admission,
            self._submit_as(PLACEMENT_ACTOR),
            self.view,
            self.wake,
            is_starting=lambda: shared.board.is_starting,
            changed=lambda ids: shared.board.note_changed((Kind.VM, id) for id in ids),
        )
        self.maintenance = Maintenance(
            shared.admission,
            self._submit_as(MAINTENANCE_ACTOR),
            self.view,
            self.wake,
            changed=lambda ids: shared.board.note_changed((Kind.HOST, id) for id in ids),
        )
        self._echo = Echo(shared.admission, shared.board.note_changed)
        self._purge = VmPurge(self.book, self._submit_as(PURGE_ACTOR))
        self.loop = Loop("compute", self._step, self.wake, pace=pace)
        self._join()

    def view(self, snapshot: Snapshot) -> View:
        """Return what the scheduler reads, at this moment."""
        return View(snapshot, self._said, self._shared.board.heard, overdue_nb_cfg=self._overdue.nb_cfg)

    def largest_memory_mib(self) -> int:
        """Return the most that any host can give one machine; 0 while none has said it."""
        return max((usable_mib(report.capacity) for report in self.book.live().values()), default=0)

    def find_destination(self, snapshot: Snapshot, migration: VmMigration) -> Found:
        """Return where a migration goes: pre-flight's answer for its destination, or for the best one."""
        vm, view = snapshot.vm(migration.vm), self.view(snapshot)
        if vm is None:
            return Found(message=f"vms/{migration.vm} does not exist")
        if migration.destination:
            return _look_at(vm, migration, view)
        chosen = choose_destination(vm, view)
        if isinstance(chosen, Refused):
            return Found(message=f"no host would take it: {chosen.message}", passing=chosen.passing)
        return Found(destination=chosen.host, ok=True)

    def _join(self) -> None:
        """Let all that changes anything wake the loop and those who wait for assignments."""
        shared = self._shared
        shared.admission.on_change(self.assignments.changed)
        shared.admission.on_change(self.wake)
        self.book.on_report(lambda host: self.assignments.note_report())
        self.book.on_report(lambda host: self.wake())
        self.book.on_report(shared.board.note_compute)
        shared.board.on_report(lambda report, before: self.wake())
        shared.board.on_pass(lambda: self._overdue.note(shared.nb_cfg()))
        shared.board.on_pass(self.wake)
        shared.board.waits, shared.board.compute = self.migrations.waits_for, self.book.get
        shared.board.unplaced, shared.board.blocked = self.placement.why, self.maintenance.blocked

    def _step(self) -> None:
        self.placement.step()
        self.migrations.step()
        self.maintenance.step()
        self._purge.step(self._shared.admission.snapshot())
        self._echo.step()

    def _hosts(self) -> Hosts:
        shared = self._shared
        return Hosts(
            compute=self.book,
            network=shared.board.reports.get,
            status=shared.board.status,
            raise_cfg=self._raise_cfg,
            raised_cfg=shared.reconciler.raised_cfg,
            behind=shared.board.reports.behind,
            preflight=self.find_destination,
        )

    def _raise_cfg(self) -> int:
        asked = self._shared.reconciler.raise_cfg()
        self._shared.wake_reconciler()
        return asked

    def _said(self, host: HostId) -> ComputeSaid:
        heard = self.book.get(host)
        return heard.report, heard.connected

    def _submit_as(self, actor: str) -> Callable[[Edit], Future[Answer]]:
        def submit(edit: Edit) -> Future[Answer]:
            return self._shared.admission.submit(Request(edits=(edit,), actor=actor))

        return submit


def _look_at(vm: Vm, migration: VmMigration, view: View) -> Found:
    host = view.snapshot.host(migration.destination)
    if host is None:
        return Found(message=f"hosts/{migration.destination} does not exist")
    checks = preflight(vm, host, view)
    stopping = [one for one in checks if one.stops]
    measured = round_trip_us(vm, host.id, view)
    if not stopping and host.cluster != vm.cluster and measured is None:
        return Found(message=f"the round trip to hosts/{host.id} is measured first", passing=True)
    return Found(
        destination=host.id,
        ok=not stopping,
        message=problem_of(checks),
        passing=is_passing(checks),
        round_trip_us=measured or 0,
    )
