"""A small world for the oracle's own tests, written out as admission would store it.

Tenant `red` has subnets a (10.0.0.0/24, guest a1, firewall fw) and b (10.0.1.0/24, guest b1); `blue` has 10.0.0.0/24
too. Both are connected to `wan` (NAT); `red` also to `lan` (routed) and, through `core`, to the transit VPC `hub`.
"""

from __future__ import annotations

from typing import Any

from netctl.model.floating_ip import FloatingIp
from netctl.model.infra import Host, Uplink
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
from netctl.model.routing_policy import PolicyAction, RoutingPolicy
from netctl.model.subnet import IpConfig, Subnet, SubnetKind
from netctl.model.vpc import ExternalConnection, Vpc, VpcKind
from tests.intents import meta
from tests.oracle.routing import Fates, Oracle
from tests.oracle.words import Layout, Packet

FAR = "192.0.2.77"


def town() -> tuple[Intent, ...]:
    """Return the world without routes, policies and floating IPs."""
    return (
        Host(
            id=HostId("h1"),
            meta=meta("h1"),
            cluster=ClusterId("c1"),
            tunnel_address="192.168.0.1/24",
            uplinks=(Uplink(virtual_switch=VirtualSwitchId("vs0"), interfaces=("eth1",)),),
        ),
        _outer("wan", "203.0.113", nat=True),
        _outer("lan", "198.51.100", nat=False),
        Vpc(id=VpcId("hub"), meta=meta("hub"), kind=VpcKind.TRANSIT, external_connections=(_at("wan", 9),)),
        _outer("core", "100.64.0", nat=False, vpc="hub"),
        Vpc(
            id=VpcId("red"),
            meta=meta("red"),
            external_connections=(_at("wan", 10), _at("lan", 10), _at("core", 10)),
            externally_routable_prefixes=("10.0.1.0/24",),
        ),
        Vpc(id=VpcId("blue"), meta=meta("blue"), external_connections=(_at("wan", 11),)),
        _inner("a", "red", 0),
        _inner("b", "red", 1),
        _inner("c", "blue", 0),
        guest("a1", "a", "10.0.0.5"),
        guest("fw", "a", "10.0.0.9", port_security=False),
        guest("b1", "b", "10.0.1.5"),
        guest("c1", "c", "10.0.0.5"),
    )


def oracle(*more: Intent, dead: tuple[tuple[str, str], ...] = ()) -> Oracle:
    """Return an oracle for the world and more."""
    return Oracle(Layout.of((*town(), *more), dead))


def sent(oracle: Oracle, nic: str, destination: str, *protocol: Any) -> Fates:
    """Return the fates of what a guest sends from its own address."""
    return oracle.from_nic(nic, Packet(oracle.layout.nic(nic).ipv4_address, destination, *protocol))


def guest(name: str, subnet: str, address: str, **fields: Any) -> Nic:
    """Return a NIC."""
    return Nic(
        id=NicId(name),
        meta=meta(name),
        subnet=SubnetId(subnet),
        ipv4_address=address,
        host=HostId("h1"),
        **fields,
    )


def floating(name: str, address: str, *, subnet: str = "wan", **fields: Any) -> FloatingIp:
    """Return a floating IP."""
    return FloatingIp(
        id=FloatingIpId(name), meta=meta(name), external_subnet=SubnetId(subnet), address=address, **fields
    )


def route(name: str, vpc: str, destination: str, *hops: str, priority: int = 100) -> Route:
    """Return a route; a next hop is an address or an external subnet's id."""
    found = tuple(NextHop(ip_address=h) if "." in h else NextHop(external_subnet=SubnetId(h)) for h in hops)
    return Route(
        id=RouteId(name),
        meta=meta(name),
        vpc=VpcId(vpc),
        destination=destination,
        next_hops=found,
        priority=priority,
    )


def policy(name: str, priority: int, action: str, **fields: Any) -> RoutingPolicy:
    """Return a policy of red."""
    return RoutingPolicy(
        id=RoutingPolicyId(name),
        meta=meta(name),
        vpc=VpcId("red"),
        priority=priority,
        action=PolicyAction(action),
        **fields,
    )


def _at(subnet: str, number: int) -> ExternalConnection:
    head = {"wan": "203.0.113", "lan": "198.51.100", "core": "100.64.0"}[subnet]
    return ExternalConnection(
        subnet=SubnetId(subnet), ipv4_address=f"{head}.{number}", mac_address=f"50:6b:8d:00:01:{number:02x}"
    )


def _outer(name: str, head: str, *, nat: bool, vpc: str = "") -> Subnet:
    return Subnet(
        id=SubnetId(name),
        meta=meta(name),
        kind=SubnetKind.EXTERNAL,
        virtual_switches=() if vpc else (VirtualSwitchId("vs0"),),
        clusters=(ClusterId("c1"),),
        vpc=VpcId(vpc),
        nat=nat,
        ipv4=IpConfig(version=4, cidr=f"{head}.0/24", gateway=f"{head}.1"),
    )


def _inner(name: str, vpc: str, number: int) -> Subnet:
    return Subnet(
        id=SubnetId(name),
        meta=meta(name),
        kind=SubnetKind.OVERLAY,
        clusters=(ClusterId("c1"),),
        vpc=VpcId(vpc),
        ipv4=IpConfig(version=4, cidr=f"10.0.{number}.0/24", gateway=f"10.0.{number}.1"),
    )
