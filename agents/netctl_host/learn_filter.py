"""Which frames of a tap the kernel hands to `learn.py`: a filter for a packet socket. Pure.

In: the guest's MAC address, and addresses. Out: the bytes of a classic BPF program (bpf(4), linux/filter.h). It lets
through what the guest itself sends of ARP, neighbour solicitations and advertisements and DHCP requests, and DHCP
replies on the way to it; nothing of what its neighbours send. And whatever comes from an address of which a sign of
life is awaited. Tagged or not: a received frame's tag is beside it, a sent one's in it.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE = 0x20, 0x28, 0x30
_LOAD_WORD_AT_X, _LOAD_HALF_AT_X, _LOAD_BYTE_AT_X = 0x40, 0x48, 0x50  # X: 4 behind a tag
_SET_X, _GOTO, _EQUAL, _ANY_BIT, _RETURN = 0x01, 0x05, 0x15, 0x45, 0x06
_INSTRUCTION = struct.Struct("=HBBI")
_PACKET_TYPE = 0xFFFFF004  # linux/filter.h: SKF_AD_OFF + SKF_AD_PKTTYPE
_OUTGOING = 4
_BYTES: Final = 1514  # of a frame that is let through
_ARP, _IPV4, _IPV6, _VLAN = 0x0806, 0x0800, 0x86DD, 0x8100
_ICMPV6, _UDP, _NS, _NA = 58, 17, 135, 136
_SERVER_PORT, _CLIENT_PORT = 67, 68
AWAITED_MAX: Final = 16  # a jump goes over 255 instructions at most
_NEXT = ""  # the instruction that follows


@dataclass(frozen=True, slots=True)
class _Step:
    """One instruction; `yes` and `no` are labels of a jump."""

    code: int
    k: int
    yes: str = _NEXT
    no: str = _NEXT
    label: str = ""


def assemble_filter(mac_address: str, awaited: Iterable[bytes] = ()) -> bytes:
    """Return the program; of `awaited` addresses it has room for `AWAITED_MAX`."""
    mac = bytes.fromhex(mac_address.replace(":", ""))
    some = tuple(itertools.islice(awaited, AWAITED_MAX))
    steps = tuple(_write(int.from_bytes(mac[:4], "big"), int.from_bytes(mac[4:], "big"), some))
    places = {step.label: at for at, step in enumerate(steps) if step.label}

    def jump(at: int, label: str) -> int:
        return places[label] - at - 1 if label else 0

    return b"".join(
        _INSTRUCTION.pack(step.code, jump(at, step.yes), jump(at, step.no), step.k)
        if step.code != _GOTO
        else _INSTRUCTION.pack(step.code, 0, 0, jump(at, step.yes))
        for at, step in enumerate(steps)
    )


def _write(mac_high: int, mac_low: int, awaited: tuple[bytes, ...]) -> Iterator[_Step]:
    yield _Step(_LOAD_HALF, 12)
    yield _Step(_EQUAL, _VLAN, no="untagged")
    yield _Step(_SET_X, 4)
    yield _Step(_GOTO, 0, yes="direction")
    yield _Step(_SET_X, 0, label="untagged")
    yield _Step(_LOAD_BYTE, _PACKET_TYPE, label="direction")
    yield _Step(_EQUAL, _OUTGOING, yes="to guest")
    yield _Step(_LOAD_WORD, 6)
    yield _Step(_EQUAL, mac_high, no="refuse")
    yield _Step(_LOAD_HALF, 10)
    yield _Step(_EQUAL, mac_low, no="refuse")
    yield _Step(_LOAD_HALF_AT_X, 12)
    yield _Step(_EQUAL, _ARP, yes="take")
    yield _Step(_EQUAL, _IPV6, yes="ipv6")
    yield _Step(_EQUAL, _IPV4, no="refuse")
    yield from _write_sources(address for address in awaited if len(address) == 4)
    yield _Step(_GOTO, 0, yes="request")
    yield from _write_sources((address for address in awaited if len(address) == 16), label="ipv6")
    yield _Step(_LOAD_BYTE_AT_X, 14 + 6)
    yield _Step(_EQUAL, _ICMPV6, no="refuse")
    yield _Step(_LOAD_BYTE_AT_X, 14 + 40)
    yield _Step(_EQUAL, _NS, yes="take")
    yield _Step(_EQUAL, _NA, yes="take", no="refuse")
    yield from _write_udp("request", _SERVER_PORT)
    yield _Step(_GOTO, 0, yes="take")
    yield _Step(_LOAD_HALF_AT_X, 12, label="to guest")
    yield _Step(_EQUAL, _IPV4, no="refuse")
    yield from _write_udp("reply", _CLIENT_PORT)
    # RFC 2131: chaddr
    yield _Step(_LOAD_WORD_AT_X, 14 + 20 + 8 + 28)
    yield _Step(_EQUAL, mac_high, no="refuse")
    yield _Step(_LOAD_HALF_AT_X, 14 + 20 + 8 + 32)
    yield _Step(_EQUAL, mac_low, no="refuse")
    yield _Step(_RETURN, _BYTES, label="take")
    yield _Step(_RETURN, 0, label="refuse")


def _write_sources(addresses: Iterable[bytes], label: str = "") -> Iterator[_Step]:
    """Take what comes from one of these."""
    yield _Step(_GOTO, 0, label=label)
    for address in addresses:
        place = 14 + (12 if len(address) == 4 else 8)
        words = [int.from_bytes(address[at : at + 4], "big") for at in range(0, len(address), 4)]
        other = f"not {address.hex()}"
        for number, word in enumerate(words):
            yield _Step(_LOAD_WORD_AT_X, place + 4 * number)
            is_last = number == len(words) - 1
            yield _Step(_EQUAL, word, yes="take" if is_last else _NEXT, no=other)
        yield _Step(_GOTO, 0, label=other)


def _write_udp(label: str, port: int) -> Iterator[_Step]:
    """Refuse what is not a whole UDP packet, without IP options, to `port`."""
    yield _Step(_LOAD_BYTE_AT_X, 14, label=label)
    yield _Step(_EQUAL, 0x45, no="refuse")
    yield _Step(_LOAD_BYTE_AT_X, 14 + 9)
    yield _Step(_EQUAL, _UDP, no="refuse")
    yield _Step(_LOAD_HALF_AT_X, 14 + 6)
    yield _Step(_ANY_BIT, 0x3FFF, yes="refuse")
    yield _Step(_LOAD_HALF_AT_X, 14 + 20 + 2)
    yield _Step(_EQUAL, port, no="refuse")
