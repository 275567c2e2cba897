"""The words of the oracle: a layout, a packet, its fate. Intents are read as data; nothing of the compiler is used."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

from netctl.model.floating_ip import FloatingIp
from netctl.model.infra import Host
from netctl.model.intent import Intent
from netctl.model.nic import Nic
from netctl.model.route import Route
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.subnet import Subnet
from netctl.model.vpc import Vpc


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection; ports only with tcp and udp, icmp is an echo request."""

    source: str
    destination: str
    protocol: str = "icmp"
    source_port: int = 0
    destination_port: int = 0

    @property
    def version(self) -> int:
        """The IP version."""
        return 6 if ":" in self.destination else 4


@dataclass(frozen=True, slots=True)
class Delivered:
    """A NIC gets the packet, with these addresses in it."""

    nic: str
    source: str
    destination: str


@dataclass(frozen=True, slots=True)
class SentOut:
    """The packet leaves on an external subnet, to the machine there that has the address `next_hop`."""

    subnet: str
    next_hop: str
    source: str
    destination: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A router itself answers the echo request."""

    address: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nobody gets the packet. All such fates are equal; `why` is for people."""

    why: str = field(default="", compare=False)


Fate = Delivered | SentOut | Answered | Dropped


@dataclass(frozen=True, slots=True)
class Layout:
    """All that decides a packet's way: intents in plain lists; `dead`, what does not work: (VPC, address or subnet)."""

    vpcs: tuple[Vpc, ...]
    subnets: tuple[Subnet, ...]
    nics: tuple[Nic, ...]
    floating_ips: tuple[FloatingIp, ...]
    routes: tuple[Route, ...]
    policies: tuple[RoutingPolicy, ...]
    hosts: tuple[Host, ...]
    dead: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, intents: Iterable[Intent], dead: Iterable[tuple[str, str]] = ()) -> Layout:
        """Sort intents into the lists."""
        every = sorted(intents, key=lambda intent: (type(intent).__name__, intent.id))
        return cls(
            vpcs=tuple(found for found in every if isinstance(found, Vpc)),
            subnets=tuple(found for found in every if isinstance(found, Subnet)),
            nics=tuple(found for found in every if isinstance(found, Nic)),
            floating_ips=tuple(found for found in every if isinstance(found, FloatingIp)),
            routes=tuple(found for found in every if isinstance(found, Route)),
            policies=tuple(found for found in every if isinstance(found, RoutingPolicy)),
            hosts=tuple(found for found in every if isinstance(found, Host)),
            dead=frozenset(dead),
        )

    @property
    def intents(self) -> tuple[Intent, ...]:
        """Everything but the hosts, in one line."""
        return (*self.vpcs, *self.subnets, *self.nics, *self.floating_ips, *self.routes, *self.policies)

    def vpc(self, id: str) -> Vpc:
        """Find a VPC."""
        return next(found for found in self.vpcs if found.id == id)

    def subnet(self, id: str) -> Subnet:
        """Find a subnet."""
        return next(found for found in self.subnets if found.id == id)

    def nic(self, id: str) -> Nic:
        """Find a NIC."""
        return next(found for found in self.nics if found.id == id)

    def nics_of(self, vpc: Vpc) -> list[Nic]:
        """List the NICs in a VPC's subnets."""
        inner = {subnet.id for subnet in self.subnets if subnet.vpc == vpc.id}
        return [nic for nic in self.nics if nic.subnet in inner]

    def private_address(self, floating: FloatingIp) -> str:
        """Return whom a floating IP stands for, "" for nobody."""
        if not floating.nic:
            return floating.private_address
        nic = self.nic(floating.nic)
        return nic.ipv6_address if ":" in floating.address else nic.ipv4_address

    def vpc_of(self, floating: FloatingIp) -> str:
        """Return whose private address that is, "" for nobody's."""
        return self.subnet(self.nic(floating.nic).subnet).vpc if floating.nic else floating.vpc


def inside(address: str, cidr: str) -> bool:
    """Is an address in a network? Not when they are of different IP versions."""
    return ipaddress.ip_address(address) in ipaddress.ip_network(cidr)


def networks_of(subnet: Subnet) -> tuple[str, ...]:
    """Return the networks of a subnet, one for each IP version."""
    return tuple(config.cidr for config in (subnet.ipv4, subnet.ipv6) if config is not None)


def gateway_of(subnet: Subnet, version: int) -> str:
    """Return the gateway of a subnet for an IP version, "" for none."""
    config = subnet.ipv6 if version == 6 else subnet.ipv4
    return config.gateway if config is not None else ""


def addresses_of(nic: Nic) -> tuple[str, ...]:
    """Return what a NIC is addressed by."""
    return tuple(address for address in (nic.ipv4_address, nic.ipv6_address) if address)
