"""Routing policies with a chain to steering rules: what a VPC's router sends to and gets from an external subnet.

A connection's both directions meet one chain, so a policy counts for the way back as well, bidirectional or not: of all
policies that match either of them, the one with the highest priority decides. What is denied or rerouted is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netctl.compiler.exits import Exit, exits_of
from netctl.compiler.native_chain import is_native_chain, steers
from netctl.compiler.observed import Observed
from netctl.compiler.routing_policy import effective_action
from netctl.compiler.steering_services import any_service, neighbourhood, spans
from netctl.model.assignment_chains import SteeringRule
from netctl.model.infra import Host
from netctl.model.keys import ServiceChainId
from netctl.model.routing_policy import Protocol, RoutingPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet

_PROTOCOLS = {Protocol.TCP: 6, Protocol.UDP: 17}
_ICMP = {4: 1, 6: 58}


def routing_rules(
    snapshot: Snapshot, host: Host, subnet: Subnet, observed: Observed
) -> Iterator[SteeringRule]:
    """Yield the rules of an external subnet on one gateway host, the first first, without priorities."""
    own = subnet.service_chain if steers(snapshot, subnet.service_chain, observed) else ServiceChainId("")
    rules: list[SteeringRule] = []
    for vpc in sorted(snapshot.vpcs_of_subnet(subnet.id), key=lambda vpc: vpc.id):
        for exit in exits_of(snapshot, vpc):
            if exit.subnet.id == subnet.id and host.id in exit.connection.gateways:
                rules += _of_exit(snapshot, exit, observed, own)
    if any(any_service(rule) and rule.chain_id != own for rule in rules):
        yield from neighbourhood(own)
    yield from rules


def _of_exit(
    snapshot: Snapshot, exit: Exit, observed: Observed, own: ServiceChainId
) -> Iterator[SteeringRule]:
    policies = sorted(
        (p for p in snapshot.policies_of_vpc(exit.vpc.id) if effective_action(p, observed) == "allow"),
        key=lambda policy: -policy.priority,
    )
    chains = [_chain(snapshot, policy, observed, own) for policy in policies]
    last = max((i + 1 for i, chain in enumerate(chains) if chain != own), default=0)
    if not last:
        return
    router = SteeringRule(priority=0, chain_id=own, local_mac_addresses=(exit.connection.mac_address,))
    for version in (4, 6):
        if exit.address(version):  # what the router says for itself is not routed
            yield replace(router, ip_version=version, local_networks=(exit.address(version),))
    for policy, chain in zip(policies[:last], chains, strict=False):
        rule = replace(router, chain_id=chain)
        for version in (policy.version,) if policy.version is not None else (4, 6):
            if exit.address(version):
                yield from _of_policy(policy, replace(rule, ip_version=version))


def _chain(
    snapshot: Snapshot, policy: RoutingPolicy, observed: Observed, own: ServiceChainId
) -> ServiceChainId:
    """Return what passes br.nf of what a policy lets pass: one of OVN's functions is not there."""
    if steers(snapshot, policy.service_chain, observed):
        return policy.service_chain
    return ServiceChainId("") if is_native_chain(snapshot, policy.service_chain, observed) else own


def _of_policy(policy: RoutingPolicy, rule: SteeringRule) -> Iterator[SteeringRule]:
    """Yield what a policy matches: the source is behind the router, or the destination is."""
    source, destination = policy.source, policy.destination
    rule = replace(
        rule,
        protocol=_protocol(policy, rule.ip_version),
        source_ports=spans(policy.source_ports),
        destination_ports=spans(policy.destination_ports),
    )
    here, there = _networks(source.cidr), _networks(destination.cidr)
    if not source.external:
        yield replace(rule, local_networks=here, peer_networks=there)
    if not destination.external:
        yield replace(rule, local_networks=there, peer_networks=here, local_opens=False)


def _networks(cidr: str) -> tuple[str, ...]:
    return (cidr,) if cidr else ()


def _protocol(policy: RoutingPolicy, version: int) -> int | None:
    if policy.protocol is Protocol.ICMP:
        return _ICMP[version]
    return policy.protocol_number if policy.protocol is Protocol.NUMBER else _PROTOCOLS.get(policy.protocol)
