"""The routes of a VPC's router as people think of them: where each comes from, which is in use, and why (not). Pure."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from netctl.compiler.exits import configs_of, exits_of
from netctl.compiler.observed import Observed
from netctl.compiler.route import Hop, hops_of, is_dead, winner, works
from netctl.model.keys import Key, Kind, resource_name
from netctl.model.route import Route
from netctl.model.snapshot import Snapshot
from netctl.model.vpc import Vpc


class Origin(enum.StrEnum):
    """Where a route comes from."""

    CONNECTED = "connected"
    STATIC = "static"
    SPOKE = "spoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEntry:
    """One route; `next_hops` are addresses, or the subnet's name when connected; `key` is the intent behind it."""

    destination: str
    origin: Origin
    next_hops: tuple[str, ...]
    priority: int = 0
    active: bool
    reason: str
    key: Key


def list_routes(snapshot: Snapshot, vpc: Vpc, observed: Observed) -> list[RouteEntry]:
    """Return all routes: IPv4 first, then by network, the winner of one destination first."""
    entries = [
        *_connected(snapshot, vpc),
        *_static(snapshot, vpc, observed),
        *_spokes(snapshot, vpc),
    ]
    return sorted(entries, key=_place)


def _place(entry: RouteEntry) -> tuple[int, int, int, bool, int, Key]:
    network = ipaddress.ip_network(entry.destination)
    number = int(network.network_address)
    return network.version, number, network.prefixlen, not entry.active, -entry.priority, entry.key


def _connected(snapshot: Snapshot, vpc: Vpc) -> Iterator[RouteEntry]:
    for subnet in snapshot.subnets_of_vpc(vpc.id):
        key: Key = (Kind.SUBNET, subnet.id)
        for config in configs_of(subnet):
            yield RouteEntry(
                destination=config.cidr,
                origin=Origin.CONNECTED,
                next_hops=(resource_name(key),),
                active=bool(config.gateway),
                reason="a subnet of the VPC" if config.gateway else "the subnet has no gateway address",
                key=key,
            )
    for exit in exits_of(snapshot, vpc):
        key = (Kind.SUBNET, exit.subnet.id)
        for version in (4, 6):
            beyond, address = exit.subnet.config(version), exit.address(version)
            if beyond is not None and address:
                yield RouteEntry(
                    destination=beyond.cidr,
                    origin=Origin.CONNECTED,
                    next_hops=(resource_name(key),),
                    active=True,
                    reason=f"an external subnet, where the router is {address}",
                    key=key,
                )


def _static(snapshot: Snapshot, vpc: Vpc, observed: Observed) -> Iterator[RouteEntry]:
    for route in snapshot.routes_of_vpc(vpc.id):
        hops = hops_of(snapshot, vpc, route)
        best = winner(snapshot, observed, vpc, route.destination)
        yield RouteEntry(
            destination=route.destination,
            origin=Origin.STATIC,
            next_hops=tuple(hop.address for hop in hops) or _asked_for(route),
            priority=route.priority,
            active=best == route,
            reason=_why(snapshot, route, best, _troubles(vpc, hops, observed), len(hops)),
            key=(Kind.ROUTE, route.id),
        )


def _asked_for(route: Route) -> tuple[str, ...]:
    return tuple(
        hop.ip_address or resource_name((Kind.SUBNET, hop.external_subnet)) for hop in route.next_hops
    )


def _troubles(vpc: Vpc, hops: list[Hop], observed: Observed) -> list[str]:
    """Say of each next hop that does not work why."""
    return [
        f"{hop.address} does not work"
        if is_dead(hop, vpc.id, observed)
        else f"BFD does not hear {hop.address}"
        for hop in hops
        if not works(hop, vpc.id, observed)
    ]


def _why(snapshot: Snapshot, route: Route, best: Route | None, troubles: list[str], hops: int) -> str:
    if not hops:
        return "no next hop is in a network of the VPC"
    missing = "; ".join(troubles)
    if len(troubles) == hops:
        return f"no next hop works: {missing}"
    if best == route:
        rivals = len(list(snapshot.routes_to(route.vpc, route.destination))) - 1
        why = f"the highest priority that works, of {rivals + 1} routes" if rivals else "the only route"
        return f"{why}; {missing}" if missing else why
    assert best is not None  # this one works, so one wins
    return f"{resource_name((Kind.ROUTE, best.id))} has the higher priority {best.priority}"


def _spokes(snapshot: Snapshot, vpc: Vpc) -> Iterator[RouteEntry]:
    """Yield the routable prefixes of VPCs that are connected to an external subnet inside this one."""
    for inside in snapshot.subnets_of_vpc(vpc.id):
        for spoke in snapshot.vpcs_of_subnet(inside.id):
            exit = next((exit for exit in exits_of(snapshot, spoke) if exit.subnet.id == inside.id), None)
            name = resource_name((Kind.SUBNET, inside.id))
            for prefix in spoke.externally_routable_prefixes:
                address = exit.address(6 if ":" in prefix else 4) if exit is not None else ""
                yield RouteEntry(
                    destination=prefix,
                    origin=Origin.SPOKE,
                    next_hops=(address,) if address else (),
                    active=bool(address),
                    reason=f"a routable prefix of {resource_name((Kind.VPC, spoke.id))}, connected to {name}"
                    if address
                    else f"{resource_name((Kind.VPC, spoke.id))} has no address of this IP version on {name}",
                    key=(Kind.VPC, spoke.id),
                )
