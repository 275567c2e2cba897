"""What ran on this host, and how it ended: what libvirt forgets when a transient domain is no more. Pure.

Kept on disk by `saved_records.py`, so that an agent that was restarted knows what ran before: a machine whose domain is
absent has ended while nobody looked, and its policy decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from netctl_compute.assignment import ComputeAssignment, PowerState
from netctl_compute.reported import RunState
from netctl_compute.state import Domain, HowEnded


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One machine's last run: of which start, in which run of the host's kernel, and how it ended."""

    power_epoch: int
    boot_id: str
    ended: HowEnded = HowEnded.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a pass found: domains of ours, and how others ended, as far as libvirt said so.

    `overdue` are the uids of machines that are missed for so long that libvirt will not say any more.
    """

    domains: Mapping[str, Domain]
    ended: Mapping[str, HowEnded]
    boot_id: str
    overdue: frozenset[str] = frozenset()


def update_records(
    records: Mapping[str, Record], assignment: ComputeAssignment | None, seen: Seen
) -> dict[str, Record]:
    """Return the records with what was seen."""
    on = {
        vm.uid: vm.power_epoch
        for vm in (assignment.vms if assignment is not None else ())
        if vm.power_state is not PowerState.OFF
    }
    updated: dict[str, Record] = {}
    for uid, domain in seen.domains.items():
        if domain.run_state is not RunState.INCOMING:
            # A start that was asked for again while it ran is carried out: it runs.
            epoch = max(domain.power_epoch, on.get(uid, 0))
            updated[uid] = Record(power_epoch=epoch, boot_id=seen.boot_id)
    for uid, record in records.items():
        if uid not in seen.domains and (assignment is None or _is_assigned(uid, assignment)):
            updated[uid] = replace(record, ended=_how(uid, record, seen))
    return updated


def missed(records: Mapping[str, Record], domains: Mapping[str, Domain]) -> frozenset[str]:
    """Return the uids of machines that ran, are not there, and of which it is not known how they ended."""
    return frozenset(
        uid for uid, record in records.items() if uid not in domains and record.ended is HowEnded.NONE
    )


def _how(uid: str, record: Record, seen: Seen) -> HowEnded:
    if record.ended is not HowEnded.NONE:
        return record.ended
    if record.boot_id != seen.boot_id:
        return HowEnded.REBOOTED
    return seen.ended.get(uid, HowEnded.UNKNOWN if uid in seen.overdue else HowEnded.NONE)


def _is_assigned(uid: str, assignment: ComputeAssignment) -> bool:
    return any(vm.uid == uid for vm in assignment.vms)
