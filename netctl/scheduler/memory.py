"""Memory of a host: what virtual machines take of it."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.model.compute_report import HostCapacity
from netctl.model.vm import Vm


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What of a host's memory virtual machines may have, and what of it nobody has, in MiB; below 0: too much is."""

    free_mib: int
    total_mib: int

    def lacks(self, vm: Vm) -> str:
        """Say what keeps a machine out; "" when it fits. After "hosts/h2 "."""
        needed = charge_mib(vm)
        if needed <= self.free_mib:
            return ""
        half = " (half of its memory, with overcommit)" if vm.memory_overcommit else ""
        free = max(0, self.free_mib)
        return (
            f"has {free} of {self.total_mib} MiB of memory free; vms/{vm.id} needs {needed} MiB{half}:"
            " switch others off or migrate them"
        )


def charge_mib(vm: Vm) -> int:
    """Return what a machine is counted with: half of its memory where the host may take back what it does not use."""
    return (vm.memory_mib + 1) // 2 if vm.memory_overcommit else vm.memory_mib


def usable_mib(capacity: HostCapacity) -> int:
    """Return what a host has for virtual machines."""
    return max(0, capacity.memory_mib - capacity.reserved_memory_mib)
