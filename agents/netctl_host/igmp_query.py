"""General queries of IGMPv3 and MLDv2: who asks where and how often, and the frames. Pure.

A snooping switch that asks by itself uses the source 0.0.0.0 (RFC 4541, 2.1.1): such a query wins no election, and no
switch takes its sender for a multicast router. MLD wants a link-local source (RFC 3810, 5.1.14); there the lowest
address asks, the others keep silent.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from netctl_host.assignment import Assignment
from netctl_host.state import HostState

LONGEST_S: Final = 60.0
ANSWER_S: Final = 10
"""Hosts answer within this."""

_IGMP_QUERY, _MLD_QUERY = 0x11, 130
_ROUTER_ALERT = bytes.fromhex("94040000")  # RFC 2113
_HOP_BY_HOP_ALERT = bytes.fromhex("3a00050200000100")  # RFC 2711: ICMPv6 follows
_ALL_SYSTEMS, _ALL_NODES = "224.0.0.1", "ff02::1"
_ROBUSTNESS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerierPlace:
    """A bridge's internal port from which to ask, and in which VLANs (0 untagged), every `interval_s`."""

    bridge: str
    index: int
    mac_address: str
    vlan_ids: tuple[int, ...]
    interval_s: float


def find_places(assignment: Assignment, state: HostState) -> frozenset[QuerierPlace]:
    """Return where this host asks now."""
    return frozenset(
        QuerierPlace(
            bridge=uplink.bridge,
            index=state.links[uplink.bridge].index,
            mac_address=state.links[uplink.bridge].mac_address,
            vlan_ids=uplink.querier_vlan_ids,
            interval_s=min(LONGEST_S, uplink.mcast_timeout_s / 3),
        )
        for uplink in assignment.uplink_bridges
        if uplink.mcast_snooping
        and uplink.querier_vlan_ids
        and uplink.bridge in state.links
        and state.links[uplink.bridge].up
        and state.links[uplink.bridge].mac_address
    )


def render_queries(place: QuerierPlace, vlan_id: int) -> tuple[bytes, bytes]:
    """Return the frames for IGMP and for MLD."""
    mac = bytes.fromhex(place.mac_address.replace(":", ""))
    return _igmp(mac, vlan_id, round(place.interval_s)), _mld(mac, vlan_id, round(place.interval_s))


def link_local(mac_address: str) -> ipaddress.IPv6Address:
    """Return the address that MLD queries of this MAC address come from (RFC 4291, appendix A)."""
    mac = bytes.fromhex(mac_address.replace(":", ""))
    return ipaddress.IPv6Address(
        b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    )


def parse_source(frame: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return who asks in a frame without its tag, None when it is no general or other query."""
    kind = frame[12:14]
    if kind == b"\x08\x00" and len(frame) >= 34:
        header = (frame[14] & 0x0F) * 4
        if frame[23] == 2 and header >= 20 and frame[14 + header : 15 + header] == bytes([_IGMP_QUERY]):
            return ipaddress.IPv4Address(frame[26:30])
    if kind == b"\x86\xdd" and len(frame) >= 63 and (frame[20], frame[54], frame[62]) == (0, 58, _MLD_QUERY):
        return ipaddress.IPv6Address(frame[22:38])
    return None


def outranks(source: ipaddress.IPv4Address | ipaddress.IPv6Address, place: QuerierPlace) -> bool:
    """Does somebody ask who makes our asking needless?"""
    if isinstance(source, ipaddress.IPv4Address):
        return int(source) != 0  # 0.0.0.0 are our like on other hosts
    return source.is_link_local and source < link_local(place.mac_address)


def silence_s(place: QuerierPlace) -> float:
    """Return for how long one that was heard counts (RFC 3376, 8.5: other querier present)."""
    return _ROBUSTNESS * max(place.interval_s, LONGEST_S) + ANSWER_S / 2


def _igmp(mac: bytes, vlan_id: int, interval_s: int) -> bytes:
    body = struct.pack("!BBH4sBBH", _IGMP_QUERY, ANSWER_S * 10, 0, bytes(4), _ROBUSTNESS, interval_s, 0)
    body = body[:2] + struct.pack("!H", _checksum(body)) + body[4:]
    source, to = bytes(4), ipaddress.IPv4Address(_ALL_SYSTEMS).packed
    total = 24 + len(body)
    header = struct.pack("!BBHHHBBH4s4s", 0x46, 0xC0, total, 0, 0, 1, 2, 0, source, to) + _ROUTER_ALERT
    header = header[:10] + struct.pack("!H", _checksum(header)) + header[12:]
    return _ethernet(b"\x01\x00\x5e\x00\x00\x01", mac, vlan_id, 0x0800) + header + body


def _mld(mac: bytes, vlan_id: int, interval_s: int) -> bytes:
    source, to = link_local(mac.hex(":")).packed, ipaddress.IPv6Address(_ALL_NODES).packed
    body = struct.pack(
        "!BBHHH16sBBH", _MLD_QUERY, 0, 0, ANSWER_S * 1000, 0, bytes(16), _ROBUSTNESS, interval_s, 0
    )
    pseudo = source + to + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", _checksum(pseudo + body)) + body[4:]
    header = struct.pack("!IHBB", 0x60000000, len(_HOP_BY_HOP_ALERT) + len(body), 0, 1) + source + to
    return _ethernet(b"\x33\x33\x00\x00\x00\x01", mac, vlan_id, 0x86DD) + header + _HOP_BY_HOP_ALERT + body


def _ethernet(to: bytes, mac: bytes, vlan_id: int, kind: int) -> bytes:
    tag = struct.pack("!HH", 0x8100, vlan_id) if vlan_id else b""
    return to + mac + tag + struct.pack("!H", kind)


def _checksum(data: bytes) -> int:
    total = sum(_words(data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _words(data: bytes) -> Iterator[int]:
    padded = data + bytes(len(data) % 2)
    return (word for (word,) in struct.iter_unpack("!H", padded))
