"""Disk: one disk or CD-ROM drive of a virtual machine, and where its content comes from."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.keys import ImageId, Uid, VmId, check_id

DISK_BYTES_MAX = 64 << 40  # the product's maximum: 64 TiB
DISKS_MAX = 64
SECTOR_BYTES = 512  # what a guest addresses


class DiskKind(enum.StrEnum):
    """A disk that the guest writes, or a drive for a medium that it only reads."""

    DISK = "disk"
    CDROM = "cdrom"


class DiskBus(enum.StrEnum):
    """How it is attached, as libvirt spells `<target bus=>`; PCI is virtio-blk. AUTO in a request leaves it open."""

    AUTO = ""
    SCSI = "scsi"
    PCI = "virtio"
    SATA = "sata"
    IDE = "ide"


# Places: QEMU's i440fx has two IDE channels of two, ICH9's SATA controller six ports.
PLACES = {DiskBus.SCSI: DISKS_MAX, DiskBus.PCI: DISKS_MAX, DiskBus.SATA: 6, DiskBus.IDE: 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """`uid` and `index` -1 are decided at admission. `size_bytes` 0 is as large as its source, or a CD-ROM's.

    Its content is a copy of `image` (of a CD-ROM: the medium itself), or of disk number `source_index` of `source_vm`:
    admission resolves that to `source_disk`, the uid of the disk.
    """

    uid: Uid = Uid("")
    kind: DiskKind = DiskKind.DISK
    bus: DiskBus = DiskBus.AUTO
    index: int = -1
    size_bytes: int = 0
    image: ImageId = ImageId("")
    source_vm: VmId = VmId("")
    source_index: int = 0
    source_disk: Uid = Uid("")
    source_vm_uid: Uid = Uid("")


def check_disks(disks: tuple[Disk, ...]) -> None:
    """Raise InvalidIntent unless a virtual machine may have these disks."""
    if len(disks) > DISKS_MAX:
        raise InvalidIntent("disks", f"has {len(disks)} disks; at most {DISKS_MAX} are allowed")
    seen: set[tuple[DiskBus, int]] = set()
    for i, disk in enumerate(disks):
        field = f"disks[{i}]"
        _check_source(disk, field)
        _check_size(disk, field)
        places = PLACES.get(disk.bus, DISKS_MAX)
        if disk.index != -1:
            shape.check_range(f"{field}.index", disk.index, low=0, high=places - 1)
            place = (disk.bus, disk.index)
            if disk.bus is not DiskBus.AUTO and place in seen:
                raise InvalidIntent(
                    f"{field}.index", f"{disk.index} of bus {disk.bus.name} is used twice; leave it unset"
                )
            seen.add(place)


def _check_source(disk: Disk, field: str) -> None:
    if disk.image:
        check_id(f"{field}.image", disk.image)
    if disk.source_vm:
        check_id(f"{field}.source_vm", disk.source_vm)
        shape.check_range(f"{field}.source_index", disk.source_index, low=0, high=DISKS_MAX - 1)
        if disk.image:
            raise InvalidIntent(f"{field}.source_vm", "does not go with image: a disk is a copy of one thing")


def _check_size(disk: Disk, field: str) -> None:
    if disk.kind is DiskKind.CDROM:
        if disk.size_bytes:
            raise InvalidIntent(f"{field}.size_bytes", "a CD-ROM is as large as its image; leave it 0")
        if disk.source_vm:
            raise InvalidIntent(f"{field}.source_vm", "a CD-ROM shows an image, not a copy of a disk")
        if disk.bus is DiskBus.PCI:
            raise InvalidIntent(f"{field}.bus", "PCI has no CD-ROM: use SATA, SCSI, or leave it unset")
        return
    shape.check_range(f"{field}.size_bytes", disk.size_bytes, low=0, high=DISK_BYTES_MAX, unit="bytes")
    if disk.size_bytes % SECTOR_BYTES:
        raise InvalidIntent(
            f"{field}.size_bytes", f"{disk.size_bytes} is not a multiple of {SECTOR_BYTES}: round it up"
        )
    if not disk.size_bytes and not disk.image and not disk.source_vm:
        raise InvalidIntent(
            f"{field}.size_bytes", "is 0, and there is no image or source_vm to be as large as: say how large"
        )
