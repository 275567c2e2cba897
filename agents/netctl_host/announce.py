"""Gratuitous ARP: tell the underlay which MAC this host's tunnel address has now.

In: assignment and state. Out: what is to be announced, as values and as frames, and the frames on the wire. Owns the
memory of what was announced how often. ovs-vswitchd keeps a peer's MAC for a quarter of an hour and does not ask again
in that time (tnl-neigh-cache.c), so after a card was replaced, or a bridge made itself a new address, tunnelled packets
would go to nobody. IPv6 tunnel addresses are not announced.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import structlog

from netctl.errors import HostUnavailable
from netctl_host.assignment import Assignment
from netctl_host.state import HostState

log = structlog.get_logger()

# Seconds from one to the next. One alone may be lost. The last waits longer than a datapath flow lives unused (10 s):
# ovs-vswitchd learns only from frames that have no flow yet, and a MAC that comes back may have one.
PAUSES_S = (1.0, 2.0, 12.0)
_BROADCAST = b"\xff" * 6
_ETHERTYPE_ARP, _ETHERTYPE_IPV4, _ETHERNET = 0x0806, 0x0800, 1
_REPLY = 2
_MINIMUM_BYTES = 60  # of an Ethernet frame without its checksum


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """`ip` is at `mac_address`, seen from `link`."""

    link: str
    mac_address: str
    ip: str


class Announcer:
    """Says what is new, and says it again a few times; one thread. `look_again` (with seconds) asks for a call."""

    def __init__(
        self,
        send: Callable[[Announcement], None],
        look_again: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._look_again = look_again
        self._clock = clock
        self._said: dict[Announcement, tuple[int, float]] = {}  # how often, and when next

    def tell(self, due: frozenset[Announcement]) -> None:
        """Send those of `due` whose time has come; what is no longer due is forgotten."""
        now = self._clock()
        self._said = {announcement: said for announcement, said in self._said.items() if announcement in due}
        for announcement in sorted(due, key=str):
            times, next_s = self._said.get(announcement, (0, now))
            if times <= len(PAUSES_S) and now >= next_s:
                self._send(announcement)
                if not times:
                    log.info("announced", **asdict(announcement))
                next_s = now + (*PAUSES_S, 0.0)[times]
                times += 1
                self._said[announcement] = times, next_s
            if times <= len(PAUSES_S):
                self._look_again(max(0.0, next_s - now))


def find_announcements(assignment: Assignment, state: HostState) -> frozenset[Announcement]:
    """Return what peers should know of this host: its addresses that are in place, on bridges that reach somebody."""
    return frozenset(_find(assignment, state))


def _find(assignment: Assignment, state: HostState) -> Iterator[Announcement]:
    for uplink in assignment.uplink_bridges:
        link = state.links.get(uplink.bridge)
        if not uplink.address or link is None or not link.up:
            continue
        interface = ipaddress.ip_interface(uplink.address)
        reaches = any(name in state.links and state.links[name].carrier for name in uplink.interfaces)
        if interface.version == 4 and interface.with_prefixlen in link.addresses and reaches:
            yield Announcement(link=link.name, mac_address=link.mac_address, ip=str(interface.ip))


def render_garp(mac_address: str, ip: str) -> bytes:
    """Return a gratuitous ARP reply, RFC 5944 section 4.6; ovs-vswitchd 3.1 and Linux learn from it."""
    mac, address = bytes.fromhex(mac_address.replace(":", "")), ipaddress.IPv4Address(ip).packed
    ethernet = _BROADCAST + mac + struct.pack("!H", _ETHERTYPE_ARP)
    arp = struct.pack("!HHBBH", _ETHERNET, _ETHERTYPE_IPV4, len(mac), len(address), _REPLY)
    return (ethernet + arp + (mac + address) * 2).ljust(_MINIMUM_BYTES, b"\0")


def send_announcement(announcement: Announcement) -> None:
    """Send it once; raise HostUnavailable when the link does not take it."""
    frame = render_garp(announcement.mac_address, announcement.ip)
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:  # protocol 0: receives nothing
            sender.bind((announcement.link, 0))
            sender.send(frame)
    except OSError as error:
        raise HostUnavailable(f"{announcement}: {error}") from error
