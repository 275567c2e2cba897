"""Assignments for the compute agent's tests."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from netctl_compute.assignment import (
    BootDevice,
    ComputeAssignment,
    DiskAssignment,
    DiskBus,
    DiskKind,
    NicModel,
    PowerState,
    VmAssignment,
    VmNicAssignment,
    VmRole,
)

MIB = 1 << 20


def uid_of(name: str) -> str:
    """Return the uid that a test's thing of this name has."""
    return str(uuid5(NAMESPACE_DNS, name))


def disk(vm: str, index: int = 0, **fields: Any) -> DiskAssignment:
    """Return an empty disk of 8 MiB."""
    defaults: dict[str, Any] = {
        "uid": uid_of(f"{vm}/disk{index}"),
        "kind": DiskKind.DISK,
        "bus": DiskBus.SCSI,
        "index": index,
        "size_bytes": 8 * MIB,
    }
    return DiskAssignment(**(defaults | fields))


def cdrom(vm: str, index: int = 0, **fields: Any) -> DiskAssignment:
    """Return a drive without a medium."""
    defaults: dict[str, Any] = {
        "uid": uid_of(f"{vm}/cdrom{index}"),
        "kind": DiskKind.CDROM,
        "bus": DiskBus.IDE,
        "size_bytes": 0,
    }
    return disk(vm, index, **(defaults | fields))


def nic(vm: str, index: int = 0, **fields: Any) -> VmNicAssignment:
    """Return an interface."""
    number = int(uid_of(vm)[:4], 16)
    defaults: dict[str, Any] = {
        "nic": f"{vm}-{index}",
        "tap_name": f"tap{number:x}{index}",
        "mac_address": f"02:00:00:{number >> 8:02x}:{number & 255:02x}:{index:02x}",
        "mtu_bytes": 1442,
        "model": NicModel.VIRTIO,
    }
    return VmNicAssignment(**(defaults | fields))


def vm(name: str = "vm1", **fields: Any) -> VmAssignment:
    """Return a small machine that is to be on."""
    defaults: dict[str, Any] = {
        "vm": name,
        "uid": uid_of(name),
        "role": VmRole.RUN,
        "power_state": PowerState.ON,
        "power_epoch": 1,
        "memory_mib": 32,
        "boot_order": (BootDevice.DISK, BootDevice.CDROM, BootDevice.NETWORK),
    }
    return VmAssignment(**(defaults | fields))


def assign(*vms: VmAssignment, revision: int = 1, **fields: Any) -> ComputeAssignment:
    """Return the assignment of host h1."""
    return ComputeAssignment(host="h1", revision=revision, epoch=1, vms=vms, **fields)
