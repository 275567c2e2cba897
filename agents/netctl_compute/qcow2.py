"""What a disk image says of itself, read here before any other program opens it.

QEMU's tools follow what an image names: a backing file, a data file. So an image that names any, is encrypted, or is
marked as broken is refused from its header alone. What an image is is decided by its content: qcow2 with qcow2's magic,
else raw; QEMU is always told, never asked. Source: docs/interop/qcow2.txt of QEMU.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from netctl_compute.problem import Problem

DISK_BYTES_MAX = 64 * 2**40  # the product's maximum: 64 TiB
RAW, QCOW2 = "raw", "qcow2"
_MAGIC = b"QFI\xfb"
# magic, version, backing_file_offset, backing_file_size, cluster_bits, size, crypt_method; 36 bytes
_START = struct.Struct(">4sIQIIQI")
_INCOMPATIBLE_AT, _LENGTH_AT = 72, 100
_CORRUPT, _DATA_FILE = 1 << 1, 1 << 2
_KNOWN_INCOMPATIBLE = 0b11111  # and 1 << 0 is "dirty", 1 << 3 a compression type, 1 << 4 extended L2 entries
_REFUSED_EXTENSIONS = {
    0xE2792ACA: "names the format of a backing file; convert it to one without (qemu-img convert)",
    0x44415441: "names an external data file; convert it to one without (qemu-img convert)",
    0x0537BE77: "is encrypted",
}
_PAGE_BYTES = 4096
_HEADER_BYTES_MAX = 2**21  # one cluster of the largest size


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """`format` is `raw` or `qcow2`; `size_bytes` what a guest would see."""

    format: str
    size_bytes: int


def read_content(path: Path) -> Content:
    """Say what a file holds. Raises Problem IMAGE_REFUSED, and OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb", buffering=0) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise _refused("is not a plain file")
        head = _read(file, _START.size)
        if not head.startswith(_MAGIC):
            return Content(format=RAW, size_bytes=_checked_size(found.st_size))
        # Every pass looks at every disk: as a rule the first page has all of the header.
        for length in (_PAGE_BYTES, _HEADER_BYTES_MAX):
            file.seek(0)
            head = _read(file, length)
            if len(head) < length or _ends_in(head):
                break
        return Content(format=QCOW2, size_bytes=_qcow2_size(head))


def _ends_in(head: bytes) -> bool:
    """Say whether all of a qcow2 header's extensions are in these bytes."""
    try:
        _qcow2_size(head)
    except Problem:
        return False  # or it is refused, which more of it will tell as well
    return True


def _qcow2_size(head: bytes) -> int:
    """Check a qcow2 header and return the virtual size."""
    if len(head) < _LENGTH_AT + 4:
        raise _refused("is truncated in its qcow2 header")
    _, version, backing_offset, backing_bytes, cluster_bits, size_bytes, crypt_method = _START.unpack_from(
        head
    )
    if version not in (2, 3):
        raise _refused(f"is qcow2 version {version}; 2 and 3 are taken")
    if not 9 <= cluster_bits <= 21:
        raise _refused(f"has qcow2 clusters of 2^{cluster_bits} bytes")
    if backing_offset or backing_bytes:
        raise _refused("has a backing file; convert it to one without (qemu-img convert)")
    if crypt_method:
        raise _refused("is encrypted")
    length = 72
    if version == 3:
        (incompatible,) = struct.unpack_from(">Q", head, _INCOMPATIBLE_AT)
        (length,) = struct.unpack_from(">I", head, _LENGTH_AT)
        _check_incompatible(incompatible)
    for kind in _extensions(head[: 1 << cluster_bits], length):
        if kind in _REFUSED_EXTENSIONS:
            raise _refused(_REFUSED_EXTENSIONS[kind])
    return _checked_size(size_bytes)


def _check_incompatible(features: int) -> None:
    if features & _DATA_FILE:
        raise _refused("has an external data file; convert it to one without (qemu-img convert)")
    if features & _CORRUPT:
        raise _refused("is marked as corrupt (qemu-img check -r)")
    if features & ~_KNOWN_INCOMPATIBLE:
        raise _refused(f"has unknown qcow2 features, bits {features & ~_KNOWN_INCOMPATIBLE:#x}")


def _extensions(cluster: bytes, at: int) -> Iterator[int]:
    """Yield the kinds of a header's extensions; each is (kind, length, data padded to 8), 0 ends them."""
    while at + 8 <= len(cluster):
        kind, length = struct.unpack_from(">II", cluster, at)
        if kind == 0:
            return
        yield kind
        at += 8 + (length + 7) // 8 * 8
    raise _refused("has qcow2 header extensions without an end")


def _checked_size(size_bytes: int) -> int:
    if not 0 < size_bytes <= DISK_BYTES_MAX:
        raise _refused(f"is a disk of {size_bytes} bytes; 1 to {DISK_BYTES_MAX} (64 TiB) are taken")
    return size_bytes


def _read(file: BinaryIO, length: int) -> bytes:
    data = b""
    while len(data) < length and (more := file.read(length - len(data))):
        data += more
    return data


def _refused(what: str) -> Problem:
    return Problem("IMAGE_REFUSED", f"the image {what}")
