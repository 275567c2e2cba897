"""Packet sockets on taps, with a filter in the kernel: what a guest sends, and frames to it.

The socket belongs to the network namespace of the thread that opens it. Raises OSError; a link that is away is ENODEV.
"""

from __future__ import annotations

import ctypes
import socket
import struct

from netctl_host.learn_frames import Frame

# linux/if_packet.h, asm-generic/socket.h, linux/if_ether.h
_SOL_PACKET, _PACKET_AUXDATA, _PACKET_OUTGOING = 263, 8, 4
_SO_ATTACH_FILTER = 26
_ETH_P_ALL = 3
_AUXDATA = struct.Struct("=I12xHH")  # struct tpacket_auxdata: status, VLAN tag, its type
_VLAN_VALID = 1 << 4
_FPROG = struct.Struct("@HP")  # struct sock_fprog
_INSTRUCTION = struct.Struct("=HBBI")  # struct sock_filter
_FRAME_BYTES = 2048

# linux/filter.h, linux/bpf_common.h
LOAD_WORD, LOAD_HALF, LOAD_BYTE, LOAD_HALF_AT_X, X_IS_HEADER = 0x20, 0x28, 0x30, 0x48, 0xB1
_EQUAL, _RETURN = 0x15, 0x06
# linux/filter.h: SKF_AD_OFF + SKF_AD_PKTTYPE
_PACKET_TYPE = 0xFFFFF004


def open_on(link: str, code: bytes, *, buffer_bytes: int = 1 << 16) -> socket.socket:
    """Return a socket that gets what the filter lets through from now on, and never blocks."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)  # protocol 0: receives nothing yet
    try:
        attach_filter(opened, code)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        opened.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        opened.setblocking(False)
        opened.bind((link, _ETH_P_ALL))
    except OSError:
        opened.close()
        raise
    return opened


def attach_filter(opened: socket.socket, code: bytes) -> None:
    """Give a socket its filter, or in one step another one."""
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _FPROG.pack(len(code) // _INSTRUCTION.size, ctypes.addressof(buffer))
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def receive(opened: socket.socket) -> Frame:
    """Return the next frame."""
    data, beside, _, sender = opened.recvmsg(_FRAME_BYTES, socket.CMSG_SPACE(_AUXDATA.size))
    tag = None
    for level, kind, value in beside:
        if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
            status, found, _ = _AUXDATA.unpack(value[: _AUXDATA.size])
            tag = found if status & _VLAN_VALID else None
    return Frame(data=data, tag=tag, to_guest=sender[2] == _PACKET_OUTGOING)


def assemble_sent() -> bytes:
    """Return a filter that takes every frame that the guest sends, and none that is sent to it."""
    return (
        _INSTRUCTION.pack(LOAD_BYTE, 0, 0, _PACKET_TYPE)
        + _INSTRUCTION.pack(_EQUAL, 0, 1, _PACKET_OUTGOING)
        + _INSTRUCTION.pack(_RETURN, 0, 0, 0)
        + _INSTRUCTION.pack(_RETURN, 0, 0, _FRAME_BYTES)
    )


def assemble(*checks: tuple[int, int, int]) -> bytes:
    """Return a filter that takes a frame for which all checks hold: (load, its operand, the value to equal).

    `X_IS_HEADER` compares nothing: what is loaded at X later is behind the IPv4 header at that place.
    """
    steps: list[tuple[int, int]] = []
    for load, operand, value in checks:
        steps += [(load, operand)] if load == X_IS_HEADER else [(load, operand), (_EQUAL, value)]
    refuse = len(steps) + 1
    code = b""
    for at, (operation, operand) in enumerate(steps):
        no = refuse - at - 1 if operation == _EQUAL else 0
        code += _INSTRUCTION.pack(operation, 0, no, operand)
    return code + _INSTRUCTION.pack(_RETURN, 0, 0, _FRAME_BYTES) + _INSTRUCTION.pack(_RETURN, 0, 0, 0)
