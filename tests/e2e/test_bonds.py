"""Bonds of real uplinks against a real switch: what pulled and silent cables, LACP and a change of mode cost guests.

The tests follow one host through its life: active-backup first, balance-tcp with LACP at the end.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import partial

import pytest

from netctl.loop import wait_until
from netctl.v1 import infra_pb2
from tests.e2e.bonded import (
    HOSTS,
    HostReport,
    Nic,
    bond_of,
    bridge_of,
    carried,
    change_switch,
    get_report,
    get_switch,
    metered,
    vlan,
    wait_report,
)
from tests.e2e.figures import note
from tests.e2e.site import PROGRAMMED, Site, site

CARRIER_LOSS_MS = 100.0
SILENT_MEMBER_MS = 3500.0
ALARM_S = 10.0
# Open vSwitch listens for a partner for 3 s before it falls back; nothing passes meanwhile.
DEAF_SWITCH_MS = 4500.0
VirtualSwitch = infra_pb2.VirtualSwitch


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    subnets = [vlan("v10", 10), vlan("v30", 30, switch="virtualSwitches/vs1")]
    with site("bonds", "bonded-hosts", subnets) as running:
        yield running


def add_pair(here: Site, subnet: str) -> tuple[Nic, Nic]:
    found = (here.add(f"{subnet}-a", subnet, "h1"), here.add(f"{subnet}-b", subnet, "h2"))
    here.wait_ping(found[0], found[1].ipv4_address)
    return found


@pytest.fixture(scope="module")
def pair(here: Site) -> tuple[Nic, Nic]:
    """Guests behind the leaf switch."""
    return add_pair(here, "v10")


def active_is(interface: str, report: HostReport) -> bool:
    return bond_of(report, "br1-up").active_interface == interface


def up_are(interfaces: set[str], report: HostReport) -> bool:
    return set(bond_of(report, "br1-up").up_interfaces) == interfaces


def test_a_pulled_cable_costs_a_tenth_of_a_second_and_its_return_nothing(here: Site) -> None:
    """The primary takes over again when it is back: what is on its way over the other one then is dropped by OVS."""
    pair = add_pair(here, "v30")
    wait_report(here, "h1", partial(active_is, "eth3"), "the primary is active")
    changes = [
        ("down", "eth3", partial(active_is, "eth4"), "cable of the active member pulled"),
        ("up", "eth3", partial(active_is, "eth3"), "the primary is back"),
        ("down", "eth4", partial(up_are, {"eth3"}), "cable of the other member pulled"),
        ("up", "eth4", partial(up_are, {"eth3", "eth4"}), "the other member is back"),
    ]
    reports = {}
    for state, interface, right, what in changes:
        with metered(here, *pair) as meter:
            here.lab.link(f"h1:{interface}", state)
            wait_report(here, "h1", right, what)
            meter.wait_for_arrivals(20)
        note(f"bond / {what}", str(meter.report))
        reports[what] = meter.report
    assert reports["cable of the active member pulled"].longest_gap_ms <= CARRIER_LOSS_MS
    assert reports["the primary is back"].longest_gap_ms <= CARRIER_LOSS_MS
    assert reports["cable of the other member pulled"].lost == 0
    assert reports["the other member is back"].lost == 0


def test_a_host_tells_the_switch_and_port_at_the_other_end(here: Site) -> None:
    def told(report: HostReport) -> bool:
        links = {link.interface: link for link in report.links}
        return all(
            links[name].neighbor.system_name == "leaf1"
            and links[name].neighbor.port_id == f"h1-{name}"
            and links[name].neighbor.management_address == "192.0.2.1"
            for name in ("eth1", "eth2")
        )

    report = wait_report(here, "h1", told, "neighbours by LLDP")
    [link] = [link for link in report.links if link.interface == "eth1"]
    speed = here.lab.exec("h1", ["ethtool", "eth1"]).stdout
    assert link.speed_mbps == int(re.findall(r"Speed: (\d+)Mb/s", speed)[0])
    assert (link.up, link.bridge, link.uplink) == (True, "br0", True)


def test_an_edit_by_hand_is_undone_and_told(here: Site) -> None:
    def told(report: HostReport) -> bool:
        return any("br0-up" in reversion.message for reversion in report.reversions)

    assert not told(get_report(here, "h1").report)
    began = time.monotonic()
    here.vsctl("h1", "set", "Port", "br0-up", "bond_mode=balance-slb", "other_config:bond-primary=eth2")
    report = wait_report(here, "h1", told, "the edit is told")
    took = time.monotonic() - began
    note("an edit by hand undone and told", f"{took:.1f} s: {report.reversions[-1].message}")
    mode = here.vsctl("h1", "get", "Port", "br0-up", "bond_mode", "other_config:bond-primary").split()
    assert mode == ["active-backup", "eth1"]


def test_a_change_of_mode_comes_to_one_host_after_the_other(here: Site, pair: tuple[Nic, Nic]) -> None:
    """To balance-tcp, while the switch does not speak LACP: traffic goes on, and the hosts say what is wrong.

    The second host's turn comes when the first one carries traffic again: their silences are not at the same time.
    """
    seen: list[tuple[str, ...]] = []

    def all_changed() -> bool:
        modes = {host: bond_of(get_report(here, host).report).bond_mode for host in HOSTS}
        seen.append(tuple(host for host in HOSTS if modes[host] == "balance-tcp"))
        return len(seen[-1]) == len(HOSTS)

    with metered(here, *pair) as meter:
        began = time.monotonic()
        changed = change_switch(here, VirtualSwitch(bond_mode=infra_pb2.BOND_MODE_BALANCE_TCP), "bond_mode")
        assert list(changed.pending_hosts) in ([], ["hosts/h1", "hosts/h2"])
        wait_until(all_changed, timeout_s=40, what="both hosts have balance-tcp")
        wait_report(here, "h2", fallen_back, "it falls back, too")
        meter.wait_for_arrivals(20)
    note("bond / mode changed host by host", f"{time.monotonic() - began:.1f} s, {meter.report}")
    assert list(dict.fromkeys(seen)) in ([(), ("h1",), HOSTS], [("h1",), HOSTS])
    assert meter.report.longest_gap_ms <= DEAF_SWITCH_MS
    for host in HOSTS:
        wait_report(here, host, deaf_switch, "the switch does not speak LACP", timeout_s=ALARM_S)
    wait_until(
        lambda: get_switch(here).status.reason == "LACP_NOT_NEGOTIATED", timeout_s=ALARM_S, what="the alarm"
    )
    assert "h1" in get_switch(here).status.message


def fallen_back(report: HostReport) -> bool:
    bond = bond_of(report)
    return bond.bond_mode == "balance-tcp" and bool(bond.active_interface) and bridge_of(report).up


def deaf_switch(report: HostReport) -> bool:
    return bond_of(report).lacp_status == "configured"


def agreed(report: HostReport) -> bool:
    """Both members; `negotiated` alone is also said while they listen."""
    bond = bond_of(report)
    return bond.lacp_status == "negotiated" and list(bond.up_interfaces) == ["eth1", "eth2"]


def test_lacp_agreed_on_ends_the_alarm(here: Site, pair: tuple[Nic, Nic]) -> None:
    for host in HOSTS:
        here.lab.set_lag("leaf1", host, "lacp")
    for host in HOSTS:
        wait_report(here, host, agreed, "LACP")
    wait_until(lambda: not get_switch(here).status.reason, timeout_s=ALARM_S, what="the alarm is over")
    here.wait_ping(pair[0], pair[1].ipv4_address)


def test_a_silent_member_is_left_in_time(here: Site, pair: tuple[Nic, Nic]) -> None:
    """It speaks again before Open vSwitch forgets its partner, 3 s later: then it would ask every 30 s only."""
    with metered(here, *pair) as meter:
        before = {name: carried(here, "h1", name) for name in ("eth1", "eth2")}
        meter.wait_for_more(60)
        busy = max(before, key=lambda name: carried(here, "h1", name) - before[name])
        here.lab.link(f"h1:{busy}", "silent")
        wait_until(lambda: not is_enabled(here, busy), timeout_s=10, what=f"{busy} is left")
        meter.wait_for_arrivals(20)
    note("bond / silent member with LACP fast", str(meter.report))
    assert meter.report.lost
    assert meter.report.longest_gap_ms <= SILENT_MEMBER_MS
    with metered(here, *pair) as meter:
        here.lab.link(f"h1:{busy}", "up")
        wait_until(lambda: is_enabled(here, busy), timeout_s=40, what=f"{busy} is back")
        meter.wait_for_arrivals(20)
    note("bond / silent member is back", str(meter.report))
    assert meter.report.lost == 0


def is_enabled(here: Site, interface: str) -> bool:
    """Ask the switch itself: what it reports of LACP comes late."""
    return f"member {interface}: enabled" in here.appctl("h1", "bond/show", "br0-up")


def test_quick_comes_to_all_hosts_at_once(here: Site) -> None:
    """An MTU, which is a setting of the switch: the uplinks have it on both hosts."""
    changes = VirtualSwitch(name="virtualSwitches/vs1", mtu_bytes=8000, rollout=infra_pb2.ROLLOUT_QUICK)
    began = time.monotonic()
    change_switch(here, changes, "mtu_bytes", "rollout")

    def has_it(report: HostReport) -> bool:
        mtus = [link.mtu_bytes for link in report.links if link.interface in ("eth3", "eth4")]
        return mtus == [8000, 8000] and bool(bridge_of(report, "br1").settings_id)

    ids = [bridge_of(wait_report(here, host, has_it, "MTU 8000"), "br1").settings_id for host in HOSTS]
    note("bond / MTU changed at once", f"{time.monotonic() - began:.1f} s")
    assert all(ids)
    wait_until(lambda: get_switch(here, "vs1").status.phase == PROGRAMMED, timeout_s=10, what="PROGRAMMED")
