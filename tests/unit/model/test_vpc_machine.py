"""Any sequence of edits of VPCs and what belongs to them, against the naive statement of what must hold (naive_vpc.py).

The rules, the edits in batches and what must hold of every edit are those of test_admit_machine.py.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from netctl.model.intent import Create, Edit, Replace
from netctl.model.keys import HostId, Kind, NicId, SubnetId, VpcId
from netctl.model.nic import NicMode, TrunkVlan
from netctl.model.route import Bfd
from netctl.model.routing_policy import PolicyAction
from netctl.model.subnet import Ipv6Mode
from netctl.model.vpc import ExternalConnection, VpcKind
from tests.unit.model.test_admit_machine import IDS, Admission, edits_of, infra_edits, one_of
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
    reservation,
    route,
    switch,
    vlan,
    vpc,
)

VPCS, EXTERNALS = ("v1", "v2", "hub"), ("e1", "e2", "e3", "e4")
IDS |= {
    Kind.VPC: VPCS,
    Kind.FLOATING_IP: ("f1", "f2", "f3", "f4"),
    Kind.ROUTE: ("r1", "r2", "r3"),
    Kind.ROUTING_POLICY: ("p1", "p2", "p3"),
    Kind.ADDRESS_RESERVATION: ("k1", "k2", "k3"),
}
# Those of test_security_machine.py.
SECURITY_KINDS = frozenset(
    {
        Kind.CATEGORY,
        Kind.ADDRESS_GROUP,
        Kind.SERVICE_GROUP,
        Kind.ENTITY_GROUP,
        Kind.SECURITY_POLICY,
    }
)
# Those of test_chain_machine.py.
CHAIN_KINDS = frozenset({Kind.NETWORK_FUNCTION, Kind.SERVICE_CHAIN, Kind.TRAFFIC_MIRROR})
# Those of test_compute_machine.py.
COMPUTE_KINDS = frozenset({Kind.IMAGE, Kind.VM, Kind.VM_TEMPLATE, Kind.AFFINITY_POLICY, Kind.VM_MIGRATION})
SUBNETS, NICS = ("s1", "s2", "s3", "s4"), IDS[Kind.NIC]

connections = st.builds(
    lambda subnet, address, hosts, count: ExternalConnection(
        subnet=SubnetId(subnet),
        ipv4_address=address,
        gateway_hosts=tuple(HostId(host) for host in hosts),
        gateway_host_count=count,
    ),
    one_of(["e1", "e1", *EXTERNALS]),
    one_of(["", "", "", "203.0.113.3", "203.0.113.12"]),
    one_of([(), (), (), ("h1",), ("h2", "h1")]),
    st.integers(1, 3),
)
vpcs = st.builds(
    lambda id, found, prefixes: vpc(
        id,
        kind=VpcKind.TRANSIT if id == "hub" else VpcKind.REGULAR,
        external_connections=tuple({one.subnet: one for one in found}.values()),
        externally_routable_prefixes=prefixes,
    ),
    one_of(VPCS),
    st.lists(connections, max_size=3),
    one_of([(), (), ("198.51.100.0/24",), ("198.51.100.0/28", "fd00::/64"), ("10.0.0.0/28",)]),
)


def _external(id: str, wide: bool, six: bool, here: Any) -> Any:
    """Make one of the four external networks: NAT and routed, on virtual switches and in the hub."""
    addresses: dict[str, Any] = {"ipv6": ipv6("2001:db8::/125", "2001:db8::1") if six else None}
    if id in ("e1", "e2"):
        cidr, gateway = ("203.0.113.0/29", "203.0.113.1") if id == "e1" else ("203.0.113.8/29", "203.0.113.9")
        if wide:
            cidr = "203.0.113.0/28"
        return external(
            id, 100 if id == "e1" else 101, *here, nat=id == "e1", ipv4=ipv4(cidr, gateway), **addresses
        )
    inside = ipv4("100.64.0.0/29" if id == "e3" or wide else "100.64.0.8/29")
    return external(id, vpc=VpcId("hub"), ipv4=inside, **addresses)


externals = st.builds(
    _external,
    one_of(EXTERNALS),
    one_of([False, False, True]),
    st.booleans(),
    one_of([("vs0",), ("vs0",), ("vs1",), ("vs0", "vs2")]),
)
overlays = st.builds(
    lambda id, vpc, where, four, six: overlay(id, *where, vpc=VpcId(vpc), ipv4=four, **six),
    one_of(SUBNETS),
    one_of(VPCS),
    one_of([("c1",), ("c1",), ("c2",)]),
    one_of(
        [
            ipv4("10.0.0.0/29"),
            ipv4("10.0.0.8/29"),
            ipv4("10.0.0.0/28", "10.0.0.9"),
            ipv4("203.0.113.0/29"),
            ipv4("10.0.0.16/29", pools="10.0.0.18-10.0.0.19"),
        ]
    ),
    one_of(
        [
            {},
            {},
            {"ipv6": ipv6()},
            {"ipv6": ipv6("fd00:1::/64"), "ipv6_mode": Ipv6Mode.DHCPV6_STATEFUL},
            {"ipv6": ipv6("fd00:2::/120")},
        ]
    ),
)
trunks = st.lists(
    st.builds(TrunkVlan, vlan_id=one_of([30, 31]), subnet=one_of(["", "t0", *SUBNETS]).map(SubnetId)),
    max_size=2,
    unique_by=lambda vlan: vlan.vlan_id,
)
nics = st.builds(
    lambda number, parent, vlans, **fields: nic(
        f"n{number}",
        "t0" if parent else SUBNETS[number % 4],
        **fields,
        **({"mode": NicMode.TRUNK, "trunk_vlans": tuple(vlans)} if parent or vlans else {}),
    ),
    st.integers(0, len(NICS) - 1),
    one_of([False, False, False, True]),
    st.one_of(st.just([]), st.just([]), trunks),
    host=one_of(["", "", "h1", "h2", "h3"]).map(HostId),
    ipv4_address=one_of(["", "", "", *(f"10.0.0.{i}" for i in (2, 3, 4, 10, 11))]),
    port_security=st.booleans(),
    mac_address=one_of(["", "", "", "02:00:00:00:00:01"]),
)
floatings = st.builds(
    lambda id, outside, address, target: floating(
        id, outside, address="" if "vpc" in target else address, **target
    ),
    one_of(IDS[Kind.FLOATING_IP]),
    one_of(["e1", "e1", "e1", "e2", "e3"]),
    one_of(["", "", "", "203.0.113.4", "203.0.113.3", "2001:db8::5"]),
    st.one_of(
        st.just({}),
        st.builds(lambda id: {"nic": id}, one_of(NICS)),
        st.builds(
            lambda id, address: {"vpc": VpcId(id), "private_address": address},
            one_of(VPCS),
            one_of(["10.0.0.2", "10.0.0.3", "10.0.0.10", "fd00::5"]),
        ),
    ),
)
routes = st.builds(
    lambda id, vpc, to, hops, priority, bfd: route(
        id,
        vpc,
        to if (":" in to) == (":" in hops[0]) else "0.0.0.0/0",
        *(hops if ":" not in hops[0] or ":" in to else ("e1",)),
        priority=priority,
        bfd=bfd,
    ),
    one_of(IDS[Kind.ROUTE]),
    one_of(VPCS),
    one_of(["0.0.0.0/0", "0.0.0.0/0", "10.0.0.0/8", "10.0.0.8/30", "198.51.100.0/25", "fd00::/16"]),
    one_of([("e1",), ("e1",), ("203.0.113.1",), ("10.0.0.2", "e1"), ("10.0.0.3",), ("e2",), ("fd00::9",)]),
    one_of([100, 100, 200]),
    one_of([None, None, Bfd()]),
)
policies = st.builds(
    lambda id, vpc, priority, services: policy(id, vpc, priority, *services),
    one_of(IDS[Kind.ROUTING_POLICY]),
    one_of(VPCS),
    one_of([10, 11, 12]),
    one_of([(), ("10.0.0.2",), ("10.0.0.3", "10.0.0.2"), ("10.0.0.10",)]),
)
reservations = st.builds(
    lambda id, subnet, what: reservation(id, subnet, **what),
    one_of(IDS[Kind.ADDRESS_RESERVATION]),
    one_of([*SUBNETS, "e1"]),
    one_of(
        [
            {"count": 1},
            {"count": 3},
            {"count": 2, "ip_version": 6},
            {"ranges": "10.0.0.2-10.0.0.4"},
            {"ranges": "10.0.0.10-10.0.0.10 10.0.0.12-10.0.0.13"},
            {"ranges": "203.0.113.3-203.0.113.4"},
        ]
    ),
)

_network = edits_of(st.one_of(vpcs, vpcs, externals, overlays), Kind.VPC, Kind.SUBNET)
_guest = edits_of(st.one_of(nics, reservations), Kind.NIC, Kind.ADDRESS_RESERVATION)
_routing = edits_of(
    st.one_of(floatings, floatings, routes, policies), Kind.FLOATING_IP, Kind.ROUTE, Kind.ROUTING_POLICY
)
_all: st.SearchStrategy[Edit] = st.one_of(infra_edits, _network, _guest, _guest, _routing, _routing)


# Hypothesis writes strategies out, which takes minutes with those above; a composite has but its name.
@st.composite
def network_edits(draw: st.DrawFn) -> Edit:
    return draw(_network)


@st.composite
def guest_edits(draw: st.DrawFn) -> Edit:
    return draw(_guest)


@st.composite
def routing_edits(draw: st.DrawFn) -> Edit:
    return draw(_routing)


@st.composite
def all_edits(draw: st.DrawFn) -> Edit:
    return draw(_all)


def small_world() -> World:
    """Return two tenants and a hub, each with what they need to get at each other's throats."""
    return World(
        cluster("c1"),
        cluster("c2"),
        switch("vs0"),
        switch("vs1"),
        switch("vs2", "c2"),
        host("h1", "192.0.2.1/24", "c1", "vs0", "vs1"),
        host("h2", "192.0.2.2/24", "c1", "vs0"),
        host("h3", "192.0.2.3/24", "c2", "vs2"),
        external("e1", 100, ipv4=ipv4("203.0.113.0/29", "203.0.113.1")),
        vpc("hub", "e1", kind=VpcKind.TRANSIT),
        external("e3", vpc=VpcId("hub"), ipv4=ipv4("100.64.0.0/29")),
        vpc("v1", "e1"),
        vpc("v2", "e3"),
        overlay("s1", vpc=VpcId("v1"), ipv4=ipv4("10.0.0.0/29"), ipv6=ipv6()),
        overlay("s2", vpc=VpcId("v2"), ipv4=ipv4("10.0.0.8/29")),
        vlan("t0", 0),
        vlan("t30", 30, ipv4=ipv4("10.9.0.0/24")),
        nic("n0", "s1", host=HostId("h1"), port_security=False),
        nic("n1", "s2", host=HostId("h2")),
        floating("f1", "e1", nic="n0"),
        route("r1", "v1", "0.0.0.0/0", "e1"),
        route("r2", "v1", "10.0.0.0/8", "10.0.0.4"),
        policy("p1", "v1", 10, "10.0.0.2"),
        reservation("k1", "s2", count=2),
    )


class Routing(Admission):
    """Edits of tenants whose networks, addresses and priorities collide all the time."""

    def __init__(self) -> None:
        super().__init__()
        self.world = small_world()

    @rule(edit=network_edits())
    def edit_network(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(edit=guest_edits())
    def edit_guest(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(edit=routing_edits())
    def edit_routing(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(id=one_of(IDS[Kind.FLOATING_IP]), whom=one_of(NICS))
    def associate_anew(self, id: str, whom: str) -> None:
        """One change takes a floating IP from one NIC and gives it to another."""
        found: Any = self.world.draft.get((Kind.FLOATING_IP, id))
        if found is not None:
            self.edit_alone(Replace(intent=floating(id, found.external_subnet, nic=NicId(whom))))

    @rule(id=one_of(VPCS))
    def write_back(self, id: str) -> None:
        """What was read can be written: nothing is decided anew but gateways that there were too few of."""
        found: Any = self.world.draft.get((Kind.VPC, id))
        if found is not None:
            self.edit_alone(Replace(intent=found))


TestRouting = Routing.TestCase
TestRouting.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(st.lists(all_edits(), min_size=60, max_size=60))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_long_walk(walk: list[Edit]) -> None:
    routing = Routing()
    for edit in walk:
        routing.try_(edit)
        routing.all_holds()
    routing.indexes_are_those_of_the_intents()


def test_the_small_world_is_one() -> None:
    """The strategies reach into every kind."""
    world = small_world()
    others = SECURITY_KINDS | CHAIN_KINDS | COMPUTE_KINDS
    assert all(world.draft.count(kind) for kind in Kind if kind not in others)
    deny = policy("p9", "v2", 10, action=PolicyAction.DENY)
    assert world.admit(Create(intent=deny))[0].after is not None
