"""What services match, as boxes of numbers: does one set of services cover another, do they overlap? Pure.

A box is an IP version, a protocol, and two intervals: source and destination ports of TCP and UDP, type and code of
ICMP, everything of other protocols. A service is a few boxes; everything of IP is one box for each version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from netctl.model.routing_policy import PortRange
from netctl.model.service import Service, ServiceProtocol

Interval = tuple[int, int]
# Every protocol there is.
ANY_PROTOCOL = -1
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
# ICMPv6 that policies never see: MLD (RFC 2710, 3810), RS, RA, NS and NA (RFC 4861).
NEIGHBOURHOOD = frozenset({130, 131, 132, 133, 134, 135, 136, 143})
_NUMBERS = {
    ServiceProtocol.TCP: TCP,
    ServiceProtocol.UDP: UDP,
    ServiceProtocol.ICMP: ICMP,
    ServiceProtocol.ICMPV6: ICMPV6,
}
_ALL: Interval = (0, 0xFFFF)
_SETS = 65_536  # of services; rules like the same ones
# A set that is cut into more pieces than this is not looked at further: "does not cover", which is never wrong to say.
_PIECES_MAX = 256


class Box(NamedTuple):
    """All packets of a version and protocol whose two numbers are in these intervals."""

    version: int
    protocol: int
    first: Interval
    second: Interval


@lru_cache(maxsize=_SETS)
def boxes_of(services: tuple[Service, ...], ip_version: int = 0) -> tuple[Box, ...]:
    """Return what a rule with these services matches: everything when there are none; `ip_version` 0 is both."""
    versions = (ip_version,) if ip_version else (4, 6)
    if not services:
        return tuple(Box(version, ANY_PROTOCOL, _ALL, _ALL) for version in versions)
    return tuple(
        box
        for service in services
        for version in versions
        if service.version in (None, version)
        for box in _boxes(service, version)
    )


def number_of(service: Service) -> int:
    """Return the number of a service's protocol."""
    return _NUMBERS.get(service.protocol, service.protocol_number)


def _boxes(service: Service, version: int) -> Iterator[Box]:
    protocol = number_of(service)
    if service.protocol in (ServiceProtocol.ICMP, ServiceProtocol.ICMPV6):
        yield Box(version, protocol, _one(service.icmp_type), _one(service.icmp_code))
        return
    for source in _intervals(service.source_ports):
        for destination in _intervals(service.ports):
            yield Box(version, protocol, source, destination)


def _one(number: int | None) -> Interval:
    return _ALL if number is None else (number, number)


def _intervals(ranges: tuple[PortRange, ...]) -> Iterable[Interval]:
    return [(ports.first, ports.last) for ports in ranges] or (_ALL,)


@lru_cache(maxsize=_SETS)
def covers(wide: tuple[Box, ...], narrow: tuple[Box, ...]) -> bool:
    """Is every packet of `narrow` in `wide`? "No" may mean that it takes too long to tell."""
    return all(any(_holds(box, one) for box in wide) or _is_in_all(one, wide) for one in narrow)


def overlap(some: Iterable[Box], others: Sequence[Box]) -> bool:
    """Is a packet in both?"""
    return any(_meet(one, other) for one in some for other in others)


def _holds(wide: Box, narrow: Box) -> bool:
    return (
        wide.version == narrow.version
        and wide.protocol in (ANY_PROTOCOL, narrow.protocol)
        and wide.first[0] <= narrow.first[0]
        and narrow.first[1] <= wide.first[1]
        and wide.second[0] <= narrow.second[0]
        and narrow.second[1] <= wide.second[1]
    )


def _meet(one: Box, other: Box) -> bool:
    return (
        one.version == other.version
        and (one.protocol == other.protocol or ANY_PROTOCOL in (one.protocol, other.protocol))
        and one.first[0] <= other.first[1]
        and other.first[0] <= one.first[1]
        and one.second[0] <= other.second[1]
        and other.second[0] <= one.second[1]
    )


def _is_in_all(box: Box, wide: Iterable[Box]) -> bool:
    """Is a box in several of `wide` together?"""
    left = [box]
    for other in wide:
        if other.protocol in (ANY_PROTOCOL, box.protocol):
            left = [piece for one in left for piece in _without(one, other)]
        if not left:
            return True
        if len(left) > _PIECES_MAX:
            return False
    return False


def _without(box: Box, other: Box) -> Iterator[Box]:
    """Yield what of a box is not in another one that has its protocol."""
    if not _meet(box, other):
        yield box
        return
    (low, high), (cut_low, cut_high) = box.first, other.first
    if low < cut_low:
        yield box._replace(first=(low, cut_low - 1))
    if cut_high < high:
        yield box._replace(first=(cut_high + 1, high))
    between = (max(low, cut_low), min(high, cut_high))
    (low, high), (cut_low, cut_high) = box.second, other.second
    if low < cut_low:
        yield box._replace(first=between, second=(low, cut_low - 1))
    if cut_high < high:
        yield box._replace(first=between, second=(cut_high + 1, high))
