"""One contract for the fake host and a real one: the same actions give the same HostState."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from netctl_host.assignment import Assignment, InternalBridge, InternalPort, NicAssignment
from netctl_host.assignment_chains import Mirror
from netctl_host.plan import plan
from netctl_host.settings import Settings
from netctl_host.state import HostState

from netctl.loop import wait_until
from tests.fakes.host import FakeHost
from tests.functional.host.namespace import NamespaceHost
from tests.unit.host.samples import assign, nic, uplink

SETTINGS = Settings(datapath_type="netdev")

World = FakeHost | NamespaceHost
Story = tuple[Callable[[World], Any] | Assignment, ...]

ONE = assign(uplink(0, "eth1", address="192.0.2.11/24"), nics=(nic(1), nic(2)))
TWO = assign(uplink(0, "eth2", "eth1", address="192.0.2.12/24"), uplink(1, "eth3"), nics=(nic(1),))
GUARDED = assign(uplink(0, "eth1"), nics=(replace(nic(1), guard_ipv6=True), nic(2)))
BONDED = replace(
    assign(
        replace(
            uplink(0, "eth1", "eth2", address="192.0.2.11/24"),
            bond_mode="balance-tcp",
            lacp="active",
            host_addresses=("198.51.100.7/24", "2001:db8::7/64"),
            mcast_snooping=True,
            mcast_timeout_s=120,
        )
    ),
    internal_ports=(
        InternalPort(name="stor0", bridge="br0", vlan_id=9, addresses=("10.9.0.1/24",), mtu_bytes=1400),
    ),
    internal_bridge=InternalBridge(name="virbr0", addresses=("192.168.5.1/24",), interfaces=("eth3",)),
)
SLOW = replace(
    assign(
        replace(
            uplink(0, "eth2", "eth1"),
            lacp="active",
            lacp_fast=False,
            lacp_fallback=False,
            bond_mode="balance-slb",
            host_addresses=("198.51.100.8/24",),
        )
    ),
    internal_ports=(InternalPort(name="stor0", bridge="br0", vlan_id=10, addresses=("10.9.0.2/24",)),),
    internal_bridge=InternalBridge(name="virbr0", addresses=("192.168.5.2/24",)),
)
MOVED = assign(uplink(0, "eth1"), uplink(1, "eth2", "eth3"), nics=(replace(nic(3), tap_name="tap1"),))

BASIC = replace(nic(1), bridge="br0", vlan_id=10)
TRUNK = replace(BASIC, trunk_vlan_ids=(20, 30), vlan_id=0)
CHAINED = replace(BASIC, bridge="br0.local")
FUNCTION = replace(nic(1), bridge="br.nf")
SPAN = replace(nic(2), mirror_destination=True)
COPIED = Mirror(
    mirror_id="m1", bridge="brAtlas", from_ports=("tap1",), to_ports=("tap1",), destination_taps=("tap2",)
)


def on_br0(*nics: NicAssignment, mirrors: tuple[Mirror, ...] = ()) -> Assignment:
    return replace(assign(uplink(0, "eth1"), nics=nics), mirrors=mirrors)


STORIES: dict[str, Story] = {
    "one uplink, two taps": (ONE,),
    "a tap comes, one goes": (
        ONE,
        lambda host: host.remove_link("tap1"),
        lambda host: host.add_link("tap2"),
        ONE,
    ),
    "a port becomes a bond, a bridge is added": (ONE, TWO),
    "an interface moves, a tap changes its NIC": (TWO, MOVED),
    "a bridge goes": (TWO, ONE),
    "everything goes": (TWO, assign()),
    "a tap is guarded": (GUARDED,),
    "a guarded tap comes again, and is guarded no more": (
        GUARDED,
        lambda host: host.remove_link("tap1"),
        lambda host: host.add_link("tap1"),
        GUARDED,
        ONE,
    ),
    "to VLAN basic and back": (ONE, on_br0(BASIC), ONE, on_br0(TRUNK), on_br0(BASIC)),
    "behind br.nf, a function, and nothing of it": (on_br0(CHAINED), on_br0(FUNCTION), on_br0(BASIC), ONE),
    "a cable is pulled": (on_br0(BASIC), on_br0(replace(BASIC, disconnected=True)), on_br0(BASIC)),
    "a mirror": (
        lambda host: host.add_link("tap2"),
        on_br0(nic(1), SPAN, mirrors=(COPIED,)),
        on_br0(nic(1), SPAN, mirrors=(replace(COPIED, to_ports=()),)),
        on_br0(nic(1), SPAN),
    ),
    "LACP, snooping, internal ports and a Linux bridge": (BONDED,),
    "they change": (BONDED, SLOW),
    "they go": (BONDED, SLOW, ONE),
    "and come again": (ONE, BONDED, ONE, BONDED),
    "there and back": (ONE, TWO, ONE, MOVED, ONE),
}


def essence(state: HostState) -> object:
    """Return the state without what each host numbers and names for itself."""
    interfaces = {
        name: replace(
            interface,
            ofport=min(interface.ofport, 1),
            error=interface.error.partition("(")[0],
            lacp_current=False,
        )
        for name, interface in state.switch.interfaces.items()
    }
    links = {
        name: (link.up, link.mtu_bytes, link.addresses, link.tx_checksum_offload, link.xdp, link.master)
        for name, link in state.links.items()
        if name.startswith(("eth", "tap"))
    }
    internal = {
        name: (link.up, link.addresses)
        for name, link in state.links.items()
        if name in (*state.switch.bridges, "stor0", "virbr0") and name != SETTINGS.integration_bridge
    }
    bridges = {
        name: replace(
            bridge, ports={port: replace(there, active_mac="") for port, there in bridge.ports.items()}
        )
        for name, bridge in state.switch.bridges.items()
    }
    return state.switch.external_ids, bridges, interfaces, links, internal


def converge(host: World, assignment: Assignment) -> None:
    """Plan and act until nothing is left."""

    def nothing_is_left() -> bool:
        actions = plan(assignment, host.read_state(), SETTINGS)
        assert host.apply(actions) == ()
        return not actions

    wait_until(nothing_is_left, timeout_s=10, what="nothing is left to do")


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_the_same_actions_give_the_same_state(host: NamespaceHost, story: Story) -> None:
    fake = FakeHost(HostState())
    for world in (fake, host):
        for link in ("eth1", "eth2", "eth3", "tap1"):
            world.add_link(link)
    for step in story:
        for world in (fake, host):
            if isinstance(step, Assignment):
                # ovs-vswitchd makes internal ports a moment later, and their coming is what a real host waits for
                wait_until(lambda: settled(host), timeout_s=10, what="ovs-vswitchd is done")
                converge(world, step)
            else:
                step(world)
        wait_until(lambda: settled(host), timeout_s=10, what="ovs-vswitchd is done")
        if isinstance(step, Assignment):
            converge(host, step)
            assert essence(host.read_state()) == essence(fake.read_state())


def settled(host: NamespaceHost) -> bool:
    """Return whether ovs-vswitchd has dealt with every interface, and links and database agree."""
    state = host.read_state()
    internal = {name for name, there in state.switch.interfaces.items() if there.type == "internal"}
    return all(
        interface.ofport or interface.error for interface in state.switch.interfaces.values()
    ) and internal <= set(state.links)
