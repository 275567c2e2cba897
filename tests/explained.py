"""The world that explanations are tested on: a VPC with two subnets and two ways out, and a transit VPC with a spoke.

blue: web 10.0.1.0/24 (w1 on h1, w2 on h2), db 10.0.2.0/24 (d1 on h2, fw on h1)
      ext  203.0.113.0/24 with NAT on vs0, default route; gateways h1, h2
      corp 172.16.0.0/24 without NAT on vs0, 172.20.0.0/16 behind 172.16.0.9; gateway h2
hub:  transit; hubext 192.0.2.0/24-like 198.51.100.0/24 inside, egress to ext
spoke: 10.9.0.0/24 (s1 on h1), connected to hubext, routable prefix 10.9.0.0/24
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netctl.model.floating_ip import FloatingIp
from netctl.model.infra import Host
from netctl.model.intent import Intent
from netctl.model.keys import (
    ClusterId,
    FloatingIpId,
    HostId,
    NicId,
    RouteId,
    RoutingPolicyId,
    SubnetId,
    VirtualSwitchId,
    VpcId,
)
from netctl.model.nic import Nic
from netctl.model.route import NextHop, Route
from netctl.model.routing_policy import Endpoint, PolicyAction, PortRange, Protocol, RoutingPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import IpConfig, Subnet, SubnetKind
from netctl.model.vpc import DEFAULT_GATEWAY_HOSTS, ExternalConnection, Vpc, VpcKind
from tests.intents import infra, meta, snapshot, uid_of


def v4(cidr: str, gateway: str = "") -> IpConfig:
    """Return IPv4 addresses; the gateway is the first."""
    return IpConfig(version=4, cidr=cidr, gateway=gateway or cidr.rpartition(".")[0] + ".1")


def v6(cidr: str) -> IpConfig:
    """Return IPv6 addresses; the gateway is the first."""
    return IpConfig(version=6, cidr=cidr, gateway=cidr.partition("/")[0] + "1")


def inner(name: str, vpc: str, number: int, *, cidr: str, six: str = "") -> Subnet:
    """Return a subnet of a VPC."""
    return Subnet(
        id=SubnetId(name),
        meta=meta(name),
        kind=SubnetKind.OVERLAY,
        clusters=(ClusterId("c1"),),
        vni=5000 + number,
        mtu_bytes=1442,
        vpc=VpcId(vpc),
        gateway_mac_address=f"50:6b:8d:01:00:{number:02x}",
        ipv4=v4(cidr),
        ipv6=v6(six) if six else None,
    )


def external(name: str, vlan_id: int, *, cidr: str, nat: bool, six: str = "") -> Subnet:
    """Return an external subnet on vs0."""
    return Subnet(
        id=SubnetId(name),
        meta=meta(name),
        kind=SubnetKind.EXTERNAL,
        virtual_switches=(VirtualSwitchId("vs0"),),
        clusters=(ClusterId("c1"),),
        vlan_id=vlan_id,
        vni=6000 + vlan_id,
        mtu_bytes=1500,
        nat=nat,
        ipv4=v4(cidr),
        ipv6=v6(six) if six else None,
    )


def connection(subnet: str, address: str, number: int, *hosts: str, six: str = "") -> ExternalConnection:
    """Return a connection as admission stores it."""
    return ExternalConnection(
        subnet=SubnetId(subnet),
        ipv4_address=address,
        ipv6_address=six,
        gateway_host_count=len(hosts) or DEFAULT_GATEWAY_HOSTS,
        gateways=tuple(HostId(host) for host in hosts),
        mac_address=f"50:6b:8d:02:00:{number:02x}",
    )


def nic(name: str, subnet: str, address: str, host: str, *, six: str = "", guarded: bool = True) -> Nic:
    """Return a NIC whose MAC address ends like its IPv4 address."""
    third, fourth = address.split(".")[2:]
    return Nic(
        id=NicId(name),
        meta=meta(name),
        subnet=SubnetId(subnet),
        host=HostId(host),
        mac_address=f"50:6b:8d:00:{int(third):02x}:{int(fourth):02x}",
        ipv4_address=address,
        ipv6_address=six,
        port_security=guarded,
        tap_name=f"tap{uid_of(name).replace('-', '')[:11]}",
    )


def route(name: str, destination: str, *hops: NextHop, vpc: str = "blue", priority: int = 100) -> Route:
    """Return a static route."""
    return Route(
        id=RouteId(name),
        meta=meta(name),
        vpc=VpcId(vpc),
        destination=destination,
        next_hops=hops,
        priority=priority,
    )


def policy(name: str, priority: int, action: PolicyAction, **fields: object) -> RoutingPolicy:
    """Return a routing policy of blue."""
    made = RoutingPolicy(
        id=RoutingPolicyId(name),
        meta=meta(name),
        vpc=VpcId("blue"),
        priority=priority,
        action=PolicyAction.PERMIT,
    )
    return replace(made, action=action, **fields)  # type: ignore[arg-type]


def via(subnet: str) -> NextHop:
    """Return the gateway of an external subnet as a next hop."""
    return NextHop(external_subnet=SubnetId(subnet))


BLUE = Vpc(
    id=VpcId("blue"),
    meta=meta("blue"),
    vni=700,
    external_connections=(
        connection("ext", "203.0.113.10", 1, "h1", "h2", six="2001:db8:f::10"),
        connection("corp", "172.16.0.10", 2, "h2"),
    ),
)
FLOATING = FloatingIp(
    id=FloatingIpId("fip"),
    meta=meta("fip"),
    external_subnet=SubnetId("ext"),
    address="203.0.113.77",
    nic=NicId("w2"),
    mac_address="50:6b:8d:03:00:01",
)
DENY_SSH = policy(
    "deny-ssh",
    300,
    PolicyAction.DENY,
    protocol=Protocol.TCP,
    source=Endpoint(cidr="10.0.1.0/24"),
    destination=Endpoint(cidr="10.0.2.0/24"),
    destination_ports=(PortRange(first=22, last=22),),
)
THROUGH_FW = policy(
    "through-fw",
    200,
    PolicyAction.REROUTE,
    protocol=Protocol.UDP,
    source=Endpoint(cidr="10.0.1.0/24"),
    destination=Endpoint(external=True),
    service_ips=("10.0.2.9",),
    bidirectional=True,
)
HUB = (
    Vpc(
        id=VpcId("hub"),
        meta=meta("hub"),
        kind=VpcKind.TRANSIT,
        vni=701,
        external_connections=(connection("ext", "203.0.113.20", 3, "h1"),),
    ),
    Subnet(
        id=SubnetId("hubext"),
        meta=meta("hubext"),
        kind=SubnetKind.EXTERNAL,
        clusters=(ClusterId("c1"),),
        vpc=VpcId("hub"),
        vni=6500,
        mtu_bytes=1442,
        gateway_mac_address="50:6b:8d:01:00:50",
        ipv4=v4("198.51.100.0/24"),
    ),
    Vpc(
        id=VpcId("spoke"),
        meta=meta("spoke"),
        vni=702,
        external_connections=(connection("hubext", "198.51.100.10", 4),),
        externally_routable_prefixes=("10.9.0.0/24",),
    ),
    inner("sweb", "spoke", 9, cidr="10.9.0.0/24"),
    nic("s1", "sweb", "10.9.0.11", "h1"),
    route("hub-default", "0.0.0.0/0", via("ext"), vpc="hub"),
    route("spoke-default", "0.0.0.0/0", via("hubext"), vpc="spoke"),
)


def bare(host: Host) -> Host:
    """Return a host without uplinks."""
    return replace(host, uplinks=(), tunnel_virtual_switch=VirtualSwitchId(""))


def world(*more: Intent, without: Iterable[str] = ()) -> tuple[Intent, ...]:
    """Return all intents; `more` take the place of those of the same id, `without` names some to leave out."""
    usual: tuple[Intent, ...] = (
        *infra(),
        BLUE,
        external("ext", 100, cidr="203.0.113.0/24", nat=True, six="2001:db8:f::/64"),
        external("corp", 200, cidr="172.16.0.0/24", nat=False),
        inner("web", "blue", 1, cidr="10.0.1.0/24", six="fd00:1::/64"),
        inner("db", "blue", 2, cidr="10.0.2.0/24"),
        nic("w1", "web", "10.0.1.11", "h1", six="fd00:1::11"),
        nic("w2", "web", "10.0.1.12", "h2"),
        nic("d1", "db", "10.0.2.11", "h2"),
        nic("fw", "db", "10.0.2.9", "h1", guarded=False),
        FLOATING,
        route("default", "0.0.0.0/0", via("ext")),
        route("default6", "::/0", via("ext")),
        route("office", "172.20.0.0/16", NextHop(ip_address="172.16.0.9")),
        DENY_SSH,
        THROUGH_FW,
        *HUB,
    )
    replaced = {(type(intent), intent.id) for intent in more}
    kept = (i for i in usual if (type(i), i.id) not in replaced and i.id not in set(without))
    return (*kept, *more)


def snapshot_of(*more: Intent, without: Iterable[str] = ()) -> Snapshot:
    """Return the world as a snapshot."""
    return snapshot(world(*more, without=without))
