"""Links and addresses as the kernel dumps them: rtnetlink(7) messages -> plain values.

pyroute2 makes an object of each of some fifty attributes of a link, 0.3 ms a link; every pass of the agent reads all
links, and a host has a hundred. Here only what the agent needs is looked at: a hundred links take 2 ms.
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from netctl_host.state import Route

# linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h
RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE = 18, 22, 26
NLM_F_REQUEST, NLM_F_DUMP, NLM_F_DUMP_INTR = 0x1, 0x300, 0x10
NLMSG_ERROR, NLMSG_DONE = 2, 3
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_EXT_MASK, IFLA_CARRIER, IFLA_XDP = 1, 3, 4, 29, 33, 43
# Of the program that is attached; or, where a link has several, of each mode's
IFLA_XDP_PROGRAM_IDS = (4, 5, 6, 7)
RTEXT_FILTER_SKIP_STATS = 0x8
IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO, IFLA_IFALIAS, IFLA_INFO_KIND = 5, 10, 18, 20, 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY = 1, 4, 5, 6
RT_TABLE_MAIN, RTN_UNICAST = 254, 1
RTPROT_KERNEL, RTPROT_RA = 2, 9
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_LINK = struct.Struct("=BxHiII")  # family, type, index, flags, change
_ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
_ROUTE = struct.Struct("=BBBBBBBBI")  # family, prefix length, -, -, table, protocol, scope, type, flags
_ATTRIBUTE = struct.Struct("=HH")  # length with this header, type
_NUMBER = struct.Struct("=I")
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_TYPE_MASK = 0x3FFF  # the upper bits say that an attribute is nested or in network order
_ATTEMPTS = 10  # a dump during which something changed is begun again


@dataclass(frozen=True, slots=True)
class LinkDump:
    """One link; `flags` as in netdevice(7), `xdp_programs` by the kernel's number.

    `hardware_type` as in linux/if_arp.h; `master` and `parent` by index, 0 for none.
    """

    index: int
    name: str
    mac_address: str
    flags: int
    carrier: bool
    mtu_bytes: int
    xdp_programs: frozenset[int] = frozenset()
    hardware_type: int = 0
    kind: str = ""
    alias: str = ""
    master: int = 0
    parent: int = 0


@dataclass(frozen=True, slots=True)
class AddressDump:
    """One address of a link."""

    index: int
    address: str
    prefix_length: int


class Dumps:
    """Asks the kernel about the network namespace that it was made in; raises OSError."""

    def __init__(self, *, timeout_s: float = 5.0) -> None:
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._netlink.settimeout(timeout_s)
        self._numbers = itertools.count(1)

    def links(self) -> list[LinkDump]:
        """Return all links."""
        mask = _ATTRIBUTE.pack(8, IFLA_EXT_MASK) + _NUMBER.pack(RTEXT_FILTER_SKIP_STATS)
        return [_parse_link(body) for body in self._dump(RTM_GETLINK, _LINK.pack(0, 0, 0, 0, 0) + mask)]

    def addresses(self) -> list[AddressDump]:
        """Return all IPv4 and IPv6 addresses."""
        bodies = self._dump(RTM_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0))
        return [_parse_address(body) for body in bodies if body[0] in _FAMILIES]

    def routes(self, index: int) -> list[Route]:
        """Return the routes of the main table over a link, without those that the kernel makes by itself."""
        bodies = self._dump(RTM_GETROUTE, _ROUTE.pack(0, 0, 0, 0, 0, 0, 0, 0, 0))
        return [route for body in bodies if (route := _parse_route(body, index)) is not None]

    def close(self) -> None:
        """Close the socket."""
        self._netlink.close()

    def _dump(self, kind: int, body: bytes) -> list[bytes]:
        for _ in range(_ATTEMPTS):
            number = next(self._numbers)
            header = _HEADER.pack(_HEADER.size + len(body), kind, NLM_F_REQUEST | NLM_F_DUMP, number, 0)
            self._netlink.send(header + body)
            bodies = self._receive(number)
            if bodies is not None:
                return bodies
        raise OSError(errno.EAGAIN, "links change faster than they can be read")

    def _receive(self, number: int) -> list[bytes] | None:
        """Return the bodies of an answer, None when it is not of one moment."""
        bodies: list[bytes] = []
        whole = True
        while True:
            for kind, flags, sequence, body in _messages(self._netlink.recv(1 << 18)):
                if sequence != number:  # of an older question, whose answer came too late
                    continue
                whole = whole and not flags & NLM_F_DUMP_INTR
                if kind == NLMSG_DONE:
                    return bodies if whole else None
                if kind == NLMSG_ERROR:
                    code = -int(struct.unpack_from("=i", body)[0])
                    raise OSError(code, os.strerror(code))
                bodies.append(body)


def _messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield type, flags, sequence number and body."""
    start = 0
    while start + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, start)
        yield kind, flags, sequence, data[start + _HEADER.size : start + length]
        start += (length + 3) & ~3


def _attributes(body: bytes, start: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while start + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, start)
        if length < _ATTRIBUTE.size:
            break
        found[kind & _TYPE_MASK] = body[start + _ATTRIBUTE.size : start + length]
        start += (length + 3) & ~3
    return found


def _parse_link(body: bytes) -> LinkDump:
    _, hardware_type, index, flags, _ = _LINK.unpack_from(body)
    found = _attributes(body, _LINK.size)
    kind = _attributes(found.get(IFLA_LINKINFO, b""), 0).get(IFLA_INFO_KIND, b"")
    return LinkDump(
        index=index,
        name=_text(found.get(IFLA_IFNAME, b"")),
        mac_address=found.get(IFLA_ADDRESS, b"").hex(":"),
        flags=flags,
        carrier=found.get(IFLA_CARRIER) == b"\1",
        mtu_bytes=_number(found.get(IFLA_MTU)),
        xdp_programs=_xdp_programs(found.get(IFLA_XDP, b"")),
        hardware_type=hardware_type,
        kind=_text(kind),
        alias=_text(found.get(IFLA_IFALIAS, b"")),
        master=_number(found.get(IFLA_MASTER)),
        parent=_number(found.get(IFLA_LINK)),
    )


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="surrogateescape")


def _number(value: bytes | None) -> int:
    return int(_NUMBER.unpack(value)[0]) if value else 0


def _parse_route(body: bytes, index: int) -> Route | None:
    family, length, _, _, table, protocol, _, kind, _ = _ROUTE.unpack_from(body)
    if table != RT_TABLE_MAIN or kind != RTN_UNICAST or family not in _FAMILIES:
        return None
    found = _attributes(body, _ROUTE.size)
    if protocol in (RTPROT_KERNEL, RTPROT_RA) or _number(found.get(RTA_OIF)) != index:
        return None
    size = 4 if family == socket.AF_INET else 16
    gateway = found.get(RTA_GATEWAY, b"")
    return Route(
        destination=f"{socket.inet_ntop(family, found.get(RTA_DST, bytes(size)))}/{length}",
        gateway=socket.inet_ntop(family, gateway) if gateway else "",
        metric=_number(found.get(RTA_PRIORITY)),
    )


def _xdp_programs(nested: bytes) -> frozenset[int]:
    found = _attributes(nested, 0)
    return frozenset(_NUMBER.unpack(found[kind])[0] for kind in IFLA_XDP_PROGRAM_IDS if kind in found)


def _parse_address(body: bytes) -> AddressDump:
    family, prefix_length, _, _, index = _ADDRESS.unpack_from(body)
    found = _attributes(body, _ADDRESS.size)
    # IFA_LOCAL is ours, IFA_ADDRESS the peer's on point-to-point links; IPv6 has the second only.
    raw = found.get(IFA_LOCAL) or found[IFA_ADDRESS]
    return AddressDump(index=index, address=socket.inet_ntop(family, raw), prefix_length=prefix_length)
