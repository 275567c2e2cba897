"""Is an image file in use? QEMU and qemu-img lock what they open; this looks at the locks and takes none."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

# block/file-posix.c of QEMU, RAID_LOCK_PERM_BASE and RAID_LOCK_SHARED_BASE: a lock on 100 + n is a permission that
# somebody uses, on 200 + n one that he lets no other use. libvirt's and QEMU's readers, too, lock "consistent read".
_FROM, _BYTES = 100, 200
# struct flock: type, whence, start, length, pid.
_FLOCK = struct.Struct("hhqqi0q")


def is_locked(path: Path) -> bool:
    """Say whether another program has the file open as a disk; no when it is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _FROM, _BYTES, 0)
        answer: tuple[int, ...] = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked))
    finally:
        os.close(descriptor)
    return answer[0] != fcntl.F_UNLCK
