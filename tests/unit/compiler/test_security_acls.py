"""Security policies to ACLs, exactly: what matches, what it does, MONITOR, DHCP's way out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.compiler import identity
from netctl.compiler.compile import compile_rows
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.compiler.priority import ACL_BANDS, ACL_DHCP
from netctl.compiler.security_policy import acls_of
from netctl.model.keys import SecurityPolicyId
from netctl.model.routing_policy import PortRange
from netctl.model.security_policy import (
    Direction,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
)
from netctl.model.service import Service, ServiceProtocol
from netctl.model.subnet import Ipv6Mode
from netctl.nb.rows import Member
from tests.intents import OWNER, snapshot, uid_of
from tests.security import (
    address_group,
    policy,
    rule,
    secured_vlan,
    service_group,
    small_world,
)
from tests.unit.compiler.rows import columns, marks
from tests.unit.compiler.secured import acls, group, rows_with, said

SERVICES = [
    (("tcp",), "tcp"),
    (("tcp/80", "tcp/443,81-90"), "(tcp.dst == 443 || (tcp.dst >= 80 && tcp.dst <= 90))"),
    (("udp/53", "tcp/53"), "(tcp.dst == 53 || udp.dst == 53)"),
    (("tcp/0-65535",), "tcp"),
    (("tcp/80", "tcp"), "tcp"),
    (("47", "50"), "ip.proto == {47, 50}"),
    (("serviceGroups/http",), "tcp.dst == 80"),
    (("udp/67", "serviceGroups/http"), "(tcp.dst == 80 || udp.dst == 67)"),
    (("icmp/8", "icmpv6/128", "icmp/3/4"), "(icmp4.type == 8 || (icmp4.type == 3 && icmp4.code == 4)"),
]


@pytest.mark.parametrize(("services", "match"), SERVICES)
def test_services_in_a_match(services: tuple[str, ...], match: str) -> None:
    rows = rows_with(service_group(), policy("shop", "web", rules=(rule("r1", services=services),)))
    assert said(rows)[0][1].startswith(f"outport == @{group('web')} && {match}")


def test_source_ports_and_destination_ports() -> None:
    dns = Service(
        protocol=ServiceProtocol.UDP,
        ports=(PortRange(first=53, last=53),),
        source_ports=(PortRange(first=1024, last=65_535),),
    )
    rows = rows_with(policy("shop", "web", rules=(replace(rule("r1"), services=(dns,)),)))
    assert said(rows)[0][1].endswith(" && ((udp.src >= 1024 && udp.src <= 65535) && udp.dst == 53)")


VERSIONS = [
    (0, (), "&& ip"),
    (4, (), "&& ip4"),
    (6, (), "&& ip6"),
    (4, ("tcp/80",), "&& ip4 && tcp.dst == 80"),
    (0, ("icmp",), "&& icmp4"),
    (4, ("icmp", "icmpv6"), "&& ip4 && icmp4"),
]


@pytest.mark.parametrize(("version", "services", "match"), VERSIONS)
def test_ip_versions(version: int, services: tuple[str, ...], match: str) -> None:
    rows = rows_with(policy("shop", "web", rules=(rule("r1", services=services, ip_version=version),)))
    assert said(rows)[0][1] == f"outport == @{group('web')} {match}"


def test_peers_of_one_version() -> None:
    rows = rows_with(policy("shop", "web", rules=(rule("r1", "app", services=("icmpv6/128",)),)))
    assert said(rows)[0][1] == (
        f"outport == @{group('web')} && ip6.src == {{${group('app')}_ip6}} && icmp6.type == 128"
    )


@pytest.mark.parametrize(
    "contradiction",
    [
        rule("r1", services=("icmp",), ip_version=6),
        rule("r1", services=("icmpv6",), ip_version=4),
        rule("r1", services=("serviceGroups/gone",)),
        rule("r1", "addressGroups/gone"),
        rule("r1", "gone"),
    ],
    ids=str,
)
def test_what_cannot_match_has_no_row(contradiction: Any) -> None:
    rows = rows_with(policy("shop", "web", rules=(contradiction,)))
    assert [acl["action"] for acl in acls(rows, "shop")] == ["drop", "drop"]


def test_a_subject_that_is_gone_has_no_row() -> None:
    rows = rows_with(policy("shop", "gone", "web"))
    assert [match for _, match in said(rows)] == [
        f"outport == @{group('web')} && ip",
        f"inport == @{group('web')} && ip",
    ]


def test_isolation_is_a_line_each_way_for_each() -> None:
    rows = rows_with(policy("shop", "web", "app", "db", kind=PolicyKind.ISOLATION))
    web, app, db = map(group, ("web", "app", "db"))
    lines = said(rows)
    assert len(lines) == 6
    assert lines[0] == (
        "to-lport drop",
        f"outport == @{web} && (ip4.src == {{${app}_ip4, ${db}_ip4}} || ip6.src == {{${app}_ip6, ${db}_ip6}})",
    )
    assert lines[5][1].startswith(f"inport == @{db} && (ip4.dst == {{${web}_ip4, ${app}_ip4}}")


def test_a_shared_service_is_allowed_at_both_ends() -> None:
    dns = rule("dns", "db", "addressGroups/office", direction=Direction.OUT, services=("udp/53",))
    rows = rows_with(
        address_group("office", "10.9.0.1"),
        policy("shop", "web", kind=PolicyKind.SHARED_SERVICE, rules=(dns,)),
    )
    lines = said(rows)
    assert [line.split()[0] for line, _ in lines] == ["to-lport", "from-lport"]
    assert lines[0][1].startswith(f"outport == @{group('db')} && (ip4.src == {{${group('web')}_ip4}}")
    assert lines[1][1].startswith(f"inport == @{group('web')} && (ip4.dst == {{${group('db')}_ip4, $as_")


@pytest.mark.parametrize("intra", [IntraGroup.ALLOW, IntraGroup.DENY])
def test_intra_group_comes_after_the_rules(intra: IntraGroup) -> None:
    shop = policy("shop", "web", rules=(rule("r1", "app"),), intra_group=intra)
    lines = [match for line, match in said(rows_with(shop)) if line.startswith("to-lport")]
    web, app = group("web"), group("app")
    assert [match.split(" && ", 1)[1] for match in lines] == [
        f"(ip4.src == {{${app}_ip4}} || ip6.src == {{${app}_ip6}})",
        f"(ip4.src == {{${web}_ip4}} || ip6.src == {{${web}_ip6}})",
        "ip",
    ]


def test_actions() -> None:
    rules = (
        rule("a", "app"),
        rule("b", "app", action=RuleAction.DENY),
        rule("c", "app", action=RuleAction.REJECT),
        rule("d", "app", stateless=True),
    )
    shop = policy("shop", "web", rules=rules)
    for observed, reject in ((NOTHING_OBSERVED, "drop"), (Observed(reject=True), "reject")):
        found = [line.split()[1] for line, _ in said(rows_with(shop, observed=observed))]
        assert found == ["allow-related", "drop", reject, "allow-stateless", "drop", "drop"]


def test_rules_that_are_off_have_no_row() -> None:
    rules = (rule("a", "app"), rule("b", "db", disabled=True), rule("c", "db", expire_time_s=5.0))
    shop = policy("shop", "web", rules=rules, kind=PolicyKind.QUARANTINE)
    expired = Observed(expired=frozenset({(SecurityPolicyId("shop"), "c")}))
    assert len(said(rows_with(shop))) == 4
    assert len(said(rows_with(shop, observed=expired))) == 3
    every = Observed(expired=frozenset({(SecurityPolicyId("shop"), name) for name in "ac"}))
    assert [line for line, _ in said(rows_with(shop, observed=every))] == ["to-lport drop", "from-lport drop"]


def test_tiers_where_there_are() -> None:
    kinds = {
        PolicyKind.QUARANTINE: 0,
        PolicyKind.ISOLATION: 2,
        PolicyKind.APPLICATION: 3,
        PolicyKind.VDI: 3,
    }
    for kind, tier in kinds.items():
        one = policy("p", "web", "app", kind=kind)
        assert all("tier" not in acl for acl in acls(rows_with(one), "p"))
        assert {acl["tier"] for acl in acls(rows_with(one, observed=Observed(acl_tiers=True)), "p")} == {tier}
    watched = policy("p", "web", kind=PolicyKind.QUARANTINE, mode=PolicyMode.MONITOR)
    assert {acl["tier"] for acl in acls(rows_with(watched, observed=Observed(acl_tiers=True)), "p")} == {3}


def test_a_policy_in_monitor_decides_nothing_and_is_logged() -> None:
    watched = policy("q", "web", kind=PolicyKind.QUARANTINE, mode=PolicyMode.MONITOR)
    shop = policy("shop", "web", rules=(rule("r1", "app", services=("tcp/80",)),))
    rows = rows_with(watched, shop)
    web, app = group("web"), group("app")
    peers = f"(ip4.src == {{${app}_ip4}} || ip6.src == {{${app}_ip6}})"
    pair, own, *_ = acls(rows, "shop")
    assert (pair["action"], pair["match"]) == (
        "allow-related",
        f"outport == @{web} && {peers} && tcp.dst == 80",
    )
    assert pair["priority"] == own["priority"] + 1
    assert (pair["log"], pair["severity"]) == (True, frozenset({"warning"}))
    assert pair["meter"] == frozenset({f"log-{uid_of('q')}"})
    assert (own["log"], own["match"]) == (False, pair["match"])
    bottom = acls(rows, "q")
    assert [(acl["action"], acl["log"], acl["match"]) for acl in bottom] == [
        ("allow-related", True, f"outport == @{web} && ip"),
        ("allow-related", True, f"inport == @{web} && ip"),
    ]
    assert {acl["priority"] for acl in bottom} == {ACL_BANDS[None].first}


def test_pairs_that_exclude_each_other_are_left_out() -> None:
    watched = policy(
        "q",
        "app",
        kind=PolicyKind.QUARANTINE,
        mode=PolicyMode.MONITOR,
        rules=(
            rule("ssh", "db", services=("tcp/22",)),
            rule("six", ip_version=6),
            rule("out", direction=Direction.OUT),
        ),
    )
    shop = policy("shop", "web", rules=(rule("r1", "db", services=("tcp/80",), ip_version=4),))
    world = snapshot(small_world(watched, shop))
    pairs = [acl for acl in acls_of(world, NOTHING_OBSERVED, shop) if acl.clause.rule == "r1"]
    # The forensic policy's own denial alone: its rules are for another port, IP version and direction.
    assert [acl.would_drop_of.rule if acl.would_drop_of else None for acl in pairs] == ["", None]
    assert pairs[0].match.startswith(f"outport == @{group('web')} && outport == @{group('app')} && ip4.src")


def test_acls_tell_of_which_clause_they_are() -> None:
    watched = policy("q", "web", kind=PolicyKind.QUARANTINE, mode=PolicyMode.MONITOR)
    shop = policy("shop", "web", rules=(rule("r1", "app"),), scope=PolicyScope.ALL_VPC)
    there = replace(watched, scope=PolicyScope.ALL_VPC)
    world = snapshot(small_world(there, shop))
    rows = compile_rows(world, OWNER)
    for one in (there, shop):
        for acl in acls_of(world, NOTHING_OBSERVED, one):
            row = columns(rows, "ACL", acl.uuid)
            assert (row["priority"], row["match"], acl.realm) == (acl.priority, acl.match, "p1")
            assert row["log"] == acl.is_logged
            assert acl.clause.policy == one.id
    found = [
        (acl.clause.rule, acl.would_drop_of and acl.would_drop_of.policy)
        for acl in acls_of(world, NOTHING_OBSERVED, shop)
    ]
    assert found == [("r1", "q"), ("r1", None), ("", None), ("", None)]


def test_guests_may_ask_their_own_dhcp_server_in_a_secured_realm() -> None:
    six = replace(
        secured_vlan("v30", 30), ipv6_mode=Ipv6Mode.DHCPV6_STATEFUL, gateway_mac_address="50:6b:8d:00:99:01"
    )
    rows = rows_with(six, policy("shop", "web"), observed=Observed(dhcpv6=True))
    own = identity.dhcp_acl_uuid(uid_of("v10"), "from-lport")
    four = (
        "udp.src == 68 && udp.dst == 67 && ((ip4.src == 0.0.0.0 && ip4.dst == 255.255.255.255)"
        " || ip4.dst == 10.0.{}.254)"
    )
    assert columns(rows, "ACL", own) == {
        "direction": "from-lport",
        "priority": ACL_DHCP,
        "match": four.format(10),
        "action": "allow",
        "external_ids": marks("subnets", "v10"),
    }
    lost = identity.dhcp_acl_uuid(uid_of("v10"), "to-lport")
    assert columns(rows, "ACL", lost) == {
        **columns(rows, "ACL", own),
        "direction": "to-lport",
        "action": "drop",
    }, "what OVN does not take for a question, nobody gets"
    for acl in (own, lost):
        assert Member("Logical_Switch", identity.switch_uuid(uid_of("v10")), "acls", acl) in rows.values()
    both = columns(rows, "ACL", identity.dhcp_acl_uuid(uid_of("v30"), "from-lport"))["match"]
    assert both == f"({four.format(30)}) || (udp.src == 546 && udp.dst == 547 && ip6.dst == ff02::1:2)"
    assert ("ACL", identity.dhcp_acl_uuid(uid_of("s1"), "from-lport")) not in rows, (
        "no policy holds in the VPC"
    )


def test_learned_addresses_are_a_ports_and_never_its_port_security() -> None:
    learned = {str(uid_of("w1")): ("10.0.10.99", "fd00::9")}
    rows = rows_with(policy("shop", "web"), observed=Observed(learned=learned))
    port = columns(rows, "Logical_Switch_Port", identity.port_uuid(uid_of("w1")))
    (addresses,) = port["addresses"]
    assert addresses == "50:6b:8d:00:00:0b 10.0.10.11 fd00:10::b fe80::526b:8dff:fe00:b 10.0.10.99 fd00::9"
    assert "10.0.10.99" not in str(port["port_security"])


@pytest.mark.parametrize("text", ['we"b', "$x @y && 1", "b\u00e9\U0001f680", "'; drop"])
def test_no_text_of_users_stands_in_a_row(text: str) -> None:
    shop = policy(
        "shop", "web", rules=(rule("r1", "app", description=text, owner=text, ticket=text, log=True),)
    )
    named = replace(shop, meta=replace(shop.meta, display_name=text, labels={"label": text}))
    rows = rows_with(named)
    for fact in rows.values():
        assert text not in repr(fact)
