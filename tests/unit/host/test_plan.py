"""The plan's actions, exactly, for what a host may have."""

from __future__ import annotations

from dataclasses import replace

from netctl_host.actions import (
    Action,
    AddAddress,
    AddBond,
    AddBridge,
    DisableChecksumOffload,
    PlugTap,
    RemoveBridge,
    RemovePort,
    SetBond,
    SetBridge,
    SetChassis,
    SetInternalMtu,
    SetLinkUp,
    SetMtu,
    UnplugTap,
)
from netctl_host.assignment import Assignment
from netctl_host.plan import plan
from netctl_host.plan_uplinks import choose_datapath_type
from netctl_host.settings import Settings
from netctl_host.state import HostState, Interface, Port

from tests.fakes.host import FakeHost
from tests.unit.host.samples import (
    assign,
    bridge_with,
    host_with,
    nic,
    plain_port,
    switch_with,
    uplink,
)

SETTINGS = Settings()


def plan_for(host: FakeHost, assignment: Assignment) -> tuple[Action, ...]:
    """Return what is to do on `host`."""
    return plan(assignment, host.read_state(), SETTINGS)


def converge(host: FakeHost, assignment: Assignment) -> HostState:
    """Plan and act until nothing is left; return the state."""
    for _round in range(4):
        actions = plan_for(host, assignment)
        if not actions:
            return host.read_state()
        assert host.apply(actions) == ()
    raise AssertionError(f"still to do: {plan_for(host, assignment)}")


def test_an_empty_host_gets_everything() -> None:
    host = host_with("eth1", "eth2", "tap1")
    assignment = assign(uplink(0, "eth1", "eth2", address="192.0.2.11/24"), nics=(nic(1), nic(2)))
    first = plan_for(host, assignment)
    assert first == (
        AddBridge(bridge="br0", datapath_type="netdev", fail_mode="standalone"),
        AddBridge(bridge="brAtlas", datapath_type="netdev", fail_mode="secure"),
        SetInternalMtu(bridge="br0", mtu_bytes=9000),
        AddBond(
            bridge="br0",
            bond="br0-up",
            interfaces=("eth1", "eth2"),
            bond_mode="active-backup",
            primary="eth1",
        ),
        SetChassis(
            external_ids=(
                ("hostname", "h1"),
                ("netctl:physnets", "physnet-vs0"),
                ("ovn-bridge", "brAtlas"),
                ("ovn-bridge-datapath-type", "netdev"),
                ("ovn-bridge-mappings", "physnet-vs0:br0"),
                ("ovn-encap-ip", "192.0.2.11"),
                ("ovn-encap-type", "geneve"),
                ("ovn-ofctrl-wait-before-clear", "3000"),
                ("ovn-remote", "tcp:192.0.2.1:6642"),
                ("system-id", "h1"),
            ),
            other_config=(("max-revalidator", "100"),),
        ),
        PlugTap(bridge="brAtlas", tap="tap1", iface_id=nic(1).iface_id, mac_address="50:6b:8d:00:00:01"),
        SetMtu(link="eth1", mtu_bytes=9000),
        SetLinkUp(link="eth1"),
        SetMtu(link="eth2", mtu_bytes=9000),
        SetLinkUp(link="eth2"),
        SetMtu(link="tap1", mtu_bytes=1442),
        SetLinkUp(link="tap1"),
        DisableChecksumOffload(link="tap1"),
        SetChassis(external_ids=(("netctl:addresses:br0", "192.0.2.11/24"),)),
    )
    host.apply(first)
    # ovs-vswitchd has made br0's internal port in between
    second = plan_for(host, assignment)
    assert second == (SetLinkUp(link="br0"), AddAddress(link="br0", address="192.0.2.11/24"))
    host.apply(second)
    assert plan_for(host, assignment) == ()


def test_a_single_interface_is_a_plain_port_of_the_bonds_name() -> None:
    actions = plan_for(host_with("eth1"), assign(uplink(0, "eth1")))
    bond = AddBond(bridge="br0", bond="br0-up", interfaces=("eth1",), bond_mode="", primary="")
    assert bond in actions


def test_a_second_interface_turns_the_port_into_a_bond_in_place() -> None:
    host = host_with("eth1", "eth2")
    converge(host, assign(uplink(0, "eth1")))
    actions = plan_for(host, assign(uplink(0, "eth1", "eth2")))
    grown = SetBond(bond="br0-up", interfaces=("eth1", "eth2"), bond_mode="active-backup", primary="eth1")
    assert actions == (grown, SetMtu(link="eth2", mtu_bytes=9000), SetLinkUp(link="eth2"))


def test_a_bridge_and_a_bond_of_another_name_are_adopted() -> None:
    bond0 = Port(name="bond0", interfaces=("eth1", "eth2"), bond_mode="active-backup", bond_primary="eth1")
    host = host_with(
        "eth1",
        "eth2",
        switch=switch_with(
            bridge_with("br0", bond0, fail_mode="standalone"), bridge_with("brAtlas", fail_mode="secure")
        ),
    )
    touching = [
        action
        for action in plan_for(host, assign(uplink(0, "eth1", "eth2")))
        if not isinstance(action, SetChassis | SetInternalMtu | SetMtu | SetLinkUp)
    ]
    assert touching == []


def test_a_plain_uplink_port_moves_into_the_bond() -> None:
    host = host_with("eth1", "eth2", switch=switch_with(bridge_with("br0", plain_port("eth1"))))
    actions = plan_for(host, assign(uplink(0, "eth1", "eth2")))
    assert RemovePort(bridge="br0", port="eth1") in actions
    state = converge(host, assign(uplink(0, "eth1", "eth2")))
    assert set(state.switch.bridges["br0"].ports) == {"br0", "br0-up"}


def test_an_interface_of_a_foreign_bridge_stays_there() -> None:
    host = host_with("eth1", "eth2", switch=switch_with(bridge_with("br-ex", plain_port("eth2"))))
    state = converge(host, assign(uplink(0, "eth1", "eth2")))
    assert state.switch.bridges["br-ex"].ports["eth2"].interfaces == ("eth2",)
    assert state.switch.bridges["br0"].ports["br0-up"].interfaces == ("eth1",)
    assert not state.links["eth2"].up


def test_an_interface_moves_between_our_bridges() -> None:
    host = host_with("eth1", "eth2", "eth3")
    converge(host, assign(uplink(0, "eth1", "eth2"), uplink(1, "eth3")))
    state = converge(host, assign(uplink(0, "eth1"), uplink(1, "eth2", "eth3")))
    assert state.switch.bridges["br0"].ports["br0-up"].interfaces == ("eth1",)
    assert state.switch.bridges["br1"].ports["br1-up"].interfaces == ("eth2", "eth3")


def test_a_bridge_of_ours_without_assignment_goes_an_adopted_one_stays() -> None:
    host = host_with("eth1", "eth2", switch=switch_with(bridge_with("br0", plain_port("eth1"))))
    both = assign(uplink(0, "eth1"), uplink(1, "eth2"))
    converge(host, both)
    actions = plan_for(host, assign())
    assert [action for action in actions if isinstance(action, RemoveBridge)] == [RemoveBridge(bridge="br1")]
    state = converge(host, assign())
    assert set(state.switch.bridges) == {"br0", "brAtlas"}
    assert "ovn-bridge-mappings" not in state.switch.external_ids
    assert "netctl:physnets" not in state.switch.external_ids


def test_foreign_mappings_and_keys_stay() -> None:
    foreign = {"ovn-bridge-mappings": "legacy:br-ex", "rundir": "/run/openvswitch"}
    host = host_with(
        "eth1",
        switch=switch_with(bridge_with("br-ex"), external_ids=foreign),
    )
    state = converge(host, assign(uplink(0, "eth1")))
    assert state.switch.external_ids["ovn-bridge-mappings"] == "legacy:br-ex,physnet-vs0:br0"
    assert state.switch.external_ids["rundir"] == "/run/openvswitch"
    state = converge(host, assign())
    assert state.switch.external_ids["ovn-bridge-mappings"] == "legacy:br-ex"


def test_every_uplink_bridge_is_mapped() -> None:
    host = host_with("eth1", "eth2")
    state = converge(host, assign(uplink(0, "eth1"), uplink(1, "eth2")))
    assert state.switch.external_ids["ovn-bridge-mappings"] == "physnet-vs0:br0,physnet-vs1:br1"


def test_what_the_controller_does_not_know_stays_the_operators() -> None:
    host = host_with(switch=switch_with(external_ids={"ovn-remote": "tcp:192.0.2.9:6642"}))
    unknown = replace(assign(), chassis=replace(assign().chassis, ovn_remote=""))
    assert converge(host, unknown).switch.external_ids["ovn-remote"] == "tcp:192.0.2.9:6642"


def test_a_tap_that_vanished_is_unplugged_and_plugged_when_it_is_back() -> None:
    host = host_with("tap1")
    assignment = assign(nics=(nic(1),))
    converge(host, assignment)
    host.remove_link("tap1")
    assert plan_for(host, assignment) == (UnplugTap(bridge="brAtlas", tap="tap1"),)
    converge(host, assignment)
    host.add_link("tap1")
    assert PlugTap(
        bridge="brAtlas", tap="tap1", iface_id=nic(1).iface_id, mac_address=nic(1).mac_address
    ) in plan_for(host, assignment)


def test_a_tap_without_assignment_gets_nothing() -> None:
    host = host_with("tap1", "tap2")
    converge(host, assign(nics=(nic(1),)))
    assert host.read_state().links["tap2"].up is False
    assert plan_for(host, assign()) == (UnplugTap(bridge="brAtlas", tap="tap1"),)


def test_a_foreign_port_of_bratlas_stays_and_an_assigned_one_is_adopted() -> None:
    there = Interface(name="tap1", external_ids={"iface-id": nic(1).iface_id, "vm": "web"})
    host = host_with(
        "tap1",
        "tap9",
        switch=switch_with(
            bridge_with("brAtlas", plain_port("tap1"), plain_port("tap9")), interfaces=(there,)
        ),
    )
    state = converge(host, assign(nics=(nic(1),)))
    assert set(state.switch.bridges["brAtlas"].ports) == {"brAtlas", "tap1", "tap9"}
    assert state.switch.interfaces["tap1"].external_ids["vm"] == "web"
    assert state.switch.interfaces["tap1"].is_ours
    assert state.switch.interfaces["tap9"].external_ids == {}


def test_a_tap_with_the_ids_of_another_nic_is_corrected_in_its_place() -> None:
    host = host_with("tap1")
    converge(host, assign(nics=(nic(1),)))
    for other in (
        replace(nic(1), iface_id=nic(2).iface_id),
        replace(nic(1), mac_address="50:6b:8d:00:00:02"),
    ):
        assert plan_for(host, assign(nics=(other,))) == (
            PlugTap(bridge="brAtlas", tap="tap1", iface_id=other.iface_id, mac_address=other.mac_address),
        )


def test_a_tap_in_another_bridge_is_left_alone() -> None:
    host = host_with("tap1", switch=switch_with(bridge_with("br-int", plain_port("tap1"))))
    state = converge(host, assign(nics=(nic(1),)))
    assert set(state.switch.bridges["brAtlas"].ports) == {"brAtlas"}
    assert not state.links["tap1"].up


def test_other_addresses_of_br0_stay() -> None:
    host = host_with("eth1")
    converge(host, assign(uplink(0, "eth1", address="192.0.2.11/24")))
    host.apply([AddAddress(link="br0", address="203.0.113.9/24")])
    state = converge(host, assign(uplink(0, "eth1", address="2001:DB8::11/64")))
    assert state.links["br0"].addresses == ("2001:db8::11/64", "203.0.113.9/24")


def test_a_link_of_the_bridges_name_that_is_not_its_internal_port_is_left_alone() -> None:
    host = host_with("br0", "eth1")
    actions = plan_for(host, assign(uplink(0, "eth1", address="192.0.2.11/24")))
    assert not [action for action in actions if getattr(action, "link", "") == "br0"]


def test_datapath_type_auto_keeps_what_works() -> None:
    userspace = HostState(switch=switch_with(bridge_with("brAtlas")), kernel_datapath=True)
    assert choose_datapath_type(assign(), userspace, SETTINGS) == "netdev"
    assert choose_datapath_type(assign(), HostState(kernel_datapath=True), SETTINGS) == "system"
    assert choose_datapath_type(assign(), HostState(), SETTINGS) == "netdev"
    assert choose_datapath_type(assign(), userspace, Settings(datapath_type="system")) == "system"


def test_a_wrong_fail_mode_is_corrected() -> None:
    host = host_with(switch=switch_with(bridge_with("brAtlas", fail_mode="standalone")))
    assert SetBridge(bridge="brAtlas", datapath_type="netdev", fail_mode="secure") in plan_for(host, assign())


def test_the_kernel_datapath_keeps_checksum_offload() -> None:
    state = HostState(kernel_datapath=True)
    host = FakeHost(state)
    host.add_link("tap1")
    assert converge(host, assign(nics=(nic(1),))).links["tap1"].tx_checksum_offload


def test_an_operators_own_setting_of_ovs_vswitchd_stays() -> None:
    switch = replace(switch_with(), other_config={"max-revalidator": "2000", "vlan-limit": "2"})
    actions = plan_for(host_with(switch=switch), assign())
    assert all(action.other_config == () for action in actions if isinstance(action, SetChassis))
