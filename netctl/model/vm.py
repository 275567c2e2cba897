"""Vm: one virtual machine. Its NICs are intents of their own, whose `vm` it is."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import NewType

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.category_ids import check_categories
from netctl.model.disk import Disk, check_disks
from netctl.model.host_shape import check_count
from netctl.model.infra import Meta
from netctl.model.keys import CategoryId, ClusterId, HostId, Uid, VmId, VmTemplateId, check_id

MEMORY_MIB_MIN = 16  # no firmware starts in less
MEMORY_MIB_MAX = 4_718_592  # the product's maximum: 4.5 TiB
VCPUS_MAX = 255
NICS_MAX = 32
AFFINITY_HOSTS_MAX = 32
VNUMA_NODES_MAX = 32
DESCRIPTION_MAX = 1024
DEVICES_MAX = 16
_COUNTS = ("num_vcpus", "num_cores_per_vcpu", "num_threads_per_core")
# As libvirt spells CPU models and hosts spell GPU profiles: they come into XML, so nothing else passes.
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
_PCI = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]\Z")
PASSTHROUGH = "host-passthrough"  # `effective_cpu_model` of one with the host's CPU as it is, libvirt's word

# A secret that only the controller's key opens (server/sealing.py); safe to store, never answered to clients.
Sealed = NewType("Sealed", str)


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
    """The chipset, as QEMU spells it; AUTO in a request is PC, with Secure Boot Q35."""

    AUTO = ""
    PC = "pc"
    Q35 = "q35"


class BootDevice(enum.StrEnum):
    """What is booted from, as libvirt spells `<boot dev=>`."""

    DISK = "hd"
    CDROM = "cdrom"
    NETWORK = "network"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCustomization:
    """What the guest is told at its first start: cloud-init's files, or Windows' answer file. All sealed; "" unset."""

    user_data: Sealed = Sealed("")
    meta_data: Sealed = Sealed("")
    network_config: Sealed = Sealed("")
    sysprep_unattend_xml: Sealed = Sealed("")
    windows_license_key: Sealed = Sealed("")

    def __post_init__(self) -> None:
        windows = self.sysprep_unattend_xml or self.windows_license_key
        if windows and (self.user_data or self.meta_data or self.network_config):
            raise InvalidIntent(
                "customization", "is for cloud-init or for Windows; leave the fields of one empty"
            )
        if self.windows_license_key and not self.sysprep_unattend_xml:
            raise InvalidIntent(
                "customization.windows_license_key",
                "is set into sysprep_unattend_xml, which is empty; give the answer file, too",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Vm:
    """A virtual machine. What follows `host` is decided by us: at admission, at its placement, by migrations.

    `host` "" was never started; it stays when it is off, because its disks are there. `vtpm_secret` encrypts its TPM's
    state. `effective_cpu_model` is what it was started with; "" where it was not placed since it was last switched on.
    `deleting`: only its host still has to remove it.
    """

    id: VmId
    meta: Meta = Meta()
    cluster: ClusterId
    description: str = ""
    num_vcpus: int = 1
    num_cores_per_vcpu: int = 1
    num_threads_per_core: int = 1
    memory_mib: int
    memory_overcommit: bool = False
    num_vnuma_nodes: int = 0
    disks: tuple[Disk, ...] = ()
    boot_order: tuple[BootDevice, ...] = (BootDevice.DISK, BootDevice.CDROM, BootDevice.NETWORK)
    firmware: Firmware = Firmware.BIOS
    machine_type: MachineType = MachineType.AUTO
    secure_boot: bool = False
    vtpm: bool = False
    power_state: PowerState = PowerState.OFF
    graceful_off: bool = False
    restart_policy: RestartPolicy = RestartPolicy.ON_FAILURE
    categories: tuple[CategoryId, ...] = ()
    affinity_hosts: tuple[HostId, ...] = ()
    cpu_model: str = ""
    cpu_passthrough: bool = False
    agent_vm: bool = False
    pci_devices: tuple[str, ...] = ()
    gpu_profiles: tuple[str, ...] = ()
    customization: GuestCustomization = GuestCustomization()
    host: HostId = HostId("")
    generation_id: Uid = Uid("")
    vtpm_secret: Sealed = Sealed("")
    effective_cpu_model: str = ""
    power_epoch: int = 0
    reset_epoch: int = 0
    deleting: bool = False
    template: VmTemplateId = VmTemplateId("")
    template_version: int = 0

    def __post_init__(self) -> None:
        check_id("name", self.id)
        check_id("cluster", self.cluster)
        shape.check_text("description", self.description, DESCRIPTION_MAX)
        self._check_cpus_and_memory()
        check_disks(self.disks)
        self._check_boot()
        check_categories(self.categories)
        self._check_places()
        self._check_devices()

    def _check_cpus_and_memory(self) -> None:
        for field in _COUNTS:
            shape.check_range(field, getattr(self, field), low=1, high=VCPUS_MAX)
        if self.vcpus > VCPUS_MAX:
            raise InvalidIntent(
                "num_vcpus",
                f"{self.num_vcpus} with {self.num_cores_per_vcpu} cores of {self.num_threads_per_core} threads are"
                f" {self.vcpus}; at most {VCPUS_MAX} are allowed",
            )
        shape.check_range("memory_mib", self.memory_mib, low=MEMORY_MIB_MIN, high=MEMORY_MIB_MAX, unit="MiB")
        nodes = min(self.vcpus, VNUMA_NODES_MAX)
        shape.check_range("num_vnuma_nodes", self.num_vnuma_nodes, low=0, high=nodes)
        if self.cpu_model and not _WORD.match(self.cpu_model):
            raise InvalidIntent(
                "cpu_model", f"{self.cpu_model[:40]!r} is not the name of a CPU model, e.g. Broadwell-noTSX"
            )
        if self.cpu_model and self.cpu_passthrough:
            raise InvalidIntent("cpu_model", "does not go with cpu_passthrough: leave one of them unset")

    def _check_boot(self) -> None:
        if not self.boot_order:
            object.__setattr__(self, "boot_order", tuple(BootDevice))
        for i, device in enumerate(self.boot_order):
            if device in self.boot_order[:i]:
                raise InvalidIntent(f"boot_order[{i}]", f"{device.name} is listed twice; list it once")
        if self.secure_boot and self.firmware is not Firmware.UEFI:
            raise InvalidIntent("secure_boot", "is a part of UEFI: set firmware UEFI, too")
        if self.secure_boot and self.machine_type is MachineType.PC:
            raise InvalidIntent(
                "machine_type", "PC cannot keep its firmware from the guest, as secure_boot needs: use Q35"
            )

    def _check_places(self) -> None:
        check_count("affinity_hosts", self.affinity_hosts, AFFINITY_HOSTS_MAX)
        for i, host in enumerate(self.affinity_hosts):
            check_id(f"affinity_hosts[{i}]", host)
            if host in self.affinity_hosts[:i]:
                raise InvalidIntent(f"affinity_hosts[{i}]", f"hosts/{host} is listed twice; list it once")

    def _check_devices(self) -> None:
        check_count("pci_devices", self.pci_devices, DEVICES_MAX)
        object.__setattr__(self, "pci_devices", tuple(device.lower() for device in self.pci_devices))
        for i, device in enumerate(self.pci_devices):
            if not _PCI.match(device):
                raise InvalidIntent(
                    f"pci_devices[{i}]", f"{device[:40]!r} is not a PCI address, e.g. 0000:3b:00.0"
                )
            if device in self.pci_devices[:i]:
                raise InvalidIntent(f"pci_devices[{i}]", f"{device} is listed twice; list it once")
        check_count("gpu_profiles", self.gpu_profiles, DEVICES_MAX)
        for i, profile in enumerate(self.gpu_profiles):
            if not _WORD.match(profile):
                raise InvalidIntent(
                    f"gpu_profiles[{i}]", f"{profile[:40]!r} is not the name of a GPU profile, e.g. nvidia-35"
                )
        if self.pci_devices and len(self.affinity_hosts) != 1:
            raise InvalidIntent(
                "affinity_hosts", "names the one host whose pci_devices these are; name exactly one"
            )
        if self.memory_overcommit:
            for field in ("num_vnuma_nodes", "pci_devices", "gpu_profiles"):
                if getattr(self, field):
                    raise InvalidIntent(
                        "memory_overcommit",
                        f"does not go with {field}: all memory must be there at every moment; set one of them only",
                    )

    @property
    def vcpus(self) -> int:
        """How many the guest has in all."""
        return self.num_vcpus * self.num_cores_per_vcpu * self.num_threads_per_core

    @property
    def is_on(self) -> bool:
        """Is it to be in a host's memory?"""
        return self.power_state is not PowerState.OFF and not self.deleting

    @property
    def is_placed(self) -> bool:
        """Was a host found for it since it was last switched on? Until then its host has it as OFF."""
        return bool(self.host and self.effective_cpu_model)
