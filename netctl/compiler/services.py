"""Services: what two lists of them have in common, and how a match says one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import product

from netctl.model.routing_policy import PortRange
from netctl.model.service import Service, ServiceProtocol

Services = tuple[Service, ...]
_NUMBERS = {
    ServiceProtocol.TCP: 6,
    ServiceProtocol.UDP: 17,
    ServiceProtocol.ICMP: 1,
    ServiceProtocol.ICMPV6: 58,
}
_PORT_MAX = 65_535
_TEXTS = 4096


def common(one: Services, other: Services) -> Services | None:
    """Return what is of both, empty for everything; None when nothing is."""
    if not one or not other:
        return one or other
    found = (_meet(a, b) for a, b in product(one, other))
    return tuple(dict.fromkeys(service for service in found if service is not None)) or None


def versions_of(services: Services, ip_version: int = 0) -> frozenset[int]:
    """Return the IP versions of which packets can be any of the services."""
    asked = frozenset({ip_version} if ip_version else {4, 6})
    if not services or any(service.version is None for service in services):
        return asked
    return asked & {service.version for service in services if service.version is not None}


@lru_cache(maxsize=_TEXTS)
def match_of(services: Services, versions: frozenset[int]) -> str:
    """Return the match of any of the services, "" for everything; of those that an IP version has."""
    terms = tuple(dict.fromkeys(_terms(services, versions)))
    return terms[0] if len(terms) == 1 else f"({' || '.join(terms)})" if terms else ""


def _meet(one: Service, other: Service) -> Service | None:
    if number_of(one) != number_of(other):
        return None
    if ServiceProtocol.NUMBER in (one.protocol, other.protocol):
        return other if one.protocol is ServiceProtocol.NUMBER else one
    ports, source_ports = (
        _meet_ports(one.ports, other.ports),
        _meet_ports(one.source_ports, other.source_ports),
    )
    types = {one.icmp_type, other.icmp_type} - {None}
    codes = {one.icmp_code, other.icmp_code} - {None}
    if ports is None or source_ports is None or len(types) > 1 or len(codes) > 1:
        return None
    return Service(
        protocol=one.protocol,
        ports=ports,
        source_ports=source_ports,
        icmp_type=next(iter(types), None),
        icmp_code=next(iter(codes), None),
    )


def number_of(service: Service) -> int:
    """Return the IP protocol number of a service."""
    return _NUMBERS.get(service.protocol, service.protocol_number)


def _meet_ports(one: tuple[PortRange, ...], other: tuple[PortRange, ...]) -> tuple[PortRange, ...] | None:
    if not one or not other:
        return one or other
    found = tuple(
        PortRange(first=max(a.first, b.first), last=min(a.last, b.last))
        for a, b in product(one, other)
        if max(a.first, b.first) <= min(a.last, b.last)
    )
    return found or None


def _terms(services: Services, versions: frozenset[int]) -> Iterator[str]:
    for protocol in (ServiceProtocol.TCP, ServiceProtocol.UDP):
        mine = [service for service in services if service.protocol is protocol]
        yield from _port_terms(protocol.value, mine)
    for protocol, version in ((ServiceProtocol.ICMP, 4), (ServiceProtocol.ICMPV6, 6)):
        if version in versions:
            mine = [service for service in services if service.protocol is protocol]
            yield from _icmp_terms(f"icmp{version}", mine)
    numbers = {service.protocol_number for service in services if service.protocol is ServiceProtocol.NUMBER}
    if numbers:
        yield f"ip.proto == {_set(sorted(numbers))}"


def _port_terms(name: str, services: list[Service]) -> Iterator[str]:
    plain = [service for service in services if not service.source_ports]
    if plain:
        every = any(not service.ports for service in plain)
        ports = () if every else tuple(item for service in plain for item in service.ports)
        yield from _ranges(f"{name}.dst", ports) or (name,)
    for service in services:
        if service.source_ports:
            sides = [_ranges(f"{name}.src", service.source_ports), _ranges(f"{name}.dst", service.ports)]
            said = [side[0] if len(side) == 1 else f"({' || '.join(side)})" for side in sides if side]
            yield f"({' && '.join(said)})" if len(said) > 1 else said[0] if said else name


def _ranges(field: str, ranges: Iterable[PortRange]) -> tuple[str, ...]:
    """Return the terms of any of the ranges, none when they are all ports or there are none."""
    merged: list[tuple[int, int]] = []
    for item in sorted(ranges, key=lambda item: item.first):
        if merged and item.first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], item.last)
        else:
            merged.append((item.first, item.last))
    if merged == [(0, _PORT_MAX)]:
        return ()
    single = [first for first, last in merged if first == last]
    spans = (f"({field} >= {first} && {field} <= {last})" for first, last in merged if first != last)
    return (*((f"{field} == {_set(single)}",) if single else ()), *spans)


def _icmp_terms(name: str, services: list[Service]) -> Iterator[str]:
    if any(service.icmp_type is None for service in services):
        yield name
        return
    types = {service.icmp_type for service in services if service.icmp_code is None}
    if types:
        yield f"{name}.type == {_set(sorted(type for type in types if type is not None))}"
    for service in services:
        if service.icmp_code is not None and service.icmp_type not in types:
            yield f"({name}.type == {service.icmp_type} && {name}.code == {service.icmp_code})"


def _set(numbers: list[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else "{" + ", ".join(map(str, numbers)) + "}"
