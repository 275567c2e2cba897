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
_IPV6 = struct.Struct("!IHBB16s16s")
ETHERTYPES = {4: 0x0800, 6: 0x86DD}
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
    """Return an Ethernet frame with a UDP datagram to DENIED_PORT, its checksums right."""
    src, dst = (ipaddress.ip_address(one.ip).packed for one in (source, destination))
    length = _UDP.size + len(payload)
    udp = _UDP.pack(DENIED_PORT, DENIED_PORT, length, 0)
    summed = checksum(src + dst + struct.pack("!II", length, _PROTOCOL_UDP) + udp + payload)
    udp = _UDP.pack(DENIED_PORT, DENIED_PORT, length, summed or 0xFFFF)
    version = version_of(destination.ip)
    head = _ETHERNET.pack(_mac(destination.mac), _mac(source.mac), ETHERTYPES[version])
    if version == 6:
        return head + _IPV6.pack(6 << 28, length, _PROTOCOL_UDP, 64, src, dst) + udp + payload
    fields = (0x45, 0, _IPV4.size + length, 0, 0x4000, 64, _PROTOCOL_UDP)
    header = _IPV4.pack(*fields, 0, src, dst)
    header = _IPV4.pack(*fields, checksum(header), src, dst)
    return head + header + udp + payload


def parse_forged(frame: bytes) -> Mark | None:
    """Return the mark of a frame made by `forge`, None for any other."""
    ethertype, ip = int.from_bytes(frame[12:14], "big"), frame[_ETHERNET.size :]
    if ethertype == ETHERTYPES[4] and len(ip) >= _IPV4.size and ip[0] == 0x45:
        protocol, body = ip[9], ip[_IPV4.size :]
    elif ethertype == ETHERTYPES[6] and len(ip) >= _IPV6.size:
        protocol, body = ip[6], ip[_IPV6.size :]
    else:
        return None
    if protocol != _PROTOCOL_UDP or len(body) < _UDP.size:
        return None
    _source, port, length, _sum = _UDP.unpack_from(body)
    return parse_mark(body[_UDP.size : length]) if port == DENIED_PORT else None


def version_of(ip: str) -> int:
    """Return the IP version of an address."""
    return 6 if ":" in ip else 4


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total
