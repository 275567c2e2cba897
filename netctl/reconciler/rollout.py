"""Rollout: whose turn it is to get other settings of a virtual switch. Pure; `rollouts.py` remembers the last one.

In: the hosts of one virtual switch with what each is to have and what it reported; out: who keeps what it has. Where a
change is rolled out one host at a time, the turn stays with a host until it works with the settings that it is to have:
confirmed, the bridge up, its agent connected and without a problem. A host that is away is passed over and has its turn
when it is back, unless it went in the middle of its turn: then what it was given may have killed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netctl.compiler.assignment_uplinks import uplinks_of, wanted_settings
from netctl.model.infra import Host, Rollout, VirtualSwitch
from netctl.model.keys import HostId, VirtualSwitchId
from netctl.model.snapshot import Snapshot
from netctl.model.status import BridgeReport
from netctl.reconciler.reports import Heard

# (host, `settings_id`) of every host with an uplink of a virtual switch, ordered by host.
Wanted = tuple[tuple[HostId, str], ...]
# A trial ends after 20 s by itself: nobody who is away longer is in the middle of one.
TRIAL_OVER_S = 30.0


@dataclass(frozen=True, slots=True)
class Given:
    """Who had the last turn, and with which settings."""

    host: HostId
    settings_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Where a virtual switch is with its hosts.

    `turn` changes now. `pending` do not have the last settings, in the order of their turns, those that are away last.
    `held` keep what they have. `rolled_back` undid what they are to have. `blocked`: the next one waits for these, who
    have it and do not work, or went away in their turn. `given` is to be remembered.
    """

    turn: HostId | None = None
    pending: tuple[HostId, ...] = ()
    held: frozenset[HostId] = frozenset()
    away: tuple[HostId, ...] = ()
    rolled_back: tuple[HostId, ...] = ()
    blocked: tuple[HostId, ...] = ()
    given: Given | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One host of a virtual switch: what its bridge is to have, and what it reported."""

    host: HostId
    wanted: str
    bridge: BridgeReport | None
    connected: bool
    problems: bool = False

    @property
    def done(self) -> bool:
        """Has it what it is to have?"""
        return self.bridge is not None and self.bridge.settings_id == self.wanted

    @property
    def works(self) -> bool:
        """Does it work with that?"""
        return self.done and self.connected and self.is_up and not self.problems

    @property
    def is_up(self) -> bool:
        """Is its bridge there with a carrier?"""
        return self.bridge is not None and self.bridge.up

    @property
    def is_new(self) -> bool:
        """Is it there without a bridge, so that nothing is lost when it gets one?"""
        return self.connected and (self.bridge is None or not self.bridge.settings_id)

    @property
    def rolled_back(self) -> bool:
        """Did it undo what it is to have?"""
        return (
            self.bridge is not None and not self.done and self.bridge.rolled_back_settings_id == self.wanted
        )


def place_of(host: HostId, wanted: str, bridge: str, heard: Heard) -> Place:
    """Return a host's place from what it said last; a host that never said anything is away."""
    report = heard.report
    bridges = report.bridges if report is not None else ()
    return Place(
        host=host,
        wanted=wanted,
        bridge=next((found for found in bridges if found.bridge == bridge), None),
        connected=heard.connected and report is not None,
        problems=report is not None and bool(report.problems),
    )


def wanted_by_switch(snapshot: Snapshot, hosts: Sequence[Host]) -> dict[VirtualSwitchId, Wanted]:
    """Return what the bridges of all hosts are to have."""
    found: dict[VirtualSwitchId, list[tuple[HostId, str]]] = {}
    for host in sorted(hosts, key=lambda host: host.id):
        for uplink, switch in uplinks_of(snapshot, host):
            found.setdefault(switch.id, []).append((host.id, wanted_settings(host, uplink, switch)))
    return {id: tuple(places) for id, places in found.items()}


def turns_of(
    switch: VirtualSwitch, places: Sequence[Place], given: Given | None = None, *, settled: bool = True
) -> Turns:
    """Return whose turn it is. Not `settled`: somebody who is not heard may be in the middle of a trial."""
    given = _still_given(places, given, settled=settled)
    rolled_back = tuple(place.host for place in places if place.rolled_back)
    rolling = switch.rollout is Rollout.ROLLING
    blocked: tuple[HostId, ...] = ()
    turn: Place | None = None
    if rolling and not rolled_back:
        turn, blocked = _next(places, given, settled=settled)
    held = frozenset(
        place.host for place in places if rolling and not (place.done or place.is_new) and place is not turn
    )
    pending = sorted((place for place in places if not place.done), key=lambda place: _order(place, turn))
    return Turns(
        turn=turn.host if turn is not None else None,
        pending=tuple(place.host for place in pending),
        held=held,
        away=tuple(place.host for place in pending if not place.connected),
        rolled_back=rolled_back,
        blocked=blocked if pending else (),
        given=Given(turn.host, turn.wanted) if turn is not None else given,
    )


def _order(place: Place, turn: Place | None) -> tuple[bool, bool, str]:
    return place is not turn, not place.connected, place.host


def _still_given(places: Sequence[Place], given: Given | None, *, settled: bool) -> Given | None:
    """Return who had the last turn, None when it is over: the host works, or is no host of the switch any more.

    One that is to have again what it had may still be trying what it was given.
    """
    place = _place_given(places, given)
    if place is None or given is None:
        return None
    return None if place.works and (settled or place.wanted == given.settings_id) else given


def _place_given(places: Sequence[Place], given: Given | None) -> Place | None:
    if given is None:
        return None
    return next((place for place in places if place.host == given.host), None)


def _next(
    places: Sequence[Place], given: Given | None, *, settled: bool
) -> tuple[Place | None, tuple[HostId, ...]]:
    """Return whose turn it is, and whom the next one waits for."""
    last = _place_given(places, given)
    if last is not None and given is not None:
        if last.connected and not last.done:
            return last, ()  # an edit in the middle of a turn does not give it to another
        if last.done or last.wanted == given.settings_id:
            return None, (last.host,)
    blocked = tuple(place.host for place in places if place.connected and place.done and not place.works)
    if blocked or not settled:
        return None, blocked
    waiting = (place for place in places if place.connected and not (place.done or place.is_new))
    return next(waiting, None), ()
