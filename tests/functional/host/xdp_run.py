"""Runs an XDP program over a frame in the kernel, without a link: BPF_PROG_TEST_RUN of bpf(2)."""

from __future__ import annotations

import ctypes
import struct

from netctl_host import bpf

DROP, PASS = 1, 2
_TEST_RUN = 10
_ATTRIBUTES = struct.Struct(
    "=IIIIQQII"
)  # program, result; sizes in and out; data in and out; repeat, duration


def run(program: int, frame: bytes) -> int:
    """Return what the program says of `frame`."""
    data = ctypes.create_string_buffer(frame, len(frame))
    attributes = bytearray(_ATTRIBUTES.pack(program, 0, len(frame), 0, ctypes.addressof(data), 0, 1, 0))
    bpf.call(_TEST_RUN, attributes)
    return int(_ATTRIBUTES.unpack(attributes)[1])
