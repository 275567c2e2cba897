"""Who is compiled again when a chain, or what it hangs on, changes: nobody whose rows differ is forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.compiler.compile import COMPILED, compile_intent
from netctl.compiler.dependents import readers_between, readers_of_observed
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.intent import Intent, key_of
from netctl.model.keys import HostId, Key, Kind, SecurityPolicyId, ServiceChainId, SubnetId
from netctl.model.routing_policy import PolicyAction
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import SubnetKind
from tests import vpcs
from tests.chained import chain, firewall, function, function_nics, pair, with_chain
from tests.intents import OWNER, infra, meta, routed, routed_nic, snapshot, vlan, vpc
from tests.oracle.steering_worlds import chained_world
from tests.security import category, in_categories, policy, rule, secured_nic, secured_vlan
from tests.unit.oracle.observing import PHASES

NATIVE = Observed(network_functions=True)
V10: Key = (Kind.SUBNET, "v10")


def facts(made: Snapshot, observed: Observed) -> dict[Key, frozenset[str]]:
    """Compile every intent by itself."""
    return {
        (kind, intent.id): frozenset(map(repr, compile_intent(made, (kind, intent.id), OWNER, observed)))
        for kind in COMPILED
        for intent in made.of_kind(kind)
    }


def check(before: Snapshot, after: Snapshot) -> None:
    changed = frozenset(key for key in {*before.keys(), *after.keys()} if before.get(key) != after.get(key))
    readers = readers_between(before, after, changed)
    for observed in (NOTHING_OBSERVED, NATIVE):
        was, is_ = facts(before, observed), facts(after, observed)
        forgotten = {key for key in was.keys() | is_.keys() if was.get(key) != is_.get(key)} - readers
        assert not forgotten, f"{sorted(changed)} change {sorted(forgotten)} as well"


@settings(max_examples=40, phases=PHASES, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_nobody_whose_rows_differ_is_forgotten(seed: int, data: st.DataObject) -> None:
    made = chained_world(seed, 6, 5).snapshot
    other = chained_world(seed + 1, 6, 5).snapshot
    draft = made.draft()
    kinds = (Kind.SERVICE_CHAIN, Kind.NETWORK_FUNCTION, Kind.SECURITY_POLICY, Kind.NIC, Kind.SUBNET)
    every = made.keys()
    keys = sorted(key for key in every if key[0] in kinds)
    for key in data.draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3, unique=True)):
        instead = other.get(key)
        if key[0] in (Kind.SERVICE_CHAIN, Kind.NETWORK_FUNCTION) or instead is None:
            draft.remove(key)
        elif key[0] is Kind.SECURITY_POLICY:
            draft.put(instead)
    check(made, draft.freeze(made.revision + 1))


def world(*more: Intent) -> list[Intent]:
    return [*infra(), *firewall(), category("web"), secured_vlan(), *more]


GUEST, CHAINED = secured_nic("n1", "web"), policy("shop", "web", rules=(with_chain(rule("r1")),))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([secured_vlan()], [with_chain(secured_vlan())]),
        ([GUEST], [GUEST, CHAINED]),
        ([CHAINED], [GUEST, CHAINED]),
        ([in_categories(GUEST), CHAINED], [GUEST, CHAINED]),
        ([GUEST, CHAINED], [GUEST, replace(CHAINED, rules=(rule("r1"),))]),
        ([GUEST, with_chain(secured_vlan())], [GUEST]),
    ],
    ids=["own", "policy", "guest", "category", "rule", "gone"],
)
def test_a_subnet_reads_what_its_chains_hang_on(before: list[Intent], after: list[Intent]) -> None:
    was, is_ = snapshot(world(*before)), snapshot(world(*after))
    old, new = facts(was, NOTHING_OBSERVED), facts(is_, NOTHING_OBSERVED)
    assert old[V10] != new[V10], "the localnet moves"
    check(was, is_)
    check(is_, was)


def test_a_subnet_reads_whether_ovn_could_have_the_function() -> None:
    own = with_chain(secured_vlan())
    alone = snapshot(world(own))
    for more in (
        [function("ids", pair("ids")), chain("two", "fw", "ids")],
        [replace(with_chain(vlan("v20", 20)), kind=SubnetKind.VLAN_BASIC)],
    ):
        among = snapshot(world(own, *more))
        assert facts(alone, NATIVE)[V10] != facts(among, NATIVE)[V10]
        check(alone, among)
        check(among, alone)


def test_what_is_observed_moves_subnets_too() -> None:
    made = snapshot(world(GUEST, CHAINED))
    over = Observed(expired=frozenset({(SecurityPolicyId("shop"), "r1")}))
    found = readers_of_observed(made, NOTHING_OBSERVED, over)
    assert found is not None
    assert V10 in set(found)
    assert key_of(with_chain(secured_vlan())) == (Kind.SUBNET, SubnetId("v10"))
    assert readers_of_observed(made, NOTHING_OBSERVED, NATIVE) is None, "all may"


def full_world() -> list[Intent]:
    """A world in which functions of OVN are attached in every way."""
    plain = vpcs.policy("plain", PolicyAction.PERMIT, priority=500, vpc="p1")
    return [
        *infra(),
        *firewall(),
        function("ids", pair("ids")),
        chain("second", "ids"),
        *function_nics("ids", number=210, host="h2"),
        category("web"),
        vpc("p1"),
        with_chain(routed()),
        routed("s2", number=2),
        with_chain(secured_vlan(), "second"),
        in_categories(routed_nic("a"), "web"),
        in_categories(routed_nic("b", "s2", network=2), "web"),
        secured_nic("n1", "web"),
        policy("shop", "web", rules=(with_chain(rule("r1")),), vpcs=("p1",)),
        policy("tags", "web", rules=(with_chain(rule("r1"), "second"),)),
        plain,
        with_chain(vpcs.policy("deep", PolicyAction.PERMIT, priority=400, vpc="p1"), "second"),
        with_chain(vpcs.policy("deeper", PolicyAction.PERMIT, priority=300, vpc="p1")),
    ]


WHOLE = full_world()


GOING = [key for key in map(key_of, WHOLE) if key[0] not in (Kind.CLUSTER, Kind.VIRTUAL_SWITCH, Kind.HOST)]


@pytest.mark.parametrize("gone", GOING, ids="/".join)
def test_nobody_forgets_what_goes_or_comes(gone: Key) -> None:
    before, after = snapshot(WHOLE), snapshot(intent for intent in WHOLE if key_of(intent) != gone)
    check(before, after)
    check(after, before)


@pytest.mark.parametrize(
    "instead",
    [
        function("fw", pair("fw", disabled=True)),
        function("fw"),
        function("fw", pair("fw"), pair("ids")),
        chain("inspect", "ids"),
        chain("inspect", "fw", "ids"),
        replace(function_nics("fw")[0], host=HostId("h2")),
        replace(function_nics("fw")[1], connected=False),
        in_categories(routed_nic("b", "s2", network=2)),
        routed_nic("b", "s1", number=9),
        replace(with_chain(routed()), service_chain=ServiceChainId("")),
        with_chain(routed(), "second"),
        replace(with_chain(routed()), meta=meta("another")),
        vpcs.policy("plain", PolicyAction.PERMIT, priority=100, vpc="p1"),
        vpcs.policy("deep", PolicyAction.PERMIT, priority=400, vpc="p1"),
    ],
    ids=lambda intent: f"{key_of(intent)[1]}",
)
def test_nobody_forgets_what_becomes_other(instead: Intent) -> None:
    key = key_of(instead)
    after = snapshot([instead if key_of(intent) == key else intent for intent in WHOLE])
    check(snapshot(WHOLE), after)
    check(after, snapshot(WHOLE))
