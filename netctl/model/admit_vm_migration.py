"""Admission of VmMigration: who may move and where to, and each stage that a migration enters."""

from __future__ import annotations

from netctl.errors import AlreadyExists, Conflict, InUse, InvalidIntent
from netctl.model.infra import Host
from netctl.model.intent import Advance, key_of
from netctl.model.keys import HostId, Kind
from netctl.model.snapshot import Draft
from netctl.model.stamp import (
    Admitted,
    Context,
    absent,
    check_kept,
    replace_unchecked,
    stamp,
    updated,
)
from netctl.model.vm import PowerState, Vm
from netctl.model.vm_migration import KEPT_OF_VM, NEXT, Evidence, Stage, StageEntered, VmMigration
from netctl.model.vm_moves import check_reach, moved, removed_alone

_GIVEN = ("vm", "destination", "bandwidth_mbps", "cross_cluster", "retries")
_ABORTABLE = frozenset({Stage.QUEUED, Stage.PREPARING, Stage.BINDING, Stage.COPYING, Stage.ABORTING})


def admit_vm_migration(
    asked: VmMigration, before: VmMigration | None, draft: Draft, context: Context
) -> VmMigration:
    """Return the migration to store: a new one is QUEUED; of one that is there only `abort` can be set."""
    if before is not None:
        return _admit_abort(asked, before, context)
    vm = _vm(asked, draft)
    if asked.abort:
        raise InvalidIntent("abort", "stops a migration that goes on; leave it unset")
    if asked.destination:
        _check_destination(asked.destination, asked.cross_cluster, vm, draft)
    return replace_unchecked(
        asked,
        meta=stamp(asked.meta, None, context),
        source=vm.host,
        stage=Stage.QUEUED,
        failure="",
        failure_message="",
        evidence=Evidence(),
        steps=(StageEntered(stage=Stage.QUEUED, time_s=context.time_s),),
        attempt=1,
    )


def advance(edit: Advance, before: VmMigration, draft: Draft, context: Context) -> tuple[Admitted, ...]:
    """Let a migration enter its next stage; with SETTLING its machine is at the destination."""
    if before.stage is not edit.if_stage:
        raise Conflict(
            f"vmMigrations/{before.id} is at {before.stage.name}, not {edit.if_stage.name}: read it again and retry",
            field="if_stage",
        )
    if edit.stage not in NEXT[before.stage]:
        ways = ", ".join(stage.name for stage in NEXT[before.stage]) or "nowhere: it has ended"
        raise InvalidIntent("stage", f"{edit.stage.name} does not follow {before.stage.name}, but {ways}")
    after = replace_unchecked(_entered(edit, before, context), **_ends(edit, before, draft))
    after = updated(after, context)
    draft.put(after)
    first = Admitted(key=key_of(before), before=before, after=after)
    if edit.stage is not Stage.SETTLING:
        return (first,)
    vm, host = draft.vm(after.vm), draft.host(after.destination)
    assert vm is not None, "a machine that moves cannot be removed"
    assert host is not None, "a host that a machine moves to cannot be removed"
    return (first, *moved(vm, host, draft, context))


def check_ended(migration: VmMigration) -> None:
    """Refuse to remove a migration that goes on."""
    if migration.is_active:
        text = f"vmMigrations/{migration.id} moves vms/{migration.vm}: abort it, or wait for its end"
        error = InUse(text, dependents=(f"vms/{migration.vm}",), total=1)
        error.field = "name"
        raise error


def given_up(before: Vm, after: Vm, draft: Draft, context: Context) -> tuple[Admitted, ...]:
    """End the migration of a machine that was switched off while it waited for its turn."""
    migration = draft.active_migration_of(after.id) if before.is_on and not after.is_on else None
    if migration is None:
        return ()  # one that has begun does not let it be switched off
    text = f"vms/{after.id} was switched off before it moved"
    edit = Advance(
        migration=migration.id, if_stage=Stage.QUEUED, stage=Stage.FAILED, failure="VM_OFF", message=text
    )
    return advance(edit, migration, draft, context)


def prune(created: VmMigration, draft: Draft) -> tuple[Admitted, ...]:
    """Remove the oldest migrations of a machine that ended, but for as many as are kept."""
    ended = [one for one in draft.migrations_of_vm(created.vm) if not one.is_active]
    ended.sort(key=lambda one: (one.meta.create_time_s, one.meta.revision, one.id))
    return tuple(removed_alone(one, draft) for one in ended[:-KEPT_OF_VM])


def _admit_abort(asked: VmMigration, before: VmMigration, context: Context) -> VmMigration:
    for field in _GIVEN:
        check_kept(field, str(getattr(before, field)), str(getattr(asked, field)))
    if before.abort and not asked.abort:
        raise InvalidIntent("abort", "cannot be taken back: create another migration when this one has ended")
    if asked.abort and not before.abort and before.stage not in _ABORTABLE:
        ended = (
            "it has ended" if not before.is_active else "the virtual machine runs at the destination already"
        )
        raise InvalidIntent("abort", f"comes too late, {ended} ({before.stage.name})")
    return replace_unchecked(before, meta=stamp(asked.meta, before, context), abort=asked.abort)


def _vm(asked: VmMigration, draft: Draft) -> Vm:
    vm = draft.vm(asked.vm)
    if vm is None:
        raise absent((Kind.VM, asked.vm), "vm")
    _check_movable(vm)
    other = draft.active_migration_of(vm.id)
    if other is not None:
        raise AlreadyExists(
            f"vms/{vm.id} is moved by vmMigrations/{other.id} already: wait for its end, or abort it",
            field="vm",
        )
    return vm


def _check_movable(vm: Vm) -> None:
    if vm.deleting:
        raise InvalidIntent("vm", f"vms/{vm.id} is being deleted")
    if vm.power_state is not PowerState.ON:
        raise InvalidIntent(
            "vm", f"vms/{vm.id} is {vm.power_state.name}, and one that is ON moves: switch it on first"
        )
    if not vm.is_placed:
        raise InvalidIntent("vm", f"vms/{vm.id} was not started yet: wait until it is on a host")
    for field, what in (
        ("agent_vm", "belongs to its host (agent_vm)"),
        ("cpu_passthrough", "has the CPU of its host as it is (cpu_passthrough)"),
        ("pci_devices", "has devices of its host (pci_devices)"),
        ("gpu_profiles", "has a part of a GPU of its host (gpu_profiles)"),
    ):
        if getattr(vm, field):
            raise InvalidIntent("vm", f"vms/{vm.id} {what}: it cannot move while it runs; switch it off")


def _check_destination(id: HostId, cross_cluster: bool, vm: Vm, draft: Draft) -> Host:
    host = draft.host(id)
    if host is None:
        raise absent((Kind.HOST, id), "destination")
    if id == vm.host:
        raise InvalidIntent("destination", f"vms/{vm.id} is on hosts/{id}: name another host")
    if host.cluster != vm.cluster:
        if not cross_cluster:
            raise InvalidIntent(
                "destination",
                f"hosts/{id} is in clusters/{host.cluster}, vms/{vm.id} in clusters/{vm.cluster}: set cross_cluster,"
                " or name a host of the same cluster",
            )
        check_reach(vm, host, draft, "destination")
    return host


def _ends(edit: Advance, before: VmMigration, draft: Draft) -> dict[str, HostId]:
    """Return from where to where, which is certain from the moment that a migration leaves QUEUED."""
    if edit.destination and (before.destination or edit.stage is not Stage.PREPARING):
        check_kept("destination", before.destination, edit.destination)
    if edit.stage is not Stage.PREPARING:
        return {}
    vm = draft.vm(before.vm)
    assert vm is not None, "a machine that moves cannot be removed"
    _check_movable(vm)
    destination = before.destination or edit.destination
    if not destination:
        raise InvalidIntent("destination", "is not chosen: name a host")
    _check_destination(destination, before.cross_cluster, vm, draft)
    return {"source": vm.host, "destination": destination}


def _entered(edit: Advance, before: VmMigration, context: Context) -> VmMigration:
    step = StageEntered(stage=edit.stage, time_s=context.time_s, message=edit.message)
    if edit.stage is Stage.QUEUED:
        return replace_unchecked(
            before,
            stage=edit.stage,
            steps=(step,),
            attempt=before.attempt + 1,
            evidence=Evidence(),
            failure="",
            failure_message="",
        )
    failed = bool(edit.failure)
    return replace_unchecked(
        before,
        stage=edit.stage,
        steps=(*before.steps, step),
        evidence=before.evidence if edit.evidence is None else edit.evidence,
        failure=edit.failure if failed else before.failure,
        failure_message=edit.message if failed else before.failure_message,
    )
