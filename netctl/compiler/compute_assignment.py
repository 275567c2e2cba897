"""Host to ComputeAssignment: everything that the compute agent of one host must make of its libvirt. Pure.

Comes in: intents, and of what compute agents reported three things that one host has to know of another: which stores
are the same, where a host takes migrations, how large disks are. Roles are those of docs/design/compute.md's table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from netctl.model.compute_assignment import (
    ComputeAssignment,
    DiskAssignment,
    DiskExport,
    MigrationOrder,
    VmAssignment,
    VmNicAssignment,
    VmRole,
)
from netctl.model.compute_report import ComputeReport
from netctl.model.disk import Disk
from netctl.model.infra import Host
from netctl.model.keys import HostId, Uid
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.model.vm import PASSTHROUGH, PowerState, Vm
from netctl.model.vm_migration import ITERATIONS_MAX, PAUSE_MAX_MS, Stage

Reports = Mapping[HostId, ComputeReport]
MEASURED_MAX = 64
# What the destination is for a machine, stage by stage; from SETTLING on it is the machine's host.
_AT_DESTINATION = {
    Stage.PREPARING: VmRole.PLACEHOLDER,
    Stage.BINDING: VmRole.PLACEHOLDER,
    Stage.COPYING: VmRole.PLACEHOLDER,
    Stage.ABORTING: VmRole.REMOVE,
}
_AT_SOURCE = {Stage.CLEANING: VmRole.REMOVE}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A machine on a host: what the host is for it, and the other host of the migration that says so, if any."""

    vm: Vm
    role: VmRole
    other: HostId = HostId("")


def compile_compute_assignment(
    snapshot: Snapshot, host_id: HostId, epoch: int, reports: Reports
) -> ComputeAssignment | None:
    """Return the compute assignment of a host, None when there is no such host. Machines are ordered by id."""
    host = snapshot.host(host_id)
    if host is None:
        return None
    return ComputeAssignment(
        host=host.id,
        revision=snapshot.revision,
        epoch=epoch,
        vms=tuple(_assigned(snapshot, host, part, reports) for part in _parts(snapshot, host)),
        migrations=tuple(_orders(snapshot, host, reports)),
        exports=tuple(_exports(snapshot, host)),
        measured_hosts=dict(sorted(_measured(snapshot, host, reports))[:MEASURED_MAX]),
    )


def share_store(reports: Reports, one: HostId, other: HostId) -> bool | None:
    """Have two hosts the same store? None as long as one of them has not said."""
    stores = [reports[host].capacity.store_id for host in (one, other) if host in reports]
    return stores[0] == stores[1] if len(stores) == 2 and all(stores) else None


def _parts(snapshot: Snapshot, host: Host) -> list[_Part]:
    """Return the machines that a host has to do with: its own, and by what is still to be done for migrations."""
    found: dict[str, _Part] = {}
    for vm in snapshot.vms_of_host(host.id):
        found[vm.id] = _Part(vm=vm, role=VmRole.REMOVE if vm.deleting else VmRole.RUN)
    for migration in snapshot.active_migrations_of_host(host.id):
        there = migration.destination == host.id
        role = (_AT_DESTINATION if there else _AT_SOURCE).get(migration.stage)
        machine = snapshot.vm(migration.vm)
        if machine is not None and role is not None and machine.host != host.id:
            other = migration.source if there else migration.destination
            found[machine.id] = _Part(vm=machine, role=role, other=other)
    return [found[id] for id in sorted(found)]


def _assigned(snapshot: Snapshot, host: Host, part: _Part, reports: Reports) -> VmAssignment:
    vm, away = part.vm, part.role is VmRole.REMOVE
    assigned = VmAssignment(
        vm=vm.id,
        uid=vm.meta.uid,
        role=part.role,
        power_state=vm.power_state if vm.is_placed else PowerState.OFF,
        graceful_off=vm.graceful_off,
        restart_policy=vm.restart_policy,
        power_epoch=vm.power_epoch,
        reset_epoch=vm.reset_epoch,
        memory_mib=vm.memory_mib,
        disks=tuple(_disk(snapshot, vm, disk, part.other, reports) for disk in vm.disks),
        nics=tuple(_nics(snapshot, host, vm)),
        # Disks are deleted where nobody else has them, never on a guess.
        keep_disks=away and bool(part.other) and share_store(reports, host.id, vm.host) is not False,
    )
    return assigned if away else _with_machine(assigned, vm)


def _with_machine(assigned: VmAssignment, vm: Vm) -> VmAssignment:
    """Add what only a host needs that has the machine, or will: its devices, and its secrets."""
    passed = vm.cpu_passthrough or vm.effective_cpu_model == PASSTHROUGH
    return replace(
        assigned,
        num_vcpus=vm.num_vcpus,
        num_cores_per_vcpu=vm.num_cores_per_vcpu,
        num_threads_per_core=vm.num_threads_per_core,
        memory_overcommit=vm.memory_overcommit,
        num_vnuma_nodes=vm.num_vnuma_nodes,
        boot_order=vm.boot_order,
        firmware=vm.firmware,
        machine_type=vm.machine_type,
        secure_boot=vm.secure_boot,
        vtpm=vm.vtpm,
        generation_id=vm.generation_id,
        cpu_model="" if passed else vm.effective_cpu_model,
        cpu_passthrough=passed,
        pci_devices=vm.pci_devices,
        gpu_profiles=vm.gpu_profiles,
        vtpm_secret=vm.vtpm_secret,
        customization=vm.customization,
        description=vm.description,
    )


def _disk(snapshot: Snapshot, vm: Vm, disk: Disk, other: HostId, reports: Reports) -> DiskAssignment:
    image = snapshot.image(disk.image) if disk.image else None
    size_bytes = disk.size_bytes or (image.size_bytes if image is not None else 0)
    if other:  # what is copied there must be as large as it is here
        size_bytes = _size_there(reports.get(vm.host), vm, disk.uid) or size_bytes
    return DiskAssignment(
        uid=disk.uid,
        kind=disk.kind,
        bus=disk.bus,
        index=disk.index,
        size_bytes=size_bytes,
        image=disk.image,
        image_sha256=image.sha256 if image is not None else "",
        source_vm_uid=disk.source_vm_uid,
        source_disk=disk.source_disk,
    )


def _size_there(report: ComputeReport | None, vm: Vm, disk: Uid) -> int:
    reported = (one for one in report.vms if one.vm == vm.id) if report is not None else ()
    return next((one.disk_bytes.get(disk, 0) for one in reported), 0)


def _nics(snapshot: Snapshot, host: Host, vm: Vm) -> Iterator[VmNicAssignment]:
    """Yield the interfaces of a machine, the oldest first: the guest finds them in this order."""
    for nic in sorted(snapshot.nics_of_vm(vm.id), key=lambda nic: (nic.meta.create_time_s, nic.id)):
        yield VmNicAssignment(
            nic=nic.id,
            tap_name=nic.tap_name,
            mac_address=nic.mac_address,
            mtu_bytes=_mtu_bytes(snapshot, host, nic),
            model=nic.model,
            queues=nic.queues,
            disconnected=not nic.connected,
        )


def _mtu_bytes(snapshot: Snapshot, host: Host, nic: Nic) -> int:
    subnet = snapshot.subnet(nic.subnet) if nic.subnet else None
    if subnet is not None:
        return subnet.mtu_bytes
    switches = (snapshot.virtual_switch(id) for id in host.switches)
    return max((switch.mtu_bytes for switch in switches if switch is not None), default=0)


def _orders(snapshot: Snapshot, host: Host, reports: Reports) -> Iterator[MigrationOrder]:
    """Yield the copies that a host has to make. One stays an order also while the destination is not known."""
    for migration in sorted(snapshot.active_migrations_of_host(host.id), key=lambda one: one.id):
        if migration.source != host.id or migration.stage is not Stage.COPYING:
            continue
        there = reports.get(migration.destination)
        yield MigrationOrder(
            migration=migration.id,
            attempt=migration.attempt,
            vm=migration.vm,
            destination=migration.destination,
            destination_address=there.capacity.migration_address if there is not None else "",
            bandwidth_mbps=migration.bandwidth_mbps,
            copy_disks=share_store(reports, host.id, migration.destination) is False,
            iterations_max=ITERATIONS_MAX,
            pause_max_ms=PAUSE_MAX_MS,
            abort=migration.abort,
        )


def _exports(snapshot: Snapshot, host: Host) -> Iterator[DiskExport]:
    """Yield the images that are to be made of disks here."""
    images = (image for vm in snapshot.vms_of_host(host.id) for image in snapshot.images_of_vm(vm.id))
    for image in sorted(images, key=lambda image: image.id):
        yield DiskExport(image=image.id, vm_uid=image.source_vm_uid, disk=image.source_disk)


def _measured(snapshot: Snapshot, host: Host, reports: Reports) -> Iterator[tuple[HostId, str]]:
    """Yield the hosts to which the way is measured before a machine goes to another cluster."""
    for migration in snapshot.active_migrations_of_host(host.id):
        if migration.source != host.id or migration.stage is not Stage.QUEUED or not migration.cross_cluster:
            continue
        for id, report in reports.items():
            other = snapshot.host(id)
            if (
                other is not None
                and other.cluster != host.cluster
                and migration.destination in (id, "")
                and report.capacity.migration_address
            ):
                yield id, report.capacity.migration_address
