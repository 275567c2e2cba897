"""Vm: one virtual machine. Its NICs are intents of their own, whose `vm` it is."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NewType

from netctl.model.disk import Disk
from netctl.model.infra import Meta
from netctl.model.keys import CategoryId, ClusterId, HostId, Uid, VmId, VmTemplateId, check_id

MEMORY_MIB_MAX = 4_718_592  # the product's maximum: 4.5 TiB
VCPUS_MAX = 255
NICS_MAX = 32
AFFINITY_HOSTS_MAX = 32
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
