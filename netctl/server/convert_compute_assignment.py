"""What hosts' libvirt must have, out: here, and only here, secrets are opened."""

from __future__ import annotations

from netctl.model.compute_assignment import (
    ComputeAssignment,
    DiskAssignment,
    MigrationOrder,
    VmAssignment,
    VmNicAssignment,
    VmRole,
)
from netctl.model.vm import GuestCustomization
from netctl.server.convert_vm import (
    BOOT_DEVICE_VALUES,
    DISK_BUS_VALUES,
    DISK_KIND_VALUES,
    FIRMWARE_VALUES,
    MACHINE_TYPE_VALUES,
    POWER_STATE_VALUES,
    RESTART_POLICY_VALUES,
    SECRETS,
)
from netctl.server.guest_secrets import Opener
from netctl.server.sealing import VTPM_SECRET
from netctl.v1 import agent_compute_pb2 as pb

_ROLES = {
    VmRole.RUN: pb.VM_ROLE_RUN,
    VmRole.PLACEHOLDER: pb.VM_ROLE_PLACEHOLDER,
    VmRole.REMOVE: pb.VM_ROLE_REMOVE,
}
_PLAIN = (
    "uid",
    "graceful_off",
    "power_epoch",
    "reset_epoch",
    "num_vcpus",
    "num_cores_per_vcpu",
    "num_threads_per_core",
    "memory_mib",
    "memory_overcommit",
    "num_vnuma_nodes",
    "secure_boot",
    "vtpm",
    "generation_id",
    "cpu_model",
    "cpu_passthrough",
    "keep_disks",
    "description",
)
_ORDER_PLAIN = (
    "attempt",
    "destination_address",
    "bandwidth_mbps",
    "copy_disks",
    "iterations_max",
    "pause_max_ms",
    "abort",
)


def compute_assignment_to_proto(assignment: ComputeAssignment, opener: Opener) -> pb.ComputeAssignment:
    """Return the message of an assignment, with its secrets: for the host's own agent and nobody else."""
    message = pb.ComputeAssignment()
    message.host_id = assignment.host
    message.revision = assignment.revision
    message.epoch = assignment.epoch
    for vm in assignment.vms:
        _vm(message.vms.add(), vm, opener)
    for order in assignment.migrations:
        _order(message.migrations.add(), order)
    for export in assignment.exports:
        message.exports.add(image_id=export.image, vm_uid=export.vm_uid, disk_uid=export.disk)
    for host, address in assignment.measured_hosts.items():
        message.measured_hosts[host] = address
    return message


def _vm(message: pb.VmAssignment, vm: VmAssignment, opener: Opener) -> None:
    message.vm_id = vm.vm
    message.role = _ROLES[vm.role]
    message.power_state = POWER_STATE_VALUES[vm.power_state]
    message.restart_policy = RESTART_POLICY_VALUES[vm.restart_policy]
    message.firmware = FIRMWARE_VALUES[vm.firmware]
    message.machine_type = MACHINE_TYPE_VALUES[vm.machine_type]
    for name in _PLAIN:
        setattr(message, name, getattr(vm, name))
    for disk in vm.disks:
        _disk(message.disks.add(), disk)
    for nic in vm.nics:
        _nic(message.nics.add(), nic)
    message.boot_order.extend(BOOT_DEVICE_VALUES[device] for device in vm.boot_order)
    message.pci_devices.extend(vm.pci_devices)
    message.gpu_profiles.extend(vm.gpu_profiles)
    message.vtpm_secret = opener.open(VTPM_SECRET, vm.vtpm_secret)
    if vm.customization != GuestCustomization():
        for name in SECRETS:
            setattr(message.customization, name, opener.open(name, getattr(vm.customization, name)))


def _disk(message: pb.DiskAssignment, disk: DiskAssignment) -> None:
    message.disk_uid = disk.uid
    message.kind = DISK_KIND_VALUES[disk.kind]
    message.bus = DISK_BUS_VALUES[disk.bus]
    message.index = disk.index
    message.size_bytes = disk.size_bytes
    message.image_id = disk.image
    message.image_sha256 = disk.image_sha256
    message.source_vm_uid = disk.source_vm_uid
    message.source_disk_uid = disk.source_disk


def _nic(message: pb.VmNicAssignment, nic: VmNicAssignment) -> None:
    message.nic_id = nic.nic
    message.tap_name = nic.tap_name
    message.mac_address = nic.mac_address
    message.mtu_bytes = nic.mtu_bytes
    message.model = nic.model.value
    message.queues = nic.queues
    message.disconnected = nic.disconnected


def _order(message: pb.MigrationOrder, order: MigrationOrder) -> None:
    message.migration_id = order.migration
    message.vm_id = order.vm
    message.destination_host_id = order.destination
    for name in _ORDER_PLAIN:
        setattr(message, name, getattr(order, name))
