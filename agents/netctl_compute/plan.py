"""(assignment, HostState, what ran before) -> actions. Pure: the table "Run states" of docs/design/compute.md.

A machine is looked at alone: nothing of one stops another. What waits for something yields nothing for it now; the
next round of the same pass, or the next pass, sees that it is there. Domains that are not in the assignment are never
touched, and so are their taps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from netctl_compute.actions import (
    Action,
    DestroyDomain,
    MakeTap,
    PauseDomain,
    PrepareStorage,
    PressPower,
    RemoveSecret,
    RemoveStorage,
    RemoveTap,
    RemoveTpmState,
    ResetDomain,
    ResumeDomain,
    SetSecret,
    StartDomain,
)
from netctl_compute.assignment import (
    ComputeAssignment,
    PowerState,
    RestartPolicy,
    VmAssignment,
    VmNicAssignment,
    VmRole,
)
from netctl_compute.plan_hot import plan_hot
from netctl_compute.records import Record
from netctl_compute.reported import RunState
from netctl_compute.state import Domain, HostState, HowEnded, Tap
from netctl_compute.tpm_secret import secret_uid

_GONE = frozenset({RunState.SHUT_DOWN, RunState.CRASHED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the host itself no longer shows: `records` by uid, and whose next start waits after failures."""

    records: Mapping[str, Record]
    waiting: frozenset[str] = frozenset()


def plan(assignment: ComputeAssignment, state: HostState, past: Past) -> tuple[Action, ...]:
    """Return what is to be done now, in this order."""
    moving = {order.vm for order in assignment.migrations}
    actions: list[Action] = []
    for vm in assignment.vms:
        match vm.role:
            case VmRole.RUN:
                actions += _run(vm, state, past, ordered=vm.vm in moving)
            case VmRole.PLACEHOLDER:
                actions += _make(vm, state)
            case VmRole.REMOVE:
                actions += _remove(vm, state)
    actions += _sweep_taps(assignment, state)
    return tuple(actions)


def may_start(vm: VmAssignment, record: Record | None) -> bool:
    """Does its policy let a machine start that has no domain?"""
    if record is None or vm.power_epoch > record.power_epoch:
        return True
    match record.ended:
        case HowEnded.NONE | HowEnded.MIGRATED:
            # It is not known yet how it ended, or it runs elsewhere: another copy would be worse than none.
            return False
        case HowEnded.SHUT_DOWN:
            return vm.restart_policy is RestartPolicy.ALWAYS
        case _:
            return vm.restart_policy is not RestartPolicy.NEVER


def is_ready(vm: VmAssignment, state: HostState) -> bool:
    """Is everything here that its domain needs?"""
    storage = state.storage.get(vm.uid)
    return storage is not None and storage.ready and not any(_make_devices(vm, state))


def find_obstacle(vm: VmAssignment, state: HostState) -> str:
    """Return why no domain of it can be made: another one, that is not ours, is in its place. "" when none is."""
    for domain in state.unknown:
        if domain.uid == vm.uid or domain.name == vm.vm:
            return f"a domain {domain.name} with UUID {domain.uid} is here and not ours: remove or rename it"
    return ""


def _run(vm: VmAssignment, state: HostState, past: Past, *, ordered: bool) -> Iterator[Action]:
    domain = state.domains.get(vm.uid)
    if domain is not None and domain.run_state not in _GONE:
        yield from _steer(vm, domain, state, ordered=ordered)
        return
    if domain is not None:
        yield DestroyDomain(vm=vm.vm, uid=vm.uid)  # what libvirt keeps of one that ended
        return
    if vm.power_state is PowerState.OFF:
        yield from _prepare(vm, state)
        return
    yield from _make(vm, state)
    starts = not ordered and vm.uid not in past.waiting and may_start(vm, past.records.get(vm.uid))
    if starts and is_ready(vm, state) and not find_obstacle(vm, state):
        yield StartDomain(vm=vm.vm, uid=vm.uid, assigned=vm, paused=vm.power_state is PowerState.PAUSED)


def _steer(vm: VmAssignment, domain: Domain, state: HostState, *, ordered: bool) -> Iterator[Action]:
    """Yield what a domain that is there lacks. One that is being copied belongs to its migration."""
    incoming = domain.run_state is RunState.INCOMING
    if vm.power_state is PowerState.OFF:
        gracefully = vm.graceful_off and domain.run_state in (RunState.RUNNING, RunState.SHUTTING_DOWN)
        yield (PressPower(vm=vm.vm, uid=vm.uid) if gracefully else DestroyDomain(vm=vm.vm, uid=vm.uid))
        return
    if ordered or incoming or vm.uid in state.migrating:
        return
    paused = domain.run_state is RunState.PAUSED
    if vm.power_state is PowerState.ON and vm.reset_epoch > domain.reset_epoch:
        yield ResetDomain(vm=vm.vm, uid=vm.uid, reset_epoch=vm.reset_epoch)
    if vm.power_state is PowerState.PAUSED and domain.run_state is RunState.RUNNING:
        yield PauseDomain(vm=vm.vm, uid=vm.uid)
    elif vm.power_state is PowerState.ON and paused:
        yield ResumeDomain(vm=vm.vm, uid=vm.uid)
    yield from _prepare(vm, state, domain_exists=True)
    yield from plan_hot(vm, domain, state)


def _make(vm: VmAssignment, state: HostState) -> Iterator[Action]:
    """Yield what makes everything that a domain needs, or that a migration does."""
    if vm.role is VmRole.PLACEHOLDER and vm.uid in state.domains:
        return  # it arrives, or arrived
    yield from _make_devices(vm, state)
    yield from _prepare(vm, state)


def _make_devices(vm: VmAssignment, state: HostState) -> Iterator[Action]:
    for nic in vm.nics:
        wanted = tap_of(vm, nic)
        if state.taps.get(nic.tap_name) != wanted:
            yield MakeTap(vm=vm.vm, uid=vm.uid, tap=wanted)
    if vm.vtpm and secret_uid(vm.uid) not in state.secrets:
        yield SetSecret(vm=vm.vm, uid=vm.uid, assigned=vm)


def tap_of(vm: VmAssignment, nic: VmNicAssignment) -> Tap:
    """Return the tap that an interface needs."""
    return Tap(name=nic.tap_name, mtu_bytes=nic.mtu_bytes or 1500, multi_queue=nic.queues > 1, owner=vm.uid)


def _prepare(vm: VmAssignment, state: HostState, *, domain_exists: bool = False) -> Iterator[Action]:
    storage = state.storage.get(vm.uid)
    if storage is None or not storage.ready or (storage.to_grow and not domain_exists):
        yield PrepareStorage(vm=vm.vm, uid=vm.uid, assigned=vm, domain_exists=domain_exists)


def _remove(vm: VmAssignment, state: HostState) -> Iterator[Action]:
    if vm.uid in state.domains:
        yield DestroyDomain(vm=vm.vm, uid=vm.uid)
        return
    if vm.vtpm and secret_uid(vm.uid) in state.secrets:
        yield RemoveSecret(vm=vm.vm, uid=vm.uid)
    if vm.uid in state.tpm_states:
        yield RemoveTpmState(vm=vm.vm, uid=vm.uid)
    storage = state.storage.get(vm.uid)
    if storage is not None and not storage.absent:
        yield RemoveStorage(vm=vm.vm, uid=vm.uid, assigned=vm)


def _sweep_taps(assignment: ComputeAssignment, state: HostState) -> Iterator[Action]:
    """Yield the removal of taps of ours that no domain has and no machine will need."""
    names = {vm.uid: vm.vm for vm in assignment.vms}
    needed = {nic.tap_name for vm in assignment.vms if _needs_taps(vm) for nic in vm.nics}
    needed.update(_used_taps(state.domains.values()))
    for tap in state.taps.values():
        if tap.owner and tap.name not in needed:
            yield RemoveTap(vm=names.get(tap.owner, ""), uid=tap.owner, tap=tap.name)


def _needs_taps(vm: VmAssignment) -> bool:
    if vm.role is VmRole.RUN:
        return vm.power_state is not PowerState.OFF
    return vm.role is VmRole.PLACEHOLDER


def _used_taps(domains: Collection[Domain]) -> Iterator[str]:
    for domain in domains:
        for nic in domain.nics:
            yield nic.tap
