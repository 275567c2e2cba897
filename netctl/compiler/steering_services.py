"""Services as steering rules say them: one protocol each, its ports together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from netctl.compiler.clause import Clause
from netctl.compiler.services import Services, number_of
from netctl.model.assignment_chains import PortSpan, SteeringRule
from netctl.model.keys import ServiceChainId
from netctl.model.routing_policy import PortRange
from netctl.model.security_policy import Direction
from netctl.model.service import Service, ServiceProtocol

_ICMPV6 = 58
# RFC 4861, RFC 2710, RFC 3810: neighbour discovery and multicast listeners, which no policy looks at.
_NEIGHBOURHOOD = (130, 131, 132, 133, 134, 135, 136, 143)
# What answers a question of ICMP and ICMPv6: echo, timestamp.
_ANSWERS = {1: {8: 0, 13: 14}, _ICMPV6: {128: 129}}


def said(clause: Clause, version: int, base: SteeringRule, peers: tuple[str, ...]) -> Iterator[SteeringRule]:
    """Yield the rules of one clause and IP version: what `base` says, for its services."""
    base = replace(
        base, ip_version=version, peer_networks=peers, local_opens=clause.direction is Direction.OUT
    )
    if not clause.services:
        yield base
        return
    mine = tuple(service for service in clause.services if service.version in (None, version))
    yield from dict.fromkeys((*_with_ports(mine, base), *_others(mine, base)))


def neighbourhood(own: ServiceChainId) -> Iterator[SteeringRule]:
    """Yield what keeps neighbour discovery out of rules about everything; it passes the subnet's chain alone."""
    for type in _NEIGHBOURHOOD:
        yield SteeringRule(priority=0, chain_id=own, ip_version=6, protocol=_ICMPV6, icmp_type=type)


def any_service(rule: SteeringRule) -> bool:
    """May a rule match neighbour discovery?"""
    return (
        rule.ip_version == 6
        and rule.protocol in (None, _ICMPV6)
        and rule.icmp_type in (None, *_NEIGHBOURHOOD)
    )


def spans(ranges: Iterable[PortRange]) -> tuple[PortSpan, ...]:
    """Return ranges of ports, those that touch as one, ascending."""
    merged: list[PortSpan] = []
    for item in sorted(ranges, key=lambda item: (item.first, item.last)):
        if merged and item.first <= merged[-1].last + 1:
            merged[-1] = PortSpan(first=merged[-1].first, last=max(merged[-1].last, item.last))
        else:
            merged.append(PortSpan(first=item.first, last=item.last))
    return tuple(merged)


def _with_ports(services: Services, base: SteeringRule) -> Iterator[SteeringRule]:
    """Yield one rule for all services of a protocol without source ports, and one for each with them."""
    for protocol in (ServiceProtocol.TCP, ServiceProtocol.UDP):
        mine = [service for service in services if service.protocol is protocol]
        plain = [service for service in mine if not service.source_ports]
        if plain:
            every = any(not service.ports for service in plain)
            ports = () if every else tuple(item for service in plain for item in service.ports)
            yield replace(base, protocol=number_of(plain[0]), destination_ports=spans(ports))
        for service in mine:
            if service.source_ports:
                yield replace(
                    base,
                    protocol=number_of(service),
                    source_ports=spans(service.source_ports),
                    destination_ports=spans(service.ports),
                )


def _others(services: Services, base: SteeringRule) -> Iterator[SteeringRule]:
    for service in services:
        if service.protocol is ServiceProtocol.NUMBER:
            yield replace(base, protocol=service.protocol_number)
        elif service.protocol in (ServiceProtocol.ICMP, ServiceProtocol.ICMPV6):
            yield from _icmp(service, base)


def _icmp(service: Service, base: SteeringRule) -> Iterator[SteeringRule]:
    number = number_of(service)
    asked = replace(base, protocol=number, icmp_type=service.icmp_type, icmp_code=service.icmp_code)
    yield asked
    answer = _ANSWERS[number].get(service.icmp_type) if service.icmp_type is not None else None
    if answer is not None:
        yield replace(asked, icmp_type=answer)
