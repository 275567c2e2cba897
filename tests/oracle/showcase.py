"""One layout by hand that has a case of everything: what random ones meet now and then, at every run.

`red` (three subnets, three ways out, a firewall of two legs), `green` beside it with the same networks, both in the
transit VPC `hub`. What does not work: the preferred way of one route, the service of one policy.
"""

from __future__ import annotations

from typing import Any

from netctl.model.floating_ip import FloatingIp
from netctl.model.intent import Intent
from netctl.model.keys import (
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
from netctl.model.routing_policy import (
    Endpoint,
    Fallback,
    PolicyAction,
    PortRange,
    Protocol,
    RoutingPolicy,
)
from netctl.model.subnet import IpConfig, Subnet, SubnetKind
from netctl.model.vpc import ExternalConnection, Vpc, VpcKind
from tests.oracle.layouts import CLUSTER, CORE, HUB, NETWORKS, PLACES, Builder, Made, external, infra

FIREWALL, SECOND_LEG, BROKEN = "10.0.2.7", "10.0.2.10", "10.0.2.8"
ANY, WORLD = Endpoint(), Endpoint(external=True)
WEB, APP = Endpoint(cidr="10.0.0.0/24"), Endpoint(cidr="10.0.1.0/24")


def showcase() -> Made:
    """Return the layout; all of it must be admitted."""
    builder = Builder()
    everything = (*infra(), *_outside(), *_red(), *_green(), *_floating_ips(), *_routes(), *_policies())
    for intent in everything:
        builder.add(intent)
    assert not builder.refused, builder.refused
    return builder.made(frozenset({("red", "198.51.100.250"), ("red", BROKEN)}))


def _outside() -> tuple[Intent, ...]:
    found: list[Intent] = []
    for name, (switch, vlan_id, nat) in PLACES.items():
        place = {"virtual_switches": (VirtualSwitchId(switch),), "vlan_id": vlan_id}
        found.append(external(name, nat=nat, dual=True, **place))
    hub = Vpc(id=VpcId(HUB), kind=VpcKind.TRANSIT, external_connections=_at("wan"))
    return (*found, hub, external(CORE, nat=False, dual=True, vpc=VpcId(HUB), clusters=(CLUSTER,)))


def _red() -> tuple[Intent, ...]:
    prefixes = (NETWORKS[1][0], NETWORKS[1][1])
    return (
        Vpc(
            id=VpcId("red"),
            external_connections=_at("wan", "lan", CORE),
            externally_routable_prefixes=prefixes,
        ),
        *(_subnet("red", number) for number in range(3)),
        _nic("red-0", "web", "10.0.0.5"),
        _nic("red-0", "far-web", "10.0.0.6", host="h3"),
        _nic("red-1", "app", "10.0.1.5", host="h2"),
        _nic("red-2", "fire", FIREWALL, port_security=False),
        _nic("red-2", "leg", SECOND_LEG, port_security=False),
        _nic("red-2", "broken", BROKEN, host="h2", port_security=False),
        _nic("red-2", "plain", "10.0.2.9"),
        _nic("red-2", "high", "10.0.2.200"),
    )


def _green() -> tuple[Intent, ...]:
    return (
        Vpc(
            id=VpcId("green"),
            external_connections=_at("wan", CORE),
            externally_routable_prefixes=(NETWORKS[3][0], NETWORKS[3][1]),
        ),
        _subnet("green", 0),
        _subnet("green", 3),
        _nic("green-0", "green-web", "10.0.0.5", host="h2"),
        _nic("green-3", "green-app", "10.0.3.5"),
    )


def _floating_ips() -> tuple[Intent, ...]:
    return (
        _floating("f-near", "198.51.100.101", nic=NicId("web")),
        _floating("f-far", "198.51.100.102", nic=NicId("far-web")),
        _floating("f-app", "198.51.100.103", vpc=VpcId("red"), private_address="10.0.1.5"),
        _floating("f-green", "198.51.100.104", nic=NicId("green-web")),
        _floating("f-nobody", "198.51.100.105"),
        _floating("f-six", "2001:db8:100::106", nic=NicId("web")),
    )


def _routes() -> tuple[Intent, ...]:
    return (
        _route("red", "0.0.0.0/0", "wan"),
        _route("red", "::/0", "wan"),
        _route("red", "203.0.112.0/24", "lan", priority=50),
        _route("red", "203.0.112.0/24", "198.51.100.250", priority=200),  # does not work
        _route("red", "172.20.0.0/16", "192.0.2.250", "192.0.2.251", priority=60),
        _route("red", "172.20.0.0/16", "wan", priority=50),
        _route("red", "172.16.0.0/12", FIREWALL),
        _route("red", "10.0.3.0/24", CORE),
        _route("green", "0.0.0.0/0", CORE),
        _route("green", "::/0", CORE),
        _route("green", "10.0.2.192/26", "198.51.100.3"),  # behind the NAT of red
        _route(HUB, "0.0.0.0/0", "wan"),
        _route(HUB, "::/0", "wan"),
    )


def _policies() -> tuple[Intent, ...]:
    web, range_ = PortRange(first=80, last=80), PortRange(first=1000, last=1999)
    tcp = {"protocol": Protocol.TCP, "destination_ports": (web, range_)}
    return (
        _policy("permit-web", 900, PolicyAction.PERMIT, source=WEB, destination=APP, **tcp),
        _policy(
            "deny-tcp",
            800,
            PolicyAction.DENY,
            source=WEB,
            destination=APP,
            protocol=Protocol.TCP,
            bidirectional=True,
        ),
        _policy("permit-in", 750, PolicyAction.PERMIT, source=WORLD, protocol=Protocol.TCP),
        _policy("deny-ping-in", 700, PolicyAction.DENY, source=WORLD, protocol=Protocol.ICMP),
        _policy(
            "deny-dns-out",
            600,
            PolicyAction.DENY,
            destination=WORLD,
            protocol=Protocol.UDP,
            destination_ports=(PortRange(first=53, last=53),),
        ),
        _policy(
            "inspect",
            500,
            PolicyAction.REROUTE,
            source=WEB,
            destination=APP,
            protocol=Protocol.UDP,
            service_ips=(FIREWALL, SECOND_LEG),
            bidirectional=True,
        ),
        _policy(
            "inspect-all",
            400,
            PolicyAction.REROUTE,
            source=APP,
            destination=WORLD,
            service_ips=(FIREWALL,),
            bidirectional=True,
        ),
        _policy(
            "fallback",
            300,
            PolicyAction.REROUTE,
            source=WEB,
            destination=Endpoint(cidr="10.0.2.9/32"),
            service_ips=(BROKEN,),
            fallback=Fallback.DROP,
        ),
        _policy(
            "deny-nat-ed", 200, PolicyAction.DENY, source=Endpoint(cidr="10.0.0.6/32"), destination=WORLD
        ),
    )


def _at(*names: str) -> tuple[ExternalConnection, ...]:
    return tuple(ExternalConnection(subnet=SubnetId(name)) for name in names)


def _subnet(vpc: str, number: int) -> Subnet:
    v4, v6 = NETWORKS[number]
    return Subnet(
        id=SubnetId(f"{vpc}-{number}"),
        kind=SubnetKind.OVERLAY,
        vpc=VpcId(vpc),
        clusters=(CLUSTER,),
        ipv4=IpConfig(version=4, cidr=v4),
        ipv6=IpConfig(version=6, cidr=v6),
    )


def _nic(subnet: str, name: str, address: str, *, host: str = "h1", **fields: Any) -> Nic:
    return Nic(id=NicId(name), subnet=SubnetId(subnet), host=HostId(host), ipv4_address=address, **fields)


def _floating(name: str, address: str, **fields: Any) -> FloatingIp:
    return FloatingIp(id=FloatingIpId(name), external_subnet=SubnetId("wan"), address=address, **fields)


def _route(vpc: str, destination: str, *hops: str, priority: int = 100) -> Route:
    found = (
        NextHop(ip_address=hop) if "." in hop else NextHop(external_subnet=SubnetId(hop)) for hop in hops
    )
    name = f"{vpc}-{destination}-{priority}".translate(str.maketrans("./:", "---"))
    return Route(
        id=RouteId(name),
        vpc=VpcId(vpc),
        destination=destination,
        next_hops=tuple(found),
        priority=priority,
    )


def _policy(name: str, priority: int, action: PolicyAction, **fields: Any) -> RoutingPolicy:
    return RoutingPolicy(
        id=RoutingPolicyId(name), vpc=VpcId("red"), priority=priority, action=action, **fields
    )
