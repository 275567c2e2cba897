"""Admission of Vm: what is decided at its start, what may change while it runs, and what it refers to."""

from __future__ import annotations

from netctl.errors import InvalidIntent
from netctl.model.admit_disks import admit_disks, is_restored
from netctl.model.admit_security import check_categories_exist
from netctl.model.dependents import copies_ahead
from netctl.model.keys import Kind
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, in_motion, in_use, replace_unchecked, stamp
from netctl.model.vm import GuestCustomization, MachineType, PowerState, Sealed, Vm
from netctl.model.vm_migration import Stage

_KEPT_ON = ("memory_overcommit", "firmware", "machine_type", "secure_boot", "num_vnuma_nodes")
# What a migration copies or compares: the same at both ends, until it has ended.
_KEPT_MOVING = (
    "num_vcpus",
    "num_cores_per_vcpu",
    "num_threads_per_core",
    "memory_mib",
    "disks",
    "boot_order",
    "power_state",
    "cpu_model",
    "cpu_passthrough",
    "agent_vm",
    "pci_devices",
    "gpu_profiles",
    "customization",
    "reset_epoch",
)


def admit_vm(asked: Vm, before: Vm | None, draft: Draft, context: Context) -> Vm:
    """Return the virtual machine to store.

    A `power_epoch` or `reset_epoch` above the stored one asks for another start, or a reset: it is one more then.
    Customization that is all empty stays what it is. What is decided by us is taken from `before`, whatever was asked.
    """
    asked = replace_unchecked(asked, deleting=False)
    if before is not None:
        _check_changeable(asked, before)
    _check_references(asked, before, draft)
    _check_memory(asked, before, context)
    machine_type = _machine_type(asked, before)
    vm = replace_unchecked(asked, meta=stamp(asked.meta, before, context), machine_type=machine_type)
    disks = admit_disks(vm, before, draft, context)
    vm = _decided(replace_unchecked(vm, disks=disks), before, context)
    if before is not None:
        _check_stays_off(vm, before)
        check_still(vm, before, draft)
    if vm.is_on and (before is None or not before.is_on):
        _check_not_copied(vm, draft)
    return vm


def check_still(after: Vm, before: Vm, draft: Draft) -> None:
    """Refuse to change what a migration counts on, once it has begun."""
    migration = draft.active_migration_of(before.id)
    if migration is None or migration.stage is Stage.QUEUED:
        return
    for field in _KEPT_MOVING:
        if getattr(after, field) != getattr(before, field):
            raise in_motion(before.id, migration.id, field)


def _decided(vm: Vm, before: Vm | None, context: Context) -> Vm:
    """Return a machine with all that is ours to say."""
    if before is None:
        return replace_unchecked(
            vm,
            host="",
            generation_id=context.new_uid(),
            vtpm_secret=context.seal(context.new_secret()) if vm.vtpm else Sealed(""),
            effective_cpu_model="",
            power_epoch=int(vm.is_on),
            reset_epoch=0,
        )
    starts = vm.power_state is not PowerState.OFF and before.power_state is PowerState.OFF
    counts = starts or (vm.power_state is PowerState.ON and before.power_state is not PowerState.ON)
    again = vm.is_on and vm.power_epoch > before.power_epoch
    restored = is_restored(before, vm.disks)
    nothing_told = vm.customization == GuestCustomization()
    return replace_unchecked(
        vm,
        host=before.host,
        generation_id=context.new_uid() if restored else before.generation_id,
        vtpm_secret=before.vtpm_secret,
        effective_cpu_model="" if starts else before.effective_cpu_model,
        power_epoch=before.power_epoch + (counts or again),
        reset_epoch=before.reset_epoch + (vm.reset_epoch > before.reset_epoch),
        customization=before.customization if nothing_told else vm.customization,
        template=before.template,
        template_version=before.template_version,
    )


def _check_changeable(asked: Vm, before: Vm) -> None:
    if before.deleting:
        raise InvalidIntent("name", f"vms/{before.id} is being deleted: it cannot change any more")
    check_kept("cluster", before.cluster, asked.cluster)
    check_kept("vtpm", str(before.vtpm).lower(), str(asked.vtpm).lower())
    if asked.reset_epoch > before.reset_epoch and not (asked.is_on and before.is_on):
        raise InvalidIntent("power_state", f"vms/{before.id} is OFF, and only one that is ON can be reset")


def _check_stays_off(vm: Vm, before: Vm) -> None:
    """Refuse to change what a running machine cannot, and its next start would surprise with."""
    if not (vm.is_on and before.is_on):
        return
    for field in _KEPT_ON:
        if getattr(vm, field) != getattr(before, field):
            raise InvalidIntent(
                field, f"cannot change while vms/{vm.id} is {before.power_state.name}: switch it off first"
            )


def _machine_type(asked: Vm, before: Vm | None) -> MachineType:
    if asked.machine_type is not MachineType.AUTO:
        return asked.machine_type
    if asked.secure_boot:
        return MachineType.Q35
    return before.machine_type if before is not None else MachineType.PC


def _check_references(asked: Vm, before: Vm | None, draft: Draft) -> None:
    if before is None and draft.cluster(asked.cluster) is None:
        raise absent((Kind.CLUSTER, asked.cluster), "cluster")
    check_categories_exist(asked.categories, draft)
    if before is not None and asked.affinity_hosts == before.affinity_hosts:
        return  # a migration to another cluster leaves them
    for i, id in enumerate(asked.affinity_hosts):
        host = draft.host(id)
        if host is None:
            raise absent((Kind.HOST, id), f"affinity_hosts[{i}]")
        if host.cluster != asked.cluster:
            raise InvalidIntent(
                f"affinity_hosts[{i}]",
                f"hosts/{id} is in clusters/{host.cluster}, this machine in clusters/{asked.cluster}: use a host of"
                " the same cluster",
            )


def _check_memory(asked: Vm, before: Vm | None, context: Context) -> None:
    grows = before is None or asked.memory_mib > before.memory_mib
    if grows and 0 < context.largest_memory_mib < asked.memory_mib:
        raise InvalidIntent(
            "memory_mib",
            f"{asked.memory_mib} MiB are more than any host has: the largest can give {context.largest_memory_mib}",
        )


def _check_not_copied(vm: Vm, draft: Draft) -> None:
    """Refuse to start a machine whose disks are still to be copied: the copies would be torn."""
    waiting = copies_ahead(vm, draft)
    if waiting:
        raise in_use(f"the disks of vms/{vm.id}, still to be copied, are used", waiting, field="power_state")
