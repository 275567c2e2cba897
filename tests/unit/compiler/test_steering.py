"""What passes br.nf: localnet ports, segments, functions and rules, exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.compiler import identity
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.compiler.steering_peers import PEER_NETWORKS_MAX
from netctl.compiler.steering_security import wide_rules
from netctl.model.assignment_chains import Chain, Function, Pair, PortSpan, Segment, SteeringRule
from netctl.model.chain import FailureHandling, ForwardingMode, HealthCheck
from netctl.model.infra import Uplink
from netctl.model.intent import Intent
from netctl.model.keys import HostId, SecurityPolicyId, VirtualSwitchId
from netctl.model.nic import Nic
from netctl.model.security_policy import Direction, PolicyKind, PolicyMode, RuleAction
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet, SubnetKind
from netctl.reconciler.status_security import security_policy_verdict
from tests.chained import chain, chains_on, firewall, function, function_nics, pair, segment_of, with_chain
from tests.intents import host, infra, overlay, snapshot, switch, uid_of, vlan
from tests.security import (
    address_group,
    category,
    policy,
    rule,
    secured_nic,
    secured_vlan,
    service_group,
)
from tests.unit.compiler.rows import columns, rows_of

LOCALNETS = {identity.localnet_uuid(uid_of("v10"), "vs0", chained=chained) for chained in (False, True)}
NETWORK = "10.0.10"
MAC = "50:6b:8d:00:00"


def world(*more: Intent) -> Snapshot:
    return snapshot([*infra(), *firewall(), *more])


def network_name(*more: Intent, observed: Observed = NOTHING_OBSERVED) -> str:
    """Return where the only localnet port of the VLAN leads; on br.nf it has another name than on the bridge."""
    rows = rows_of(*firewall(), *more, observed=observed)
    [port] = [uuid for table, uuid, *_rest in rows if table == "Logical_Switch_Port" and uuid in LOCALNETS]
    return str(columns(rows, "Logical_Switch_Port", port)["options"]["network_name"])


def test_a_subnet_with_a_chain_is_a_segment_of_every_host_and_of_its_own_physnet() -> None:
    subnet = with_chain(vlan())
    assert network_name(vlan()) == "physnet-vs0"
    assert network_name(subnet) == "physnet-nf-vs0"
    found = chains_on(world(subnet))
    assert found.segments == (
        Segment(
            subnet_id="v10",
            localnet=identity.localnet_name(uid_of("v10"), "vs0", chained=True),
            uplink_bridge="br0",
            vlan_id=10,
            rules=(SteeringRule(priority=1, chain_id="inspect"),),
        ),
    )
    assert chains_on(world(subnet), "h2").segments == found.segments, "before a guest comes"
    assert found.chains == (Chain(chain_id="inspect", function_ids=("fw",)),)


def test_a_function_is_told_with_its_taps_on_the_host() -> None:
    check = HealthCheck(interval_ms=500, timeout_ms=100, success_threshold=4, failure_threshold=5)
    pairs = (pair("fw"), pair("old", disabled=True), pair("far"))
    fw = function("fw", *pairs, failure_handling=FailureHandling.FAIL_OPEN, health_check=check)
    ids = function("ids", pair("ids", tap=True), mode=ForwardingMode.TAP)
    nics = (
        *function_nics("fw"),
        *function_nics("old", number=210),
        *function_nics("far", number=220, host="h2"),
        *function_nics("ids", number=230, tap=True),
    )
    taps = {one.id: one.tap_name for one in nics}
    made = snapshot([*infra(), fw, ids, *nics, chain("inspect", "ids", "fw"), with_chain(vlan())])
    mine = Function(
        function_id="fw",
        tap=False,
        fail_open=True,
        pairs=(Pair(ingress_tap=taps[nics[0].id], egress_tap=taps[nics[1].id]),),
        interval_ms=500,
        timeout_ms=100,
        success_threshold=4,
        failure_threshold=5,
    )
    copies = Function(
        function_id="ids", tap=True, fail_open=False, pairs=(Pair(ingress_tap=taps[nics[-1].id]),)
    )
    assert chains_on(made).functions == (mine, copies)
    far = chains_on(made, "h2").functions
    assert [len(one.pairs) for one in far] == [1, 0], "a function without a pair here is told, too"
    assert chains_on(made).chains[0].function_ids == ("ids", "fw")


def test_without_probes_carrier_is_all_that_is_looked_at() -> None:
    quiet = function("fw", pair("fw"), health_check=HealthCheck(disabled=True))
    made = snapshot([*infra(), quiet, chain(), *function_nics("fw"), with_chain(vlan())])
    (told,) = chains_on(made).functions
    assert (told.interval_ms, told.timeout_ms, told.fail_open) == (0, 0, False)


def test_a_pair_whose_nics_are_on_two_hosts_is_on_neither() -> None:
    ingress, egress = function_nics("fw")
    apart = replace(egress, host=HostId("h2"))
    made = snapshot([*infra(), function("fw", pair("fw")), chain(), ingress, apart, with_chain(vlan())])
    assert [chains_on(made, name).functions[0].pairs for name in ("h1", "h2")] == [(), ()]


def test_a_basic_subnet_is_behind_its_local_bridge() -> None:
    basic = replace(with_chain(vlan()), kind=SubnetKind.VLAN_BASIC)
    segment = segment_of(chains_on(world(basic)))
    assert (segment.localnet, segment.local_bridge, segment.uplink_bridge) == ("", "br0.local", "br0")


def test_a_segment_is_where_the_virtual_switch_has_an_uplink() -> None:
    second = replace(switch("vs1", "br1"))
    uplinks = (*host().uplinks, Uplink(virtual_switch=VirtualSwitchId("vs1"), interfaces=("eth3",)))
    subnet = replace(with_chain(vlan()), virtual_switches=(VirtualSwitchId("vs1"),))
    made = snapshot([*infra(), second, replace(host(), uplinks=uplinks), *firewall(), subnet])
    assert segment_of(chains_on(made)).uplink_bridge == "br1"
    assert chains_on(made, "h2").segments == ()


@pytest.mark.parametrize(
    "subnet", [vlan(), with_chain(vlan(), "gone"), with_chain(overlay())], ids=["none", "gone", "overlay"]
)
def test_what_no_chain_concerns_is_left_alone(subnet: Subnet) -> None:
    assert chains_on(world(subnet)).segments == ()
    assert chains_on(world(subnet)).functions == ()


def ruled(*rules: Any, more: tuple[Intent, ...] = (), **fields: Any) -> tuple[Intent, ...]:
    """Return web (.5 on h1, .6 on h2) with app (.7) beside it, and a policy about web."""
    nics: tuple[Nic, ...] = (
        secured_nic("web1", "web", number=5),
        secured_nic("web2", "web", number=6, host="h2"),
        secured_nic("app1", "app", number=7, six=False),
    )
    shop = policy("shop", "web", rules=rules, **fields)
    return (category("web"), category("app"), secured_vlan(), *nics, shop, *more)


def steering(
    *rules: object, host: str = "h1", observed: Observed = NOTHING_OBSERVED
) -> tuple[SteeringRule, ...]:
    return segment_of(chains_on(world(*ruled(*rules)), host, observed)).rules


def test_a_rule_steers_its_own_nics_by_their_macs_and_its_peers_by_their_addresses() -> None:
    found = steering(with_chain(rule("r1", "app", services=("tcp/443,80-81",))))
    expected = SteeringRule(
        priority=2,
        chain_id="inspect",
        local_mac_addresses=(f"{MAC}:05",),
        peer_networks=(f"{NETWORK}.7",),
        ip_version=4,
        protocol=6,
        local_opens=False,
        destination_ports=(PortSpan(first=80, last=81), PortSpan(first=443, last=443)),
    )
    assert found == (expected,), "app has no address of IPv6"
    (other,) = steering(with_chain(rule("r1", "app", services=("tcp/443,80-81",))), host="h2")
    assert other.local_mac_addresses == (f"{MAC}:06",)
    assert network_name(*ruled(with_chain(rule("r1", "app")))) == "physnet-nf-vs0"


def test_learned_addresses_are_addresses() -> None:
    seen = Observed(learned={str(uid_of("app1")): (f"{NETWORK}.99", "fd00:10::99")})
    four, six = (one for one in steering(with_chain(rule("r1", "app", services=("udp",))), observed=seen))
    assert four.peer_networks == (f"{NETWORK}.7", f"{NETWORK}.99")
    assert (six.ip_version, six.peer_networks) == (6, ("fd00:10::99",))


def test_every_service_is_said_and_direction_is_who_opens() -> None:
    services = ("tcp/1", "tcp/2", "udp", "icmp/8", "47")
    chained = with_chain(rule("r1", services=services, direction=Direction.OUT, ip_version=4))
    found = steering(chained)
    assert {one.local_opens for one in found} == {True}
    assert [(one.protocol, one.icmp_type, one.destination_ports) for one in found] == [
        (6, None, (PortSpan(first=1, last=2),)),
        (17, None, ()),
        (1, 8, ()),
        (1, 0, ()),  # the answer to a question is of it
        (47, None, ()),
    ]
    assert [one.priority for one in found] == [6, 5, 4, 3, 2]


def test_neighbour_discovery_is_of_no_rule() -> None:
    found = steering(with_chain(rule("r1")))
    spared = [one for one in found if one.icmp_type is not None]
    assert {one.icmp_type for one in spared} == {130, 131, 132, 133, 134, 135, 136, 143}
    assert {one.chain_id for one in spared} == {""}
    assert min(one.priority for one in spared) > max(one.priority for one in found if one.chain_id)
    assert not [one for one in steering(with_chain(rule("r1", ip_version=4))) if one.icmp_type is not None]


def test_what_an_earlier_rule_allows_without_a_chain_goes_straight() -> None:
    plain = rule("r0", "app", services=("tcp/22",), priority=9)
    chained = with_chain(rule("r1", services=("tcp",), ip_version=4))
    first, second = steering(plain, chained)
    assert (first.chain_id, first.destination_ports[0].first, first.peer_networks) == (
        "",
        22,
        (f"{NETWORK}.7",),
    )
    assert second.chain_id == "inspect"
    assert [one.chain_id for one in steering(replace(plain, priority=-0), chained)] == ["", "inspect"]
    later = steering(replace(chained, priority=10), plain)
    assert [one.chain_id for one in later] == ["inspect"], "what comes after it decides nothing"


@pytest.mark.parametrize(
    "plain",
    [
        rule("r0", priority=9, services=("udp",)),
        rule("r0", priority=9, ip_version=6),
        rule("r0", priority=9, direction=Direction.OUT),
        rule("r0", priority=9, action=RuleAction.DENY),
        rule("r0", priority=9, disabled=True),
    ],
    ids=["protocol", "version", "direction", "denied", "disabled"],
)
def test_only_what_can_matter_is_said(plain: object) -> None:
    found = steering(plain, with_chain(rule("r1", services=("tcp/80",), ip_version=4)))
    assert [one.chain_id for one in found] == ["inspect"]


def test_a_chain_comes_in_front_of_what_only_the_other_direction_needs() -> None:
    rules = (
        rule("o1", "app", direction=Direction.OUT, priority=9, ip_version=4),
        with_chain(rule("o2", direction=Direction.OUT, priority=8, ip_version=4), "inspect"),
        with_chain(rule("i1", services=("tcp/443",), ip_version=4), "inspect"),
        with_chain(rule("i2", services=("tcp/80",), ip_version=4), "inspect"),
    )
    said = [(one.chain_id, one.local_opens) for one in steering(*rules)]
    assert said == [("inspect", False), ("inspect", False), ("", True), ("inspect", True)]


@pytest.mark.parametrize(
    "fields",
    [{"mode": PolicyMode.MONITOR}, {"mode": PolicyMode.SAVE}, {"vpcs": ("blue",)}],
    ids=["monitored", "saved", "elsewhere"],
)
def test_a_policy_that_does_not_decide_steers_nothing(fields: dict[str, Any]) -> None:
    intents = ruled(with_chain(rule("r1")), **fields)
    assert chains_on(world(*intents)).segments == ()
    assert network_name(*intents) == "physnet-vs0"


def test_an_expired_rule_steers_nothing() -> None:
    intents = ruled(with_chain(rule("r1")))
    over = Observed(expired=frozenset({(SecurityPolicyId("shop"), "r1")}))
    assert chains_on(world(*intents), observed=over).segments == ()
    assert network_name(*intents, observed=over) == "physnet-vs0"
    assert network_name(*intents) == "physnet-nf-vs0"


def test_the_subnets_chain_takes_what_no_rules_chain_does() -> None:
    intents = ruled(rule("r0", "app", services=("tcp/22",), priority=9), with_chain(rule("r1"), "deep"))
    own = [with_chain(one) if isinstance(one, Subnet) else one for one in intents]
    found = segment_of(chains_on(world(*own, chain("deep")))).rules
    assert found[-1] == SteeringRule(priority=1, chain_id="inspect")
    assert {one.chain_id for one in found} == {"inspect", "deep"}
    (plain,) = (one for one in found if one.destination_ports)
    assert plain.chain_id == "inspect", "an allow without a chain leaves it to the subnet"


def test_the_provider_of_a_shared_service_does_not_pass_the_chain_again() -> None:
    intents = ruled(with_chain(rule("r1", "app", ip_version=4)), kind=PolicyKind.SHARED_SERVICE)
    (found,) = segment_of(chains_on(world(*intents))).rules
    assert found.local_mac_addresses == (f"{MAC}:05",), "app is on h1 as well"


def test_services_of_groups_count_and_a_rule_whose_groups_are_gone_matches_nothing() -> None:
    grouped = with_chain(rule("r1", services=("serviceGroups/http",), ip_version=4))
    here = world(*ruled(grouped, more=(service_group("http", "tcp/8080"),)))
    (found,) = segment_of(chains_on(here)).rules
    assert found.destination_ports == (PortSpan(first=8080, last=8080),)
    assert segment_of(chains_on(world(*ruled(grouped)))).rules == ()


def test_peers_are_the_fewest_networks_and_too_many_are_everybody() -> None:
    chained = with_chain(rule("r1", "app", "addressGroups/office", services=("tcp",)))
    office = address_group("office", f"{NETWORK}.0/29", f"{NETWORK}.8-{NETWORK}.15", "2001:db8::/64")
    four, six = segment_of(chains_on(world(*ruled(chained, more=(office,))))).rules
    assert (four.peer_networks, six.peer_networks) == ((f"{NETWORK}.0/28",), ("2001:db8::/64",))
    odd = [f"198.18.{i >> 7}.{2 * (i & 127)}" for i in range(1024)]
    groups = tuple(
        address_group(f"g{i}", *(text.replace("198.18", f"198.{20 + i}") for text in odd)) for i in range(5)
    )
    assert 5 * len(odd) > PEER_NETWORKS_MAX
    wide = with_chain(rule("r1", *(f"addressGroups/g{i}" for i in range(5)), services=("tcp",)))
    (all_of_them,) = segment_of(chains_on(world(*ruled(wide, more=groups)))).rules
    assert all_of_them.peer_networks == (), "rather too much is looked into than too little"
    shop, here = (
        policy("shop", "web", rules=(wide, replace(chained, name="r2"))),
        world(*ruled(wide, more=groups)),
    )
    assert wide_rules(here, shop, NOTHING_OBSERVED) == ("r1",)
    assert security_policy_verdict(here, shop, NOTHING_OBSERVED, ())[1] == "CHAIN_TAKES_MORE"
    assert wide_rules(here, replace(shop, mode=PolicyMode.MONITOR), NOTHING_OBSERVED) == ()
    plain = rule("r0", *(f"addressGroups/g{i}" for i in range(5)), services=("tcp",), priority=9)
    rules = (plain, with_chain(rule("r1", services=("tcp",), ip_version=4)))
    found = segment_of(chains_on(world(*ruled(*rules, more=groups))))
    assert [one.chain_id for one in found.rules] == ["inspect"]


def test_functions_of_ovn_do_not_pass_br_nf() -> None:
    native = Observed(network_functions=True)
    assert network_name(with_chain(vlan()), observed=native) == "physnet-vs0"
    assert chains_on(world(with_chain(vlan())), observed=native).segments == ()
    both = world(with_chain(vlan()), function("ids", pair("ids")), chain("two", "fw", "ids"))
    assert len(chains_on(both, observed=native).segments) == 1, "alone in one chain, not alone in another"
    basic = replace(with_chain(vlan("v20", 20)), kind=SubnetKind.VLAN_BASIC)
    assert len(chains_on(world(with_chain(vlan()), basic), observed=native).segments) == 2
