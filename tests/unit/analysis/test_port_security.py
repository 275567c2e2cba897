"""What security policies know each port of a NIC by, and which of them are about it, in order."""

from __future__ import annotations

from dataclasses import replace

from netctl.analysis.port_security import PortSecurity, explain_nic
from netctl.compiler.membership import ports_of
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.intent import Intent
from netctl.model.keys import NicId, SecurityPolicyId, SubnetId
from netctl.model.nic import NicMode, TrunkVlan
from netctl.model.security_policy import PolicyKind, PolicyMode, PolicyScope
from tests.intents import snapshot
from tests.security import (
    entity_group,
    in_categories,
    policy,
    rule,
    secured_nic,
    secured_routed_nic,
    small_world,
)

TRUNK = replace(
    secured_nic("t1", "db", number=30),
    mode=NicMode.TRUNK,
    trunk_vlans=(TrunkVlan(vlan_id=7, subnet=SubnetId("s2"), ipv4_address="10.1.2.30"),),
)


def explained(name: str, *more: Intent, observed: Observed = NOTHING_OBSERVED) -> list[PortSecurity]:
    made = snapshot(small_world(TRUNK, *more))
    nic = made.nic(NicId(name))
    assert nic is not None
    return explain_nic(made, observed, nic)


def ids(port: PortSecurity) -> list[str]:
    return [about.policy.id for about in port.policies]


def test_each_category_says_where_it_comes_from() -> None:
    (port,) = explained("pn", in_categories(secured_routed_nic("pn", subnet="s2", network=2), "prod", "web"))
    assert port.categories == {
        "prod": ("nics/pn", "vpcs/p1"),
        "test": ("subnets/s2",),
        "web": ("nics/pn",),
    }


def test_a_trunk_is_explained_vlan_by_vlan_each_in_its_realm() -> None:
    everywhere = policy("vpcs-db", "db", scope=PolicyScope.ALL_VPC)
    untagged, vlan = explained("t1", everywhere, policy("lan-db", "db"), policy("lan-test", "test"))
    assert (untagged.port.vlan_id, untagged.port.realm, list(untagged.categories)) == (0, "", ["db"])
    assert (vlan.port.vlan_id, vlan.port.realm) == (7, "p1")
    assert vlan.categories == {"db": ("nics/t1",), "prod": ("vpcs/p1",), "test": ("subnets/s2",)}
    assert (ids(untagged), ids(vlan)) == (["lan-db"], ["vpcs-db"])


def test_groups_are_those_that_the_port_is_in_without_exceptions() -> None:
    groups = (
        entity_group("in", "web"),
        entity_group("above", "entityGroups/in"),
        entity_group("but", "web", without=("nics/w1",)),
    )
    assert [port.entity_groups for port in explained("w1", *groups)] == [("above", "in")]
    assert [port.entity_groups for port in explained("w2", *groups)] == [("above", "but", "in")]


def test_given_and_learned_addresses_are_told_apart() -> None:
    (port,) = ports_of(snapshot(small_world()), secured_nic("w1", number=11))
    observed = Observed(learned={port.name: ("10.0.10.99",)})
    (told,) = explained("w1", observed=observed)
    assert told.port.given[:2] == ("10.0.10.11", "fd00:10::b")
    assert told.learned == ("10.0.10.99",)
    assert explained("w2", observed=observed)[0].learned == ()


def test_policies_come_in_the_order_in_which_they_are_looked_at() -> None:
    made = (
        policy("a-vdi", kind=PolicyKind.VDI),
        policy("b-low", "web", "prod", mode=PolicyMode.MONITOR),
        policy("c-high", "prod", priority=9),
        policy("d-strict", kind=PolicyKind.QUARANTINE),
        policy("a-forensic", kind=PolicyKind.QUARANTINE, rules=(rule("look"),), priority=9),
        policy("saved", mode=PolicyMode.SAVE),
        policy("others", "db"),
    )
    (port,) = explained("w1", *made)
    assert ids(port) == ["d-strict", "a-forensic", "c-high", "b-low", "a-vdi"]
    subjects = [about.subjects for about in port.policies]
    assert subjects[2:4] == [("categories/prod",), ("categories/prod", "categories/web")]


def test_who_uses_a_shared_service_and_who_offers_it_are_both_told_until_it_expires() -> None:
    shared = policy("dns", "web", kind=PolicyKind.SHARED_SERVICE, rules=(rule("ask", "db"),))
    assert ids(explained("w1", shared)[0]) == ["dns"]
    assert ids(explained("d1", shared)[0]) == ["dns"], "its other end"
    assert ids(explained("a1", shared)[0]) == []
    expired = Observed(expired=frozenset({(SecurityPolicyId("dns"), "ask")}))
    assert ids(explained("d1", shared, observed=expired)[0]) == []
