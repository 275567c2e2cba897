"""Frames of neighbour discovery, ARP and DHCP, as bytes, for what looks at them."""

from __future__ import annotations

import ipaddress
import struct

MAC, OTHER_MAC = bytes.fromhex("506b8d000001"), bytes.fromhex("0200000000ee")
BROADCAST = b"\xff" * 6
HOST, ROUTER = "2001:db8::7", "fe80::1"
SOURCE, TARGET = 1, 2  # link-layer options
RS, RA, NS, NA, REDIRECT = range(133, 138)
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION, ICMPV6 = 0, 43, 44, 60, 58
OFFER, REQUEST, ACK, NAK = 2, 3, 5, 6
NONCE = bytes((14, 1)) + b"nonce6"


def ethernet(
    payload: bytes, *, source: bytes = MAC, ethertype: int = 0x86DD, tags: tuple[int, ...] = ()
) -> bytes:
    """Return a frame; `tags` are VLAN tags, of 0x8100 or, above 0xFFFF, with a type of their own."""
    types = [tag >> 16 or 0x8100 for tag in tags] + [ethertype]
    head = b"\x33\x33\0\0\0\1" + source + struct.pack("!H", types[0])
    for tag, kind in zip(tags, types[1:], strict=True):
        head += struct.pack("!HH", tag & 0xFFFF, kind)
    return head + payload


def snap(payload: bytes, *, tags: tuple[int, ...] = ()) -> bytes:
    """Return the packet behind LLC and SNAP headers."""
    body = b"\xaa\xaa\x03\0\0\0\x86\xdd" + payload
    return ethernet(body, ethertype=len(body), tags=tags)


def ipv6(payload: bytes, following: int = ICMPV6, *, source: str = HOST, length: int | None = None) -> bytes:
    """Return a packet to all nodes with hop limit 255."""
    size = len(payload) if length is None else length
    addresses = ipaddress.IPv6Address(source).packed + ipaddress.IPv6Address("ff02::1").packed
    return struct.pack("!IHBB", 6 << 28, size, following, 255) + addresses + payload


def option(kind: int, mac: bytes, units: int = 1) -> bytes:
    """Return a link-layer option that says it is `units` of eight bytes long."""
    return bytes((kind, units)) + mac


def nd(kind: int, *options: bytes, target: str = HOST) -> bytes:
    """Return a message of neighbour discovery; its checksum is 0."""
    body = {
        RS: b"\0" * 4,
        RA: struct.pack("!BBHII", 64, 0, 1800, 0, 0),
        NS: b"\0" * 4 + ipaddress.IPv6Address(target).packed,
        NA: b"\x60\0\0\0" + ipaddress.IPv6Address(target).packed,
        REDIRECT: b"\0" * 4 + ipaddress.IPv6Address(target).packed * 2,
    }[kind]
    return bytes((kind, 0, 0, 0)) + body + b"".join(options)


def extension(following: int, units: int = 0) -> bytes:
    """Return a hop-by-hop, routing or destination header of 8 bytes and `units` times 8."""
    return bytes((following, units)) + b"\0" * (6 + 8 * units)


def fragment(following: int, offset: int = 0, *, more: bool = True) -> bytes:
    """Return a fragment header; `offset` in units of 8 bytes."""
    return struct.pack("!BBHI", following, 0, offset << 3 | more, 7)


def with_checksum(packet: bytes) -> bytes:
    """Return an IPv6 packet of ICMPv6, without extension headers, with its checksum right."""
    body = packet[40:42] + b"\0\0" + packet[44:]
    pseudo = packet[8:40] + struct.pack("!II", len(body), ICMPV6)
    words = pseudo + body + b"\0" * (len(body) % 2)
    total = sum(struct.unpack(f"!{len(words) // 2}H", words))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return packet[:42] + struct.pack("!H", ~total & 0xFFFF) + packet[44:]


def arp(
    sender: str,
    *,
    mac: bytes = MAC,
    operation: int = 1,
    target: str = "192.0.2.1",
    tags: tuple[int, ...] = (),
) -> bytes:
    """Return a frame of ARP."""
    addresses = mac + ipaddress.IPv4Address(sender).packed + b"\0" * 6 + ipaddress.IPv4Address(target).packed
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + addresses
    return ethernet(body, source=mac, ethertype=0x0806, tags=tags)


def dhcp(
    kind: int,
    *,
    id: int = 7,
    client: str = "0.0.0.0",
    yours: str = "0.0.0.0",
    mac: bytes = MAC,
    tags: tuple[int, ...] = (),
) -> bytes:
    """Return a frame of DHCP, from the guest or (OFFER, ACK, NAK) to it; `client` is also its source."""
    is_reply = kind in (OFFER, ACK, NAK)
    addresses = [ipaddress.IPv4Address(text).packed for text in (client, yours, "192.0.2.1", "0.0.0.0")]
    head = struct.pack("!BBBBIHH", 2 if is_reply else 1, 1, 6, 0, id, 0, 0) + b"".join(addresses)
    message = head + mac + b"\0" * 202 + b"\x63\x82\x53\x63" + bytes((0, 12, 2, 104, 105, 53, 1, kind, 255))
    udp = struct.pack("!HHHH", *((67, 68) if is_reply else (68, 67)), 8 + len(message), 0) + message
    ends = [addresses[2], b"\xff" * 4] if is_reply else [addresses[0], b"\xff" * 4]
    packet = struct.pack("!BBHIBBH", 0x45, 0, 20 + len(udp), 0, 64, 17, 0) + b"".join(ends) + udp
    return ethernet(packet, ethertype=0x0800, source=OTHER_MAC if is_reply else mac, tags=tags)
