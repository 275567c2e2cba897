"""What is wrong with policies beside what rules do to each other: time, groups, trunks, rejects, hits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netctl.analysis.finding import Finding
from netctl.analysis.hits import Count, Tally
from netctl.analysis.report import ReportRequest, last_hits_of, report
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.hits import Counted, Hits
from netctl.model.intent import Intent
from netctl.model.keys import HostId, SecurityPolicyId
from netctl.model.nic import NicMode
from netctl.model.security_policy import PolicyMode, PolicyScope, RuleAction
from tests.intents import snapshot
from tests.security import address_group, category, entity_group, policy, rule, secured_nic, small_world

DAY_S = 86_400.0
NOW_S = 1000 * DAY_S
QUIET = (
    category("nobody", "k"),
    category("none", "k"),
    address_group("empty", "10.0.0.0/8", without=("10.0.0.0/8",)),
)


def findings(
    *intents: Intent, observed: Observed = NOTHING_OBSERVED, asked: ReportRequest | None = None
) -> list[Finding]:
    world = snapshot(small_world(*QUIET, *intents))
    return list(report(world, observed, asked or ReportRequest(now_s=NOW_S)))


def told(
    *intents: Intent, observed: Observed = NOTHING_OBSERVED, asked: ReportRequest | None = None
) -> list[str]:
    found = findings(*intents, observed=observed, asked=asked)
    return [f"{one.kind.value} {one.policy}/{one.rule}".rstrip("/") for one in found]


def test_nothing_is_wrong_with_a_good_policy() -> None:
    assert told(policy("shop", "db", rules=(rule("r1", "web", services=("tcp/80",)),))) == []


def test_rules_that_expire_are_told_in_time() -> None:
    rules = (
        rule("past", "web", services=("tcp/1",), expire_time_s=NOW_S - 1, owner="Ω", ticket="CHG-1"),
        rule("soon", "web", services=("tcp/2",), expire_time_s=NOW_S + 6.5 * DAY_S),
        rule("later", "web", services=("tcp/3",), expire_time_s=NOW_S + 8 * DAY_S),
        rule("off", "web", services=("tcp/4",), expire_time_s=NOW_S - 1, disabled=True),
    )
    found = findings(policy("shop", "db", rules=rules))
    assert [(one.kind.value, one.rule) for one in found] == [("EXPIRED", "past"), ("EXPIRING", "soon")]
    assert found[0].message == (
        "rule past of securityPolicies/shop has expired and is off, owner Ω, ticket CHG-1: remove or renew it"
    )
    assert found[1].message.endswith("expires in 6.5 days")


@pytest.mark.parametrize(
    ("seconds", "left"),
    [(90, "2 minutes"), (2 * 3600, "2 hours"), (30 * 3600, "30 hours"), (2 * DAY_S, "2.0 days")],
)
def test_a_rule_that_is_nearly_over_says_when_in_hours_and_minutes(seconds: float, left: str) -> None:
    late = rule("r1", "web", services=("tcp/1",), expire_time_s=NOW_S + seconds)
    (found,) = findings(policy("shop", "db", rules=(late,)))
    assert found.message.endswith(f"expires in {left}")


def test_a_rule_that_is_off_by_what_is_observed_has_expired_though_our_clock_is_behind() -> None:
    expired = Observed(expired=frozenset({(SecurityPolicyId("shop"), "r1")}))
    rules = (rule("r1", "web", expire_time_s=NOW_S + 1),)
    assert told(policy("shop", "db", rules=rules), observed=expired) == ["EXPIRED shop/r1"]
    assert told(policy("shop", "db", rules=rules)) == ["EXPIRING shop/r1"]


def test_groups_without_members_where_the_policy_holds() -> None:
    rules = (rule("r1", "nobody"), rule("r2", "addressGroups/empty", services=("tcp",)), rule("r3", "app"))
    assert told(policy("shop", "none", rules=rules)) == [
        *("EMPTY_GROUP shop", "EMPTY_GROUP shop/r1", "EMPTY_GROUP shop/r2")
    ]
    twice = (rule("r1", "nobody", services=("tcp/1",)), rule("r2", "nobody", services=("tcp/2",)))
    (found,) = findings(policy("shop", "db", rules=twice))
    assert found.message == (
        "rule r1 of securityPolicies/shop names categories/nobody, as 1 more of its rules do: it is empty where"
        " the policy holds"
    )
    inside = policy("shop", "db", rules=(rule("r3", "test"),), scope=PolicyScope.ALL_VPC)
    assert told(inside) == []
    assert told(replace(inside, scope=PolicyScope.ALL_VLAN, secured=("categories/prod",))) == []
    outside = entity_group("far", "vpcs/p1")
    assert told(outside, policy("shop", "entityGroups/far")) == ["EMPTY_GROUP shop"], (
        "it has members, but in a VPC"
    )
    assert told(outside, policy("shop", "entityGroups/far", scope=PolicyScope.ALL_VPC)) == []


def test_trunks_of_all_vlans_are_not_covered() -> None:
    trunk = replace(secured_nic("t1", "db", number=30), mode=NicMode.TRUNK)
    shop = policy("shop", "db")
    (found,) = findings(trunk, shop)
    assert (found.kind.value, found.rule) == ("NOT_COVERED", "")
    assert "covers nics/t1 in untagged traffic alone" in found.message
    assert told(trunk, replace(shop, mode=PolicyMode.SAVE)) == []
    assert told(trunk, policy("shop", "web")) == []
    assert told(replace(trunk, mode=NicMode.ACCESS), shop) == []


def test_rejects_that_deny_are_told() -> None:
    shop = policy("shop", "db", rules=(rule("r1", "web", action=RuleAction.REJECT),))
    assert told(shop) == ["REJECT_AS_DENY shop/r1"]
    assert told(shop, observed=Observed(reject=True)) == []
    assert told(replace(shop, mode=PolicyMode.SAVE)) == []


def test_unused_rules_are_those_that_decided_nothing_for_long() -> None:
    names = ("never", "long-ago", "lately", "off")
    rules = [
        rule(name, "web", services=(f"tcp/{i}",), disabled=name == "off") for i, name in enumerate(names, 1)
    ]
    shop = policy("shop", "db", rules=tuple(rules))
    id = shop.id
    hits = {(id, "long-ago"): NOW_S - 31 * DAY_S, (id, "lately"): NOW_S - DAY_S}
    asked = ReportRequest(now_s=NOW_S, hits=hits)
    assert told(shop, asked=asked) == ["UNUSED shop/never", "UNUSED shop/long-ago"]
    assert told(shop, asked=replace(asked, unused_s=40 * DAY_S)) == ["UNUSED shop/never"]
    assert told(shop, asked=replace(asked, hits=None)) == [], "nobody counts"
    changed = replace(shop, meta=replace(shop.meta, update_time_s=NOW_S - 10 * DAY_S))
    assert told(changed, asked=asked) == [], "it is too new to tell"


def test_when_rules_decided_last_is_the_latest_of_their_counts() -> None:
    shop = policy("shop", "db", rules=(rule("r1", "web"), rule("r2", "app"), rule("r3")))
    uid = shop.meta.uid

    def counted(name: str, way: str, last_s: float) -> tuple[Counted, Count]:
        return Counted(uid, name, way, "allow", False), Count({HostId("h1"): Hits(1, 1)}, last_s)

    tally = Tally(
        counts=dict([counted("r1", "in", 5.0), counted("r1", "out", 7.0), counted("r2", "in", 0.0)])
    )
    assert last_hits_of([(shop, tally)]) == {("shop", "r1"): 7.0}
    cleared = replace(tally, clear_time_s=6.0)
    assert last_hits_of([(shop, cleared)]) == {("shop", "r1"): 7.0, ("shop", "r2"): 6.0, ("shop", "r3"): 6.0}


def test_of_one_policy_alone() -> None:
    shop = policy("shop", "db", rules=(rule("r1", "web"),))
    other = policy("other", "db", rules=(rule("r1"),), priority=5)
    assert told(shop, other) == ["SHADOWED shop/r1"]
    assert told(shop, other, asked=ReportRequest(now_s=NOW_S, policy=shop.id)) == ["SHADOWED shop/r1"]
    assert told(shop, other, asked=ReportRequest(now_s=NOW_S, policy=other.id)) == []
