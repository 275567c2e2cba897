"""LLDP frames -> neighbours, and who is a neighbour now (IEEE 802.1AB). Pure.

A frame that is not whole, or lacks one of the three mandatory TLVs in their order, is none. Texts are cut and made
printable: they come from whoever is at the other end of the cable.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from netctl_host.state import LldpNeighbor

ETHERTYPE: Final = 0x88CC
TEXT_MAX: Final = 255
NEIGHBORS_MAX: Final = 4
"""Of one link: behind an old switch that floods LLDP there may be several."""

_END, _CHASSIS, _PORT, _TTL, _PORT_TEXT, _NAME, _TEXT, _ADDRESS, _ORGANISATION = 0, 1, 2, 3, 4, 5, 6, 8, 127
_TLVS_MAX = 64
_VLAN_OF_PORT = b"\x00\x80\xc2\x01"  # IEEE 802.1: Port VLAN ID
_MAC, _NETWORK = {_CHASSIS: 4, _PORT: 3}, {_CHASSIS: 5, _PORT: 4}
_FAMILIES = {1: 4, 2: 16}  # IANA address family numbers: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What a frame says, for `ttl_s`; 0 takes it back."""

    neighbor: LldpNeighbor
    ttl_s: int


def parse_frame(frame: bytes) -> Announcement | None:
    """Return what an Ethernet frame says, None when it is no whole LLDP."""
    if len(frame) < 14 or int.from_bytes(frame[12:14], "big") != ETHERTYPE:
        return None
    tlvs = list(_tlvs(frame[14:]))
    if [kind for kind, _ in tlvs[:3]] != [_CHASSIS, _PORT, _TTL] or len(tlvs[2][1]) < 2:
        return None
    chassis, port = _identity(*tlvs[0]), _identity(*tlvs[1])
    if not chassis or not port:
        return None
    texts = {kind: _text(value) for kind, value in tlvs[3:] if kind in (_PORT_TEXT, _NAME, _TEXT)}
    vlans = [
        int.from_bytes(value[4:6], "big")
        for kind, value in tlvs
        if kind == _ORGANISATION and value[:4] == _VLAN_OF_PORT and len(value) >= 6
    ]
    addresses = [address for kind, value in tlvs if kind == _ADDRESS and (address := _management(value))]
    neighbor = LldpNeighbor(
        chassis_id=chassis,
        port_id=port,
        port_description=texts.get(_PORT_TEXT, ""),
        system_name=texts.get(_NAME, ""),
        system_description=texts.get(_TEXT, ""),
        port_vlan_id=vlans[0] & 0xFFF if vlans else 0,
        management_address=addresses[0] if addresses else "",
    )
    return Announcement(neighbor=neighbor, ttl_s=int.from_bytes(tlvs[2][1][:2], "big"))


class NeighborTable:
    """Who announced itself on which link, until when. Owns the memory; bounded."""

    def __init__(self) -> None:
        self._known: dict[str, dict[tuple[str, str], tuple[LldpNeighbor, float]]] = {}

    def note(self, link: str, said: Announcement, now_s: float) -> None:
        """Take an announcement; of too many the one that ends first goes."""
        known = self._known.setdefault(link, {})
        key = (said.neighbor.chassis_id, said.neighbor.port_id)
        if not said.ttl_s:
            known.pop(key, None)
            return
        known[key] = (said.neighbor, now_s + said.ttl_s)
        if len(known) > NEIGHBORS_MAX:
            del known[min(known, key=lambda other: known[other][1])]

    def read(self, now_s: float) -> Mapping[str, LldpNeighbor]:
        """Return one neighbour of each link, always the same of several."""
        for known in self._known.values():
            for key in [key for key, (_, end_s) in known.items() if end_s <= now_s]:
                del known[key]
        return {link: known[min(known)][0] for link, known in sorted(self._known.items()) if known}

    def keep(self, links: frozenset[str]) -> None:
        """Forget other links."""
        self._known = {link: known for link, known in self._known.items() if link in links}


def _tlvs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the TLVs that are whole, up to the end mark."""
    at = 0
    for _ in range(_TLVS_MAX):
        if at + 2 > len(data):
            return
        (header,) = struct.unpack_from("!H", data, at)
        kind, length = header >> 9, header & 0x1FF
        if kind == _END or at + 2 + length > len(data):
            return
        yield kind, data[at + 2 : at + 2 + length]
        at += 2 + length


def _identity(kind: int, value: bytes) -> str:
    """Return a chassis or port id as a text, "" when it is none."""
    if len(value) < 2:
        return ""
    subtype, said = value[0], value[1:]
    if subtype == _MAC[kind]:
        return said.hex(":") if len(said) == 6 else ""
    if subtype == _NETWORK[kind]:
        return _network(said)
    return _text(said)


def _management(value: bytes) -> str:
    length = value[0] if value else 0
    return _network(value[1 : 1 + length]) if 1 < length < len(value) else ""


def _network(said: bytes) -> str:
    """`said`: the address family's number, then the address."""
    if not said or len(said) - 1 != _FAMILIES.get(said[0]):
        return ""
    return str(ipaddress.ip_address(said[1:]))


def _text(value: bytes) -> str:
    text = value.rstrip(b"\0").decode("utf-8", errors="replace")
    return "".join(letter if letter.isprintable() else " " for letter in text)[:TEXT_MAX].strip()
