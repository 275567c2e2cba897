"""Network functions hang, come back and take over from each other while guests talk, and so do the host's own parts.

The meters' denied stream is what the functions drop: what of it arrives has gone past them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from netctl.loop import wait_until
from tests.e2e import talk, vpcs
from tests.e2e.appliances import FAIL_CLOSE, FAIL_OPEN, Appliance, add_inline, attach, chain, settled
from tests.e2e.bonded import Nic
from tests.e2e.figures import note
from tests.e2e.site import Site
from tests.lossmeter.frames import DENIED_PORT
from tests.lossmeter.meter import Guest, LossMeter, measure, own_address

SUBNET = "plain20"
PPS = 100
LOSS_MS = 1000.0
BACK_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A function that fails open and one that fails closed, on h1 alone; guests of one subnet on both hosts."""

    site: Site
    open: Appliance
    close: Appliance
    near: Nic
    beside: Nic
    far: Nic

    @contextmanager
    def metered(self) -> Iterator[LossMeter]:
        """Count between the hosts, with what the functions drop as the denied stream."""
        ends = self.site.end(self.near), self.site.end(self.far)
        with measure(*ends, pps=PPS, denied=own_address) as meter:
            yield meter

    def chained(self, name: str) -> None:
        """Attach a chain of one of the functions; return when packets pass it."""
        attach(self.site, SUBNET, name)
        appliance = self.open if name == "open" else self.close
        appliance.wait_active("h1", "h1")
        settled(self.site)
        wait_until(lambda: not self.denied_arrives(), timeout_s=10, what=f"packets pass the chain {name}")
        self.site.wait_ping(self.near, self.far.ipv4_address, timeout_s=5)

    def denied_arrives(self) -> bool:
        """Send once what the functions drop."""
        near, far = vpcs.guest(self.site, self.near), vpcs.guest(self.site, self.far)
        return bool(talk.udp(near, far, far.address, DENIED_PORT, timeout_s=0.3))


@pytest.fixture(scope="module")
def world(bonded: Site) -> Iterator[World]:
    made = {
        name: add_inline(bonded, name, places, [DENIED_PORT], on_failure=handling)
        for name, places, handling in (("open", ["h1"], FAIL_OPEN), ("close", ["h1", "h1-2"], FAIL_CLOSE))
    }
    bonded.apply(chain("open", "open"), chain("close", "close"))
    names = {"near": "h1", "beside": "h1", "far": "h2"}
    near, beside, far = (bonded.add(f"fault-{name}", SUBNET, host) for name, host in names.items())
    bonded.wait_ping(near, far.ipv4_address)
    yield World(site=bonded, open=made["open"], close=made["close"], near=near, beside=beside, far=far)
    attach(bonded, SUBNET, "")
    bonded.discard(near, beside, far)
    bonded.remove("serviceChains/open", "serviceChains/close")
    for name, appliance in made.items():
        for guest in appliance.guests.values():
            bonded.lab.remove_guest(guest.name)
        bonded.remove(f"networkFunctions/{name}", *(nic.name for nic in appliance.nics))


@pytest.fixture(autouse=True)
def whole(world: World) -> Iterator[None]:
    """Leave nothing dead."""
    yield
    for process in world.site.lab.processes():
        process.start()
    for appliance in (world.open, world.close):
        for place in appliance.guests:
            appliance.start(place)


def test_a_host_without_the_function_is_treated_as_one_where_it_fails(world: World) -> None:
    """h2 has none: with fail-open it passes all, with fail-close nothing that leaves it; h1 goes on alone."""
    world.chained("open")
    with world.metered() as meter:
        meter.wait_for_more(50)
    assert (meter.report.lost, meter.report.leaked) == (0, 0), str(meter.report)
    attach(world.site, SUBNET, "close")
    settled(world.site)
    wait_until(
        lambda: not world.site.ping_once(world.near, world.far.ipv4_address), timeout_s=10, what="h2 drops"
    )
    assert not vpcs.ping(world.site, "fault-far", "10.20.0.1")
    assert world.site.ping_once(world.near, "10.20.0.1"), "h1 has a function that works"
    assert world.site.ping_once(world.near, world.beside.ipv4_address)


def test_fail_open_loses_a_second_at_most_and_is_back_when_the_function_is(world: World) -> None:
    world.chained("open")
    with world.metered() as meter:
        world.open.kill("h1")
        world.open.wait_active("h1", "")
        meter.wait_for_arrivals(30)
    note("fail-open / function killed under load", str(meter.report))
    assert meter.report.longest_gap_ms <= LOSS_MS
    assert meter.report.leaked, "without the function nobody drops it"
    with world.metered() as meter:
        world.open.start("h1")
        world.open.wait_active("h1", "h1")
        meter.wait_for_arrivals(30)
    note("fail-open / function back", str(meter.report))
    wait_until(lambda: not world.denied_arrives(), timeout_s=BACK_S, what="packets pass the function again")
    assert meter.report.longest_gap_ms <= LOSS_MS


def router_answers(world: World) -> bool:
    return world.site.ping_once(world.near, "10.20.0.1")


def to_the_router(world: World) -> tuple[Guest, Guest]:
    """Return the ends of a meter between the guest of h1 and the router, which passes h1's function alone."""
    here = world.site
    [link] = json.loads(here.lab.exec("upstream", ["ip", "-j", "link", "show", "eth1.20"]).stdout)
    namespace = vpcs.upstream(here, "10.20.0.1").namespace
    router = Guest(namespace=namespace, interface="eth1.20", mac=link["address"], ip="10.20.0.1")
    return here.end(world.near), router


def test_the_second_machine_takes_over_and_fail_close_lets_nothing_past(world: World) -> None:
    """One machine killed under load, then the other one; what they drop never arrives."""
    attach(world.site, SUBNET, "close")
    settled(world.site)
    wait_until(lambda: router_answers(world), timeout_s=10, what="the router answers through the function")
    first = wait_until(
        lambda: world.close.active("h1"), timeout_s=5, what="one is active"
    )  # who was seen first
    [second] = {"h1", "h1-2"} - {first}
    ends = to_the_router(world)
    with measure(*ends, pps=PPS, denied=own_address) as meter:
        world.close.kill(first)
        world.close.wait_active("h1", second)
        meter.wait_for_arrivals(20)
    note("active-passive / first machine killed under load", str(meter.report))
    assert meter.report.longest_gap_ms <= LOSS_MS
    assert meter.report.leaked == 0
    with measure(*ends, pps=PPS, denied=own_address) as meter:
        world.close.kill(second)
        world.close.wait_active("h1", "")
        assert not router_answers(world)
        assert world.site.ping_once(world.near, world.beside.ipv4_address), "a way without the function"
        began = time.monotonic()
        world.close.start(second)
        meter.wait_for_arrivals(20, timeout_s=BACK_S)
        back_s = time.monotonic() - began
    note("fail-close / killed under load and started", f"traffic after {back_s:.1f} s, {meter.report}")
    assert meter.report.leaked == 0
    assert meter.report.lost, "nothing passed meanwhile"
    world.close.start(first)
    world.close.wait_active("h1", second)  # who works stays
    assert router_answers(world)


def test_the_agents_death_changes_nothing(world: World) -> None:
    world.chained("open")
    agent = world.site.lab.process("h1", "agent")
    with world.metered() as meter:
        agent.kill()
        meter.wait_for_more(50)
        agent.start()
        world.open.wait_active("h1", "h1", timeout_s=15)
        meter.wait_for_more(20)
    note("chain / agent killed and started", str(meter.report))
    assert (meter.report.lost, meter.report.leaked) == (0, 0), str(meter.report)


def test_the_death_of_switch_and_agent_lets_nothing_past(world: World) -> None:
    """br.nf comes back without flows: it drops all until the agent is back and has written them."""
    world.chained("open")
    here = world.site
    switch, agent = (here.lab.process("h1", name) for name in ("ovs-vswitchd", "agent"))
    with world.metered() as meter:
        agent.kill()
        switch.kill()
        switch.start()
        began = time.monotonic()
        here.wait_ping(world.near, world.beside.ipv4_address, timeout_s=15)  # OVN's flows are there again
        assert not here.ping_once(world.near, world.far.ipv4_address), "br.nf passes without the agent"
        agent.start()
        meter.wait_for_arrivals(20, timeout_s=30)
        took = time.monotonic() - began
    note("chain / ovs-vswitchd and agent killed", f"traffic after {took:.1f} s, {meter.report}")
    assert meter.report.leaked == 0
    assert meter.report.denied_sent
