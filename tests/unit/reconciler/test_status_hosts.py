"""status of what is beside OVN, of virtual switches in rollout, of functions, chains and mirrors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from netctl.compiler.observed import Observed
from netctl.model.chain import FailureHandling, ForwardingMode, NetworkFunction, NicPair, ServiceChain
from netctl.model.infra import Rollout, VirtualSwitch
from netctl.model.intent import Intent
from netctl.model.keys import (
    HostId,
    Kind,
    NetworkFunctionId,
    NicId,
    ServiceChainId,
    SubnetId,
    TrafficMirrorId,
)
from netctl.model.mirror import MirrorSource, TrafficMirror
from netctl.model.nic import FunctionSide, Nic, NicKind
from netctl.model.status import (
    BondReport,
    BridgeReport,
    FunctionReport,
    HostReport,
    NicReport,
    PairReport,
    Phase,
    Status,
)
from netctl.model.subnet import SubnetKind
from netctl.reconciler.assignments import NEVER
from netctl.reconciler.reports import Heard
from netctl.reconciler.rollout import Turns
from netctl.reconciler.status import World, status_of
from tests.intents import infra, meta, nic, snapshot, switch, uid_of, vlan

PENDING, FAILED, PROGRAMMED = Phase.PENDING, Phase.FAILED, Phase.PROGRAMMED
H1, H2, H3 = HostId("h1"), HostId("h2"), HostId("h3")
BASIC_VLAN = replace(vlan(), kind=SubnetKind.VLAN_BASIC)
BASIC = replace(nic(), basic=True)
SEEN = NicReport(iface_id=uid_of("n1"), tap_present=True, plugged=True, ovn_installed=False)


def said(host: HostId, *nics: NicReport, up: bool = True, **more: Any) -> HostReport:
    bridges = (BridgeReport(bridge="br0", physnet="physnet-vs0", up=up),)
    return HostReport(host=host, assignment_revision=9, nb_cfg=7, nics=nics, bridges=bridges, **more)


def world(*reports: HostReport, away: Sequence[str] = (), **change: Any) -> World:
    heard = {
        report.host: Heard(report, report.host not in away, {one.iface_id: one for one in report.nics})
        for report in reports
    }
    base = World(
        northbound_revision=9,
        required_cfg=lambda revision: 7,
        sb_cfg=7,
        heard=lambda host: heard.get(host, Heard(None, False)),
        told=lambda host, nic: 9,
    )
    return replace(base, **change)


def status(of: World, key: tuple[Kind, str], *intents: Intent) -> Status:
    found = status_of(key, snapshot([*infra(), *intents]), of)
    assert found is not None
    assert found.message or found.phase is PROGRAMMED
    return found


def bare(name: str, kind: NicKind, number: int = 9, host: str = "h1") -> Nic:
    side = FunctionSide.INGRESS if kind is NicKind.NETWORK_FUNCTION else FunctionSide.NONE
    found = nic(name, number=number, host=host)
    return replace(found, subnet=SubnetId(""), ipv4_address="", kind=kind, function_side=side)


@pytest.mark.parametrize(
    ("of", "guest", "expected"),
    [
        (world(said(H1, SEEN)), BASIC, (PROGRAMMED, "")),
        (world(said(H1, SEEN), northbound_revision=0), BASIC, (PROGRAMMED, "")),
        (world(said(H1, replace(SEEN, plugged=False))), BASIC, (PENDING, "WAITING_FOR_AGENT")),
        (world(said(H1, SEEN), told=lambda host, nic: 10), BASIC, (PENDING, "WAITING_FOR_AGENT")),
        (world(said(H1, SEEN), told=lambda host, nic: NEVER), BASIC, (PENDING, "WAITING_FOR_AGENT")),
        (world(said(H1)), BASIC, (PENDING, "WAITING_FOR_AGENT")),
        (world(said(H1, replace(SEEN, tap_present=False))), BASIC, (FAILED, "TAP_MISSING")),
        (world(said(H1, SEEN), away=["h1"]), BASIC, (FAILED, "HOST_DOWN")),
        (world(said(H1, SEEN)), replace(BASIC, connected=False), (PROGRAMMED, "DISCONNECTED")),
        (world(said(H1, SEEN)), replace(BASIC, host=HostId("")), (PENDING, "NOT_ATTACHED")),
        (
            world(said(H1, replace(SEEN, ovn_installed=True)), told=lambda host, nic: NEVER),
            nic(),
            (PENDING, "WAITING_FOR_NORTHD"),
        ),
        (
            world(said(H1, replace(SEEN, ovn_installed=True)), told=lambda host, nic: 10),
            nic(),
            (PROGRAMMED, ""),
        ),
        (world(said(H1, SEEN)), bare("n1", NicKind.NETWORK_FUNCTION), (PROGRAMMED, "")),
        (world(said(H1, SEEN)), bare("n1", NicKind.SPAN_DESTINATION), (PENDING, "NOT_MIRRORED")),
    ],
)
def test_a_nic_beside_ovn_is_where_its_agent_says(of: World, guest: Nic, expected: tuple[Phase, str]) -> None:
    found = status(of, (Kind.NIC, "n1"), BASIC_VLAN, guest)
    assert (found.phase, found.reason) == expected


def test_what_keeps_an_agent_from_plugging_is_told() -> None:
    of = world(said(H1, replace(SEEN, plugged=False), problems=("br0 is missing",)))
    assert "br0 is missing" in status(of, (Kind.NIC, "n1"), BASIC_VLAN, BASIC).message


def of_switch(turns: Turns, *reports: HostReport, given: VirtualSwitch | None = None) -> Status:
    reports = reports or (said(H1), said(H2))
    of = world(*reports, turns=lambda snapshot, id: turns)
    return status(of, (Kind.VIRTUAL_SWITCH, "vs0"), given or switch())


def test_a_switch_says_whose_turn_it_is_and_who_waits() -> None:
    turns = Turns(turn=H1, pending=(H1, H2, H3), held=frozenset({H2, H3}), away=(H3,))
    found = of_switch(turns)
    assert (found.phase, found.reason) == (PENDING, "ROLLING_OUT")
    assert found.message == "br0 of host h1 changes now; then h2; h3 when connected"
    last = of_switch(Turns(turn=H2, pending=(H2,)))
    assert last.message == "br0 of host h2 changes now"
    quick = of_switch(Turns(pending=(H1, H2)), given=replace(switch(), rollout=Rollout.QUICK))
    assert (quick.reason, quick.message) == ("ROLLING_OUT", "h1, h2 have not confirmed the change of br0 yet")
    blocked = of_switch(Turns(pending=(H2,), held=frozenset({H2}), blocked=(H1,)))
    assert (blocked.phase, blocked.reason) == (PENDING, "ROLLOUT_WAITS")
    assert "host h1 has the change and does not work" in blocked.message
    away = of_switch(Turns(pending=(H3,), held=frozenset({H3}), away=(H3,)), said(H1), said(H2))
    assert (away.phase, away.reason) == (PENDING, "WAITING_FOR_HOSTS")
    assert of_switch(Turns()).phase is PROGRAMMED


def test_a_host_that_undid_a_change_fails_the_switch_and_itself() -> None:
    turns = Turns(pending=(H1, H2), held=frozenset({H1, H2}), rolled_back=(H1,))
    found = of_switch(turns)
    assert (found.phase, found.reason) == (FAILED, "ROLLED_BACK")
    assert "host h1 did not reach the controller" in found.message
    assert "1 other host(s) wait: h2" in found.message
    of = world(said(H1), said(H2), turns=lambda snapshot, id: turns)
    assert status(of, (Kind.HOST, "h1")).reason == "ROLLED_BACK"
    waiting = status(of, (Kind.HOST, "h2"))
    assert (waiting.phase, waiting.reason) == (PENDING, "WAITING_FOR_TURN")


def test_lacp_that_the_other_side_does_not_speak_is_a_warning() -> None:
    bond = BondReport(
        bond="br0-up", active_interface="eth1", up_interfaces=("eth1",), lacp_status="configured"
    )
    found = of_switch(Turns(), said(H1, bonds=(bond,)), said(H2))
    assert (found.phase, found.reason) == (PROGRAMMED, "LACP_NOT_NEGOTIATED")
    assert "h1" in found.message
    spoken = replace(bond, lacp_status="negotiated")
    assert of_switch(Turns(), said(H1, bonds=(spoken,)), said(H2)).reason == ""


FW = NetworkFunctionId("fw")
SIDES = [
    bare(f"{side}{number}", NicKind.NETWORK_FUNCTION, 20 + 2 * number + i, host=f"h{number}")
    for number in (1, 2)
    for i, side in enumerate(("in", "out"))
]


def function(hosts: Sequence[int], handling: FailureHandling = FailureHandling.FAIL_OPEN) -> NetworkFunction:
    pairs = tuple(NicPair(ingress_nic=NicId(f"in{i}"), egress_nic=NicId(f"out{i}")) for i in hosts)
    return NetworkFunction(
        id=FW, meta=meta("fw"), mode=ForwardingMode.INLINE, failure_handling=handling, nic_pairs=pairs
    )


CHAIN = ServiceChain(id=ServiceChainId("c"), meta=meta("c"), functions=(FW,))
CHAINED = replace(vlan(), service_chain=CHAIN.id)
GUESTS = (nic(), nic("n2", number=6, host="h2"))


def tells(host: HostId, works: bool = True, **more: Any) -> HostReport:
    pair = PairReport(ingress_tap="tap1", healthy=works, reason="" if works else "probes lost", **more)
    active = "tap1" if works else ""
    return said(host, functions=(FunctionReport(function_id="fw", active_ingress_tap=active, pairs=(pair,)),))


@pytest.mark.parametrize("key", [(Kind.NETWORK_FUNCTION, "fw"), (Kind.SERVICE_CHAIN, "c")])
@pytest.mark.parametrize(
    ("reports", "hosts", "expected", "text"),
    [
        ((tells(H1), tells(H2)), (1, 2), (PROGRAMMED, ""), ""),
        ((tells(H1), tells(H2, False)), (1, 2), (FAILED, "NOT_WORKING"), "no pair works on h2 (probes lost)"),
        ((tells(H1), tells(H2)), (1,), (FAILED, "NOT_WORKING"), "no enabled pair of NICs is on h2"),
        ((tells(H1), said(H2)), (1, 2), (PENDING, "WAITING_FOR_AGENT"), "h2"),
        ((tells(H1), tells(H2, False, undecided=True)), (1, 2), (PENDING, "WAITING_FOR_AGENT"), "h2"),
    ],
)
def test_a_function_works_where_packets_pass_it(
    key: tuple[Kind, str],
    reports: tuple[HostReport, ...],
    hosts: tuple[int, ...],
    expected: tuple[Phase, str],
    text: str,
) -> None:
    found = status(world(*reports), key, CHAINED, *GUESTS, *SIDES, CHAIN, function(hosts))
    assert (found.phase, found.reason) == expected
    assert text in found.message


def test_a_chain_without_copies_is_passed_all_the_same() -> None:
    copies = replace(
        function((1,)),
        mode=ForwardingMode.TAP,
        failure_handling=FailureHandling.NONE,
        nic_pairs=(NicPair(ingress_nic=NicId("in1")),),
    )
    found = status(
        world(tells(H1), tells(H2)), (Kind.SERVICE_CHAIN, "c"), CHAINED, *GUESTS, *SIDES, CHAIN, copies
    )
    assert (found.phase, found.reason) == (PROGRAMMED, "COPIES_MISSING")
    assert "nothing gets copies" in found.message


def test_what_becomes_of_packets_is_told() -> None:
    key, of = (Kind.NETWORK_FUNCTION, "fw"), world(tells(H1, False), tells(H2))
    open_, close = (
        status(of, key, CHAINED, *GUESTS, *SIDES, CHAIN, function((1, 2), handling)).message
        for handling in (FailureHandling.FAIL_OPEN, FailureHandling.FAIL_CLOSE)
    )
    assert "go on without it" in open_
    assert "dropped" in close


def test_what_nothing_passes_is_not_used() -> None:
    for key in ((Kind.NETWORK_FUNCTION, "fw"), (Kind.SERVICE_CHAIN, "c")):
        found = status(world(said(H1)), key, vlan(), *GUESTS, *SIDES, CHAIN, function((1,)))
        assert (found.phase, found.reason) == (PENDING, "NOT_USED")
    without_guests = status(
        world(said(H1)), (Kind.NETWORK_FUNCTION, "fw"), CHAINED, *SIDES, CHAIN, function((1,))
    )
    assert without_guests.reason == "NOT_USED"
    native = world(said(H1), observed=Observed(network_functions=True))
    found = status(native, (Kind.NETWORK_FUNCTION, "fw"), CHAINED, *GUESTS, *SIDES, CHAIN, function((1,)))
    assert found.phase is PROGRAMMED


SPAN = bare("span", NicKind.SPAN_DESTINATION)
COPIED = NicReport(iface_id=uid_of("span"), tap_present=True, plugged=True, ovn_installed=False)


def mirror(*sources: str, **more: Any) -> TrafficMirror:
    return TrafficMirror(
        id=TrafficMirrorId("m1"),
        meta=meta("m1"),
        host=H1,
        sources=tuple(MirrorSource(nic=NicId(name)) for name in sources),
        destinations=(NicId("span"),),
        **more,
    )


@pytest.mark.parametrize(
    ("copies", "seen", "expected"),
    [
        (mirror("n1"), COPIED, (PROGRAMMED, "")),
        (mirror("n1", "n2"), COPIED, (PROGRAMMED, "SOURCE_ELSEWHERE")),
        (mirror("n2"), COPIED, (PENDING, "NO_SOURCE")),
        (mirror("n1", disabled=True), COPIED, (PROGRAMMED, "DISABLED")),
        (mirror("n1"), replace(COPIED, tap_present=False), (FAILED, "TAP_MISSING")),
        (mirror("n1"), replace(COPIED, plugged=False), (PENDING, "WAITING_FOR_AGENT")),
    ],
)
def test_a_mirror_copies_when_its_destination_is_plugged(
    copies: TrafficMirror, seen: NicReport, expected: tuple[Phase, str]
) -> None:
    found = status(world(said(H1, seen)), (Kind.TRAFFIC_MIRROR, "m1"), vlan(), *GUESTS, SPAN, copies)
    assert (found.phase, found.reason) == expected
