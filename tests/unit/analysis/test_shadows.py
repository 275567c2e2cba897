"""Rules that another one leaves nothing to decide, contradicts, or takes tracking from."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import Any

import pytest
from hypothesis import given, note, settings

from netctl.analysis.finding import Finding, FindingKind
from netctl.analysis.report import ReportRequest, report
from netctl.analysis.verdict import Decision, Evaluator
from netctl.compiler.membership import Port, ports_of
from netctl.compiler.observed import NOTHING_OBSERVED
from netctl.model.intent import Intent
from netctl.model.keys import NicId, SecurityPolicyId
from netctl.model.security_policy import (
    Direction,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
    SecurityPolicy,
)
from netctl.model.snapshot import Snapshot
from tests.intents import snapshot, vpc
from tests.oracle.policy_probes import PolicyProbe, truth_table
from tests.oracle.policy_show import shown
from tests.oracle.policy_words import ARP
from tests.oracle.policy_worlds import MadeWorld, policy_worlds
from tests.security import address_group, category, entity_group, policy, rule, small_world
from tests.unit.oracle.observing import observed
from tests.unit.oracle.test_policy_verdict import in_their_words

KINDS = (FindingKind.SHADOWED, FindingKind.CONTRADICTED, FindingKind.STATELESS_OVERLAP)
OFFICE = address_group("office", "10.0.0.0/8", without=("10.9.0.0/16",))
FLOOR = address_group("floor", "10.1.0.0/16", "10.3.0.1-10.3.0.9")
NINE = address_group("nine", "10.9.1.1")
WORLD = address_group("world", "0.0.0.0/0", "::/0")
GROUPS = (OFFICE, FLOOR, NINE, WORLD, entity_group("both", "web", "app"))


def deny(name: str, *peers: str, **fields: Any) -> Any:
    return rule(name, *peers, action=RuleAction.DENY, **fields)


def found(*intents: Intent) -> list[str]:
    """Return what is found, as `SHADOWED shop/r2 by shop/r1`."""
    return [told(one) for one in findings(snapshot(small_world(*GROUPS, *intents)))]


def findings(world: Snapshot) -> list[Finding]:
    every = report(world, NOTHING_OBSERVED, ReportRequest(now_s=1000.0))
    return [one for one in every if one.kind in KINDS]


def told(one: Finding) -> str:
    by = f"{one.other_policy}/{one.other_rule}".rstrip("/")
    return f"{one.kind.value} {one.policy}/{one.rule}".rstrip("/") + f" by {by}"


def shop(*rules: Any, name: str = "shop", **fields: Any) -> SecurityPolicy:
    return policy(name, "db", rules=rules, **fields)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (rule("r1", "web"), rule("r2", "web", services=("tcp/80",))),
        (rule("r1"), rule("r2", "web")),
        (rule("r1", "web", "app"), rule("r2", "app")),
        (rule("r1", services=("tcp/1-100",)), rule("r2", "web", services=("tcp/20,30-40",))),
        (rule("r1", "addressGroups/office"), rule("r2", "addressGroups/floor")),
        (rule("r1", "addressGroups/world"), rule("r2", services=("tcp/80",))),
        (rule("r1", "addressGroups/office", "addressGroups/nine"), rule("r2", "addressGroups/nine")),
        (rule("r1", services=("tcp/80",)), rule("r2", services=("tcp/80",), ip_version=6)),
        (rule("r1", direction=Direction.IN_OUT), rule("r2", "web", direction=Direction.IN_OUT)),
        (deny("r1"), rule("r2", "web", action=RuleAction.REJECT)),
        (deny("r1"), rule("r2", "web", services=("tcp/80",))),
        (rule("r1", stateless=True), rule("r2", "web", stateless=True)),
        (rule("r1", stateless=True), rule("r2", "web")),
    ],
)
def test_a_rule_that_an_earlier_one_covers_is_shadowed(wide: Any, narrow: Any) -> None:
    assert found(shop(wide, narrow)) == ["SHADOWED shop/r2 by shop/r1"]
    assert not any("SHADOWED" in one for one in found(shop(narrow, wide))), "an exception before its rule"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (rule("r1", "web"), rule("r2", "app")),
        (rule("r1", "entityGroups/both"), rule("r2", "web")),  # whoever is in a group may change
        (rule("r1", "web", services=("tcp/80",)), rule("r2", "web", services=("udp/80",))),
        (rule("r1", services=("tcp/80",), ip_version=4), rule("r2", services=("tcp/80",))),
        (rule("r1"), rule("r2", direction=Direction.OUT)),
        (rule("r1"), rule("r2", direction=Direction.IN_OUT)),
        (rule("r1", "addressGroups/office"), rule("r2", "addressGroups/nine")),
        (rule("r1", "addressGroups/floor"), rule("r2", "addressGroups/office")),
        (rule("r1", disabled=True), rule("r2", "web")),
        (rule("r1", applied_to=("db",)), rule("r2", applied_to=("app",))),
    ],
)
def test_a_rule_with_something_of_its_own_is_not(first: Any, second: Any) -> None:
    assert found(policy("shop", "db", "app", rules=(first, second))) == []


def test_expired_rules_cover_nothing() -> None:
    world = snapshot(small_world(shop(rule("r1"), rule("r2", "web"))))
    seen = replace(NOTHING_OBSERVED, expired=frozenset({(SecurityPolicyId("shop"), "r1")}))
    assert not report(world, seen, ReportRequest(now_s=1000.0))
    assert findings(world), "before it expired"


def test_other_policies_cover_by_kind_then_priority_then_name() -> None:
    one, two = rule("r1"), rule("r2", "web")
    assert found(shop(two), shop(one, name="above", priority=5)) == ["SHADOWED shop/r2 by above/r1"]
    assert found(shop(two), shop(one, name="before")) == ["SHADOWED shop/r2 by before/r1"]
    assert found(shop(two), shop(one, name="zebra")) == []
    assert found(shop(two), shop(one, name="zebra", kind=PolicyKind.SHARED_SERVICE)) == [
        "SHADOWED shop/r2 by zebra/r1"
    ]
    assert found(shop(two, kind=PolicyKind.VDI), policy("shut", "db")) == ["SHADOWED shop/r2 by shut"]
    assert found(shop(two), policy("jail", "db", kind=PolicyKind.QUARANTINE)) == ["SHADOWED shop/r2 by jail"]


def test_scopes_cover_as_a_whole() -> None:
    everywhere = {"scope": PolicyScope.ALL_VPC}
    one, two = rule("r1"), rule("r2", "web")
    of = vpc("p2")
    assert found(of, shop(two, **everywhere), shop(one, name="a")) == []
    assert found(of, shop(two, **everywhere), shop(one, name="a", vpcs=("p1", "p2"))) == []
    assert found(of, shop(two, vpcs=("p1",)), shop(one, name="a", **everywhere)) == [
        "SHADOWED shop/r2 by a/r1"
    ]
    assert found(of, shop(two, vpcs=("p1",)), shop(one, name="a", vpcs=("p1", "p2"))) == [
        "SHADOWED shop/r2 by a/r1"
    ]
    assert found(of, shop(two, vpcs=("p1", "p2")), shop(one, name="a", vpcs=("p2",))) == []


def test_a_policy_in_monitor_covers_only_its_like() -> None:
    watched = {"mode": PolicyMode.MONITOR}
    one, two = rule("r1"), rule("r2", "web")
    assert found(shop(two), shop(one, name="a", **watched)) == []
    assert found(shop(two, **watched), shop(one, name="a", **watched)) == ["SHADOWED shop/r2 by a/r1"]
    assert found(shop(two, **watched), shop(one, name="a")) == ["SHADOWED shop/r2 by a/r1"]
    assert found(shop(two, mode=PolicyMode.SAVE), shop(one, name="a")) == []


def test_what_policies_say_beside_their_rules_is_found_too() -> None:
    both = Direction.IN_OUT
    intra = IntraGroup.DENY
    assert found(shop(rule("r1", direction=both), intra_group=intra)) == ["SHADOWED shop by shop/r1"]
    assert found(shop(rule("r1", "db", direction=both), intra_group=intra)) == [
        "CONTRADICTED shop by shop/r1"
    ]
    same = [policy(name, "prod", "test", kind=PolicyKind.ISOLATION) for name in ("a", "b")]
    assert found(*same) == ["SHADOWED b by a"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (rule("r1", "web", services=("tcp/80",)), deny("r2", "web", services=("tcp/80",))),
        (rule("r1", "web", services=("tcp/1-80",)), deny("r2", "web", services=("tcp/80-99",))),
        (rule("r1", "web"), deny("r2", "app", "web", services=("tcp/80",))),
        (rule("r1", "addressGroups/office", services=("tcp",)), deny("r2", "addressGroups/floor")),
        (rule("r1", "web", services=("tcp",)), rule("r2", services=("tcp/22",), action=RuleAction.REJECT)),
        (deny("r1", services=("tcp/22",)), rule("r2", "web", services=("tcp",))),
    ],
)
def test_rules_that_want_the_opposite_of_the_same_are_told(first: Any, second: Any) -> None:
    assert found(shop(first, second)) == ["CONTRADICTED shop/r2 by shop/r1"]
    assert found(shop(first, replace(second, action=first.action))) in ([], ["SHADOWED shop/r2 by shop/r1"])


def test_an_exception_before_its_rule_is_no_contradiction() -> None:
    assert found(shop(rule("r1", "web", services=("tcp/80",)), deny("r2", services=("tcp",)))) == []
    quarantine = policy(
        "jail", "db", kind=PolicyKind.QUARANTINE, rules=(rule("r1", "web", services=("tcp",)),)
    )
    shared = shop(deny("r2", "web", "app", services=("tcp/80",)))
    assert not any("CONTRADICTED" in one for one in found(quarantine, shared)), (
        "kinds are in order on purpose"
    )


def test_contradictions_are_told_once_with_the_winner() -> None:
    rules = (
        rule("r1", "web", services=("tcp/80-85",)),
        rule("r2", "app", services=("tcp",)),
        deny("r3", "web", "app", services=("tcp/84-90",)),
    )
    (one,) = findings(snapshot(small_world(shop(*rules))))
    assert told(one) == "CONTRADICTED shop/r3 by shop/r1"
    assert one.message == (
        "rule r3 of securityPolicies/shop denies what rule r1 of securityPolicies/shop allows: that one matches some of"
        " the same and wins; 1 more like it"
    )


def test_stateless_rules_take_tracking_from_those_before_them() -> None:
    first, second = rule("r1", "web", services=("tcp/80",)), rule("r2", services=("tcp",), stateless=True)
    assert found(shop(first, second)) == ["STATELESS_OVERLAP shop/r2 by shop/r1"]
    assert found(shop(first, replace(second, stateless=False))) == []
    assert found(shop(second, replace(first, services=()))) == [], (
        "what it decides itself it takes nothing from"
    )
    assert found(shop(replace(first, action=RuleAction.DENY), second)) == [], "what is denied has no answers"
    narrow = rule("r2", "web", services=("tcp/80",), stateless=True)
    assert found(shop(rule("r1", "web"), narrow)) == ["STATELESS_OVERLAP shop/r2 by shop/r1"]


def test_ten_thousand_rules_take_seconds() -> None:
    """Of one group from one peer, each for a port of its own: nothing but the ports tells them apart."""
    policies = [
        policy(
            f"p{i}",
            "db",
            rules=tuple(rule(f"r{j}", "web", services=(f"tcp/{1 + i * 1000 + j}",)) for j in range(1000)),
        )
        for i in range(10)
    ]
    again = policy("again", "db", kind=PolicyKind.VDI, rules=(rule("r1", "web", services=("tcp/9999",)),))
    world = snapshot(small_world(category("x"), *policies, again))
    started = monotonic()
    assert [told(one) for one in findings(world)] == ["SHADOWED again/r1 by p9/r998"]
    assert monotonic() - started < 20


def test_without_shadowed_rules_nothing_is_decided_otherwise() -> None:
    """A SHADOWED rule may go: everybody's fate and tracking stay, and who decides."""
    tally = [0]

    @settings(max_examples=100)
    @given(made=policy_worlds())
    def in_every_world(made: MadeWorld) -> None:
        note(shown(made.world))
        seen = observed(made)
        every = report(made.snapshot, seen, ReportRequest(now_s=1000.0))
        shadowed = {(one.policy, one.rule) for one in every if one.kind is FindingKind.SHADOWED and one.rule}
        if not shadowed:
            return
        tally[0] += len(shadowed)
        draft = made.snapshot.draft()
        for id in {id for id, _ in shadowed}:
            draft.put(without(made.snapshot, id, {name for of, name in shadowed if of == id}))
        before, after = (
            Evaluator(made.snapshot, seen),
            Evaluator(draft.freeze(made.snapshot.revision + 1), seen),
        )
        for probe in truth_table(made.world):
            if probe.packet.protocol != ARP:
                assert decided(before, probe) == decided(after, probe), f"{probe}: {shadowed}"

    in_every_world()
    assert tally[0] > 5, "hardly a world had any"


def without(world: Snapshot, id: SecurityPolicyId, rules: set[str]) -> SecurityPolicy:
    found = world.security_policy(id)
    assert found is not None
    return replace(
        found, rules=tuple(replace(one, disabled=one.name in rules or one.disabled) for one in found.rules)
    )


def decided(evaluator: Evaluator, probe: PolicyProbe) -> list[tuple[object, ...]]:
    ports = [port_of(evaluator, end.name) if end is not None else None for end in probe.ends]
    verdict = evaluator.verdict(ports[0], ports[1], in_their_words(probe.packet))
    return [
        (
            one.action,
            one.stateful,
            line_of(one),
            one.would_drop and (one.would_drop.policy, one.would_drop.rule),
        )
        for one in verdict.decisions
    ]


def line_of(decision: Decision) -> tuple[str, str] | None:
    clause = decision.clause
    return (clause.policy, clause.rule) if clause is not None else None


def port_of(evaluator: Evaluator, name: tuple[str, int]) -> Port:
    nic = evaluator.snapshot.nic(NicId(name[0]))
    assert nic is not None
    return next(port for port in ports_of(evaluator.snapshot, nic) if port.vlan_id == name[1])
