"""The oracle of security policies against sentences of docs/design/security.md, one test for each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.model.intent import Intent
from netctl.model.security_policy import (
    Direction,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
    SecurityPolicy,
)
from netctl.model.subnet import DhcpOptions
from tests.intents import routed, routed_nic, vpc
from tests.oracle.policy import PolicyOracle
from tests.oracle.policy_words import ARP, ICMP, ICMPV6, TCP, UDP, Packet, PolicyWorld, Port, State
from tests.security import (
    address_group,
    entity_group,
    in_categories,
    policy,
    rule,
    secured_nic,
    service_group,
    small_world,
)

FAR = "192.0.2.80"
ALLOW, DENY, REJECT = RuleAction.ALLOW, RuleAction.DENY, RuleAction.REJECT
IN, OUT, BOTH = Direction.IN, Direction.OUT, Direction.IN_OUT


def asked(*intents: Intent, **world: Any) -> PolicyOracle:
    """Return the oracle of the small world with more in it."""
    return PolicyOracle(PolicyWorld.of(small_world(*intents), **world))


def packet(source: Port | None, destination: Port | None, protocol: int = TCP, port: int = 80) -> Packet:
    """Return a first packet by IPv4."""
    a, b = (end.addresses[0] if end is not None else FAR for end in (source, destination))
    if protocol == ICMP:
        return Packet(a, b, ICMP, icmp_type=8)
    return Packet(a, b, protocol, 40_000, port)


def goes(oracle: PolicyOracle, source: str, destination: str, protocol: int = TCP, port: int = 80) -> bool:
    """May one NIC, or "far", open a connection to another?"""
    a, b = (oracle.at.get((name, 0)) for name in (source, destination))
    return oracle.passes(a, b, packet(a, b, protocol, port))


def of(kind: PolicyKind, *secured: str, name: str = "p", **fields: Any) -> SecurityPolicy:
    return policy(name, *secured, kind=kind, **fields)


def quarantine(*secured: str, **fields: Any) -> SecurityPolicy:
    return of(PolicyKind.QUARANTINE, *secured, **fields)


def isolation(*secured: str, **fields: Any) -> SecurityPolicy:
    return of(PolicyKind.ISOLATION, *secured, **fields)


def test_nobody_objects_where_there_are_no_policies() -> None:
    assert goes(asked(), "w1", "d1")
    assert goes(asked(), "far", "d1")


@pytest.mark.parametrize("kind", [PolicyKind.APPLICATION, PolicyKind.VDI])
def test_an_application_lets_in_and_out_what_its_rules_allow(kind: PolicyKind) -> None:
    oracle = asked(of(kind, "web", rules=(rule("r", "app", services=("tcp/80",)),)))
    assert goes(oracle, "a1", "w1")
    assert not goes(oracle, "a1", "w1", port=81)
    assert not goes(oracle, "a1", "w1", UDP)
    assert not goes(oracle, "w1", "a1")
    assert not goes(oracle, "far", "w1")
    assert not goes(oracle, "w1", "w2")
    assert goes(oracle, "a1", "d1")


@pytest.mark.parametrize(
    ("intra", "allowed"), [(IntraGroup.RULES, False), (IntraGroup.ALLOW, True), (IntraGroup.DENY, False)]
)
def test_intra_group_comes_after_the_rules(intra: IntraGroup, allowed: bool) -> None:
    ssh = rule("ssh", "web", services=("tcp/22",), direction=BOTH)
    no_dns = rule("dns", "web", services=("udp/53",), direction=BOTH, action=DENY)
    oracle = asked(policy("p", "web", intra_group=intra, rules=(ssh, no_dns)))
    assert goes(oracle, "w1", "w2") is allowed
    assert goes(oracle, "w1", "w2", port=22)
    assert not goes(oracle, "w1", "w2", UDP, 53)


def test_an_allow_is_not_undone_by_the_implicit_deny_of_another_policy() -> None:
    first = policy("a", "prod", rules=(rule("r", "app"),), priority=9)
    second = policy("b", "web", rules=(rule("r", services=("tcp/443",)),))
    oracle = asked(first, second)
    assert goes(oracle, "far", "w1", port=443)
    assert not goes(oracle, "far", "w1", port=80)


def test_kinds_come_in_their_order() -> None:
    deny = policy("app", "web", rules=(rule("no", services=("tcp/22",), action=DENY),))
    wide = of(PolicyKind.VDI, "web", name="vdi", rules=(rule("all", direction=BOTH),))
    oracle = asked(deny, wide)
    assert not goes(oracle, "far", "w1", port=22)
    assert not goes(oracle, "far", "w1", port=80), "the implicit deny of APPLICATION comes before VDI"
    apart = isolation("prod", "test", name="apart")
    assert goes(asked(), "w1", "w2")
    assert not goes(asked(apart), "w1", "w2")
    shared = of(
        PolicyKind.SHARED_SERVICE, "test", name="dns", rules=(rule("r", "prod", services=("tcp/80",)),)
    )
    assert goes(asked(apart, shared), "w1", "w2"), "at both ends"
    assert not goes(asked(apart, shared), "w2", "w1")
    assert not goes(asked(apart, shared), "w1", "w2", port=81)
    assert not goes(asked(apart, shared, quarantine("test")), "w1", "w2")


def test_a_strict_quarantine_drops_all_and_a_forensic_one_all_but_what_it_says() -> None:
    oracle = asked(quarantine("web"))
    assert not any(goes(oracle, *pair) for pair in (("w1", "x1"), ("x1", "w1"), ("far", "w1")))
    office = address_group("office", "192.0.2.0/24", without=("192.0.2.99",))
    forensic = quarantine("web", rules=(rule("look", "addressGroups/office"),))
    oracle = asked(office, forensic)
    assert goes(oracle, "far", "w1")
    assert not goes(oracle, "x1", "w1")
    gone = asked(office, forensic, expired=(("p", "look"),))
    assert not goes(gone, "far", "w1")
    strict = quarantine("web", name="z")
    assert not goes(asked(office, forensic, strict), "far", "w1"), "phase 0 is before any rule"


def test_priorities_decide_within_a_kind_then_names() -> None:
    yes = policy("b-yes", "web", rules=(rule("r"),))
    no = policy("c-no", "web", rules=(rule("r", action=DENY),))
    assert goes(asked(yes, no), "far", "w1")
    assert not goes(asked(yes, replace(no, priority=1)), "far", "w1")
    rules = (rule("no", action=DENY), rule("yes"))
    assert not goes(asked(policy("p", "web", rules=rules)), "far", "w1")
    rules = (rule("no", action=DENY), rule("yes", priority=1))
    assert goes(asked(policy("p", "web", rules=rules)), "far", "w1")


def test_reject_is_deny() -> None:
    assert not goes(asked(policy("p", "web", rules=(rule("r", action=REJECT),))), "far", "w1")


def test_a_rule_may_be_of_some_of_the_secured() -> None:
    oracle = asked(policy("p", "web", "db", rules=(rule("r", applied_to=("db",)),)))
    assert goes(oracle, "far", "d1")
    assert not goes(oracle, "far", "w1")


def test_who_is_in_two_isolated_groups_is_kept_from_both() -> None:
    both = secured_nic("both", "prod", "test", number=20)
    oracle = asked(isolation("prod", "test"), both)
    assert not any(goes(oracle, "both", name) for name in ("w1", "w2"))
    assert goes(oracle, "both", "x1")
    assert not goes(oracle, "w1", "w2")


def test_groups_have_members_by_selectors_without_exceptions() -> None:
    inner = entity_group("inner", "prod", without=("nics/a1",))
    outer = entity_group("outer", "web", "entityGroups/inner,subnets/v10")
    oracle = asked(inner, outer, quarantine("entityGroups/outer"))
    assert [goes(oracle, name, "x1") for name in ("w1", "w2", "d1", "a1")] == [False, False, False, True]
    none = asked(entity_group("none"), quarantine("entityGroups/none"))
    assert goes(none, "w1", "x1")


def test_categories_of_subnets_and_vpcs_are_those_of_their_ports() -> None:
    everywhere = quarantine("test", scope=PolicyScope.ALL_VPC)
    assert not goes(asked(everywhere), "pa1", "pw1"), "s2 is in test"
    assert goes(asked(everywhere), "pw1", "pd1")
    assert not goes(asked(quarantine("prod", vpcs=("p1",))), "pw1", "pd1"), "p1 is in prod"


def test_scopes() -> None:
    for scope, vlans, vpcs in ((PolicyScope.ALL_VLAN, False, True), (PolicyScope.ALL_VPC, True, False)):
        oracle = asked(quarantine("web", scope=scope))
        assert goes(oracle, "w1", "x1") is vlans
        assert goes(oracle, "pw1", "pd1") is vpcs
    assert goes(asked(vpc("p2"), quarantine("web", vpcs=("p2",))), "pw1", "pd1")


def test_a_group_is_its_members_in_the_same_realm() -> None:
    """x has in another VPC the address that a member has in the first."""
    other = (vpc("p2"), routed("s9", "p2", number=1), routed_nic("x", "s9", number=11))
    more = in_categories(routed_nic("y", "s9", number=30), "db")
    only_web = policy("p", "db", scope=PolicyScope.ALL_VPC, rules=(rule("r", "web"),))
    oracle = asked(*other, more, only_web)
    assert oracle.at["x", 0].addresses == oracle.at["pw1", 0].addresses
    assert goes(oracle, "pw1", "pd1")
    assert not goes(oracle, "x", "y")


def test_services_versions_and_types() -> None:
    http = service_group("http", "tcp/80", "icmp/8")
    named = rule("r", services=("serviceGroups/http", "udp/53,100-200", "47", "icmpv6/128"))
    oracle = asked(http, policy("p", "web", rules=(named,)))
    w1 = oracle.at["w1", 0]

    def let_in(*what: Any, source: str = FAR, **more: int) -> bool:
        to = w1.addresses[":" in source]
        return oracle.allows(w1, IN, Packet(source, to, *what, **more))

    assert [let_in(UDP, 9, port) for port in (53, 54, 99, 100, 200, 201)] == [
        *(True, False, False, True, True, False)
    ]
    assert let_in(47)
    assert not let_in(50)
    assert [let_in(ICMP, icmp_type=kind) for kind in (8, 13)] == [True, False]
    assert [let_in(ICMPV6, icmp_type=kind, source="2001:db8::1") for kind in (128, 1, 135)] == [
        True,
        False,
        True,
    ]
    assert let_in(ARP)
    oracle = asked(policy("p", "web", rules=(rule("r", ip_version=6),)))
    assert [let_in(TCP, 9, 80, source=source) for source in (FAR, "2001:db8::1")] == [False, True]


def test_answers_and_related_errors_pass_unless_stateless() -> None:
    web = rule("r", "app", services=("tcp/80",))
    oracle = asked(policy("p", "web", rules=(web,)))
    w1, a1 = oracle.at["w1", 0], oracle.at["a1", 0]
    first = packet(a1, w1)
    assert not oracle.allows(w1, OUT, first.answer())
    assert oracle.allows(w1, OUT, first.answer(), State.ANSWER)
    assert oracle.allows(w1, OUT, first.error(), State.RELATED)
    assert oracle.answered(a1, w1, first)
    oracle = asked(policy("p", "web", rules=(replace(web, stateless=True),)))
    w1, a1 = oracle.at["w1", 0], oracle.at["a1", 0]
    assert oracle.passes(a1, w1, first)
    assert not oracle.answered(a1, w1, first)
    back = rule("back", "app", direction=OUT, services=("tcp",), stateless=True)
    oracle = asked(policy("p", "web", rules=(replace(web, stateless=True), back)))
    assert oracle.answered(oracle.at["a1", 0], oracle.at["w1", 0], first)


def test_a_policy_in_monitor_changes_no_fate_and_says_what_it_would_have_dropped() -> None:
    monitored = policy("m", "web", rules=(rule("r", "app"),), mode=PolicyMode.MONITOR)
    oracle = asked(monitored)
    w1 = oracle.at["w1", 0]
    assert goes(oracle, "far", "w1")
    line = oracle.would_drop(w1, IN, packet(None, w1))
    assert line is not None
    assert (line.policy, line.rule) == ("m", "")
    assert oracle.would_drop(w1, IN, packet(oracle.at["a1", 0], w1)) is None
    strict = quarantine("web", name="strict")
    assert asked(monitored, strict).would_drop(w1, IN, packet(None, w1)) is None, "it is dropped anyway"
    allowed = of(PolicyKind.SHARED_SERVICE, "web", name="s", rules=(rule("all"),))
    assert asked(monitored, allowed).would_drop(w1, IN, packet(None, w1)) is None, (
        "allowed before it is asked"
    )


def test_rules_that_are_off_and_policies_in_save_say_nothing() -> None:
    open_ = rule("r", disabled=True)
    assert not goes(asked(policy("p", "web", rules=(open_,))), "far", "w1")
    assert goes(asked(quarantine("web", mode=PolicyMode.SAVE)), "far", "w1")


def test_dhcp_of_the_own_subnet_works_also_in_quarantine() -> None:
    oracle = asked(quarantine("web"))
    w1 = oracle.at["w1", 0]
    question = Packet("0.0.0.0", "255.255.255.255", UDP, 68, 67)
    assert oracle.allows(w1, OUT, question)
    assert not oracle.allows(w1, OUT, replace(question, destination_port=69))
    assert not oracle.allows(w1, IN, question)
    off = replace(w1.subnet, dhcp=DhcpOptions(disabled=True))
    oracle = asked(quarantine("web"), off)
    assert not oracle.allows(oracle.at["w1", 0], OUT, question)


def test_learned_addresses_are_those_of_members() -> None:
    only_web = policy("p", "db", rules=(rule("r", "web"),))
    learned = "10.0.10.99"
    for addresses, allowed in (((), False), ((learned,), True)):
        oracle = asked(only_web, learned={("w1", 0): addresses})
        d1 = oracle.at["d1", 0]
        assert oracle.allows(d1, IN, Packet(learned, d1.addresses[0], TCP, 9, 80)) is allowed
