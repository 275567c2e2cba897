"""Real ovs-vswitchd's words for bonds, LACP and learned addresses are read; real cards and their neighbours."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest
from netctl_host.assignment import Assignment
from netctl_host.inspection import BondState, Inspected, Inspection, Question
from netctl_host.inspector import Inspector
from netctl_host.report import make_report
from netctl_host.reported import LinkReport

from netctl.loop import wait_until
from tests.functional.host.namespace import NamespaceHost
from tests.functional.host.test_contract import SETTINGS, converge
from tests.unit.host.samples import assign, uplink
from tests.unit.host.test_lldp import NEIGHBOR, WHOLE

LACP = assign(replace(uplink(0, "eth1", "eth2"), bond_mode="balance-tcp", lacp="active"), uplink(1, "eth3"))
OTHER_SIDE = "brx-up"


@pytest.fixture
def switched(host: NamespaceHost) -> NamespaceHost:
    """A host with a bond of two and a single uplink, whose other ends are ports of a switch that speaks LACP."""
    for link in ("eth1", "eth2", "eth3"):
        host.add_link(link, mtu_bytes=9000)
    host.vsctl("add-br", "brx", "--", "set", "bridge", "brx", "datapath_type=netdev")
    host.vsctl(
        *("add-bond", "brx", OTHER_SIDE, "x-eth1", "x-eth2", "bond_mode=balance-tcp", "lacp=active"),
        *("other_config:lacp-time=fast", "--", "add-port", "brx", "x-eth3", "tag=7"),
    )
    converge(host, LACP)
    wait_until(lambda: host.read_state().switch.is_applied, timeout_s=10, what="ovs-vswitchd is done")
    converge(host, LACP)
    host.set_link("brx", "up")
    return host


def look(
    host: NamespaceHost, inspected: Inspected, bridge: str = "", wanted: Assignment = LACP
) -> Inspection:
    """Ask as the controller does."""
    inspector = Inspector(host.directory)
    inspector.tell(wanted, host.read_state())
    return inspector.answer(Question(id=7, inspected=inspected, bridge=bridge))


def test_a_negotiated_pair_and_one_that_is_no_longer(switched: NamespaceHost) -> None:
    def bond(number: int = 0) -> BondState:
        return look(switched, Inspected.BONDS).bonds[number]

    wait_until(lambda: bond().lacp_status == "negotiated", timeout_s=15, what="LACP is negotiated")
    wait_until(lambda: all(one.enabled for one in bond().members), timeout_s=10, what="both carry traffic")
    found = bond()
    assert (found.bridge, found.bond, found.bond_mode, found.fallback) == (
        "br0",
        "br0-up",
        "balance-tcp",
        False,
    )
    assert found.active_interface in ("eth1", "eth2")
    assert len(found.partner_system_id) == 17
    assert {one.interface for one in found.members} == {"eth1", "eth2"}
    for member in found.members:
        assert (member.carrier, member.lacp_status) == (True, "current")
        assert member.actor_state.startswith("activity timeout aggregation synchronized")
        assert "collecting" in member.partner_state
    single = bond(1)
    assert (single.bond, single.bond_mode, single.lacp_status) == ("br1-up", "", "off")
    assert [(one.interface, one.enabled, one.carrier) for one in single.members] == [("eth3", True, True)]

    report = make_report("h1", LACP, switched.read_state(), SETTINGS)
    assert [(one.bond_mode, one.lacp_status) for one in report.bonds] == [
        ("balance-tcp", "negotiated"),
        ("", "off"),
    ]

    # The switch speaks it no more: traffic goes on over one of the two.
    switched.vsctl("set", "port", OTHER_SIDE, "lacp=off", "bond_mode=active-backup")
    wait_until(lambda: bond().fallback, timeout_s=15, what="fallback")
    found = bond()
    assert found.lacp_status == "configured"
    assert found.partner_system_id == ""
    assert found.active_interface in ("eth1", "eth2")
    report = make_report("h1", LACP, switched.read_state(), SETTINGS)
    assert report.bonds[0].lacp_status == "configured"


def test_who_was_learned_where(switched: NamespaceHost) -> None:
    with switched.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("brx", 0))
        frame = bytes.fromhex("ffffffffffff02000000007788b5") + bytes(46)

        def is_learned() -> bool:
            sender.send(frame)
            entries = look(switched, Inspected.MAC_TABLE, "br0").mac_entries
            return any(one.mac_address == "02:00:00:00:00:77" and one.port == "br0-up" for one in entries)

        wait_until(is_learned, timeout_s=15, what="the MAC address is seen", poll_s=0.2)
    entries = look(switched, Inspected.MAC_TABLE).mac_entries
    assert {one.bridge for one in entries} <= {"br0", "br1"}
    (one,) = [one for one in entries if one.mac_address == "02:00:00:00:00:77" and one.bridge == "br0"]
    assert (one.vlan_id, one.age_s < 60) == (0, True)


def test_what_cannot_be_looked_at_is_said(switched: NamespaceHost) -> None:
    assert look(switched, Inspected.BONDS, "br7").problem == "this host has no uplink bridge br7"
    inspector = Inspector(switched.directory)
    inspector.tell(LACP, switched.read_state())
    switched.stop_vswitchd()
    problem = inspector.answer(Question(id=1, inspected=Inspected.BONDS)).problem
    assert problem.startswith("ovs-vswitchd cannot be asked: ")


def test_cards_and_their_neighbors_are_reported(switched: NamespaceHost) -> None:
    switched.add_link("eth9", mtu_bytes=1400)

    def cards() -> dict[str, LinkReport]:
        report = make_report("h1", LACP, switched.read_state(), SETTINGS)
        return {link.interface: link for link in report.links}

    found = cards()
    assert [name for name, link in found.items() if link.uplink] == ["eth1", "eth2", "eth3"]
    assert (found["eth1"].driver, found["eth1"].speed_mbps, found["eth1"].full_duplex) == (
        "veth",
        10000,
        True,
    )
    assert (found["eth1"].bridge, found["eth9"].bridge, found["eth9"].mtu_bytes) == ("br0", "", 1400)
    assert "br0" not in found
    assert "lo" not in found

    wakes = switched.wakes
    with switched.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("x-eth1", 0))
        for _ in range(200):
            sender.send(WHOLE)
        wait_until(lambda: cards()["eth1"].neighbor == NEIGHBOR, timeout_s=5, what="the neighbour is known")
        assert cards()["eth2"].neighbor is None
        sender.send(WHOLE.replace(bytes.fromhex("06020078"), bytes.fromhex("06020000")))
        wait_until(lambda: cards()["eth1"].neighbor is None, timeout_s=5, what="it took that back")
    assert switched.wakes - wakes < 10
