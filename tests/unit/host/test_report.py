"""What a host's report says, from what the host has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from netctl_host.report import make_report
from netctl_host.reported import BondReport, BridgeReport, HostReport, LinkReport, NicReport, TunnelReport
from netctl_host.settings import Settings
from netctl_host.state import HostState, Interface, Link, OpenVSwitchState, Port

from tests.unit.host.samples import assign, bridge_with, nic, plain_port, switch_with, uplink

ASSIGNMENT = assign(uplink(0, "eth1", "eth2"), nics=(nic(1),))
MAC1, MAC2 = "02:00:00:00:00:01", "02:00:00:00:00:02"
BOND = Port(name="br0-up", interfaces=("eth1", "eth2"), active_mac="02:00:00:00:00:02")
PLUGGED = Interface(
    name="tap1", ofport=3, external_ids={"iface-id": nic(1).iface_id, "ovn-installed": "true"}
)
LINKS = {
    "eth1": Link(name="eth1", mac_address="02:00:00:00:00:01", mtu_bytes=9000),
    "eth2": Link(name="eth2", mac_address="02:00:00:00:00:02", up=True, carrier=True, mtu_bytes=9000),
    "tap1": Link(name="tap1"),
}


def switch(tap: Interface = PLUGGED, *others: Interface, nb_cfg: str = "7") -> OpenVSwitchState:
    """Return br0 with its bond, brAtlas with `tap` and `others`."""
    integration = bridge_with("brAtlas", *(plain_port(interface.name) for interface in (tap, *others)))
    integration = replace(integration, external_ids={"ovn-nb-cfg": nb_cfg})
    return switch_with(bridge_with("br0", BOND), integration, interfaces=(tap, *others))


def report(state: HostState) -> HostReport:
    return make_report("h1", ASSIGNMENT, state, Settings())


def test_a_host_as_it_should_be() -> None:
    state = HostState(switch=switch(), links=LINKS, ovn_controller_connected=True)
    assert report(state) == HostReport(
        host_id="h1",
        nb_cfg=7,
        ovn_controller_connected=True,
        nics=(NicReport(iface_id=nic(1).iface_id, tap_present=True, plugged=True, ovn_installed=True),),
        links=(
            LinkReport(
                interface="eth1",
                present=True,
                up=False,
                mtu_bytes=9000,
                uplink=True,
                mac_address=MAC1,
                bridge="br0",
            ),
            LinkReport(
                interface="eth2",
                present=True,
                up=True,
                mtu_bytes=9000,
                uplink=True,
                mac_address=MAC2,
                bridge="br0",
            ),
        ),
        bonds=(
            BondReport(bond="br0-up", active_interface="eth2", up_interfaces=("eth2",), lacp_status="off"),
        ),
        bridges=(BridgeReport(bridge="br0", physnet="physnet-vs0", up=True),),
    )


def test_a_host_without_anything() -> None:
    made = report(HostState())
    assert made.nics == (
        NicReport(iface_id=nic(1).iface_id, tap_present=False, plugged=False, ovn_installed=False),
    )
    assert made.links[0] == LinkReport(interface="eth1", present=False, up=False, mtu_bytes=0, uplink=True)
    assert made.bonds == (
        BondReport(bond="br0-up", active_interface="", up_interfaces=(), lacp_status="off"),
    )
    assert made.bridges == (BridgeReport(bridge="br0", physnet="physnet-vs0", up=False),)
    assert made.problems == ("interface eth1 of br0-up is not there", "interface eth2 of br0-up is not there")


def test_before_the_first_assignment_only_the_host_speaks() -> None:
    made = make_report("h1", None, HostState(switch=switch()), Settings())
    assert made == HostReport(host_id="h1", nb_cfg=7)


@pytest.mark.parametrize(
    "tap",
    [
        replace(PLUGGED, ofport=0),
        replace(PLUGGED, external_ids={"iface-id": "another", "ovn-installed": "true"}),
    ],
)
def test_installed_is_said_of_this_nic_only(tap: Interface) -> None:
    made = report(HostState(switch=switch(tap), links=LINKS))
    assert not made.nics[0].plugged
    assert not made.nics[0].ovn_installed


def test_a_plugged_nic_waits_for_its_flows() -> None:
    tap = replace(PLUGGED, external_ids={"iface-id": nic(1).iface_id})
    made = report(HostState(switch=switch(tap), links=LINKS)).nics[0]
    assert made.plugged
    assert not made.ovn_installed


@pytest.mark.parametrize(
    ("localnet", "flowing", "installed"),
    [
        ("", set(), True),
        ("localnet-a", set(), False),
        ("localnet-a", {"patch-brAtlas-to-localnet-b"}, False),
        ("localnet-a", {"patch-brAtlas-to-localnet-a"}, True),
    ],
)
def test_a_nic_of_a_vlan_waits_for_the_way_out(localnet: str, flowing: set[str], installed: bool) -> None:
    state = HostState(switch=switch(), links=LINKS, flowing_patches=frozenset(flowing))
    assignment = assign(nics=(nic(1, localnet=localnet),))
    assert make_report("h1", assignment, state, Settings()).nics[0].ovn_installed == installed


def test_flows_that_cannot_be_asked_for_are_a_problem() -> None:
    state = HostState(switch=switch(), links=LINKS, flows_problem="ovs-vswitchd is silent")
    assert report(state).problems == ("ovs-vswitchd is silent",)


@pytest.mark.parametrize(
    ("tunnel", "up"),
    [
        (Interface(name="ovn-h2", type="geneve", remote_ip="192.0.2.12", ofport=4), True),
        (Interface(name="ovn-h2", type="geneve", remote_ip="192.0.2.12"), False),
        (Interface(name="ovn-h2", type="geneve", remote_ip="192.0.2.12", ofport=4, error="x"), False),
    ],
)
def test_tunnels(tunnel: Interface, up: bool) -> None:
    made = report(HostState(switch=switch(PLUGGED, tunnel), links=LINKS))
    assert made.tunnels == (TunnelReport(remote_ip="192.0.2.12", up=up),)


@pytest.mark.parametrize(
    ("enabled", "state", "told"),
    [
        (True, "up", TunnelReport(remote_ip="192.0.2.12", up=True, bfd=True, bfd_up=True)),
        (True, "down", TunnelReport(remote_ip="192.0.2.12", up=False, bfd=True)),
        (True, "", TunnelReport(remote_ip="192.0.2.12", up=True, bfd=True)),
        # what ovs-vswitchd has not cleared yet of a BFD that was switched off
        (False, "down", TunnelReport(remote_ip="192.0.2.12", up=True)),
        (False, "up", TunnelReport(remote_ip="192.0.2.12", up=True)),
    ],
)
def test_tunnels_with_bfd(enabled: bool, state: str, told: TunnelReport) -> None:
    tunnel = Interface(name="ovn-h2", type="geneve", remote_ip="192.0.2.12", ofport=4)
    tunnel = replace(tunnel, bfd_enabled=enabled, bfd_state=state)
    assert report(HostState(switch=switch(PLUGGED, tunnel), links=LINKS)).tunnels == (told,)


@pytest.mark.parametrize("text", ["", "x", "-1"])
def test_an_unreadable_nb_cfg_counts_as_none(text: str) -> None:
    assert report(HostState(switch=switch(nb_cfg=text))).nb_cfg == 0


def test_problems_name_who_holds_what() -> None:
    elsewhere = switch_with(
        bridge_with("br-ex", plain_port("eth1")), bridge_with("br-int", plain_port("tap1"))
    )
    assert report(HostState(switch=elsewhere, links=LINKS)).problems == (
        "interface eth1 of br0-up is in bridge br-ex, which is not ours: take it out there, or name another uplink",
        "tap tap1 of nics/n1 is in bridge br-int",
    )


def test_what_ovs_could_not_do_is_reported() -> None:
    tap = replace(PLUGGED, ofport=0, error="could not open network device tap1")
    assert report(HostState(switch=switch(tap), links=LINKS)).problems == (
        "ovs-vswitchd: tap1: could not open network device tap1",
    )


@pytest.mark.parametrize(
    ("current", "status", "active_mac", "carrying"),
    [
        (("eth1", "eth2"), "negotiated", MAC1, ("eth1", "eth2")),
        (("eth2",), "negotiated", MAC2, ("eth2",)),  # eth1's partner is silent
        ((), "configured", MAC1, ("eth1", "eth2")),  # nobody speaks it: fallen back
        ((), "configured", "", ()),  # it may not
        (("eth1", "eth2"), "negotiated", "", ()),  # they still listen for a partner
    ],
)
def test_lacp_says_which_uplinks_carry(
    current: tuple[str, ...], status: str, active_mac: str, carrying: tuple[str, ...]
) -> None:
    bond = replace(BOND, lacp="active", active_mac=active_mac)
    members = tuple(Interface(name=name, lacp_current=name in current) for name in ("eth1", "eth2"))
    there = switch_with(bridge_with("br0", bond), interfaces=members)
    links = {name: replace(link, carrier=True) for name, link in LINKS.items()}
    made = report(HostState(switch=there, links=links, lacp={"br0-up": status}))
    assert made.bonds[0].up_interfaces == carrying
    assert made.bridges[0].up == bool(carrying), "a rollout waits for it"
