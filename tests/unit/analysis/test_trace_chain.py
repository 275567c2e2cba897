"""A trace tells which chain a packet passes, on which host, and by which functions in which order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.analysis.probe import Probe
from netctl.analysis.trace_chain import with_chains
from netctl.analysis.trace_walk import Step, Walk, World
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.chain import FailureHandling
from netctl.model.intent import Intent
from netctl.model.keys import Key, Kind, NicId
from netctl.model.nic import Nic
from netctl.model.routing_policy import Endpoint, PolicyAction
from netctl.model.security_policy import Direction
from netctl.model.snapshot import Snapshot
from tests import vpcs
from tests.chained import chain, firewall, function, function_nics, pair, with_chain
from tests.intents import infra, snapshot
from tests.security import category, policy, rule, secured_nic, secured_vlan

V10: Key = (Kind.SUBNET, "v10")
WEB, APP = secured_nic("web1", "web", number=5), secured_nic("app1", "app", number=7, host="h2")


def world(*more: Intent) -> Snapshot:
    both: tuple[Intent, ...] = (
        function("fw", pair("fw"), pair("fw2")),
        function("ids", pair("ids"), pair("ids2")),
        chain("both", "fw", "ids"),
        *(
            side
            for at, name in enumerate(("fw2", "ids2"))
            for side in function_nics(name, host="h2", number=210 + 4 * at)
        ),
        *function_nics("ids", number=220),
    )
    return snapshot([*infra(), *firewall(*both), category("web"), category("app"), WEB, APP, *more])


def told(
    made: Snapshot, *, protocol: str = "tcp", port: int = 443, observed: Observed = NOTHING_OBSERVED
) -> list[tuple[str, str]]:
    """Trace from web1 on h1 to app1 on h2; return what chains say."""
    ports = {"source_port": 40_000, "destination_port": port} if protocol != "icmp" else {}
    probe = packet(WEB.ipv4_address, APP.ipv4_address, protocol, **ports)
    walk = Walk(World(snapshot=made, observed=observed, holders={}), "h2", probe.source, probe.destination)
    walk.steps = [
        Step(kind="nic", text="", key=(Kind.NIC, "web1"), host="h1"),
        Step(kind="uplink", text="by VLAN 10", key=V10, host="h1"),
        Step(kind="subnet", text="", key=V10, host="h2"),
    ]
    walk.arrived = "app1"
    steps = with_chains(walk, nic_of(made, "web1"), probe)
    assert [step.kind for step in steps if step.kind != "chain"] == ["nic", "uplink", "subnet"]
    return [(step.host, step.text) for step in steps if step.kind == "chain"]


def packet(source: str, destination: str, protocol: str, **ports: int) -> Probe:
    return Probe(
        inport="", mac="", next_mac="", source=source, destination=destination, protocol=protocol, **ports
    )


def nic_of(made: Snapshot, id: str) -> Nic:
    found = made.nic(NicId(id))
    assert found is not None
    return found


def test_a_subnets_chain_is_passed_on_both_hosts_the_other_way_round_on_the_second() -> None:
    assert told(world(with_chain(secured_vlan(), "both"))) == [
        ("h1", "passes serviceChains/both: fw, ids"),
        ("h2", "passes serviceChains/both: ids, fw"),
    ]
    assert told(world(secured_vlan())) == []
    native = snapshot(
        [
            *infra(),
            *firewall(function("fw", pair("fw"), pair("fw2")), *function_nics("fw2", host="h2", number=210)),
            category("web"),
            category("app"),
            WEB,
            APP,
            with_chain(secured_vlan()),
        ]
    )
    assert len(told(native)) == 2
    assert told(native, observed=Observed(network_functions=True)) == [], "OVN's own, which OVN's trace tells"


@pytest.mark.parametrize(
    ("fields", "protocol", "port", "hosts"),
    [
        ({"services": ("tcp/443",)}, "tcp", 443, ["h2"]),
        ({"services": ("tcp/443",)}, "tcp", 444, []),
        ({"services": ("tcp/443",)}, "udp", 443, []),
        ({"services": ("icmp/8",)}, "icmp", 0, ["h2"]),
        ({"services": ("tcp/443",), "ip_version": 6}, "tcp", 443, []),
        ({"services": ("tcp/40000",)}, "tcp", 443, []),
        ({"direction": Direction.OUT}, "tcp", 443, ["h2"]),
    ],
    ids=["named", "port", "protocol", "ping", "version", "not who asks", "read the other way"],
)
def test_a_rules_chain_is_passed_where_the_rule_is_applied(
    fields: dict[str, Any], protocol: str, port: int, hosts: list[str]
) -> None:
    shop = policy("shop", "app", rules=(with_chain(rule("r1", "web", **fields)),))
    said = told(world(secured_vlan(), shop), protocol=protocol, port=port)
    assert [host for host, _ in said] == hosts


def test_a_routed_packet_is_its_routers() -> None:
    blue = vpcs.vpc("blue", vpcs.connection(gateways=("h1",)))
    deep = with_chain(vpcs.policy("deep", PolicyAction.PERMIT, destination=Endpoint(external=True)))
    guest = vpcs.guest("g1")
    made = world(vpcs.external(nat=False), blue, vpcs.routed(), guest, deep)
    probe = packet(guest.ipv4_address, "198.51.100.1", "udp", source_port=40_000, destination_port=53)
    for source, passes in ((guest.ipv4_address, True), ("203.0.100.10", False)):
        walk = Walk(
            World(snapshot=made, observed=NOTHING_OBSERVED, holders={}), "h1", source, probe.destination
        )
        key: Key = (Kind.SUBNET, "ext")
        walk.steps = [Step(kind="uplink", text="", key=key, host="h1")]
        kinds = [step.kind for step in with_chains(walk, guest, replace(probe, source=source))]
        assert kinds == (["chain", "uplink"] if passes else ["uplink"]), source


@pytest.mark.parametrize(
    ("handling", "host", "verdict", "last"),
    [
        (FailureHandling.FAIL_CLOSE, "h1", "dropped", ("drop", "h1")),
        (FailureHandling.FAIL_CLOSE, "h2", "dropped", ("drop", "h2")),
        (FailureHandling.FAIL_OPEN, "h2", "delivered", ("nic", "h2")),
        (FailureHandling.FAIL_CLOSE, "h3", "delivered", ("nic", "h2")),
    ],
)
def test_a_function_that_does_not_work_drops_unless_it_fails_open(
    handling: FailureHandling, host: str, verdict: str, last: tuple[str, str]
) -> None:
    made = world(
        function("fw", pair("fw"), pair("fw2"), failure_handling=handling), with_chain(secured_vlan(), "both")
    )
    probe = packet(WEB.ipv4_address, APP.ipv4_address, "tcp", source_port=40_000, destination_port=443)
    heard = World(
        snapshot=made,
        observed=NOTHING_OBSERVED,
        holders={},
        stopped=lambda where, function: (where, function) == (host, "fw"),
    )
    walk = Walk(heard, "h2", probe.source, probe.destination, verdict="delivered", arrived="app1")
    walk.steps = [
        Step(kind="uplink", text="by VLAN 10", key=V10, host="h1"),
        Step(kind="nic", text="", key=(Kind.NIC, "app1"), host="h2"),
    ]
    steps = with_chains(walk, nic_of(made, "web1"), probe)
    assert (walk.verdict, (steps[-1].kind, steps[-1].host)) == (verdict, last)
    said = [step.text for step in steps if step.kind == "chain" and step.host == host]
    assert all("fw (does not work)" in text for text in said)
    assert "FAIL_CLOSE" in walk.reason or verdict == "delivered"


def test_a_function_without_a_pair_on_a_host_does_not_work_there() -> None:
    made = world(function("fw", pair("fw")), with_chain(secured_vlan(), "both"))
    probe = packet(WEB.ipv4_address, APP.ipv4_address, "icmp")
    walk = Walk(
        World(snapshot=made, observed=NOTHING_OBSERVED, holders={}), "h2", probe.source, probe.destination
    )
    walk.steps = [Step(kind="uplink", text="", key=V10, host="h1"), Step(kind="nic", text="", host="h2")]
    walk.arrived = "app1"
    with_chains(walk, nic_of(made, "web1"), probe)
    assert walk.reason == "networkFunctions/fw does not work on hosts/h2, and is FAIL_CLOSE"
