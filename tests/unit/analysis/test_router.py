"""A VPC's router in words: what is in use, what is not, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netctl.analysis.gateways import Heard, Seen, gateway_binding
from netctl.analysis.policies import describe_action, describe_match
from netctl.analysis.router import Router, explain_router
from netctl.analysis.routes import Origin, RouteEntry
from netctl.compiler.exits import exits_of
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.intent import Intent
from netctl.model.keys import HostId, Kind, NicId, VpcId
from netctl.model.route import Bfd, NextHop
from netctl.model.routing_policy import Endpoint, Fallback, PolicyAction, PortRange, Protocol
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport, TunnelReport
from tests.explained import BLUE, DENY_SSH, FLOATING, THROUGH_FW, bare, inner, policy, route, snapshot_of, via
from tests.intents import host, uid_of

H1, H2 = HostId("h1"), HostId("h2")
BLUE_ID = VpcId("blue")


def report(name: HostId, *tunnels: TunnelReport, ovn: bool = True) -> Heard:
    told = HostReport(host=name, ovn_controller_connected=ovn, tunnels=tunnels)
    return Heard(report=told, connected=True)


ALL_WELL = {H1: report(H1), H2: report(H2)}


def seen(
    snapshot: Snapshot, vpc: str = "blue", hosts: dict[HostId, Heard] | None = None, **active: str
) -> Seen:
    """Both hosts well, gateways by external subnet's id."""
    found = snapshot.vpc(VpcId(vpc))
    assert found is not None
    holders = {
        gateway_binding(exit): active[exit.subnet.id]
        for exit in exits_of(snapshot, found)
        if exit.subnet.id in active
    }
    return Seen(hosts=ALL_WELL if hosts is None else hosts, holders=holders)


def explain(
    snapshot: Snapshot, vpc: str = "blue", observed: Observed = NOTHING_OBSERVED, told: Seen | None = None
) -> Router:
    found = snapshot.vpc(VpcId(vpc))
    assert found is not None
    told = told or seen(snapshot, vpc, ext="h1", corp="h2")
    return explain_router(snapshot, found, observed, told, None)


def routes(router: Router) -> dict[str, RouteEntry]:
    return {f"{entry.destination} {entry.key[1]}": entry for entry in router.routes}


def test_a_sound_vpc_has_no_problems_and_every_kind_of_route() -> None:
    router = explain(snapshot_of())
    assert router.problems == ()
    found = routes(router)
    assert all(entry.active for entry in found.values())
    assert found["10.0.1.0/24 web"].origin is Origin.CONNECTED
    assert found["10.0.1.0/24 web"].next_hops == ("subnets/web",)
    assert "203.0.113.10" in found["203.0.113.0/24 ext"].reason
    assert found["0.0.0.0/0 default"].next_hops == ("203.0.113.1",)
    assert found["::/0 default6"].next_hops == ("2001:db8:f::1",)
    assert found["172.20.0.0/16 office"].next_hops == ("172.16.0.9",)
    destinations = [entry.destination for entry in router.routes]
    assert destinations == [
        *sorted(d for d in destinations if ":" not in d and d == "0.0.0.0/0"),
        *destinations[1:],
    ]
    assert [":" in text for text in destinations] == sorted(":" in text for text in destinations)


def test_of_two_routes_the_one_with_the_higher_priority_is_used() -> None:
    better = route("better", "0.0.0.0/0", NextHop(ip_address="172.16.0.7"), priority=200)
    found = routes(explain(snapshot_of(better)))
    assert found["0.0.0.0/0 better"].active
    assert found["0.0.0.0/0 better"].reason == "the highest priority that works, of 2 routes"
    assert not found["0.0.0.0/0 default"].active
    assert found["0.0.0.0/0 default"].reason == "routes/better has the higher priority 200"


def test_a_dead_next_hop_is_named_and_the_other_route_wins() -> None:
    better = route("better", "0.0.0.0/0", NextHop(ip_address="172.16.0.7"), priority=200)
    observed = Observed(dead=frozenset({(BLUE_ID, "172.16.0.7")}))
    router = explain(snapshot_of(better), observed=observed)
    found = routes(router)
    assert found["0.0.0.0/0 default"].active
    assert found["0.0.0.0/0 better"].reason == "no next hop works: 172.16.0.7 does not work"
    assert router.problems == ("routes/better is not in use: no next hop works: 172.16.0.7 does not work",)


def test_a_next_hop_that_bfd_does_not_hear_is_told_so() -> None:
    better = replace(route("better", "0.0.0.0/0", NextHop(ip_address="172.16.0.7"), priority=200), bfd=Bfd())
    observed = Observed(unheard=frozenset({(BLUE_ID, "172.16.0.7")}))
    found = routes(explain(snapshot_of(better), observed=observed))
    assert found["0.0.0.0/0 default"].active
    assert not found["0.0.0.0/0 better"].active
    assert found["0.0.0.0/0 better"].reason == "no next hop works: BFD does not hear 172.16.0.7"


def test_one_dead_next_hop_of_two_is_told_beside_the_winner() -> None:
    both = route("both", "9.9.9.0/24", NextHop(ip_address="172.16.0.7"), NextHop(ip_address="172.16.0.8"))
    observed = Observed(dead=frozenset({(BLUE_ID, "172.16.0.8")}))
    found = routes(explain(snapshot_of(both), observed=observed))
    assert found["9.9.9.0/24 both"].active
    assert found["9.9.9.0/24 both"].reason == "the only route; 172.16.0.8 does not work"


@pytest.mark.parametrize(("gone", "version"), [("default", 4), ("default6", 6)])
def test_no_default_route_is_a_problem_of_each_ip_version(gone: str, version: int) -> None:
    (problem,) = explain(snapshot_of(without=[gone])).problems
    assert f"no default route for IPv{version}" in problem
    assert ("0.0.0.0/0" if version == 4 else "::/0") in problem


def test_a_network_that_is_routed_and_in_no_prefix_is_a_problem() -> None:
    snapshot = snapshot_of(inner("hidden", "spoke", 8, cidr="10.9.1.0/24"))
    (problem,) = explain(snapshot, "spoke").problems
    assert problem.startswith("10.9.1.0/24 of subnets/hidden is in no externally routable prefix")
    assert explain(snapshot_of(), "spoke").problems == ()


def test_a_gateway_host_that_could_be_chosen_and_is_not_is_a_problem() -> None:
    few = tuple(
        replace(one, gateways=one.gateways[:1], gateway_host_count=2) for one in BLUE.external_connections
    )
    alone = explain(snapshot_of(replace(BLUE, external_connections=few)))
    assert any("subnets/ext has 1 gateway host of 2" in text for text in alone.problems)
    by_hand = tuple(replace(one, gateway_hosts=one.gateways) for one in few)
    assert explain(snapshot_of(replace(BLUE, external_connections=by_hand))).problems == ()


def test_a_transit_vpc_has_the_prefixes_of_its_spokes() -> None:
    snapshot = snapshot_of()
    router = explain(snapshot, "hub", told=seen(snapshot, "hub", ext="h1"))
    spoke = routes(router)["10.9.0.0/24 spoke"]
    assert (spoke.origin, spoke.next_hops, spoke.active) == (Origin.SPOKE, ("198.51.100.10",), True)
    assert spoke.key == (Kind.VPC, "spoke")
    assert [(n.external_address, n.private_addresses) for n in router.nat] == [
        ("203.0.113.20", "198.51.100.0/24"),
        ("203.0.113.20", "10.9.0.0/24"),
    ]


def test_nat_and_where_it_happens() -> None:
    table = {(n.kind, n.private_addresses): n for n in explain(snapshot_of()).nat}
    floating = table["floating", "10.0.1.12"]
    assert (floating.external_address, floating.where) == ("203.0.113.77", "hosts/h2")
    assert floating.key == (Kind.FLOATING_IP, "fip")
    assert table["snat", "10.0.1.0/24"].external_address == "203.0.113.10"
    assert table["snat", "fd00:1::/64"].external_address == "2001:db8:f::10"
    assert table["snat", "10.0.2.0/24"].where == "gateway"
    assert len(table) == 4  # nothing is translated on corp


def test_a_floating_ip_of_a_host_without_the_uplink_is_at_the_gateway() -> None:
    router = explain(snapshot_of(bare(host("h2", number=2))))
    assert {n.where for n in router.nat if n.kind == "floating"} == {"gateway"}


def test_a_floating_ip_of_another_vpc_is_not_listed() -> None:
    elsewhere: Intent = replace(FLOATING, nic=NicId(""), vpc=VpcId("hub"), private_address="198.51.100.9")
    assert not [n for n in explain(snapshot_of(elsewhere)).nat if n.kind == "floating"]


def test_policies_come_the_highest_first_in_words() -> None:
    router = explain(snapshot_of())
    assert [entry.policy.id for entry in router.policies] == ["deny-ssh", "through-fw"]
    assert [entry.match for entry in router.policies] == [
        "tcp 10.0.1.0/24 -> 10.0.2.0/24 :22",
        "udp 10.0.1.0/24 <-> external",
    ]
    assert [entry.action for entry in router.policies] == ["deny", "reroute to 10.0.2.9 (else passthrough)"]
    assert all(entry.active for entry in router.policies)


def test_words_of_the_rarer_policies() -> None:
    ports = (PortRange(first=80, last=80), PortRange(first=8000, last=8010))
    rare = policy(
        "p",
        11,
        PolicyAction.PERMIT,
        protocol=Protocol.TCP,
        source=Endpoint(external=True),
        source_ports=ports,
    )
    assert describe_match(rare) == "tcp external :80,8000-8010 -> any"
    assert describe_match(
        policy("p", 11, PolicyAction.DENY, protocol=Protocol.NUMBER, protocol_number=47)
    ) == ("protocol 47 any -> any")
    two = replace(THROUGH_FW, service_ips=("10.0.2.9", "10.0.2.8"), fallback=Fallback.DROP)
    assert describe_action(two) == "reroute to 10.0.2.9, the way back to 10.0.2.8 (else drop)"


@pytest.mark.parametrize(
    ("fallback", "word"),
    [(Fallback.DROP, "dropped"), (Fallback.ALLOW, "permitted"), (Fallback.PASSTHROUGH, "not there")],
)
def test_a_dead_service_puts_the_fallback_in_force(fallback: Fallback, word: str) -> None:
    observed = Observed(dead=frozenset({(BLUE_ID, "10.0.2.9")}))
    router = explain(snapshot_of(replace(THROUGH_FW, fallback=fallback)), observed=observed)
    entry = router.policies[1]
    assert not entry.active
    assert "10.0.2.9 does not work" in entry.reason
    assert word in entry.reason
    assert [p for p in router.problems if "through-fw" in p]


def test_a_policy_that_northd_has_not_is_not_installed() -> None:
    snapshot = snapshot_of()
    router = explain_router(
        snapshot, BLUE, Observed(), seen(snapshot, ext="h1", corp="h2"), {DENY_SSH.meta.uid}
    )
    assert [(entry.active, entry.reason) for entry in router.policies] == [
        (True, ""),
        (False, "not installed yet"),
    ]


def test_the_preferred_gateway() -> None:
    ext, corp = explain(snapshot_of()).gateways
    assert (ext.active_host, ext.reason) == ("h1", "the most preferred")
    assert [(h.host, h.priority, h.alive) for h in ext.hosts] == [("h1", 100, True), ("h2", 99, True)]
    assert (corp.active_host, corp.reason) == ("h2", "the only host")


def test_the_second_gateway_and_why() -> None:
    snapshot = snapshot_of()
    down = TunnelReport(remote_ip="192.0.2.1", up=False, bfd=True, bfd_up=False)
    hosts = {H1: Heard(), H2: report(H2, down)}
    router = explain(snapshot, told=seen(snapshot, hosts=hosts, ext="h2", corp="h2"))
    ext = router.gateways[0]
    assert ext.active_host == "h2"
    assert ext.reason == "hosts/h1 is preferred, and no host hears it by BFD"
    assert [h.alive for h in ext.hosts] == [False, True]
    assert "gateway hosts/h1 of subnets/ext: no host hears it by BFD" in router.problems


def test_bfd_says_more_than_a_silent_agent() -> None:
    """Gateways fail over by BFD; an agent that is away says nothing about its host."""
    snapshot = snapshot_of()
    up = TunnelReport(remote_ip="192.0.2.1", up=True, bfd=True, bfd_up=True)
    hosts = {H1: Heard(), H2: report(H2, up)}
    ext = explain(snapshot, told=seen(snapshot, hosts=hosts, ext="h1", corp="h2")).gateways[0]
    assert ext.hosts[0].alive


@pytest.mark.parametrize(
    ("heard", "trouble"), [(Heard(), "agent is not connected"), (report(H2, ovn=False), "its ovn-controller")]
)
def test_without_bfd_the_hosts_own_word_counts(heard: Heard, trouble: str) -> None:
    snapshot = snapshot_of()
    hosts = {H1: report(H1), H2: heard}
    corp = explain(snapshot, told=seen(snapshot, hosts=hosts, ext="h1")).gateways[1]
    assert trouble in corp.hosts[0].trouble
    assert corp.reason == "none of the hosts is alive"


def test_no_gateway_is_a_problem_and_silence_of_the_southbound_is_told_apart() -> None:
    snapshot = snapshot_of()
    router = explain(snapshot, told=seen(snapshot, corp="h2"))
    assert "no gateway to subnets/ext: hosts/h1 has not taken it yet" in router.problems
    silent = explain(snapshot, told=Seen(hosts=ALL_WELL, problem="southbound database x: away"))
    assert silent.gateways[0].reason == "unknown: southbound database x: away"
    assert silent.problems == ("southbound database x: away",)


def test_a_spoke_needs_no_gateway() -> None:
    (only,) = explain(snapshot_of(), "spoke", told=Seen(hosts=ALL_WELL)).gateways
    assert (only.hosts, only.active_host) == ((), "")
    assert only.reason.startswith("needs none")


def test_both_the_spokes_and_the_hubs_route_to_one_prefix_is_a_problem() -> None:
    twin = route("twin", "10.9.0.0/24", via("ext"), vpc="hub")
    snapshot = snapshot_of(twin)
    router = explain(snapshot, "hub", told=seen(snapshot, "hub", ext="h1"))
    assert any("10.9.0.0/24 is routed to vpcs/spoke" in text for text in router.problems)


def test_uids_are_those_of_the_rows() -> None:
    (ext, _) = exits_of(snapshot_of(), BLUE)
    assert gateway_binding(ext) == f"cr-lrp-{uid_of('blue')}-{uid_of('ext')}"


def test_a_gateway_that_failed_and_is_back_stays_behind() -> None:
    snapshot = snapshot_of()
    fallen = Observed(fallen=(H1,))
    ext = explain(snapshot, observed=fallen, told=seen(snapshot, ext="h2", corp="h2")).gateways[0]
    assert [h.host for h in ext.hosts] == ["h2", "h1"]
    assert ext.reason == "hosts/h1 failed before and stays behind until the others fail"
    down = TunnelReport(remote_ip="192.0.2.1", up=False, bfd=True)
    hosts = {H1: Heard(), H2: report(H2, down)}
    ext = explain(snapshot, observed=fallen, told=seen(snapshot, hosts=hosts, ext="h2", corp="h2")).gateways[
        0
    ]
    assert ext.reason == "hosts/h1 is preferred, and no host hears it by BFD"
