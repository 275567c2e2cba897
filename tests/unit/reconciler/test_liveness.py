"""Liveness: what hosts report becomes what is observed: late enough not to flap, never by one silence alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netctl.compiler.compile import compile_rows
from netctl.compiler.observed import Observed
from netctl.loop import Wake
from netctl.model.intent import Intent
from netctl.model.keys import HostId, VpcId
from netctl.model.routing_policy import Fallback, PolicyAction
from netctl.model.status import HostReport, NicReport, TunnelReport
from netctl.nb.features import WANTED_COLUMNS, Features
from netctl.nb.rows import Rows
from netctl.reconciler.liveness import Delays, Liveness
from netctl.reconciler.reports import HostReports
from tests.intents import host, infra, snapshot, uid_of
from tests.vpcs import connection, external, guest, policy, route, routed, vpc

H1, H2, H3 = HostId("h1"), HostId("h2"), HostId("h3")
BLUE = VpcId("blue")
SERVICE, CONNECTION = (BLUE, "10.0.1.5"), (BLUE, "ext")
DELAYS = Delays()
WORLD: tuple[Intent, ...] = (
    *infra(),
    host("h3", number=3),
    vpc("blue", connection(gateways=("h1", "h2"))),
    external(),
    routed("web"),
    guest("g1", host="h1"),
    route(),
    policy("steer", PolicyAction.REROUTE, service_ips=("10.0.1.5",)),
)


class Desk:
    """Reports in, observations out; the test moves the clock."""

    def __init__(self, *intents: Intent) -> None:
        self.now = 100.0
        self.reports = HostReports()
        self.world = snapshot(intents or WORLD)
        self.wake = Wake()
        self.liveness = Liveness(self.reports.get, self.wake, clock=lambda: self.now)

    def say(self, name: HostId, *, plugged: bool = True, lost: tuple[str, ...] = ()) -> None:
        """A host reports its guest, and which of the others BFD has lost."""
        others = {"h1": "192.0.2.1", "h2": "192.0.2.2", "h3": "192.0.2.3"}
        tunnels = tuple(
            TunnelReport(remote_ip=ip, up=True, bfd=True, bfd_up=other not in lost)
            for other, ip in others.items()
            if other != name
        )
        nics = (
            NicReport(iface_id=uid_of("g1"), tap_present=plugged, plugged=plugged, ovn_installed=plugged),
        )
        report = HostReport(host=name, tunnels=tunnels, nics=nics if name == H1 else ())
        self.liveness.note_report(report, self.reports.put(report))

    def all_speak(self) -> None:
        for name in (H1, H2, H3):
            self.say(name)

    def leave(self, name: HostId) -> None:
        before = self.reports.get(name)
        self.reports.disconnect(name)
        self.liveness.note_report(None, before)

    def after(self, seconds: float, actual: Rows | None = None) -> Observed:
        self.now += seconds
        return self.liveness.look(self.world, None, actual)

    def rows(self, observed: Observed) -> Rows:
        """What a controller that saw this wrote."""
        return compile_rows(self.world, "owner", observed)

    def dead(self, seconds: float = 0.0) -> frozenset[tuple[VpcId, str]]:
        return self.after(seconds).dead

    def woken(self) -> bool:
        return self.wake.wait(0)


def test_what_works_is_not_dead() -> None:
    desk = Desk()
    desk.all_speak()
    assert desk.dead() == desk.dead(60) == frozenset()


def test_a_service_without_its_tap_dies_after_a_moment_and_comes_back_after_another() -> None:
    desk = Desk()
    desk.all_speak()
    desk.dead()
    desk.say(H1, plugged=False)
    assert desk.dead() == frozenset()
    assert desk.dead(DELAYS.dead_s - 0.1) == frozenset()
    assert desk.dead(0.2) == {SERVICE}
    desk.say(H1)
    assert desk.dead(DELAYS.alive_s - 0.1) == {SERVICE}, "counted from the first look"
    assert desk.dead(0.2) == {SERVICE}
    assert desk.dead(DELAYS.alive_s) == frozenset()


def test_a_tap_that_stumbles_moves_nothing() -> None:
    desk = Desk()
    desk.all_speak()
    desk.dead()
    for _ in range(10):
        desk.say(H1, plugged=False)
        assert desk.dead(DELAYS.dead_s / 2) == frozenset()
        desk.say(H1)
        assert desk.dead(DELAYS.dead_s / 2) == frozenset()


def test_what_was_never_seen_to_work_is_dead_at_once() -> None:
    desk = Desk()
    desk.say(H1, plugged=False)
    assert desk.dead() == {SERVICE}


@pytest.mark.parametrize("fallback", list(Fallback))
def test_after_a_restart_the_dead_stay_dead_until_their_hosts_speak(fallback: Fallback) -> None:
    steer = policy("steer", PolicyAction.REROUTE, service_ips=("10.0.1.5",), fallback=fallback)
    desk = Desk(*(steer if intent.id == "steer" else intent for intent in WORLD))
    rows = desk.rows(Observed(dead=frozenset({SERVICE})))
    assert desk.dead() == frozenset(), "no rows are known yet"
    assert desk.after(0.1, rows).dead == {SERVICE}
    desk.say(H2)
    assert desk.dead(0.1) == desk.dead(60) == {SERVICE}, "its host has not spoken"
    desk.say(H1)
    assert desk.dead(0.1) == frozenset(), "at once: nothing was said of it by this controller"


def test_after_a_restart_what_worked_works_until_its_host_speaks() -> None:
    desk = Desk()
    assert desk.after(0, desk.rows(Observed())).dead == frozenset()
    desk.say(H1, plugged=False)
    assert desk.dead(0.1) == {SERVICE}


def test_what_is_new_to_an_empty_database_is_not_dead() -> None:
    desk = Desk()
    assert desk.after(0, {}).dead == desk.after(0.1, desk.rows(Observed())).dead == frozenset()


def test_a_floating_nic_serves_nobody() -> None:
    desk = Desk(*(guest("g1", host="") if intent.id == "g1" else intent for intent in WORLD))
    desk.say(H2)
    assert desk.dead() == {SERVICE}


def test_a_silent_host_counts_late_while_others_hear_it() -> None:
    desk = Desk()
    desk.all_speak()
    desk.dead()
    desk.leave(H1)
    desk.dead()
    assert desk.dead(DELAYS.silence_s - 0.1) == frozenset()
    assert desk.dead(0.2) == {SERVICE}


def test_a_silent_host_that_nobody_hears_counts_soon() -> None:
    desk = Desk()
    desk.all_speak()
    desk.dead()
    desk.leave(H1)
    desk.say(H2, lost=("h1",))
    desk.say(H3, lost=("h1",))
    desk.dead()
    assert desk.dead(DELAYS.dead_s) == {SERVICE}


def test_when_all_are_silent_it_is_we_who_are_deaf() -> None:
    desk = Desk()
    desk.all_speak()
    desk.dead()
    for name in (H1, H2, H3):
        desk.leave(name)
    assert desk.dead() == desk.dead(1000) == frozenset()
    desk.say(H3)
    desk.dead()
    assert desk.dead(DELAYS.silence_s) == {SERVICE}


def test_a_connection_is_dead_when_all_of_its_gateways_are() -> None:
    desk = Desk()
    desk.all_speak()
    desk.dead()
    desk.leave(H1)
    desk.leave(H2)
    desk.say(H3, lost=("h1",))
    desk.dead()
    assert CONNECTION not in desk.dead(60), "h3 hears h2"
    desk.say(H3, lost=("h1", "h2"))
    desk.dead()
    assert CONNECTION in desk.dead(DELAYS.dead_s)
    desk.say(H2)
    desk.dead()
    assert CONNECTION not in desk.dead(DELAYS.alive_s)


def test_a_gateway_that_one_witness_hears_is_alive() -> None:
    alone = vpc("blue", connection(gateways=("h1",)))
    desk = Desk(*(alone if intent.id == "blue" else intent for intent in WORLD))
    desk.leave(H1)
    desk.say(H2, lost=("h1",))
    desk.say(H3)
    desk.dead()
    assert CONNECTION not in desk.dead(60)
    desk.say(H3, lost=("h1",))
    desk.dead()
    assert CONNECTION in desk.dead(60)


@pytest.mark.parametrize("connected", [True, False])
def test_a_gateway_whose_agent_speaks_is_alive_whatever_bfd_says(connected: bool) -> None:
    desk = Desk()
    desk.say(H1, lost=("h2", "h3"))
    desk.say(H3, lost=("h1", "h2"))
    if not connected:
        desk.leave(H1)
    desk.dead()
    assert (CONNECTION in desk.dead(60)) is not connected


def test_a_silent_gateway_that_nobody_watches_is_not_dead() -> None:
    desk = Desk()
    quiet = HostReport(host=H3)
    desk.reports.put(quiet)
    desk.dead()
    assert CONNECTION not in desk.dead(1000)


def test_a_next_hop_that_is_a_nic_is_watched_and_any_other_is_not() -> None:
    through = route("through", "192.168.0.0/16", "10.0.1.5", "203.0.100.77")
    desk = Desk(*(through if intent.id == "steer" else intent for intent in WORLD))
    desk.say(H1, plugged=False)
    assert desk.dead() == {SERVICE}


def test_it_asks_to_be_called_when_a_delay_is_over() -> None:
    desk = Desk()
    desk.all_speak()
    desk.dead()
    desk.woken()
    desk.say(H1, plugged=False)
    assert desk.woken(), "a watched NIC"
    desk.dead(0.5)
    started = desk.wake._within_s
    assert started == DELAYS.dead_s, "from when it was looked at first"


def test_reports_that_change_nothing_of_interest_wake_nobody() -> None:
    desk = Desk()
    desk.all_speak()
    desk.dead()
    desk.woken()
    desk.all_speak()
    assert not desk.woken()
    other = HostReport(
        host=H2, nics=(NicReport(iface_id="x", tap_present=True, plugged=True, ovn_installed=True),)
    )
    same_tunnels = desk.reports.get(H2).report
    assert same_tunnels is not None
    report = replace(other, tunnels=same_tunnels.tunnels)
    desk.liveness.note_report(report, desk.reports.put(report))
    assert not desk.woken()
    desk.leave(H2)
    assert desk.woken()
    desk.say(H2)
    assert desk.woken()


def test_a_gateway_that_failed_stays_behind() -> None:
    desk = Desk()
    desk.all_speak()
    assert desk.after(0).fallen == ()
    desk.say(H2, lost=("h1",))
    desk.say(H3, lost=("h1",))
    assert desk.after(1).fallen == (H1,)
    desk.all_speak()
    assert desk.after(60).fallen == (H1,)


@pytest.mark.parametrize(("northd", "safe"), [("23.03.1-20.27.0-70.6", False), ("26.03.1-1.2.3", True)])
def test_what_the_connected_ovn_can_is_observed_too(northd: str, safe: bool) -> None:
    desk = Desk()
    features = Features(schema_version="7.0.0", northd_version=northd, columns=WANTED_COLUMNS)
    seen = desk.liveness.look(desk.world, features)
    assert (seen.dhcpv6, seen.nat_gateway_port) == (safe, True)
    old = replace(features, columns={**WANTED_COLUMNS, "NAT": frozenset({"type"})})
    assert desk.liveness.look(desk.world, old).nat_gateway_port is False


def test_dhcpv6_that_the_operator_vouches_for_is_answered() -> None:
    desk = Desk()
    trusting = Liveness(desk.reports.get, desk.wake, trust_dhcpv6=True)
    features = Features(schema_version="7.0.0", northd_version="23.03.1-20.27.0-70.6", columns=WANTED_COLUMNS)
    assert trusting.look(desk.world, features).dhcpv6
    assert trusting.look(desk.world, None).dhcpv6, "unknown yet, and as admission sees it"
    assert not desk.liveness.look(desk.world, None).dhcpv6
