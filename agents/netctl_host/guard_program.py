"""The guard: which IPv6 frames a guest may not send, as a program for XDP. Pure.

Out: the program's bytes, and a name that changes with them. It drops router advertisements and redirects, and
neighbour and router solicitations and neighbour advertisements with a link-layer address that is not the frame's
source; where it cannot be seen whether a packet is one of these, it drops the packet (RFC 7113, RFC 6980). It looks
behind up to four VLAN tags, LLC/SNAP and extension headers. All else passes, whatever it is.

The kernel's verifier wants to see that every read is inside the frame, and that the program ends: so each part of a
chain is written out as often as chains may be long, and one that is longer is dropped. It follows every way through
the program, except where it has been in as good a position: so what is skipped is always a number that it does not
know, also where we do, and where ways part the longer one comes first. Else there are more ways than it follows.
"""

from __future__ import annotations

import hashlib
from typing import Final

from netctl_host.bpf_assembler import R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, Assembler, Imm, Register

NAME_PREFIX: Final = "netctl_"

TAGS_MAX, HEADERS_MAX, OPTIONS_MAX = 4, 8, 8

# linux/bpf.h: struct xdp_md, enum xdp_action
_DATA, _DATA_END = 0, 4
_DROP, _PASS = 1, 2
_VLAN_TYPES = (0x8100, 0x88A8, 0x9100)
_IPV6, _ETHERTYPE_MIN = 0x86DD, 0x0600
_SNAP = (0xAAAA, 0x0300, 0x0000, _IPV6)  # IEEE 802.2 LLC and SNAP, RFC 1042: OVS looks behind them
# Internet protocol numbers. RFC 7045: those that are extension headers and say their length in the same way
_EXTENSIONS = (0, 60, 43, 135, 139, 140)
_FRAGMENT, _ICMPV6 = 44, 58
_FLAGS = 0x0007  # of the offset's 16 bits those that are none of its
# RFC 4861
_SOLICIT_ROUTER, _ADVERTISE_ROUTER, _REDIRECT = 133, 134, 137
_SOURCE_LINK_LAYER, _TARGET_LINK_LAYER = 1, 2

# What the registers hold from beginning to end
_AT, _END = R6, R7  # where we are in the frame; its end
_LEFT = R8  # bytes of the IPv6 payload that are left, as its header says
_NEXT = R9  # EtherType, then the next header
_FRAGMENTED = R3
_SOURCE_HIGH, _SOURCE_LOW = R4, R5  # 4 and 2 bytes of the frame's source


def assemble_guard() -> bytes:
    """Return the program."""
    program = Assembler()
    _start(program)
    _skip_tags(program)
    _find_ipv6(program)
    _skip_headers(program)
    _judge(program)
    _check_options(program)
    program.label("pass")
    program.leave(_PASS)
    program.label("drop")
    program.leave(_DROP)
    return program.assemble()


def _need(program: Assembler, size: int, otherwise: str) -> None:
    """Go to `otherwise` unless `size` bytes are there."""
    program.calculate("mov", R2, _AT)
    program.calculate("add", R2, Imm(size))
    program.jump_if(R2, ">", _END, otherwise)


def _advance(program: Assembler, size: Register) -> None:
    """Skip `size` bytes of the payload; drop what ends before."""
    program.jump_if(size, ">", _LEFT, "drop")
    program.calculate("sub", _LEFT, size)
    program.calculate("add", _AT, size)


def _start(program: Assembler) -> None:
    program.load(_AT, R1, _DATA, 4)
    program.load(_END, R1, _DATA_END, 4)
    _need(program, 14, otherwise="pass")
    program.load(_SOURCE_HIGH, _AT, 6, 4)
    program.load(_SOURCE_LOW, _AT, 10, 2)
    program.load_big_endian(_NEXT, _AT, 12)
    program.calculate("add", _AT, Imm(14))


def _skip_tags(program: Assembler) -> None:
    for number in range(TAGS_MAX):
        *some, last = _VLAN_TYPES
        for kind in some:
            program.jump_if(_NEXT, "==", Imm(kind), f"tag {number}")
        program.jump_if(_NEXT, "!=", Imm(last), "untagged")
        program.label(f"tag {number}")
        _need(program, 4, otherwise="pass")
        program.load_big_endian(R0, _AT, -2)
        program.calculate("rsh", R0, Imm(13))  # 4, of each of the types
        program.load_big_endian(_NEXT, _AT, 2)
        program.calculate("add", _AT, R0)
    for kind in _VLAN_TYPES:
        program.jump_if(_NEXT, "==", Imm(kind), "drop")
    program.label("untagged")


def _find_ipv6(program: Assembler) -> None:
    program.jump_if(_NEXT, "==", Imm(_IPV6), "ipv6")
    program.jump_if(_NEXT, ">=", Imm(_ETHERTYPE_MIN), "pass")
    _need(program, 2 * len(_SNAP), otherwise="pass")
    for number, word in enumerate(_SNAP):
        program.load_big_endian(R0, _AT, 2 * number)
        program.jump_if(R0, "!=", Imm(word), "pass")
    program.load_big_endian(R0, _AT, 6)
    program.calculate("rsh", R0, Imm(12))  # 8, of IPv6's type
    program.calculate("add", _AT, R0)
    program.label("ipv6")
    _need(program, 40, otherwise="drop")
    program.load_big_endian(_LEFT, _AT, 4)
    # 0 is a jumbogram, RFC 2675: Linux makes them of TCP's segments between two of its own interfaces.
    program.jump_if(_LEFT, "!=", Imm(0), "has length")
    program.calculate("mov", _LEFT, Imm(0xFFFF))
    program.label("has length")
    program.load(_NEXT, _AT, 6, 1)
    program.calculate("add", _AT, Imm(40))
    program.calculate("mov", _FRAGMENTED, Imm(0))


def _skip_headers(program: Assembler) -> None:
    """Go on where the payload is ICMPv6; where it is anything else, to "pass"."""
    for number in range(HEADERS_MAX):
        program.jump_if(_NEXT, "==", Imm(_ICMPV6), "icmpv6")
        for kind in (*_EXTENSIONS, _FRAGMENT):
            program.jump_if(_NEXT, "==", Imm(kind), f"header {number}")
        program.jump("pass")
        program.label(f"header {number}")
        _need(program, 8, otherwise="drop")
        program.load(R0, _AT, 1, 1)
        program.jump_if(_NEXT, "==", Imm(_FRAGMENT), f"fragment {number}")
        program.jump(f"length {number}")
        program.label(f"fragment {number}")
        program.load_big_endian(R0, _AT, 2)
        program.jump_if(R0, ">", Imm(_FLAGS), "pass")  # the first one says what it is, and is looked at
        program.calculate("mov", _FRAGMENTED, Imm(1))
        program.load_big_endian(R0, _AT, 2)
        program.calculate("and", R0, Imm(_FLAGS ^ 0xFF))  # 0: not more than the flags is set
        program.label(f"length {number}")
        program.load(_NEXT, _AT, 0, 1)
        program.calculate("add", R0, Imm(1))
        program.calculate("lsh", R0, Imm(3))
        _advance(program, R0)
    for kind in (*_EXTENSIONS, _FRAGMENT):
        program.jump_if(_NEXT, "==", Imm(kind), "drop")
    program.jump_if(_NEXT, "!=", Imm(_ICMPV6), "pass")


def _judge(program: Assembler) -> None:
    """Go to "drop" or "pass", or on to look at the options."""
    program.label("icmpv6")
    _need(program, 4, otherwise="drop")
    program.jump_if(_LEFT, "<", Imm(4), "drop")
    program.load(R0, _AT, 0, 1)
    program.jump_if(R0, "<", Imm(_SOLICIT_ROUTER), "pass")
    program.jump_if(R0, ">", Imm(_REDIRECT), "pass")
    for kind in (_ADVERTISE_ROUTER, _REDIRECT):
        program.jump_if(R0, "==", Imm(kind), "drop")
    program.jump_if(_FRAGMENTED, "!=", Imm(0), "drop")  # RFC 6980: nobody takes them
    # Its length without options: 8 of a router solicitation, 24 of what else is left, 135 and 136.
    program.calculate("sub", R0, Imm(_SOLICIT_ROUTER - 2))
    program.calculate("rsh", R0, Imm(2))
    program.calculate("lsh", R0, Imm(4))
    program.calculate("add", R0, Imm(8))
    _advance(program, R0)


def _check_options(program: Assembler) -> None:
    for number in range(OPTIONS_MAX):
        program.jump_if(_LEFT, "==", Imm(0), "pass")
        _need(program, 8, otherwise="drop")
        program.load(R2, _AT, 0, 1)
        program.load(R0, _AT, 1, 1)
        program.jump_if(R0, "==", Imm(0), "drop")
        program.jump_if(R2, "==", Imm(_SOURCE_LINK_LAYER), f"link layer {number}")
        program.jump_if(R2, "!=", Imm(_TARGET_LINK_LAYER), f"option {number}")
        program.label(f"link layer {number}")
        program.jump_if(R0, "!=", Imm(1), "drop")
        program.load(R2, _AT, 2, 4)
        program.jump_if(R2, "!=", _SOURCE_HIGH, "drop")
        program.load(R2, _AT, 6, 2)
        program.jump_if(R2, "!=", _SOURCE_LOW, "drop")
        program.load(R0, _AT, 1, 1)  # again, so that for the verifier both ways are one from here on
        program.label(f"option {number}")
        program.calculate("lsh", R0, Imm(3))
        _advance(program, R0)
    program.jump_if(_LEFT, "!=", Imm(0), "drop")


PROGRAM: Final = assemble_guard()
NAME: Final = NAME_PREFIX + hashlib.sha256(PROGRAM).hexdigest()[:8]
"""What the kernel calls it; 15 bytes at most. Another agent version with the same program has the same name."""
