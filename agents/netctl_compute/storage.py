"""A host's storage as one thing for the agent's loop: look, then ask for what is missing; work goes on in threads.

`look` and `prepare` return soon; when a piece of work ends or gets on, the loop is woken and looks again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from netctl.loop import Wake
from netctl_compute.assignment import (
    ComputeAssignment,
    DiskAssignment,
    DiskExport,
    DiskKind,
    Firmware,
    VmAssignment,
    VmRole,
)
from netctl_compute.disks import Disks
from netctl_compute.exports import Exports
from netctl_compute.firmware import FirmwareRoom
from netctl_compute.image_cache import ImageCache
from netctl_compute.image_server import ImageServer
from netctl_compute.problem import Problem, store_problem
from netctl_compute.qcow2 import QCOW2, read_content
from netctl_compute.reported import ExportReport
from netctl_compute.seeds import Seeds, is_told
from netctl_compute.storage_state import DiskFile, VmStorage
from netctl_compute.store import Store
from netctl_compute.work import Key, Ticket, Work, WorkState

SWEEP_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a host's storage is: its store, the seeds (in memory), the firmware that is installed."""

    store: Store
    seeds: Path
    firmware: Path = Path("/usr/share/OVMF")


@dataclass(slots=True)
class _Looked:
    """What `look` gathers: what is there, and why something is not."""

    disks: dict[str, DiskFile] = field(default_factory=dict)
    disk_bytes: dict[str, int] = field(default_factory=dict)
    to_grow: dict[str, int] = field(default_factory=dict)
    missing: list[tuple[Problem, WorkState]] = field(default_factory=list)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note what goes wrong inside, and go on."""
        try:
            yield
        except Problem as problem:
            self.missing.append((problem, WorkState()))
        except OSError as error:
            self.missing.append((store_problem(error), WorkState()))

    @property
    def obstacle(self) -> tuple[Problem, WorkState]:
        """The one thing to tell: what failed before what is under way, of that the slowest."""
        return min(self.missing, key=lambda each: (each[1].running, each[1].percent))


class Storage:
    """Used by the loop's thread alone; `wake` is set by others, too."""

    def __init__(
        self,
        places: Places,
        images: ImageServer,
        wake: Wake,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = places.store
        self._disks = Disks(places.store)
        self._images = ImageCache(places.store, images)
        self._firmware = FirmwareRoom(places.firmware)
        self._seeds = Seeds(places.seeds)
        self._wake = wake
        self._clock = clock
        self._work = Work(wake, clock)
        self._exports = Exports(places.store, images, self._work)
        self._swept_s = -SWEEP_S
        self._awaits: dict[str, frozenset[str]] = {}  # by machine, those whose disks it is to be a copy of

    def look(self, vm: VmAssignment) -> VmStorage:
        """Say what is there of a machine. Reads the store, starts nothing; what is wrong is in the answer."""
        looked = _Looked()
        self._awaits.pop(vm.uid, None)
        if vm.role is VmRole.REMOVE:
            return self._look_for_rest(vm, looked)
        for disk in vm.disks:
            with looked.noting():
                self._look_at(vm, disk, looked)
        missing = [disk for disk in vm.disks if disk.uid not in looked.disks and disk.source_disk]
        if missing:
            self._awaits[vm.uid] = frozenset(disk.source_vm_uid for disk in missing)
        found = VmStorage(
            ready=True, disks=looked.disks, disk_bytes=looked.disk_bytes, to_grow=looked.to_grow
        )
        with looked.noting():
            found = self._with_firmware(vm, found)
        with looked.noting():
            found = self._with_seed(vm, found)
        return _with_obstacle(found, looked)

    def prepare(self, vm: VmAssignment, *, domain_exists: bool = False) -> None:
        """Start to make what `look` finds missing, unless it is under way or failed a moment ago. Raises Problem.

        PLACEHOLDER: disks that the store does not have are made empty, of the right size: a migration fills them.
        Disks are grown at once: it takes no time, and the machine must not start before.
        """
        try:
            self._store.check()
            for disk in vm.disks:
                self._prepare_disk(vm, disk, domain_exists=domain_exists)
            if vm.firmware is Firmware.UEFI:
                self._firmware.make(self._store, vm.uid, secure_boot=vm.secure_boot)
            if is_told(vm) and self._seeds.find(vm) is None:
                self._seeds.make(vm)
        except OSError as error:
            raise store_problem(error) from error

    def remove(self, vm: VmAssignment) -> None:
        """REMOVE: delete the machine's seed and, unless `keep_disks`, its files; its domain is gone. Raises Problem.

        What is still being made of it is told to end; it is removed in the pass after that. One that another machine,
        looked at before, is to be a copy of stays until that is made.
        """
        if copy := next((uid for uid, sources in self._awaits.items() if vm.uid in sources), ""):
            raise Problem(
                "BEING_COPIED", f"its disks stay until those of virtual machine {copy} are made of them"
            )
        work = self._work_of(vm.uid)
        self._work.cancel(work)
        if self._work_of(vm.uid):
            return
        try:
            self._store.check()
            self._seeds.remove(vm.uid)
            if not vm.keep_disks:
                self._store.remove_vm(vm.uid)
        except OSError as error:
            raise store_problem(error) from error

    def tidy(self, assignment: ComputeAssignment) -> None:
        """Stop work that nobody wants any more; remove its left-overs and images that are not used. Every pass."""
        staying = [vm for vm in assignment.vms if vm.role is not VmRole.REMOVE]
        self._awaits = {vm.uid: self._awaits[vm.uid] for vm in staying if vm.uid in self._awaits}
        images = {disk.image_sha256 for vm in staying for disk in vm.disks if self._needs_image(vm, disk)}
        wanted: set[Key] = {("image", sha256) for sha256 in images}
        wanted |= {("disk", vm.uid, disk.uid) for vm in staying for disk in vm.disks}
        self._work.cancel([key for key in self._work.known() if key[0] != "export" and key not in wanted])
        try:
            self._images.keep(images)
            self._seeds.tidy(frozenset(vm.uid for vm in staying))
            if self._clock() - self._swept_s >= SWEEP_S:
                self._swept_s = self._clock()
                self._store.check()
                self._store.sweep(self._being_made(images))
        except OSError as error:
            raise store_problem(error) from error
        if (pause_s := self._work.retry_in_s()) is not None:
            self._wake.within(pause_s)

    def export(self, orders: tuple[DiskExport, ...]) -> tuple[ExportReport, ...]:
        """Start the exports that are ordered, stop the others, say how far they are. Every pass."""
        return self._exports.serve(orders)

    def stop(self) -> None:
        """End all work, and wait for that; what was half made is removed, or resumed by the next start."""
        self._work.close()

    def _look_at(self, vm: VmAssignment, disk: DiskAssignment, looked: _Looked) -> None:
        if disk.kind is DiskKind.CDROM:
            if not disk.image:
                return
            medium = self._found(disk)
            if medium is None:
                looked.missing.append(self._awaited(vm, disk))
                return
            looked.disks[disk.uid] = medium
            looked.disk_bytes[disk.uid] = read_content(medium.path).size_bytes
            return
        size_bytes = self._disks.size_bytes(vm.uid, disk.uid)
        # It has its name a moment before it is surely on disk.
        if size_bytes is None or self._work.state(_disk_key(vm, disk)).running:
            looked.missing.append(self._awaited(vm, disk))
            return
        looked.disks[disk.uid] = DiskFile(path=self._store.disk(vm.uid, disk.uid), format=QCOW2)
        looked.disk_bytes[disk.uid] = size_bytes
        if disk.size_bytes > size_bytes and vm.role is VmRole.RUN:
            looked.to_grow[disk.uid] = disk.size_bytes

    def _look_for_rest(self, vm: VmAssignment, looked: _Looked) -> VmStorage:
        """Say what is left of a machine that is to be removed."""
        left = True
        with looked.noting():
            files = () if vm.keep_disks else self._store.vm_files(vm.uid)
            for disk in vm.disks:
                path = self._store.disk(vm.uid, disk.uid)
                if path.name in files:
                    looked.disk_bytes[disk.uid] = path.lstat().st_size
            left = bool(files or self._work_of(vm.uid) or self._seeds.exists(vm.uid))
        return _with_obstacle(VmStorage(ready=True, disk_bytes=looked.disk_bytes, absent=not left), looked)

    def _with_firmware(self, vm: VmAssignment, found: VmStorage) -> VmStorage:
        if vm.firmware is not Firmware.UEFI:
            return found
        files = self._firmware.find(self._store, vm.uid, secure_boot=vm.secure_boot)
        if files is None:
            raise Problem("FIRMWARE_MISSING", "the machine's firmware variables are not made yet")
        return replace(found, firmware=files)

    def _with_seed(self, vm: VmAssignment, found: VmStorage) -> VmStorage:
        seed = self._seeds.find(vm)
        if seed is None and is_told(vm):
            raise Problem("SEED_MISSING", "the medium that tells the guest who it is is not made yet")
        return replace(found, seed=seed)

    def _awaited(self, vm: VmAssignment, disk: DiskAssignment) -> tuple[Problem, WorkState]:
        """Say why a disk or medium is not there: what failed, or what is under way."""
        if disk.image:
            self._store.image(disk.image_sha256)  # raises Problem for what is no SHA-256
        made = self._work.state(_disk_key(vm, disk))
        fetched = self._work.state(_image_key(disk)) if disk.image else WorkState()
        for state in (made, fetched):
            if state.problem is not None and not state.running:
                return state.problem, state
        if fetched.running:
            return Problem("IMAGE_FETCHING", f"image {disk.image} is being fetched"), fetched
        if made.running:
            return Problem("DISK_COPYING", f"disk {disk.uid} is being made"), made
        return Problem("DISK_MISSING", f"disk {disk.uid} is not in the store of this host"), made

    def _prepare_disk(self, vm: VmAssignment, disk: DiskAssignment, *, domain_exists: bool) -> None:
        if disk.kind is DiskKind.CDROM:
            if disk.image:
                self._image(disk)
            return
        size_bytes = self._disks.size_bytes(vm.uid, disk.uid)
        if size_bytes is not None:
            if disk.size_bytes > size_bytes and vm.role is VmRole.RUN and not domain_exists:
                self._disks.grow(vm.uid, disk, Ticket(self._wake))
            return
        if vm.role is VmRole.PLACEHOLDER and disk.size_bytes:
            make = partial(self._disks.make, vm.uid, disk, None)
        elif disk.image:
            image = self._image(disk)
            if image is None:
                return
            make = partial(self._disks.make, vm.uid, disk, image)
        elif disk.source_disk:
            make = partial(self._disks.clone, vm.uid, disk)
        else:
            make = partial(self._disks.make, vm.uid, disk, None)
        self._work.start(_disk_key(vm, disk), make)

    def _image(self, disk: DiskAssignment) -> DiskFile | None:
        """Return an image, or see to it that it comes."""
        image = self._found(disk)
        if image is None:
            self._work.start(_image_key(disk), partial(self._images.fetch, disk.image, disk.image_sha256))
        return image

    def _found(self, disk: DiskAssignment) -> DiskFile | None:
        """Return an image that is there, and surely on disk."""
        return None if self._work.state(_image_key(disk)).running else self._images.find(disk.image_sha256)

    def _needs_image(self, vm: VmAssignment, disk: DiskAssignment) -> bool:
        if not disk.image:
            return False
        try:
            self._store.image(disk.image_sha256)
            return disk.kind is DiskKind.CDROM or not self._store.has(self._store.disk(vm.uid, disk.uid))
        except Problem:
            return False  # nothing is made of it; `look` says why

    def _being_made(self, images: set[str]) -> set[Path]:
        """Return the unfinished files that stay: those of running work, and of images, which are gone on with."""
        finals = {self._store.image(sha256) for sha256 in images}
        for kind, *names in self._work.running():
            if kind == "disk":
                finals.add(self._store.disk(*names))
            elif kind == "export":
                finals.add(self._exports.file(*names))
        return {self._store.part_of(final) for final in finals}

    def _work_of(self, vm_uid: str) -> list[Key]:
        return [key for key in self._work.running() if vm_uid in key]


def _disk_key(vm: VmAssignment, disk: DiskAssignment) -> Key:
    return ("disk", vm.uid, disk.uid)


def _image_key(disk: DiskAssignment) -> Key:
    return ("image", disk.image_sha256)


def _with_obstacle(found: VmStorage, looked: _Looked) -> VmStorage:
    """Say what is missing, if anything is."""
    if not looked.missing:
        return found
    problem, state = looked.obstacle
    return replace(
        found,
        ready=False,
        reason=problem.reason,
        problem=problem.message,
        progress_percent=state.percent if state.running else 0,
    )
