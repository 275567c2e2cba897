"""Probes as bytes: an oracle's packet with a number in it goes in, a frame comes out, and back. Checksums are right.

The number tells probes apart wherever they arrive, whatever was translated on the way: it is the payload of a datagram
and of an echo, and the sequence number of a SYN (which carries no data, as SYNs do).
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from tests.oracle.words import Packet

_MAGIC = b"oracle"
_NUMBERS = {"tcp": 6, "udp": 17}
_ECHO = {4: (1, 8, 0), 6: (58, 128, 129)}  # protocol, request, reply
_ETHERTYPES = {4: 0x0800, 6: 0x86DD}
_HOPS = 64


@dataclass(frozen=True, slots=True)
class Seen:
    """A probe as it was found on a wire."""

    number: int
    source: str
    destination: str
    is_reply: bool


def render(packet: Packet, number: int, macs: tuple[str, str], *, answer: bool = False) -> bytes:
    """Return the frame; `macs` are the sender's and the receiver's. `answer`: an echo reply, a SYN with its ACK."""
    version = packet.version
    source, destination = (ipaddress.ip_address(text).packed for text in (packet.source, packet.destination))
    protocol = _NUMBERS.get(packet.protocol, _ECHO[version][0])
    body = _body(packet, number, answer)
    pseudo = source + destination + struct.pack("!II", len(body), protocol)
    at = {"tcp": 16, "udp": 6}.get(packet.protocol, 2)
    total = _checksum(body if protocol == 1 else pseudo + body)
    body = body[:at] + struct.pack("!H", total or 0xFFFF) + body[at + 2 :]
    header = _header_v4(source, destination, protocol, body)
    if version == 6:
        header = struct.pack("!IHBB", 6 << 28, len(body), protocol, _HOPS) + source + destination
    return _mac(macs[1]) + _mac(macs[0]) + struct.pack("!H", _ETHERTYPES[version]) + header + body


def parse(frame: bytes) -> Seen | None:
    """Return the probe in a frame, None when it is anything else."""
    ethertype, ip = int.from_bytes(frame[12:14], "big"), frame[14:]
    if ethertype == _ETHERTYPES[4] and len(ip) >= 20:
        protocol, body = ip[9], ip[(ip[0] & 15) * 4 : int.from_bytes(ip[2:4], "big")]
        source, destination = (str(ipaddress.IPv4Address(part)) for part in (ip[12:16], ip[16:20]))
    elif ethertype == _ETHERTYPES[6] and len(ip) >= 40:
        protocol, body = ip[6], ip[40 : 40 + int.from_bytes(ip[4:6], "big")]
        source, destination = (str(ipaddress.IPv6Address(part)) for part in (ip[8:24], ip[24:40]))
    else:
        return None
    if protocol == 6 and len(body) >= 20 and body[13] in (2, 0x12):
        sequence, answer = int.from_bytes(body[4:8], "big"), body[13] == 0x12
        return Seen(sequence & 0xFFFF, source, destination, answer) if sequence >> 16 == 0x0ACE else None
    if len(body) != 16 or body[8:14] != _MAGIC:
        return None
    reply = protocol in (1, 58) and body[0] == _ECHO[4 if protocol == 1 else 6][2]
    return Seen(int.from_bytes(body[14:16], "big"), source, destination, reply)


def arp_request(mac: str, own: str, wanted: str) -> bytes:
    """Return the frame that asks who has an IPv4 address."""
    sender, target = (ipaddress.IPv4Address(text).packed for text in (own, wanted))
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + _mac(mac) + sender + bytes(6) + target
    return b"\xff" * 6 + _mac(mac) + b"\x08\x06" + body


def is_arp_answer(frame: bytes, wanted: str) -> bool:
    """Is this frame somebody's answer that it has the address?"""
    return frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x02" and frame[28:32] == _v4(wanted)


def _body(packet: Packet, number: int, answer: bool) -> bytes:
    """Return what follows the IP header, its checksum 0."""
    ports = packet.source_port, packet.destination_port
    mark = _MAGIC + struct.pack("!H", number)
    if packet.protocol == "tcp":
        sequence, flags = 0x0ACE << 16 | number, 0x12 if answer else 2
        return struct.pack(
            "!HHIIBBHHH", *ports, sequence, sequence + 1 if answer else 0, 5 << 4, flags, 0xFFFF, 0, 0
        )
    if packet.protocol == "udp":
        return struct.pack("!HHHH", *ports, 8 + len(mark), 0) + mark
    return struct.pack("!BBHHH", _ECHO[packet.version][1 + answer], 0, 0, number, 1) + mark


def _header_v4(source: bytes, destination: bytes, protocol: int, body: bytes) -> bytes:
    fields = (0x45, 0, 20 + len(body), 0, 0x4000, _HOPS, protocol)
    header = struct.pack("!BBHHHBBH", *fields, 0) + source[:4] + destination[:4]
    return header[:10] + struct.pack("!H", _checksum(header)) + header[12:]


def _checksum(data: bytes) -> int:
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _v4(text: str) -> bytes:
    return ipaddress.IPv4Address(text).packed
