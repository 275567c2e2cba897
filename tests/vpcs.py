"""Builders of VPC intents for tests: complete, as admission would store them; see tests/intents.py."""

from __future__ import annotations

import zlib

from netctl.model.floating_ip import FloatingIp
from netctl.model.infra import Meta
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
from netctl.model.route import Bfd, NextHop, Route
from netctl.model.routing_policy import PolicyAction, RoutingPolicy
from netctl.model.subnet import DhcpOptions, IpConfig, Ipv6Mode, Subnet, SubnetKind
from netctl.model.vpc import ExternalConnection, Vpc, VpcKind
from tests.intents import meta, uid_of


def number_of(name: str) -> int:
    """Return a number that a test can predict, for what must be unique."""
    return zlib.crc32(name.encode()) & 0xFFFFFF or 1


def mac_of(name: str) -> str:
    """Return a MAC address that a test can predict."""
    return "50:6b:8d:" + number_of(name).to_bytes(3, "big").hex(":")


def external(
    name: str = "ext", vlan_id: int = 100, *, nat: bool = True, ipv6: bool = False, mtu_bytes: int = 1500
) -> Subnet:
    """Return a stored external subnet of vs0: 203.0.{VLAN}.0/24 behind .1, and 2001:db8:{VLAN}::/64."""
    return Subnet(
        id=SubnetId(name),
        meta=meta(name),
        kind=SubnetKind.EXTERNAL,
        virtual_switches=(VirtualSwitchId("vs0"),),
        vlan_id=vlan_id,
        clusters=(ClusterId("c1"),),
        vni=10_000 + vlan_id,
        mtu_bytes=mtu_bytes,
        ipv4=IpConfig(version=4, cidr=f"203.0.{vlan_id}.0/24", gateway=f"203.0.{vlan_id}.1"),
        ipv6=IpConfig(version=6, cidr=f"2001:db8:{vlan_id}::/64", gateway=f"2001:db8:{vlan_id}::1")
        if ipv6
        else None,
        nat=nat,
    )


def connection(
    subnet: str = "ext", *, vlan_id: int = 100, number: int = 10, gateways: tuple[str, ...] = ("h1", "h2")
) -> ExternalConnection:
    """Return a stored connection to an external subnet of virtual switches, by IPv4."""
    return ExternalConnection(
        subnet=SubnetId(subnet),
        ipv4_address=f"203.0.{vlan_id}.{number}",
        gateways=tuple(map(HostId, gateways)),
        mac_address=mac_of(f"{subnet} {number}"),
    )


def vpc(name: str = "blue", *connections: ExternalConnection, **change: object) -> Vpc:
    """Return a stored VPC."""
    values: dict[str, object] = {
        "id": VpcId(name),
        "meta": meta(name),
        "vni": 20_000 + number_of(name) % 40_000,
        "external_connections": connections,
    }
    return Vpc(**(values | change))  # type: ignore[arg-type]


def transit(name: str = "hub", *connections: ExternalConnection, **change: object) -> Vpc:
    """Return a stored transit VPC."""
    return vpc(name, *connections, kind=VpcKind.TRANSIT, **change)


def routed(
    name: str = "web", of: str = "blue", third: int = 1, *, ipv6: str = "", mtu_bytes: int = 1442
) -> Subnet:
    """Return a stored overlay subnet of a VPC: 10.0.{third}.0/24 behind .1; `ipv6` is a /64."""
    return Subnet(
        id=SubnetId(name),
        meta=meta(name),
        kind=SubnetKind.OVERLAY,
        clusters=(ClusterId("c1"),),
        vni=100_000 + number_of(name) % 100_000,
        vpc=VpcId(of),
        mtu_bytes=mtu_bytes,
        ipv4=IpConfig(version=4, cidr=f"10.0.{third}.0/24", gateway=f"10.0.{third}.1"),
        ipv6=IpConfig(version=6, cidr=ipv6, gateway=ipv6.replace("::/64", "::1")) if ipv6 else None,
        ipv6_mode=Ipv6Mode.SLAAC if ipv6 else Ipv6Mode.AUTO,
        dhcp=DhcpOptions(server_address=f"10.0.{third}.254", server_mac_address=mac_of(f"dhcp {name}")),
        gateway_mac_address=mac_of(name),
    )


def inside(name: str = "transfer", of: str = "hub", *, nat: bool = False) -> Subnet:
    """Return a stored external subnet inside a transit VPC: 100.64.0.0/24 behind .1."""
    return Subnet(
        id=SubnetId(name),
        meta=meta(name),
        kind=SubnetKind.EXTERNAL,
        clusters=(ClusterId("c1"),),
        vni=100_000 + number_of(name) % 100_000,
        vpc=VpcId(of),
        mtu_bytes=1442,
        ipv4=IpConfig(version=4, cidr="100.64.0.0/24", gateway="100.64.0.1"),
        nat=nat,
        gateway_mac_address=mac_of(name),
    )


def guest(name: str, subnet: str = "web", third: int = 1, number: int = 5, *, host: str = "h1") -> Nic:
    """Return a stored NIC on a subnet of a VPC."""
    return Nic(
        id=NicId(name),
        meta=meta(name),
        subnet=SubnetId(subnet),
        host=HostId(host),
        mac_address=mac_of(name),
        ipv4_address=f"10.0.{third}.{number}",
        tap_name=f"tap{uid_of(name).replace('-', '')[:11]}",
    )


def floating(
    name: str = "fip", *, subnet: str = "ext", address: str = "203.0.100.50", nic: str = "", private: str = ""
) -> FloatingIp:
    """Return a stored floating IP of a NIC, of a private address of VPC blue, or of nothing."""
    return FloatingIp(
        id=FloatingIpId(name),
        meta=meta(name),
        external_subnet=SubnetId(subnet),
        address=address,
        nic=NicId(nic),
        vpc=VpcId("blue" if private else ""),
        private_address=private,
        mac_address=mac_of(name),
    )


def route(
    name: str = "default",
    destination: str = "0.0.0.0/0",
    *hops: str,
    of: str = "blue",
    priority: int = 100,
    bfd: Bfd | None = None,
) -> Route:
    """Return a stored route; a hop is an address or the id of an external subnet, "ext" when none is given."""
    next_hops = tuple(
        NextHop(ip_address=hop) if hop[0].isdigit() or ":" in hop else NextHop(external_subnet=SubnetId(hop))
        for hop in hops or ("ext",)
    )
    return Route(
        id=RouteId(name),
        meta=meta(name),
        vpc=VpcId(of),
        destination=destination,
        next_hops=next_hops,
        priority=priority,
        bfd=bfd,
    )


def policy(
    name: str = "rule", action: PolicyAction = PolicyAction.DENY, *, priority: int = 100, **change: object
) -> RoutingPolicy:
    """Return a stored routing policy of VPC blue."""
    values: dict[str, object] = {
        "id": RoutingPolicyId(name),
        "meta": meta(name),
        "vpc": VpcId("blue"),
        "priority": priority,
        "action": action,
    }
    return RoutingPolicy(**(values | change))  # type: ignore[arg-type]


def retold(stored: Meta, uid: str) -> Meta:
    """Return the Meta of another intent of the same name."""
    return Meta(uid=uid_of(uid), revision=stored.revision + 1, create_time_s=1.0, update_time_s=1.0)
