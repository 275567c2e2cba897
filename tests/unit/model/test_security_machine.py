"""Any sequence of edits of categories, groups and security policies, and of who is in them, against naive_security.py.

The rules, the edits in batches and what must hold of every edit are those of test_admit_machine.py.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from netctl.errors import InvalidIntent, NetctlError, NotFound
from netctl.model.intent import Create, Edit, Replace
from netctl.model.keys import CategoryId, Kind, VpcId
from netctl.model.security_policy import (
    Direction,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
)
from tests import security as make
from tests.unit.model import naive, naive_security
from tests.unit.model.test_admit_machine import IDS, Admission, edits_of, infra_edits, one_of
from tests.unit.model.world import (
    World,
    cluster,
    host,
    ipv4,
    nic,
    overlay,
    switch,
    vlan,
    vpc,
)

CATEGORIES, GROUPS, OFFICES, SERVICES = (
    ("web", "app", "db", "old"),
    ("g0", "g1", "g2", "g3"),
    ("a0", "a1"),
    ("t0", "t1"),
)
IDS |= {
    Kind.CATEGORY: CATEGORIES,
    Kind.ENTITY_GROUP: GROUPS,
    Kind.ADDRESS_GROUP: OFFICES,
    Kind.SERVICE_GROUP: SERVICES,
    Kind.SECURITY_POLICY: ("p0", "p1", "p2"),
}
IDS.setdefault(Kind.VPC, ("v1", "v2", "hub"))

in_some = st.lists(one_of(CATEGORIES).map(CategoryId), max_size=2, unique=True).map(tuple)
secured_terms = one_of([*(f"categories/{id}" for id in CATEGORIES), *(f"entityGroups/{id}" for id in GROUPS)])
terms = st.one_of(
    secured_terms,
    secured_terms,
    one_of(["subnets/s1", "subnets/s2", "vpcs/v1", "vpcs/v2", "nics/n0", "nics/n1", "nics/n5"]),
)
peers = st.one_of(secured_terms, one_of([f"addressGroups/{id}" for id in OFFICES]))

categories = st.builds(
    make.category, one_of(CATEGORIES), one_of(["tier", "tier", "層"]), one_of(["", "", "web"])
)
selectors = st.lists(st.lists(terms, min_size=1, max_size=2, unique=True).map(",".join), max_size=2)
groups = st.builds(
    lambda id, include, without: make.entity_group(id, *include, without=tuple(without)),
    one_of(GROUPS),
    selectors,
    selectors,
)
offices = st.builds(
    lambda id, some: make.address_group(id, *some),
    one_of(OFFICES),
    one_of([(), ("10.0.0.0/8", "fd00::/8"), ("192.0.2.1-192.0.2.9",)]),
)
services = st.builds(make.service_group, one_of(SERVICES), one_of(["tcp/80", "udp", "icmpv6/128", "47"]))
rules = st.builds(
    lambda named, groups, **fields: make.rule("r", *named, services=tuple(groups), **fields),
    st.lists(peers, max_size=2, unique=True),
    st.lists(one_of([*(f"serviceGroups/{id}" for id in SERVICES), "tcp/443"]), max_size=2, unique=True),
    direction=one_of(list(Direction)),
    disabled=one_of([False, False, True]),
    expire_time_s=one_of([0.0, 0.0, 5.0, 40.0, 1e9]),
    action=one_of(list(RuleAction)),
)


def _policy(id: str, secured: list[str], found: list[Any], kind: PolicyKind, **fields: Any) -> Any:
    """Make a policy of what a kind can have."""
    if kind not in (PolicyKind.APPLICATION, PolicyKind.VDI):
        fields.pop("intra_group")
    if kind is PolicyKind.ISOLATION:
        found, secured = [], secured if len(secured) > 1 else ["categories/web", "categories/app"]
    if kind in (PolicyKind.QUARANTINE, PolicyKind.SHARED_SERVICE):
        found = [replace(one, action=RuleAction.ALLOW) for one in found]
    if kind is PolicyKind.SHARED_SERVICE and not found:
        found = [make.rule("r", "web")]
    named = tuple(replace(one, name=f"r{i}", applied_to=tuple(secured[:i])) for i, one in enumerate(found))
    if fields["scope"] is PolicyScope.VPC_LIST:
        fields["vpcs"] = ("v1",) if len(secured) > 1 else ("v1", "v2")
    return make.policy(id, *secured, rules=named, kind=kind, **fields)


policies = st.builds(
    _policy,
    one_of(IDS[Kind.SECURITY_POLICY]),
    st.lists(secured_terms, min_size=1, max_size=3, unique=True),
    st.lists(rules, max_size=3),
    one_of([PolicyKind.APPLICATION, PolicyKind.APPLICATION, *PolicyKind]),
    mode=one_of([PolicyMode.ENFORCE, PolicyMode.ENFORCE, *PolicyMode]),
    scope=one_of(list(PolicyScope)),
    intra_group=one_of(list(IntraGroup)),
)
nics = st.builds(
    lambda number, some: replace(nic(f"n{number}", "s1" if number % 2 else "s2"), categories=some),
    st.integers(0, 8),
    in_some,
)
places = st.one_of(
    st.builds(lambda id, some: vpc(id, categories=some), one_of(["v1", "v2"]), in_some),
    st.builds(lambda some: vlan("s2", 10, ipv4=ipv4("10.0.0.0/28"), categories=some), in_some),
    st.builds(
        lambda some: overlay("s1", vpc=VpcId("v1"), ipv4=ipv4("10.0.0.0/29"), categories=some), in_some
    ),
)

_security = edits_of(
    st.one_of(groups, groups, policies, policies, offices, services, categories),
    Kind.ENTITY_GROUP,
    Kind.SECURITY_POLICY,
    Kind.ADDRESS_GROUP,
    Kind.SERVICE_GROUP,
    Kind.CATEGORY,
)
_members = edits_of(st.one_of(nics, nics, places), Kind.NIC, Kind.SUBNET, Kind.VPC)
_all: st.SearchStrategy[Edit] = st.one_of(infra_edits, _security, _security, _security, _members)


# Hypothesis writes strategies out, which takes minutes with those above; a composite has but its name.
@st.composite
def security_edits(draw: st.DrawFn) -> Edit:
    return draw(_security)


@st.composite
def member_edits(draw: st.DrawFn) -> Edit:
    return draw(_members)


@st.composite
def all_edits(draw: st.DrawFn) -> Edit:
    return draw(_all)


def small_world() -> World:
    """Return members, groups that name groups, and policies that name both."""
    return World(
        *(make.category(id) for id in CATEGORIES[:3]),
        cluster("c1"),
        switch("vs0"),
        vpc("v1", categories=(CategoryId("web"),)),
        vpc("v2"),
        host("h1", "192.0.2.1/24", "c1", "vs0"),
        overlay("s1", vpc=VpcId("v1"), ipv4=ipv4("10.0.0.0/29")),
        vlan("s2", 10, ipv4=ipv4("10.0.0.0/28"), categories=(CategoryId("app"),)),
        make.in_categories(nic("n0", "s1"), "web"),
        nic("n1", "s2"),
        make.entity_group("g0", "web"),
        make.entity_group("g1", "app,subnets/s2", without=("entityGroups/g0", "nics/n0")),
        make.address_group("a0", "192.0.2.0/24"),
        make.service_group("t0"),
        make.policy("p0", "web", rules=(make.rule("r", "addressGroups/a0", services=("serviceGroups/t0",)),)),
        make.policy("p1", "entityGroups/g1", vpcs=("v1",)),
    )


class Security(Admission):
    """Edits of who is in what, while groups and policies name it."""

    def __init__(self) -> None:
        super().__init__()
        self.world = small_world()

    def check_refusal(self, edit: Edit, before: naive.World, error: NetctlError) -> None:
        super().check_refusal(edit, before, error)
        if not isinstance(edit, Create | Replace):
            return
        after = naive.World(
            [
                one
                for one in before.intents
                if naive_security.name_of(one) != naive_security.name_of(edit.intent)
            ]
            + [edit.intent]
        )
        if type(error) is InvalidIntent and " in a circle: " in error.message:
            assert naive_security.peel(after) is None
            self.check_circle(after, error.message.partition(" in a circle: ")[2])
        if type(error) is NotFound and error.field != "name":
            absent = error.message.partition(" does not exist")[0]
            assert absent not in {naive_security.name_of(one) for one in before.intents}

    def check_circle(self, after: naive.World, way: str) -> None:
        """The way that is told is one, and ends where it began."""
        groups = {naive_security.name_of(one): naive_security.named_by(one) for one in after.intents}
        steps = way.split(" names ")
        assert steps[0] == steps[-1]
        assert all(there in groups[here] for here, there in pairwise(steps))

    @rule(edit=security_edits())
    def edit_security(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(edit=security_edits())
    def edit_security_again(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(edit=member_edits())
    def edit_members(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(id=one_of(IDS[Kind.SECURITY_POLICY]), mode=one_of(list(PolicyMode)))
    def switch_mode(self, id: str, mode: PolicyMode) -> None:
        """What is stored can always be written back in another mode: rules that have expired as well."""
        found: Any = self.world.draft.get((Kind.SECURITY_POLICY, id))
        if found is not None:
            assert self.try_(Replace(intent=replace(found, mode=mode))) is None

    @rule(id=one_of([f"n{i}" for i in range(9)]), some=in_some)
    def change_categories(self, id: str, some: tuple[CategoryId, ...]) -> None:
        """A NIC goes from group to group, whatever uses them."""
        found: Any = self.world.draft.get((Kind.NIC, id))
        if found is not None:
            there = tuple(one for one in some if self.world.draft.category(one) is not None)
            assert self.try_(Replace(intent=replace(found, categories=there))) is None

    @invariant()
    def clauses_are_counted(self) -> None:
        stored, frozen = naive_security.counted(self.stored()), self.world.draft.freeze(1)
        assert dict(frozen._clauses) == stored


TestSecurity = Security.TestCase
TestSecurity.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(st.lists(all_edits(), min_size=80, max_size=80))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_long_walk(walk: list[Edit]) -> None:
    security = Security()
    for edit in walk:
        security.try_(edit)
        security.all_holds()
    security.indexes_are_those_of_the_intents()


def test_the_small_world_is_one() -> None:
    """The strategies reach into every kind."""
    world = small_world()
    kinds = (
        Kind.CATEGORY,
        Kind.ADDRESS_GROUP,
        Kind.SERVICE_GROUP,
        Kind.ENTITY_GROUP,
        Kind.SECURITY_POLICY,
    )
    assert all(world.draft.count(kind) for kind in kinds)
    assert world.admit(Create(intent=make.policy("p2", "db")))[0].after is not None
