"""What the routing policies of a VPC say of a packet whose way out is known; stateless."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netctl.model.routing_policy import (
    Endpoint,
    Fallback,
    PolicyAction,
    PortRange,
    Protocol,
    RoutingPolicy,
)
from netctl.model.vpc import Vpc
from tests.oracle.words import Layout, Packet, inside, networks_of

_NUMBERS = {"tcp": 6, "udp": 17}


class Decision(enum.Enum):
    """What becomes of the packet."""

    PERMIT = 1
    DENY = 2
    REROUTE = 3


@dataclass(frozen=True, slots=True)
class _End:
    """One end of a packet: its address and port, and whether a connection to the outside is on that side."""

    address: str
    port: int
    outside: bool


def decide(layout: Layout, vpc: Vpc, packet: Packet, ports: tuple[str, str]) -> tuple[Decision, str]:
    """Ask the policies, highest priority first; answer with the service's address when rerouted.

    `ports` are the subnets by which the packet enters the router and would leave it.
    """
    came, goes = (vpc.connection(subnet) is not None for subnet in ports)
    source = _End(packet.source, packet.source_port, came)
    destination = _End(packet.destination, packet.destination_port, goes)
    mine = [policy for policy in layout.policies if policy.vpc == vpc.id]
    for policy in sorted(mine, key=lambda policy: -policy.priority):
        if _is_from_service(layout, policy, ports[0]):
            continue
        service = policy.service_ips[0] if policy.service_ips else ""
        matches = _matches(policy, packet, source, destination)
        if not matches and policy.bidirectional:
            service = policy.service_ips[-1] if policy.service_ips else ""
            matches = _matches(policy, packet, destination, source)
        if matches and (decision := _act(layout, policy)) is not None:
            return decision, service
    return Decision.PERMIT, ""


def _act(layout: Layout, policy: RoutingPolicy) -> Decision | None:
    """Return what a matching policy does; None to go on with the next one. Half a service is none."""
    if policy.action is PolicyAction.PERMIT:
        return Decision.PERMIT
    if policy.action is PolicyAction.DENY:
        return Decision.DENY
    if not any((policy.vpc, service) in layout.dead for service in policy.service_ips):
        return Decision.REROUTE
    fallbacks = {Fallback.ALLOW: Decision.PERMIT, Fallback.DROP: Decision.DENY, Fallback.PASSTHROUGH: None}
    return fallbacks[policy.fallback]


def _is_from_service(layout: Layout, policy: RoutingPolicy, entered: str) -> bool:
    """Rerouted traffic comes back from the service's subnet, and must not be caught again."""
    networks = networks_of(layout.subnet(entered))
    return any(inside(service, cidr) for service in policy.service_ips for cidr in networks)


def _matches(policy: RoutingPolicy, packet: Packet, source: _End, destination: _End) -> bool:
    return (
        (policy.version is None or policy.version == packet.version)
        and _is_protocol(policy, packet)
        and _is_at(policy.source, source)
        and _is_at(policy.destination, destination)
        and _is_port(policy.source_ports, source.port)
        and _is_port(policy.destination_ports, destination.port)
    )


def _is_protocol(policy: RoutingPolicy, packet: Packet) -> bool:
    number = _NUMBERS.get(packet.protocol, 58 if packet.version == 6 else 1)
    match policy.protocol:
        case Protocol.ANY:
            return True
        case Protocol.NUMBER:
            return policy.protocol_number == number
        case Protocol.TCP | Protocol.UDP:
            return policy.protocol.value == packet.protocol
    return packet.protocol == "icmp"


def _is_at(endpoint: Endpoint, end: _End) -> bool:
    if endpoint.external:
        return end.outside
    return not endpoint.cidr or inside(end.address, endpoint.cidr)


def _is_port(ranges: tuple[PortRange, ...], port: int) -> bool:
    return not ranges or any(part.first <= port <= part.last for part in ranges)
