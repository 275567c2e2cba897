"""The assignments of all hosts: compiled on demand, again only when what they read has changed. Thread-safe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container
from dataclasses import dataclass

from netctl.compiler.assignment import AssignmentSettings, compile_assignment
from netctl.model.assignment import Assignment
from netctl.model.keys import HostId, Key, Kind
from netctl.model.snapshot import Snapshot
from netctl.reconciler.ports import IntentSource


@dataclass(slots=True)
class _Kept:
    revision: int
    assignment: Assignment | None


class AssignmentBook:
    """Owns: the last assignment of each host and the revision up to which it is known to hold."""

    def __init__(self, source: IntentSource, settings: AssignmentSettings) -> None:
        self._source = source
        self._settings = settings
        self._lock = threading.Lock()
        self._kept: dict[HostId, _Kept] = {}
        self._listeners: list[Callable[[], None]] = []

    def assignment(self, host: HostId) -> Assignment | None:
        """Return the host's assignment now; the very same object as before when nothing it reads has changed."""
        snapshot = self._source.snapshot()
        with self._lock:
            kept = self._kept.get(host)
            if kept is not None and not self._may_differ(host, kept, snapshot):
                kept.revision = max(kept.revision, snapshot.revision)
                return kept.assignment
        assignment = compile_assignment(snapshot, host, self._settings)
        with self._lock:
            self._kept[host] = _Kept(snapshot.revision, assignment)
        return assignment

    def _may_differ(self, host: HostId, kept: _Kept, snapshot: Snapshot) -> bool:
        if kept.revision >= snapshot.revision:
            return False
        changed = self._source.changed_since(kept.revision)
        if changed is None:
            return True
        present = {nic.nic for nic in kept.assignment.nics} if kept.assignment is not None else frozenset()
        return any(_concerns(key, host, present, snapshot) for key in changed)

    def on_assignment_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` (which only wakes) whenever an assignment may have changed."""
        self._listeners.append(callback)

    def changed(self) -> None:
        """Intents changed: wake the listeners; any thread."""
        for listener in self._listeners:
            listener()


def _concerns(key: Key, host: HostId, present: Container[str], snapshot: Snapshot) -> bool:
    """Can a change of intent `key` change the assignment of `host`, whose NICs were `present`?"""
    if key[0] is Kind.NIC:
        nic = snapshot.get(key)
        return key[1] in present or (nic is not None and getattr(nic, "host", "") == host)
    return key[0] is not Kind.HOST or key[1] == host
