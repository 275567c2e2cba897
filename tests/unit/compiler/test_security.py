"""Security policies to rows, exactly: groups, members, address sets, an application, meters."""

from __future__ import annotations

from dataclasses import replace

from netctl.compiler import identity
from netctl.compiler.clause import Phase
from netctl.compiler.compile import compile_rows
from netctl.compiler.priority import ACL_BANDS
from netctl.model.keys import SubnetId
from netctl.model.nic import NicMode, TrunkVlan
from netctl.model.security_policy import (
    PolicyKind,
    PolicyMode,
    PolicyScope,
)
from tests.intents import OWNER, nic, snapshot, uid_of
from tests.security import (
    address_group,
    entity_group,
    in_categories,
    policy,
    rule,
    small_world,
)
from tests.unit.compiler.rows import columns, marks
from tests.unit.compiler.secured import VLANS, acls, group, members, ports, rows_with, said


def test_every_row_of_a_policy() -> None:
    shop = policy("shop", "web", rules=(rule("r1", "app", services=("tcp/80,443",), log=True),), log_rate=7)
    rows = rows_with(shop)
    first, denied_in, denied_out = acls(rows, "shop")
    web, app = group("web"), group("app")
    own = identity.acl_uuid(uid_of("shop"), VLANS, "r1", "own", "1", "in", "categories/web")
    assert first == {
        "name": frozenset({own}),
        "direction": "to-lport",
        "priority": ACL_BANDS[PolicyKind.APPLICATION, Phase.RULES].first,
        "match": f"outport == @{web} && (ip4.src == {{${app}_ip4}} || ip6.src == {{${app}_ip6}})"
        " && tcp.dst == {80, 443}",
        "action": "allow-related",
        "log": True,
        "severity": frozenset({"info"}),
        "meter": frozenset({f"log-{uid_of('shop')}"}),
        "external_ids": marks("securityPolicies", "shop"),
    }
    assert (denied_in["match"], denied_in["action"]) == (f"outport == @{web} && ip", "drop")
    assert (denied_out["match"], denied_out["action"]) == (f"inport == @{web} && ip", "drop")
    assert (denied_in["log"], denied_in["severity"], denied_in["meter"]) == (False, frozenset(), frozenset())
    assert own in members(rows, "web", column="acls")
    assert columns(rows, "Port_Group", identity.port_group_uuid(uid_of("web"), VLANS)) == {
        "name": web,
        "external_ids": marks("categories", "web"),
    }
    band = identity.meter_band_uuid(uid_of("shop"))
    assert columns(rows, "Meter", identity.meter_uuid(uid_of("shop"))) == {
        "name": f"log-{uid_of('shop')}",
        "unit": "pktps",
        "fair": frozenset({True}),
        "bands": frozenset({band}),
        "external_ids": marks("securityPolicies", "shop"),
    }
    assert columns(rows, "Meter_Band", band) == {
        "action": "drop",
        "rate": 7,
        "burst_size": 0,
        "external_ids": marks("securityPolicies", "shop"),
    }


def test_members_are_the_nics_of_the_realm() -> None:
    rows = rows_with(policy("shop", "web"), policy("there", "web", vpcs=("p1",)))
    assert members(rows, "web") == ports("w1", "w2")
    assert members(rows, "web", "p1") == ports("pw1")
    assert not members(rows, "app")


def test_categories_of_subnets_and_vpcs_are_those_of_their_nics() -> None:
    rows = rows_with(policy("shop", "prod", "test", scope=PolicyScope.ALL_VPC))
    assert members(rows, "prod", "p1") == ports("pw1", "pd1", "pa1")
    assert members(rows, "test", "p1") == ports("pa1")


def test_groups_select_and_except() -> None:
    groups = (
        entity_group("shop", "web", "app,prod", without=("nics/w2",)),
        entity_group("outer", "entityGroups/shop", "subnets/v10,db"),
        entity_group("none"),
    )
    names = ("entityGroups/shop", "entityGroups/outer", "entityGroups/none")
    rows = rows_with(*groups, policy("p", *names))
    assert members(rows, "shop") == ports("w1", "a1")
    assert members(rows, "outer") == ports("w1", "a1", "d1")
    assert not members(rows, "none")


def test_groups_in_a_circle_end() -> None:
    """Admission refuses them; a store edited by hand may have them."""
    groups = (
        entity_group("one", "entityGroups/two", "web"),
        entity_group("two", "entityGroups/one", without=("nics/w2",)),
    )
    rows = rows_with(*groups, policy("p", "entityGroups/one", "entityGroups/two"))
    assert members(rows, "one") == ports("w1", "w2")
    assert members(rows, "two") == ports("w1")


def test_each_vlan_of_a_trunk_is_a_port() -> None:
    vlans = (TrunkVlan(vlan_id=7, subnet=SubnetId("s1"), ipv4_address="10.1.1.77"),)
    trunk = in_categories(replace(nic("t1", number=77), mode=NicMode.TRUNK, trunk_vlans=vlans), "db")
    rows = rows_with(trunk, policy("p", "db"), policy("q", "db", "prod", scope=PolicyScope.ALL_VPC))
    assert members(rows, "db") == ports("d1", "t1")
    child = identity.child_uuid(uid_of("t1"), 7)
    assert members(rows, "db", "p1") == ports("pd1") | {child}
    assert child in members(rows, "prod", "p1")


def test_only_what_an_active_policy_names_has_rows() -> None:
    more = (
        address_group("office", "10.0.0.0/8"),
        policy("saved", "web", mode=PolicyMode.SAVE, rules=(rule("r", "addressGroups/office"),)),
    )
    rows = rows_with(*more)
    assert not {key[0] for key in rows} & {"Port_Group", "ACL", "Address_Set", "Meter", "Meter_Band"}
    rows = rows_with(more[0], replace(more[1], mode=PolicyMode.MONITOR))
    assert {key[0] for key in rows} >= {"Port_Group", "ACL", "Address_Set", "Meter", "Meter_Band"}
    assert not members(rows, "app")


def test_a_vpc_without_guests_has_no_groups() -> None:
    rows = rows_with(policy("p", "web", scope=PolicyScope.ALL_VPC))
    assert len([key for key in rows if key[0] == "Port_Group" and len(key) == 2]) == 1
    bare = [intent for intent in small_world() if intent.id not in ("s1", "s2", "pw1", "pd1", "pa1")]
    rows = compile_rows(snapshot([*bare, policy("p", "web", vpcs=("p1",))]), OWNER)
    assert not [key for key in rows if key[0] in ("Port_Group", "ACL")]


def test_address_groups_are_two_sets() -> None:
    office = address_group("office", "10.0.0.0-10.0.0.2", "fd00::/64", without=("10.0.0.1",))
    rows = rows_with(office, policy("shop", "web", rules=(rule("r1", "addressGroups/office", "db"),)))
    four = columns(rows, "Address_Set", identity.address_set_uuid(uid_of("office"), 4))
    six = columns(rows, "Address_Set", identity.address_set_uuid(uid_of("office"), 6))
    digits = uid_of("office").replace("-", "")
    assert four["name"] == f"as_{digits}_ip4"
    assert four["addresses"] == frozenset({"10.0.0.0", "10.0.0.2"})
    assert six["addresses"] == frozenset({"fd00::/64"})
    (first, *_) = said(rows)
    db = group("db")
    assert first[1] == (
        f"outport == @{group('web')} && (ip4.src == {{$as_{digits}_ip4, ${db}_ip4}}"
        f" || ip6.src == {{$as_{digits}_ip6, ${db}_ip6}})"
    )


def test_an_empty_address_group_is_named_like_any_other() -> None:
    rows = rows_with(
        address_group("office"), policy("shop", "web", rules=(rule("r1", "addressGroups/office"),))
    )
    assert "{}" not in said(rows)[0][1]
    assert f"as_{uid_of('office').replace('-', '')}_ip4" in said(rows)[0][1]
