"""RoutingPolicy to Logical_Router_Policy: forth and, when bidirectional, back; for each IP version that it matches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netctl.compiler import priority
from netctl.compiler.exits import exits_of, holds
from netctl.compiler.identity import external_ids, gateway_port_name, policy_uuid, router_uuid
from netctl.compiler.observed import Observed
from netctl.model.intent import key_of
from netctl.model.routing_policy import Endpoint, Fallback, PolicyAction, PortRange, Protocol, RoutingPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.vpc import Vpc
from netctl.nb.rows import Fact, Member, Row

FORTH, BACK = "forth", "back"
_ACTIONS = {PolicyAction.PERMIT: "allow", PolicyAction.DENY: "drop", PolicyAction.REROUTE: "reroute"}


@dataclass(frozen=True, slots=True)
class Way:
    """One direction of a policy."""

    name: str
    priority: int
    source: Endpoint
    destination: Endpoint
    source_ports: tuple[PortRange, ...]
    destination_ports: tuple[PortRange, ...]
    service_ip: str


@dataclass(frozen=True, slots=True)
class _Ports:
    """Names of the router's ports: the external ones, and those by which rerouted traffic may have come."""

    external: tuple[str, ...]
    unserved: tuple[str, ...]


def compile_routing_policy(
    snapshot: Snapshot, policy: RoutingPolicy, owner: str, observed: Observed
) -> Iterator[Fact]:
    """Yield the rows of one routing policy."""
    vpc = snapshot.vpc(policy.vpc)
    action = effective_action(policy, observed)
    if vpc is None or action is None:
        return
    marks = external_ids(owner, key_of(policy))
    ports = _ports(snapshot, vpc, policy)
    for version in (policy.version,) if policy.version is not None else (4, 6):
        for way in ways_of(policy):
            match = _match(policy, way, version, ports)
            if match is None:
                continue
            row = policy_uuid(policy.meta.uid, way.name, version)
            rerouted = frozenset({way.service_ip}) if action == "reroute" else frozenset()
            yield Row(
                "Logical_Router_Policy",
                row,
                {
                    "priority": way.priority,
                    "match": match,
                    "action": action,
                    "nexthops": rerouted,
                    "external_ids": marks,
                },
            )
            yield Member("Logical_Router", router_uuid(vpc.meta.uid), "policies", row)


def effective_action(policy: RoutingPolicy, observed: Observed) -> str | None:
    """Return OVN's action, None for none: of a policy whose service does not work that is its fallback."""
    if not is_fallen_back(policy, observed):
        return _ACTIONS[policy.action]
    return {Fallback.ALLOW: "allow", Fallback.DROP: "drop", Fallback.PASSTHROUGH: None}[policy.fallback]


def is_fallen_back(policy: RoutingPolicy, observed: Observed) -> bool:
    """Does a service of the policy not work? Half a service is none: both ways fall back together."""
    return any(observed.is_dead(policy.vpc, address) for address in policy.service_ips)


def ways_of(policy: RoutingPolicy) -> Iterator[Way]:
    """Yield the directions of a policy, with their priorities."""
    yield Way(
        FORTH,
        priority.policy_forth(policy.priority),
        policy.source,
        policy.destination,
        policy.source_ports,
        policy.destination_ports,
        policy.service_ips[0] if policy.service_ips else "",
    )
    if policy.bidirectional:
        yield Way(
            BACK,
            priority.policy_back(policy.priority),
            policy.destination,
            policy.source,
            policy.destination_ports,
            policy.source_ports,
            policy.service_ips[-1] if policy.service_ips else "",
        )


def _ports(snapshot: Snapshot, vpc: Vpc, policy: RoutingPolicy) -> _Ports:
    external = tuple(exit.port_name for exit in exits_of(snapshot, vpc))
    if not policy.service_ips:
        return _Ports(external, ())
    inner = (
        gateway_port_name(subnet.meta.uid)
        for subnet in snapshot.subnets_of_vpc(vpc.id)
        if not any(holds(subnet, address) for address in policy.service_ips)
    )
    return _Ports(external, (*external, *sorted(inner)))


def _match(policy: RoutingPolicy, way: Way, version: int, ports: _Ports) -> str | None:
    """Return the match of one direction, None when nothing can match."""
    terms = [f"ip{version}"]
    if way.source.external:
        terms.append(_any_of("inport", ports.external))
    elif policy.service_ips:
        # What comes back from the service must not be sent there again. Ports can be matched only by name, not
        # excluded (ovn-sb(5): nominal fields), so all others are named.
        terms.append(_any_of("inport", ports.unserved))
    if way.destination.external:
        terms.append(_any_of("outport", ports.external))
    if "" in terms:
        return None
    if way.source.cidr:
        terms.append(f"ip{version}.src == {way.source.cidr}")
    if way.destination.cidr:
        terms.append(f"ip{version}.dst == {way.destination.cidr}")
    terms += protocol_terms(policy, way, version)
    return " && ".join(terms)


def _any_of(field: str, names: tuple[str, ...]) -> str:
    if not names:
        return ""
    return f"{field} == {{" + ", ".join(f'"{name}"' for name in names) + "}"


def protocol_terms(policy: RoutingPolicy, way: Way, version: int) -> Iterator[str]:
    """Yield the terms of a match that say protocol and ports."""
    match policy.protocol:
        case Protocol.ANY:
            return
        case Protocol.ICMP:
            yield f"icmp{version}"
        case Protocol.NUMBER:
            yield f"ip.proto == {policy.protocol_number}"
        case Protocol.TCP | Protocol.UDP:
            name = policy.protocol.value
            yield name
            yield from _port_terms(f"{name}.src", way.source_ports)
            yield from _port_terms(f"{name}.dst", way.destination_ports)


def _port_terms(field: str, ranges: tuple[PortRange, ...]) -> Iterator[str]:
    if not ranges:
        return
    terms = (
        f"{field} == {item.first}"
        if item.first == item.last
        else f"({field} >= {item.first} && {field} <= {item.last})"
        for item in ranges
    )
    yield "(" + " || ".join(terms) + ")"
