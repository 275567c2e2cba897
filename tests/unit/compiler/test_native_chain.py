"""Chains by functions of OVN (26.03), exactly; and nothing of them on an older one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.compiler import identity, priority
from netctl.compiler.compile import compile_rows
from netctl.compiler.native_chain import is_native
from netctl.compiler.native_chain_rows import NUMBERS_MAX, numbers_of
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.compiler.priority import ACL_BANDS
from netctl.model.chain import FailureHandling, ForwardingMode, HealthCheck
from netctl.model.intent import Intent
from netctl.model.keys import HostId, NetworkFunctionId, RoutingPolicyId
from netctl.model.routing_policy import Endpoint, PolicyAction, Protocol
from netctl.model.security_policy import Direction
from netctl.model.subnet import SubnetKind
from netctl.nb.rows import Fact, FactKey, Member
from tests import vpcs
from tests.chained import chain, firewall, function, function_nics, pair, with_chain
from tests.intents import OWNER, infra, meta, routed, routed_nic, snapshot, uid_of, vlan, vpc
from tests.security import category, in_categories, policy, rule
from tests.unit.compiler.rows import columns, marks, tables

NATIVE = Observed(network_functions=True, acl_tiers=True)
TABLES = ("Network_Function", "Network_Function_Group", "Network_Function_Health_Check")
FW, IN, OUT, S1 = (uid_of(name) for name in ("fw", "fw-in", "fw-out", "s1"))
GROUP = identity.network_function_group_uuid(FW)
GUEST = in_categories(routed_nic("a"), "web")


def world(*more: Intent) -> list[Intent]:
    return [*infra(), *firewall(), vpc("p1"), routed("s2", number=2), category("web"), GUEST, *more]


def compiled(*more: Intent, observed: Observed = NATIVE) -> dict[FactKey, Fact]:
    return compile_rows(snapshot(world(*more)), OWNER, observed)


def members(rows: dict[FactKey, Fact], parent: str, column: str) -> set[str]:
    return {
        fact.member
        for fact in rows.values()
        if isinstance(fact, Member) and (fact.parent, fact.column) == (parent, column)
    }


def led(rows: dict[FactKey, Fact]) -> list[dict[str, Any]]:
    """Return the ACLs that lead through the function."""
    return [acl for acl in tables(rows, "ACL") if acl.get("network_function_group") == frozenset({GROUP})]


def test_a_function_is_its_ports_its_pairs_and_their_group() -> None:
    check = HealthCheck(interval_ms=1500, timeout_ms=200, success_threshold=3, failure_threshold=2)
    fw = function("fw", pair("fw"), failure_handling=FailureHandling.FAIL_OPEN, health_check=check)
    rows = compiled(with_chain(routed()), fw)
    of, numbers = marks("networkFunctions", "fw"), numbers_of(snapshot(world()))
    row, checked = identity.network_function_uuid(IN), identity.function_check_uuid(FW)
    assert columns(rows, "Network_Function_Group", GROUP) == {
        "name": f"nfg-{FW}",
        "id": numbers[FW],
        "mode": "inline",
        "fallback": frozenset({"fail-open"}),
        "network_function": frozenset({row}),
        "external_ids": of,
    }
    assert columns(rows, "Network_Function", row) == {
        "name": f"nf-{IN}",
        "id": numbers[IN],
        "inport": identity.port_uuid(IN),
        "outport": identity.port_uuid(OUT),
        "health_check": frozenset({checked}),
        "external_ids": of,
    }
    assert columns(rows, "Network_Function_Health_Check", checked) == {
        "name": f"nf-{FW}",
        "options": {"interval": "2", "timeout": "1", "success_count": "3", "failure_count": "2"},
        "external_ids": of,
    }


def test_its_ports_are_on_a_switch_of_its_own_with_children_where_it_is_needed() -> None:
    rows = compiled(with_chain(routed()))
    switch = identity.function_switch_uuid(FW)
    assert columns(rows, "Logical_Switch", switch)["name"] == "network-function-fw"
    assert members(rows, switch, "ports") == {identity.port_uuid(IN), identity.port_uuid(OUT)}
    parent = columns(rows, "Logical_Switch_Port", identity.port_uuid(IN))
    assert parent["name"] == IN, "the tap's iface-id"
    assert parent["options"] == {
        "is-nf": "true",
        "nf-linked-port": OUT,
        "lsp_learn_fdb": "false",
        "receive_multicast": "false",
        "requested-chassis": "h1",
    }
    assert parent["addresses"] == parent["port_security"] == frozenset()
    child = columns(rows, "Logical_Switch_Port", identity.function_child_uuid(OUT, S1))
    assert child["parent_name"] == frozenset({OUT})
    assert child["tag_request"] == frozenset({0})
    assert child["options"]["nf-linked-port"] == identity.function_child_name(IN, S1)
    at_s1, at_s2 = (members(rows, identity.switch_uuid(uid_of(s)), "ports") for s in ("s1", "s2"))
    assert {identity.function_child_uuid(nic, S1) for nic in (IN, OUT)} <= at_s1
    assert not {identity.function_child_uuid(nic, uid_of("s2")) for nic in (IN, OUT)} & at_s2


def test_a_subnets_chain_takes_what_guests_send_and_what_comes_from_beyond() -> None:
    rows = compiled(with_chain(routed()))
    group = identity.chain_group_uuid(S1)
    name = identity.port_group_name(group)
    assert members(rows, group, "ports") == {identity.port_uuid(uid_of("a"))}
    said = {
        acl["direction"]: (acl["match"], acl["priority"], acl["tier"], acl["action"]) for acl in led(rows)
    }
    assert said == {
        "from-lport": (f"inport == @{name} && ip", 1, 3, "allow-related"),
        "to-lport": (f'outport == @{name} && inport == {{"lsp-{S1}"}} && ip', 1, 3, "allow-related"),
    }
    assert members(rows, group, "acls") == {next(iter(acl["name"])) for acl in led(rows)}
    assert min(band.last for band in ACL_BANDS.values()) > priority.ACL_ROUTED > priority.ACL_CHAIN > 0
    tagged = [acl["match"] for acl in led(compiled(with_chain(vlan())))]
    assert any(identity.localnet_name(uid_of("v10"), "vs0") in match for match in tagged)


def test_a_rule_leads_what_it_allows() -> None:
    rules = (
        with_chain(rule("r1", services=("icmp",), direction=Direction.OUT)),
        with_chain(rule("r2", services=("tcp",), stateless=True)),
        rule("r3", services=("udp",)),
    )
    rows = compiled(routed(), policy("shop", "web", rules=rules, vpcs=("p1",)))
    said = sorted((acl["direction"], acl["match"].split("&& ")[-1], acl["action"]) for acl in led(rows))
    assert said == [("from-lport", "icmp4", "allow-related"), ("to-lport", "tcp", "allow-related")]
    every = [acl for acl in tables(rows, "ACL") if acl["external_ids"] == marks("securityPolicies", "shop")]
    assert {acl["network_function_group"] for acl in every} == {frozenset(), frozenset({GROUP})}
    child = identity.function_child_uuid(IN, S1)
    assert child in members(rows, identity.switch_uuid(S1), "ports"), "where web is"


def routing(**change: Any) -> list[dict[str, Any]]:
    """Return the ACLs of a routing policy with a chain behind one without."""
    plain = vpcs.policy("plain", PolicyAction.PERMIT, priority=500, vpc="p1", protocol=Protocol.UDP)
    chained = with_chain(vpcs.policy("deep", PolicyAction.PERMIT, priority=400, vpc="p1", **change))
    rows = compiled(
        routed(), plain, chained, replace(plain, id=RoutingPolicyId("late"), priority=300, meta=meta("late"))
    )
    found = [acl for acl in tables(rows, "ACL") if "routingPolicies" in acl["external_ids"].values()]
    assert {acl["external_ids"]["netctl:id"] for acl in found} == {"plain", "deep"}, (
        "what comes later decides nothing"
    )
    assert all(acl["network_function_group"] == frozenset() for acl in found if acl["priority"] == 254)
    assert {acl["priority"] for acl in found} == {254, 253}
    return [acl for acl in found if acl["priority"] == 253 and "ip4" in acl["match"]]


def test_a_routing_policy_leads_what_guests_send_to_the_router_and_get_from_outside() -> None:
    at = [acl for acl in routing() if routed().gateway_mac_address in acl["match"]]
    gateway, both = routed().gateway_mac_address, "{10.1.1.0/24, 10.1.2.0/24}"
    assert sorted((acl["direction"], acl["match"]) for acl in at) == [
        ("from-lport", f"eth.dst == {gateway} && ip4"),
        ("to-lport", f"eth.src == {gateway} && ip4.src != {both} && ip4"),
    ]
    out = [acl for acl in routing(destination=Endpoint(external=True)) if gateway in acl["match"]]
    assert [acl["match"] for acl in out] == [f"eth.dst == {gateway} && ip4.dst != {both} && ip4"]
    assert {acl["network_function_group"] for acl in out} == {frozenset({GROUP})}


def test_an_older_ovn_gets_nothing_of_it() -> None:
    intents = (
        with_chain(routed()),
        policy("shop", "web", rules=(with_chain(rule("r1")),), vpcs=("p1",)),
        with_chain(vpcs.policy("deep", PolicyAction.PERMIT, vpc="p1")),
    )
    old = compiled(*intents, observed=NOTHING_OBSERVED)
    assert not [key for key in old if key[0] in TABLES]
    assert not [acl for acl in tables(old, "ACL") if "network_function_group" in acl]
    assert not [port for port in tables(old, "Logical_Switch_Port") if "is-nf" in port["options"]]
    new = compiled(*intents)
    assert {key[0] for key in new} >= set(TABLES), "the control"


@pytest.mark.parametrize(
    ("more", "native"),
    [
        ([with_chain(routed())], True),
        ([with_chain(vlan())], True),
        ([], True),
        ([function("ids", pair("ids")), chain("two", "fw", "ids")], False),
        ([chain("again", "fw")], True),
        ([replace(with_chain(vlan()), kind=SubnetKind.VLAN_BASIC)], False),
        ([function("fw", pair("fw", tap=True), mode=ForwardingMode.TAP)], False),
        ([chain("inspect", "other")], False),
    ],
    ids=["overlay", "vlan", "unattached", "two", "twice", "basic", "tap", "in no chain"],
)
def test_a_function_is_ovns_where_that_says_all_that_is_meant(more: list[Intent], native: bool) -> None:
    made = snapshot(world(*more))
    assert is_native(made, NetworkFunctionId("fw"), NATIVE) is native
    assert not is_native(made, NetworkFunctionId("fw"), NOTHING_OBSERVED)


def test_pairs_out_of_use_keep_their_ports_and_have_no_row() -> None:
    fw = function("fw", pair("fw"), pair("old", disabled=True))
    old = tuple(replace(nic, host=HostId("")) for nic in function_nics("old", number=210))
    rows = compiled(fw, *old)
    assert len(tables(rows, "Network_Function")) == 1
    assert (
        "requested-chassis"
        not in columns(rows, "Logical_Switch_Port", identity.port_uuid(uid_of("old-in")))["options"]
    )


def test_numbers_do_not_move_when_a_function_comes() -> None:
    def stored(count: int) -> list[Intent]:
        made = [function(f"f{i}") for i in range(count)]
        return [replace(f, meta=replace(f.meta, create_time_s=float(i))) for i, f in enumerate(made)]

    few, more = numbers_of(snapshot(stored(60))), numbers_of(snapshot(stored(61)))
    assert few == {uid: number for uid, number in more.items() if uid in few}
    every = numbers_of(snapshot(stored(NUMBERS_MAX + 5)))
    assert sorted(every.values()) == list(range(1, NUMBERS_MAX + 1)), "each once, as many as there are"
