"""Everything that this host's libvirt must have, as the compute agent uses it.

The same shape as the controller's `model/compute_assignment.py` (the packages share only the wire,
`agent_compute.proto`). `convert.py` makes these from protobuf, `saved_assignment.py` from disk, there without secrets.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class PowerState(enum.StrEnum):
    """What a virtual machine is to be."""

    OFF = "off"
    ON = "on"
    PAUSED = "paused"


class RestartPolicy(enum.StrEnum):
    """Is one that ended by itself started again?"""

    ON_FAILURE = "on-failure"
    ALWAYS = "always"
    NEVER = "never"


class Firmware(enum.StrEnum):
    """What runs before the guest's boot loader."""

    BIOS = "bios"
    UEFI = "uefi"


class MachineType(enum.StrEnum):
    """The chipset, as QEMU spells it."""

    PC = "pc"
    Q35 = "q35"


class BootDevice(enum.StrEnum):
    """What is booted from, as libvirt spells `<boot dev=>`."""

    DISK = "hd"
    CDROM = "cdrom"
    NETWORK = "network"


class DiskKind(enum.StrEnum):
    """A disk that the guest writes, or a drive for a medium that it only reads."""

    DISK = "disk"
    CDROM = "cdrom"


class DiskBus(enum.StrEnum):
    """How it is attached, as libvirt spells `<target bus=>`; PCI is virtio-blk."""

    SCSI = "scsi"
    PCI = "virtio"
    SATA = "sata"
    IDE = "ide"


class NicModel(enum.StrEnum):
    """The device that the guest sees."""

    VIRTIO = "virtio"
    E1000 = "e1000"


class VmRole(enum.StrEnum):
    """What a host is for a virtual machine."""

    RUN = "run"
    PLACEHOLDER = "placeholder"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskAssignment:
    """One disk, made when the store does not have it: of an image, of another disk, or empty."""

    uid: str
    kind: DiskKind
    bus: DiskBus
    index: int
    size_bytes: int
    image: str = ""
    image_sha256: str = ""
    source_vm_uid: str = ""
    source_disk: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmNicAssignment:
    """One interface; the compute agent makes the tap, the host agent plugs it."""

    nic: str
    tap_name: str
    mac_address: str
    mtu_bytes: int
    model: NicModel
    queues: int = 1
    disconnected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCustomization:
    """What the guest is told at its first start: cloud-init's files, or Windows' answer file. "" is unset."""

    user_data: str = field(default="", repr=False)
    meta_data: str = field(default="", repr=False)
    network_config: str = field(default="", repr=False)
    sysprep_unattend_xml: str = field(default="", repr=False)
    windows_license_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VmAssignment:
    """One virtual machine of a host; fields as in agent_compute.proto.

    `keep_disks` with REMOVE: another host of the same store uses them.
    """

    vm: str
    uid: str
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
    generation_id: str = ""
    cpu_model: str = ""
    cpu_passthrough: bool = False
    pci_devices: tuple[str, ...] = ()
    gpu_profiles: tuple[str, ...] = ()
    vtpm_secret: str = field(default="", repr=False)
    customization: GuestCustomization | None = None
    keep_disks: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationOrder:
    """Copy a virtual machine's memory to its PLACEHOLDER; while it stands, the source never starts the machine."""

    migration: str
    attempt: int
    vm: str
    destination: str
    destination_address: str
    bandwidth_mbps: int = 0
    copy_disks: bool = False
    iterations_max: int = 50
    pause_max_ms: int = 300
    abort: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskExport:
    """Make an image of a disk and send it."""

    image: str
    vm_uid: str
    disk: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeAssignment:
    """The whole compute assignment of a host; `measured_hosts`: migration addresses by host."""

    host: str
    revision: int
    epoch: int
    vms: tuple[VmAssignment, ...] = ()
    migrations: tuple[MigrationOrder, ...] = ()
    exports: tuple[DiskExport, ...] = ()
    measured_hosts: Mapping[str, str] = field(default_factory=dict)
