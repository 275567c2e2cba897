"""Guests that can be told apart, and orders to migrate them, over two real hosts of libvirt.

The guest is a boot sector that counts at one place of its memory for ever: what is read there says that it lives, and
that it is the one that was started, and no other. A busy one also writes half a MiB again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from netctl_compute.assignment import (
    BootDevice,
    ComputeAssignment,
    DiskAssignment,
    DiskBus,
    DiskKind,
    MigrationOrder,
    PowerState,
    VmAssignment,
    VmRole,
)
from netctl_compute.domain_xml import Found, Start, render_domain
from netctl_compute.libvirt_driver import LibvirtDriver
from netctl_compute.libvirt_migration import LibvirtMigration
from netctl_compute.migration_jobs import MigrationJobs
from netctl_compute.reported import JobState, MigrationReport, RunState
from netctl_compute.saved_orders import SavedOrders
from netctl_compute.settings import Settings
from netctl_compute.state import HostState
from netctl_compute.storage_state import DiskFile, VmStorage

from netctl.loop import wait_until
from tests.functional.compute.libvirt_host import PrivateLibvirt

UID, DISK = str(UUID(int=7)), str(UUID(int=8))
_COUNTER = 0x500  # free in every PC
# cli; xor ax,ax; mov ds,ax; cld; again: inc dword [0x500]
_HEAD = bytes.fromhex("fa 31c0 8ed8 fc 66ff060005")
# mov ecx,20000; wait: dec ecx; jnz wait; jmp again
_CALM = bytes.fromhex("66b9204e0000 6649 75fc ebef")
# mov bx,0x1000; next: mov es,bx; xor di,di; mov ax,[0x500]; mov cx,0x8000; rep stosw; add bx,0x1000;
# cmp bx,0x9000; jb next; jmp again
_BUSY = bytes.fromhex("bb0010 8ec3 31ff a10005 b90080 f3ab 81c30010 81fb0090 72ea ebe0")
SETTINGS = Settings(domain_type="qemu")


def boot_sector(*, busy: bool) -> bytes:
    """Return a disk's first MiB."""
    code = _HEAD + (_BUSY if busy else _CALM)
    return (code.ljust(510, b"\0") + b"\x55\xaa").ljust(1 << 20, b"\0")


def machine(*, vtpm: bool = False) -> VmAssignment:
    """Return the virtual machine of these tests."""
    disk = DiskAssignment(uid=DISK, kind=DiskKind.DISK, bus=DiskBus.IDE, index=0, size_bytes=1 << 20)
    return VmAssignment(
        vm="moving",
        uid=UID,
        role=VmRole.RUN,
        power_state=PowerState.ON,
        memory_mib=32,
        disks=(disk,),
        boot_order=(BootDevice.DISK,),
        vtpm=vtpm,
        vtpm_secret="c2VjcmV0IG9mIHRoaXMgdGVzdA==" if vtpm else "",
    )


@dataclass(frozen=True, slots=True)
class Site:
    """Two hosts with their agents' parts, and one machine."""

    hosts: tuple[PrivateLibvirt, PrivateLibvirt]
    drivers: tuple[LibvirtDriver, LibvirtDriver]
    vm: VmAssignment

    def start(self, disk: Path) -> None:
        """Start the machine on the first host and wait until it counts."""
        storage = VmStorage(ready=True, disks={DISK: DiskFile(path=disk, format="raw")})
        start = Start(power_epoch=1, reset_epoch=0, time_s=1.0)
        self.drivers[0].start(
            self.vm.uid, render_domain(self.vm, Found(storage=storage), SETTINGS, start), paused=False
        )
        wait_until(lambda: self.count(0) > 0, timeout_s=20, what="the guest counts")

    def count(self, host: int) -> int:
        """Return how far the guest counted on this host."""
        words = ("qemu-monitor-command", "--hmp", self.vm.vm, f"xp /1wx {_COUNTER:#x}")
        return int(self.hosts[host].virsh(*words).split(":")[1], 16)

    def counts_on(self, host: int, beyond: int) -> None:
        """Wait until it lives there, and knows how far it had counted before."""
        wait_until(lambda: self.count(host) > beyond, timeout_s=10, what=f"it counts on beyond {beyond}")

    def runs_on(self) -> list[int]:
        """Return the hosts whose libvirt says that it runs there."""
        found = []
        for at, driver in enumerate(self.drivers):
            domain = driver.read_domains()[0].get(self.vm.uid)
            if domain is not None and domain.run_state is RunState.RUNNING:
                found.append(at)
        return found

    def order(self, to: int, attempt: int = 1, **changes: object) -> MigrationOrder:
        """Return the order to move it to a host."""
        order = MigrationOrder(
            migration="m",
            attempt=attempt,
            vm=self.vm.vm,
            destination=f"h{to}",
            destination_address=f"tcp://{self.hosts[to].host.address}",
        )
        return replace(order, **changes)  # type: ignore[arg-type]

    @contextmanager
    def agent(self, host: int, state_dir: Path) -> Iterator[Agent]:
        """Have an agent's migrations on a host."""
        driver = self.drivers[host]
        jobs = MigrationJobs(LibvirtMigration(driver.connection), SavedOrders(state_dir), lambda: None)
        try:
            yield Agent(jobs, driver, self.vm)
        finally:
            jobs.close()


@dataclass(frozen=True, slots=True)
class Agent:
    """The part of an agent that migrates, and passes of its loop."""

    jobs: MigrationJobs
    driver: LibvirtDriver
    vm: VmAssignment

    def pass_once(self, *orders: MigrationOrder) -> tuple[MigrationReport, ...]:
        """Make one pass with these orders."""
        domains, unknown = self.driver.read_domains()
        assignment = ComputeAssignment(host="h", revision=1, epoch=1, vms=(self.vm,), migrations=orders)
        return self.jobs.serve(assignment, HostState(domains=domains, unknown=unknown))

    def until(
        self, order: MigrationOrder, holds: Callable[[MigrationReport], bool], what: str
    ) -> MigrationReport:
        """Make passes until a report is as awaited."""
        reports: list[MigrationReport] = []

        def look() -> MigrationReport | None:
            reports.extend(self.pass_once(order))
            return reports[-1] if holds(reports[-1]) else None

        try:
            found = wait_until(look, timeout_s=30, what=what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; the last report: {reports[-1]}") from None
        assert found is not None
        return found

    def end(self, order: MigrationOrder) -> MigrationReport:
        """Make passes until the order ended."""
        return self.until(order, lambda report: report.state is not JobState.RUNNING, "the order ended")
