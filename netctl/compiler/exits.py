"""The ways out of a VPC: its external connections together with the subnets that they lead to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from netctl.compiler.identity import external_port_name, external_port_uuid
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import IpConfig, Subnet
from netctl.model.vpc import ExternalConnection, Vpc


@dataclass(frozen=True, slots=True)
class Exit:
    """One external connection of a VPC."""

    vpc: Vpc
    connection: ExternalConnection
    subnet: Subnet

    @property
    def port_name(self) -> str:
        """The name of the router's port there."""
        return external_port_name(self.vpc.meta.uid, self.subnet.meta.uid)

    @property
    def port_uuid(self) -> str:
        """The row of the router's port there."""
        return external_port_uuid(self.vpc.meta.uid, self.subnet.meta.uid)

    def address(self, version: int) -> str:
        """Return the router's address there, "" when it has none of that IP version."""
        return self.connection.ipv4_address if version == 4 else self.connection.ipv6_address

    def gateway(self, version: int) -> str:
        """Return the address of the next router, "" when there is none of that IP version."""
        config = self.subnet.config(version)
        return config.gateway if config is not None else ""

    @property
    def networks(self) -> frozenset[str]:
        """The router's addresses there with prefix lengths."""
        pairs = ((self.address(config.version), config) for config in configs_of(self.subnet))
        return frozenset(f"{address}/{prefix_length(config)}" for address, config in pairs if address)


def exits_of(snapshot: Snapshot, vpc: Vpc) -> Iterator[Exit]:
    """Yield the ways out of a VPC that have an address, in the order in which they are listed."""
    for connection in vpc.external_connections:
        subnet = snapshot.subnet(connection.subnet)
        # Admission refuses others; a store edited by hand must not stop the others.
        if (
            subnet is not None
            and (found := Exit(vpc, connection, subnet)).networks
            and connection.mac_address
        ):
            yield found


def nat_exits_of(snapshot: Snapshot, vpc: Vpc) -> Iterator[Exit]:
    """Yield the ways out on which the VPC's addresses are translated."""
    return (exit for exit in exits_of(snapshot, vpc) if exit.subnet.nat and exit.connection.gateways)


def configs_of(subnet: Subnet) -> tuple[IpConfig, ...]:
    """Return the address configurations of a subnet, IPv4 first."""
    return tuple(config for config in (subnet.ipv4, subnet.ipv6) if config is not None)


def prefix_length(config: IpConfig) -> str:
    """Return the prefix length of a network, as text."""
    return config.cidr.rpartition("/")[2]


def holds(subnet: Subnet, address: str) -> bool:
    """Is the address in a network of the subnet?"""
    config = subnet.config(6 if ":" in address else 4)
    return config is not None and ipaddress.ip_address(address) in ipaddress.ip_network(config.cidr)
