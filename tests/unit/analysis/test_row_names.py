"""Rows in words: what a switch, a router, a Port_Group, an ACL is, before a change and after it."""

from __future__ import annotations

from dataclasses import replace

from netctl.analysis.rows import RowChange, RowChangeKind, row_changes
from netctl.compiler.observed import NOTHING_OBSERVED
from netctl.model.intent import Intent, key_of
from netctl.model.keys import SubnetId
from netctl.model.nic import NicMode, TrunkVlan
from netctl.model.security_policy import IntraGroup, PolicyKind, PolicyMode, PolicyScope, RuleAction
from tests import vpcs
from tests.intents import OWNER, infra, nic, routed, snapshot, vlan, vpc
from tests.security import category, policy, rule, secured_nic, secured_routed_nic

_WORLD: tuple[Intent, ...] = (
    *(*infra(), vlan("v10"), vpc("p1"), vpc("p2"), routed("s1", "p1"), routed("s2", "p2", number=2)),
    *(category("web"), category("db"), category("clients")),
)
_SHOP = policy("shop", "web", rules=(rule("web-in", "clients", services=("tcp/443",)),))


_HOPS = ("203.0.100.2", "203.0.100.3")


def changes(before: tuple[Intent, ...], after: tuple[Intent, ...]) -> list[RowChange]:
    """Return what becomes of the world when these intents in it become those."""
    old, new = ({key_of(one): one for one in (*_WORLD, *intents)} for intents in (before, after))
    changed = frozenset(key for key in old | new if old.get(key) != new.get(key))
    return row_changes(
        snapshot(old.values()), snapshot(new.values()), changed, owner=OWNER, observed=NOTHING_OBSERVED
    )


def said(found: list[RowChange], table: str, kind: str = "") -> list[str]:
    """Return the names of rows of a table that are of a kind of intents."""
    return [one.row_name for one in found if one.table == table and one.name.startswith(kind)]


def test_acls_are_the_lines_of_their_policy() -> None:
    for found in (changes((), (_SHOP,)), changes((_SHOP,), ())):
        assert said(found, "ACL", "securityPolicies/") == [
            "implicit deny, in",
            "implicit deny, out",
            "rule web-in, in",
        ]
    denied = replace(_SHOP, rules=(replace(_SHOP.rules[0], action=RuleAction.DENY),))
    (one,) = changes((_SHOP,), (denied,))
    assert (one.kind, one.name, one.row_name) == (
        RowChangeKind.UPDATE,
        "securityPolicies/shop",
        "rule web-in, in",
    )
    strict = policy("q", "web", kind=PolicyKind.QUARANTINE)
    found = changes((), (strict,))
    assert said(found, "ACL", "securityPolicies/") == ["strict quarantine, in", "strict quarantine, out"]


def test_acls_of_one_line_are_told_apart_by_whose_ports_they_are_about() -> None:
    apart = policy("apart", "web", "db", kind=PolicyKind.ISOLATION)
    assert said(changes((), (apart,)), "ACL", "securityPolicies/") == [
        "isolation, in, at categories/db",
        "isolation, in, at categories/web",
        "isolation, out, at categories/db",
        "isolation, out, at categories/web",
    ]
    both = policy("both", "web", rules=_SHOP.rules, scope=PolicyScope.ALL_VPC, intra_group=IntraGroup.ALLOW)
    found = said(changes((), (both,)), "ACL", "securityPolicies/")
    assert found[0] == "implicit deny, in, at categories/web in vpcs/p1"
    assert {
        "rule web-in, in, at categories/web in vpcs/p1",
        "rule web-in, in, at categories/web in vpcs/p2",
    } <= {*found}
    assert "intra-group, out, at categories/web in vpcs/p2" in found
    assert len(found) == len(set(found)) == 10


def test_what_a_monitored_policy_looks_at_names_both_policies() -> None:
    watch = policy(
        *("watch", "web"),
        kind=PolicyKind.QUARANTINE,
        mode=PolicyMode.MONITOR,
        rules=(rule("x", "db"),),
    )
    for found in (changes((_SHOP,), (_SHOP, watch)), changes((_SHOP, watch), (_SHOP,))):
        acls = [one for one in found if one.table == "ACL" and one.kind is not RowChangeKind.UPDATE]
        assert [one.row_name for one in acls if one.name == "securityPolicies/shop"] == [
            "implicit deny of securityPolicies/watch in front of rule web-in, in",
            "rule x of securityPolicies/watch in front of rule web-in, in",
        ]
        assert [one.row_name for one in acls if one.name == "securityPolicies/watch"] == [
            *("implicit deny, in", "implicit deny, out", "rule x, in")
        ]


def test_a_nic_that_changes_its_group_leaves_one_by_name_and_joins_the_other() -> None:
    policies = (_SHOP, policy("data", "db"), policy("far", "web", "db", vpcs=("p1",)))
    found = changes((*policies, secured_nic("n1", "web")), (*policies, secured_nic("n1", "db")))
    assert [(one.kind, one.row_name, one.row_resource_name, one.name) for one in found] == [
        (RowChangeKind.ADD_MEMBER, "categories/db", "categories/db", "nics/n1"),
        (RowChangeKind.REMOVE_MEMBER, "categories/web", "categories/web", "nics/n1"),
    ]
    found = changes((*policies, secured_routed_nic("n1", "web")), (*policies, secured_routed_nic("n1", "db")))
    assert [(one.kind, one.row_name, one.row_resource_name, one.name) for one in found] == [
        (RowChangeKind.ADD_MEMBER, "categories/db in vpcs/p1", "categories/db", "nics/n1"),
        (RowChangeKind.REMOVE_MEMBER, "categories/web in vpcs/p1", "categories/web", "nics/n1"),
    ]


def test_groups_are_named_when_they_come_and_go_with_what_is_in_them() -> None:
    far = policy("far", "web", vpcs=("p1",))
    member = secured_routed_nic("n1", "web")
    for found in (changes((member,), (member, far)), changes((member, far), (member,))):
        groups = [one for one in found if one.table == "Port_Group"]
        assert "" in {one.column for one in groups}
        assert {one.row_name for one in groups} == {"categories/web in vpcs/p1"}
    away = changes((far, member), (far,))
    assert said(away, "Port_Group") == ["categories/web in vpcs/p1"], "of a NIC that goes"


def test_switches_and_routers_are_those_of_subnets_and_vpcs() -> None:
    found = changes((), (nic("n1"),))
    assert [(one.table, one.row_name) for one in found] == [
        ("Logical_Switch_Port", "nics/n1"),
        ("Logical_Switch", "subnets/v10"),
    ]
    hub = (vpcs.transit("hub"), vpcs.inside())
    spoke = vpcs.vpc("blue", vpcs.connection("transfer"), externally_routable_prefixes=("10.0.0.0/16",))
    found = changes(hub, (*hub, spoke, vpcs.routed(), vpcs.route("r", "0.0.0.0/0", "transfer")))
    parents = {(one.name, one.column, one.row_name) for one in found if one.column}
    assert {
        ("subnets/web", "ports", "vpcs/blue"),
        ("subnets/web", "ports", "subnets/web"),
        ("vpcs/blue", "ports", "subnets/transfer"),
        ("vpcs/blue", "static_routes", "vpcs/hub"),
        ("routes/r", "static_routes", "vpcs/blue"),
    } <= parents


def test_rows_that_no_word_tells_apart_have_none() -> None:
    blue = (vpcs.external(), vpcs.vpc("blue", vpcs.connection()))
    one, two = (vpcs.route("r", "192.0.2.0/24", *hops) for hops in (_HOPS[:1], _HOPS))
    assert said(changes(blue, (*blue, one)), "Logical_Router_Static_Route") == ["routes/r"]
    assert said(changes(blue, (*blue, two)), "Logical_Router_Static_Route") == ["", ""]


def test_ports_of_a_trunk_are_told_apart_and_so_is_dhcp() -> None:
    trunk = replace(
        nic("t1"),
        mode=NicMode.TRUNK,
        trunk_vlans=(TrunkVlan(vlan_id=7, subnet=SubnetId("s1"), ipv4_address="10.1.1.77"),),
    )
    found = changes((), (trunk,))
    assert said(found, "Logical_Switch_Port") == ["nics/t1", "nics/t1 VLAN 7"]
    assert said(found, "Logical_Switch") == ["subnets/s1", "subnets/v10"]
    found = changes((), (_SHOP,))
    dhcp = [one.row_name for one in found if one.table == "ACL" and one.name == "subnets/v10"]
    assert dhcp == ["DHCP questions, in", "DHCP questions, out"]
