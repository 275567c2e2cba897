"""What the tests of VPCs are made of: resources in short, and the two ends of a question.

One lab serves every test of a run (`three_hosts` of conftest.py); each test has VPCs of its own, with equal networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from netctl.lab import namespaces
from netctl.v1 import network_pb2, vpc_pb2
from tests.e2e import talk
from tests.e2e.site import Resource, Site
from tests.e2e.talk import End

Nic = network_pb2.Nic
Subnet = network_pb2.Subnet
Vpc = vpc_pb2.Vpc
INTERNET, INTERNET6 = "203.0.113.80", "2001:db8:ffff::80"
# The external subnets that containerlab/three-hosts.clab.yml has a router for.
NAT = Subnet(
    name="subnets/ext-nat",
    kind=network_pb2.SUBNET_KIND_EXTERNAL,
    virtual_switches=["virtualSwitches/vs1"],
    vlan_id=100,
    ipv4=network_pb2.IpConfig(
        cidr="198.51.100.0/24",
        gateway="198.51.100.1",
        pools=[network_pb2.AddressRange(start="198.51.100.10", end="198.51.100.99")],
    ),
    ipv6=network_pb2.IpConfig(cidr="2001:db8:100::/64", gateway="2001:db8:100::1"),
)
ROUTED = Subnet(
    name="subnets/ext-routed",
    kind=network_pb2.SUBNET_KIND_EXTERNAL,
    virtual_switches=["virtualSwitches/vs1"],
    vlan_id=101,
    nat=False,
    ipv4=network_pb2.IpConfig(cidr="192.0.2.0/24", gateway="192.0.2.1"),
    ipv6=network_pb2.IpConfig(cidr="2001:db8:101::/64", gateway="2001:db8:101::1"),
)
SECOND = Subnet(
    name="subnets/ext-second",
    kind=network_pb2.SUBNET_KIND_EXTERNAL,
    virtual_switches=["virtualSwitches/vs0"],
    vlan_id=102,
    ipv4=network_pb2.IpConfig(cidr="198.18.102.0/24", gateway="198.18.102.1"),
)
EXTERNALS = (NAT, ROUTED, SECOND)


def vpc(vpc_id: str, *connections: vpc_pb2.ExternalConnection, dns: Sequence[str] = ()) -> Vpc:
    """Return a VPC."""
    return Vpc(name=f"vpcs/{vpc_id}", external_connections=connections, dns_servers=dns)


def connection(subnet: Subnet, address: str = "", *hosts: str, ipv6: str = "") -> vpc_pb2.ExternalConnection:
    """Return a connection to an external subnet, its gateways chosen when no hosts are named."""
    return vpc_pb2.ExternalConnection(
        subnet=subnet.name,
        ipv4_address=address,
        ipv6_address=ipv6,
        gateway_hosts=[f"hosts/{host}" for host in hosts],
    )


def overlay(subnet_id: str, vpc_id: str, ipv4: str = "", ipv6: str = "", mtu_bytes: int = 0) -> Subnet:
    """Return a subnet of a VPC."""
    return Subnet(
        name=f"subnets/{subnet_id}",
        kind=network_pb2.SUBNET_KIND_OVERLAY,
        clusters=["clusters/lab"],
        vpc=f"vpcs/{vpc_id}",
        ipv4=network_pb2.IpConfig(cidr=ipv4) if ipv4 else None,
        ipv6=network_pb2.IpConfig(cidr=ipv6) if ipv6 else None,
        mtu_bytes=mtu_bytes,
    )


def default_route(vpc_id: str, subnet: Subnet, destination: str = "0.0.0.0/0") -> vpc_pb2.Route:
    """Return a route to the gateway of an external subnet."""
    suffix = "6" if ":" in destination else "4"
    return vpc_pb2.Route(
        name=f"routes/{vpc_id}-out{suffix}",
        vpc=f"vpcs/{vpc_id}",
        destination=destination,
        next_hops=[vpc_pb2.NextHop(external_subnet=subnet.name)],
    )


def route(name: str, destination: str, *hops: Subnet | str, priority: int = 0) -> vpc_pb2.Route:
    """Return a route `VPC-something` of a VPC; its next hops are external subnets or addresses."""
    return vpc_pb2.Route(
        name=f"routes/{name}",
        vpc=f"vpcs/{name.partition('-')[0]}",
        destination=destination,
        next_hops=[
            vpc_pb2.NextHop(ip_address=hop)
            if isinstance(hop, str)
            else vpc_pb2.NextHop(external_subnet=hop.name)
            for hop in hops
        ],
        priority=priority,
    )


def make(here: Site, made: list[str], *resources: Resource) -> None:
    """Create resources that `made`, of `removed_after`, is to remember."""
    here.apply(*resources)
    made += [resource.name for resource in resources]


def wait_out(here: Site, of: Nic, address: str = INTERNET) -> str:
    """Return as whom the upstream sees a guest, when it does."""
    return talk.wait_tcp(guest(here, of), upstream(here, address), address, 80)


def nic(nic_id: str, subnet_id: str, host: str, address: str = "") -> Nic:
    """Return a NIC on a host."""
    subnet = f"subnets/{subnet_id}"
    return Nic(name=f"nics/{nic_id}", subnet=subnet, host=f"hosts/{host}", ipv4_address=address)


def guest(here: Site, of: Nic, address: str = "") -> End:
    """Return the guest of a NIC as an end of a question."""
    return End(namespace=here.namespace(of), address=address or of.ipv4_address)


def upstream(here: Site, address: str = INTERNET) -> End:
    """Return the host on the Internet as an end of a question."""
    return End(namespace=namespaces.node_namespace(here.lab.name, "upstream"), address=address)


def ping(here: Site, where: str, address: str, *options: str) -> bool:
    """Send one echo request from a guest or a node; no second one."""
    command = ["ping", "-n", "-q", "-c", "1", "-W", "0.9", *options, address]
    return here.lab.exec(where, command, check=False).returncode == 0


@contextmanager
def removed_after(here: Site) -> Iterator[list[str]]:
    """Remove, last first, the resources whose names the block puts into the list, and every guest."""
    names: list[str] = []
    try:
        yield names
    finally:
        for found in here.lab.guests():
            here.lab.remove_guest(found.name)
        last = [name for name in reversed(names) if name.startswith(("subnets/", "vpcs/"))]
        worn = [name for name in names if name.startswith("categories/")]  # by NICs, subnets and VPCs
        first = [name for name in reversed(names) if name not in (*last, *worn)]
        if gone := [*first, *(found.name for found in here.list_nics()), *last, *worn]:
            here.remove(*gone)
