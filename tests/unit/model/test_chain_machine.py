"""Any sequence of edits of VLAN basic subnets, network functions, chains, mirrors and bonds, against naive_chain.py.

The rules, the edits in batches and what must hold of every edit are those of test_admit_machine.py; NICs move between
the sides of a migration as the reconciler asks for it, and in any other order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from netctl.model.category import Category
from netctl.model.chain import NicPair
from netctl.model.infra import BondMode, Host, InternalPort, Uplink
from netctl.model.intent import Create, Edit, Replace, Restack
from netctl.model.keys import CategoryId, HostId, Kind, NicId, ServiceChainId, SubnetId, VirtualSwitchId
from netctl.model.nic import FunctionSide, Nic, NicKind, TrunkVlan
from netctl.model.security_policy import PolicyScope
from netctl.model.subnet import Subnet, SubnetKind
from tests.unit.model import naive
from tests.unit.model.chains import basic, chain, function, mirror, side, span, tap, trunk
from tests.unit.model.test_admit_chain import rules
from tests.unit.model.test_admit_machine import IDS, Admission, edits_of, one_of
from tests.unit.model.world import (
    World,
    cluster,
    external,
    host,
    ipv4,
    ipv6,
    nic,
    overlay,
    policy,
    switch,
    vlan,
    vpc,
)

SUBNETS, NICS = ("s1", "s2", "s3", "s4"), IDS[Kind.NIC]
INGRESS, EGRESS, COPIES = ("i1", "i2", "i3"), ("e1", "e2", "e3"), ("t1", "t2")
SPANS, CHAINS = ("z1", "z2", "z3"), ("c1", "c2", "c3")
FUNCTIONS = ("fw", "ips", "ids")
NAMES = {
    Kind.NIC: (*NICS, *INGRESS, *EGRESS, *COPIES, *SPANS),
    Kind.NETWORK_FUNCTION: FUNCTIONS,
    Kind.SERVICE_CHAIN: CHAINS,
    Kind.TRAFFIC_MIRROR: ("m1", "m2"),
    Kind.ROUTING_POLICY: ("p1", "p2"),
    Kind.SECURITY_POLICY: ("sp",),
    Kind.VPC: ("v1",),
}
IDS |= {kind: ids for kind, ids in NAMES.items() if kind not in IDS}
HOSTS = one_of(["", "h1", "h1", "h1", "h2"]).map(HostId)
ATTACHED = one_of(["", "", *CHAINS]).map(ServiceChainId)


def _machine(id: str, names: dict[str, tuple[str, ...]], ports: tuple[tuple[str, int], ...]) -> Host:
    uplinks = tuple(Uplink(virtual_switch=VirtualSwitchId(up), interfaces=names[up]) for up in sorted(names))
    internal = tuple(
        InternalPort(name=f"port-{up}", virtual_switch=VirtualSwitchId(up), mtu_bytes=mtu)
        for up, mtu in ports
        if up in names
    )
    made = host(id, f"192.0.2.{id[1:]}/24")
    return replace(made, uplinks=uplinks, internal_ports=internal)


_hosts = st.builds(
    _machine,
    one_of(["h1", "h2"]),
    st.fixed_dictionaries(
        {"vs0": one_of([("eth0",), ("eth0", "eth1")])},
        optional={"vs1": one_of([("eth2",), ("eth2", "eth3")])},
    ),
    one_of([(), (("vs0", 0),), (("vs0", 1500), ("vs1", 2000)), (("vs1", 9000),)]),
)
_switches = st.builds(
    switch, one_of(["vs0", "vs1"]), bond_mode=one_of(BondMode), mtu_bytes=one_of([1500, 2000, 9000])
)
_vlans = st.builds(
    lambda id, number, up, made, four, six, attached: replace(
        (basic if made else vlan)(id, number, up), ipv4=four, ipv6=six, service_chain=attached
    ),
    one_of(SUBNETS),
    one_of([0, 10, 10, 11]),
    one_of(["vs0", "vs0", "vs1"]),
    st.booleans(),
    one_of([None, ipv4("10.0.0.0/29", "10.0.0.1")]),
    one_of([None, None, ipv6("fd00::/125")]),
    ATTACHED,
)
_overlays = st.builds(
    lambda id, attached: replace(overlay(id), service_chain=attached), one_of(SUBNETS), ATTACHED
)
_tags = st.lists(
    st.builds(TrunkVlan, vlan_id=one_of([10, 11, 12]), subnet=one_of(["", "", *SUBNETS]).map(SubnetId)),
    max_size=2,
    unique_by=lambda tag: tag.vlan_id,
)
_guests = st.one_of(
    st.builds(
        lambda number, kind, where: replace(nic(f"n{number}", SUBNETS[number % 4], host=where), kind=kind),
        st.integers(0, 3),
        one_of([NicKind.NORMAL, NicKind.NORMAL, NicKind.DIRECT]),
        HOSTS,
    ),
    st.builds(
        lambda number, tags, kind, where: replace(
            trunk(f"n{number}", SUBNETS[number % 4], *tags, host=where), kind=kind
        ),
        st.integers(4, 8),
        _tags,
        one_of([NicKind.NORMAL, NicKind.NORMAL, NicKind.DIRECT]),
        HOSTS,
    ),
)
_appliances = st.one_of(
    st.builds(lambda id, where: side(id, FunctionSide.INGRESS, where), one_of(INGRESS), HOSTS),
    st.builds(lambda id, where: side(id, FunctionSide.EGRESS, where), one_of(EGRESS), HOSTS),
    st.builds(lambda id, where: side(id, FunctionSide.TAP, where), one_of(COPIES), HOSTS),
    st.builds(span, one_of(SPANS), HOSTS),
)


def _function(id: str, pairs: list[tuple[int, int, bool]], copies: list[str]) -> Any:
    if id == "ids":
        return tap(id, *copies)
    made = [
        NicPair(ingress_nic=NicId(INGRESS[i]), egress_nic=NicId(EGRESS[j]), disabled=off)
        for i, j, off in pairs
    ]
    return function(id, *made)


_functions = st.builds(
    _function,
    one_of(FUNCTIONS),
    st.permutations([0, 1, 2])
    .flatmap(
        lambda order: st.lists(
            st.tuples(one_of([0, 1, 2]), st.booleans()), max_size=3, unique_by=lambda one: one[0]
        ).map(lambda found: [(i, order[i] if off else i, off) for i, off in found])
    )
    .filter(lambda pairs: len({j for _, j, _ in pairs}) == len(pairs)),
    st.lists(one_of(COPIES), unique=True),
)
_chains = st.builds(
    lambda id, names: chain(id, *names),
    one_of(CHAINS),
    st.lists(one_of([*FUNCTIONS, "fw"]), min_size=1, max_size=2, unique=True),
)
_mirrors = st.builds(
    lambda id, sources, to, where, off: mirror(id, *sources, to=tuple(to), host=where, disabled=off),
    one_of(["m1", "m2"]),
    st.lists(one_of([*NICS, "vs0", "vs1"]), min_size=1, max_size=3, unique=True),
    st.lists(one_of(SPANS), min_size=1, max_size=2, unique=True),
    one_of(["h1", "h1", "h2"]),
    st.booleans(),
)
_policies = st.builds(
    lambda id, number, attached: replace(policy(id, "v1", number), service_chain=attached),
    one_of(["p1", "p2"]),
    one_of([10, 11]),
    ATTACHED,
)
_vpcs = st.builds(lambda ways: vpc("v1", *ways), one_of([(), ("out",), ("routed",), ("out", "routed")]))
_rules = st.builds(
    lambda scope, chains: rules(scope, *chains),
    one_of([PolicyScope.ALL_VLAN, PolicyScope.ALL_VPC]),
    st.lists(one_of(CHAINS), max_size=2),
)
_restacks = st.builds(Restack, nic=one_of(NICS).map(NicId), basic=st.booleans())

_infra = edits_of(st.one_of(_hosts, _switches), Kind.HOST, Kind.VIRTUAL_SWITCH)
_network = edits_of(st.one_of(_vlans, _vlans, _vlans, _overlays), Kind.SUBNET)
_nics = st.one_of(edits_of(st.one_of(_guests, _guests, _appliances), Kind.NIC), _restacks)
_chaining = edits_of(
    st.one_of(_functions, _functions, _chains, _mirrors, _mirrors),
    Kind.NETWORK_FUNCTION,
    Kind.SERVICE_CHAIN,
    Kind.TRAFFIC_MIRROR,
)
_attaching = edits_of(
    st.one_of(_policies, _vpcs, _rules), Kind.ROUTING_POLICY, Kind.SECURITY_POLICY, Kind.VPC
)
_all: st.SearchStrategy[Edit] = st.one_of(_infra, _network, _network, _nics, _nics, _chaining, _attaching)


# Hypothesis writes strategies out, which takes minutes with those above; a composite has but its name.
@st.composite
def infra_edits(draw: st.DrawFn) -> Edit:
    return draw(_infra)


@st.composite
def network_edits(draw: st.DrawFn) -> Edit:
    return draw(_network)


@st.composite
def nic_edits(draw: st.DrawFn) -> Edit:
    return draw(_nics)


@st.composite
def chaining_edits(draw: st.DrawFn) -> Edit:
    return draw(st.one_of(_chaining, _chaining, _attaching))


@st.composite
def all_edits(draw: st.DrawFn) -> Edit:
    return draw(_all)


def small_world() -> World:
    """Return two hosts with guests of all kinds, a chain that is attached, a mirror, and a VPC with two ways out."""
    world = World(
        cluster("c1"),
        switch("vs0"),
        switch("vs1"),
        host("h1", "192.0.2.1/24", "c1", "vs0", "vs1"),
        host("h2", "192.0.2.2/24", "c1", "vs0"),
        Category(id=CategoryId("web"), key="app", value="web"),
        vlan("s1", 10, ipv4=ipv4("10.0.0.0/29", "10.0.0.1")),
        basic("s2", 11),
        external("out", 100),
        external("routed", 101, nat=False, ipv4=ipv4("198.51.100.0/29", "198.51.100.1")),
        vpc("v1", "out", "routed"),
        overlay("s3"),
    )
    for id in INGRESS:
        world.create(side(id))
    for id in EGRESS:
        world.create(side(id, FunctionSide.EGRESS))
    for made in (
        side("t1", FunctionSide.TAP),
        span("z1"),
        span("z2"),
        nic("n0", "s1", host=HostId("h1")),
        nic("n1", "s2", host=HostId("h1")),
        _function("fw", [(0, 0, False)], []),
        _function("ids", [], ["t1"]),
        chain("c1", "fw"),
        chain("c2", "ids"),
        mirror("m1", "n1", "vs0", to=("z1",)),
        mirror("m2", "n0", to=("z2",)),
        replace(policy("p1", "v1", 10), service_chain=ServiceChainId("c2")),
        rules(PolicyScope.ALL_VLAN, "c1"),
        vlan("s4", 12, service_chain=ServiceChainId("c1")),
    ):
        world.create(made)
    return world


class Chaining(Admission):
    """Edits of hosts whose bridges, chains and mirrors get in each other's way."""

    network_functions = False

    def __init__(self) -> None:
        super().__init__()
        self.world = small_world()
        self.world.network_functions = self.network_functions

    def stored(self) -> naive.World:
        found = super().stored()
        found.network_functions = self.network_functions
        return found

    @rule(edit=infra_edits())
    def edit_host(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(edit=network_edits())
    def edit_network(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(edit=nic_edits())
    def edit_guest(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(edit=chaining_edits())
    def edit_chaining(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(id=one_of(SUBNETS), attached=ATTACHED)
    def attach(self, id: str, attached: ServiceChainId) -> None:
        found = self.world.draft.subnet(SubnetId(id))
        if found is not None and found.kind is not SubnetKind.EXTERNAL:
            self.edit_alone(Replace(intent=replace(found, service_chain=attached)))

    @rule(id=one_of(SUBNETS))
    def turn(self, id: str) -> None:
        """Turn a subnet to the other kind of VLAN."""
        found = self.world.draft.subnet(SubnetId(id))
        other = {SubnetKind.VLAN: SubnetKind.VLAN_BASIC, SubnetKind.VLAN_BASIC: SubnetKind.VLAN}
        if found is not None and found.kind in other:
            self.edit_alone(Replace(intent=replace(found, kind=other[found.kind])))

    @rule(id=one_of(SUBNETS))
    def move_all(self, id: str) -> None:
        """What the reconciler does until a migration is done: no NIC is in the way that could never move."""
        found = self.world.draft.subnet(SubnetId(id))
        for guest in tuple(self.world.draft.nics_of_subnet(found.id)) if found is not None else ():
            if found is not None and self.should_move(found, guest):
                edit = Restack(nic=guest.id, basic=found.kind is SubnetKind.VLAN_BASIC)
                assert self.try_(edit) is None

    def should_move(self, subnet: Subnet, guest: Nic) -> bool:
        """Tell whether a NIC is to move now: all its subnets are of the kind that it is not."""
        ids = (guest.subnet, *(tag.subnet for tag in guest.trunk_vlans if tag.subnet))
        kinds = {found.kind for found in map(self.world.draft.subnet, ids) if found is not None}
        wanted = subnet.kind is SubnetKind.VLAN_BASIC
        return guest.kind is NicKind.NORMAL and kinds == {subnet.kind} and guest.basic is not wanted


class ChainingOfOvn(Chaining):
    """The same with an OVN that has network functions."""

    network_functions = True


TestChaining = Chaining.TestCase
TestChaining.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestChainingOfOvn = ChainingOfOvn.TestCase
TestChainingOfOvn.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("machine", [Chaining, ChainingOfOvn])
@given(walk=st.lists(all_edits(), min_size=60, max_size=60))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_long_walk(machine: type[Chaining], walk: list[Edit]) -> None:
    chaining = machine()
    for edit in walk:
        chaining.try_(edit)
        chaining.all_holds()
    chaining.indexes_are_those_of_the_intents()


def test_the_small_world_is_one() -> None:
    """The strategies reach into every kind of the host's network."""
    world = small_world()
    assert all(world.draft.count(kind) for kind in NAMES)
    assert world.admit(Create(intent=chain("c3", "fw", "ids")))[0].after is not None
