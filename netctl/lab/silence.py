"""Silent cables: an XDP program at both ends that drops whatever comes in, while the carrier stays on.

Ahead of packet sockets, so that Open vSwitch's userspace datapath hears nothing either; tc(8) would be behind them.
Source: bpf(2), linux/bpf.h, linux/if_link.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from pyroute2 import IPRoute

from netctl.errors import Unsupported
from netctl.lab import namespaces

_SYSCALLS = {"x86_64": 321, "aarch64": 280}
_PROG_LOAD, _PROG_TYPE_XDP = 5, 6
# type, count, instructions, licence, log: level, size, buffer; kernel's version, flags, name
_LOAD = struct.Struct("=IIQQIIQII16s")
_DROP = bytes.fromhex("b7000000010000009500000000000000")  # r0 = XDP_DROP; exit
_LICENCE = b"Apache-2.0\0"
_SKB_MODE = 1 << 1
_DETACHED = -1


def silence(namespace: str, interface: str) -> None:
    """Drop whatever comes in at an interface."""
    try:
        program = _load()
    except OSError as error:
        raise Unsupported(f"cables cannot be made silent, because XDP does not work: {error}") from None
    try:
        _attach(namespace, interface, program)
    finally:
        os.close(program)  # the interface keeps it


def unsilence(namespace: str, interface: str) -> None:
    """Let an interface hear again."""
    _attach(namespace, interface, _DETACHED)


def _attach(namespace: str, interface: str, descriptor: int) -> None:
    def change() -> None:
        with IPRoute() as ipr:
            [index] = ipr.link_lookup(ifname=interface)
            attributes = [("IFLA_XDP_FD", descriptor), ("IFLA_XDP_FLAGS", _SKB_MODE)]
            ipr.link("set", index=index, IFLA_XDP={"attrs": attributes})

    namespaces.run_in(namespace, change)


def _load() -> int:
    number = _SYSCALLS.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"bpf(2) is not known on {platform.machine()}")
    code, licence = (ctypes.create_string_buffer(text, len(text)) for text in (_DROP, _LICENCE))
    head = (_PROG_TYPE_XDP, len(_DROP) // 8, ctypes.addressof(code), ctypes.addressof(licence))
    attributes = ctypes.create_string_buffer(_LOAD.pack(*head, 0, 0, 0, 0, 0, b"netlab_silence"))
    result = int(ctypes.CDLL(None, use_errno=True).syscall(number, _PROG_LOAD, attributes, _LOAD.size))
    if result < 0:
        code_ = ctypes.get_errno()
        raise OSError(code_, os.strerror(code_))
    return result
