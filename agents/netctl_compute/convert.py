"""Protobuf <-> the agent's own values; nothing else in the agent sees a message.

What comes in is checked: ids that become names of domains, links and files are ids, or the assignment is refused.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import TypeVar
from uuid import UUID

from netctl.errors import InvalidIntent
from netctl.v1 import agent_compute_pb2 as pb
from netctl.v1 import compute_pb2
from netctl_compute.assignment import (
    BootDevice,
    ComputeAssignment,
    DiskAssignment,
    DiskBus,
    DiskExport,
    DiskKind,
    Firmware,
    GuestCustomization,
    MachineType,
    MigrationOrder,
    NicModel,
    PowerState,
    RestartPolicy,
    VmAssignment,
    VmNicAssignment,
    VmRole,
)

E = TypeVar("E", bound=enum.Enum)

_ID = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_TAP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")  # linux/if.h: IFNAMSIZ with its zero
_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_PCI = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CPU = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")

ROLES: dict[int, VmRole] = {
    pb.VM_ROLE_RUN: VmRole.RUN,
    pb.VM_ROLE_PLACEHOLDER: VmRole.PLACEHOLDER,
    pb.VM_ROLE_REMOVE: VmRole.REMOVE,
}
POWER_STATES: dict[int, PowerState] = {
    compute_pb2.POWER_STATE_UNSPECIFIED: PowerState.OFF,
    compute_pb2.POWER_STATE_OFF: PowerState.OFF,
    compute_pb2.POWER_STATE_ON: PowerState.ON,
    compute_pb2.POWER_STATE_PAUSED: PowerState.PAUSED,
}
POLICIES: dict[int, RestartPolicy] = {
    compute_pb2.RESTART_POLICY_UNSPECIFIED: RestartPolicy.ON_FAILURE,
    compute_pb2.RESTART_POLICY_ON_FAILURE: RestartPolicy.ON_FAILURE,
    compute_pb2.RESTART_POLICY_ALWAYS: RestartPolicy.ALWAYS,
    compute_pb2.RESTART_POLICY_NEVER: RestartPolicy.NEVER,
}
FIRMWARES: dict[int, Firmware] = {
    compute_pb2.FIRMWARE_UNSPECIFIED: Firmware.BIOS,
    compute_pb2.FIRMWARE_BIOS: Firmware.BIOS,
    compute_pb2.FIRMWARE_UEFI: Firmware.UEFI,
}
MACHINES: dict[int, MachineType] = {
    compute_pb2.MACHINE_TYPE_UNSPECIFIED: MachineType.PC,
    compute_pb2.MACHINE_TYPE_PC: MachineType.PC,
    compute_pb2.MACHINE_TYPE_Q35: MachineType.Q35,
}
BOOT_DEVICES: dict[int, BootDevice] = {
    compute_pb2.BOOT_DEVICE_DISK: BootDevice.DISK,
    compute_pb2.BOOT_DEVICE_CDROM: BootDevice.CDROM,
    compute_pb2.BOOT_DEVICE_NETWORK: BootDevice.NETWORK,
}
DISK_KINDS: dict[int, DiskKind] = {
    compute_pb2.DISK_KIND_UNSPECIFIED: DiskKind.DISK,
    compute_pb2.DISK_KIND_DISK: DiskKind.DISK,
    compute_pb2.DISK_KIND_CDROM: DiskKind.CDROM,
}
DISK_BUSES: dict[int, DiskBus] = {
    compute_pb2.DISK_BUS_SCSI: DiskBus.SCSI,
    compute_pb2.DISK_BUS_PCI: DiskBus.PCI,
    compute_pb2.DISK_BUS_SATA: DiskBus.SATA,
    compute_pb2.DISK_BUS_IDE: DiskBus.IDE,
}


def assignment_from_proto(message: pb.ComputeAssignment) -> ComputeAssignment:
    """Return the assignment; raise InvalidIntent where acting on it would damage the host."""
    _check_id("host_id", message.host_id)
    vms = tuple(_vm(vm) for vm in message.vms)
    for field, names in (("vm_id", [vm.vm for vm in vms]), ("uid", [vm.uid for vm in vms])):
        if len(set(names)) != len(names):
            raise InvalidIntent(f"vms.{field}", "one machine twice")
    return ComputeAssignment(
        host=message.host_id,
        revision=message.revision,
        epoch=message.epoch,
        vms=vms,
        migrations=tuple(_order(order) for order in message.migrations),
        exports=tuple(_export(export) for export in message.exports),
        measured_hosts=dict(message.measured_hosts),
    )


def _vm(message: pb.VmAssignment) -> VmAssignment:
    _check_vm(message)
    return VmAssignment(
        vm=message.vm_id,
        uid=message.uid,
        role=_one_of("vms.role", ROLES, message.role),
        power_state=_one_of("vms.power_state", POWER_STATES, message.power_state),
        graceful_off=message.graceful_off,
        restart_policy=_one_of("vms.restart_policy", POLICIES, message.restart_policy),
        power_epoch=message.power_epoch,
        reset_epoch=message.reset_epoch,
        num_vcpus=message.num_vcpus or 1,
        num_cores_per_vcpu=message.num_cores_per_vcpu or 1,
        num_threads_per_core=message.num_threads_per_core or 1,
        memory_mib=message.memory_mib,
        memory_overcommit=message.memory_overcommit,
        num_vnuma_nodes=message.num_vnuma_nodes,
        disks=tuple(_disk(disk) for disk in message.disks),
        nics=tuple(_nic(nic) for nic in message.nics),
        boot_order=tuple(_one_of("vms.boot_order", BOOT_DEVICES, device) for device in message.boot_order),
        firmware=_one_of("vms.firmware", FIRMWARES, message.firmware),
        machine_type=_one_of("vms.machine_type", MACHINES, message.machine_type),
        secure_boot=message.secure_boot,
        vtpm=message.vtpm,
        generation_id=message.generation_id,
        cpu_model=message.cpu_model,
        cpu_passthrough=message.cpu_passthrough,
        pci_devices=tuple(message.pci_devices),
        gpu_profiles=tuple(message.gpu_profiles),
        vtpm_secret=message.vtpm_secret,
        customization=_customization(message.customization) if message.HasField("customization") else None,
        keep_disks=message.keep_disks,
        description=message.description,
    )


def _check_vm(message: pb.VmAssignment) -> None:
    _check_id("vms.vm_id", message.vm_id)
    _check_uid("vms.uid", message.uid)
    if message.generation_id:
        _check_uid("vms.generation_id", message.generation_id)
    if message.cpu_model:
        _check("vms.cpu_model", _CPU, message.cpu_model)
    for address in message.pci_devices:
        _check("vms.pci_devices", _PCI, address)


def _disk(message: pb.DiskAssignment) -> DiskAssignment:
    _check_uid("vms.disks.disk_uid", message.disk_uid)
    if message.image_sha256:
        _check("vms.disks.image_sha256", _SHA256, message.image_sha256)
    for uid in (message.source_vm_uid, message.source_disk_uid):
        if uid:
            _check_uid("vms.disks.source", uid)
    if message.index < 0 or message.size_bytes < 0:
        raise InvalidIntent("vms.disks", "index and size_bytes must not be negative")
    return DiskAssignment(
        uid=message.disk_uid,
        kind=_one_of("vms.disks.kind", DISK_KINDS, message.kind),
        bus=_one_of("vms.disks.bus", DISK_BUSES, message.bus),
        index=message.index,
        size_bytes=message.size_bytes,
        image=message.image_id,
        image_sha256=message.image_sha256,
        source_vm_uid=message.source_vm_uid,
        source_disk=message.source_disk_uid,
    )


def _nic(message: pb.VmNicAssignment) -> VmNicAssignment:
    _check("vms.nics.tap_name", _TAP, message.tap_name)
    _check("vms.nics.mac_address", _MAC, message.mac_address)
    try:
        model = NicModel(message.model or NicModel.VIRTIO)
    except ValueError as error:
        raise InvalidIntent("vms.nics.model", f"{message.model[:40]!r} is not virtio or e1000") from error
    return VmNicAssignment(
        nic=message.nic_id,
        tap_name=message.tap_name,
        mac_address=message.mac_address,
        mtu_bytes=message.mtu_bytes,
        model=model,
        queues=message.queues or 1,
        disconnected=message.disconnected,
    )


def _customization(message: compute_pb2.GuestCustomization) -> GuestCustomization:
    return GuestCustomization(
        user_data=message.user_data,
        meta_data=message.meta_data,
        network_config=message.network_config,
        sysprep_unattend_xml=message.sysprep_unattend_xml,
        windows_license_key=message.windows_license_key,
    )


def _order(message: pb.MigrationOrder) -> MigrationOrder:
    _check_id("migrations.vm_id", message.vm_id)
    return MigrationOrder(
        migration=message.migration_id,
        attempt=message.attempt,
        vm=message.vm_id,
        destination=message.destination_host_id,
        destination_address=message.destination_address,
        bandwidth_mbps=message.bandwidth_mbps,
        copy_disks=message.copy_disks,
        iterations_max=message.iterations_max,
        pause_max_ms=message.pause_max_ms,
        abort=message.abort,
    )


def _export(message: pb.DiskExport) -> DiskExport:
    _check_uid("exports.vm_uid", message.vm_uid)
    _check_uid("exports.disk_uid", message.disk_uid)
    return DiskExport(image=message.image_id, vm_uid=message.vm_uid, disk=message.disk_uid)


def _one_of(field: str, table: Mapping[int, E], number: int) -> E:
    if number not in table:
        raise InvalidIntent(
            field, f"{number} is none that this agent knows; is it older than the controller?"
        )
    return table[number]


def _check(field: str, pattern: re.Pattern[str], text: str) -> None:
    if not pattern.fullmatch(text):
        raise InvalidIntent(field, f"{text[:80]!r} is not spelled as this field must be")


def _check_id(field: str, text: str) -> None:
    _check(field, _ID, text)


def _check_uid(field: str, text: str) -> None:
    try:
        if str(UUID(text)) == text:
            return
    except ValueError:
        pass
    raise InvalidIntent(field, f"{text[:80]!r} is not a UUID in lower case")
