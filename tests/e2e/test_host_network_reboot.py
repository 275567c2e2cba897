"""A host loses power while the controller is dead: LACP, VLAN basic with its DHCP, and chains come back alone."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from netctl.errors import Unavailable
from netctl.loop import wait_until
from netctl.v1 import infra_pb2
from tests.e2e import talk, vpcs
from tests.e2e.appliances import Appliance, add_inline, attach, chain, settled
from tests.e2e.bonded import HOSTS, Nic, bond_of, change_switch, vlan, wait_report
from tests.e2e.figures import note
from tests.e2e.site import Site, site

BACK_S = 30.0
DROPPED = 1001


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    with site("power", "bonded-hosts", [vlan("basic10", 10, basic=True), vlan("plain20", 20)]) as running:
        quick = infra_pb2.VirtualSwitch(
            bond_mode=infra_pb2.BOND_MODE_BALANCE_TCP, rollout=infra_pb2.ROLLOUT_QUICK
        )
        change_switch(running, quick, "bond_mode", "rollout")
        for host in HOSTS:
            wait_report(running, host, lambda found: bond_of(found).bond_mode == "balance-tcp", "balance-tcp")
            running.lab.set_lag("leaf1", host, "lacp")
        yield running


@pytest.fixture(scope="module")
def function(here: Site) -> Appliance:
    """A function of both hosts that drops a port, in the path of both subnets."""
    made = add_inline(here, "fw", HOSTS, [DROPPED])
    here.apply(chain("c", "fw"))
    return made


def negotiated(here: Site, host: str) -> bool:
    try:
        return "lacp_status: negotiated" in here.appctl(host, "bond/show", "br0-up")
    except (Unavailable, FileNotFoundError):
        return False


def leased(here: Site, nic: Nic) -> bool:
    try:
        here.lab.lease(nic.name.removeprefix("nics/"), timeout_s=2)
    except Unavailable:
        return False
    return True


def test_everything_is_back_from_the_saved_assignment(here: Site, function: Appliance) -> None:
    pairs = {
        subnet: tuple(here.add_leased(vpcs.nic(f"{subnet}-{host}", subnet, host)) for host in HOSTS)
        for subnet in ("basic10", "plain20")
    }
    for subnet in pairs:
        attach(here, subnet, "c")
    for host in HOSTS:
        function.wait_active(host, host)
    settled(here)
    for near, far in pairs.values():
        here.wait_ping(near, far.ipv4_address)
    wait_until(lambda: all(negotiated(here, host) for host in HOSTS), timeout_s=10, what="LACP")
    controller = here.lab.process("central", "controller")
    controller.kill()
    began = time.monotonic()
    here.lab.reboot("h1")
    wait_until(lambda: negotiated(here, "h1"), timeout_s=BACK_S, what="LACP is agreed on again")
    note("reboot without the controller / LACP", f"{time.monotonic() - began:.1f} s")
    for subnet, (near, far) in pairs.items():
        wait_until(lambda near=near: leased(here, near), timeout_s=BACK_S, what=f"{near.name} has a lease")  # type: ignore[misc]
        here.wait_ping(near, far.ipv4_address, timeout_s=BACK_S)
        note(f"reboot without the controller / chained {subnet} pings", f"{time.monotonic() - began:.1f} s")
        ends = vpcs.guest(here, near), vpcs.guest(here, far)
        assert not talk.udp(*ends, far.ipv4_address, DROPPED)
        assert talk.udp(*ends, far.ipv4_address, DROPPED + 1)
    assert time.monotonic() - began <= BACK_S
    assert not controller.pid()
    assert here.lab.functions.counts(function.guests["h1"]), "packets pass the function"
    controller.start()
    here.wait_programmed(*(nic.name for pair in pairs.values() for nic in pair))
