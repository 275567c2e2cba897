"""bpf(2), as much of it as the guard needs: load a program for XDP, and say what a loaded one is called.

In: a program's bytes. Out: a file descriptor, or a name. Owns nothing; raises OSError, in words where the kernel has
some. There is no wrapper of it in the C library.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from contextlib import suppress

# asm/unistd.h
_SYSCALLS = {"x86_64": 321, "aarch64": 280}
# linux/bpf.h
_PROG_LOAD, _PROG_GET_FD_BY_ID, _OBJ_GET_INFO_BY_FD = 5, 13, 15
_PROG_TYPE_XDP = 6
_XDP_HAS_FRAGS = 1 << 5
_LOAD = struct.Struct("=IIQQIIQII16s")
# type, count, instructions, licence, log: level, size, buffer; kernel's version, flags, name
_BY_ID = struct.Struct("=III")
_INFO = struct.Struct("=IIQ")
_NAME = slice(64, 80)  # in struct bpf_prog_info
_INFO_SIZE = 80
_LOG_SIZE = 1 << 16
_INSTRUCTION_SIZE = 8
_LICENCE = b"Apache-2.0\0"

_libc = ctypes.CDLL(None, use_errno=True)


def load_xdp(program: bytes, name: str) -> int:
    """Load a program; return its descriptor. It lives for as long as that is open, or a link has it."""
    try:
        # With it the kernel copies a large frame page by page, and not into one piece that it may not find.
        return _load(program, name, _XDP_HAS_FRAGS)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return _load(program, name, 0)  # Linux before 5.18


def read_name(program_id: int) -> str:
    """Return what the program of this number was called by who loaded it."""
    descriptor = call(_PROG_GET_FD_BY_ID, bytearray(_BY_ID.pack(program_id, 0, 0)))
    try:
        info = ctypes.create_string_buffer(_INFO_SIZE)
        call(_OBJ_GET_INFO_BY_FD, bytearray(_INFO.pack(descriptor, len(info), ctypes.addressof(info))))
        return info.raw[_NAME].rstrip(b"\0").decode(errors="replace")
    finally:
        os.close(descriptor)


def call(command: int, attributes: bytearray) -> int:
    """Make the system call; the kernel may write into `attributes`."""
    number = _SYSCALLS.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"bpf(2) is not known on {platform.machine()}")
    buffer = (ctypes.c_char * len(attributes)).from_buffer(attributes)
    result = int(_libc.syscall(number, command, buffer, len(attributes)))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _load(program: bytes, name: str, flags: int) -> int:
    code = ctypes.create_string_buffer(program, len(program))
    licence = ctypes.create_string_buffer(_LICENCE, len(_LICENCE))
    count = len(program) // _INSTRUCTION_SIZE
    head = (_PROG_TYPE_XDP, count, ctypes.addressof(code), ctypes.addressof(licence))
    tail = (0, flags, name.encode())
    try:
        return call(_PROG_LOAD, bytearray(_LOAD.pack(*head, 0, 0, 0, *tail)))
    except OSError as error:
        # Again, with a log, which is slow to write: its last lines say why. Without the right to load it stays empty.
        log = ctypes.create_string_buffer(_LOG_SIZE)
        with suppress(OSError):
            os.close(
                call(_PROG_LOAD, bytearray(_LOAD.pack(*head, 1, _LOG_SIZE, ctypes.addressof(log), *tail)))
            )
        lines = log.value.decode(errors="replace").strip().splitlines()
        raise OSError(error.errno, "; ".join((os.strerror(error.errno or 0), *lines[-2:]))) from error
