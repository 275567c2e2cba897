"""Service chains: what they name, and where they can be passed with which OVN."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.errors import AlreadyExists, InvalidIntent, NotFound, Unsupported
from netctl.model.category import Category
from netctl.model.intent import Create, Remove, Replace
from netctl.model.keys import (
    CategoryId,
    HostId,
    Kind,
    SecurityPolicyId,
    ServiceChainId,
    SubnetId,
    VirtualSwitchId,
    VpcId,
)
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.security_policy import (
    Direction,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
    SecurityPolicy,
    SecurityRule,
)
from netctl.model.subnet import Subnet
from netctl.model.vpc import VpcKind
from tests.unit.model.chains import basic, chain, direct, function, sides, tap, trunk
from tests.unit.model.world import (
    World,
    cluster,
    external,
    host,
    ipv4,
    overlay,
    policy,
    switch,
    vlan,
    vpc,
)

C = ServiceChainId("c")


@pytest.fixture
def world() -> World:
    world = World(
        cluster(),
        switch("vs0"),
        switch("vs1"),
        host("h1", "192.0.2.1/24", "c1", "vs0", "vs1"),
        host("h2", "192.0.2.2/24", "c1", "vs0"),
    )
    for id, where in (("a", "h1"), ("b", "h1"), ("x", "h1"), ("far", "h2")):
        for one in sides(id, where):
            world.create(one)
    world.create(function())
    world.create(chain())
    return world


def rules(
    scope: PolicyScope = PolicyScope.ALL_VLAN, *chains: str, id: str = "sp", **fields: Any
) -> SecurityPolicy:
    made = tuple(
        SecurityRule(
            name=f"r{i}",
            direction=Direction.IN,
            action=RuleAction.ALLOW,
            service_chain=ServiceChainId(name),
        )
        for i, name in enumerate(chains)
    )
    return SecurityPolicy(
        id=SecurityPolicyId(id),
        kind=PolicyKind.APPLICATION,
        mode=PolicyMode.ENFORCE,
        scope=scope,
        secured=("categories/web",),
        rules=made,
        **fields,
    )


def with_chain(made: Subnet | RoutingPolicy, chain: str = "c") -> Any:
    return replace(made, service_chain=ServiceChainId(chain))


def test_what_is_used_stays(world: World) -> None:
    world.replace(function("fw", "a"))
    for made in (
        vlan(service_chain=C),
        external(nat=False),
        vpc("v1", "ext"),
        with_chain(policy()),
        Category(id=CategoryId("web"), key="app", value="web"),
        rules(PolicyScope.ALL_VLAN, "c"),
    ):
        world.create(made)
    for kind, id, users in (
        (Kind.NIC, "a-in", ("networkFunctions/fw",)),
        (Kind.NIC, "a-out", ("networkFunctions/fw",)),
        (Kind.NETWORK_FUNCTION, "fw", ("serviceChains/c",)),
        (Kind.SERVICE_CHAIN, "c", ("routingPolicies/p1", "securityPolicies/sp", "subnets/web")),
    ):
        world.refuse_in_use(Remove(key=(kind, id)), "name", *users)
    for kind, id in (
        (Kind.SUBNET, "web"),
        (Kind.ROUTING_POLICY, "p1"),
        (Kind.SECURITY_POLICY, "sp"),
        (Kind.SERVICE_CHAIN, "c"),
        (Kind.NETWORK_FUNCTION, "fw"),
        (Kind.NIC, "a-in"),
    ):
        world.remove(kind, id)


def test_what_is_named_must_exist(world: World) -> None:
    text = "networkFunctions/no does not exist: create it first"
    world.refuse(Create(intent=chain("d", "fw", "no")), NotFound, "network_functions[1]", text)
    text = "serviceChains/no does not exist: create it first"
    world.refuse(Create(intent=with_chain(vlan(), "no")), NotFound, "service_chain", text)
    world.create(external(nat=False))
    world.create(vpc("v1", "ext"))
    world.refuse(Create(intent=with_chain(policy(), "no")), NotFound, "service_chain", text)
    world.create(Category(id=CategoryId("web"), key="app", value="web"))
    world.refuse(
        Create(intent=rules(PolicyScope.ALL_VLAN, "c", "no")), NotFound, "rules[1].service_chain", text
    )


NEEDED = "needs network functions of OVN itself, which OVN 26.03 and later have and this one has not"


def test_an_overlay_needs_functions_of_ovn(world: World) -> None:
    made = world.create(overlay())
    asked = with_chain(overlay())
    text = "attach it to a VLAN or VLAN_BASIC subnet"
    for edit in (Replace(intent=asked), Create(intent=replace(asked, id=SubnetId("new")))):
        world.refuse(edit, Unsupported, "service_chain", "is OVERLAY: a service chain there", NEEDED, text)
    world.network_functions = True
    world.replace(replace(asked, meta=made.meta))


def test_functions_of_ovn_are_inline_and_alone(world: World) -> None:
    world.network_functions = True
    world.create(tap())
    world.create(function("second"))
    world.create(chain("copied", "ids"))
    world.create(chain("two", "second", "fw"))
    cannot = "needs network functions of OVN itself, and networkFunctions/{} cannot be one: {}"
    for name, which, why in (
        ("copied", "ids", "it is of mode TAP, and those are INLINE"),
        ("two", "second", "serviceChains/two has 2 functions, and those are alone in a chain"),
        ("c", "fw", "serviceChains/two has 2 functions"),
    ):
        asked = Create(intent=with_chain(overlay(), name))
        text = cannot.format(which, why)
        world.refuse(asked, InvalidIntent, "service_chain", "subnets/app is OVERLAY", text)
    world.remove(Kind.SERVICE_CHAIN, "two")
    world.create(basic(service_chain=C))
    text = cannot.format("fw", "it is in the path of subnets/plain too, which is VLAN_BASIC")
    world.refuse(Create(intent=with_chain(overlay())), InvalidIntent, "service_chain", text)
    world.remove(Kind.SUBNET, "plain")
    world.create(vlan(service_chain=C))
    world.create(with_chain(overlay()))
    # Now that the function is one of OVN's, it stays one.
    text = "subnets/app is OVERLAY"
    world.refuse(Create(intent=basic(service_chain=C)), InvalidIntent, "service_chain", text)
    world.refuse(Replace(intent=chain("c", "fw", "second")), InvalidIntent, "network_functions", text)
    world.create(chain("two", "second", "ids"))
    world.refuse(Replace(intent=chain("two", "second", "fw")), InvalidIntent, "network_functions", text)


def test_a_new_chain_can_take_a_function_from_ovn(world: World) -> None:
    """Found at the creation of the chain as well, not only at its changes."""
    world.network_functions = True
    world.create(with_chain(overlay()))
    world.create(function("second"))
    text = "subnets/app is OVERLAY"
    world.refuse(Create(intent=chain("two", "second", "fw")), InvalidIntent, "network_functions", text)


def test_a_routing_policy_needs_a_way_out_without_nat(world: World) -> None:
    world.create(external(nat=True))
    world.create(external("routed", 101, nat=False, ipv4=ipv4("198.51.100.0/24", "198.51.100.1")))
    world.create(vpc("v1", "ext"))
    asked = Create(intent=with_chain(policy()))
    text = "vpcs/v1 has no external connection without NAT on virtual switches"
    hint = "connect the VPC to an EXTERNAL subnet with nat false"
    world.refuse(asked, Unsupported, "service_chain", text, NEEDED, hint)
    world.replace(vpc("v1", "ext", "routed"))
    world.admit(asked)
    gone = Replace(intent=vpc("v1", "ext"))
    world.refuse_in_use(gone, "external_connections", "routingPolicies/p1")
    world.network_functions = True
    world.admit(gone)
    world.create(tap())
    text = "networkFunctions/ids cannot be one: it is of mode TAP"
    world.create(chain("copied", "ids"))
    copied = Replace(intent=with_chain(policy(), "copied"))
    world.refuse(copied, InvalidIntent, "service_chain", text)


def test_inside_a_transit_vpc_there_is_no_way_out_either(world: World) -> None:
    world.create(external(nat=False))
    world.create(vpc("hub", "ext", kind=VpcKind.TRANSIT))
    world.create(external("inner", vpc=VpcId("hub"), ipv4=ipv4("100.64.0.0/24")))
    world.create(vpc("v1", "inner"))
    text = "vpcs/v1 has no external connection"
    world.refuse(Create(intent=with_chain(policy())), Unsupported, "service_chain", text)
    world.create(with_chain(policy("p2", "hub")))


def test_rules_about_nics_of_vpcs_need_functions_of_ovn(world: World) -> None:
    world.create(Category(id=CategoryId("web"), key="app", value="web"))
    world.create(vpc("v1"))
    world.create(rules(PolicyScope.ALL_VLAN, "c"))
    text = "securityPolicies/sp is about NICs of VPCs"
    for scope, vpcs in ((PolicyScope.ALL_VPC, ()), (PolicyScope.VPC_LIST, (VpcId("v1"),))):
        asked = Replace(intent=rules(scope, "c", vpcs=vpcs))
        world.refuse(asked, Unsupported, "rules[0].service_chain", text, NEEDED, "use scope ALL_VLAN")
    world.network_functions = True
    world.admit(asked)
    world.network_functions = False
    # What is stored may be changed in what has nothing to do with it.
    world.replace(world.stored(Kind.SECURITY_POLICY, "sp"), log=True)


def test_a_vlan_id_passes_a_function_once(world: World) -> None:
    world.create(vlan("one", 10, "vs0", service_chain=C))
    two = vlan("two", 10, "vs1")
    text = "subnets/one and of subnets/two have the same VLAN 10 (of virtualSwitches/vs0 and virtualSwitches/vs1)"
    world.refuse(Create(intent=with_chain(two)), InvalidIntent, "service_chain", text, "networkFunctions/fw")
    world.create(two)
    world.create(function("second"))
    world.create(chain("other", "second"))
    world.replace(with_chain(two, "other"))
    world.refuse(Replace(intent=with_chain(two)), InvalidIntent, "service_chain", text)
    world.refuse(Replace(intent=chain("other", "second", "fw")), InvalidIntent, "network_functions", text)
    world.create(vlan("three", 11, "vs1", service_chain=C))
    asked = vlan("three", 10, "vs1", service_chain=C)
    world.remove(Kind.SUBNET, "two")
    world.refuse(Replace(intent=asked), InvalidIntent, "vlan_id", "subnets/one and of subnets/three")
    world.replace(vlan("one", 12, "vs0", service_chain=C))
    world.replace(asked)


def test_functions_of_ovn_tell_vlans_apart(world: World) -> None:
    world.network_functions = True
    world.create(vlan("one", 10, "vs0", service_chain=C))
    world.create(vlan("two", 10, "vs1", service_chain=C))
    text = "have the same VLAN 10"
    world.refuse(Create(intent=basic(service_chain=C)), InvalidIntent, "service_chain", text)


def test_two_clusters_may_use_one_vlan_id(world: World) -> None:
    world.create(cluster("c2"))
    world.create(switch("vs9", "c2"))
    world.create(vlan("one", 10, "vs0", service_chain=C))
    world.create(vlan("two", 10, "vs9", service_chain=C))
    spread = vlan("three", 11, "vs0", service_chain=C)
    world.create(replace(spread, virtual_switches=(VirtualSwitchId("vs0"), VirtualSwitchId("vs9"))))
    world.refuse(
        Create(intent=vlan("four", 11, "vs1", service_chain=C)),
        InvalidIntent,
        "service_chain",
        "same VLAN 11",
    )


def test_ways_out_of_vpcs_pass_a_function_by_their_vlan_too(world: World) -> None:
    world.create(vlan("one", 100, "vs1", service_chain=C))
    world.create(external(nat=False))
    world.create(external("other", 7, nat=False, ipv4=ipv4("198.51.100.0/24", "198.51.100.1")))
    world.create(vpc("v1", "other"))
    world.create(with_chain(policy()))
    text = "have the same VLAN 100"
    asked = Replace(intent=vpc("v1", "other", "ext"))
    world.refuse(asked, InvalidIntent, "external_connections", text)
    other = world.stored(Kind.SUBNET, "other")
    world.refuse(Replace(intent=replace(other, vlan_id=100)), AlreadyExists, "vlan_id")
    world.remove(Kind.SUBNET, "ext")
    world.refuse(Replace(intent=replace(other, vlan_id=100)), InvalidIntent, "vlan_id", text)
    world.create(vpc("v2", "other"))
    world.remove(Kind.SUBNET, "one")
    world.replace(other, vlan_id=100)


@pytest.mark.parametrize("made", [vlan("native", 0), basic("native", 0)], ids=["VLAN", "VLAN_BASIC"])
def test_a_guest_with_all_vlans_is_not_chained(world: World, made: Any) -> None:
    stored = world.create(made)
    world.create(trunk("t1", "native", host=HostId("h1")))
    world.create(direct("d1", "native"))
    world.refuse_in_use(Replace(intent=with_chain(stored)), "service_chain", "nics/t1")
    world.remove(Kind.NIC, "t1")
    world.replace(with_chain(stored))
    text = "is empty, which is all VLANs, and subnets/native has a service chain"
    world.refuse(Create(intent=trunk("t1", "native")), InvalidIntent, "trunk_vlans", text)
    world.create(replace(trunk("d2", "native"), kind=direct("d2", "native").kind))


def test_a_chain_is_passed_where_vlans_are(world: World) -> None:
    """What is allowed with every OVN: VLAN and VLAN_BASIC, several functions, copies."""
    world.create(tap())
    world.create(chain("all", "fw", "ids"))
    for made in (vlan("v1", 11), basic("v2", 12), vlan("v0", 0, "vs1")):
        world.create(with_chain(made, "all"))
    assert {one.id for one in world.draft.subnets_of_chain(ServiceChainId("all"))} == {"v0", "v1", "v2"}
    assert {one.id for one in world.draft.chains_of_function(function().id)} == {"all", "c"}
    assert world.draft.service_chain(C) is not None
    assert world.draft.network_function(function().id) is not None


def test_functions_have_one_order_in_all_chains(world: World) -> None:
    for id in ("a", "b", "c"):
        world.create(function(id))
    world.create(chain("one", "a", "b"))
    world.create(chain("two", "b", "c"))
    with pytest.raises(InvalidIntent) as refused:
        world.create(chain("three", "c", "a"))
    assert refused.value.field == "network_functions[1]"
    assert "networkFunctions/a comes after networkFunctions/c here and before it in" in refused.value.message
    world.create(chain("four", "a", "c"))
    # a chain alone has the order that it says, also when it says another one now
    world.admit(Replace(intent=chain("four", "a", "b", "c")))


def test_functions_that_get_copies_have_no_order(world: World) -> None:
    world.create(function("a"))
    world.create(tap("ids"))
    world.create(chain("one", "a", "ids"))
    world.create(chain("two", "ids", "a"))
