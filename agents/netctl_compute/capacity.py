"""What this host can carry, for the controller to place machines by: read anew for each report."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from netctl_compute.cpu_report import CPU_MAP, HostCpu, parse_capabilities
from netctl_compute.firmware import FirmwareRoom
from netctl_compute.gpus import Devices
from netctl_compute.reported import HostCapacity
from netctl_compute.store import Store

# The product's own: 3.5 GiB, and 2.2 % of the memory for what QEMU needs beside its guests' memory.
_RESERVED_MIB, _RESERVED_SHARE = 3584, 0.022
_KIB_PER_MIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HypervisorFacts:
    """What libvirt says of itself: `domain_capabilities` for the machine type q35, versions as libvirt counts them."""

    domain_capabilities: str
    libvirt_version: int
    qemu_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacitySettings:
    """What the operator says. `reserved_memory_mib` None: as the product does it."""

    migration_address: str
    domain_type: str
    reserved_memory_mib: int | None = None
    firmware: Path = Path("/usr/share/OVMF")
    cpu_map: Path = CPU_MAP
    sysfs: Path = Path("/sys")
    meminfo: Path = Path("/proc/meminfo")


def read_capacity(
    store: Store | None, facts: HypervisorFacts | None, settings: CapacitySettings
) -> HostCapacity:
    """Return everything; what libvirt or the store cannot tell now is empty, so that nothing is placed here."""
    memory_mib = _memory_mib(settings.meminfo)
    cpu = parse_capabilities(facts.domain_capabilities, settings.cpu_map) if facts is not None else HostCpu()
    free_bytes, total_bytes = store.space() if store is not None else (0, 0)
    firmware = FirmwareRoom(settings.firmware)
    devices = Devices(settings.sysfs)
    return HostCapacity(
        cpus=os.cpu_count() or 0,
        memory_mib=memory_mib,
        reserved_memory_mib=reserved_mib(memory_mib, settings),
        store_id=store.id if store is not None else "",
        store_free_bytes=free_bytes,
        store_total_bytes=total_bytes,
        arch=cpu.arch,
        cpu_vendor=cpu.vendor,
        cpu_models=cpu.models,
        gpu_profiles=devices.gpu_profiles(),
        pci_devices=devices.pci_devices(),
        migration_address=settings.migration_address,
        libvirt_version=_version(facts.libvirt_version) if facts is not None else "",
        qemu_version=_version(facts.qemu_version) if facts is not None else "",
        vtpm=cpu.vtpm and shutil.which("swtpm") is not None and shutil.which("swtpm_setup") is not None,
        uefi=firmware.has(secure_boot=False),
        secure_boot=cpu.secure_loader and firmware.has(secure_boot=True),
        domain_type=settings.domain_type,
    )


def reserved_mib(memory_mib: int, settings: CapacitySettings) -> int:
    """Return what of the memory is kept for the host itself."""
    if settings.reserved_memory_mib is not None:
        return settings.reserved_memory_mib
    return min(memory_mib, _RESERVED_MIB + round(memory_mib * _RESERVED_SHARE))


def _memory_mib(meminfo: Path) -> int:
    for line in meminfo.read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // _KIB_PER_MIB
    return 0


def _version(number: int) -> str:
    """Spell a version that libvirt counts in millions."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
