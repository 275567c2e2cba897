"""What of a running machine can be changed while it runs, and what waits until it is next started. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from netctl_compute.actions import (
    Action,
    AttachDisk,
    AttachNic,
    ChangeMedium,
    DetachDisk,
    DetachNic,
    GrowDisk,
    MakeTap,
    SetNicLink,
)
from netctl_compute.assignment import DiskAssignment, DiskBus, DiskKind, VmAssignment, VmNicAssignment
from netctl_compute.domain_xml import target_name
from netctl_compute.state import Domain, DomainDisk, DomainNic, DomainShape, HostState, Tap

HOT_BUSES = frozenset({DiskBus.SCSI, DiskBus.PCI})
# The first words of VmReport.pending_restart that are no field of DomainShape.
DISKS, NICS = "disks", "nics"


def plan_hot(vm: VmAssignment, domain: Domain, state: HostState) -> Iterator[Action]:
    """Yield the changes that a running domain takes."""
    yield from _plan_disks(vm, domain, state)
    yield from _plan_nics(vm, domain, state)


def pending_restart(vm: VmAssignment, domain: Domain) -> tuple[str, ...]:
    """Return what of the assignment waits until the next start, one word each."""
    wanted, words = shape_of(vm), []
    for field in dataclasses.fields(DomainShape):
        here, there = getattr(wanted, field.name), getattr(domain.shape, field.name)
        # Without a model asked for, the one that QEMU took is as good as any.
        if here != there and not (field.name == "cpu_model" and not here):
            words.append(field.name)
    if any(_disks_that_wait(vm, domain)):
        words.append(DISKS)
    if any(_nics_that_wait(vm, domain)):
        words.append(NICS)
    return tuple(words)


def shape_of(vm: VmAssignment) -> DomainShape:
    """Return what the domain would be like if it were started now."""
    return DomainShape(
        num_vcpus=vm.num_vcpus,
        num_cores_per_vcpu=vm.num_cores_per_vcpu,
        num_threads_per_core=vm.num_threads_per_core,
        memory_mib=vm.memory_mib,
        memory_overcommit=vm.memory_overcommit,
        num_vnuma_nodes=vm.num_vnuma_nodes,
        boot_order=tuple(device.value for device in vm.boot_order),
        firmware=vm.firmware,
        machine_type=vm.machine_type,
        secure_boot=vm.secure_boot,
        cpu_model="" if vm.cpu_passthrough else vm.cpu_model,
        cpu_passthrough=vm.cpu_passthrough,
        pci_devices=vm.pci_devices,
        gpu_profiles=vm.gpu_profiles,
    )


def _plan_disks(vm: VmAssignment, domain: Domain, state: HostState) -> Iterator[Action]:
    storage = state.storage.get(vm.uid)
    if storage is None:
        return
    there = {disk.uid: disk for disk in domain.disks}
    for disk in vm.disks:
        found = there.get(disk.uid)
        file = storage.disks.get(disk.uid)
        if found is None:
            if _is_hot(disk.kind, disk.bus) and file is not None:
                yield AttachDisk(vm=vm.vm, uid=vm.uid, disk=disk)
        elif disk.kind is DiskKind.CDROM:
            # A medium that is still fetched is no reason to take the old one out.
            waits = bool(disk.image) and file is None
            path = str(file.path) if file is not None else ""
            if path != found.path and not waits:
                yield ChangeMedium(vm=vm.vm, uid=vm.uid, target=found.target, path=path)
        elif disk.uid in storage.to_grow:
            yield GrowDisk(vm=vm.vm, uid=vm.uid, target=found.target, size_bytes=storage.to_grow[disk.uid])
    for found in _unassigned(vm, domain):
        if found.device == DiskKind.DISK and found.bus in HOT_BUSES:
            yield DetachDisk(vm=vm.vm, uid=vm.uid, target=found.target)


def _plan_nics(vm: VmAssignment, domain: Domain, state: HostState) -> Iterator[Action]:
    there = {nic.tap: nic for nic in domain.nics}
    for nic in vm.nics:
        found = there.get(nic.tap_name)
        tap = state.taps.get(nic.tap_name)
        if found is None:
            wanted = Tap(
                name=nic.tap_name, mtu_bytes=nic.mtu_bytes or 1500, multi_queue=nic.queues > 1, owner=vm.uid
            )
            if tap == wanted:
                yield AttachNic(vm=vm.vm, uid=vm.uid, nic=nic)
            else:
                yield MakeTap(vm=vm.vm, uid=vm.uid, tap=wanted)
        elif found.link_up == nic.disconnected:
            yield SetNicLink(vm=vm.vm, uid=vm.uid, tap=nic.tap_name, up=not nic.disconnected)
    wanted_taps = {nic.tap_name for nic in vm.nics}
    for found in domain.nics:
        if found.tap not in wanted_taps:
            yield DetachNic(vm=vm.vm, uid=vm.uid, tap=found.tap)


def _is_hot(kind: DiskKind, bus: DiskBus) -> bool:
    return kind is DiskKind.DISK and bus in HOT_BUSES


def _unassigned(vm: VmAssignment, domain: Domain) -> Iterator[DomainDisk]:
    assigned = {disk.uid for disk in vm.disks}
    return (disk for disk in domain.disks if disk.uid and disk.uid not in assigned)


def _disks_that_wait(vm: VmAssignment, domain: Domain) -> Iterator[DiskAssignment | DomainDisk]:
    there = {disk.uid: disk for disk in domain.disks}
    for disk in vm.disks:
        found = there.get(disk.uid)
        if found is None or (found.bus, found.target) != (disk.bus, target_name(disk.bus, disk.index)):
            yield disk
    yield from _unassigned(vm, domain)


def _nics_that_wait(vm: VmAssignment, domain: Domain) -> Iterator[VmNicAssignment | DomainNic]:
    there = {nic.tap: nic for nic in domain.nics}
    for nic in vm.nics:
        found = there.pop(nic.tap_name, None)
        wanted = (nic.mac_address.lower(), nic.model, nic.queues, nic.mtu_bytes)
        if found is None or (found.mac_address.lower(), found.model, found.queues, found.mtu_bytes) != wanted:
            yield nic
    yield from there.values()
