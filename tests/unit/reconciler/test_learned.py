"""Learned addresses: who may hold one, for how long, and that reports wake the pass, at a pace."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from netctl.compiler.compile import compile_rows
from netctl.compiler.observed import Observed
from netctl.loop import Wake, wait_until
from netctl.model.intent import Intent
from netctl.model.keys import HostId, SubnetId
from netctl.model.nic import Nic, NicMode, TrunkVlan
from netctl.model.status import HostReport, NicReport
from netctl.nb.rows import Rows
from netctl.reconciler.learned import LEARNED_MAX, Learned, PacedWake, Patience
from netctl.reconciler.reports import HostReports
from tests.intents import host, infra, nic, overlay, snapshot, uid_of, vlan

H1, H2 = HostId("h1"), HostId("h2")
PATIENCE = Patience()
A, B = str(uid_of("a")), str(uid_of("b"))
WORLD: tuple[Intent, ...] = (
    *infra(),
    vlan("v10"),
    overlay("o1"),
    replace(nic("a", "v10", number=5), port_security=False),
    nic("b", "o1", number=6),
    nic("c", "o1", number=7, host="h2"),
)


class Desk:
    """Reports in, learned addresses out; the test moves the clock."""

    def __init__(self, *intents: Intent, actual: Rows | None = None) -> None:
        self.now = 100.0
        self.reports = HostReports()
        self.world = snapshot(intents or WORLD)
        self.wake = Wake()
        self.actual: Rows | None = actual
        self.learned = Learned(self.reports.get, self.wake, clock=lambda: self.now)

    def say(self, host: HostId, **learned: tuple[str, ...]) -> None:
        """A host reports what its guests use, by the name of the NIC; `10/…` is an address of VLAN 10."""
        nics = tuple(
            NicReport(
                iface_id=uid_of(name),
                tap_present=True,
                plugged=True,
                ovn_installed=True,
                learned_addresses=tuple(_learned(text) for text in addresses),
            )
            for name, addresses in learned.items()
        )
        report = HostReport(host=host, nics=nics)
        self.learned.note_report(report, self.reports.put(report))

    def leave(self, host: HostId) -> None:
        before = self.reports.get(host)
        self.reports.disconnect(host)
        self.learned.note_report(None, before)

    def become(self, *intents: Intent) -> None:
        self.world = snapshot(intents)

    def after(self, seconds: float = 0.0) -> dict[str, tuple[str, ...]]:
        self.now += seconds
        return dict(self.learned.look(self.world, self.actual))


def _learned(text: str) -> tuple[int, str]:
    vlan_id, slash, address = text.partition("/")
    return (int(vlan_id), address) if slash else (0, text)


def test_what_a_guest_uses_is_its_ports() -> None:
    desk = Desk()
    desk.say(H1, a=("10.0.10.77", "2001:db8::7"), b=("192.168.7.1",))
    assert desk.after() == {A: ("10.0.10.77", "2001:db8::7"), B: ("192.168.7.1",)}


def test_addresses_are_in_the_order_of_their_numbers() -> None:
    desk = Desk()
    desk.say(H1, b=("192.168.7.10", "192.168.7.9", "fe80::1"))
    assert desk.after() == {B: ("192.168.7.9", "192.168.7.10", "fe80::1")}


@pytest.mark.parametrize(
    "address",
    [
        "10.0.10.5",  # its own, given
        "10.0.10.1",  # the gateway
        "10.0.10.254",  # the DHCP server
        "10.0.11.9",  # outside the subnet
        "10.0.10.0",
        "10.0.10.255",
        "224.0.0.9",
        "169.254.3.4",
        "127.0.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "::1",
        "::",
        "ff02::1",
        "::ffff:10.0.10.9",
        "nonsense",
        "fe80::526b:8dff:fe00:6",  # made from the MAC address of b
        "fe80::526b:8dff:feff:ff01",  # of the DHCP server
    ],
)
def test_what_is_somebody_elses_or_nobodys_is_refused(address: str) -> None:
    desk = Desk()
    desk.say(H1, a=(address, "10.0.10.9"))
    assert desk.after() == {A: ("10.0.10.9",)}


@pytest.mark.parametrize("address", ["fe80::526b:8dff:fe00:5", "fe80::1:2:3:4", "2001:db8::9", "10.0.10.6"])
def test_what_nobody_else_has_is_learned(address: str) -> None:
    desk = Desk()
    desk.say(H1, a=(address,))
    assert desk.after() == {A: (address,)}


def test_the_link_local_address_of_a_nic_with_ipv6_is_given_with_it() -> None:
    plain = WORLD[-3]
    assert isinstance(plain, Nic)
    six = replace(plain, ipv6_address="fd00:10::5")
    desk = Desk()
    desk.say(H1, a=("fe80::526b:8dff:fe00:5", "fe80::7"))
    assert desk.after() == {A: ("fe80::7", "fe80::526b:8dff:fe00:5")}
    desk.become(*WORLD[:-3], six, *WORLD[-2:])
    assert desk.after() == {A: ("fe80::7",)}


def test_an_address_that_another_nic_is_given_later_is_lost_at_once() -> None:
    desk = Desk()
    desk.say(H1, a=("10.0.10.9", "10.0.10.10"))
    assert desk.after() == {A: ("10.0.10.9", "10.0.10.10")}
    desk.become(*WORLD, nic("d", "v10", number=9))
    assert desk.after() == {A: ("10.0.10.10",)}


def test_the_first_nic_keeps_it_until_it_stops_reporting_it() -> None:
    desk = Desk()
    desk.say(H1, b=("192.168.7.1",))
    desk.after()
    desk.say(H2, c=("192.168.7.1", "192.168.7.2"))
    assert desk.after(3600) == {B: ("192.168.7.1",), uid_of("c"): ("192.168.7.2",)}
    desk.say(H1, b=())
    assert desk.after() == {uid_of("c"): ("192.168.7.1", "192.168.7.2")}


def test_the_same_address_on_two_subnets_is_two() -> None:
    desk = Desk()
    desk.say(H1, a=("10.0.10.9",), b=("10.0.10.9",))
    assert desk.after() == {A: ("10.0.10.9",), B: ("10.0.10.9",)}


def test_an_address_that_is_reported_no_more_stays_for_a_while() -> None:
    desk = Desk()
    desk.say(H1, b=("192.168.7.1",))
    desk.after()
    desk.say(H1, b=())
    assert desk.after(PATIENCE.forget_s - 1) == {B: ("192.168.7.1",)}, "counted from the first look"
    assert desk.after(PATIENCE.forget_s - 1) == {B: ("192.168.7.1",)}
    assert desk.after(2) == {}


def test_an_agent_that_restarts_loses_nothing() -> None:
    desk = Desk()
    desk.say(H1, b=("192.168.7.1",))
    desk.after()
    desk.leave(H1)
    assert desk.after(PATIENCE.silence_s - 1) == {B: ("192.168.7.1",)}
    desk.say(H1, b=())
    assert desk.after(PATIENCE.forget_s - 1) == {B: ("192.168.7.1",)}
    desk.say(H1, b=("192.168.7.1",))
    assert desk.after(3600) == {B: ("192.168.7.1",)}


def test_a_host_that_stays_silent_keeps_it_ten_minutes_and_yields_it_sooner() -> None:
    for other, patience in (((), PATIENCE.silence_s), (("192.168.7.1",), PATIENCE.yield_s)):
        desk = Desk()
        desk.say(H1, b=("192.168.7.1",))
        desk.say(H2, c=other)
        assert desk.after() == {B: ("192.168.7.1",)}
        desk.leave(H1)
        desk.after()
        assert desk.after(patience - 1) == {B: ("192.168.7.1",)}
        assert desk.after(2) == ({uid_of("c"): other} if other else {})


def test_a_nic_that_is_gone_is_forgotten_at_once_and_so_is_one_that_has_its_name_again() -> None:
    desk = Desk()
    desk.say(H1, b=("192.168.7.1",))
    desk.after()
    other = nic("b", "o1", number=6)
    desk.become(*WORLD[:-2], replace(other, meta=replace(other.meta, uid=uid_of("b again"))))
    assert desk.after() == {}


def test_a_nic_that_moves_keeps_it_while_its_new_host_has_not_seen_it() -> None:
    desk = Desk()
    desk.say(H1, b=("192.168.7.1",))
    desk.say(H2, c=())
    desk.after()
    desk.become(*WORLD[:-2], nic("b", "o1", number=6, host="h2"))
    desk.say(H1)
    assert desk.after() == desk.after(PATIENCE.forget_s - 1) == {B: ("192.168.7.1",)}
    desk.say(H2, b=("192.168.7.1",))
    assert desk.after(3600) == {B: ("192.168.7.1",)}


def test_a_report_of_a_host_that_the_nic_is_not_on_says_nothing() -> None:
    desk = Desk()
    desk.say(H2, b=("192.168.7.1",), c=("192.168.7.2",))
    assert desk.after() == {uid_of("c"): ("192.168.7.2",)}


def test_vlans_of_a_trunk_are_ports_of_their_own() -> None:
    trunk = replace(
        nic("t", "o1", number=8),
        mode=NicMode.TRUNK,
        port_security=False,
        trunk_vlans=(TrunkVlan(vlan_id=10, subnet=SubnetId("v10")),),
    )
    desk = Desk(*infra(), vlan("v10"), overlay("o1"), trunk)
    desk.say(H1, t=("192.168.7.1", "10/10.0.10.9", "10/192.168.7.1", "11/10.0.10.8"))
    assert desk.after() == {uid_of("t"): ("192.168.7.1",), f"{uid_of('t')}-10": ("10.0.10.9",)}


def test_a_port_has_so_many_at_most_and_new_ones_drive_out_those_of_before() -> None:
    desk = Desk()
    old = tuple(f"192.168.7.{number}" for number in range(1, 30))
    desk.say(H1, b=old)
    assert desk.after() == {B: old[:LEARNED_MAX]}
    new = tuple(f"192.168.8.{number}" for number in range(1, LEARNED_MAX + 1))
    desk.say(H1, b=new)
    assert desk.after() == {B: new}


def test_the_answer_is_the_same_value_while_nothing_changes() -> None:
    desk = Desk()
    desk.say(H1, b=("192.168.7.1",))
    first = desk.learned.look(desk.world, None)
    desk.say(H1, b=("192.168.7.1",))
    desk.become(*WORLD)
    desk.now += 5
    assert desk.learned.look(desk.world, None) is first


def test_a_restarted_controller_knows_what_was_learned_before_the_hosts_speak() -> None:
    world = snapshot(WORLD)
    learned = {A: ("10.0.10.77", "2001:db8::7"), B: ("192.168.7.1",)}
    desk = Desk(actual=compile_rows(world, "owner", Observed(learned=learned)))
    assert desk.after() == learned
    desk.say(H1, a=("10.0.10.77",), b=("192.168.7.1",))
    assert desk.after() == learned, "a moment for the agent to learn again"
    assert desk.after(PATIENCE.forget_s + 1) == {A: ("10.0.10.77",), B: ("192.168.7.1",)}


def test_rows_are_recalled_once() -> None:
    rows = compile_rows(snapshot(WORLD), "owner", Observed(learned={B: ("192.168.7.1",)}))
    desk = Desk()
    assert desk.after() == {}
    desk.actual = {}
    assert desk.after() == {}
    desk.actual = rows
    assert desk.after() == {}


def test_only_news_wake_the_pass() -> None:
    desk = Desk()
    desk.say(H1, b=("192.168.7.1",))
    assert desk.wake.wait(0)
    desk.now += 5
    desk.say(H1, b=("192.168.7.1",))
    assert not desk.wake.wait(0)
    desk.say(H1, b=("192.168.7.2",))
    assert desk.wake.wait(0)


def test_reports_wake_at_a_pace_and_the_last_one_counts() -> None:
    wake = Wake()
    paced = PacedWake(wake, time.monotonic, pace_s=0.2)
    paced()
    assert wake.wait(0), "the first at once"
    begun = time.monotonic()
    for _ in range(100):
        paced()
    assert not wake.wait(0)
    wait_until(lambda: wake.wait(0), timeout_s=5, what="the last wake is passed on")
    assert time.monotonic() - begun >= 0.15
    assert not wake.wait(0.3), "once for all of them"


def test_the_pass_is_woken_when_patience_ends() -> None:
    desk = Desk(*WORLD, host("h3", number=3))
    desk.say(H1, b=("192.168.7.1",))
    desk.after()
    desk.say(H1, b=())
    desk.after()
    desk.wake.wait(0)
    started = time.monotonic()
    desk.now += PATIENCE.forget_s - 0.1
    desk.after()
    assert not desk.wake.wait(30), "nobody woke it, it asked to look again"
    assert time.monotonic() - started < 5
    assert desk.after(0.2) == {}
