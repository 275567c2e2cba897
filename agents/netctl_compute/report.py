"""HostState and assignment -> ComputeReport: what the controller is told. Pure.

A report says what is, not what was done: it is made from the state that was read after the pass's actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netctl_compute.assignment import ComputeAssignment, PowerState, VmAssignment, VmRole
from netctl_compute.plan import find_obstacle, is_ready, may_start
from netctl_compute.plan_hot import pending_restart
from netctl_compute.problem import Problem
from netctl_compute.records import Record
from netctl_compute.reported import ComputeReport, RunState, UnknownDomain, VmReport
from netctl_compute.state import Domain, HostState, HowEnded


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the state alone does not tell: records by uid, and what failed in this pass, by uid."""

    records: Mapping[str, Record] = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)


def make_report(
    host: str, assignment: ComputeAssignment | None, state: HostState, told: Told
) -> ComputeReport:
    """Return what the state tells; its caller adds capacity, migrations, exports and the pass's own problems."""
    vms = assignment.vms if assignment is not None else ()
    assigned = {vm.uid for vm in vms}
    # Ours, but nobody's here: untouched like any other.
    stray = tuple(
        UnknownDomain(name=domain.vm, uid=uid, running=True)
        for uid, domain in state.domains.items()
        if uid not in assigned
    )
    return ComputeReport(
        host=host,
        vms=tuple(_report_vm(vm, state, told) for vm in vms),
        unknown_domains=tuple(sorted((*state.unknown, *stray), key=lambda domain: domain.name)),
        libvirt_connected=True,
    )


def _report_vm(vm: VmAssignment, state: HostState, told: Told) -> VmReport:
    domain = state.domains.get(vm.uid)
    record = told.records.get(vm.uid)
    storage = state.storage.get(vm.uid)
    problem, progress = _find_problem(vm, state, told)
    return VmReport(
        vm=vm.vm,
        uid=vm.uid,
        run_state=_run_state(vm, domain, record),
        ready=vm.role is VmRole.PLACEHOLDER and domain is None and is_ready(vm, state),
        problem=problem.message if problem is not None else "",
        reason=problem.reason if problem is not None else "",
        progress_percent=progress,
        cpu_model=domain.shape.cpu_model if domain is not None else "",
        console_address=domain.console if domain is not None else "",
        start_time_s=domain.start_time_s if domain is not None else 0.0,
        power_epoch=record.power_epoch if record is not None else 0,
        reset_epoch=domain.reset_epoch if domain is not None else 0,
        disk_bytes=dict(storage.disk_bytes) if storage is not None else {},
        pending_restart=pending_restart(vm, domain) if _runs_here(vm, domain) and domain else (),
    )


def _runs_here(vm: VmAssignment, domain: Domain | None) -> bool:
    return domain is not None and vm.role is VmRole.RUN and vm.power_state is not PowerState.OFF


def _run_state(vm: VmAssignment, domain: Domain | None, record: Record | None) -> RunState:
    if domain is not None:
        asked_to_end = vm.role is VmRole.RUN and vm.power_state is PowerState.OFF and vm.graceful_off
        if asked_to_end and domain.run_state is RunState.RUNNING:
            return RunState.SHUTTING_DOWN
        return domain.run_state
    ended = record.ended if record is not None else HowEnded.NONE
    # A machine that is to be off is simply not there, however it got there.
    if vm.role is not VmRole.RUN or vm.power_state is PowerState.OFF:
        return RunState.ABSENT
    match ended:
        case HowEnded.NONE | HowEnded.MIGRATED:
            return RunState.ABSENT
        case HowEnded.SHUT_DOWN:
            return RunState.SHUT_DOWN
        case _:
            return RunState.CRASHED


def _find_problem(vm: VmAssignment, state: HostState, told: Told) -> tuple[Problem | None, int]:
    """Return why it is not as assigned, None when it is or needs nobody's help; and how far storage is."""
    if (failed := told.problems.get(vm.uid)) is not None:
        return failed, 0
    storage = state.storage.get(vm.uid)
    if vm.role is VmRole.REMOVE:
        if storage is not None and storage.problem:
            return Problem(storage.reason, storage.problem), 0
        return None, 0
    if storage is not None and storage.reason:
        return Problem(storage.reason, storage.problem), storage.progress_percent
    if vm.uid in state.domains or vm.role is not VmRole.RUN or vm.power_state is PowerState.OFF:
        return None, 0
    if obstacle := find_obstacle(vm, state):
        return Problem("NAME_TAKEN", obstacle), 0
    if not may_start(vm, record := told.records.get(vm.uid)) and record is not None:
        return _why_not_started(vm, record), 0
    return None, 0


def _why_not_started(vm: VmAssignment, record: Record) -> Problem | None:
    match record.ended:
        case HowEnded.NONE:
            return None
        case HowEnded.MIGRATED:
            return Problem("MIGRATED", "it was migrated to another host")
        case HowEnded.SHUT_DOWN:
            how = "the guest shut itself down"
        case HowEnded.DESTROYED:
            how = "somebody destroyed its domain"
        case HowEnded.REBOOTED:
            how = "the host was restarted"
        case _:
            how = "its process ended"
    return Problem(
        "ENDED",
        f"{how}; its restart policy ({vm.restart_policy}) leaves it off until it is switched on again",
    )
