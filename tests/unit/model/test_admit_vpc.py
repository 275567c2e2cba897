"""Admission of VPCs: connections, gateways, overlaps, loops, and what keeps a VPC as it is."""

from dataclasses import replace
from typing import Any

import pytest

from netctl.errors import AlreadyExists, Exhausted, InvalidIntent, NotFound, Unsupported
from netctl.model.intent import Create, Remove, Replace
from netctl.model.keys import HostId, Kind, SubnetId, VpcId
from netctl.model.vpc import ExternalConnection, Vpc, VpcKind
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
    reservation,
    route,
    switch,
    vlan,
    vpc,
)

V1, HUB = VpcId("v1"), VpcId("hub")


@pytest.fixture
def world() -> World:
    return World(
        cluster(),
        switch("vs0"),
        switch("vs1"),
        host("h1", "192.0.2.1/24", "c1", "vs0"),
        host("h2", "192.0.2.2/24", "c1", "vs0", "vs1"),
        host("h3", "192.0.2.3/24", "c1", "vs0"),
        host("bare", "192.0.2.4/24"),
        external(),
        vlan("web"),
    )


def connection(subnet: str = "ext", *hosts: str, **fields: Any) -> ExternalConnection:
    return ExternalConnection(
        subnet=SubnetId(subnet), gateway_hosts=tuple(HostId(id) for id in hosts), **fields
    )


def connected(id: str, *connections: ExternalConnection, **fields: Any) -> Vpc:
    return vpc(id, external_connections=connections, **fields)


def gateways(world: World, id: str = "v1", at: int = 0) -> tuple[str, ...]:
    found: tuple[str, ...] = world.stored(Kind.VPC, id).external_connections[at].gateways
    return found


def test_a_vpc_gets_a_number_and_its_router_addresses(world: World) -> None:
    stored = world.create(vpc("v1", "ext"))
    assert stored.vni == 3  # of the same numbers as those of subnets
    (made,) = stored.external_connections
    assert (made.ipv4_address, made.ipv6_address, made.mac_address) == (
        "203.0.113.2",
        "",
        "50:6b:8d:00:00:01",
    )
    assert len(made.gateways) == 2
    assert world.create(vpc("v2", "ext")).external_connections[0].ipv4_address == "203.0.113.3"
    admitted = world.admit(Replace(intent=vpc("v1", "ext")))
    assert admitted[0].before is admitted[0].after


def test_addresses_of_the_router_are_of_the_pools() -> None:
    world = World(
        cluster(),
        switch(),
        host("h1", "192.0.2.1/24", "c1", "vs0"),
        external(
            ipv4=ipv4("203.0.113.0/24", "203.0.113.1", pools="203.0.113.10-203.0.113.12"),
            ipv6=ipv6("2001:db8::/64", "2001:db8::1"),
        ),
    )
    for field, text, reason in (
        ("ipv4_address", "203.0.113.9", "outside the pools of subnets/ext (203.0.113.10-203.0.113.12)"),
        ("ipv4_address", "203.0.114.9", "is not in 203.0.113.0/24"),
        ("ipv4_address", "203.0.113.1", "is the gateway of subnets/ext"),
        ("ipv6_address", "2001:db8::1", "is the gateway of subnets/ext"),
    ):
        asked = connected("v1", connection(**{field: text}))
        world.refuse(Create(intent=asked), InvalidIntent, f"external_connections[0].{field}", reason)
    made = world.create(connected("v1", connection(ipv4_address="203.0.113.11"))).external_connections[0]
    assert (made.ipv4_address, made.ipv6_address) == ("203.0.113.11", "2001:db8::1000")
    world.refuse(
        Create(intent=connected("v2", connection(ipv4_address="203.0.113.11"))),
        AlreadyExists,
        "external_connections[0].ipv4_address",
        "is held by vpcs/v1",
    )
    world.create(vpc("v2", "ext"))
    world.create(vpc("v3", "ext"))
    world.refuse(
        Create(intent=vpc("v4", "ext")), Exhausted, "external_connections[0].ipv4_address", "all 3 addresses"
    )


def test_references_of_connections_are_checked(world: World) -> None:
    field = "external_connections[0]"
    world.refuse(Create(intent=vpc("v1", "nope")), NotFound, f"{field}.subnet", "subnets/nope does not exist")
    world.refuse(Create(intent=vpc("v1", "web")), InvalidIntent, f"{field}.subnet", "is not EXTERNAL")
    world.refuse(
        Create(intent=connected("v1", connection("ext", "nope"))),
        NotFound,
        f"{field}.gateway_hosts[0]",
        "hosts/nope does not exist",
    )
    world.refuse(
        Create(intent=connected("v1", connection("ext", "h1", "bare"))),
        InvalidIntent,
        f"{field}.gateway_hosts[1]",
        "hosts/bare has no uplink of virtualSwitches/vs0",
    )


def test_without_a_host_that_could_be_the_gateway_there_is_no_connection() -> None:
    world = World(cluster(), switch(), host("h1"), external())
    world.refuse(
        Create(intent=vpc("v1", "ext")),
        InvalidIntent,
        "external_connections[0].subnet",
        "each has no uplink of virtualSwitches/vs0",
    )


def test_gateways_are_spread_and_stay_when_a_host_comes(world: World) -> None:
    for i in range(30):
        world.create(vpc(f"v{i}", "ext"))
    first = [gateways(world, f"v{i}")[0] for i in range(30)]
    roles = [host for i in range(30) for host in gateways(world, f"v{i}")]
    assert {host: roles.count(host) for host in ("h1", "h2", "h3")} == {"h1": 20, "h2": 20, "h3": 20}
    assert all(first.count(host) >= 4 for host in ("h1", "h2", "h3"))
    before = [gateways(world, f"v{i}") for i in range(30)]
    world.create(host("h4", "192.0.2.9/24", "c1", "vs0"))
    assert [gateways(world, f"v{i}") for i in range(30)] == before
    assert gateways_of_new(world)[0] == "h4"


def gateways_of_new(world: World) -> tuple[str, ...]:
    world.create(vpc("new", "ext"))
    return gateways(world, "new")


def test_the_number_of_gateways_is_what_was_asked_for(world: World) -> None:
    world.create(connected("v1", connection(gateway_host_count=3)))
    three = gateways(world)
    assert set(three) == {"h1", "h2", "h3"}
    world.replace(connected("v1", connection(gateway_host_count=1)))
    assert gateways(world) == three[:1]
    world.replace(connected("v1", connection(gateway_host_count=5)))
    assert gateways(world)[0] == three[0]
    assert set(gateways(world)) == {"h1", "h2", "h3"}
    world.replace(connected("v1", connection("ext", "h3", "h1")))
    assert gateways(world) == ("h3", "h1")


@pytest.mark.parametrize("how", ["removed", "uplink lost"])
def test_a_gateway_that_goes_is_replaced_in_the_same_change(world: World, how: str) -> None:
    world.create(vpc("v1", "ext"))
    world.create(vpc("v2", "ext"))
    lost, kept = gateways(world)
    spare = ({"h1", "h2", "h3"} - {lost, kept}).pop()
    addresses = {"h1": "192.0.2.1/24", "h2": "192.0.2.2/24", "h3": "192.0.2.3/24"}
    edit = Remove(key=(Kind.HOST, lost)) if how == "removed" else Replace(intent=host(lost, addresses[lost]))
    first, *more = world.admit(edit)
    assert first.key == (Kind.HOST, lost)
    assert (Kind.VPC, "v1") in [one.key for one in more]
    assert gateways(world) == (kept, spare)
    assert world.stored(Kind.VPC, "v1").meta.revision == world.revision
    assert lost not in gateways(world, "v2")


def test_a_gateway_by_name_or_the_last_one_keeps_its_host(world: World) -> None:
    world.create(connected("named", connection("ext", "h1")))
    world.refuse_in_use(Remove(key=(Kind.HOST, "h1")), "name", "vpcs/named")
    world.refuse_in_use(Replace(intent=host("h1", "192.0.2.1/24")), "uplinks", "vpcs/named")
    world.create(external("other", 101, "vs1", ipv4=ipv4("198.51.100.0/24", "198.51.100.1")))
    world.create(vpc("last", "other"))
    assert gateways(world, "last") == ("h2",)
    world.refuse_in_use(Remove(key=(Kind.HOST, "h2")), "name", "vpcs/last")
    world.create(vpc("v1", "ext"))  # moves or not, with the others it is refused as a whole
    world.refuse_in_use(Replace(intent=host("h2", "192.0.2.2/24", "c1", "vs0")), "uplinks", "vpcs/last")
    world.replace(connected("named", connection("ext", "h3")))
    world.remove(Kind.HOST, "h1")


def test_an_uplink_changed_otherwise_moves_no_gateway(world: World) -> None:
    world.create(connected("v1", connection(gateway_host_count=3)))
    before = gateways(world)
    assert len(world.admit(Replace(intent=host("h2", "192.0.2.2/24", "c1", "vs0")))) == 1
    assert gateways(world) == before


def test_inside_a_transit_vpc_is_no_nat_and_no_gateway(world: World) -> None:
    world.create(vpc("hub", "ext", kind=VpcKind.TRANSIT))
    inside = external("routed", vpc=HUB, ipv4=ipv4("100.64.1.0/24"))
    world.refuse(Create(intent=replace(inside, nat=True)), Unsupported, "nat", "set nat to false")
    world.create(inside)
    stored = world.create(vpc("v1", "routed"))
    assert stored.external_connections[0].gateways == ()
    assert stored.external_connections[0].ipv4_address == "100.64.1.2"
    world.refuse(
        Create(intent=connected("v3", connection("routed", "h1"))),
        InvalidIntent,
        "external_connections[0].gateway_hosts",
        "inside a transit VPC",
    )


def test_an_external_subnet_in_a_regular_vpc_is_refused(world: World) -> None:
    world.create(vpc("v1"))
    world.refuse(
        Create(intent=external("in", vpc=V1, ipv4=ipv4("100.64.0.0/24"))),
        InvalidIntent,
        "vpc",
        "vpcs/v1 is not a transit VPC",
    )


def test_transit_vpcs_form_no_loop(world: World) -> None:
    for i, id in enumerate(("a", "b", "c")):
        world.create(vpc(id, kind=VpcKind.TRANSIT))
        world.create(external(f"in-{id}", vpc=VpcId(id), nat=False, ipv4=ipv4(f"100.64.{i}.0/24")))
    field = "external_connections[0].subnet"
    one = vpc("a", "in-a", kind=VpcKind.TRANSIT)
    world.refuse(Replace(intent=one), InvalidIntent, field, "leads back to this VPC (over vpcs/a)")
    world.replace(vpc("a", "in-b", kind=VpcKind.TRANSIT))
    world.replace(vpc("b", "in-c", kind=VpcKind.TRANSIT))
    for asked, way in (
        (vpc("b", "in-a", kind=VpcKind.TRANSIT), "vpcs/a, vpcs/b"),
        (vpc("c", "in-a", kind=VpcKind.TRANSIT), "vpcs/a, vpcs/b, vpcs/c"),
    ):
        world.refuse(Replace(intent=asked), InvalidIntent, field, way, "may not form a loop")
    world.create(vpc("spoke", "in-a"))


def test_what_cannot_change(world: World) -> None:
    world.create(vpc("v1", "ext"))
    world.refuse(
        Replace(intent=vpc("v1", "ext", kind=VpcKind.TRANSIT)), InvalidIntent, "kind", "cannot change from"
    )
    assert world.replace(vpc("v1", "ext", vni=99)).vni == 3


def test_external_networks_and_subnets_of_a_vpc_do_not_overlap(world: World) -> None:
    world.create(external("wide", 101, "vs0", ipv4=ipv4("203.0.112.0/23", "203.0.112.1")))
    world.create(vpc("v1", "ext"))
    world.refuse(
        Replace(intent=vpc("v1", "ext", "wide")),
        InvalidIntent,
        "external_connections[1].subnet",
        "203.0.112.0/23 overlaps with 203.0.113.0/24 of subnets/ext in vpcs/v1",
    )
    inside = overlay("s1", vpc=V1, ipv4=ipv4("203.0.113.128/25"))
    world.refuse(
        Create(intent=inside), InvalidIntent, "ipv4.cidr", "overlaps with 203.0.113.0/24 of subnets/ext"
    )
    world.create(vpc("v2"))
    world.create(replace(inside, vpc=VpcId("v2")))
    world.refuse(
        Replace(intent=vpc("v2", "ext")),
        InvalidIntent,
        "external_connections[0].subnet",
        "203.0.113.0/24 overlaps with 203.0.113.128/25 of subnets/s1",
    )


def test_a_family_that_comes_later_is_kept_apart_too(world: World) -> None:
    world.create(vpc("v1", "ext"))
    world.create(overlay("s1", vpc=V1, ipv6=ipv6("2001:db8::/64")))
    asked = replace(world.stored(Kind.SUBNET, "ext"), ipv6=ipv6("2001:db8::/32", "2001:db8::1"))
    world.refuse(
        Replace(intent=asked), InvalidIntent, "ipv6.cidr", "overlaps with 2001:db8::/64 of subnets/s1"
    )
    world.create(vpc("v2", "ext", externally_routable_prefixes=("2001:dba::/48",)))
    asked = replace(asked, ipv6=ipv6("2001:dba::/64", "2001:dba::1"))
    world.refuse(
        Replace(intent=asked), InvalidIntent, "ipv6.cidr", "overlaps with a prefix that is routed to vpcs/v2"
    )
    world.replace(world.stored(Kind.SUBNET, "ext"), ipv6=ipv6("2001:db9::/64", "2001:db9::1"))
    assert world.replace(vpc("v1", "ext")).external_connections[0].ipv6_address == "2001:db9::1000"


def test_prefixes_are_routed_to_one_vpc(world: World) -> None:
    prefixes: dict[str, Any] = {"externally_routable_prefixes": ("198.51.100.0/24", "2001:db8:1::/48")}
    world.create(vpc("v1", "ext", **prefixes))
    field = "externally_routable_prefixes[0]"
    for prefix in ("198.51.100.0/24", "198.51.0.0/16", "198.51.100.64/26", "2001:db8:1:5::/64"):
        asked = vpc("v2", "ext", externally_routable_prefixes=(prefix,))
        world.refuse(Create(intent=asked), InvalidIntent, field, "overlaps with a prefix of vpcs/v1")
    world.refuse(
        Create(intent=vpc("v2", "ext", externally_routable_prefixes=("203.0.113.0/25",))),
        InvalidIntent,
        field,
        "overlaps with 203.0.113.0/24 of subnets/ext",
    )
    world.create(vpc("v2", **prefixes))  # connected to nothing that routes to it
    world.refuse(Replace(intent=vpc("v2", "ext", **prefixes)), InvalidIntent, field, "vpcs/v1")
    world.replace(vpc("v1", "ext", externally_routable_prefixes=("198.51.0.0/16",)))
    world.remove(Kind.VPC, "v1")
    world.replace(vpc("v2", "ext", **prefixes))


def test_prefixes_of_spokes_are_networks_of_the_hub(world: World) -> None:
    world.create(vpc("hub", "ext", kind=VpcKind.TRANSIT))
    for i in (1, 2):
        world.create(external(f"in{i}", vpc=HUB, nat=False, ipv4=ipv4(f"100.64.{i}.0/24")))
    world.create(vpc("v1", "in1", externally_routable_prefixes=("10.1.0.0/16",)))
    field = "externally_routable_prefixes[0]"
    for prefix, whose in (
        ("10.1.4.0/24", "vpcs/v1"),
        ("100.64.2.0/25", "subnets/in2"),
        ("203.0.0.0/16", "ext"),
    ):
        asked = vpc("v2", "in2", externally_routable_prefixes=(prefix,))
        world.refuse(Create(intent=asked), InvalidIntent, field, f"{prefix} overlaps", whose)
    shared = overlay("shared", vpc=HUB, ipv4=ipv4("10.1.0.0/24"))
    world.refuse(Create(intent=shared), InvalidIntent, "ipv4.cidr", "overlaps with a prefix of vpcs/v1")
    world.create(route("r1", "hub", "10.2.0.0/17", "ext"))
    world.refuse(
        Create(intent=vpc("v2", "in2", externally_routable_prefixes=("10.2.0.0/16",))),
        InvalidIntent,
        field,
        "contains the destination of routes/r1",
    )


def test_a_connection_in_use_stays(world: World) -> None:
    world.create(vpc("v1", "ext"))
    world.create(overlay("s1", vpc=V1, ipv4=ipv4()))
    world.create(nic("n1", "s1"))
    world.create(vpc("v2", "ext"))
    world.create(floating("f1", nic="n1"))
    world.create(floating("f2", vpc=V1, private_address="10.0.0.77"))
    world.create(floating("idle"))
    world.create(route("r1", "v1", "0.0.0.0/0", "ext"))
    world.create(route("r2", "v1", "192.0.2.0/24", "203.0.113.99"))
    world.create(route("r3", "v1", "192.0.3.0/24", "10.0.0.9"))
    world.refuse_in_use(
        Replace(intent=vpc("v1")),
        "external_connections",
        "floatingIps/f1",
        "floatingIps/f2",
        "routes/r1",
        "routes/r2",
    )
    world.replace(vpc("v2"))
    for kind, id in (
        (Kind.FLOATING_IP, "f1"),
        (Kind.FLOATING_IP, "f2"),
        (Kind.ROUTE, "r1"),
        (Kind.ROUTE, "r2"),
    ):
        world.remove(kind, id)
    world.replace(vpc("v1"))


def test_the_router_does_not_take_a_next_hop_for_itself(world: World) -> None:
    world.create(vpc("v1", "ext"))
    world.create(route("r1", "v1", "0.0.0.0/0", "203.0.113.99"))
    world.refuse_in_use(
        Replace(intent=connected("v1", connection(ipv4_address="203.0.113.99"))),
        "external_connections[0].ipv4_address",
        "routes/r1",
    )
    world.replace(connected("v1", connection(ipv4_address="203.0.113.98")))


def test_a_vpc_with_things_in_it_stays(world: World) -> None:
    world.create(vpc("v1", "ext"))
    world.create(overlay("s1", vpc=V1, ipv4=ipv4()))
    world.create(floating("f1", vpc=V1, private_address="10.0.0.77"))
    world.create(route("r1", "v1", "0.0.0.0/0", "ext"))
    world.refuse_in_use(Remove(key=(Kind.VPC, "v1")), "name", "floatingIps/f1", "routes/r1", "subnets/s1")
    world.refuse_in_use(Remove(key=(Kind.SUBNET, "ext")), "name", "floatingIps/f1", "routes/r1", "vpcs/v1")
    world.refuse_in_use(Remove(key=(Kind.SUBNET, "s1")), "name", "floatingIps/f1")


def test_reserved_addresses_are_not_given_to_routers(world: World) -> None:
    world.create(reservation("k1", "ext", ranges="203.0.113.2-203.0.113.9"))
    assert world.create(vpc("v1", "ext")).external_connections[0].ipv4_address == "203.0.113.10"
    assert world.create(floating("f1")).address == "203.0.113.11"
    asked = connected("v2", connection(ipv4_address="203.0.113.5"))
    assert world.create(asked).external_connections[0].ipv4_address == "203.0.113.5"
