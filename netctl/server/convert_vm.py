"""Vm between protobuf and model. What a guest is told is sealed before it comes here (`guest_secrets.py`).

`vm_to_request` renders sealed texts as they are: it is the form in which masks are applied, not one that is answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from netctl.errors import InvalidIntent
from netctl.model.disk import Disk, DiskBus, DiskKind
from netctl.model.keys import ClusterId, HostId, ImageId, Kind, Uid, VmId
from netctl.model.status import Status
from netctl.model.vm import (
    BootDevice,
    Firmware,
    GuestCustomization,
    MachineType,
    PowerState,
    RestartPolicy,
    Sealed,
    Vm,
)
from netctl.server.convert import (
    meta_from_proto,
    meta_to_proto,
    parse_categories,
    parse_enum,
    parse_name,
    parse_reference,
    render_categories,
    render_name,
    status_to_proto,
)
from netctl.v1 import compute_pb2 as pb

A = TypeVar("A")
B = TypeVar("B")

# The texts of a customization.
SECRETS = ("user_data", "meta_data", "network_config", "sysprep_unattend_xml", "windows_license_key")

POWER_STATES = {
    pb.POWER_STATE_OFF: PowerState.OFF,
    pb.POWER_STATE_ON: PowerState.ON,
    pb.POWER_STATE_PAUSED: PowerState.PAUSED,
}
_RESTART_POLICIES = {
    pb.RESTART_POLICY_ON_FAILURE: RestartPolicy.ON_FAILURE,
    pb.RESTART_POLICY_ALWAYS: RestartPolicy.ALWAYS,
    pb.RESTART_POLICY_NEVER: RestartPolicy.NEVER,
}
_FIRMWARES = {pb.FIRMWARE_BIOS: Firmware.BIOS, pb.FIRMWARE_UEFI: Firmware.UEFI}
_MACHINE_TYPES = {
    pb.MACHINE_TYPE_UNSPECIFIED: MachineType.AUTO,
    pb.MACHINE_TYPE_PC: MachineType.PC,
    pb.MACHINE_TYPE_Q35: MachineType.Q35,
}
_BOOT_DEVICES = {
    pb.BOOT_DEVICE_DISK: BootDevice.DISK,
    pb.BOOT_DEVICE_CDROM: BootDevice.CDROM,
    pb.BOOT_DEVICE_NETWORK: BootDevice.NETWORK,
}
_DISK_KINDS = {pb.DISK_KIND_DISK: DiskKind.DISK, pb.DISK_KIND_CDROM: DiskKind.CDROM}
_DISK_BUSES = {
    pb.DISK_BUS_UNSPECIFIED: DiskBus.AUTO,
    pb.DISK_BUS_SCSI: DiskBus.SCSI,
    pb.DISK_BUS_PCI: DiskBus.PCI,
    pb.DISK_BUS_SATA: DiskBus.SATA,
    pb.DISK_BUS_IDE: DiskBus.IDE,
}


def _turned(known: Mapping[A, B]) -> dict[B, A]:
    return {member: value for value, member in known.items()}


POWER_STATE_VALUES = _turned(POWER_STATES)
RESTART_POLICY_VALUES = _turned(_RESTART_POLICIES)
FIRMWARE_VALUES = _turned(_FIRMWARES)
MACHINE_TYPE_VALUES = _turned(_MACHINE_TYPES)
BOOT_DEVICE_VALUES = _turned(_BOOT_DEVICES)
DISK_KIND_VALUES = _turned(_DISK_KINDS)
DISK_BUS_VALUES = _turned(_DISK_BUSES)
POWER_STATE_TEXTS = {value: name for name, value in pb.PowerState.items()}
_RESTART_POLICY_TEXTS = {value: name for name, value in pb.RestartPolicy.items()}
_FIRMWARE_TEXTS = {value: name for name, value in pb.Firmware.items()}
_MACHINE_TYPE_TEXTS = {value: name for name, value in pb.MachineType.items()}
_BOOT_DEVICE_TEXTS = {value: name for name, value in pb.BootDevice.items()}
_DISK_KIND_TEXTS = {value: name for name, value in pb.DiskKind.items()}
_DISK_BUS_TEXTS = {value: name for name, value in pb.DiskBus.items()}
# How filters spell what the model holds.
POWER_STATE_NAMES = {member: POWER_STATE_TEXTS[value] for value, member in POWER_STATES.items()}
RESTART_POLICY_NAMES = {member: _RESTART_POLICY_TEXTS[value] for value, member in _RESTART_POLICIES.items()}
FIRMWARE_NAMES = {member: _FIRMWARE_TEXTS[value] for value, member in _FIRMWARES.items()}
MACHINE_TYPE_NAMES = {member: _MACHINE_TYPE_TEXTS[value] for value, member in _MACHINE_TYPES.items()}
BOOT_DEVICE_NAMES = {member: _BOOT_DEVICE_TEXTS[value] for value, member in _BOOT_DEVICES.items()}
DISK_KIND_NAMES = {member: _DISK_KIND_TEXTS[value] for value, member in _DISK_KINDS.items()}
DISK_BUS_NAMES = {member: _DISK_BUS_TEXTS[value] for value, member in _DISK_BUSES.items()}

_DEFAULT_BOOT_ORDER = (BootDevice.DISK, BootDevice.CDROM, BootDevice.NETWORK)
_PLAIN = (
    "description",
    "memory_mib",
    "memory_overcommit",
    "num_vnuma_nodes",
    "secure_boot",
    "vtpm",
    "cpu_model",
    "cpu_passthrough",
    "agent_vm",
    "graceful_off",
)
_COUNTS = ("num_vcpus", "num_cores_per_vcpu", "num_threads_per_core")
_DECIDED = ("generation_id", "effective_cpu_model", "power_epoch", "reset_epoch", "deleting")


def vm_from_proto(message: pb.Vm) -> Vm:
    """Return the virtual machine that a request asks for; the secrets in it are sealed already."""
    plain: dict[str, Any] = {name: getattr(message, name) for name in _PLAIN}
    plain |= {name: getattr(message, name) or 1 for name in _COUNTS}
    return Vm(
        id=VmId(parse_name("name", message.name, Kind.VM)),
        meta=meta_from_proto(message),
        cluster=ClusterId(parse_name("cluster", message.cluster, Kind.CLUSTER)),
        **plain,
        disks=tuple(_disk_from_proto(f"disks[{i}]", disk) for i, disk in enumerate(message.disks)),
        boot_order=_boot_order(message.boot_order),
        firmware=parse_enum("firmware", message.firmware or pb.FIRMWARE_BIOS, _FIRMWARES, _FIRMWARE_TEXTS),
        machine_type=parse_enum("machine_type", message.machine_type, _MACHINE_TYPES, _MACHINE_TYPE_TEXTS),
        power_state=parse_enum(
            "power_state", message.power_state or pb.POWER_STATE_OFF, POWER_STATES, POWER_STATE_TEXTS
        ),
        restart_policy=parse_enum(
            "restart_policy",
            message.restart_policy or pb.RESTART_POLICY_ON_FAILURE,
            _RESTART_POLICIES,
            _RESTART_POLICY_TEXTS,
        ),
        categories=parse_categories(message.categories),
        affinity_hosts=tuple(
            HostId(parse_name(f"affinity_hosts[{i}]", name, Kind.HOST))
            for i, name in enumerate(message.affinity_hosts)
        ),
        pci_devices=tuple(message.pci_devices),
        gpu_profiles=tuple(message.gpu_profiles),
        customization=customization_from_proto(message.customization),
    )


def _boot_order(values: Sequence[pb.BootDevice.ValueType]) -> tuple[BootDevice, ...]:
    order = tuple(
        parse_enum(f"boot_order[{i}]", value, _BOOT_DEVICES, _BOOT_DEVICE_TEXTS)
        for i, value in enumerate(values)
    )
    return order or _DEFAULT_BOOT_ORDER


def _disk_from_proto(field: str, message: pb.Disk) -> Disk:
    if message.HasField("index") and message.index < 0:
        raise InvalidIntent(
            f"{field}.index", f"{message.index} is negative; leave it out for the lowest free one"
        )
    kind = message.kind or pb.DISK_KIND_DISK
    return Disk(
        uid=Uid(message.uid),
        kind=parse_enum(f"{field}.kind", kind, _DISK_KINDS, _DISK_KIND_TEXTS),
        bus=parse_enum(f"{field}.bus", message.bus, _DISK_BUSES, _DISK_BUS_TEXTS),
        index=message.index if message.HasField("index") else -1,
        size_bytes=message.size_bytes,
        image=ImageId(parse_reference(f"{field}.image", message.image, Kind.IMAGE)),
        source_vm=VmId(parse_reference(f"{field}.source_vm", message.source_vm, Kind.VM)),
        source_index=message.source_index,
    )


def customization_from_proto(message: pb.GuestCustomization) -> GuestCustomization:
    """Return a customization whose texts are sealed."""
    return GuestCustomization(**{name: Sealed(getattr(message, name)) for name in SECRETS})


def vm_to_proto(vm: Vm, status: Status | None) -> pb.Vm:
    """Return the message of a virtual machine, without its secrets."""
    message = pb.Vm()
    if vm.id:
        message.name = f"vms/{vm.id}"
    meta_to_proto(vm.meta, message)
    message.cluster = f"clusters/{vm.cluster}"
    for name in (*_PLAIN, *_COUNTS, *_DECIDED, "template_version"):
        setattr(message, name, getattr(vm, name))
    for disk in vm.disks:
        _disk_to_proto(disk, message.disks.add())
    message.boot_order.extend(BOOT_DEVICE_VALUES[device] for device in vm.boot_order)
    message.firmware = FIRMWARE_VALUES[vm.firmware]
    message.machine_type = MACHINE_TYPE_VALUES[vm.machine_type]
    message.power_state = POWER_STATE_VALUES[vm.power_state]
    message.restart_policy = RESTART_POLICY_VALUES[vm.restart_policy]
    message.categories.extend(render_categories(vm.categories))
    message.affinity_hosts.extend(f"hosts/{id}" for id in vm.affinity_hosts)
    message.pci_devices.extend(vm.pci_devices)
    message.gpu_profiles.extend(vm.gpu_profiles)
    if vm.customization != GuestCustomization():
        message.customization.has_secrets = True
    message.host = render_name(Kind.HOST, vm.host)
    message.template = render_name(Kind.VM_TEMPLATE, vm.template)
    if status is not None:
        status_to_proto(status, message.status)
    return message


def _disk_to_proto(disk: Disk, message: pb.Disk) -> None:
    message.uid = disk.uid
    message.kind = DISK_KIND_VALUES[disk.kind]
    message.bus = DISK_BUS_VALUES[disk.bus]
    if disk.index >= 0:
        message.index = disk.index
    message.size_bytes = disk.size_bytes
    message.image = render_name(Kind.IMAGE, disk.image)
    message.source_vm = render_name(Kind.VM, disk.source_vm)
    message.source_index = disk.source_index


def vm_to_request(vm: Vm) -> pb.Vm:
    """Return the message by which a client would ask for this machine, its secrets sealed; never answered."""
    message = vm_to_proto(vm, None)
    message.ClearField("customization")
    for name in SECRETS:
        if text := getattr(vm.customization, name):
            setattr(message.customization, name, text)
    return message
