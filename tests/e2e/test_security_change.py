"""Policies change while guests talk: what stays allowed loses nothing, what stays denied leaks nothing.

Two kinds of traffic tell: a stream of questions, each a new connection that every change is judged by anew, and loss
meters, whose two ends talk by one old connection and try one that is denied.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import pytest

from netctl.loop import wait_until
from tests.e2e import talk
from tests.e2e.figures import note
from tests.e2e.security import (
    BOTH,
    DENY,
    ENFORCE,
    IN,
    MONITOR,
    SAVE,
    Ask,
    Policy,
    Rule,
    Stream,
    asks,
    rule,
    streaming,
    tcp,
    udp,
)
from tests.e2e.wards import APP, DB, WEB, Ward
from tests.lossmeter.frames import ALLOWED_PORT
from tests.lossmeter.meter import Guest, LossMeter, measure, own_address

PPS = 100
A_WHILE = 60  # questions: a tenth of a second and more between changes
SOURCES, WEBS = ("rest1", "app1", "rest2"), ("web1", "web2")
PAIRS = [(source, target) for source in SOURCES for target in WEBS]
ALLOWED, DENIED = asks(PAIRS, "tcp/80"), asks(PAIRS, "tcp/443")
METERED = rule("meter", BOTH, udp(ALLOWED_PORT))
HTTP = rule("http", IN, tcp(80))


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is counted while something changes."""

    ward: Ward
    stream: Stream
    meters: list[LossMeter]

    def then(self, change: Callable[[], None]) -> None:
        """Change something, and go on for a while."""
        change()
        self.stream.wait_for_more(A_WHILE)

    def put(self, *policies: Policy) -> None:
        """Create or change policies; go on for a while when every host has it."""
        self.then(lambda: self.ward.put(*policies, purge=False))


@contextmanager
def unharmed(ward: Ward, what: str) -> Iterator[Watch]:
    """Hold a block to 0 lost of what is allowed and 0 leaked of what is denied."""
    with ExitStack() as stack:
        meters = [stack.enter_context(measure(*ends, pps=PPS, denied=own_address)) for ends in metered(ward)]
        with streaming(ward.guests, [*ALLOWED, *DENIED]) as stream:
            stream.wait_for_more(A_WHILE)
            yield Watch(ward=ward, stream=stream, meters=meters)
            stream.wait_for_more(A_WHILE)
    sent, came = counted(stream, ALLOWED)
    tried, leaked = counted(stream, DENIED)
    reports = [meter.report for meter in meters]
    note(f"{what} / new connections", f"{sent - came} of {sent} lost, {leaked} of {tried} leaked")
    for report in reports:
        note(f"{what} / an old connection", str(report))
    assert (sent - came, leaked) == (0, 0), f"{sent - came} of {sent} lost, {leaked} of {tried} leaked"
    assert [(report.lost, report.leaked) for report in reports] == [(0, 0)] * len(reports), [
        *map(str, reports)
    ]
    assert all(report.denied_sent >= PPS for report in reports), "no positive control"


def counted(stream: Stream, questions: list[Ask]) -> tuple[int, int]:
    """Return how many were sent and how many arrived."""
    pairs = [stream.passed(ask) for ask in questions]
    return sum(sent for sent, _ in pairs), sum(came for _, came in pairs)


def metered(ward: Ward) -> list[tuple[Guest, Guest]]:
    """Return who talks by an old connection: across hosts by IPv4, routed in the VPC; on one host by IPv6."""
    return [ends(ward, "app1", "web2", 4), ends(ward, "rest2", "web2", 6)]


def ends(ward: Ward, one: str, other: str, version: int) -> tuple[Guest, Guest]:
    """Return two guests as the loss meter takes them."""
    pair = []
    for name, peer in ((one, other), (other, one)):
        nic, far = ward.guests.nics[name], ward.guests.nics[peer]
        via = "" if nic.subnet == far.subnet else ward.here.get_subnet(far.subnet).gateway_mac_address
        address = ward.guests.address(name, version)
        namespace = ward.here.namespace(nic)
        pair.append(Guest(namespace=namespace, interface="eth0", mac=nic.mac_address, ip=address, via=via))
    return pair[0], pair[1]


def shop(ward: Ward, *rules: Rule, policy_id: str = "shop", **fields: object) -> Policy:
    """Return the policy that allows what must pass."""
    return ward.policy("application", policy_id, [WEB], *(rules or (HTTP, METERED)), **fields)


def test_rules_are_edited_reordered_and_replaced(ward: Ward) -> None:
    ward.put(shop(ward))
    wide, narrow = rule("wide", IN, tcp((70, 90))), rule("narrow", IN, tcp(80), udp(1), priority=7)
    four, six = (rule(f"v{version}", IN, tcp(80), ip_version=version) for version in (4, 6))
    no = rule("no", IN, tcp((400, 500)), action=DENY)
    with unharmed(ward, "rules are edited") as watch:
        watch.put(shop(ward, METERED, wide))
        watch.put(shop(ward, wide, METERED, no))
        watch.put(shop(ward, no, narrow, METERED, priority=9))
        watch.put(shop(ward, METERED, four, six, log=True))
        watch.put(shop(ward, METERED, HTTP, no))


def test_a_policy_is_replaced_by_an_equal_one(ward: Ward) -> None:
    ward.put(shop(ward))
    with unharmed(ward, "a policy is replaced") as watch:
        watch.put(shop(ward, policy_id="a-shop"))
        watch.then(lambda: ward.drop("securityPolicies/shop", purge=False))
        watch.put(ward.policy("vdi", "desks", [WEB], HTTP, METERED))
        watch.then(lambda: ward.drop("securityPolicies/a-shop", purge=False))


def test_a_guest_changes_its_group_and_both_are_allowed(ward: Ward) -> None:
    """As a peer: the group that lets it in is another one after each change."""
    peers = [rule("apps", IN, tcp(80), peers=[APP]), rule("dbs", IN, tcp(80), peers=[DB])]
    ward.join("rest1", APP)
    ward.join("rest2", DB)
    ward.put(shop(ward, *peers, METERED))
    with unharmed(ward, "a guest changes its group") as watch:
        for first, second in ((DB, APP), (APP, DB), (DB, APP)):
            watch.then(partial(ward.join, "rest1", first))
            watch.then(partial(ward.join, "rest2", second))
        ward.here.settle()


@pytest.mark.parametrize("ward", ["vlan"], indirect=True)
def test_a_policy_grows_and_shrinks_beside_others(ward: Ward) -> None:
    """Its block of priorities moves; so do those of the policies after it."""
    many = [rule(f"more-{number}", IN, tcp(10_000 + number)) for number in range(50)]
    ward.put(shop(ward), ward.policy("application", "a-first", [WEB], rule("one", IN, tcp(9))))
    with unharmed(ward, "a policy grows by 50 rules and shrinks") as watch:
        watch.put(ward.policy("application", "a-first", [WEB], *many))
        watch.put(shop(ward, METERED, *many, HTTP))
        watch.put(ward.policy("application", "a-first", [WEB], many[0]))
        watch.put(shop(ward))


@pytest.mark.parametrize("ward", ["vpc"], indirect=True)
def test_a_change_that_comes_late_or_to_one_host_first_harms_nobody(ward: Ward) -> None:
    """northd sleeps, then one host's ovn-controller does: each is told several changes at once when it awakes."""
    ward.put(shop(ward))
    more = [rule(f"more-{number}", IN, tcp(10_000 + number)) for number in range(20)]
    with unharmed(ward, "northd or a host is late") as watch:
        for node, daemon in (("central", "ovn-northd"), ("h2", "ovn-controller")):
            with asleep(ward, node, daemon):
                for rules in ((METERED, *more, HTTP), (*more[:3], HTTP, METERED), (HTTP, METERED, *more[:9])):
                    ward.here.apply(shop(ward, *rules))
                    ward.here.wait_written()
                    watch.stream.wait_for_more(A_WHILE)
            watch.then(ward.here.settle)


@contextmanager
def asleep(ward: Ward, node: str, daemon: str) -> Iterator[None]:
    """Stop a process during a block; it is not gone."""
    pid = ward.here.lab.process(node, daemon).pid()
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("ward", ["vpc"], indirect=True)
def test_restarts_change_nothing(ward: Ward) -> None:
    """All that is not the data path dies at once, on every host, and comes back."""
    names = ("controller", "ovn-controller", "agent")
    processes = [one for one in ward.here.lab.processes() if one.name in names]
    assert len(processes) == 1 + 2 * len(ward.here.lab.topology.hosts)
    ward.put(shop(ward))
    with unharmed(ward, "kill -9 controller, ovn-controllers, agents") as watch:
        for process in processes:
            process.kill()
        watch.stream.wait_for_more(2 * A_WHILE)
        for process in processes:
            process.start()
        watch.then(ward.here.settle)


@pytest.mark.parametrize("ward", ["vpc"], indirect=True)
def test_a_datapath_that_dies_forgets_no_policy(ward: Ward) -> None:
    """Open vSwitch' process is killed on both hosts: what it does before it has all flows again lets nothing in.

    In the VPC, so that its tunnels have found each other again for the tests after this one.
    """
    processes = [ward.here.lab.process(host, "ovs-vswitchd") for host in ("h1", "h2")]
    ward.put(shop(ward))
    with streaming(ward.guests, [*ALLOWED, *DENIED]) as stream:
        for process in processes:
            process.kill()
            process.start()
        before = counted(stream, ALLOWED)[1]
        wait_until(
            lambda: counted(stream, ALLOWED)[1] > before + A_WHILE, timeout_s=20, what="it forwards again"
        )
        ward.here.settle()
    tried, leaked = counted(stream, DENIED)
    note("kill -9 ovs-vswitchd / new connections", f"{leaked} of {tried} leaked")
    assert leaked == 0


def test_modes_and_what_they_do_to_open_connections(ward: Ward) -> None:
    """What is allowed loses nothing by any change of mode; what is not passes but while it is enforced, old or new."""
    windows = []
    ends = ward.guests.end("app1"), ward.guests.end("web2")
    ward.put(shop(ward, mode=SAVE))
    with ExitStack() as stack, streaming(ward.guests, [*ALLOWED, *DENIED]) as stream:
        ward.put(shop(ward, mode=MONITOR), purge=False)
        kept, cut = (stack.enter_context(talk.conversation(*ends, port)) for port in (80, 8080))
        for mode in (ENFORCE, MONITOR, ENFORCE, SAVE):
            ward.put(shop(ward, mode=mode), purge=False)
            stream.wait_for_more(A_WHILE)
            with stream.paused():
                ward.here.settle_datapaths()
            before = set(stream.sent)
            assert kept.heard()
            assert kept.heard(by_opener=True)
            if mode == ENFORCE:
                assert not cut.heard(timeout_s=0.4)
            else:
                wait_until(cut.heard, timeout_s=10, what="the other connection goes on")
            stream.wait_for_more(A_WHILE)
            windows.append((mode, set(stream.sent) - before))
    sent, came = counted(stream, ALLOWED)
    note("SAVE, MONITOR, ENFORCE, MONITOR, ENFORCE, SAVE / new connections", f"{sent - came} of {sent} lost")
    arrived = set().union(*ward.guests.arrived().values())
    lost = [f"{n} {ask}" for n, ask in stream.sent.items() if ask in ALLOWED and n not in arrived]
    assert came == sent, f"{lost}; numbers judged by mode: {[(mode, min(w), max(w)) for mode, w in windows]}"
    for mode, window in windows:
        denied = {number for number in window if stream.sent[number] in DENIED}
        assert len(denied) > A_WHILE / 3
        assert denied & arrived == (set() if mode == ENFORCE else denied), mode
