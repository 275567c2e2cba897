"""Frames pass real network functions on a real br.nf, whatever becomes of functions, switch and agent."""

from __future__ import annotations

import signal
import time
from dataclasses import replace

import pytest
from netctl_host import ofctl
from netctl_host.assignment_chains import PortSpan, ServiceChains, SteeringRule

from netctl.loop import wait_until
from tests.functional.host.chained import ChainedHost, chained, function
from tests.functional.host.namespace import NamespaceHost


@pytest.fixture
def site(host: NamespaceHost) -> ChainedHost:
    """A host with a guest and a wire."""
    return ChainedHost(host)


def nothing_passes(site: ChainedHost, frames: int = 20) -> None:
    """Send into a chain that is closed; frames of another port, which no chain has, arrive meanwhile."""
    marks = []
    with site.ear("x-eth1") as has:
        for _ in range(frames):
            link, _, frame, mark = site.out()
            site.send(link, frame)
            marks.append(mark)
        site.arrives(lambda: site.out(port=53))
        assert not any(has(mark) for mark in marks)


WEB = SteeringRule(
    priority=1, chain_id="c", ip_version=4, protocol=17, destination_ports=(PortSpan(first=80, last=90),)
)


def test_a_function_is_passed_both_ways_and_can_stop_what_it_likes(site: ChainedHost) -> None:
    with site.forwarder("f1") as firewall:
        site.look(chained(function("f")))
        site.wait_for_active(f="f1i")
        before = list(firewall.counts)
        site.arrives(site.out)
        site.arrives(site.back)
        assert firewall.counts[0] > before[0]
        assert firewall.counts[1] > before[1]
        firewall.passes = lambda data: data[36:38] != (81).to_bytes(2, "big") and data[36:38] != b""
        marks = []
        with site.ear("x-eth1") as has:
            for _ in range(10):
                link, _, frame, mark = site.out(port=81)
                site.send(link, frame)
                marks.append(mark)
            site.arrives(site.out)
            assert not any(has(mark) for mark in marks)


def test_two_functions_and_a_tap_in_a_chain(site: ChainedHost) -> None:
    site.add_bridge("a1")
    site.add_bridge("b1")
    site.add("t1i")
    site.look(chained(function("a"), function("t", tap=True), function("b")))
    site.wait_for_active(a="a1i", b="b1i", t="t1i")
    for make in (site.out, site.back):
        site.arrives(make)
        with site.ear("x-t1i") as copied, site.ear("x-a1i") as first, site.ear("x-b1i") as second:
            link, _, frame, mark = make()
            site.send(link, frame)
            wait_until(lambda: copied(mark), timeout_s=5, what="the tap has a copy")  # noqa: B023
            ears = (first, second) if make == site.out else ()
            for has in ears:
                wait_until(lambda: has(mark), timeout_s=5, what="it met the function")  # noqa: B023
    site.host.set_link("x-b1o", "down")
    site.wait_for_active(a="a1i", b="", t="t1i")


@pytest.mark.parametrize("fail_open", [True, False])
def test_a_function_that_dies_is_skipped_or_closes_and_comes_back(site: ChainedHost, fail_open: bool) -> None:
    assignment = chained(function("f", fail_open=fail_open), rules=(WEB,))
    with site.forwarder("f1") as forwarder:
        site.look(assignment)
        site.wait_for_active(f="f1i")
        site.arrives(site.out)
        forwarder.passes = lambda _data: False  # hangs: the carrier stays
        began = time.monotonic()
        if fail_open:
            site.arrives(site.out)
            assert time.monotonic() - began < 1.0
        site.wait_for_active(f="")
        if not fail_open:
            nothing_passes(site)
        forwarder.passes = lambda _data: True
        site.wait_for_active(f="f1i")
        before = forwarder.counts[0]

        def passes_again() -> bool:
            site.arrives(site.out)
            return forwarder.counts[0] > before

        wait_until(passes_again, timeout_s=5, what="frames pass the function again")


def test_a_function_without_carrier_is_left_at_once_for_the_second(site: ChainedHost) -> None:
    site.add_bridge("f1")
    site.add_bridge("f2")
    site.look(chained(function("f", pairs=2)))
    site.wait_for_active(f="f1i")
    site.arrives(site.out)
    site.host.set_link("x-f1i", "down")
    began = time.monotonic()
    site.arrives(site.out)
    assert time.monotonic() - began < 1.0
    assert site.active() == {"f": "f2i"}
    report = {pair.ingress_tap: pair for pair in site.host.read_state().functions[0].pairs}
    assert (report["f1i"].healthy, report["f1i"].reason) == (False, "no carrier")
    site.host.set_link("x-f1i", "up")
    wait_until(
        lambda: site.host.read_state().functions[0].pairs[0].healthy,
        timeout_s=5,
        what="the first works again",
    )
    assert site.active() == {"f": "f2i"}, "the pair in use stays"


def test_a_pair_that_is_disconnected_is_left_for_the_second_though_probes_pass_it(site: ChainedHost) -> None:
    site.add_bridge("f1")
    site.add_bridge("f2")
    assignment = chained(function("f", pairs=2))
    site.look(assignment)
    site.wait_for_active(f="f1i")
    unplugged = tuple(replace(nic, disconnected=nic.tap_name == "f1i") for nic in assignment.nics)
    site.look(replace(assignment, nics=unplugged))
    site.wait_for_active(f="f2i")
    site.arrives(site.out)
    first = site.host.read_state().functions[0].pairs[0]
    assert (first.healthy, first.reason) == (False, "not plugged")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_a_new_ovs_vswitchd_has_the_flows_again(site: ChainedHost, signum: int) -> None:
    site.add_bridge("f1")
    site.look(chained(function("f")))
    site.wait_for_active(f="f1i")
    site.arrives(site.out)
    site.host.stop_vswitchd(signum)
    site.host.start_vswitchd()
    site.look(site.assignment)
    site.arrives(site.out)
    site.arrives(site.back)
    assert site.active() == {"f": "f1i"}


def test_a_restarted_agent_cuts_nothing(site: ChainedHost) -> None:
    site.add_bridge("f1")
    site.add_bridge("f2")
    site.look(chained(function("f", pairs=2)))
    site.host.set_link("x-f1o", "down")
    site.wait_for_active(f="f2i")
    site.host.set_link("x-f1o", "up")
    site.arrives(site.out)
    flows = dump(site, "br.nf")
    site.host.restart_agent()
    with site.ear("x-f2i") as has:
        site.look(site.assignment)
        assert site.active() == {"f": "f2i"}
        assert dump(site, "br.nf") == flows
        link, _, frame, mark = site.out()
        site.send(link, frame)
        wait_until(lambda: has(mark), timeout_s=5, what="still through the second")


def test_an_ovs_vswitchd_that_is_away_is_told(site: ChainedHost) -> None:
    site.add_bridge("f1")
    site.look(chained(function("f")))
    site.wait_for_active(f="f1i")
    site.arrives(site.out)
    flows = dump(site, "br.nf")
    site.host.stop_vswitchd()
    assert "br.nf" in " ".join(
        wait_until(lambda: site.host.read_state().steering_problems, timeout_s=5, what="said")
    )
    site.host.start_vswitchd()
    site.look(site.assignment)
    wait_until(lambda: not site.host.read_state().steering_problems, timeout_s=5, what="no problem is left")
    assert dump(site, "br.nf") == flows


def test_without_segments_nothing_of_it_stays(site: ChainedHost) -> None:
    site.add_bridge("f1")
    site.look(chained(function("f")))
    basic = replace(site.assignment.nics[0], bridge="br0")
    site.look(replace(site.assignment, nics=(basic,), service_chains=ServiceChains()))
    assert set(site.host.read_state().switch.bridges) == {"br0", "brAtlas"}
    site.arrives(site.out)
    site.arrives(site.back)


def dump(site: ChainedHost, bridge: str) -> tuple[str, ...]:
    """Return the flows that a bridge has."""
    return ofctl.read(site.host.directory / f"{bridge}.mgmt")
