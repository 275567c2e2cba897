"""The VPCs that the benchmarks ask for: 10 subnets of 10 NICs, a way out by NAT, a route, a floating IP, two policies.

All have the same private networks: that they may overlap is what VPCs are for. One external subnet serves them all.
"""

from __future__ import annotations

from bench.nics import CLUSTERS, SPREAD, SWITCHES, machines
from netctl.v1 import network_pb2, operations_pb2, vpc_pb2

SUBNETS, NICS = 10, 10
PORTS = 1 + SUBNETS * (1 + NICS)  # of switches: to the outside, and in each subnet the router's and the NICs'
EXTERNAL = "subnets/outside"
HOPS = (
    "100.64.0.1",
    "100.64.0.2",
)  # what a route is changed between; the first is the external subnet's gateway
_OUTSIDE = network_pb2.IpConfig(
    cidr="100.64.0.0/16",
    gateway=HOPS[0],
    pools=[network_pb2.AddressRange(start="100.64.1.0", end="100.64.255.254")],
)


def ground() -> operations_pb2.BatchRequest:
    """Return what VPCs stand on, as one change: 100 hosts with uplinks, and the external subnet."""
    resources = machines()
    outside = network_pb2.Subnet(
        name=EXTERNAL,
        kind=network_pb2.SUBNET_KIND_EXTERNAL,
        virtual_switches=SWITCHES,
        vlan_id=100,
        ipv4=_OUTSIDE,
    )
    resources.append(operations_pb2.Resource(subnet=outside))
    return _created(resources)


def batches(count: int) -> list[operations_pb2.BatchRequest]:
    """Return `count` VPCs to create with all that is in them, one to a call; the answers are not asked for."""
    return [_created(resources_of(number)) for number in range(count)]


def resources_of(number: int) -> list[operations_pb2.Resource]:
    """Return one VPC and all that is in it, in an order that can be created."""
    vpc = vpc_pb2.Vpc(
        name=f"vpcs/{name_of(number)}",
        dns_servers=["192.0.2.53"],
        external_connections=[vpc_pb2.ExternalConnection(subnet=EXTERNAL)],
    )
    resources = [operations_pb2.Resource(vpc=vpc)]
    resources += (_subnet(number, which) for which in range(SUBNETS))
    resources += (_nic(number, which, nic) for which in range(SUBNETS) for nic in range(NICS))
    floating = vpc_pb2.FloatingIp(
        name=f"floatingIps/{name_of(number)}", external_subnet=EXTERNAL, nic=nic_name(number)
    )
    hops = [vpc_pb2.NextHop(ip_address=HOPS[0])]
    route = vpc_pb2.Route(name=route_name(number), vpc=vpc.name, destination="0.0.0.0/0", next_hops=hops)
    resources += [operations_pb2.Resource(route=route), operations_pb2.Resource(floating_ip=floating)]
    resources += (operations_pb2.Resource(routing_policy=policy) for policy in _policies(number))
    return resources


def name_of(number: int) -> str:
    """Return the id of a VPC, which the ids of all that is in it begin with."""
    return f"v{number:05}"


def route_name(number: int) -> str:
    """Return the name of a VPC's default route."""
    return f"routes/{name_of(number)}"


def nic_name(number: int, *, which: int = 0, nic: int = 1) -> str:
    """Return the name of a NIC; the default is the one with the floating IP."""
    return f"nics/{name_of(number)}-s{which}-{nic}"


def _subnet(number: int, which: int) -> operations_pb2.Resource:
    subnet = network_pb2.Subnet(
        name=f"subnets/{name_of(number)}-s{which}",
        kind=network_pb2.SUBNET_KIND_OVERLAY,
        clusters=CLUSTERS,
        vpc=f"vpcs/{name_of(number)}",
        ipv4=network_pb2.IpConfig(cidr=f"10.0.{which}.0/24"),
        dhcp=network_pb2.DhcpOptions(),
    )
    return operations_pb2.Resource(subnet=subnet)


def _nic(number: int, which: int, nic: int) -> operations_pb2.Resource:
    host = (number * SUBNETS * NICS + which * NICS + nic) % SPREAD
    return operations_pb2.Resource(
        nic=network_pb2.Nic(
            name=nic_name(number, which=which, nic=nic),
            subnet=f"subnets/{name_of(number)}-s{which}",
            host=f"hosts/h{host}",
        )
    )


def _policies(number: int) -> list[vpc_pb2.RoutingPolicy]:
    """Return: nobody reaches the outside by telnet; two subnets may not talk."""
    vpc = f"vpcs/{name_of(number)}"
    telnet = vpc_pb2.RoutingPolicy(
        name=f"routingPolicies/{name_of(number)}-telnet",
        vpc=vpc,
        priority=200,
        destination=vpc_pb2.PolicyEndpoint(external=True),
        protocol=vpc_pb2.IP_PROTOCOL_TCP,
        destination_ports=[vpc_pb2.PortRange(first=23)],
        action=vpc_pb2.ROUTING_POLICY_ACTION_DENY,
    )
    apart = vpc_pb2.RoutingPolicy(
        name=f"routingPolicies/{name_of(number)}-apart",
        vpc=vpc,
        priority=100,
        source=vpc_pb2.PolicyEndpoint(cidr="10.0.0.0/24"),
        destination=vpc_pb2.PolicyEndpoint(cidr="10.0.1.0/24"),
        action=vpc_pb2.ROUTING_POLICY_ACTION_DENY,
        bidirectional=True,
    )
    return [telnet, apart]


def _created(resources: list[operations_pb2.Resource]) -> operations_pb2.BatchRequest:
    edits = [operations_pb2.Edit(create=resource) for resource in resources]
    return operations_pb2.BatchRequest(edits=edits, omit_resources=True)
