"""Random small worlds for properties: hypothesis strategies of sets of intents, complete but not always consistent.

What an intent refers to may be missing: admission would refuse that, and compilation must not mind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import strategies as st

from netctl.compiler.observed import Observed
from netctl.model.intent import Intent, key_of
from netctl.model.keys import Kind, SubnetId, VpcId
from netctl.model.nic import NicMode, TrunkVlan
from netctl.model.route import Bfd
from netctl.model.routing_policy import Endpoint, Fallback, PolicyAction
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Ipv6Mode, SubnetKind
from netctl.model.vpc import ExternalConnection
from tests.intents import host, infra, nic, overlay, snapshot, vlan
from tests.vpcs import (
    connection,
    external,
    floating,
    guest,
    inside,
    mac_of,
    policy,
    retold,
    route,
    routed,
    transit,
    vpc,
)

SUBNETS = ("v10", "v20", "o1")
_MAYBE = st.booleans()
# A subnet's NICs follow its kind one by one: in between any of them may be on either side.
VLAN_KINDS = st.sampled_from((SubnetKind.VLAN, SubnetKind.VLAN_BASIC))


@st.composite
def worlds(draw: st.DrawFn) -> Snapshot:
    """A snapshot with some of three subnets and six NICs on them, and perhaps two VPCs and what belongs to them."""
    intents: list[Intent] = list(infra())
    present = draw(st.sets(st.sampled_from(SUBNETS)))
    shapes = {
        "v10": lambda: replace(vlan("v10", 10, dhcp=draw(_MAYBE)), kind=draw(VLAN_KINDS)),
        "v20": lambda: replace(vlan("v20", 20, dhcp=draw(_MAYBE)), kind=draw(VLAN_KINDS)),
        "o1": lambda: overlay("o1", vni=draw(st.sampled_from((5000, 6000)))),
    }
    intents += [shapes[name]() for name in sorted(present)]
    for number in range(6):
        subnet = draw(st.sampled_from((*SUBNETS, "")))
        if subnet in present:
            host = draw(st.sampled_from(("h1", "h2", "")))
            basic = subnet != "o1" and draw(_MAYBE)
            intents.append(replace(nic(f"n{number}", subnet, number=number + 5, host=host), basic=basic))
    if draw(_MAYBE):
        intents += draw(vpc_worlds())
    return snapshot(intents)


@st.composite
def vpc_worlds(draw: st.DrawFn) -> list[Intent]:
    """A tenant VPC, blue, a transit VPC, hub, and what belongs to them: any of it may be missing."""
    everything = draw(full_vpc_worlds())
    return [intent for intent in everything if intent.id == "h2" or draw(st.integers(0, 5))]


@st.composite
def full_vpc_worlds(draw: st.DrawFn) -> list[Intent]:
    """The same, complete."""
    return [
        host("h2", number=2, uplink=draw(st.sampled_from(("vs0", "")))),
        *_vpcs(draw),
        *_subnets(draw),
        *_guests(draw),
        *_routing(draw),
    ]


@st.composite
def walks(draw: st.DrawFn) -> list[Snapshot]:
    """A full VPC world, and what becomes of it when one intent after the other changes, goes or comes back."""
    world = {key_of(intent): intent for intent in (*infra(), *draw(full_vpc_worlds()))}
    other = {key_of(intent): intent for intent in draw(full_vpc_worlds())}
    states = [snapshot(world.values())]
    for key in draw(st.lists(st.sampled_from(sorted(other)), min_size=1, max_size=5)):
        if key in world and key[0] is not Kind.HOST and draw(_MAYBE):
            del world[key]
        else:
            world[key] = other[key]
        states.append(snapshot(world.values()))
    return states


def observations() -> st.SearchStrategy[Observed]:
    """What may be observed of those worlds."""
    dead = st.sampled_from(("10.0.1.5", "10.0.2.9", "203.0.100.1", "203.0.100.99", "ext", "transfer"))
    return st.builds(
        Observed,
        dead=st.frozensets(st.tuples(st.just(VpcId("blue")), dead), max_size=3),
        unheard=st.frozensets(st.tuples(st.just(VpcId("blue")), dead), max_size=3),
        dhcpv6=_MAYBE,
    )


def _vpcs(draw: st.DrawFn) -> Iterator[Intent]:
    gateways = draw(st.permutations(("h1", "h2")))[: draw(st.integers(1, 2))]
    ways = [
        connection(gateways=tuple(gateways)),
        replace(connection("far", vlan_id=101), ipv6_address="2001:db8:101::10"),
        ExternalConnection(
            subnet=SubnetId("transfer"), ipv4_address="100.64.0.10", mac_address=mac_of("blue transfer")
        ),
    ]
    blue = vpc(
        "blue",
        *(way for way in ways if draw(_MAYBE)),
        dns_servers=draw(st.sampled_from(((), ("192.0.2.53", "2001:db8::53")))),
        externally_routable_prefixes=draw(st.sampled_from(((), ("10.0.1.0/24",)))),
    )
    yield replace(blue, meta=retold(blue.meta, "blue again")) if draw(_MAYBE) else blue
    yield transit("hub", *(connection(number=20) for _ in range(draw(st.integers(0, 1)))))


def _subnets(draw: st.DrawFn) -> Iterator[Intent]:
    mtu_bytes = st.sampled_from((1442, 1300))
    yield external(nat=draw(_MAYBE), mtu_bytes=draw(mtu_bytes))
    yield external("far", 101, ipv6=True)
    yield inside(nat=draw(_MAYBE))
    web = routed("web", mtu_bytes=draw(mtu_bytes))
    yield replace(web, meta=retold(web.meta, "web again")) if draw(_MAYBE) else web
    db = routed("db", third=2, mtu_bytes=draw(mtu_bytes), ipv6="fd00:2::/64")
    yield replace(db, ipv6_mode=draw(st.sampled_from(list(Ipv6Mode)[1:])))
    yield replace(vlan("v0", 0), kind=draw(VLAN_KINDS))


def _guests(draw: st.DrawFn) -> Iterator[Intent]:
    hosts = st.sampled_from(("h1", "h2", ""))
    yield guest("g1", host=draw(hosts))
    yield replace(guest("g2", "db", 2, 9, host=draw(hosts)), ipv6_address="fd00:2::9", port_security=False)
    vlans = (TrunkVlan(vlan_id=7, subnet=SubnetId("db"), ipv4_address="10.0.2.7"),)
    mode = draw(st.sampled_from(NicMode))
    yield replace(
        guest("g3", "v0", 9, 5, host=draw(hosts)),
        ipv4_address="",
        mode=mode,
        basic=draw(st.sampled_from((False, False, True))),
        trunk_vlans=vlans if mode is NicMode.TRUNK and draw(_MAYBE) else (),
    )
    yield floating("fip1", nic=draw(st.sampled_from(("g1", "g2", ""))))
    yield floating("fip2", address="203.0.100.51", private=draw(st.sampled_from(("10.0.1.77", ""))))


def _routing(draw: st.DrawFn) -> Iterator[Intent]:
    bfd = st.sampled_from((None, Bfd(), Bfd(min_rx_ms=300)))
    yield route("default", bfd=draw(bfd), priority=draw(st.sampled_from((100, 300))))
    yield route("spare", "0.0.0.0/0", "203.0.100.99", "far", bfd=draw(bfd), priority=200)
    yield route("through", "192.168.0.0/16", "10.0.2.9", priority=draw(st.sampled_from((10, 20))))
    yield route("watched", "192.168.0.0/16", "203.0.100.1", "203.0.100.99", bfd=draw(bfd), priority=15)
    yield policy("p1", priority=10, source=Endpoint(external=True), bidirectional=draw(_MAYBE))
    yield policy(
        "p2",
        PolicyAction.REROUTE,
        priority=20,
        service_ips=("10.0.2.9", "10.0.1.5")[: draw(st.integers(1, 2))],
        fallback=draw(st.sampled_from(Fallback)),
        bidirectional=True,
    )
