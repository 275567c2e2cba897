"""The packet that is traced: from a NIC to an address, and on from a router whose neighbour is not known yet. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace

from netctl.compiler.exits import Exit, configs_of, holds
from netctl.compiler.floating_ip import association_of, is_distributed
from netctl.compiler.identity import external_peer_name
from netctl.errors import InvalidIntent
from netctl.model.indexes import Space
from netctl.model.keys import Key, Kind, NicId, SubnetId, VpcId, resource_name
from netctl.model.nic import Nic
from netctl.model.numbers import address_number
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet

# A neighbour that is none of ours has a MAC address that we do not know; which one makes no difference.
STRANGER = "02:00:00:00:00:01"
_ICMP_ECHO = {4: "icmp4.type == 8 && icmp4.code == 0", 6: "icmp6.type == 128 && icmp6.code == 0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One packet where it enters a switch; `protocol` icmp, tcp or udp."""

    inport: str
    mac: str
    next_mac: str
    source: str
    destination: str
    protocol: str = "icmp"
    source_port: int = 0
    destination_port: int = 0

    @property
    def version(self) -> int:
        """The IP version."""
        return 6 if ":" in self.destination else 4

    def render(self) -> str:
        """Return the packet as ovn-trace takes it."""
        ip = f"ip{self.version}"
        terms = [
            f'inport == "{self.inport}"',
            f"eth.src == {self.mac}",
            f"eth.dst == {self.next_mac}",
            f"{ip}.src == {self.source}",
            f"{ip}.dst == {self.destination}",
            "ip.ttl == 64",
        ]
        if self.protocol == "icmp":
            terms.append(_ICMP_ECHO[self.version])
        else:
            terms += (
                self.protocol,
                f"{self.protocol}.src == {self.source_port}",
                f"{self.protocol}.dst == {self.destination_port}",
            )
        return " && ".join(terms)


def first_probe(snapshot: Snapshot, nic: Nic, probe: Probe) -> Probe:
    """Return the packet as the NIC's guest sends it: `probe` says where to; InvalidIntent when it cannot be sent."""
    subnet = snapshot.subnet(nic.subnet)
    name = resource_name((Kind.NIC, nic.id))
    if subnet is None or not nic.host:
        raise InvalidIntent("nic", f"{name} is attached to no host, so it sends nothing; attach it to one")
    source = nic.ipv6_address if probe.version == 6 else nic.ipv4_address
    if not source:
        raise InvalidIntent(
            "nic", f"{name} has no IPv{probe.version} address, so it cannot send to {probe.destination}"
        )
    if source == probe.destination:
        raise InvalidIntent("destination", f"{source} is {name} itself: such a packet never leaves the guest")
    return replace(
        probe,
        inport=nic.meta.uid,
        mac=nic.mac_address,
        source=source,
        next_mac=_next_mac(snapshot, subnet, probe.destination),
    )


def _next_mac(snapshot: Snapshot, subnet: Subnet, destination: str) -> str:
    """Return the MAC address that a guest of the subnet sends to: the destination's, or its gateway's."""
    if holds(subnet, destination):
        return mac_of(snapshot, subnet, destination) or STRANGER
    config = subnet.config(6 if ":" in destination else 4)
    if config is None or not config.gateway:
        raise InvalidIntent(
            "destination",
            f"{destination} is outside {resource_name((Kind.SUBNET, subnet.id))}, which has no gateway",
        )
    return mac_of(snapshot, subnet, config.gateway) or STRANGER


def owner_of(snapshot: Snapshot, subnet: Subnet, address: str) -> Key | None:
    """Return the intent that has an address of the subnet, None when it is nobody's here."""
    space = (Space.IPV6, 6) if ":" in address else (Space.IPV4, 4)
    return snapshot.owner(((space[0], subnet.id), address_number(space[1], address)))


def mac_of(snapshot: Snapshot, subnet: Subnet, address: str) -> str:
    """Return the MAC address that answers for an address of the subnet, "" when that is nobody of ours."""
    owner = owner_of(snapshot, subnet, address)
    if owner is None:
        return ""
    kind, id = owner
    if kind is Kind.NIC:
        nic = snapshot.nic(NicId(id))
        return nic.mac_address if nic is not None else ""
    if kind is Kind.VPC:
        vpc = snapshot.vpc(VpcId(id))
        connection = vpc.connection(subnet.id) if vpc is not None else None
        return connection.mac_address if connection is not None else ""
    if kind is Kind.FLOATING_IP:
        return _mac_of_floating_ip(snapshot, subnet, id)
    if kind is Kind.SUBNET and subnet.id == SubnetId(id):
        return subnet.gateway_mac_address
    return ""


def _mac_of_floating_ip(snapshot: Snapshot, subnet: Subnet, id: str) -> str:
    for floating in snapshot.floating_ips_of_subnet(subnet.id):
        if floating.id == id and (found := association_of(snapshot, floating)) is not None:
            return (
                floating.mac_address
                if is_distributed(snapshot, floating)
                else found.exit.connection.mac_address
            )
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """A packet's source at an exit: the address and MAC address it leaves with, and what translates it, if anything."""

    address: str
    mac: str
    key: Key | None = None


def translate_source(snapshot: Snapshot, exit: Exit, source: str) -> Translated:
    """Return what a source address becomes at an exit, as the NAT rows say."""
    for floating in snapshot.floating_ips_of_subnet(exit.subnet.id):
        found = association_of(snapshot, floating)
        if found is not None and found.exit.vpc.id == exit.vpc.id and found.private_address == source:
            local = is_distributed(snapshot, floating)
            mac = floating.mac_address if local else exit.connection.mac_address
            return Translated(address=floating.address, mac=mac, key=(Kind.FLOATING_IP, floating.id))
    mac = exit.connection.mac_address
    public = exit.address(6 if ":" in source else 4)
    if exit.subnet.nat and exit.connection.gateways and public and _is_inside(snapshot, exit, source):
        return Translated(address=public, mac=mac, key=(Kind.SUBNET, exit.subnet.id))
    return Translated(address=source, mac=mac)


def _is_inside(snapshot: Snapshot, exit: Exit, source: str) -> bool:
    """Is the address in a subnet of the VPC, or in a routable prefix of a VPC connected to it?"""
    address = ipaddress.ip_address(source)
    for subnet in snapshot.subnets_of_vpc(exit.vpc.id):
        if any(address in ipaddress.ip_network(config.cidr) for config in configs_of(subnet)):
            return True
        for spoke in snapshot.vpcs_of_subnet(subnet.id):
            if any(address in ipaddress.ip_network(p) for p in spoke.externally_routable_prefixes):
                return True
    return False


def probe_beyond(exit: Exit, probe: Probe, source: Translated, next_mac: str) -> Probe:
    """Return the packet where it comes out of a router into an external subnet."""
    return replace(
        probe,
        inport=external_peer_name(exit.vpc.meta.uid, exit.subnet.meta.uid),
        mac=source.mac,
        next_mac=next_mac,
        source=source.address,
    )
