"""Trial and confirmation of an uplink bridge's settings: a state machine without a clock or a disk. Pure.

    none or confirmed ── other settings assigned, our turn ──► trial ── the controller answered over it ──► confirmed
            ▲                                                    │
            └──────── put back what was found ◄── 20 s without, or the machine was started anew ──┘

`advance` says what a bridge's record is next, `effective` which settings the host must have. The record is on disk
before it is acted on; so whoever is killed, wherever, goes on with it. `uplinks.py` has clock, disk and controller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from netctl_host.assignment import UplinkBridge
from netctl_host.uplink_found import Found

TRIAL_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of one bridge's settings.

    `found` is what the trial changed; with `undoing` it is being put back. `deadline_s` as `Moment.now_s`.
    `rolled_back_id`: these were tried, and undone.
    """

    bridge: str
    confirmed: UplinkBridge | None = None
    trial: UplinkBridge | None = None
    deadline_s: float = 0.0
    found: Found | None = None
    undoing: bool = False
    rolled_back_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What is so now.

    `now_s` counts from the machine's start. `rebooted`: since the record was written. `heard`: the assignment came from
    the controller, not from disk. `proven`: it answered over what is being tried. `look(uplink)` says what the host
    has of a bridge that is to be changed, and its settings where it is ours. `is_restored(found)`: nothing is left to
    put back.
    """

    now_s: float
    rebooted: bool
    heard: bool
    proven: bool
    look: Callable[[UplinkBridge], tuple[Found, UplinkBridge | None]]
    is_restored: Callable[[Found], bool]


def advance(
    record: Record | None, bridge: str, assigned: UplinkBridge | None, moment: Moment
) -> Record | None:
    """Return the next record, None where there is nothing to be remembered."""
    record = record or Record(bridge=bridge)
    if record.undoing and (record.found is None or moment.is_restored(record.found)):
        record = replace(record, undoing=False, found=None)
    if record.trial is not None:
        record = _judge(record, moment)
    if assigned is None:
        return _let_go(record)
    if not assigned.settings_id:  # a controller of before: it confirms nothing
        return Record(bridge=bridge, confirmed=assigned)
    return _follow(record, replace(assigned, held=False), moment, held=assigned.held)


def effective(record: Record | None, assigned: UplinkBridge) -> UplinkBridge | None:
    """Return the settings that the bridge must have, None for no bridge."""
    if record is None:  # from disk, and nothing is known of it: better than no network
        return replace(assigned, held=False)
    return record.trial or record.confirmed


def _judge(record: Record, moment: Moment) -> Record:
    """End a trial that is over."""
    assert record.trial is not None
    if moment.rebooted:
        return _undo(record, record.trial.settings_id)
    if moment.proven:
        return replace(record, confirmed=record.trial, trial=None, found=None, rolled_back_id="")
    if moment.now_s >= record.deadline_s:
        return _undo(record, record.trial.settings_id)
    return record


def _undo(record: Record, rolled_back_id: str) -> Record:
    return replace(
        record, trial=None, undoing=record.found is not None, rolled_back_id=rolled_back_id, deadline_s=0.0
    )


def _let_go(record: Record) -> Record | None:
    if record.trial is not None:
        record = _undo(record, "")
    return replace(record, confirmed=None) if record.undoing else None


def _follow(record: Record, assigned: UplinkBridge, moment: Moment, *, held: bool) -> Record | None:
    """Begin what the assignment asks for, where that may be begun."""
    wanted, confirmed = assigned.settings_id, record.confirmed
    if record.trial is not None:
        if wanted == record.trial.settings_id or not moment.heard:
            return record
        if confirmed is not None and wanted == confirmed.settings_id:
            return _undo(record, "")
        return record if held else _begin(record, assigned, moment)
    if confirmed is not None and wanted == confirmed.settings_id:
        return replace(record, confirmed=assigned, rolled_back_id="")
    if wanted == record.rolled_back_id or (held and confirmed is not None):
        return record
    if not moment.heard:
        is_known = confirmed is not None or record.undoing or record.rolled_back_id
        return record if is_known else None
    return _begin(record, assigned, moment)


def _begin(record: Record, assigned: UplinkBridge, moment: Moment) -> Record:
    found, ours = moment.look(assigned)
    if record.confirmed is not None:  # to which the bridge goes back, whosever it was
        found = replace(found, ports=None)
    if record.found is not None:  # of a trial that this one follows: older, and so what was before us
        found = record.found.joined(found)
    return replace(
        record,
        confirmed=record.confirmed or ours,
        trial=assigned,
        deadline_s=moment.now_s + TRIAL_S,
        found=found,
        undoing=False,
        rolled_back_id="",
    )
