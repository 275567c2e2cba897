"""The compute assignments of all hosts: compiled on demand, again only when what they read has changed. Thread-safe.

After a change of a host's machine, NIC or migration its assignment has a new revision, though it may say the same: a
report of a revision speaks of all of them up to there. Whatever else changes counts only by what it changes here.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from netctl.compiler.compute_assignment import compile_compute_assignment
from netctl.model.compute_assignment import ComputeAssignment
from netctl.model.infra import Host
from netctl.model.keys import HostId, Key, Kind
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.model.vm import Vm
from netctl.model.vm_migration import VmMigration
from netctl.reconciler.compute_book import ComputeBook
from netctl.reconciler.ports import IntentSource


@dataclass(frozen=True, slots=True)
class _Kept:
    """The last assignment of a host, the revision up to which it holds, and the version of reports it was made of."""

    revision: int
    version: int
    assignment: ComputeAssignment | None


class ComputeAssignmentBook:
    """Owns: the last compute assignment of each host and what it is known to hold for."""

    def __init__(self, source: IntentSource, book: ComputeBook, epoch: int) -> None:
        self._source, self._book, self._epoch = source, book, epoch
        self._lock = threading.Lock()
        self._kept: dict[HostId, _Kept] = {}
        self._listeners: list[Callable[[], None]] = []
        self._version = 0

    def assignment(self, host: HostId) -> ComputeAssignment | None:
        """Return the host's assignment now; the very same object as before when there is nothing new to tell."""
        version = self._book.version
        with self._lock:
            kept = self._kept.get(host)
        snapshot = self._source.snapshot()  # after what is kept: never older
        concern = Concern.WHOLE if kept is None else self._concern(host, kept, snapshot)
        if kept is not None and kept.version == version and concern is Concern.NONE:
            made = kept.assignment
        else:
            made = compile_compute_assignment(snapshot, host, self._epoch, self._book.reports())
            if kept is not None and concern is not Concern.WHOLE and _says_the_same(kept.assignment, made):
                made = kept.assignment
        now = _Kept(max(kept.revision if kept is not None else 0, snapshot.revision), version, made)
        with self._lock:
            other = self._kept.get(host)
            if (
                other is not None and other.revision > now.revision
            ):  # somebody was asked after us, and was faster
                return other.assignment
            self._kept[host] = now
        return made

    def on_assignment_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` (which only wakes) whenever an assignment may have changed."""
        self._listeners.append(callback)

    def changed(self) -> None:
        """Intents changed: wake the listeners; any thread."""
        for listener in self._listeners:
            listener()

    def note_report(self) -> None:
        """A host reported: wake the listeners if assignments read something else of it now."""
        version = self._book.version
        with self._lock:
            differs, self._version = version != self._version, version
        if differs:
            self.changed()

    def _concern(self, host: HostId, kept: _Kept, snapshot: Snapshot) -> Concern:
        """Say whether what changed since is of a host's machines, or may be read by its assignment."""
        if kept.revision >= snapshot.revision:
            return Concern.NONE
        changed = self._source.changed_since(kept.revision)
        if changed is None:
            return Concern.WHOLE
        had = kept.assignment
        known: set[Key] = set()
        for vm in had.vms if had is not None else ():
            known |= {(Kind.VM, vm.vm), *((Kind.NIC, nic.nic) for nic in vm.nics)}
        return max(
            (Concern.WHOLE if key in known else _concern_of(key, host, snapshot) for key in changed),
            default=Concern.NONE,
        )


class Concern(enum.IntEnum):
    """What a change is to a host's assignment: nothing, something that it reads, its own machine, NIC or migration."""

    NONE = 0
    READ = 1
    WHOLE = 2


def _concern_of(key: Key, host: HostId, snapshot: Snapshot) -> Concern:
    kind, id = key
    intent = snapshot.get(key)
    match intent:
        case Vm():
            here = intent.host == host
        case Nic():
            machine = snapshot.vm(intent.vm) if intent.vm else None
            here = machine is not None and _has(snapshot, host, machine)
        case VmMigration():
            here = host in (intent.source, intent.destination)
        case Host():
            here = id == host
        case _:
            reads = kind in (Kind.SUBNET, Kind.VIRTUAL_SWITCH, Kind.IMAGE, Kind.VM_MIGRATION)
            return Concern.READ if reads else Concern.NONE
    return Concern.WHOLE if here else Concern.NONE


def _has(snapshot: Snapshot, host: HostId, vm: Vm) -> bool:
    migration = snapshot.active_migration_of(vm.id)
    return vm.host == host or (migration is not None and host in (migration.source, migration.destination))


def _says_the_same(before: ComputeAssignment | None, after: ComputeAssignment | None) -> bool:
    return before == after or (
        before is not None and after is not None and replace(after, revision=before.revision) == before
    )
