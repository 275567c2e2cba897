"""The rollouts of all virtual switches: asked by the assignments, the status and the API. Thread-safe.

A report moves them on: what may give the next host its turn wakes the assignments.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from netctl.compiler.assignment_uplinks import uplinks_of
from netctl.loop import Clock
from netctl.model.infra import Host, VirtualSwitch
from netctl.model.keys import HostId, Kind, VirtualSwitchId
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport
from netctl.reconciler.reports import Heard
from netctl.reconciler.rollout import (
    TRIAL_OVER_S,
    Given,
    Place,
    Turns,
    Wanted,
    place_of,
    turns_of,
    wanted_by_switch,
)

_NOTHING = Turns()


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Since when it is not certain that a trial is over, and the revision at which that was so."""

    since_s: float
    revision: int


@dataclass(slots=True)
class _Seen:
    """What was answered last, from which tables and reports."""

    tables: tuple[Mapping[str, Any], ...] = ()
    news: int = -1
    wanted: dict[VirtualSwitchId, Wanted] = field(default_factory=dict)
    turns: dict[VirtualSwitchId, Turns] = field(default_factory=dict)


class Rollouts:
    """Owns: who had the last turn of each virtual switch, and whether it is in doubt."""

    def __init__(self, heard: Callable[[HostId], Heard], *, clock: Clock = time.monotonic) -> None:
        self._heard, self._clock = heard, clock
        self._started_s = clock()
        self._lock = threading.Lock()
        self._given: dict[VirtualSwitchId, Given] = {}
        self._doubts: dict[VirtualSwitchId, _Doubt] = {}
        self._revision = 0
        self._first_revision = 1 << 62
        self._news = 0  # reports that may move a turn
        self._seen = _Seen()
        self._until_s = math.inf  # somebody who is away is waited for no longer
        self._listeners: list[Callable[[], None]] = []

    def held(self, snapshot: Snapshot, host: HostId) -> frozenset[str]:
        """Return the uplink bridges of a host whose settings are not to change now."""
        machine = snapshot.host(host)
        switches = (switch for _, switch in uplinks_of(snapshot, machine)) if machine is not None else ()
        return frozenset(switch.bridge for switch in switches if host in self.turns(snapshot, switch.id).held)

    def pending_hosts(self, snapshot: Snapshot, switch: VirtualSwitchId) -> tuple[HostId, ...]:
        """Return the hosts that do not have the last settings of a virtual switch, in the order of their turns."""
        return self.turns(snapshot, switch).pending

    def turns(self, snapshot: Snapshot, id: VirtualSwitchId) -> Turns:
        """Return where a virtual switch is with its hosts."""
        switch = snapshot.virtual_switch(id)
        if switch is None:
            return _NOTHING
        with self._lock:
            seen = self._refreshed(snapshot)
            turns = seen.turns.get(id)
            if turns is None:
                turns = seen.turns[id] = self._judge(snapshot, switch, seen.wanted.get(id, ()))
            return turns

    def on_turn(self, callback: Callable[[], None]) -> None:
        """Call `callback` (which only wakes) when a turn may have moved."""
        self._listeners.append(callback)

    def note_report(self, report: HostReport | None, before: Heard) -> None:
        """A host reported, or its agent left (None); any thread."""
        old = before.report if before.connected else None
        if (_of_bridges(report)) == _of_bridges(old):
            return
        self._moved()

    def look(self) -> float:
        """Give turns to those who waited for hosts that are away; return after how many seconds to look again."""
        with self._lock:
            left_s = self._until_s - self._clock()
        if left_s <= 0:
            self._moved()
            return TRIAL_OVER_S
        return left_s

    def _moved(self) -> None:
        with self._lock:
            self._news += 1
            self._until_s = math.inf
        for listener in self._listeners:
            listener()

    def _refreshed(self, snapshot: Snapshot) -> _Seen:
        """Return what is known of these intents and reports."""
        tables = (snapshot.table(Kind.HOST), snapshot.table(Kind.VIRTUAL_SWITCH))
        seen = self._seen
        same = len(seen.tables) == len(tables) and all(
            a is b for a, b in zip(seen.tables, tables, strict=True)
        )
        if same and seen.news == self._news:
            return seen
        hosts = [host for host in tables[0].values() if isinstance(host, Host)]
        wanted = seen.wanted if same else wanted_by_switch(snapshot, hosts)
        self._seen = _Seen(tables, self._news, wanted)
        return self._seen

    def _judge(self, snapshot: Snapshot, switch: VirtualSwitch, wanted: Wanted) -> Turns:
        self._first_revision = min(self._first_revision, snapshot.revision)
        places = [place_of(host, id, switch.bridge, self._heard(host)) for host, id in wanted]
        given = self._given.get(switch.id)
        settled = self._is_settled(snapshot, switch.id, places, given)
        turns = turns_of(switch, places, given, settled=settled)
        if snapshot.revision >= self._revision:  # who reads an older snapshot gives nobody a turn
            self._revision = snapshot.revision
            self._remember(switch.id, turns.given)
        return turns

    def _remember(self, switch: VirtualSwitchId, given: Given | None) -> None:
        if given is None:
            self._given.pop(switch, None)
        else:
            self._given[switch] = given

    def _is_settled(
        self, snapshot: Snapshot, switch: VirtualSwitchId, places: list[Place], given: Given | None
    ) -> bool:
        """Is certainly nobody in the middle of a trial, but for the one whose turn it is?"""
        now = self._clock()
        silent = any(not place.connected or not self._obeys(place.host) for place in places)
        until_s = self._started_s + TRIAL_OVER_S if silent else -math.inf
        last = next((place for place in places if given is not None and place.host == given.host), None)
        if last is not None and given is not None and self._is_doubtful(snapshot, switch, last, given):
            until_s = max(until_s, self._doubts[switch].since_s + TRIAL_OVER_S)
        else:
            self._doubts.pop(switch, None)
        if until_s <= now:
            return True
        self._until_s = min(self._until_s, until_s)
        return False

    def _obeys(self, host: HostId) -> bool:
        """Has a host said that it has what we, and not the controller before us, told it to have?"""
        report = self._heard(host).report
        return report is not None and report.assignment_revision >= self._first_revision

    def _is_doubtful(self, snapshot: Snapshot, switch: VirtualSwitchId, last: Place, given: Given) -> bool:
        """Is the last one away, or is it to have again what it had, and has not said that it obeyed?"""
        withdrawn = last.done and last.wanted != given.settings_id
        if last.connected and not withdrawn:
            return False
        doubt = self._doubts.setdefault(switch, _Doubt(self._clock(), snapshot.revision))
        report = self._heard(last.host).report
        return not last.connected or report is None or report.assignment_revision < doubt.revision


def _of_bridges(report: HostReport | None) -> object:
    if report is None:
        return None
    return report.host, report.bridges, bool(report.problems), report.assignment_revision
