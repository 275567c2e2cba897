"""A VPC's router as people think of it: routes, policies, NAT, gateways, and what is wrong. Pure.

In: a snapshot, what is observed, what hosts and the southbound database say. Out: one `Router`. The decisions are
asked of the compiler's own functions, so that what is told is what was written.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from netctl.analysis.gateways import GatewayEntry, Seen, list_gateways
from netctl.analysis.policies import PolicyEntry, list_policies
from netctl.analysis.routes import Origin, RouteEntry, list_routes
from netctl.compiler.exits import configs_of, exits_of, nat_exits_of
from netctl.compiler.floating_ip import association_of, is_distributed
from netctl.compiler.observed import Observed
from netctl.model.gateways import candidates
from netctl.model.keys import Key, Kind, Uid, resource_name
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet, SubnetKind
from netctl.model.vpc import Vpc

_DEFAULTS = {4: "0.0.0.0/0", 6: "::/0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NatEntry:
    """One translation: `kind` snat or floating; `where` is `hosts/{id}` or `gateway`."""

    kind: str
    external_address: str
    private_addresses: str
    where: str
    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """Everything that a VPC's router does; `problems` are one sentence each."""

    routes: tuple[RouteEntry, ...]
    policies: tuple[PolicyEntry, ...]
    nat: tuple[NatEntry, ...]
    gateways: tuple[GatewayEntry, ...]
    problems: tuple[str, ...]


def explain_router(
    snapshot: Snapshot, vpc: Vpc, observed: Observed, seen: Seen, installed: Collection[Uid] | None
) -> Router:
    """Return the router of a VPC; `installed` are the policies that northd has, None when nobody could say."""
    routes = tuple(list_routes(snapshot, vpc, observed))
    policies = tuple(list_policies(snapshot, vpc, observed, installed))
    gateways = tuple(list_gateways(snapshot, vpc, seen, observed))
    return Router(
        routes=routes,
        policies=policies,
        nat=tuple(_list_nat(snapshot, vpc)),
        gateways=gateways,
        problems=tuple(
            dict.fromkeys(
                [
                    *([seen.problem] if seen.problem else []),
                    *_problems_of_routes(routes),
                    *_problems_of_defaults(snapshot, vpc, routes),
                    *_problems_of_way_back(snapshot, vpc),
                    *_problems_of_policies(policies),
                    *_problems_of_gateways(gateways, seen),
                    *_problems_of_choice(snapshot, gateways),
                ]
            )
        ),
    )


def _list_nat(snapshot: Snapshot, vpc: Vpc) -> Iterator[NatEntry]:
    for connection in vpc.external_connections:
        for floating in sorted(snapshot.floating_ips_of_subnet(connection.subnet), key=lambda f: f.id):
            found = association_of(snapshot, floating)
            if found is None or found.exit.vpc.id != vpc.id:
                continue
            local = is_distributed(snapshot, floating) and found.nic is not None
            host = found.nic.host if found.nic is not None else ""
            yield NatEntry(
                kind="floating",
                external_address=floating.address,
                private_addresses=found.private_address,
                where=f"hosts/{host}" if local else "gateway",
                key=(Kind.FLOATING_IP, floating.id),
            )
    inner = [config.cidr for subnet in _subnets(snapshot, vpc) for config in configs_of(subnet)]
    inner += _spoke_prefixes(snapshot, vpc)
    for exit in nat_exits_of(snapshot, vpc):
        for cidr in inner:
            address = exit.address(6 if ":" in cidr else 4)
            if address:
                yield NatEntry(
                    kind="snat",
                    external_address=address,
                    private_addresses=cidr,
                    where="gateway",
                    key=(Kind.SUBNET, exit.subnet.id),
                )


def _subnets(snapshot: Snapshot, vpc: Vpc) -> list[Subnet]:
    return sorted(snapshot.subnets_of_vpc(vpc.id), key=lambda subnet: subnet.id)


def _spoke_prefixes(snapshot: Snapshot, vpc: Vpc) -> Iterator[str]:
    for subnet in _subnets(snapshot, vpc):
        for spoke in sorted(snapshot.vpcs_of_subnet(subnet.id), key=lambda spoke: spoke.id):
            yield from spoke.externally_routable_prefixes


def _problems_of_routes(routes: tuple[RouteEntry, ...]) -> Iterator[str]:
    for entry in routes:
        if entry.origin is Origin.STATIC and not entry.active and "priority" not in entry.reason:
            yield f"{resource_name(entry.key)} is not in use: {entry.reason}"
    static = {entry.destination for entry in routes if entry.active and entry.origin is Origin.STATIC}
    for entry in routes:
        if entry.active and entry.origin is Origin.SPOKE and entry.destination in static:
            whose = resource_name(entry.key)
            yield f"{entry.destination} is routed to {whose} and by a route of this VPC: OVN uses both"


def _problems_of_defaults(snapshot: Snapshot, vpc: Vpc, routes: tuple[RouteEntry, ...]) -> Iterator[str]:
    """Tell of each IP version that the VPC has inside and outside, and no default route."""
    active = {entry.destination for entry in routes if entry.active}
    for version, default in _DEFAULTS.items():
        inside = any(subnet.config(version) for subnet in snapshot.subnets_of_vpc(vpc.id))
        outside = any(exit.address(version) for exit in exits_of(snapshot, vpc))
        if inside and outside and default not in active:
            yield (
                f"no default route for IPv{version}: of what is outside only connected networks and those with"
                f" routes are reached; a route to {default} leads everywhere"
            )


def _problems_of_way_back(snapshot: Snapshot, vpc: Vpc) -> Iterator[str]:
    """Tell of networks that are routed to the outside, which does not know that they are here."""
    exits = list(exits_of(snapshot, vpc))
    if not exits or any(exit.subnet.nat for exit in exits):
        return
    known = [ipaddress.ip_network(prefix) for prefix in vpc.externally_routable_prefixes]
    for subnet in _subnets(snapshot, vpc):
        for config in configs_of(subnet) if subnet.kind is not SubnetKind.EXTERNAL else ():
            network = ipaddress.ip_network(config.cidr)
            covers = (p for p in known if p.prefixlen <= network.prefixlen and network.network_address in p)
            if next(covers, None) is None:
                yield (
                    f"{config.cidr} of {resource_name((Kind.SUBNET, subnet.id))} is in no externally routable prefix:"
                    " without NAT nothing comes back to it from outside; add it to externally_routable_prefixes"
                )


def _problems_of_policies(policies: tuple[PolicyEntry, ...]) -> Iterator[str]:
    for entry in policies:
        if not entry.active:
            yield f"{resource_name((Kind.ROUTING_POLICY, entry.policy.id))}: {entry.reason}"


def _problems_of_gateways(gateways: tuple[GatewayEntry, ...], seen: Seen) -> Iterator[str]:
    for entry in gateways:
        name = resource_name((Kind.SUBNET, entry.exit.subnet.id))
        if entry.hosts and not entry.active_host and not seen.problem:
            yield f"no gateway to {name}: {entry.reason}"
        for host in entry.hosts:
            if host.trouble:
                yield f"gateway {resource_name((Kind.HOST, host.host))} of {name}: {host.trouble}"


def _problems_of_choice(snapshot: Snapshot, gateways: tuple[GatewayEntry, ...]) -> Iterator[str]:
    """Tell of connections that lost a gateway host for good: one that can take its place is not chosen by itself."""
    for entry in gateways:
        connection = entry.exit.connection
        few = len(connection.gateways) < connection.gateway_host_count
        if not connection.gateways or connection.gateway_hosts or not few:
            continue
        if len(candidates(snapshot, entry.exit.subnet)) > len(connection.gateways):
            yield (
                f"{resource_name((Kind.SUBNET, connection.subnet))} has {len(connection.gateways)} gateway host of"
                f" {connection.gateway_host_count}, and more could be: set the VPC's external_connections again, and"
                " they are chosen"
            )
