"""Gate 3 for virtual machines, and for what compute agents make of hosts. Pure: intents and reports -> verdict."""

from __future__ import annotations

from netctl.model.compute_report import RunState, VmReport
from netctl.model.infra import Host
from netctl.model.keys import HostId
from netctl.model.snapshot import Snapshot
from netctl.model.status import Phase
from netctl.model.vm import PowerState, RestartPolicy, Vm
from netctl.model.vm_migration import Stage
from netctl.reconciler.status_vpc import PROGRAMMED, Verdict
from netctl.reconciler.world import NAMED, World, named

# What an agent is still doing: no failure.
UNDER_WAY = frozenset({"IMAGE_FETCHING", "DISK_COPYING", "DISK_MISSING", "FIRMWARE_MISSING", "SEED_MISSING"})
_ENDED = frozenset({RunState.ABSENT, RunState.SHUT_DOWN, RunState.CRASHED})


def vm_verdict(vm: Vm, snapshot: Snapshot, world: World) -> Verdict:
    """Say whether a machine is what it is to be."""
    if vm.is_on and not vm.is_placed:
        return _unplaced(vm, world)
    if not vm.host:
        return PROGRAMMED  # OFF, and on no host that would have anything of it
    down = compute_down(vm.host, world)
    if down is not None:
        return down
    if vm.deleting:
        return _deleting(vm, world)
    moves = _moves(vm, snapshot)
    if moves is not None:
        return moves
    heard = world.compute(vm.host)
    seen = heard.vms.get(vm.id)
    if seen is not None and seen.uid == vm.meta.uid and seen.problem:
        return _problem(seen)
    current = heard.report is not None and heard.report.assignment_revision >= vm.meta.revision
    if seen is None or seen.uid != vm.meta.uid or not current:
        return (
            Phase.PENDING,
            "WAITING_FOR_AGENT",
            f"the compute agent of host {vm.host} has not applied this revision yet",
        )
    return _ran(vm, seen)


def compute_down(host: HostId, world: World) -> Verdict | None:
    """Say what is wrong with a host whose machines nobody can know of; None when nothing is."""
    heard = world.compute(host)
    if heard.connected and heard.report is not None:
        if heard.report.libvirt_connected:
            return None
        problems = "; ".join(heard.report.problems) or "start it there"
        return Phase.FAILED, "LIBVIRT_DOWN", f"libvirtd of host {host} does not answer: {problems}"
    if world.starting:
        return Phase.PENDING, "WAITING_FOR_HOST", f"the compute agent of host {host} has not connected yet"
    return (
        Phase.FAILED,
        "HOST_DOWN",
        f"the compute agent of host {host} is not connected: start netctl-compute-agent there, or check its network;"
        " its machines stay its own",
    )


def compute_verdict(host: Host, snapshot: Snapshot, world: World) -> Verdict | None:
    """Say what is wrong with a host's machines, or how far its maintenance is; None where there is nothing to say."""
    guests = sorted(snapshot.vms_of_host(host.id), key=lambda vm: vm.id)
    down = compute_down(host.id, world) if guests else None
    if down is not None:
        return down[0], "COMPUTE_AGENT_DOWN" if down[1] == "HOST_DOWN" else down[1], down[2]
    report = world.compute(host.id).report
    if guests and report is not None and report.problems:
        return Phase.FAILED, "COMPUTE_PROBLEM", "; ".join(report.problems)
    if not host.maintenance:
        return None
    left = {vm.id for vm in guests if vm.is_on}
    left |= {one.vm for one in snapshot.active_migrations_of_host(host.id) if one.source == host.id}
    blocked = world.blocked(host.id)
    if blocked:
        told = [f"vms/{id}: {why}" for id, why in sorted(blocked.items())[:NAMED]]
        more = f"; and {len(blocked) - NAMED} more" if len(blocked) > NAMED else ""
        return (
            Phase.FAILED,
            "MAINTENANCE_BLOCKED",
            f"{len(left)} machine(s) are still on here, {len(blocked)} of them cannot leave: {'; '.join(told)}{more}",
        )
    if left:
        return Phase.PENDING, "MAINTENANCE", f"{len(left)} machine(s) still leave: {named(left)}"
    return Phase.PROGRAMMED, "MAINTENANCE", "it is empty: none of its machines is on"


def _unplaced(vm: Vm, world: World) -> Verdict:
    down = compute_down(vm.host, world) if vm.host else None
    if down is not None:
        return down
    waits = world.unplaced(vm.id)
    if waits is None:
        return Phase.PENDING, "WAITING_FOR_PLACE", "a host is looked for"
    phase = Phase.PENDING if waits.passing or world.starting else Phase.FAILED
    return phase, "NO_HOST_FITS", waits.message


def _deleting(vm: Vm, world: World) -> Verdict:
    seen = world.compute(vm.host).vms.get(vm.id)
    why = f": {seen.problem}" if seen is not None and seen.problem else ""
    return Phase.PENDING, "DELETING", f"host {vm.host} removes it{why}"


def _moves(vm: Vm, snapshot: Snapshot) -> Verdict | None:
    """Say that a machine is on its way: it runs all the while, and either host may be the one that has it."""
    migration = snapshot.active_migration_of(vm.id)
    if migration is None or migration.stage is Stage.QUEUED or not vm.is_on:
        return None
    where = f"from host {migration.source} to {migration.destination}"
    return Phase.PROGRAMMED, "MIGRATING", f"vmMigrations/{migration.id} {where}: {migration.stage.name}"


def _problem(seen: VmReport) -> Verdict:
    progress = f" ({seen.progress_percent} %)" if seen.progress_percent else ""
    phase = Phase.PENDING if seen.reason in UNDER_WAY else Phase.FAILED
    return phase, seen.reason or "HOST_PROBLEM", f"{seen.problem}{progress}"


def _ran(vm: Vm, seen: VmReport) -> Verdict:
    """Compare what a machine does with what it is to do."""
    state = seen.run_state
    if vm.power_state is PowerState.OFF:
        if state in _ENDED:
            return PROGRAMMED
        asked = state is RunState.SHUTTING_DOWN or vm.graceful_off
        why = "the guest was asked to shut down and has not yet" if asked else f"it is {state.value}"
        return Phase.PENDING, "SWITCHING_OFF", why
    if seen.power_epoch < vm.power_epoch:
        return Phase.PENDING, "STARTING", f"host {vm.host} starts it"
    if seen.reset_epoch < vm.reset_epoch and state not in _ENDED:
        return Phase.PENDING, "RESETTING", f"host {vm.host} resets it"
    if state in _ENDED:
        return _ended(vm, state)
    wanted = RunState.PAUSED if vm.power_state is PowerState.PAUSED else RunState.RUNNING
    if state is not wanted:
        return Phase.PENDING, "STARTING", f"it is {state.value}, and will be {wanted.value}"
    if seen.pending_restart:
        changes = ", ".join(seen.pending_restart)
        return Phase.PROGRAMMED, "RESTART_NEEDED", f"waits until it is switched off and on: {changes}"
    return PROGRAMMED


def _ended(vm: Vm, state: RunState) -> Verdict:
    """Say what becomes of a machine that ended by itself."""
    crashed = state is RunState.CRASHED
    stays = vm.restart_policy is RestartPolicy.NEVER or (
        vm.restart_policy is RestartPolicy.ON_FAILURE and not crashed
    )
    if state is RunState.ABSENT or not stays:
        return Phase.PENDING, "STARTING", f"it is {state.value}: host {vm.host} starts it"
    why = f"and restart_policy {vm.restart_policy.name} leaves it so: switch it on again"
    if crashed:
        return Phase.FAILED, "CRASHED", f"its process ended, {why}"
    return Phase.PROGRAMMED, "SHUT_DOWN", f"the guest shut itself down, {why}"
