"""Where a packet goes: the semantics of VPCs stated a second time, from docs/design/vpc.md and the API's comments.

In: a layout and a packet with where it starts. Out: the set of its possible fates, one of which it meets (several
only where a route has several next hops). Slow and plain on purpose: every question is answered by walking lists.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace

from netctl.model.floating_ip import FloatingIp
from netctl.model.nic import Nic
from netctl.model.route import Route
from netctl.model.subnet import Subnet, SubnetKind
from netctl.model.vpc import Vpc
from tests.oracle.policies import Decision, decide
from tests.oracle.words import (
    Answered,
    Delivered,
    Dropped,
    Fate,
    Layout,
    Packet,
    SentOut,
    addresses_of,
    gateway_of,
    inside,
    networks_of,
)

ROUTERS_MAX = 16  # a packet that met so many is in a loop
Fates = frozenset[Fate]


def dropped(why: str) -> Fates:
    """Say that nobody gets the packet."""
    return frozenset({Dropped(why)})


@dataclass(frozen=True, slots=True)
class Hop:
    """The next step: a machine on a network."""

    subnet: str
    address: str


@dataclass(frozen=True, slots=True)
class Way:
    """What a router knows of a destination; `hops` without an address lead to the destination itself."""

    network: str
    connected: bool
    hops: tuple[Hop, ...]


class Oracle:
    """Answers for one layout."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def from_nic(self, id: str, packet: Packet) -> Fates:
        """Return the fates of a packet that a guest sends: to a neighbour directly, else to its gateway."""
        nic = self.layout.nic(id)
        subnet = self.layout.subnet(nic.subnet)
        if not nic.connected:
            return dropped(f"{id} is not connected")
        if nic.port_security and packet.source not in addresses_of(nic):
            return dropped(f"port security of {id}: {packet.source} is not its own")
        if any(inside(packet.destination, cidr) for cidr in networks_of(subnet)):
            return self._on_switch(Hop(subnet.id, packet.destination), packet, 0)
        if not subnet.vpc or not gateway_of(subnet, packet.version):
            return dropped(f"{subnet.id} has no gateway")
        return self._on_switch(Hop(subnet.id, gateway_of(subnet, packet.version)), packet, 0)

    def from_outside(self, subnet: str, neighbour: str, packet: Packet) -> Fates:
        """Return the fates of a packet that a machine on an external subnet sends to the owner of an address there."""
        return self._on_switch(Hop(subnet, neighbour), packet, 0)

    # -- switches --------------------------------------------------------------------------------------------------

    def _on_switch(self, hop: Hop, packet: Packet, routers: int) -> Fates:
        """Hand a packet to whoever on a subnet has an address."""
        subnet = self.layout.subnet(hop.subnet)
        if subnet.vpc and hop.address == gateway_of(subnet, packet.version):
            return self._at_router(self.layout.vpc(subnet.vpc), subnet, packet, routers + 1)
        if (vpc := self._router_with(hop)) is not None:
            return self._at_router(vpc, subnet, packet, routers + 1)
        if subnet.kind is SubnetKind.EXTERNAL:
            if subnet.vpc:
                return dropped(f"nobody on {subnet.id} has {hop.address}")
            out = SentOut(subnet.id, hop.address, packet.source, packet.destination)
            return frozenset({out})
        for nic in self.layout.nics:
            if nic.subnet == subnet.id and hop.address in addresses_of(nic):
                return self._to_nic(nic, packet)
        return dropped(f"nobody on {subnet.id} has {hop.address}")

    def _router_with(self, hop: Hop) -> Vpc | None:
        """Find the VPC whose router has an address on an external subnet, itself or by a floating IP."""
        for vpc in self.layout.vpcs:
            for connection in vpc.external_connections:
                if connection.subnet == hop.subnet:
                    if hop.address in (connection.ipv4_address, connection.ipv6_address):
                        return vpc
                    if self._floating(vpc, hop.subnet, address=hop.address) is not None:
                        return vpc
        return None

    def _to_nic(self, nic: Nic, packet: Packet) -> Fates:
        if not nic.connected:
            return dropped(f"{nic.id} is not connected")
        # ovn-nb(5), port_security: with addresses it restricts what the port may receive as well.
        if nic.port_security and packet.destination not in addresses_of(nic):
            return dropped(f"port security of {nic.id}: {packet.destination} is not its own")
        return frozenset({Delivered(nic.id, packet.source, packet.destination)})

    # -- routers ---------------------------------------------------------------------------------------------------

    def _at_router(self, vpc: Vpc, entered: Subnet, packet: Packet, routers: int) -> Fates:
        if routers > ROUTERS_MAX:
            return dropped("it goes round in circles")
        if packet.destination in self._own_addresses(vpc):
            if packet.protocol == "icmp":
                return frozenset({Answered(packet.destination)})
            return self._to_itself(vpc, entered, packet, routers)
        floating, outer = None, vpc.connection(entered.id) is not None
        if outer:
            floating = self._floating(vpc, entered.id, address=packet.destination)
        if floating is not None:
            packet = replace(packet, destination=self.layout.private_address(floating))
        way = self._way(vpc, packet.destination)
        if way is None:
            return dropped(f"{vpc.id} has no route to {packet.destination}")
        found: set[Fate] = set()
        for hop in way.hops:
            hop = Hop(hop.subnet, hop.address or packet.destination)
            if outer and entered.nat and floating is None and vpc.connection(hop.subnet) is None:
                found |= dropped(f"{packet.destination} is behind the NAT of {vpc.id}")
                continue
            found |= self._decided(vpc, entered, hop, packet, routers)
        return frozenset(found)

    def _to_itself(self, vpc: Vpc, entered: Subnet, packet: Packet, routers: int) -> Fates:
        """Say what becomes of a packet to the router that is no echo request: it has nobody to give it to.

        At an address that guests are translated to it may have been an answer to one of them; one that is not has
        been routed like any other by then, and a policy that reroutes may have caught it.
        """
        for connection in vpc.external_connections:
            subnet = self.layout.subnet(connection.subnet)
            own = packet.destination in (connection.ipv4_address, connection.ipv6_address)
            if own and subnet.nat and self._translates(vpc, packet.version):
                decision, service = decide(self.layout, vpc, packet, (entered.id, subnet.id))
                if decision is Decision.REROUTE:
                    return self._leave(vpc, Hop(self._subnet_with(vpc, service), service), packet, routers)
        return dropped(f"the router of {vpc.id} speaks ICMP only")

    def _translates(self, vpc: Vpc, version: int) -> bool:
        """Has a VPC networks of this IP version, which its connections with NAT translate?"""
        return any((":" in network) == (version == 6) for network in self._private_networks(vpc))

    def _decided(self, vpc: Vpc, entered: Subnet, hop: Hop, packet: Packet, routers: int) -> Fates:
        """Let the policies have their say on a routed packet, then send it on."""
        decision, service = decide(self.layout, vpc, packet, (entered.id, hop.subnet))
        if decision is Decision.DENY:
            return dropped(f"a policy of {vpc.id} denies it")
        if decision is Decision.REROUTE:
            hop = Hop(self._subnet_with(vpc, service), service)
        return self._leave(vpc, hop, packet, routers)

    def _leave(self, vpc: Vpc, hop: Hop, packet: Packet, routers: int) -> Fates:
        """Translate the source where that is due; hand the packet to the next subnet."""
        connection = vpc.connection(hop.subnet)
        if connection is not None and self.layout.subnet(hop.subnet).nat:
            floating = self._floating(vpc, hop.subnet, private=packet.source)
            shared = connection.ipv6_address if packet.version == 6 else connection.ipv4_address
            if floating is not None:
                packet = replace(packet, source=floating.address)
            elif shared and self._is_private(vpc, packet.source):
                packet = replace(packet, source=shared)
        return self._on_switch(hop, packet, routers)

    def _own_addresses(self, vpc: Vpc) -> set[str]:
        inner = (subnet for subnet in self.layout.subnets if subnet.vpc == vpc.id)
        own = {gateway_of(subnet, version) for subnet in inner for version in (4, 6)}
        own |= {connection.ipv4_address for connection in vpc.external_connections}
        own |= {connection.ipv6_address for connection in vpc.external_connections}
        return own - {""}

    def _is_private(self, vpc: Vpc, address: str) -> bool:
        return any(inside(address, network) for network in self._private_networks(vpc))

    def _private_networks(self, vpc: Vpc) -> list[str]:
        """List what a VPC translates: the networks of its subnets, and what is routed to the VPCs inside it."""
        inner = (subnet for subnet in self.layout.subnets if subnet.vpc == vpc.id)
        own = [cidr for subnet in inner for cidr in networks_of(subnet)]
        return own + [prefix for prefix, _ in self._spoke_prefixes(vpc)]

    def _spoke_prefixes(self, hub: Vpc) -> Iterator[tuple[str, Hop]]:
        """Yield what the VPCs inside a transit VPC have routed to them, and how."""
        for spoke in self.layout.vpcs:
            for connection in spoke.external_connections:
                if self.layout.subnet(connection.subnet).vpc != hub.id:
                    continue
                for prefix in spoke.externally_routable_prefixes:
                    address = connection.ipv6_address if ":" in prefix else connection.ipv4_address
                    if address:
                        yield prefix, Hop(connection.subnet, address)

    def _floating(self, vpc: Vpc, subnet: str, *, address: str = "", private: str = "") -> FloatingIp | None:
        """Find an associated floating IP of a VPC by its own address or the private one."""
        for floating in self.layout.floating_ips:
            behind = self.layout.private_address(floating)
            if floating.external_subnet != subnet or self.layout.vpc_of(floating) != vpc.id or not behind:
                continue
            if (address and floating.address == address) or (private and behind == private):
                return floating
        return None

    # -- routes ----------------------------------------------------------------------------------------------------

    def _way(self, vpc: Vpc, destination: str) -> Way | None:
        """Find the longest prefix; of equal ones the connected network."""
        ways = [way for way in self._ways(vpc) if inside(destination, way.network)]
        rank = [(ipaddress.ip_network(way.network).prefixlen, way.connected) for way in ways]
        return ways[rank.index(max(rank))] if ways else None

    def _ways(self, vpc: Vpc) -> Iterator[Way]:
        for subnet in self._connected(vpc):
            yield from (Way(cidr, True, (Hop(subnet.id, ""),)) for cidr in networks_of(subnet))
        mine = [route for route in self.layout.routes if route.vpc == vpc.id]
        for destination in {route.destination for route in mine}:
            for route in sorted(mine, key=lambda route: -route.priority):
                if route.destination == destination and (hops := self._working(vpc, route)):
                    yield Way(destination, False, hops)
                    break
        yield from (Way(prefix, False, (hop,)) for prefix, hop in self._spoke_prefixes(vpc))

    def _working(self, vpc: Vpc, route: Route) -> tuple[Hop, ...]:
        """Return the next hops of a route that work."""
        found = []
        for hop in route.next_hops:
            subnet = hop.external_subnet
            address = hop.ip_address or gateway_of(self.layout.subnet(subnet), route.version)
            if address:
                hop_to = Hop(subnet or self._subnet_with(vpc, address), address)
                if not {(vpc.id, hop_to.subnet), (vpc.id, address)} & self.layout.dead:
                    found.append(hop_to)
        return tuple(found)

    def _connected(self, vpc: Vpc) -> list[Subnet]:
        """List the networks that a router has a port in."""
        outer = {connection.subnet for connection in vpc.external_connections}
        return [subnet for subnet in self.layout.subnets if subnet.vpc == vpc.id or subnet.id in outer]

    def _subnet_with(self, vpc: Vpc, address: str) -> str:
        for subnet in self._connected(vpc):
            if any(inside(address, cidr) for cidr in networks_of(subnet)):
                return subnet.id
        raise AssertionError(f"{address} is in no network of {vpc.id}: admission refuses that")
