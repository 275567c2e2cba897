"""Makes the disks of virtual machines: empty, of an image, of another disk; and makes them larger.

A disk is a full copy: it needs neither its image nor its source once it is there. It is made under a temporary name in
a thread beside the agent's loop; what is unfinished when the agent ends is removed at its next start and made afresh.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from netctl_compute import qemu_img
from netctl_compute.assignment import DiskAssignment
from netctl_compute.problem import Problem
from netctl_compute.qcow2 import QCOW2, read_content
from netctl_compute.storage_state import DiskFile
from netctl_compute.store import Store
from netctl_compute.work import Ticket


@dataclass(frozen=True, slots=True)
class Disks:
    """The disks of a store."""

    store: Store

    def size_bytes(self, vm_uid: str, disk_uid: str) -> int | None:
        """Say what the guest sees of a disk; None when it is not there. Raises Problem DISK_BROKEN."""
        path = self.store.disk(vm_uid, disk_uid)
        if not self.store.has(path):
            return None
        return _own_size(path)

    def clone(self, vm_uid: str, disk: DiskAssignment, ticket: Ticket) -> None:
        """Make a disk that is not there, as a copy of another one, whose machine is off."""
        self.make(vm_uid, disk, self._source(disk), ticket)

    def _source(self, disk: DiskAssignment) -> DiskFile:
        """Return the disk that `disk` is to be a copy of. Raises Problem SOURCE_MISSING."""
        path = self.store.disk(disk.source_vm_uid, disk.source_disk)
        if not self.store.has(path):
            raise Problem(
                "SOURCE_MISSING",
                f"disk {disk.source_disk} of virtual machine {disk.source_vm_uid}, to be copied, is not in this store",
            )
        _own_size(path)
        return DiskFile(path=path, format=QCOW2)

    def make(self, vm_uid: str, disk: DiskAssignment, source: DiskFile | None, ticket: Ticket) -> None:
        """Make a disk that is not there, as a copy of `source` or empty."""
        final = self.store.disk(vm_uid, disk.uid)
        with self.store.new_part(final) as part:
            if source is None:
                if not disk.size_bytes:
                    raise Problem("DISK_SIZE_UNKNOWN", f"disk {disk.uid} has neither a size nor a source")
                qemu_img.create(part, disk.size_bytes, ticket)
            else:
                _check_fits(disk, source)
                ticket.span(0, 99)  # to grow it takes no time
                qemu_img.copy(source, part, ticket)
                ticket.span(99, 100)
                if disk.size_bytes > read_content(part).size_bytes:
                    qemu_img.grow(part, disk.size_bytes, ticket)
            self.store.publish(part, final)

    def grow(self, vm_uid: str, disk: DiskAssignment, ticket: Ticket) -> None:
        """Make a disk as large as assigned; its machine is off."""
        qemu_img.grow(self.store.disk(vm_uid, disk.uid), disk.size_bytes, ticket)


def _check_fits(disk: DiskAssignment, source: DiskFile) -> None:
    """Refuse to copy what is larger than the disk is to be: before anything of it is written."""
    source_bytes = read_content(source.path).size_bytes
    if disk.size_bytes and source_bytes > disk.size_bytes:
        raise Problem(
            "IMAGE_TOO_LARGE",
            f"what disk {disk.uid} is made of has {source_bytes} bytes, the disk {disk.size_bytes}: make it larger",
        )


def _own_size(path: Path) -> int:
    """Return the size of one of our own disks, which is qcow2 and stands alone."""
    try:
        content = read_content(path)
    except Problem as problem:
        raise Problem("DISK_BROKEN", f"{path}: {problem.message}") from problem
    if content.format != QCOW2:
        raise Problem("DISK_BROKEN", f"{path} is not qcow2: something else has written it")
    return content.size_bytes
