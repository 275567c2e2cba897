"""What tests of a host's storage are made of: a controller with images, machines, and disks that are looked into."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from netctl_compute.assignment import (
    ComputeAssignment,
    DiskAssignment,
    DiskBus,
    DiskKind,
    PowerState,
    VmAssignment,
    VmRole,
)
from netctl_compute.image_server import ImageChunk
from netctl_compute.storage import Places, Storage
from netctl_compute.storage_state import VmStorage
from netctl_compute.store import Store

from netctl.errors import NotFound, Unavailable
from netctl.loop import Wake, wait_until

MIB = 1 << 20
READY_S = 20.0
_CHUNK_BYTES = 256 * 1024


@dataclass
class ImageShelf:
    """Serves images from memory and takes others; `breaks_after` bytes the next transfers break off."""

    images: dict[str, bytes] = field(default_factory=dict)
    breaks_after: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    before_read: Callable[[], object] = lambda: None

    def add(self, image: str, data: bytes) -> str:
        """Put an image there; return its SHA-256."""
        self.images[image] = data
        return hashlib.sha256(data).hexdigest()

    def read_image(self, image: str, offset: int) -> Iterator[ImageChunk]:
        """Give an image's bytes, as the controller does."""
        self.offsets.append(offset)
        self.before_read()
        data = self.images.get(image)
        if data is None:
            raise NotFound(f"no image {image}")
        ends = self.breaks_after.pop(0) if self.breaks_after else len(data)
        for at in range(offset, len(data), _CHUNK_BYTES):
            if at >= ends:
                raise Unavailable("the controller went away")
            yield ImageChunk(data[at : at + _CHUNK_BYTES], len(data))

    def write_image(self, image: str, chunks: Iterator[bytes]) -> str:
        """Take an image's bytes, as the controller does."""
        return self.add(image, b"".join(chunks))


class Room:
    """A host's storage in a directory; several may share the store."""

    def __init__(self, directory: Path, host: str = "h1", shelf: ImageShelf | None = None) -> None:
        self.shelf = shelf if shelf is not None else ImageShelf()
        self.store = Store(directory / "store", host)
        self.wake = Wake()
        places = Places(store=self.store, seeds=directory / f"seeds-{host}")
        self.storage = Storage(places, self.shelf, self.wake)

    def pass_of(self, *vms: VmAssignment) -> list[VmStorage]:
        """Do what the agent does in a pass for machines that have no domain; return what was there at its end."""
        for vm in vms:
            if vm.role is VmRole.REMOVE:
                self.storage.remove(vm)
            else:
                self.storage.prepare(vm)
        self.storage.tidy(ComputeAssignment(host="h1", revision=1, epoch=1, vms=vms))
        return [self.storage.look(vm) for vm in vms]

    def settle(self, *vms: VmAssignment) -> list[VmStorage]:
        """Pass until every machine is ready, or says why it is not."""

        def settled() -> list[VmStorage]:
            found = self.pass_of(*vms)
            under_way = {"IMAGE_FETCHING", "DISK_COPYING", "DISK_MISSING"}
            done = all(
                each.absent if vm.role is VmRole.REMOVE else each.reason not in under_way
                for vm, each in zip(vms, found, strict=True)
            )
            return found if done else []

        return wait_until(settled, timeout_s=READY_S, what=f"the storage of {[vm.vm for vm in vms]} settles")

    def files(self) -> list[str]:
        """Return every file of the store but its id."""
        paths = (path for path in self.store.directory.rglob("*") if not path.is_dir())
        return sorted(
            str(path.relative_to(self.store.directory)) for path in paths if path.name != ".netctl-store"
        )


def machine(*disks: DiskAssignment, role: VmRole = VmRole.RUN, uid: str = "") -> VmAssignment:
    """Return a machine with these disks."""
    return VmAssignment(
        vm="web1",
        uid=uid or str(uuid4()),
        role=role,
        power_state=PowerState.OFF,
        memory_mib=128,
        disks=disks,
    )


def disk(size_bytes: int = 0, *, image: str = "", sha256: str = "", uid: str = "") -> DiskAssignment:
    """Return a disk, empty or made of an image."""
    return DiskAssignment(
        uid=uid or str(uuid4()),
        kind=DiskKind.DISK,
        bus=DiskBus.PCI,
        index=0,
        size_bytes=size_bytes,
        image=image,
        image_sha256=sha256,
    )


def clone_of(vm: VmAssignment, size_bytes: int = 0) -> DiskAssignment:
    """Return a disk that is to be a copy of a machine's first one."""
    return DiskAssignment(
        uid=str(uuid4()),
        kind=DiskKind.DISK,
        bus=DiskBus.PCI,
        index=0,
        size_bytes=size_bytes,
        source_vm_uid=vm.uid,
        source_disk=vm.disks[0].uid,
    )


def cdrom(image: str, sha256: str) -> DiskAssignment:
    """Return a CD-ROM drive with a medium."""
    return DiskAssignment(
        uid=str(uuid4()),
        kind=DiskKind.CDROM,
        bus=DiskBus.IDE,
        index=0,
        size_bytes=0,
        image=image,
        image_sha256=sha256,
    )


def run(*argv: str | Path) -> str:
    """Run a program of QEMU's; return what it prints."""
    return subprocess.run(
        [str(each) for each in argv], check=True, capture_output=True, text=True, timeout=60
    ).stdout


def write(path: Path, pattern: int, *, at: int = 0, length: int = MIB) -> None:
    """Write a pattern into a qcow2 disk, as a guest would."""
    run("qemu-io", "-f", "qcow2", "-c", f"write -P {pattern} {at} {length}", path)


def reads(path: Path, pattern: int, *, at: int = 0, length: int = MIB) -> bool:
    """Say whether a qcow2 disk has this pattern there."""
    said = run("qemu-io", "-f", "qcow2", "-c", f"read -P {pattern} {at} {length}", path)
    return "verification failed" not in said


def qcow2(directory: Path, size_bytes: int, pattern: int = 0) -> bytes:
    """Return an image with a pattern in its first MiB."""
    path = directory / f"{uuid4()}.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", path, str(size_bytes))
    if pattern:
        write(path, pattern)
    data = path.read_bytes()
    path.unlink()
    return data


@contextmanager
def in_use(path: Path, *, medium: bool = False) -> Iterator[None]:
    """Hold a disk, or a medium that is only read, open as QEMU does, with QEMU's own locks."""
    argv = ["qemu-io", *(("-r", "-f", "raw") if medium else ("-f", "qcow2")), str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write("read 0 512\n")
        holder.stdin.flush()
        holder.stdout.readline()  # it has read: so it has the disk
        yield
        holder.stdin.close()
