"""What the bytes of an image are: seen from the bytes, never from what somebody says of them.

In: a file that nobody else writes; out: its format and what the guest sees of it. A qcow2 image that refers to another
file, is encrypted, damaged or cut short is refused: its reader would open what the sender names, or fail in a guest.
Layout: QEMU's docs/interop/qcow2.txt.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from netctl.errors import InvalidIntent
from netctl.model.disk import DISK_BYTES_MAX
from netctl.model.image import ImageFormat

SECTOR = 512
_QCOW2 = b"QFI\xfb"
_V2_BYTES, _V3_BYTES = 72, 104
_ISO_AT, _ISO = 0x8001, b"CD001"
_DIRTY, _CORRUPT, _EXTERNAL_DATA, _COMPRESSION, _EXTENDED_L2 = 1, 2, 4, 8, 16
_KNOWN = _DIRTY | _CORRUPT | _EXTERNAL_DATA | _COMPRESSION | _EXTENDED_L2
_L1_BYTES_MAX = 32 << 20  # QEMU's own limit
_OFFSET = 0x00FF_FFFF_FFFF_FE00
_COMPRESSED = 1 << 62
_BACKING_FORMAT, _DATA_FILE, _ENCRYPTION = 0xE279_2ACA, 0x4441_5441, 0x0537_BE77
# What is sent by mistake, and what to do about it.
_OTHERS = (
    (b"\x1f\x8b", "is compressed by gzip: unpack it first"),
    (b"\xfd7zXZ\0", "is compressed by xz: unpack it first"),
    (b"(\xb5/\xfd", "is compressed by zstd: unpack it first"),
    (b"BZh", "is compressed by bzip2: unpack it first"),
    (b"PK\x03\x04", "is a zip archive: unpack it first"),
    (b"KDMV", "is a VMDK image: convert it, qemu-img convert -O qcow2"),
    (b"vhdxfile", "is a VHDX image: convert it, qemu-img convert -O qcow2"),
    (b"conectix", "is a VHD image: convert it, qemu-img convert -O qcow2"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The format, and the bytes that a guest sees."""

    format: ImageFormat
    size_bytes: int


def look(file: BinaryIO, asked: ImageFormat = ImageFormat.AUTO) -> Content:
    """Return what a file holds; InvalidIntent when it is not what was asked for, or may not be an image."""
    length = file.seek(0, 2)
    if length == 0:
        raise _wrong("is empty: no bytes came")
    found = _format_of(file, asked)
    if asked is not ImageFormat.AUTO and found is not asked:
        raise InvalidIntent(
            "format",
            f"the content is {found.name}, not {asked.name}: leave format unset, or send the right file",
        )
    if found is ImageFormat.QCOW2:
        return Content(format=found, size_bytes=_Qcow2(file, length).checked())
    if length > DISK_BYTES_MAX:
        raise _wrong(f"has {length} bytes; at most {DISK_BYTES_MAX} are allowed")
    return Content(format=found, size_bytes=-(-length // SECTOR) * SECTOR)


def _format_of(file: BinaryIO, asked: ImageFormat) -> ImageFormat:
    start = _at(file, 0, 16)
    if start.startswith(_QCOW2):
        return ImageFormat.QCOW2
    if asked is not ImageFormat.RAW:
        if _at(file, _ISO_AT, len(_ISO)) == _ISO:
            return ImageFormat.ISO
        for magic, text in _OTHERS:
            if start.startswith(magic):
                raise _wrong(text)
    return ImageFormat.RAW


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _wrong(text: str) -> InvalidIntent:
    return InvalidIntent("data", f"the image {text}")


class _Qcow2:
    """One qcow2 file of a length."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self._length = file, length
        if length < _V2_BYTES:
            raise self._truncated("its header")
        fields: tuple[int, ...] = struct.unpack(">IIQIIQIIQQIIQ", _at(file, 0, _V2_BYTES))
        _, self._version, self._backing, self._backing_bytes, self._cluster_bits, self._size = fields[:6]
        self._crypt, self._l1_entries, self._l1_at, self._refcount_at, self._refcount_clusters = fields[6:11]
        self._incompatible, self._header_bytes = 0, _V2_BYTES

    def checked(self) -> int:
        """Return its virtual size."""
        if self._version not in (2, 3):
            raise _wrong(
                f"is qcow2 of version {self._version}, and 2 and 3 are known: convert it with qemu-img"
            )
        if not 9 <= self._cluster_bits <= 21:
            raise _wrong(f"is damaged: qcow2 with clusters of 2^{self._cluster_bits} bytes; make it anew")
        if self._version == 3:
            self._read_version_3()
        if self._backing or self._backing_bytes:
            raise _wrong("has a backing file, which is not here: send it whole, qemu-img convert -O qcow2")
        if self._crypt:
            raise _wrong("is encrypted: send it without, qemu-img convert -O qcow2")
        if not 0 < self._size <= DISK_BYTES_MAX:
            raise _wrong(f"has {self._size} bytes for the guest; 1 to {DISK_BYTES_MAX} are allowed")
        self._check_extensions()
        self._check_tables()
        return -(-self._size // SECTOR) * SECTOR

    def _read_version_3(self) -> None:
        if self._length < _V3_BYTES:
            raise self._truncated("its header")
        self._incompatible, _, _, _, self._header_bytes = struct.unpack(
            ">QQQII", _at(self._file, _V2_BYTES, _V3_BYTES - _V2_BYTES)
        )
        unknown = self._incompatible & ~_KNOWN
        if unknown:
            raise _wrong(
                f"is qcow2 with features that are not known ({unknown:#x}): convert it with qemu-img"
            )
        if self._incompatible & _EXTERNAL_DATA:
            raise _wrong("keeps its data in another file, which is not here: qemu-img convert -O qcow2")
        if self._incompatible & _CORRUPT:
            raise _wrong("is marked as damaged: repair it, qemu-img check -r all")
        if not _V3_BYTES <= self._header_bytes <= 1 << self._cluster_bits or self._header_bytes % 8:
            raise _wrong(f"is damaged: its header says that it has {self._header_bytes} bytes; make it anew")

    def _check_extensions(self) -> None:
        """Walk the header extensions, which lie in the first cluster."""
        at, end = self._header_bytes, min(1 << self._cluster_bits, self._length)
        while at + 8 <= end:
            kind, size = struct.unpack(">II", _at(self._file, at, 8))
            if kind == 0:
                return
            if kind in (_BACKING_FORMAT, _DATA_FILE):
                raise _wrong("refers to another file: send it whole, qemu-img convert -O qcow2")
            if kind == _ENCRYPTION:
                raise _wrong("is encrypted: send it without, qemu-img convert -O qcow2")
            at += 8 + (size + 7) // 8 * 8
        if at > end:
            raise _wrong("is damaged: a header extension does not end in the first cluster; make it anew")

    def _check_tables(self) -> None:
        """Look whether all that the tables name lies within the file."""
        cluster = 1 << self._cluster_bits
        stride = 16 if self._incompatible & _EXTENDED_L2 else 8
        needed = -(-self._size // (cluster * (cluster // stride)))
        if self._l1_entries < needed or self._l1_entries * 8 > _L1_BYTES_MAX:
            raise _wrong(
                f"is damaged: its table of {self._l1_entries} entries is not for its size; make it anew"
            )
        if self._l1_at % cluster or not self._l1_at or self._refcount_at % cluster or not self._refcount_at:
            raise _wrong("is damaged: its tables lie where none can be; make it anew")
        if self._l1_at + self._l1_entries * 8 > self._length:
            raise self._truncated("its L1 table")
        if self._refcount_at + self._refcount_clusters * cluster > self._length:
            raise self._truncated("its refcount table")
        # Each once: a table that is named a million times would be a million looks.
        for offset in {entry & _OFFSET for entry in self._table(self._l1_at, self._l1_entries * 8, 8)} - {0}:
            if offset % cluster:
                raise _wrong("is damaged: a table lies where none can be; make it anew")
            if offset + cluster > self._length:
                raise self._truncated("an L2 table")
            self._check_clusters(offset, cluster, stride)

    def _check_clusters(self, table: int, cluster: int, stride: int) -> None:
        packed = (1 << (62 - (self._cluster_bits - 8))) - 1
        for entry in self._table(table, cluster, stride):
            offset = entry & packed if entry & _COMPRESSED else entry & _OFFSET
            if offset >= self._length:
                raise self._truncated("a part of its data")

    def _table(self, at: int, size: int, stride: int) -> tuple[int, ...]:
        """Return the first 64 bits of each entry."""
        raw = _at(self._file, at, size)
        entries = struct.unpack(f">{len(raw) // 8}Q", raw[: len(raw) // 8 * 8])
        return entries[:: stride // 8]

    def _truncated(self, what: str) -> InvalidIntent:
        return _wrong(f"is truncated: {what} lies behind its end, at {self._length} bytes; send all of it")
