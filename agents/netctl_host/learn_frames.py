"""What a guest's frames say about the addresses that it uses. Pure.

In: frames of a tap, as a packet socket gives them. Out: addresses. An address counts when the guest uses it as its own:
as sender of ARP, as source of a neighbour solicitation, as source or target of an advertisement, as the address that it
renews, or when the DHCP server gives it what it asked for. One that it only tries (ARP probe, duplicate address
detection) does not count yet. Sources: RFC 826, 2131, 4861, 5227.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

_ARP, _IPV4, _IPV6, _VLAN = 0x0806, 0x0800, 0x86DD, 0x8100
_ARP_OVER_ETHERNET = struct.pack("!HHBB", 1, _IPV4, 6, 4)
_NS, _NA, _ICMPV6, _UDP = 135, 136, 58, 17
_BOOTREQUEST, _BOOTREPLY = 1, 2
_MAGIC, _END, _PAD, _MESSAGE_TYPE, _ACK = bytes((99, 130, 83, 99)), 255, 0, 53, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame; `tag` that the kernel took out of it, or None; `to_guest`: on its way to the guest."""

    data: bytes
    tag: int | None = None
    to_guest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Addresses in VLAN `vlan_id`, 0 where untagged; `request`: the DHCP transaction that the guest began, or None.

    `source`: of any packet that the guest sends: a sign of life when the address is its, and else nothing.
    """

    vlan_id: int = 0
    addresses: tuple[str, ...] = ()
    request: int | None = None
    source: str = ""


def look_at(frame: Frame, mac: bytes, requests: frozenset[int]) -> Found:
    """Return what a frame says about the guest with this MAC; `requests` of its are waiting for their answer."""
    data, tag = frame.data, frame.tag
    kind = int.from_bytes(data[12:14], "big")
    packet = data[14:]
    if kind == _VLAN and tag is None:
        tag, kind, packet = (
            int.from_bytes(packet[:2], "big"),
            int.from_bytes(packet[2:4], "big"),
            packet[4:],
        )
    vlan_id = (tag or 0) & 0x0FFF
    request, source = None, b""
    found: list[bytes] = []
    if frame.to_guest:
        found = _look_at_reply(_bootp(packet), mac, requests) if kind == _IPV4 else []
    elif data[6:12] != mac:
        return Found()
    elif kind == _ARP:
        found = _look_at_arp(packet, mac)
    elif kind == _IPV6:
        source = packet[8:24]
        found = _look_at_nd(packet)
    elif kind == _IPV4:
        source = packet[12:16]
        message = _bootp(packet)
        if message[:1] == bytes((_BOOTREQUEST,)) and message[28:34] == mac:
            request = int.from_bytes(message[4:8], "big")
            found = [message[12:16]] if message[12:16] == packet[12:16] else []
    addresses = tuple(dict.fromkeys(str(address) for raw in found if (address := _usable(raw))))
    return Found(vlan_id=vlan_id, addresses=addresses, request=request, source=str(_usable(source) or ""))


def _look_at_arp(packet: bytes, mac: bytes) -> list[bytes]:
    right = packet.startswith(_ARP_OVER_ETHERNET) and len(packet) >= 28 and packet[8:14] == mac
    return [packet[14:18]] if right else []


def _look_at_nd(packet: bytes) -> list[bytes]:
    # Receivers throw away what came over a router, RFC 4861 section 7.1.
    if len(packet) < 64 or packet[6:8] != bytes((_ICMPV6, 255)):
        return []
    source, kind, target = packet[8:24], packet[40], packet[48:64]
    if kind == _NA:
        return [source, target]
    return [source] if kind == _NS else []


def _bootp(packet: bytes) -> bytes:
    """Return the message of a UDP packet without IP options, b"" where there is none."""
    return packet[28:] if packet[:1] == b"\x45" and packet[9:10] == bytes((_UDP,)) else b""


def _look_at_reply(message: bytes, mac: bytes, requests: frozenset[int]) -> list[bytes]:
    right = (
        message[:1] == bytes((_BOOTREPLY,))
        and message[28:34] == mac
        and message[236:240] == _MAGIC
        and int.from_bytes(message[4:8], "big") in requests
        and _is_acknowledgement(message[240:])
    )
    return [message[16:20]] if right else []


def _is_acknowledgement(options: bytes) -> bool:
    at = 0
    while at + 2 < len(options) and options[at] != _END:
        if options[at] == _PAD:
            at += 1
            continue
        if options[at] == _MESSAGE_TYPE:
            return options[at + 2] == _ACK
        at += 2 + options[at + 1]
    return False


def _usable(raw: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address when it can be a guest's."""
    if len(raw) not in (4, 16):
        return None
    address = ipaddress.ip_address(raw)
    is_nobodys = address.is_unspecified or address.is_multicast or address.is_loopback
    # 240.0.0.0/4 holds the broadcast address; of IPv6, `is_reserved` has addresses that guests may use.
    return None if is_nobodys or (address.version == 4 and address.is_reserved) else address
