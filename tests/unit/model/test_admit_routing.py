"""Admission of floating IPs, routes and routing policies."""

from typing import Any

import pytest

from netctl.errors import AlreadyExists, Exhausted, InvalidIntent, NotFound
from netctl.model.infra import Meta
from netctl.model.intent import Create, Remove, Replace
from netctl.model.keys import Kind, NicId, SubnetId, VpcId
from netctl.model.nic import NicMode, TrunkVlan
from netctl.model.route import Bfd
from netctl.model.routing_policy import Endpoint, PolicyAction
from netctl.model.vpc import VpcKind
from tests.unit.model.world import (
    World,
    cluster,
    external,
    floating,
    host,
    ipv4,
    ipv6,
    nic,
    overlay,
    policy,
    route,
    switch,
    vlan,
    vpc,
)

V1 = VpcId("v1")
FIP, NIC = Kind.FLOATING_IP, Kind.NIC


@pytest.fixture
def world() -> World:
    return World(
        cluster(),
        switch("vs0"),
        host("h1", "192.0.2.1/24", "c1", "vs0"),
        external(ipv6=ipv6("2001:db8::/64", "2001:db8::1"), ipv4=ipv4("203.0.113.0/24", "203.0.113.1")),
        external("routed", 101, nat=False, ipv4=ipv4("198.51.100.0/24", "198.51.100.1")),
        vpc("v1", "ext", "routed"),
        overlay("s1", vpc=V1, ipv4=ipv4(), ipv6=ipv6()),
        overlay("s2", vpc=V1, ipv4=ipv4("10.0.1.0/24")),
        vlan("web", ipv4=ipv4("10.9.0.0/24")),
        nic("n1", "s1", ipv4_address="10.0.0.5"),
        nic("n2", "s1", ipv4_address="10.0.0.6", port_security=False),
        nic("alone", "web"),
    )


def test_a_floating_ip_of_nothing_gets_its_addresses(world: World) -> None:
    stored = world.create(floating())
    assert (stored.address, stored.mac_address) == ("203.0.113.3", "50:6b:8d:00:00:0b")
    admitted = world.admit(Replace(intent=floating()))
    assert admitted[0].before is admitted[0].after


@pytest.mark.parametrize(
    ("fields", "error", "field", "text"),
    [
        ({"external": "nope"}, NotFound, "external_subnet", "subnets/nope does not exist"),
        ({"external": "s1"}, InvalidIntent, "external_subnet", "subnets/s1 is not EXTERNAL"),
        ({"external": "routed"}, InvalidIntent, "external_subnet", "subnets/routed has no NAT"),
        ({"nic": "nope"}, NotFound, "nic", "nics/nope does not exist"),
        ({"nic": "alone"}, InvalidIntent, "nic", "nics/alone is in no VPC"),
        (
            {"vpc": "v9", "private_address": "10.0.0.9"},
            NotFound,
            "vpc",
            "vpcs/v9 does not exist: create it first",
        ),
        ({"vpc": "v1", "private_address": "10.7.0.9"}, InvalidIntent, "private_address", "is in no subnet"),
        ({"vpc": "v1", "private_address": "10.0.0.1"}, InvalidIntent, "private_address", "the router's"),
        ({"vpc": "v1", "private_address": "10.0.0.254"}, InvalidIntent, "private_address", "DHCP server's"),
        ({"vpc": "v1", "private_address": "10.0.0.255"}, InvalidIntent, "private_address", "broadcast"),
        ({"address": "203.0.114.9"}, InvalidIntent, "address", "is not in 203.0.113.0/24"),
        ({"address": "203.0.113.1"}, InvalidIntent, "address", "is the gateway of subnets/ext"),
        ({"address": "203.0.113.2"}, AlreadyExists, "address", "is held by vpcs/v1"),
        ({"address": "203.0.113.255"}, InvalidIntent, "address", "broadcast address"),
    ],
)
def test_what_no_floating_ip_can_be(
    world: World, fields: dict[str, Any], error: Any, field: str, text: str
) -> None:
    world.refuse(Create(intent=floating(**fields)), error, field, text)


def test_an_address_outside_the_pool_is_refused() -> None:
    world = World(
        cluster(),
        switch(),
        external(ipv4=ipv4("203.0.113.0/24", "203.0.113.1", pools="203.0.113.10-203.0.113.11")),
    )
    world.refuse(
        Create(intent=floating(address="203.0.113.12")), InvalidIntent, "address", "outside the pools"
    )
    world.create(floating("f1", address="203.0.113.11"))
    world.create(floating("f2"))
    world.refuse(Create(intent=floating("f3")), Exhausted, "address", "all 2 addresses of its pools")


def test_one_floating_ip_for_a_nic_and_ip_version(world: World) -> None:
    world.create(floating("f1", nic="n1"))
    world.refuse(Create(intent=floating("f2", nic="n1")), AlreadyExists, "nic", "floatingIps/f1")
    six = world.create(floating("f6", nic="n1", address="2001:db8::77"))
    assert six.address == "2001:db8::77"
    private = {"vpc": V1, "private_address": "10.0.0.5"}
    world.refuse(Create(intent=floating("f3", **private)), AlreadyExists, "private_address", "floatingIps/f1")
    world.replace(floating("f1"))
    world.create(floating("f3", **private))
    world.refuse(Replace(intent=floating("f1", nic="n1")), AlreadyExists, "nic", "floatingIps/f3")
    world.refuse(Create(intent=floating("f4", **private)), AlreadyExists, "private_address", "floatingIps/f3")


def test_to_associate_anew_is_one_change(world: World) -> None:
    first = world.create(floating("f1", nic="n1"))
    second = world.replace(floating("f1", nic="n2"))
    assert (second.address, second.mac_address, second.nic) == (first.address, first.mac_address, "n2")
    world.create(floating("f2", nic="n1"))
    world.refuse(Replace(intent=floating("f2", nic="n2")), AlreadyExists, "nic", "floatingIps/f1")
    third = world.replace(floating("f1", vpc=V1, private_address="10.0.0.77"))
    assert (third.nic, third.private_address) == ("", "10.0.0.77")
    for changed, field in (
        (floating("f1", "routed"), "external_subnet"),
        (floating("f1", address="203.0.113.99"), "address"),
    ):
        world.refuse(Replace(intent=changed), InvalidIntent, field, "cannot change from")


def test_the_version_is_that_of_the_private_address(world: World) -> None:
    six = world.create(floating("f6", vpc=V1, private_address="fd00::77"))
    assert six.address == "2001:db8::1001"
    world.create(overlay("only6", vpc=V1, ipv6=ipv6("fd00:9::/64")))
    world.create(nic("n6", "only6"))
    assert ":" in world.create(floating("g6", nic="n6")).address
    world.refuse(
        Create(intent=floating("g4", nic="n6", address="203.0.113.9")),
        InvalidIntent,
        "nic",
        "nics/n6 has no IPv4 address in its subnet",
    )


def test_a_vpc_must_be_connected_to_the_external_subnet(world: World) -> None:
    world.create(external("far", 102, ipv4=ipv4("192.0.2.0/24", "192.0.2.1")))
    for target in ({"nic": "n1"}, {"vpc": V1, "private_address": "10.0.0.9"}):
        field = "nic" if "nic" in target else "vpc"
        world.refuse(
            Create(intent=floating("f1", "far", **target)),
            InvalidIntent,
            field,
            "vpcs/v1 is not connected to subnets/far: add it to its external_connections",
        )
    world.create(floating("f1", "far"))


def test_nics_and_addresses_of_floating_ips_stay(world: World) -> None:
    world.create(floating("f1", nic="n1"))
    world.create(floating("f2", vpc=V1, private_address="10.0.0.6"))
    world.refuse_in_use(Remove(key=(NIC, "n1")), "name", "floatingIps/f1")
    world.refuse_in_use(Remove(key=(NIC, "n2")), "name", "floatingIps/f2")
    n1, n2 = world.stored(NIC, "n1"), world.stored(NIC, "n2")
    assert world.replace(n1, ipv4_address="10.0.0.50").ipv4_address == "10.0.0.50"
    with pytest.raises(Exception, match=r"10.0.0.6 of nics/n2 is used by floatingIps/f2"):
        world.replace(n2, ipv4_address="10.0.0.51")
    world.create(floating("f3", vpc=V1, private_address="10.0.0.60"))
    with pytest.raises(AlreadyExists, match=r"10.0.0.60 has floatingIps/f3, and nics/n1 has floatingIps/f1"):
        world.replace(n1, ipv4_address="10.0.0.60")
    subnet = world.stored(Kind.SUBNET, "s1")
    world.create(floating("f6", vpc=V1, private_address="fd00::77"))
    asked = Replace(intent=overlay("s1", vpc=V1, ipv4=subnet.ipv4))
    world.refuse_in_use(asked, "ipv6", "floatingIps/f6", "nics/n1", "nics/n2")
    moved = overlay("s1", vpc=V1, ipv4=ipv4(gateway="10.0.0.60"), ipv6=subnet.ipv6)
    world.refuse_in_use(Replace(intent=moved), "ipv4.gateway", "floatingIps/f3")


def test_a_private_address_with_a_floating_ip_is_given_to_nobody_by_chance(world: World) -> None:
    world.create(overlay("tiny", vpc=V1, ipv4=ipv4("10.5.0.0/29")))
    world.create(floating("f1", vpc=V1, private_address="10.5.0.3"))
    assert [world.create(nic(f"m{i}", "tiny")).ipv4_address for i in range(3)] == [
        "10.5.0.2",
        "10.5.0.4",
        "10.5.0.5",
    ]
    world.refuse(Create(intent=nic("m3", "tiny")), Exhausted, "ipv4_address")
    world.create(nic("vip", "tiny", ipv4_address="10.5.0.3"))


# Routes


def test_a_route_leads_to_what_the_router_can_reach(world: World) -> None:
    world.create(route("r1", "v1", "0.0.0.0/0", "ext"))
    world.create(route("r2", "v1", "192.0.2.0/24", "203.0.113.9", "198.51.100.9", "10.0.0.6"))
    world.create(route("r6", "v1", "::/0", "ext", "fd00::9"))
    admitted = world.admit(Replace(intent=route("r1", "v1", "0.0.0.0/0", "ext")))
    assert admitted[0].before is admitted[0].after


@pytest.mark.parametrize(
    ("asked", "error", "field", "text"),
    [
        (route("r", "v9"), NotFound, "vpc", "vpcs/v9 does not exist"),
        (route("r", "v1", "0.0.0.0/0", "nope"), NotFound, "next_hops[0].external_subnet", "subnets/nope"),
        (
            route("r", "v1", "0.0.0.0/0", "ext", "s1"),
            InvalidIntent,
            "next_hops[1].external_subnet",
            "vpcs/v1 is not connected to subnets/s1",
        ),
        (
            route("r", "v1", "::/0", "routed"),
            InvalidIntent,
            "next_hops[0].external_subnet",
            "no IPv6 gateway",
        ),
        (
            route("r", "v1", "0.0.0.0/0", "192.0.2.1"),
            InvalidIntent,
            "next_hops[0].ip_address",
            "192.0.2.1 is in no network of vpcs/v1",
        ),
        (
            route("r", "v1", "10.0.0.0/8", "10.0.2.1"),
            InvalidIntent,
            "next_hops[0].ip_address",
            "is in no network",
        ),
        (
            route("r", "v1", "0.0.0.0/0", "10.0.0.1"),
            InvalidIntent,
            "next_hops[0].ip_address",
            "10.0.0.1 is the router's own address",
        ),
        (
            route("r", "v1", "0.0.0.0/0", "203.0.113.2"),
            InvalidIntent,
            "next_hops[0].ip_address",
            "203.0.113.2 is the router's own address",
        ),
        (
            route("r", "v1", "0.0.0.0/0", "10.0.0.255"),
            InvalidIntent,
            "next_hops[0].ip_address",
            "broadcast address",
        ),
        (
            route("r", "v1", "0.0.0.0/0", "ext", "203.0.113.1"),
            InvalidIntent,
            "next_hops[1]",
            "203.0.113.1 is a next hop already",
        ),
        (
            route("r", "v1", "0.0.0.0/0", "ext", "10.0.0.9", bfd=Bfd()),
            InvalidIntent,
            "bfd",
            "10.0.0.9 is in subnets/s1",
        ),
        (route("r", "v1", "10.0.0.0/24"), InvalidIntent, "destination", "inside 10.0.0.0/24 of subnets/s1"),
        (route("r", "v1", "10.0.0.64/26"), InvalidIntent, "destination", "inside 10.0.0.0/24 of subnets/s1"),
        (route("r", "v1", "203.0.113.9/32"), InvalidIntent, "destination", "of subnets/ext"),
        (route("r", "v1", "fd00::/65"), InvalidIntent, "destination", "inside fd00::/64 of subnets/s1"),
    ],
)
def test_what_no_route_can_be(world: World, asked: Any, error: Any, field: str, text: str) -> None:
    world.refuse(Create(intent=asked), error, field, text)


def test_routes_to_one_destination_have_priorities(world: World) -> None:
    world.create(route("r1", "v1", "10.0.0.0/8"))
    world.refuse(
        Create(intent=route("r2", "v1", "10.0.0.0/8")), AlreadyExists, "priority", "routes/r1 leads to"
    )
    world.create(route("r2", "v1", "10.0.0.0/8", priority=200))
    world.refuse(Replace(intent=route("r2", "v1", "10.0.0.0/8")), AlreadyExists, "priority", "routes/r1")
    world.create(route("r3", "v1", "10.0.0.0/9"))
    world.create(vpc("v2", "ext"))
    world.create(route("r4", "v2", "10.0.0.0/8"))
    world.refuse(
        Replace(intent=route("r1", "v1", "10.0.0.0/7")), InvalidIntent, "destination", "cannot change"
    )
    world.refuse(Replace(intent=route("r4", "v1", "10.0.0.0/8")), InvalidIntent, "vpc", "cannot change")


def test_a_subnet_does_not_swallow_a_route(world: World) -> None:
    world.create(route("r1", "v1", "10.7.4.0/24", "10.0.0.9"))
    for cidr in ("10.7.4.0/24", "10.7.0.0/16", "10.7.4.0/22"):
        asked = overlay("s9", vpc=V1, ipv4=ipv4(cidr))
        world.refuse(
            Create(intent=asked),
            InvalidIntent,
            "ipv4.cidr",
            f"{cidr} contains the destination of routes/r1",
        )
    world.create(overlay("s8", vpc=V1, ipv4=ipv4("10.7.4.0/25")))


def test_a_subnet_with_next_hops_stays(world: World) -> None:
    world.create(route("r1", "v1", "0.0.0.0/0", "10.0.1.9"))
    world.refuse_in_use(Remove(key=(Kind.SUBNET, "s2")), "name", "routes/r1")
    moved = overlay("s2", vpc=V1, ipv4=ipv4("10.0.1.0/24", "10.0.1.9"))
    world.refuse_in_use(Replace(intent=moved), "ipv4.gateway", "routes/r1")
    other = overlay("s2", vpc=V1, ipv6=ipv6("fd00:2::/64"))
    world.refuse_in_use(Replace(intent=other), "ipv4", "routes/r1")
    world.remove(Kind.ROUTE, "r1")
    world.replace(moved)
    world.remove(Kind.SUBNET, "s2")


def test_a_hub_routes_to_routers_of_its_spokes(world: World) -> None:
    world.create(vpc("hub", "ext", kind=VpcKind.TRANSIT))
    world.create(external("in", vpc=VpcId("hub"), nat=False, ipv4=ipv4("100.64.0.0/24")))
    world.create(vpc("spoke", "in", externally_routable_prefixes=("10.5.0.0/16",)))
    world.create(route("r1", "hub", "10.6.0.0/16", "100.64.0.2"))
    world.refuse(
        Create(intent=route("r2", "hub", "10.5.4.0/24", "100.64.0.2")),
        InvalidIntent,
        "destination",
        "is inside a prefix of vpcs/spoke",
    )
    world.refuse(
        Create(intent=route("r3", "hub", "10.7.0.0/16", "10.5.0.9")), InvalidIntent, "next_hops[0].ip_address"
    )
    world.refuse(
        Create(intent=route("r4", "hub", "10.7.0.0/16", "100.64.0.2", bfd=Bfd())), InvalidIntent, "bfd"
    )
    world.create(route("r5", "spoke", "0.0.0.0/0", "in", bfd=Bfd()))


# Routing policies


def test_a_priority_is_used_once_in_a_vpc(world: World) -> None:
    world.create(policy("p1", "v1", 100))
    world.refuse(
        Create(intent=policy("p2", "v1", 100)),
        AlreadyExists,
        "priority",
        "priority 100 in vpcs/v1 is that of routingPolicies/p1",
    )
    world.create(policy("p2", "v1", 101, source=Endpoint(external=True), action=PolicyAction.DENY))
    world.refuse(Replace(intent=policy("p2", "v1", 100)), AlreadyExists, "priority", "routingPolicies/p1")
    world.create(vpc("v2"))
    world.create(policy("p3", "v2", 100))
    world.refuse(Replace(intent=policy("p3", "v1", 102)), InvalidIntent, "vpc", "cannot change from v2 to v1")
    world.refuse(Create(intent=policy("p4", "v9")), NotFound, "vpc", "vpcs/v9 does not exist")
    assert world.replace(policy("p1", "v1", 99)).priority == 99


def test_a_service_is_a_nic_of_the_vpc_without_port_security(world: World) -> None:
    world.create(policy("p1", "v1", 100, "10.0.0.6"))
    for address, text in (
        ("10.0.0.99", "no NIC in vpcs/v1 has the address 10.0.0.99"),
        ("10.0.0.1", "no NIC in vpcs/v1 has the address"),
        ("10.9.0.1", "no NIC in vpcs/v1"),
        ("10.0.0.5", "nics/n1, whose port security drops"),
    ):
        world.refuse(
            Create(intent=policy("p2", "v1", 101, "10.0.0.6", address)),
            InvalidIntent,
            "service_ips[1]",
            text,
        )


def test_a_next_hop_behind_port_security_is_refused(world: World) -> None:
    refused = Create(intent=route("r1", "v1", "192.0.2.0/24", "10.0.0.5"))
    world.refuse(refused, InvalidIntent, "next_hops[0].ip_address", "nics/n1, whose port security drops")
    world.create(route("r1", "v1", "192.0.2.0/24", "10.0.0.6"))
    with pytest.raises(Exception, match=r"sent on by nics/n2.*routes/r1"):
        world.replace(world.stored(NIC, "n2"), port_security=True)


def test_a_nic_that_is_rerouted_to_keeps_what_makes_it_so(world: World) -> None:
    world.create(policy("p1", "v1", 100, "10.0.0.6"))
    stored = world.stored(NIC, "n2")
    world.refuse_in_use(Remove(key=(NIC, "n2")), "name", "routingPolicies/p1")
    with pytest.raises(Exception, match="port security would stop what is sent on"):
        world.replace(stored, port_security=True)
    with pytest.raises(Exception, match=r"10.0.0.6 of nics/n2 is used by routingPolicies/p1"):
        world.replace(stored, ipv4_address="10.0.0.7")
    world.replace(stored, meta=Meta(display_name="firewall"), connected=False)
    world.remove(Kind.ROUTING_POLICY, "p1")
    world.replace(stored, port_security=True, ipv4_address="10.0.0.7")


def test_a_service_may_be_a_vlan_of_a_trunk(world: World) -> None:
    child = TrunkVlan(vlan_id=7, subnet=SubnetId("s2"), ipv4_address="10.0.1.9")
    trunk = {"mode": NicMode.TRUNK, "port_security": False}
    stored = world.create(nic("t1", "web", trunk_vlans=(child,), **trunk))
    world.create(policy("p1", "v1", 100, "10.0.1.9"))
    without = nic("t1", "web", **trunk, trunk_vlans=(TrunkVlan(vlan_id=8, subnet=SubnetId("s1")),))
    world.refuse_in_use(Replace(intent=without), "trunk_vlans", "routingPolicies/p1")
    world.refuse_in_use(Remove(key=(NIC, NicId("t1"))), "name", "routingPolicies/p1")
    world.refuse_in_use(Remove(key=(Kind.SUBNET, "s2")), "name", "nics/t1")
    assert stored.trunk_vlans[0].ipv4_address == "10.0.1.9"
