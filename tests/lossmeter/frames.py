"""What the loss meter puts on the wire: one datagram per tick and stream, numbered; and forged frames around them.

In: numbers, addresses. Out: bytes. Standard library only, as it runs inside a guest.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

ALLOWED_PORT = 47001
DENIED_PORT = 47002

_PAYLOAD = struct.Struct("!8s1sBQQ")
_ETHERNET = struct.Struct("!6s6sH")
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_UDP = struct.Struct("!HHHH")
_ETHERTYPE_IPV4 = 0x0800
_PROTOCOL_UDP = 17


@dataclass(frozen=True, slots=True)
class Address:
    """A source or a destination."""

    mac: str
    ip: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What one datagram says of itself. `run` keeps two meters on one wire apart."""

    run: bytes
    sender: bytes
    variant: int
    sequence: int
    sent_ns: int

    def render(self) -> bytes:
        """Return the payload."""
        return _PAYLOAD.pack(self.run, self.sender, self.variant, self.sequence, self.sent_ns)


def parse_mark(payload: bytes) -> Mark | None:
    """Return the mark of a payload, None when it is not one of the meter's."""
    return Mark(*_PAYLOAD.unpack(payload)) if len(payload) == _PAYLOAD.size else None


def forge(source: Address, destination: Address, payload: bytes) -> bytes:
    """Return an Ethernet frame with an IPv4 UDP datagram to DENIED_PORT, its checksums right."""
    src, dst = ipaddress.IPv4Address(source.ip).packed, ipaddress.IPv4Address(destination.ip).packed
    length = _UDP.size + len(payload)
    pseudo = src + dst + struct.pack("!BBH", 0, _PROTOCOL_UDP, length)
    udp = _UDP.pack(DENIED_PORT, DENIED_PORT, length, 0)
    udp = _UDP.pack(DENIED_PORT, DENIED_PORT, length, checksum(pseudo + udp + payload) or 0xFFFF)
    fields = (0x45, 0, _IPV4.size + length, 0, 0x4000, 64, _PROTOCOL_UDP)
    header = _IPV4.pack(*fields, 0, src, dst)
    header = _IPV4.pack(*fields, checksum(header), src, dst)
    return _ETHERNET.pack(_mac(destination.mac), _mac(source.mac), _ETHERTYPE_IPV4) + header + udp + payload


def parse_forged(frame: bytes) -> Mark | None:
    """Return the mark of a frame made by `forge`, None for any other."""
    start = _ETHERNET.size + _IPV4.size
    if (
        len(frame) < start + _UDP.size
        or frame[_ETHERNET.size] != 0x45
        or frame[_ETHERNET.size + 9] != _PROTOCOL_UDP
    ):
        return None
    _source, port, length, _sum = _UDP.unpack_from(frame, start)
    return parse_mark(frame[start + _UDP.size : start + length]) if port == DENIED_PORT else None


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total
