"""Disk: one disk or CD-ROM drive of a virtual machine, and where its content comes from."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netctl.model.keys import ImageId, Uid, VmId

DISK_BYTES_MAX = 64 << 40  # the product's maximum: 64 TiB
DISKS_MAX = 64


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
