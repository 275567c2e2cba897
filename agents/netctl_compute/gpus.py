"""GPUs and other devices that this host can give to guests, as sysfs shows them: nothing is configured.

A virtual GPU is a mediated device: its profile is the mdev type (`nvidia-35`). A PCI device can be given away once the
operator bound it to vfio-pci. Sources: Documentation/driver-api/vfio-mediated-device.rst of Linux; sysfs-bus-pci.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from netctl_compute.assignment import VmAssignment
from netctl_compute.problem import Problem
from netctl_compute.reported import GpuProfile
from netctl_compute.store import checked_uid

_ADDRESS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


@dataclass(frozen=True, slots=True)
class Devices:
    """What is below `sysfs` (`/sys`)."""

    sysfs: Path

    def pci_devices(self) -> tuple[str, ...]:
        """Return the addresses of PCI devices that wait for a guest."""
        bound = self.sysfs / "bus/pci/drivers/vfio-pci"
        return tuple(sorted(path.name for path in _entries(bound) if _ADDRESS.fullmatch(path.name)))

    def gpu_profiles(self) -> tuple[GpuProfile, ...]:
        """Return how many of each profile are free, and in all. What shares a card takes from each other."""
        free: dict[str, int] = {}
        used: dict[str, int] = {}
        for kind in self._types():
            free[kind.name] = free.get(kind.name, 0) + _number(kind / "available_instances")
            used[kind.name] = used.get(kind.name, 0) + len(_entries(kind / "devices"))
        return tuple(
            GpuProfile(profile=profile, free=free[profile], total=free[profile] + used[profile])
            for profile in sorted(free)
        )

    def mdevs(self, vm: VmAssignment) -> tuple[str, ...]:
        """Return the mediated devices of a machine, one for each profile; make those that are not there.

        Raises Problem NO_GPU.
        """
        names = _mdev_names(vm)
        for name, profile in zip(names, vm.gpu_profiles, strict=True):
            if not self._mdev(name).exists():
                self._make(name, profile)
        return names

    def remove_mdevs(self, vm: VmAssignment) -> None:
        """Give the mediated devices of a machine back; its domain is gone."""
        for name in _mdev_names(vm):
            if self._mdev(name).exists():
                (self._mdev(name) / "remove").write_text("1\n")

    def _mdev(self, name: str) -> Path:
        return self.sysfs / "bus/mdev/devices" / name

    def _make(self, name: str, profile: str) -> None:
        for kind in self._types():
            if kind.name == profile and _number(kind / "available_instances"):
                (kind / "create").write_text(f"{name}\n")
                return
        raise Problem("NO_GPU", f"this host has no GPU with room for a {profile!r}")

    def _types(self) -> Iterator[Path]:
        for card in _entries(self.sysfs / "class/mdev_bus"):
            yield from _entries(card / "mdev_supported_types")


def _mdev_names(vm: VmAssignment) -> tuple[str, ...]:
    """Return the same UUIDs for a machine always: nothing needs to be remembered."""
    uid = checked_uid(vm.uid, "virtual machine")
    return tuple(
        str(uuid5(NAMESPACE_URL, f"netctl:mdev/{uid}/{number}/{profile}"))
        for number, profile in enumerate(vm.gpu_profiles)
    )


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return 0
