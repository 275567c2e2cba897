"""Edits behind our back are undone and told; what we and the world change is not."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netctl_host.actions import AddAddress, PlugTap, RemovePort, SetBond, SetInternalMtu, SetMtu
from netctl_host.agent import Agent
from netctl_host.reversions import find_reversions
from netctl_host.state import Bridge, HostState, Interface, Port

from tests.fakes.host import FakeHost
from tests.unit.host.samples import assign, host_with, nic, uplink
from tests.unit.host.test_agent import World

WANTED = assign(uplink(0, "eth1", "eth2", address="192.0.2.11/24"), nics=(nic(1),))


@dataclass
class Passes:
    """An agent and its world."""

    world: World
    agent: Agent


def settled() -> tuple[Passes, FakeHost]:
    """A host that equals its assignment."""
    host = host_with("eth1", "eth2", "eth3", "tap1")
    world = World(host, assignment=WANTED)
    agent = world.agent()
    for _ in range(3):
        agent.step()
    assert world.reports[-1].reversions == ()
    return Passes(world, agent), host


def told(passes: Passes) -> list[str]:
    """Have a pass, and what it told."""
    passes.agent.step()
    return [reversion.message for reversion in passes.world.reports[-1].reversions]


def test_a_bond_that_was_edited() -> None:
    passes, host = settled()
    host.apply([SetBond(bond="br0-up", interfaces=("eth1",), bond_mode="", primary="")])
    assert told(passes) == [
        "port br0-up of bridge br0: interfaces was eth1, is eth1, eth2 again",
        "port br0-up of bridge br0: bond_mode was unset, is active-backup again",
        "port br0-up of bridge br0: bond_primary was unset, is eth1 again",
    ]
    assert host.read_state().switch.bridges["br0"].ports["br0-up"].interfaces == ("eth1", "eth2")
    assert len(told(passes)) == 3  # once


def test_mtu_and_addresses() -> None:
    passes, host = settled()
    host.apply([SetInternalMtu(bridge="br0", mtu_bytes=1400), SetMtu(link="eth1", mtu_bytes=1400)])
    assert told(passes) == [
        "interface br0 of bridge br0: mtu_request was 1400, is 9000 again",
        "link eth1: mtu_bytes was 1400, is 9000 again",
    ]


def test_a_port_and_a_bridge_that_were_removed() -> None:
    passes, host = settled()
    host.apply([RemovePort(bridge="br0", port="br0-up")])
    assert told(passes) == ["port br0-up of bridge br0 was removed, and is there again"]
    host.delete_bridge("br0")
    assert told(passes)[1:] == ["bridge br0 was removed, and is there again"]


def test_a_tap_that_was_edited() -> None:
    passes, host = settled()
    host.apply([PlugTap(bridge="brAtlas", tap="tap1", iface_id="x", mac_address=nic(1).mac_address)])
    assert told(passes) == [f"interface tap1 of bridge brAtlas: iface-id was x, is {nic(1).iface_id} again"]


def test_what_the_world_changes_is_no_edit() -> None:
    passes, host = settled()
    host.remove_link("tap1")
    assert told(passes) == []
    host.add_link("tap1")
    assert told(passes) == []
    host.apply([AddAddress(link="br0", address="203.0.113.9/24")])  # somebody else's, and stays
    assert told(passes) == []


def test_what_we_change_is_no_edit() -> None:
    passes, _ = settled()
    passes.world.assignment = assign(uplink(0, "eth3"), revision=2)
    assert told(passes) == []


def test_there_are_twenty_at_most() -> None:
    passes, host = settled()
    for number in range(30):
        host.apply([SetInternalMtu(bridge="br0", mtu_bytes=1300 + number)])
        told(passes)
    messages = [reversion.message for reversion in passes.world.reports[-1].reversions]
    assert len(messages) == 20
    assert "was 1329" in messages[-1]


def test_types_of_rows_are_those_of_the_state() -> None:
    """A field that is compared by name and does not exist would be an error only when somebody edits."""
    state = HostState()
    bridge = Bridge(name="b", datapath_type="netdev", ports={"p": Port(name="p", interfaces=("i",))})
    switch = replace(state.switch, bridges={"b": bridge}, interfaces={"i": Interface(name="i")})
    with_rows = replace(state, switch=switch)
    assert find_reversions(with_rows, with_rows, with_rows, [SetMtu(link="p", mtu_bytes=1)]) == ()
