"""Plans of uplinks: bonds and LACP, who may not be taken, addresses that are ours, internal ports, a Linux bridge."""

from __future__ import annotations

from dataclasses import replace

import pytest
from netctl_host.assignment import InternalBridge, InternalPort
from netctl_host.report import make_report
from netctl_host.state import HostState, Link

from tests.fakes.host import FakeHost
from tests.unit.host.samples import assign, bridge_with, host_with, plain_port, switch_with, uplink
from tests.unit.host.test_plan import SETTINGS, converge, plan_for

WAY = "192.0.2.7"
CARD = Link(name="eth1", index=2, up=True, mtu_bytes=9000, addresses=(f"{WAY}/24",))


def problems(state: HostState, *uplinks, **others) -> tuple[str, ...]:  # type: ignore[no-untyped-def]
    """Return what the report says."""
    return make_report("h1", replace(assign(*uplinks), **others), state, SETTINGS).problems


@pytest.mark.parametrize(
    ("wanted", "mode", "lacp"),
    [
        (uplink(0, "eth1", "eth2"), ("active-backup", "eth1"), ("", "", False)),
        (replace(uplink(0, "eth1", "eth2"), primary="eth2"), ("active-backup", "eth2"), ("", "", False)),
        (replace(uplink(0, "eth1", "eth2"), bond_mode="balance-slb"), ("balance-slb", ""), ("", "", False)),
        (
            replace(uplink(0, "eth1", "eth2"), bond_mode="balance-tcp", lacp="active"),
            ("balance-tcp", ""),
            ("active", "fast", True),
        ),
        (
            replace(
                uplink(0, "eth1", "eth2"),
                bond_mode="balance-tcp",
                lacp="active",
                lacp_fast=False,
                lacp_fallback=False,
            ),
            ("balance-tcp", ""),
            ("active", "slow", False),
        ),
        (replace(uplink(0, "eth1"), bond_mode=""), ("", ""), ("", "", False)),
    ],
)
def test_bond_modes_as_ovs_spells_them(wanted, mode, lacp) -> None:  # type: ignore[no-untyped-def]
    host = host_with("eth1", "eth2")
    port = converge(host, assign(wanted)).switch.bridges["br0"].ports["br0-up"]
    assert (port.bond_mode, port.bond_primary) == mode
    assert (port.lacp, port.lacp_time, port.lacp_fallback) == lacp
    # and from there to the plainest, and back
    converge(host, assign(uplink(0, "eth1", "eth2")))
    again = converge(host, assign(wanted)).switch.bridges["br0"].ports["br0-up"]
    assert again == port


def test_without_a_bond_there_is_one_uplink() -> None:
    host = host_with("eth1", "eth2")
    plain = replace(uplink(0, "eth1", "eth2"), bond_mode="")
    state = converge(host, assign(plain))
    assert state.switch.bridges["br0"].ports["br0-up"].interfaces == ("eth1",)
    assert problems(state, plain) == (
        "interface eth2 of br0-up is left out: without a bond mode there is one uplink",
    )


def test_an_interface_of_two_bridges_stays_with_the_first() -> None:
    host = host_with("eth1", "eth2")
    both = (uplink(0, "eth1"), uplink(1, "eth1", "eth2"))
    state = converge(host, assign(*both))
    assert state.switch.bridges["br0"].ports["br0-up"].interfaces == ("eth1",)
    assert state.switch.bridges["br1"].ports["br1-up"].interfaces == ("eth2",)
    assert problems(state, *both) == ("interface eth1 of br1-up is an uplink of br0, too, and stays there",)


def test_who_is_held_by_others_is_left_alone() -> None:
    host = FakeHost(
        HostState(
            switch=switch_with(bridge_with("br-ex", plain_port("eth3"))),
            links={
                "eth1": Link(name="eth1", master="virbr9"),
                "virbr9": Link(name="virbr9", kind="bridge"),
                "eth2": Link(name="eth2", master="bond9"),
                "bond9": Link(name="bond9", kind="bond"),
                "eth3": Link(name="eth3"),
                "eth4": Link(name="eth4", master="ovs-system"),
                "ovs-system": Link(name="ovs-system", kind="openvswitch"),
            },
        )
    )
    wanted = uplink(0, "eth1", "eth2", "eth3", "eth4")
    state = converge(host, assign(wanted))
    assert state.switch.bridges["br0"].ports["br0-up"].interfaces == ("eth4",)
    assert problems(state, wanted) == (
        "interface eth1 of br0-up is a port of the Linux bridge virbr9; take it out there first",
        "interface eth2 of br0-up is a member of the kernel's bond bond9; take it out there first",
        "interface eth3 of br0-up is in bridge br-ex, which is not ours: take it out there, or name another uplink",
    )
    # a kernel bond as such is an uplink like a card
    assert converge(host, assign(uplink(0, "bond9"))).switch.bridges["br0"].ports["br0-up"].interfaces == (
        "bond9",
    )


@pytest.mark.parametrize("name", ["eth1", "vlan7"])
def test_the_way_to_the_controller_is_taken_with_its_address_alone(name: str) -> None:
    card = replace(CARD, addresses=() if name == "vlan7" else CARD.addresses)
    links = {"eth1": card, "vlan7": Link(name="vlan7", parent="eth1", addresses=(f"{WAY}/24",))}
    if name == "eth1":
        del links["vlan7"]
    state = HostState(links=links, controller_way=WAY)
    (problem,) = (sentence for sentence in problems(state, uplink(0, "eth1")) if WAY in sentence)
    assert problem.startswith(
        f"interface eth1 of br0-up has the address {WAY}, which leads to the controller"
    )
    listed = replace(uplink(0, "eth1"), host_addresses=(f"{WAY}/24",))
    told = [sentence for sentence in problems(state, listed) if WAY in sentence]
    assert len(told) == (0 if name == "eth1" else 1)  # what is on top of it does not move along


def test_addresses_that_are_ours_go_and_others_stay() -> None:
    host = host_with("eth1")
    mine = replace(uplink(0, "eth1"), host_addresses=("198.51.100.7/24", "2001:DB8::7/64"))
    converge(host, assign(mine))
    host.add_address("br0", "203.0.113.9/24")
    other = replace(mine, host_addresses=("198.51.100.8/24", "203.0.113.9/24"))
    assert converge(host, assign(other)).links["br0"].addresses == ("198.51.100.8/24", "203.0.113.9/24")
    # that one was there: it is not ours
    assert converge(host, assign(uplink(0, "eth1"))).links["br0"].addresses == ("203.0.113.9/24",)
    assert not [key for key in host.read_state().switch.external_ids if key.startswith("netctl:addresses")]


def test_a_bridge_that_leads_to_the_controller_is_kept() -> None:
    host = host_with("eth1")
    state = converge(host, assign(replace(uplink(0, "eth1"), host_addresses=(f"{WAY}/24",))))
    there = replace(state, controller_way=WAY)
    assert "bridge br0 is no longer assigned, leads to the controller and is therefore kept" in problems(
        there
    )
    assert "br0" not in converge(host, assign()).switch.bridges  # one that does not lead there goes


def test_internal_ports_come_change_and_go() -> None:
    host = host_with("eth1")
    port = InternalPort(name="stor0", bridge="br0", vlan_id=9, addresses=("10.9.0.1/24",), mtu_bytes=1400)
    wanted = replace(assign(uplink(0, "eth1")), internal_ports=(port,))
    state = converge(host, wanted)
    assert state.switch.bridges["br0"].ports["stor0"].tag == 9
    assert (state.links["stor0"].addresses, state.links["stor0"].mtu_bytes) == (("10.9.0.1/24",), 1400)
    state = converge(host, replace(wanted, internal_ports=(replace(port, vlan_id=0, addresses=()),)))
    assert (state.switch.bridges["br0"].ports["stor0"].tag, state.links["stor0"].addresses) == (None, ())
    assert "stor0" not in converge(host, assign(uplink(0, "eth1"))).links


def test_a_name_that_somebody_uses_is_no_internal_port() -> None:
    host = host_with("eth1", "stor0")
    port = InternalPort(name="stor0", bridge="br0", addresses=("10.9.0.1/24",))
    wanted = replace(assign(uplink(0, "eth1")), internal_ports=(port,))
    state = converge(host, wanted)
    assert state.links["stor0"].addresses == ()
    assert problems(state, uplink(0, "eth1"), internal_ports=(port,)) == (
        "internal port stor0 of br0: a link of that name is there, and not a port of OVS",
    )
    (problem,) = problems(state, uplink(0, "eth1"), internal_ports=(replace(port, bridge="br7"),))
    assert problem == "internal port stor0: this host has no uplink bridge br7"


def test_a_linux_bridge_of_ours_goes_and_an_adopted_one_stays() -> None:
    host = host_with("eth1", "eth2")
    inner = InternalBridge(name="virbr0", addresses=("192.168.5.1/24",), interfaces=("eth2", "eth1"))
    wanted = replace(assign(uplink(0, "eth1")), internal_bridge=inner)
    state = converge(host, wanted)
    assert (state.links["eth2"].master, state.links["virbr0"].addresses) == ("virbr0", ("192.168.5.1/24",))
    assert problems(state, uplink(0, "eth1"), internal_bridge=inner) == (
        "interface eth1 of virbr0 is in OVS bridge br0",
    )
    state = converge(host, assign(uplink(0, "eth1")))
    assert "virbr0" not in state.links
    assert state.links["eth2"].master == ""

    theirs = {"virbr0": Link(name="virbr0", kind="bridge", up=True), "eth1": Link(name="eth1")}
    theirs |= {"eth2": Link(name="eth2"), "eth3": Link(name="eth3", master="virbr0")}
    host = FakeHost(HostState(links=theirs))
    converge(host, replace(wanted, internal_bridge=replace(inner, interfaces=("eth2", "eth3"))))
    state = converge(host, assign(uplink(0, "eth1")))
    assert state.links["virbr0"].addresses == ()
    assert (state.links["eth2"].master, state.links["eth3"].master) == ("", "virbr0")


def test_multicast_snooping_is_switched_on_and_off() -> None:
    host = host_with("eth1")
    snooping = replace(uplink(0, "eth1"), mcast_snooping=True, mcast_timeout_s=120)
    bridge = converge(host, assign(snooping)).switch.bridges["br0"]
    assert (bridge.mcast_snooping, bridge.mcast_timeout_s) == (True, 120)
    bridge = converge(host, assign(uplink(0, "eth1"))).switch.bridges["br0"]
    assert (bridge.mcast_snooping, bridge.mcast_timeout_s) == (False, 0)
    assert plan_for(host, assign(uplink(0, "eth1"))) == ()
