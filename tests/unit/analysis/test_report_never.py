"""Rules that can match nothing are told, and why; rules that can match something never are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netctl.analysis.report import ReportRequest, report
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.intent import Intent
from netctl.model.keys import ServiceGroupId
from netctl.model.security_policy import PolicyKind, SecurityRule
from tests.intents import snapshot
from tests.security import address_group, policy, rule, service, service_group, small_world

FOUR, SIX, BOTH, EMPTY = (f"addressGroups/{name}" for name in ("four", "six", "both", "empty"))
GROUPS = (
    address_group("four", "10.9.0.0/16"),
    # Its only IPv4 addresses are excepted.
    address_group("six", "fd09::/64", "10.9.0.0/16", without=("10.0.0.0/8",)),
    address_group("both", "10.9.0.0/16", "fd09::/64"),
    address_group("empty", "10.9.0.1", without=("10.9.0.1",)),
    service_group("pings", "icmp/8", "icmpv6/128"),
    service_group("old-pings", "icmp/8"),
)
ABSENT = "addressGroups/gone"


def why(one: SecurityRule, observed: Observed = NOTHING_OBSERVED, *more: Intent) -> list[str]:
    """Return why rule r1 of the policy shop can match nothing; nothing when it can."""
    shop = policy("shop", "db", rules=(one,), kind=PolicyKind.SHARED_SERVICE)
    world = snapshot(small_world(*GROUPS, *more, shop))
    told = report(world, observed, ReportRequest(now_s=1.0))
    found = [finding.message for finding in told if finding.kind.value == "NEVER_MATCHES"]
    start = "rule r1 of securityPolicies/shop can match nothing: "
    assert all(message.startswith(start) for message in found), found
    return [message.removeprefix(start) for message in found]


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (
            rule("r1", "web", services=("icmp/8",), ip_version=6),
            "ICMP is of IPv4 and its ip_version is 6: use ICMPV6, or ip_version 0",
        ),
        (
            rule("r1", services=("serviceGroups/old-pings", "icmp"), ip_version=6),
            "ICMP is of IPv4 and its ip_version is 6: use ICMPV6, or ip_version 0",
        ),
        (
            rule("r1", services=("icmpv6",), ip_version=4),
            "ICMPV6 is of IPv6 and its ip_version is 4: use ICMP, or ip_version 0",
        ),
        (
            rule("r1", SIX, services=("tcp/80",), ip_version=4),
            "its ip_version is 4 and its peers have IPv6 addresses only: set ip_version to 0 or 6, or name peers with"
            " IPv4 addresses",
        ),
        (
            rule("r1", FOUR, EMPTY, ip_version=6),
            "its ip_version is 6 and its peers have IPv4 addresses only: set ip_version to 0 or 4, or name peers with"
            " IPv6 addresses",
        ),
        (
            rule("r1", FOUR, ABSENT, services=("icmpv6/128",)),
            "ICMPV6 is of IPv6 and its peers have IPv4 addresses only: use ICMP, or name peers with IPv6 addresses",
        ),
        (
            rule("r1", services=("icmpv6/135", "icmp"), ip_version=6),
            "ICMPV6 type 135 is neighbour discovery or MLD, which passes in front of every policy: leave it out;"
            " ICMP is of IPv4 and its ip_version is 6: use ICMPV6, or ip_version 0",
        ),
        (rule("r1", ABSENT, "categories/gone"), "its peers do not exist: name ones that do"),
        (
            replace(rule("r1", "web"), service_groups=(ServiceGroupId("gone"),)),
            "its service groups do not exist: name ones that do",
        ),
    ],
)
def test_a_rule_that_can_match_nothing_says_why(one: SecurityRule, said: str) -> None:
    assert why(one) == [said]


@pytest.mark.parametrize("type", [130, 133, 134, 135, 136, 143])
def test_neighbour_discovery_passes_in_front_of_rules(type: int) -> None:
    assert len(why(rule("r1", services=(f"icmpv6/{type}",)))) == 1
    assert len(why(rule("r1", "web", services=(f"icmpv6/{type}/0",)))) == 1
    assert why(rule("r1", services=(f"icmpv6/{type}/1",))) == [], "OVN asks its ACLs about such"
    assert why(rule("r1", services=(f"icmp/{type}",))) == [], "not of IPv6"


@pytest.mark.parametrize(
    "one",
    [
        *(rule("r1", services=(f"icmpv6/{type}",)) for type in (1, 2, 3, 4, 128, 129, 131, 132, 137)),
        rule("r1"),
        rule("r1", ip_version=4),
        rule("r1", "web", services=("tcp/80", "udp"), ip_version=6),
        rule("r1", services=("icmp/8",), ip_version=4),
        rule("r1", services=("icmpv6",), ip_version=6),
        rule("r1", services=("icmp/8", "icmpv6/128"), ip_version=6),
        rule("r1", services=("icmp/8", "tcp/80"), ip_version=6),
        rule("r1", services=("icmpv6/135", "icmpv6/128")),
        rule("r1", services=("1",), ip_version=6),
        rule("r1", services=("58",), ip_version=4),
        rule("r1", services=("serviceGroups/pings",), ip_version=4),
        rule("r1", services=("serviceGroups/pings",), ip_version=6),
        rule("r1", FOUR, ip_version=4),
        rule("r1", FOUR, SIX, ip_version=6),
        rule("r1", BOTH, services=("icmpv6",)),
        rule("r1", FOUR, "web", services=("icmpv6",)),
        rule("r1", SIX, "web", ip_version=4),
        rule("r1", FOUR, "entityGroups/gone", services=("icmp",)),
        rule("r1", "web", services=("icmpv6",)),
        replace(rule("r1", services=("tcp",)), service_groups=(ServiceGroupId("gone"),)),
    ],
)
def test_a_rule_that_can_match_is_not_told(one: SecurityRule) -> None:
    assert why(one) == []


def test_rules_that_are_off_and_peers_that_are_empty_are_told_otherwise() -> None:
    never = rule("r1", services=("icmp",), ip_version=6)
    assert why(never), "the control"
    assert why(replace(never, disabled=True)) == []
    assert why(never, Observed(expired=frozenset({(policy("shop").id, "r1")}))) == []
    assert why(rule("r1", EMPTY, ip_version=6)) == [], "EMPTY_GROUP says it"


def test_a_group_that_changes_is_looked_at_as_it_is() -> None:
    one = rule("r1", services=("serviceGroups/mixed",), ip_version=6)
    assert why(one, NOTHING_OBSERVED, service_group("mixed", "icmp"))
    assert why(one, NOTHING_OBSERVED, replace(service_group("mixed"), services=(service("icmpv6"),))) == []
