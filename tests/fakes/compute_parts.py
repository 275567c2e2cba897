"""The other parts of a compute host in memory: storage, taps, vTPMs, jobs. As `netctl_compute.parts` says them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from netctl_compute.assignment import ComputeAssignment, DiskExport, VmAssignment
from netctl_compute.host import Host, Parts
from netctl_compute.problem import Problem
from netctl_compute.reported import ExportReport, HostCapacity, MigrationReport
from netctl_compute.settings import Settings
from netctl_compute.state import HostState, Tap
from netctl_compute.storage_state import DiskFile, VmStorage

from tests.fakes.libvirt import FakeLibvirt


class FakeStorage:
    """Makes everything at once; machines in `slow` are never done, those in `broken` cannot be made."""

    def __init__(self) -> None:
        self.slow: set[str] = set()
        self.broken: set[str] = set()
        self.made: dict[str, set[str]] = {}

    def look(self, vm: VmAssignment) -> VmStorage:
        """Say what is there."""
        if vm.vm in self.slow:
            return VmStorage(ready=False, reason="DISK_COPYING", problem="it is copied", progress_percent=40)
        made = self.made.get(vm.uid)
        disks = {disk.uid for disk in vm.disks}
        return VmStorage(
            ready=made is not None and disks <= made,
            disks={uid: DiskFile(path=Path(f"/store/{uid}"), format="qcow2") for uid in made or ()},
            disk_bytes=dict.fromkeys(made or (), 1),
            absent=made is None,
        )

    def prepare(self, vm: VmAssignment, *, domain_exists: bool = False) -> None:
        """Make it."""
        if vm.vm in self.broken:
            raise Problem("NO_SPACE", "the store is full")
        self.made[vm.uid] = {disk.uid for disk in vm.disks}

    def remove(self, vm: VmAssignment) -> None:
        """Delete it."""
        self.made.pop(vm.uid, None)

    def tidy(self, assignment: ComputeAssignment) -> None:
        """Nothing is left over here."""

    def export(self, orders: tuple[DiskExport, ...]) -> tuple[ExportReport, ...]:
        """Everything is sent at once."""
        return tuple(ExportReport(image=order.image, done=True) for order in orders)


class FakeTaps:
    """Taps by name."""

    def __init__(self) -> None:
        self.taps: dict[str, Tap] = {}

    def read(self) -> Mapping[str, Tap]:
        """Return every tap."""
        return dict(self.taps)

    def make(self, tap: Tap) -> None:
        """Make or correct it."""
        self.taps[tap.name] = tap

    def remove(self, name: str) -> None:
        """Remove it."""
        self.taps.pop(name, None)


class _Nothing:
    """vTPMs, jobs, GPUs and logs: none."""

    def exists(self, vm_uid: str) -> bool:
        return False

    def remove(self, vm_uid: str) -> None:
        return

    def serve(self, assignment: ComputeAssignment, state: HostState) -> tuple[MigrationReport, ...]:
        return ()

    def running(self) -> frozenset[str]:
        return frozenset()

    def mdevs(self, vm: VmAssignment) -> tuple[str, ...]:
        return ()

    def remove_mdevs(self, vm: VmAssignment) -> None:
        return

    def path(self, vm_uid: str) -> str:
        return f"/log/{vm_uid}"

    def cut(self) -> None:
        return


class FakeComputeHost:
    """A whole host: `host` is what the agent gets, the rest is for tests."""

    def __init__(self) -> None:
        self.libvirt = FakeLibvirt()
        self.storage = FakeStorage()
        self.taps = FakeTaps()
        nothing = _Nothing()
        parts = Parts(
            hypervisor=self.libvirt,
            taps=self.taps,
            storage=self.storage,
            tpm_states=nothing,
            migrations=nothing,
            serial_logs=nothing,
            devices=nothing,
            capacity=lambda: replace(HostCapacity(), cpus=2),
            measure=lambda hosts: {},
        )
        self.host = Host(parts, lambda: Settings(domain_type="qemu"))
