"""Frames that no kernel would send: lies in any field, lengths that are not there, checksums right all the same.

In: who says it is whom. Out: bytes for tests/e2e/raw.py.
"""

from __future__ import annotations

import ipaddress
import struct

from tests.e2e.raw import BROADCAST, ethernet
from tests.lossmeter.frames import Address, checksum

ALL_NODES = Address("33:33:00:00:00:01", "ff02::1")
_SOLICITATION, _ADVERTISEMENT, _ROUTER = 135, 136, 134
_SOURCE_LINK, _TARGET_LINK = 1, 2
_UDP, _ICMP, _ICMP6 = 17, 1, 58
_NEIGHBOUR_HOPS = 255  # RFC 4861: fewer are not believed


def udp(
    source: Address,
    target: Address,
    ports: tuple[int, int],
    *,
    payload: bytes = b"netctl" * 4,
    ip_more: int = 0,
    udp_more: int = 0,
) -> bytes:
    """Return a datagram; `ip_more` and `udp_more` bytes that its headers tell of are not there."""
    length = 8 + len(payload) + udp_more
    body = struct.pack("!HHHH", *ports, length, 0) + payload
    body = _summed(source, target, (_UDP, 6), body)
    return _packet(source, target, _UDP, body, more=ip_more)


def echo(source: Address, target: Address, *, ip_more: int = 0) -> bytes:
    """Return an echo request."""
    kind, protocol = (128, _ICMP6) if ":" in target.ip else (8, _ICMP)
    body = struct.pack("!BBHHH", kind, 0, 0, 7, 7) + b"netctl"
    return _packet(source, target, protocol, _summed(source, target, (protocol, 2), body), more=ip_more)


def unknown(source: Address, target: Address, protocol: int) -> bytes:
    """Return a packet of any protocol with something in it."""
    return _packet(source, target, protocol, b"netctl" * 4)


def solicitation(source: Address, wanted: str, link: str = "", *, option: bytes = b"") -> bytes:
    """Return a neighbour solicitation for an address, with a source link-layer option when `link` is given."""
    group = solicited(wanted)
    option += _link_option(_SOURCE_LINK, link) if link else b""
    body = struct.pack("!BBHI", _SOLICITATION, 0, 0, 0) + ipaddress.IPv6Address(wanted).packed + option
    return _neighbour(source, group, body)


def advertisement(source: Address, target: Address, claimed: str, link: str) -> bytes:
    """Return a neighbour advertisement: `claimed` is at `link`."""
    flags = 0x20000000  # override
    body = struct.pack("!BBHI", _ADVERTISEMENT, 0, 0, flags) + ipaddress.IPv6Address(claimed).packed
    return _neighbour(source, target, body + _link_option(_TARGET_LINK, link))


def router_advertisement(source: Address, target: Address = ALL_NODES) -> bytes:
    """Return what a router says of itself."""
    body = struct.pack("!BBHBBHII", _ROUTER, 0, 0, 64, 0, 1800, 0, 0)
    return _neighbour(source, target, body + _link_option(_SOURCE_LINK, source.mac))


def solicited(address: str) -> Address:
    """Return the multicast group that whoever has this address listens to."""
    low = ipaddress.IPv6Address(address).packed[-3:]
    text = str(ipaddress.IPv6Address(bytes.fromhex("ff0200000000000000000001ff") + low))
    return Address("33:33:ff:" + low.hex(":"), text)


def link_local(mac: str) -> str:
    """Return the link-local address that a MAC address makes."""
    raw = bytes.fromhex(mac.replace(":", ""))
    tail = bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:]
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + tail))


def arp_request(frame_source: str, sender: Address, wanted: str) -> bytes:
    """Return the question who has an IPv4 address, to everybody."""
    return ethernet(frame_source, BROADCAST, 0x0806, _arp(1, sender, Address("00:00:00:00:00:00", wanted)))


def rarp(mac: str) -> bytes:
    """Return what a hypervisor says of a guest that has arrived."""
    own = Address(mac, "0.0.0.0")
    return ethernet(mac, BROADCAST, 0x8035, _arp(3, own, own))


def tagged(frame: bytes, vlan_id: int) -> bytes:
    """Return the frame with a VLAN tag."""
    return frame[:12] + struct.pack("!HH", 0x8100, vlan_id) + frame[12:]


def is_refusal(frame: bytes) -> bool:
    """Is this frame a TCP reset, or an ICMP error that says unreachable?"""
    ethertype, ip = int.from_bytes(frame[12:14], "big"), frame[14:]
    if ethertype == 0x0800 and len(ip) >= 34:
        protocol, body = ip[9], ip[20:]
    elif ethertype == 0x86DD and len(ip) >= 54:
        protocol, body = ip[6], ip[40:]
    else:
        return False
    unreachable = {_ICMP: 3, _ICMP6: 1}
    return bool(body[13] & 4) if protocol == 6 else body[0] == unreachable.get(protocol, -1)


def _arp(operation: int, sender: Address, target: Address) -> bytes:
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    return head + b"".join(
        bytes.fromhex(one.mac.replace(":", "")) + ipaddress.IPv4Address(one.ip).packed
        for one in (sender, target)
    )


def _neighbour(source: Address, target: Address, body: bytes) -> bytes:
    summed = _summed(source, target, (_ICMP6, 2), body)
    return _packet(source, target, _ICMP6, summed, hops=_NEIGHBOUR_HOPS)


def _link_option(kind: int, mac: str) -> bytes:
    return bytes([kind, 1]) + bytes.fromhex(mac.replace(":", ""))


def _summed(source: Address, target: Address, place: tuple[int, int], body: bytes) -> bytes:
    """Return the body with the checksum of this protocol at this offset."""
    protocol, at = place
    pseudo = _ip(source) + _ip(target) + struct.pack("!II", len(body), protocol)
    total = checksum(body if protocol == _ICMP else pseudo + body) or 0xFFFF
    return body[:at] + struct.pack("!H", total) + body[at + 2 :]


def _packet(
    source: Address, target: Address, protocol: int, body: bytes, *, more: int = 0, hops: int = 64
) -> bytes:
    if ":" in target.ip:
        head = struct.pack("!IHBB", 6 << 28, len(body) + more, protocol, hops) + _ip(source) + _ip(target)
        return ethernet(source.mac, target.mac, 0x86DD, head + body)
    fields = (0x45, 0, 20 + len(body) + more, 0, 0x4000, hops, protocol)
    head = struct.pack("!BBHHHBBH", *fields, 0) + _ip(source) + _ip(target)
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return ethernet(source.mac, target.mac, 0x0800, head + body)


def _ip(address: Address) -> bytes:
    return ipaddress.ip_address(address.ip).packed
