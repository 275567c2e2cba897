"""Against real OVS: what exists is adopted, what is foreign stays, and a database that is away is retried."""

from __future__ import annotations

import socket

import pytest
from netctl_host.actions import AddBridge, PlugTap, SetMtu
from netctl_host.assignment import Assignment
from netctl_host.report import make_report

from netctl.errors import HostUnavailable
from netctl.loop import wait_until
from tests.functional.host.namespace import NamespaceHost
from tests.functional.host.test_contract import SETTINGS, converge, settled
from tests.unit.host.samples import assign, nic, uplink

ASSIGNMENT = assign(uplink(0, "eth1", "eth2", address="192.0.2.11/24"), nics=(nic(1),))


def add_links(host: NamespaceHost) -> None:
    for link in ("eth1", "eth2", "tap1"):
        host.add_link(link)


def make_equal(host: NamespaceHost, assignment: Assignment) -> None:
    """Converge, also on what ovs-vswitchd makes a moment later."""
    converge(host, assignment)
    wait_until(lambda: settled(host), timeout_s=10, what="ovs-vswitchd is done")
    converge(host, assignment)


def test_what_an_operator_made_is_adopted_row_by_row(host: NamespaceHost) -> None:
    add_links(host)
    host.vsctl(
        *("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail_mode=standalone"),
        *("--", "add-bond", "br0", "bond0", "eth1", "eth2", "bond_mode=active-backup"),
        *("--", "set", "port", "bond0", "other_config:bond-primary=eth1", "other_config:mine=1"),
        *(
            "--",
            "add-br",
            "brAtlas",
            "--",
            "set",
            "bridge",
            "brAtlas",
            "datapath_type=netdev",
            "fail_mode=secure",
        ),
        *("--", "add-port", "brAtlas", "tap1", "--", "set", "interface", "tap1", "external_ids:vm=web"),
    )
    before = host.row_uuids()
    make_equal(host, ASSIGNMENT)
    assert host.row_uuids() == before
    state = host.read_state()
    assert state.switch.interfaces["tap1"].external_ids["vm"] == "web"
    assert state.switch.interfaces["tap1"].external_ids["iface-id"] == nic(1).iface_id
    assert "1" in host.vsctl("get", "port", "bond0", "other_config:mine")
    report = make_report("h1", ASSIGNMENT, state, SETTINGS)
    assert report.bonds[0].up_interfaces == ("eth1", "eth2")


def test_foreign_keys_and_bridges_survive(host: NamespaceHost) -> None:
    add_links(host)
    host.vsctl(
        *("set", "open_vswitch", ".", "external_ids:ovn-bridge-mappings=legacy:br-ex", "external_ids:mine=1"),
        *("--", "add-br", "br-ex", "--", "set", "bridge", "br-ex", "datapath_type=netdev"),
    )
    before = host.row_uuids()
    make_equal(host, ASSIGNMENT)
    make_equal(host, assign())
    after = host.row_uuids()
    assert {name: uuid for name, uuid in after.items() if name in before} == before
    keys = host.read_state().switch.external_ids
    assert keys["ovn-bridge-mappings"] == "legacy:br-ex"
    assert keys["mine"] == "1"


def test_one_transaction_is_all_or_nothing(host: NamespaceHost) -> None:
    good = AddBridge(bridge="brAtlas", datapath_type="netdev", fail_mode="secure")
    bad = PlugTap(bridge="brNowhere", tap="tap1", iface_id="i", mac_address="m")
    problems = host.apply((good, bad))
    assert len(problems) == 1
    assert "brNowhere is gone" in problems[0]
    assert host.read_state().switch.bridges == {}


def test_a_refused_link_action_names_itself(host: NamespaceHost) -> None:
    host.add_link("eth1")
    problems = host.apply((SetMtu(link="eth1", mtu_bytes=70_000), SetMtu(link="eth9", mtu_bytes=1500)))
    assert ["eth1" in problems[0], "eth9" in problems[1]] == [True, True]


def test_a_change_by_hand_wakes_and_is_repaired(host: NamespaceHost) -> None:
    add_links(host)
    make_equal(host, ASSIGNMENT)
    wakes = host.wakes
    host.vsctl("del-port", "brAtlas", "tap1", "--", "set", "bridge", "br0", "fail_mode=secure")
    wait_until(lambda: host.wakes > wakes, timeout_s=5, what="woken")
    wait_until(lambda: "tap1" not in host.read_state().switch.interfaces, timeout_s=5, what="seen")
    make_equal(host, ASSIGNMENT)
    state = host.read_state()
    assert "tap1" in state.switch.bridges["brAtlas"].ports
    assert state.switch.bridges["br0"].fail_mode == "standalone"


def test_an_idle_host_does_not_wake(host: NamespaceHost) -> None:
    add_links(host)
    make_equal(host, ASSIGNMENT)
    # the positive control is above; ovs-vswitchd writes statistics every 5 s, of which we ask for none
    host.vsctl("--", "set", "open_vswitch", ".", "other_config:stats-update-interval=5000")
    host.set_link("br0", "up")
    wait_for_statistics(host)  # until then what was made comes up, and may well wake
    wakes = host.wakes
    wait_for_statistics(host)
    assert host.wakes == wakes


def wait_for_statistics(host: NamespaceHost) -> None:
    """Have br0 send something and wait until ovs-vswitchd has counted it."""
    before = host.vsctl("get", "interface", "br0", "statistics")
    with host.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("br0", 0))
        raw.send(bytes.fromhex("ffffffffffff506b8d00000188b5") + bytes(46))
    wait_until(
        lambda: host.vsctl("get", "interface", "br0", "statistics") != before, timeout_s=15, what="statistics"
    )


def test_a_database_that_is_away_comes_back(host: NamespaceHost) -> None:
    add_links(host)
    make_equal(host, ASSIGNMENT)
    before = host.row_uuids()
    host.database.stop()
    wait_until(lambda: not answers(host), timeout_s=5, what="the loss is seen")
    host.database.start()
    wait_until(lambda: answers(host), timeout_s=15, what="connected again")
    make_equal(host, ASSIGNMENT)
    assert host.row_uuids() == before


def test_a_frozen_database_is_unavailable_and_then_goes_on(host: NamespaceHost) -> None:
    host.read_state()
    host.database.freeze()
    problems = host.apply((AddBridge(bridge="brAtlas", datapath_type="netdev", fail_mode="secure"),))
    assert "no answer" in problems[0]
    with pytest.raises(HostUnavailable, match="not answered"):
        host.read_state()
    host.database.thaw()
    # the transaction that nobody waited for any more is done, not twice
    wait_until(
        lambda: answers(host) and "brAtlas" in host.read_state().switch.bridges, timeout_s=10, what="done"
    )
    make_equal(host, ASSIGNMENT)


def test_the_active_member_of_a_bond_is_reported(host: NamespaceHost) -> None:
    add_links(host)
    make_equal(host, ASSIGNMENT)

    def active() -> str:
        return make_report("h1", ASSIGNMENT, host.read_state(), SETTINGS).bonds[0].active_interface

    wait_until(lambda: active() == "eth1", timeout_s=10, what="the primary is active")
    host.set_link("x-eth1", "down")
    wait_until(lambda: active() == "eth2", timeout_s=10, what="the other is active")
    host.set_link("x-eth1", "up")
    wait_until(lambda: active() == "eth1", timeout_s=10, what="the primary is active again")


def answers(host: NamespaceHost) -> bool:
    try:
        host.read_state()
    except HostUnavailable:
        return False
    return True
