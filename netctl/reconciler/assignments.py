"""The assignments of all hosts: compiled on demand, again only when what they read has changed. Thread-safe.

A NIC that moves to brAtlas is told of when northd has its port, so that claim and flows follow at once: until then its
host keeps it where it is, and the assignment says that it is the one of before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from netctl.compiler.assignment import AssignmentSettings, compile_assignment
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.compiler.steering import compile_service_chains
from netctl.model.assignment import Assignment, NicAssignment
from netctl.model.assignment_chains import ServiceChains
from netctl.model.keys import HostId, Kind, NicId
from netctl.model.snapshot import Snapshot
from netctl.reconciler.concerns import Concern, concern_of
from netctl.reconciler.ports import IntentSource

NEVER = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What assignments read besides the intents.

    `held`: the uplink bridges of a host whose turn it is not. `is_written`: has northd worked off a revision?
    """

    observed: Callable[[], Observed] = lambda: NOTHING_OBSERVED
    held: Callable[[Snapshot, HostId], frozenset[str]] = lambda snapshot, host: frozenset()
    is_written: Callable[[int], bool] = lambda revision: True


@dataclass(slots=True)
class _Kept:
    """The last assignment of a host. `told`: the revision since which a NIC is as it is; `waiting`: NICs that are to
    move to brAtlas, each with the revision that northd has to work off first.
    """

    revision: int
    assignment: Assignment | None
    held: frozenset[str]
    observed: Observed
    told: dict[NicId, int] = field(default_factory=dict)
    waiting: dict[NicId, int] = field(default_factory=dict)


class AssignmentBook:
    """Owns: the last assignment of each host and the revision up to which it is known to hold."""

    def __init__(
        self, source: IntentSource, settings: AssignmentSettings, around: Surroundings = Surroundings()
    ) -> None:
        self._source, self._settings, self._around = source, settings, around
        self._lock = threading.Lock()
        self._kept: dict[HostId, _Kept] = {}
        self._observed = NOTHING_OBSERVED
        self._listeners: list[Callable[[], None]] = []

    def assignment(self, host: HostId) -> Assignment | None:
        """Return the host's assignment now; the very same object as before when nothing it reads has changed."""
        return self._current(host).assignment

    def told(self, host: HostId, nic: NicId) -> int:
        """Return the revision at which a host was told what a NIC is now; one that it has not been told is NEVER."""
        return self._current(host).told.get(nic, NEVER)

    def last_told(self, host: HostId) -> int:
        """Return the revision at which a host was last told something else of a NIC; those that wait aside."""
        return max((at for at in self._current(host).told.values() if at != NEVER), default=0)

    def on_assignment_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` (which only wakes) whenever an assignment may have changed."""
        self._listeners.append(callback)

    def changed(self) -> None:
        """Intents or turns changed: wake the listeners; any thread."""
        for listener in self._listeners:
            listener()

    def note_pass(self) -> None:
        """Rows were written, or northd worked some off: wake the listeners if an assignment waited for that."""
        observed = self._around.observed()
        with self._lock:
            waiting = any(kept.waiting for kept in self._kept.values())
            differs = _differs(self._observed, observed) is not Concern.NONE
            self._observed = observed
        if waiting or differs:
            self.changed()

    def _current(self, host: HostId) -> _Kept:
        snapshot = self._source.snapshot()
        observed, held = self._around.observed(), self._around.held(snapshot, host)
        with self._lock:
            kept = self._kept.get(host)
        now = _Kept(snapshot.revision, None, held, observed)
        concern = Concern.WHOLE if kept is None else self._concern(host, kept, snapshot, now)
        if (
            kept is not None
            and concern is Concern.CHAINS
            and _has_chains_of(kept.assignment, snapshot, observed)
        ):
            concern = Concern.NONE
        if kept is not None and concern is Concern.NONE:
            now = replace(kept, observed=observed, revision=max(kept.revision, snapshot.revision))
        else:
            self._compile(now, kept, snapshot, host)
        with self._lock:
            self._kept[host] = now
        if kept is not None and kept.waiting != now.waiting:
            self.changed()  # whoever asked may not be the one who tells the host
        return now

    def _concern(self, host: HostId, kept: _Kept, snapshot: Snapshot, now: _Kept) -> Concern:
        """Say what of a host's assignment may differ from what is kept."""
        observed = now.observed
        if kept.held != now.held or any(map(self._around.is_written, kept.waiting.values())):
            return Concern.WHOLE
        found = _differs(kept.observed, observed)
        if kept.revision < snapshot.revision:
            changed = self._source.changed_since(kept.revision)
            if changed is None:
                return Concern.WHOLE
            for key in changed:
                if found is Concern.WHOLE:
                    break
                found = max(found, concern_of(key, host, kept.assignment, snapshot))
        if found is Concern.CHAINS:
            return _of_chains(kept.assignment, snapshot, observed)
        return found

    def _compile(self, now: _Kept, kept: _Kept | None, snapshot: Snapshot, host: HostId) -> None:
        """Compile an assignment whole, and keep back what northd has no port for yet."""
        made = compile_assignment(snapshot, host, self._settings, now.observed, now.held)
        before = kept.assignment if kept is not None else None
        if made is None:
            return
        old = {one.nic: one for one in before.nics} if before is not None else {}
        nics = tuple(self._as_written(one, old.get(one.nic), snapshot, now) for one in made.nics)
        for one in nics:
            now.told[one.nic] = _told(one, old.get(one.nic), kept, snapshot)
        for id in now.waiting:
            now.told[id] = NEVER
        revision = before.revision if before is not None and now.waiting else made.revision
        now.assignment = replace(made, nics=nics, revision=revision)

    def _as_written(
        self, one: NicAssignment, old: NicAssignment | None, snapshot: Snapshot, now: _Kept
    ) -> NicAssignment:
        """Return what a host is to be told of a NIC now."""
        nic = snapshot.nic(one.nic)
        if nic is None or old is None or not nic.has_port or not old.bridge:
            return one
        if self._around.is_written(nic.meta.revision):
            return one
        now.waiting[nic.id] = nic.meta.revision
        return old


def _has_chains_of(assignment: Assignment | None, snapshot: Snapshot, observed: Observed) -> bool:
    """Does an assignment say of chains what is so now? Where not, NICs may have another way out as well."""
    host = snapshot.host(assignment.host) if assignment is not None else None
    if assignment is None or host is None:
        return False
    return compile_service_chains(snapshot, host, observed) == assignment.service_chains


def _told(one: NicAssignment, old: NicAssignment | None, kept: _Kept | None, snapshot: Snapshot) -> int:
    """Return since which revision a host is told this of a NIC; at the start that is the NIC's own."""
    if kept is None:
        nic = snapshot.nic(one.nic)
        return nic.meta.revision if nic is not None else NEVER
    known = kept.told.get(one.nic, NEVER)
    return known if one == old and known != NEVER else snapshot.revision


def _of_chains(assignment: Assignment | None, snapshot: Snapshot, observed: Observed) -> Concern:
    """Say what a change of what chains read may change; where OVN has functions itself, NICs move with them."""
    if assignment is None:
        return Concern.NONE
    if assignment.service_chains == ServiceChains() and not snapshot.count(Kind.SERVICE_CHAIN):
        return Concern.NONE
    return Concern.WHOLE if observed.network_functions else Concern.CHAINS


def _differs(before: Observed, after: Observed) -> Concern:
    """Say what of an assignment may differ with what is observed."""
    if before is after:
        return Concern.NONE
    if before.network_functions != after.network_functions:
        return Concern.WHOLE
    learned = before.learned is after.learned or before.learned == after.learned
    same = learned and before.expired == after.expired
    return Concern.NONE if same else Concern.CHAINS
