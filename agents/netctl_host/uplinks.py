"""Uplink bridges as they may be had now: the assignment's, confirmed ones, or ones on trial.

In: the assignment, what the host has, the controller's answers. Out: the assignment with the settings that count, and
what is left to put back. Owns `uplinks.json` (through `saved_uplinks.py`) and the number of the last probe. The file is
the source of truth for what is confirmed; nothing is tried that is not on disk first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import structlog

from netctl.errors import HostUnavailable
from netctl_host.actions import (
    Action,
    AddPatch,
    AttachGuard,
    DetachGuard,
    DisableChecksumOffload,
    LinkAction,
    PlugTap,
    RemoveMirror,
    SetChassis,
    SetMirror,
    UnplugTap,
)
from netctl_host.assignment import Assignment, UplinkBridge
from netctl_host.state import HostState
from netctl_host.uplink_found import find, plan_undo
from netctl_host.uplink_trial import Moment, Record, advance, effective

log = structlog.get_logger()

# What was changed is left alone this long before the controller is asked over it: an LACP that does not come about, a
# bond that moves, show in less.
SETTLE_S = 1.0
# Open vSwitch listens 3 s for a partner, and looks once a second, before it falls back to one member. Until then
# nothing passes, and the next host of a rolling change must not have its turn.
LACP_SETTLE_S = 5.0
_NOT_UPLINKS = (
    *(PlugTap, UnplugTap, AddPatch, SetMirror, RemoveMirror, SetChassis),
    *(AttachGuard, DetachGuard, DisableChecksumOffload),
)


class UplinksFile(Protocol):
    """Where the records are kept."""

    def load(self) -> tuple[str, Mapping[str, Record]]:
        """Return the boot that they were written in, and the records by bridge."""
        ...

    def save(self, boot_id: str, records: Mapping[str, Record]) -> None:
        """Replace them; raise HostUnavailable when that fails."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """The controller, as far as it answers: `probe` asks it for a number again and again, `echoed` is what came last.

    `heard`: the latest assignment came from it and not from disk.
    """

    probe: Callable[[int], None]
    echoed: Callable[[], int]
    heard: Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Seconds since the machine was started, and which start that was."""

    now_s: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    boot_id: str = ""


def read_boot_id() -> str:
    """Return the kernel's name for this start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class Uplinks:
    """One thread. `look_again` (with seconds) asks for another pass."""

    def __init__(
        self, file: UplinksFile, probing: Probing, look_again: Callable[[float], None], clock: Clock
    ) -> None:
        self._file = file
        self._probing = probing
        self._look_again = look_again
        self._clock = clock
        self._written_in, records = file.load()
        self._records = dict(records)
        self._on_disk = dict(records)
        self._asked = 0
        self._number = 0
        self._changed_s = clock.now_s()

    def records(self) -> Mapping[str, Record]:
        """Return what is known, by bridge."""
        return self._records

    def resolve(self, assignment: Assignment, state: HostState) -> tuple[Assignment, tuple[str, ...]]:
        """Return the assignment with the settings that count now, and what could not be kept on disk."""
        assigned = {uplink.bridge: uplink for uplink in assignment.uplink_bridges}
        moment = Moment(
            now_s=self._clock.now_s(),
            rebooted=bool(self._written_in) and self._written_in != self._clock.boot_id,
            heard=self._probing.heard(),
            proven=bool(self._asked) and self._probing.echoed() >= self._asked,
            look=lambda uplink: find(uplink, state),
            is_restored=lambda found: not any(plan_undo(found, self._counting(), state)),
        )
        following: dict[str, Record] = {}
        for bridge in (*assigned, *(bridge for bridge in self._records if bridge not in assigned)):
            record = advance(self._records.get(bridge), bridge, assigned.get(bridge), moment)
            if record is not None:
                following[bridge] = record
        problems = self._keep(following, moment)
        uplinks = (effective(self._records.get(bridge), uplink) for bridge, uplink in assigned.items())
        self._watch(moment.now_s)
        return replace(assignment, uplink_bridges=tuple(filter(None, uplinks))), problems

    def plan_undo(self, state: HostState) -> tuple[Action, ...]:
        """Return what is left to put back of trials that failed."""
        return tuple(
            action
            for record in self._records.values()
            if record.undoing and record.found is not None
            for action in plan_undo(record.found, self._counting(), state)
        )

    def settle(self, assignment: Assignment, state: HostState, acted: Sequence[Action]) -> None:
        """Ask the controller over what is on trial, once it is in place; `acted` is what the pass did."""
        if not any(record.trial for record in self._records.values()):
            self._asked = 0
            return
        now_s = self._clock.now_s()
        taps = {nic.tap_name for nic in assignment.nics}
        if not state.switch.is_applied or any(_is_about_uplinks(action, taps) for action in acted):
            self._asked, self._changed_s = 0, now_s
        elif not self._asked and now_s - self._changed_s >= self._settle_s(state):
            self._number += 1
            self._asked = self._number
            self._probing.probe(self._asked)
        if not self._asked:
            self._look_again(max(0.05, self._settle_s(state) - (now_s - self._changed_s)))

    def _settle_s(self, state: HostState) -> float:
        """Return how long what was changed is let alone before the controller is asked."""
        trials = [record.trial for record in self._records.values() if record.trial is not None]
        return max((_settle_s(trial, state) for trial in trials), default=SETTLE_S)

    def _keep(self, following: dict[str, Record], moment: Moment) -> tuple[str, ...]:
        """Write what changed; what cannot be written is not tried."""
        begun = {
            bridge
            for bridge, record in following.items()
            if record.trial is not None and self._trial(bridge) != record.trial
        }
        problems: tuple[str, ...] = ()
        if following != self._on_disk:
            try:
                self._file.save(self._clock.boot_id, following)
                self._on_disk, self._written_in = dict(following), self._clock.boot_id
            except HostUnavailable as error:
                problems = (f"settings of {', '.join(sorted(following))} cannot be kept: {error.message}",)
                for bridge in begun:
                    before = self._records.get(bridge)
                    following[bridge] = before if before is not None else Record(bridge=bridge)
                begun = set()
        for bridge, record in following.items():
            _tell(self._records.get(bridge), record)
        if begun:
            self._asked, self._changed_s = 0, moment.now_s
        self._records = following
        return problems

    def _watch(self, now_s: float) -> None:
        deadlines = [record.deadline_s for record in self._records.values() if record.trial is not None]
        if deadlines:
            self._look_again(max(0.0, min(deadlines) - now_s))

    def _trial(self, bridge: str) -> object:
        record = self._records.get(bridge)
        return record.trial if record is not None else None

    def _counting(self) -> tuple[UplinkBridge, ...]:
        """Return the settings of bridges that count."""
        named = (record.trial or record.confirmed for record in self._records.values())
        return tuple(uplink for uplink in named if uplink is not None)


def _is_about_uplinks(action: Action, taps: set[str]) -> bool:
    if isinstance(action, _NOT_UPLINKS):
        return False
    return not (isinstance(action, LinkAction) and action.link in taps)


def _tell(before: Record | None, now: Record) -> None:
    trial = before.trial if before is not None else None
    if now.trial is not None and now.trial != trial:
        log.info("uplinks on trial", bridge=now.bridge, settings_id=now.trial.settings_id)
    elif trial is not None and now.trial is None:
        if now.confirmed == trial:
            log.info("uplinks confirmed", bridge=now.bridge, settings_id=trial.settings_id)
        else:
            log.warning("uplinks rolled back", bridge=now.bridge, settings_id=trial.settings_id)


def _settle_s(trial: UplinkBridge, state: HostState) -> float:
    bridge = state.switch.bridges.get(trial.bridge)
    port = bridge.ports.get(trial.bond) if bridge is not None else None
    if trial.lacp != "active" or port is None or len(port.interfaces) < 2:
        return SETTLE_S
    # `negotiated` is also said of members that still listen; none of them is active then.
    agreed = state.lacp.get(port.name) == "negotiated" and port.active_mac
    return SETTLE_S if agreed else LACP_SETTLE_S
