"""Who has which MAC address: routers and floating IPs on external subnets, and machines of the physical world."""

from __future__ import annotations

import ipaddress

from netctl.model.floating_ip import FloatingIp
from netctl.model.subnet import Subnet
from netctl.model.vpc import Vpc
from tests.oracle.words import Layout, addresses_of, gateway_of, inside, networks_of

NOBODY = "02:ff:ff:ff:ff:ff"
# Host numbers of physical machines on each external subnet, beside its gateway.
MACHINES = (250, 251)


class Neighbours:
    """Addresses of a layout to MAC addresses, and back."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def mac_of(self, subnet: Subnet, address: str) -> str:
        """Return who answers for an address on a subnet."""
        for nic in self.layout.nics:
            if nic.subnet == subnet.id and address in addresses_of(nic):
                return nic.mac_address
        if subnet.vpc and address == gateway_of(subnet, 6 if ":" in address else 4):
            return subnet.gateway_mac_address
        return self.everybody(subnet).get(address, NOBODY)

    def machine_with(self, subnet: Subnet, mac: str, version: int) -> str:
        """Return the address of the physical machine that has a MAC address, "" for nobody's."""
        for address, known in self.everybody(subnet).items():
            if known == mac and (":" in address) == (version == 6):
                return address
        return ""

    def everybody(self, subnet: Subnet) -> dict[str, str]:
        """Return the MAC address of everybody on an external subnet; machines are where no router answers."""
        found = {} if subnet.vpc else {address: outside_mac(address) for address in self._machines(subnet)}
        if subnet.vpc:
            found |= {gateway_of(subnet, version): subnet.gateway_mac_address for version in (4, 6)}
        for vpc in self.layout.vpcs:
            connection = vpc.connection(subnet.id)
            if connection is not None:
                own = (connection.ipv4_address, connection.ipv6_address)
                found |= dict.fromkeys(own, connection.mac_address)
        for floating in self.layout.floating_ips:
            if floating.external_subnet == subnet.id and self.layout.private_address(floating):
                found[floating.address] = self.floating_mac(floating, subnet)
        found.pop("", None)
        return found

    def floating_mac(self, floating: FloatingIp, subnet: Subnet) -> str:
        """Return its own where the NIC's host has an uplink there, else the router's."""
        if floating.nic:
            nic = self.layout.nic(floating.nic)
            for host in self.layout.hosts:
                switches = {uplink.virtual_switch for uplink in host.uplinks}
                if host.id == nic.host and switches & set(subnet.virtual_switches):
                    return floating.mac_address
        connection = self._vpc(floating).connection(subnet.id)
        assert connection is not None, f"{floating.id}: its VPC is not connected: admission refuses that"
        return connection.mac_address

    def _vpc(self, floating: FloatingIp) -> Vpc:
        return self.layout.vpc(self.layout.vpc_of(floating))

    def _machines(self, subnet: Subnet) -> set[str]:
        """Name the gateway and every address that a route, a floating IP or a probe may send to."""
        every = {hop.ip_address for route in self.layout.routes for hop in route.next_hops}
        every |= {floating.address for floating in self.layout.floating_ips}
        every |= {gateway_of(subnet, version) for version in (4, 6)}
        for cidr in networks_of(subnet):
            every |= {str(ipaddress.ip_network(cidr)[number]) for number in MACHINES}
        every.discard("")
        return {one for one in every if any(inside(one, cidr) for cidr in networks_of(subnet))}


def outside_mac(address: str) -> str:
    """Invent the MAC address of a physical machine."""
    number = int(ipaddress.ip_address(address)) & 0xFFFFFFFF
    octets = [2, 6 if ":" in address else 4, *number.to_bytes(4, "big")]
    return ":".join(f"{octet:02x}" for octet in octets)
