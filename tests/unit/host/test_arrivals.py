"""Where a migrated guest's arrival is told, and as what."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from netctl_host import openflow
from netctl_host.arrivals import (
    ROUNDS,
    Arrival,
    Place,
    find_arrivals,
    find_staying,
    render_question,
    render_rarp,
    render_round,
)
from netctl_host.assignment import NicAssignment
from netctl_host.settings import Settings
from netctl_host.state import HostState, Interface, Link, Port

from tests.unit.host.samples import assign, bridge_with, nic, switch_with, uplink

MAC = "50:6b:8d:00:00:01"
COMING = replace(nic(1), incoming=True, announce_bridge="br0", announce_vlan_ids=(10,))
ON_TAP = replace(COMING, bridge="br0", vlan_id=10)


def port(name: str) -> Port:
    return Port(name=name, interfaces=(name,))


STATE = HostState(
    switch=switch_with(
        bridge_with(
            "br0", port("patch-ln10-to-brAtlas"), port("patch-ln20-to-brAtlas"), port("patch-br0-to-br.nf")
        ),
        bridge_with("brAtlas", port("tap1")),
        bridge_with("br.nf", port("patch-lnf-to-brAtlas")),
        interfaces=(
            Interface(name="patch-ln10-to-brAtlas", ofport=10),
            Interface(name="patch-ln20-to-brAtlas", ofport=20),
            Interface(name="patch-br0-to-br.nf", ofport=30),
            Interface(name="patch-lnf-to-brAtlas", ofport=40),
            Interface(name="tap1", ofport=7),
        ),
    ),
    links={"tap1": Link(name="tap1", index=5)},
)


def arrival(one: NicAssignment, state: HostState = STATE) -> Arrival:
    (found,) = find_arrivals(assign(uplink(0, "eth1"), nics=(one,)), state, Settings())
    return found


def in_ports(one: NicAssignment, state: HostState = STATE) -> list[tuple[int, int, int]]:
    return [(place.vlan_id, place.guest_vlan_id, place.in_port) for place in arrival(one, state).places]


def test_each_vlan_comes_from_the_patch_port_of_its_own_localnet_port() -> None:
    trunk = replace(COMING, announce_vlan_ids=(10, 20), announce_localnets=("ln10", "ln20"))
    assert in_ports(trunk) == [(10, 10, 10), (20, 20, 20)]
    assert arrival(trunk).gate == 7
    assert arrival(trunk).gate_bridge == "brAtlas"


def test_behind_network_functions_it_comes_from_their_bridge() -> None:
    assert in_ports(replace(COMING, announce_localnets=("lnf",))) == [(10, 10, 30)]
    assert in_ports(replace(COMING, bridge="br0.local", vlan_id=10)) == [(10, 10, 30)]


def test_a_tap_on_the_bridge_has_its_own_vlan_untagged_and_no_gate() -> None:
    switch = switch_with(bridge_with("br0", port("tap1")), interfaces=(Interface(name="tap1", ofport=9),))
    state = replace(STATE, switch=switch)
    trunk = replace(ON_TAP, announce_vlan_ids=(10, 20))
    assert in_ports(trunk, state) == [(10, 0, 9), (20, 20, 9)]
    assert arrival(trunk, state).gate == 0


def test_a_port_that_is_not_there_yet_is_no_port() -> None:
    bare = replace(STATE, switch=switch_with(bridge_with("br0")))
    assert in_ports(COMING, bare) == [(10, 10, 0)]
    assert arrival(COMING, bare).gate == 0


@pytest.mark.parametrize(
    "one", [nic(1), replace(COMING, tap_name="tap9"), replace(COMING, disconnected=True)], ids=str
)
def test_who_is_not_to_come_is_not_awaited(one: NicAssignment) -> None:
    assert not find_arrivals(assign(nics=(one,)), STATE, Settings())


def test_who_stays_is_known_by_the_tap() -> None:
    assert find_staying(assign(nics=(nic(1), nic(2))), STATE) == {(nic(1).iface_id, 5)}


def test_an_overlay_is_told_of_to_ovn_alone() -> None:
    told = arrival(replace(COMING, announce_bridge=""))
    assert told.places == ()
    assert list(render_round(told, with_arp=True, with_gate=True)) == ["brAtlas"]
    assert render_round(told, with_arp=True, with_gate=False) == {}


def packets(sent: bytes) -> list[tuple[int, int, bytes]]:
    """Return in_port, port and frame of each packet; the last message is a barrier."""
    *messages, barrier = openflow.parse_messages(sent)
    assert barrier.type == 20
    found, at = [], 0
    for message in messages:
        whole = sent[at : at + message.size]
        at += message.size
        in_port = struct.unpack_from("!I", whole, 24)[0]
        port = struct.unpack_from("!I", whole, 36)[0]
        found.append((in_port, port, whole[48:]))
    return found


def test_the_rarp_has_the_last_word() -> None:
    place = Place(bridge="br0", vlan_id=10, guest_vlan_id=0, in_port=9)
    told = Arrival(iface_id="i", tap="tap1", index=5, mac_address=MAC, places=(place,))
    question = (openflow.CONTROLLER, openflow.NORMAL, render_question(MAC, 10))
    rarp = (9, openflow.NORMAL, render_rarp(MAC, 0))
    assert packets(render_round(told, with_arp=True, with_gate=True)["br0"]) == [question, rarp]
    assert packets(render_round(told, with_arp=False, with_gate=True)["br0"]) == [rarp]
    nowhere = replace(told, places=(replace(place, in_port=0),))
    (only,) = packets(render_round(nowhere, with_arp=False, with_gate=True)["br0"])
    assert only == (openflow.CONTROLLER, openflow.NORMAL, render_rarp(MAC, 10))
    assert not ROUNDS[-1][1]


def test_frames_are_as_their_rfcs_say() -> None:
    mac = bytes.fromhex(MAC.replace(":", ""))
    rarp = render_rarp(MAC, 0)
    assert rarp[:14] == b"\xff" * 6 + mac + b"\x80\x35"
    assert rarp[14:42] == bytes.fromhex("0001080006040003") + mac + bytes(4) + mac + bytes(4)
    assert len(rarp) == 60
    question = render_question(MAC, 20)
    assert question[12:18] == bytes.fromhex("810000140806")
    assert question[18:46] == bytes.fromhex("0001080006040001") + mac + bytes(4) + bytes(6) + bytes(4)
