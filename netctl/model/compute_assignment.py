"""ComputeAssignment: everything that one host's libvirt must have, as sent to its compute agent.

Secrets are still sealed here: they are opened where it is sent (server/convert_compute_assignment.py).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from netctl.model.disk import DiskBus, DiskKind
from netctl.model.keys import HostId, ImageId, NicId, Uid, VmId, VmMigrationId
from netctl.model.nic import NicModel
from netctl.model.vm import (
    BootDevice,
    Firmware,
    GuestCustomization,
    MachineType,
    PowerState,
    RestartPolicy,
    Sealed,
)


class VmRole(enum.StrEnum):
    """What a host is for a virtual machine."""

    RUN = "run"
    PLACEHOLDER = "placeholder"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskAssignment:
    """One disk, made when the store does not have it: of an image, of another disk, or empty."""

    uid: Uid
    kind: DiskKind
    bus: DiskBus
    index: int
    size_bytes: int
    image: ImageId = ImageId("")
    image_sha256: str = ""
    source_vm_uid: Uid = Uid("")
    source_disk: Uid = Uid("")


@dataclass(frozen=True, slots=True, kw_only=True)
class VmNicAssignment:
    """One interface; the compute agent makes the tap, the host agent plugs it."""

    nic: NicId
    tap_name: str
    mac_address: str
    mtu_bytes: int
    model: NicModel
    queues: int = 1
    disconnected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VmAssignment:
    """One virtual machine of a host; fields as on `Vm`.

    `keep_disks` with REMOVE: another host of the same store uses them.
    """

    vm: VmId
    uid: Uid
    role: VmRole
    power_state: PowerState
    graceful_off: bool = False
    restart_policy: RestartPolicy = RestartPolicy.ON_FAILURE
    power_epoch: int = 0
    reset_epoch: int = 0
    num_vcpus: int = 1
    num_cores_per_vcpu: int = 1
    num_threads_per_core: int = 1
    memory_mib: int
    memory_overcommit: bool = False
    num_vnuma_nodes: int = 0
    disks: tuple[DiskAssignment, ...] = ()
    nics: tuple[VmNicAssignment, ...] = ()
    boot_order: tuple[BootDevice, ...] = ()
    firmware: Firmware = Firmware.BIOS
    machine_type: MachineType = MachineType.PC
    secure_boot: bool = False
    vtpm: bool = False
    generation_id: Uid = Uid("")
    cpu_model: str = ""
    cpu_passthrough: bool = False
    pci_devices: tuple[str, ...] = ()
    gpu_profiles: tuple[str, ...] = ()
    vtpm_secret: Sealed = Sealed("")
    customization: GuestCustomization = GuestCustomization()
    keep_disks: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationOrder:
    """Copy a virtual machine's memory to its PLACEHOLDER; while it stands, the source never starts the machine."""

    migration: VmMigrationId
    attempt: int
    vm: VmId
    destination: HostId
    destination_address: str
    bandwidth_mbps: int = 0
    copy_disks: bool = False
    iterations_max: int = 50
    pause_max_ms: int = 300
    abort: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskExport:
    """Make an image of a disk and send it."""

    image: ImageId
    vm_uid: Uid
    disk: Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeAssignment:
    """The whole compute assignment of a host; `measured_hosts`: migration addresses by host."""

    host: HostId
    revision: int
    epoch: int
    vms: tuple[VmAssignment, ...] = ()
    migrations: tuple[MigrationOrder, ...] = ()
    exports: tuple[DiskExport, ...] = ()
    measured_hosts: Mapping[HostId, str] = field(default_factory=dict)
