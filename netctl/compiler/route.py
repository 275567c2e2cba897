"""Route to Logical_Router_Static_Route, one for each next hop that works; and which of several routes wins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netctl.compiler.exits import Exit, exits_of, holds
from netctl.compiler.identity import (
    bfd_uuid,
    external_ids,
    gateway_port_name,
    route_uuid,
    router_uuid,
)
from netctl.compiler.observed import Observed
from netctl.model.intent import key_of
from netctl.model.keys import VpcId
from netctl.model.networks import subnet_at
from netctl.model.numbers import address_number
from netctl.model.route import NextHop, Route
from netctl.model.snapshot import Snapshot
from netctl.model.vpc import Vpc
from netctl.nb.rows import Fact, Member, Row


@dataclass(frozen=True, slots=True)
class Hop:
    """One next hop, resolved: its address, the router's port towards it, the exit when it is beyond one, BFD or not."""

    address: str
    port_name: str
    exit: Exit | None
    watched: bool = False


def compile_route(snapshot: Snapshot, route: Route, owner: str, observed: Observed) -> Iterator[Fact]:
    """Yield the rows of one route: BFD sessions whether it wins or not, static routes while it wins.

    One with BFD is written, too, while a lower one wins because BFD does not hear this one: OVN leaves it out until
    then, and it runs BFD for those routes alone that are written.
    """
    vpc = snapshot.vpc(route.vpc)
    if vpc is None:  # admission refuses this; a store edited by hand must not stop the others
        return
    marks = external_ids(owner, key_of(route))
    hops = hops_of(snapshot, vpc, route)
    if route.bfd is not None:
        yield from _sessions(snapshot, vpc, route, marks)
    if route not in contenders(snapshot, observed, vpc, route.destination):
        return
    router = router_uuid(vpc.meta.uid)
    for hop in hops:
        if is_dead(hop, vpc.id, observed):
            continue
        row = route_uuid(route.meta.uid, hop.address)
        session = session_of(vpc, hop)
        yield Row(
            "Logical_Router_Static_Route",
            row,
            {
                "ip_prefix": route.destination,
                "nexthop": hop.address,
                "output_port": frozenset({hop.port_name}),
                "bfd": frozenset({session}) if session else frozenset(),
                "external_ids": marks,
            },
        )
        yield Member("Logical_Router", router, "static_routes", row)


def contenders(snapshot: Snapshot, observed: Observed, vpc: Vpc, destination: str) -> list[Route]:
    """Return the routes to a destination that are written: the winner last, before it those that BFD may hear again."""
    found: list[Route] = []
    for route in _by_priority(snapshot, vpc, destination):
        hops = hops_of(snapshot, vpc, route)
        if any(works(hop, vpc.id, observed) for hop in hops):
            return [*found, route]
        if any(hop.watched for hop in hops):
            found.append(route)
    return found


def winner(snapshot: Snapshot, observed: Observed, vpc: Vpc, destination: str) -> Route | None:
    """Return the route to a destination that is used: of those with a next hop that works the highest priority."""
    for route in reversed(contenders(snapshot, observed, vpc, destination)):
        works_now = any(works(hop, vpc.id, observed) for hop in hops_of(snapshot, vpc, route))
        return route if works_now else None
    return None


def hops_of(snapshot: Snapshot, vpc: Vpc, route: Route) -> list[Hop]:
    """Return the next hops of a route that are in a network of the VPC; admission lets no other in."""
    exits = list(exits_of(snapshot, vpc))
    found = (_resolved(snapshot, vpc, exits, hop, route) for hop in route.next_hops)
    # An external subnet's gateway may be named by address as well: it is one next hop.
    return list({hop.address: hop for hop in found if hop is not None}.values())


def works(hop: Hop, vpc: VpcId, observed: Observed) -> bool:
    """Does a next hop work as far as is known?"""
    unheard = hop.watched and (vpc, hop.address) in observed.unheard
    return not unheard and not is_dead(hop, vpc, observed)


def is_dead(hop: Hop, vpc: VpcId, observed: Observed) -> bool:
    """Is a next hop dead, or the connection that it is behind, whatever BFD says?"""
    return observed.is_dead(vpc, hop.address, hop.exit.subnet.id if hop.exit is not None else None)


def session_of(vpc: Vpc, hop: Hop) -> str:
    """Return the BFD row of a next hop, "" where there is none."""
    if not hop.watched or hop.exit is None:
        return ""
    return bfd_uuid(vpc.meta.uid, hop.exit.subnet.meta.uid, hop.address)


def _by_priority(snapshot: Snapshot, vpc: Vpc, destination: str) -> list[Route]:
    return sorted(snapshot.routes_to(vpc.id, destination), key=lambda route: (-route.priority, route.id))


def _resolved(snapshot: Snapshot, vpc: Vpc, exits: list[Exit], hop: NextHop, route: Route) -> Hop | None:
    version = route.version
    for exit in exits:
        if not exit.address(version):
            continue
        # OVN runs BFD on ports with gateways alone, for it is a gateway that runs it.
        watched = route.bfd is not None and bool(exit.connection.gateways)
        if hop.external_subnet == exit.subnet.id:
            address = exit.gateway(version)
            return Hop(address, exit.port_name, exit, watched) if address else None
        if hop.ip_address and holds(exit.subnet, hop.ip_address):
            return Hop(hop.ip_address, exit.port_name, exit, watched)
    if not hop.ip_address:
        return None
    subnet = subnet_at(snapshot, vpc.id, version, address_number(version, hop.ip_address))
    return Hop(hop.ip_address, gateway_port_name(subnet.meta.uid), None) if subnet is not None else None


def _sessions(snapshot: Snapshot, vpc: Vpc, route: Route, marks: dict[str, str]) -> Iterator[Fact]:
    """Yield the BFD rows that are this route's to write.

    OVN has one session for each port and next hop; of the routes that ask for it the one with the first id writes it.
    """
    watching = [
        other for other in snapshot.routes_of_vpc(vpc.id) if other.bfd is not None and other.id < route.id
    ]
    taken = {hop.address for other in watching for hop in hops_of(snapshot, vpc, other)}
    for hop in hops_of(snapshot, vpc, route):
        session = session_of(vpc, hop)
        if not session or hop.address in taken or route.bfd is None:
            continue
        yield Row(
            "BFD",
            session,
            {
                "logical_port": hop.port_name,
                "dst_ip": hop.address,
                "min_tx": frozenset({route.bfd.min_tx_ms}),
                "min_rx": frozenset({route.bfd.min_rx_ms}),
                "detect_mult": frozenset({route.bfd.multiplier}),
                "external_ids": marks,
            },
        )
