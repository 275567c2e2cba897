"""What a migration of a virtual machine does next: docs/design/compute.md's table. Pure.

In: a migration as it is stored, the intents, what both hosts said last; out: the one edit that lets it enter its next
stage, or why it waits. Nothing is remembered between two questions but what `Sight` says, and that may be forgotten.
A guest goes on where it runs: no timer decides that, and where it is not known the migration waits.
"""

from __future__ import annotations

import math
from dataclasses import replace

from netctl.model.compute_report import JobState, MigrationReport, RunState
from netctl.model.intent import Advance
from netctl.model.keys import HostId
from netctl.model.vm import Vm
from netctl.model.vm_migration import Evidence, Stage, VmMigration
from netctl.reconciler.compute_book import ComputeHeard
from netctl.reconciler.migration_sight import (
    ALIVE,
    Sight,
    Waits,
    Why,
    entered_s,
    is_announced,
    is_away,
    is_bound,
    is_programmed,
    job_of,
    left_at,
    state_on,
    told,
)

SETTLE_S = 30.0
ANNOUNCE_S = 3.0  # a guest whose NICs are silent is not waited for
BIND_S = 30.0
PREPARE_PROBLEM_S = 30.0
PATIENCE_S = 15.0  # what only needs a moment: a host that connects, flows that are on their way
EVIDENCE_S = 5.0  # libvirt finishes a copy some time after the guest went on; on a busy host seconds
UNDER_WAY_S = 1.0  # so long a report may be on its way
OTHERS_S = 5.0  # other hosts that are behind with their flows
RETRY_FIRST_S, RETRY_LONGEST_S = 2.0, 30.0
ABORTED = "ABORTED"
RETRIED = frozenset({"FAILED_TO_CONVERGE", "UNREACHABLE", "LIBVIRT"})
# What the destination needs time for, no reason to give up.
_UNDER_WAY = frozenset({"IMAGE_FETCHING", "DISK_COPYING"})
_UNCHOSEN = HostId("")
_GONE_ON = frozenset({RunState.RUNNING, RunState.SHUTTING_DOWN})


def next_step(migration: VmMigration, sight: Sight) -> Advance | Waits | None:
    """Return what a migration does next; None once it has ended."""
    match migration.stage:
        case Stage.QUEUED:
            return _queued(migration, sight)
        case Stage.PREPARING:
            return _stopped(migration, sight) or _preparing(migration, sight)
        case Stage.BINDING:
            return _stopped(migration, sight) or _binding(migration, sight)
        case Stage.COPYING:
            return _copying(migration, sight)
        case Stage.SETTLING:
            return _settling(migration, sight)
        case Stage.CLEANING:
            return _cleaning(migration, sight)
        case Stage.ABORTING:
            return _aborting(migration, sight)
    return None


def _queued(migration: VmMigration, sight: Sight) -> Advance | Waits:
    off = _why_off(sight.snapshot.vm(migration.vm))
    if off:
        return _to(migration, Stage.FAILED, failure="VM_OFF", message=off)
    if migration.abort:
        return _to(migration, Stage.FAILED, failure=ABORTED, message="aborted before its turn came")
    rest_s = _rest_s(migration, sight)
    if rest_s > 0:
        return Waits(message=f"tries again in {math.ceil(rest_s)} s", again_s=rest_s)
    if sight.ahead:
        return Waits(message=f"{sight.ahead} go first: a host takes part in two at once")
    found = sight.preflight(migration)
    if found.ok and found.destination in sight.busy:
        return Waits(message=f"host {found.destination} takes part in two already")
    if found.ok:
        evidence = Evidence(round_trip_us=found.round_trip_us)
        return _to(migration, Stage.PREPARING, destination=found.destination, evidence=evidence)
    left_s = PATIENCE_S - sight.lasted_s(Why.REFUSED)
    if found.passing and left_s > 0:
        return Waits(message=found.message, again_s=left_s, why=Why.REFUSED)
    return _to(migration, Stage.FAILED, failure="PREFLIGHT", message=found.message)


def _rest_s(migration: VmMigration, sight: Sight) -> float:
    """Return how long a further try still waits."""
    if migration.attempt <= 1:
        return 0.0
    pause_s = min(RETRY_LONGEST_S, RETRY_FIRST_S * 2.0 ** (migration.attempt - 2))
    return entered_s(migration) + pause_s - sight.now_s


def _stopped(migration: VmMigration, sight: Sight) -> Advance | None:
    """Give up as long as nothing is copied: when asked to, or when there is nothing to copy from or to."""
    source, destination = migration.source, migration.destination
    off = _why_off(sight.snapshot.vm(migration.vm))
    if off:
        return _back(migration, "VM_OFF", off)
    if migration.abort:
        return _back(migration, ABORTED, "aborted")
    if sight.is_gone(source):
        return _back(migration, "SOURCE_LOST", f"the compute agent of its host {source} went away")
    if sight.is_gone(destination):
        return _back(migration, "UNREACHABLE", f"the compute agent of host {destination} went away")
    return None


def _why_off(vm: Vm | None) -> str:
    if vm is None:
        return "the virtual machine does not exist any more"
    return "" if vm.is_on else f"vms/{vm.id} is {'being deleted' if vm.deleting else 'switched off'}"


def _preparing(migration: VmMigration, sight: Sight) -> Advance | Waits:
    heard = sight.compute(migration.destination)
    there = heard.vms.get(migration.vm)
    if heard.connected and there is not None and there.ready:
        return _to(migration, Stage.BINDING)
    where = f"host {migration.destination}"
    if there is None or not there.problem:
        return Waits(message=f"{where} makes its disks and taps")
    left_s = entered_s(migration) + PREPARE_PROBLEM_S - sight.now_s
    if there.reason in _UNDER_WAY or left_s > 0:
        return Waits(message=f"{where}: {there.problem}", again_s=max(1.0, left_s))
    return _back(migration, "NOT_PREPARED", f"{where}: {there.problem}")


def _binding(migration: VmMigration, sight: Sight) -> Advance | Waits:
    """Wait until the destination has bound its ports; then until it has all flows that there were after that."""
    heard = sight.network(migration.destination)
    nics = list(sight.snapshot.nics_of_vm(migration.vm))
    missing = sorted(nic.id for nic in nics if not is_bound(nic, heard))
    if missing or not heard.connected or heard.report is None:
        what = f"nics/{', nics/'.join(missing)}" if missing else "its ports: its agent is not connected"
        message = f"host {migration.destination} has not plugged and bound {what}"
        return _in_time(migration, sight, "NOT_BOUND", Waits(message=message))
    if not sight.compute(migration.source).connected:
        return Waits(message=f"the compute agent of host {migration.source} is not connected", again_s=1.0)
    if not any(nic.has_port for nic in nics):
        return _to(migration, Stage.COPYING)
    if sight.raised is None:
        return Waits(message="its ports are bound; flows are asked for", why=Why.FLOWS)
    if heard.report.nb_cfg < sight.raised:
        message = f"host {migration.destination} has not installed its flows"
        return _in_time(migration, sight, "NO_FLOWS", Waits(message=message, why=Why.FLOWS))
    others_s = entered_s(migration) + OTHERS_S - sight.now_s
    late = sorted(sight.behind(sight.raised))
    if late and others_s > 0:  # they would send to the source alone; but one that is stuck holds up nobody
        return Waits(message=f"host(s) {', '.join(late[:8])} install flows", again_s=others_s, why=Why.FLOWS)
    return _to(migration, Stage.COPYING)


def _in_time(migration: VmMigration, sight: Sight, failure: str, waits: Waits) -> Advance | Waits:
    """Wait as long as ports may take to be bound, and give up then."""
    left_s = entered_s(migration) + BIND_S - sight.now_s
    if left_s > 0:
        return replace(waits, again_s=left_s)
    return _back(migration, failure, f"{waits.message} in {BIND_S:g} s")


def _copying(migration: VmMigration, sight: Sight) -> Advance | Waits:
    """Forward or back is where the guest runs; that a job failed alone says neither."""
    here, there = sight.compute(migration.source), sight.compute(migration.destination)
    at_source, arrived = state_on(here, migration), _has_arrived(migration, sight)
    job = job_of(migration, sight)
    if arrived:
        measured = job is not None and job.state is not JobState.RUNNING
        left_s = EVIDENCE_S - sight.lasted_s(Why.EVIDENCE)
        if here.connected and not measured and left_s > 0:
            return Waits(message="it runs at its destination", again_s=left_s, why=Why.EVIDENCE)
        return _to(migration, Stage.SETTLING, evidence=_measured(migration, job, sight))
    failed = job is not None and job.state is JobState.FAILED
    if (
        job is not None
        and failed
        and (at_source in ALIVE or _is_not(there, migration, sight, _doubt_s(sight)))
    ):
        back = _back(migration, job.failure or "LIBVIRT", job.message or "the copy broke off")
        return replace(back, evidence=_measured(migration, job, sight))
    if sight.is_gone(migration.source) and _is_not(there, migration, sight, here.silent_since_s):
        return _back(migration, "SOURCE_LOST", f"the compute agent of its host {migration.source} went away")
    if failed:
        message = f"the copy broke off; host {migration.destination} is asked whether it runs there"
        return Waits(message=message, again_s=1.0, why=Why.DOUBT)
    if not here.connected:
        message = f"host {migration.source} says nothing, {migration.destination}: {told(there, migration)}"
        return Waits(message=message, again_s=1.0)
    return Waits(message="its memory is copied")


def _has_arrived(migration: VmMigration, sight: Sight) -> bool:
    """Does the guest run at the destination, by its word, or by the source's?"""
    at_source, there = (
        state_on(sight.compute(host), migration) for host in (migration.source, migration.destination)
    )
    job = job_of(migration, sight)
    done = job is not None and job.state is JobState.DONE and at_source not in ALIVE
    return there in _GONE_ON or done or (there is RunState.PAUSED and at_source is RunState.ABSENT)


def _doubt_s(sight: Sight) -> float:
    return sight.since_s if sight.why is Why.DOUBT else sight.clock_s


def _is_not(there: ComputeHeard, migration: VmMigration, sight: Sight, since_s: float) -> bool:
    """Does the destination say that the guest is not there, and cannot be on its way there any more?

    Either it came in before and is gone: a try begins once. Or it said so after `since_s`.
    """
    fresh = sight.came or there.received_s >= since_s + UNDER_WAY_S
    return there.connected and fresh and state_on(there, migration) is RunState.ABSENT


def _settling(migration: VmMigration, sight: Sight) -> Advance | Waits:
    vm = sight.snapshot.vm(migration.vm)
    nics = list(sight.snapshot.nics_of_vm(migration.vm)) if vm is not None and vm.is_on else []
    waiting = sorted(nic.id for nic in nics if not is_programmed(nic, sight))
    heard = sight.network(migration.destination)
    silent = [nic for nic in nics if nic.connected and not is_announced(nic, heard)]
    at_s = entered_s(migration)
    left_s = at_s + (SETTLE_S if waiting else ANNOUNCE_S) - sight.now_s
    if (waiting or silent) and left_s > 0:
        named = f"nics/{', nics/'.join(waiting)}" if waiting else "its guest's first frames"
        return Waits(message=f"waits for {named} at host {migration.destination}", again_s=left_s)
    message = f"nics/{', nics/'.join(waiting)} did not come up in {SETTLE_S:g} s" if waiting else ""
    announce_ms = max((heard.nics[nic.meta.uid].announce_ms for nic in nics if nic not in silent), default=0)
    evidence = migration.evidence
    # Without the pause, which the source did not tell in time, the gap is not known either.
    gap_ms = evidence.pause_ms + announce_ms if evidence.pause_ms else 0
    evidence = replace(evidence, announce_ms=announce_ms, network_gap_ms=gap_ms)
    return _to(migration, Stage.CLEANING, message=message, evidence=evidence)


def _cleaning(migration: VmMigration, sight: Sight) -> Advance | Waits:
    left = left_at(migration, migration.source, sight)
    if left is None:
        return _to(migration, Stage.DONE)
    if is_away(migration.source, sight):
        return _to(migration, Stage.DONE, message=f"host {migration.source} went away: {left}")
    return Waits(message=f"host {migration.source} removes what it has: {left}", again_s=1.0)


def _aborting(migration: VmMigration, sight: Sight) -> Advance | Waits:
    """Leave when the destination has nothing any more: to another try, or for good."""
    destination = migration.destination
    left = left_at(migration, destination, sight) if destination else None
    if left is not None and not is_away(destination, sight):
        return Waits(message=f"host {destination} removes what it has: {left}", again_s=1.0)
    again = migration.failure in RETRIED and migration.attempt <= migration.retries and not migration.abort
    if again and not _why_off(sight.snapshot.vm(migration.vm)):
        return _to(migration, Stage.QUEUED, message=f"{migration.failure}: {migration.failure_message}")
    return _to(
        migration, Stage.FAILED, failure=migration.failure or ABORTED, message=migration.failure_message
    )


def _measured(migration: VmMigration, job: MigrationReport | None, sight: Sight) -> Evidence:
    evidence = job.evidence if job is not None else Evidence()
    copy_ms = evidence.copy_ms or max(0, round((sight.now_s - entered_s(migration)) * 1000))
    return replace(
        evidence,
        copy_ms=copy_ms,
        network_gap_ms=evidence.pause_ms,
        round_trip_us=evidence.round_trip_us or migration.evidence.round_trip_us,
    )


def _back(migration: VmMigration, failure: str, message: str) -> Advance:
    return _to(migration, Stage.ABORTING, failure=failure, message=message)


def _to(
    migration: VmMigration,
    stage: Stage,
    *,
    message: str = "",
    failure: str = "",
    evidence: Evidence | None = None,
    destination: HostId = _UNCHOSEN,
) -> Advance:
    return Advance(
        migration=migration.id,
        if_stage=migration.stage,
        stage=stage,
        message=message,
        failure=failure,
        evidence=evidence,
        destination=_UNCHOSEN if migration.destination else destination,
    )
