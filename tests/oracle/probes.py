"""Probes of a layout: packets that are worth sending, from guests and from outside."""

from __future__ import annotations

import ipaddress
import itertools
import random
from dataclasses import dataclass

from netctl.model.nic import Nic
from netctl.model.routing_policy import Protocol, RoutingPolicy
from netctl.model.subnet import Subnet, SubnetKind
from tests.oracle.neighbours import MACHINES, Neighbours
from tests.oracle.routing import Fates, Oracle
from tests.oracle.words import Layout, Packet, addresses_of, gateway_of, inside, networks_of

# A machine somewhere in the world, as containerlab/three-hosts.clab.yml has it.
FAR = ("203.0.113.80", "2001:db8:ffff::80")
_CLIENT_PORT = 40_000
_SERVER_PORTS = (22, 80, 443)


@dataclass(frozen=True, slots=True)
class Probe:
    """A packet and where it starts: at `nic`, or on `subnet`, where it is sent to whoever has address `neighbour`."""

    packet: Packet
    nic: str = ""
    subnet: str = ""
    neighbour: str = ""

    def first_hop(self, layout: Layout) -> str:
        """Return the address of whom the sender hands the packet to."""
        if not self.nic:
            return self.neighbour
        subnet = layout.subnet(layout.nic(self.nic).subnet)
        near = any(inside(self.packet.destination, cidr) for cidr in networks_of(subnet))
        return self.packet.destination if near else gateway_of(subnet, self.packet.version)

    def fates(self, layout: Layout) -> Fates:
        """Ask the oracle."""
        if self.nic:
            return Oracle(layout).from_nic(self.nic, self.packet)
        return Oracle(layout).from_outside(self.subnet, self.neighbour, self.packet)


class Prober:
    """Draws probes of a layout; the same seed draws the same ones."""

    def __init__(self, layout: Layout, seed: int) -> None:
        self.layout = layout
        self._random = random.Random(seed)
        self._targets = sorted(self._interesting())
        self._beyond = [*FAR, *(floating.address for floating in layout.floating_ips)]
        self._from_ports, self._to_ports = self._ports()

    def draw(self, count: int) -> list[Probe]:
        """Return so many probes, each once; fewer where the layout is too poor."""
        found: dict[Probe, None] = {}
        for _ in range(count * 4):
            probe = self._random.choice((self._outer, self._inner, self._inner, self._aimed))()
            if probe is not None:
                found[probe] = None
            if len(found) == count:
                break
        return list(found)

    def thorough(self) -> list[Probe]:
        """Return every ping of guests, and for each policy all ports and what comes back from its services."""
        found: dict[Probe, None] = {}
        for nic in self.layout.nics:
            for source, target in itertools.product(addresses_of(nic), self._targets):
                if (":" in source) == (":" in target) and target not in addresses_of(nic) and nic.connected:
                    found[Probe(Packet(source, target), nic=nic.id)] = None
        for policy in self.layout.policies:
            protocol = policy.protocol.value if policy.protocol in (Protocol.TCP, Protocol.UDP) else "udp"
            for probe in filter(None, (self._aimed_at(policy), self._aimed_at(policy, True))):
                for port in self._to_ports:
                    packet = Packet(
                        probe.packet.source, probe.packet.destination, protocol, _CLIENT_PORT, port
                    )
                    found[Probe(packet, nic=probe.nic)] = None
                    found |= {Probe(packet, nic=service): None for service in self._services(policy)}
        return list(found)

    def _services(self, policy: RoutingPolicy) -> list[str]:
        """Name the NICs that a policy reroutes to."""
        return [nic.id for nic in self.layout.nics if set(addresses_of(nic)) & set(policy.service_ips)]

    def _inner(self) -> Probe | None:
        """Let a guest send, mostly to its own VPC; one without port security also what is not its own."""
        nics = [nic for nic in self.layout.nics if nic.connected and addresses_of(nic)]
        if not nics:
            return None
        nic = self._random.choice(nics)
        source = self._random.choice(addresses_of(nic))
        if not nic.port_security and self._random.random() < 0.4:
            source = self._random.choice([*FAR, *self._siblings(nic)])
        targets = self._random.choice((self._targets, self._siblings(nic), self._routed(nic), self._beyond))
        packet = self._packet(source, targets)
        if packet is None or packet.destination in addresses_of(nic):
            return None
        return Probe(packet, nic=nic.id)

    def _aimed(self) -> Probe | None:
        """Let a guest send what a policy may match, one way or the other."""
        policies = self.layout.policies
        return (
            self._aimed_at(self._random.choice(policies), self._random.random() < 0.5) if policies else None
        )

    def _aimed_at(self, policy: RoutingPolicy, back: bool = False) -> Probe | None:
        ends = [policy.source, policy.destination]
        if policy.bidirectional and back:
            ends.reverse()
        nics = self.layout.nics_of(self.layout.vpc(policy.vpc))
        found = [(nic.id, one) for nic in nics if nic.connected for one in addresses_of(nic)]
        senders = [
            (id, one)
            for id, one in found
            if (not ends[0].cidr or inside(one, ends[0].cidr)) and one not in policy.service_ips
        ]
        if not senders:
            return None
        nic, source = self._random.choice(senders)
        own = [one for _, one in found]
        targets = [one for one in own if not ends[1].cidr or inside(one, ends[1].cidr)]
        packet = self._packet(source, self._beyond if ends[1].external else targets)
        return Probe(packet, nic=nic) if packet is not None else None

    def _outer(self) -> Probe | None:
        """Let a machine on an external subnet send, for itself or as the router of the world behind it."""
        outer = [s for s in self.layout.subnets if s.kind is SubnetKind.EXTERNAL and not s.vpc]
        if not outer:
            return None
        subnet = self._random.choice(outer)
        targets = self._random.choice((self._targets, self._beyond))
        packet = self._packet(self._random.choice([*_machines(subnet), *FAR]), targets)
        if packet is None:
            return None
        if any(inside(packet.destination, cidr) for cidr in networks_of(subnet)):
            neighbour = packet.destination
        else:
            routers = sorted(
                address
                for vpc in self.layout.vpcs
                if (connection := vpc.connection(subnet.id)) is not None
                for address in (connection.ipv4_address, connection.ipv6_address)
                if address and (":" in address) == (packet.version == 6)
            )
            if not routers:
                return None
            neighbour = self._random.choice(routers)
        if Neighbours(self.layout).everybody(subnet).get(neighbour, "02:").startswith("02:"):
            return None  # two machines of the physical world among themselves
        return Probe(packet, subnet=subnet.id, neighbour=neighbour)

    def _packet(self, source: str, targets: list[str]) -> Packet | None:
        version = ":" in source
        fitting = [one for one in targets if (":" in one) == version and one != source]
        if not fitting:
            return None
        target = self._random.choice(fitting)
        protocol = self._random.choice(("icmp", "tcp", "udp"))
        if protocol == "icmp":
            return Packet(source, target)
        ports = self._random.choice(self._from_ports), self._random.choice(self._to_ports)
        return Packet(source, target, protocol, *ports)

    def _siblings(self, nic: Nic) -> list[str]:
        vpc = self.layout.vpc(self.layout.subnet(nic.subnet).vpc)
        return [address for other in self.layout.nics_of(vpc) for address in addresses_of(other)]

    def _routed(self, nic: Nic) -> list[str]:
        """List addresses that a VPC has routes to."""
        vpc = self.layout.subnet(nic.subnet).vpc
        to = [ipaddress.ip_network(route.destination) for route in self.layout.routes if route.vpc == vpc]
        return [one for one in self._targets if any(ipaddress.ip_address(one) in network for network in to)]

    def _interesting(self) -> set[str]:
        found = {*FAR}
        found |= {address for nic in self.layout.nics for address in addresses_of(nic)}
        found |= {floating.address for floating in self.layout.floating_ips}
        for vpc in self.layout.vpcs:
            for connection in vpc.external_connections:
                found |= {connection.ipv4_address, connection.ipv6_address}
        for subnet in self.layout.subnets:
            found |= {gateway_of(subnet, 4), gateway_of(subnet, 6)}
            if subnet.kind is SubnetKind.EXTERNAL and not subnet.vpc:
                found |= set(_machines(subnet))
            else:
                found |= {str(ipaddress.ip_network(cidr)[200]) for cidr in networks_of(subnet)}  # nobody's
        for route in self.layout.routes:
            network = ipaddress.ip_network(route.destination)
            if 0 < network.prefixlen < network.max_prefixlen - 3:
                found.add(str(network[9]))
        return found - {""}

    def _ports(self) -> tuple[list[int], list[int]]:
        """Return client and server ports: ordinary ones, and those at the edges of what policies name."""
        source, target = {_CLIENT_PORT}, set(_SERVER_PORTS)
        for policy in self.layout.policies:
            for ports, ranges in (
                (source, policy.source_ports),
                (target, policy.destination_ports),
                (source, policy.destination_ports),  # the way back
            ):
                for part in ranges:
                    ports |= {part.first - 1, part.first, part.last, part.last + 1}
        return sorted(p for p in source if 0 < p < 65_536), sorted(p for p in target if 0 < p < 65_536)


def _machines(subnet: Subnet) -> list[str]:
    return [str(ipaddress.ip_network(cidr)[number]) for cidr in networks_of(subnet) for number in MACHINES]
