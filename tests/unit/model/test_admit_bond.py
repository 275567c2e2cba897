"""Bonds, LACP, MTUs and interface names: what hosts and virtual switches ask of each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.errors import AlreadyExists, InvalidIntent
from netctl.model.infra import BondMode, Host, InternalBridge, InternalPort, LacpMode, Uplink
from netctl.model.intent import Create, Replace
from netctl.model.keys import HostId, Kind, VirtualSwitchId
from tests.unit.model.world import World, cluster, host, nic, switch, vlan


@pytest.fixture
def world() -> World:
    return World(
        cluster(),
        switch("vs0"),
        switch("vs1"),
        host("h1", "192.0.2.1/24", "c1", "vs0", "vs1"),
        host("h2", "192.0.2.2/24", "c1", "vs0"),
        vlan(),
        nic("web1", "web", host=HostId("h1")),
    )


def bonded(*interfaces: str, **fields: Any) -> Host:
    """Make h3 with these interfaces on vs1."""
    uplinks = (Uplink(virtual_switch=VirtualSwitchId("vs1"), interfaces=interfaces),)
    return replace(host("h3", "192.0.2.3/24"), uplinks=uplinks, **fields)


def test_lacp_follows_the_mode_unless_it_is_said(world: World) -> None:
    assert world.stored(Kind.VIRTUAL_SWITCH, "vs0").lacp_mode is LacpMode.OFF
    assert world.replace(switch(bond_mode=BondMode.BALANCE_TCP)).lacp_mode is LacpMode.ACTIVE
    assert world.replace(switch(bond_mode=BondMode.BALANCE_SLB)).lacp_mode is LacpMode.OFF
    made = world.create(switch("vs2", bond_mode=BondMode.BALANCE_TCP, lacp_mode=LacpMode.ACTIVE))
    assert made.lacp_mode is LacpMode.ACTIVE


def test_without_a_bond_there_is_one_interface(world: World) -> None:
    world.create(bonded("eth5", "eth6"))
    world.replace(replace(host("h2", "192.0.2.2/24", "c1", "vs0", "vs1")))
    single = switch("vs1", bond_mode=BondMode.NONE)
    world.refuse_in_use(Replace(intent=single), "bond_mode", "hosts/h3")
    world.replace(bonded("eth5"))
    world.replace(single)
    text = "hosts/h3 has 2 interfaces (eth5, eth6) for virtualSwitches/vs1, whose bond_mode is NONE"
    world.refuse(Replace(intent=bonded("eth5", "eth6")), InvalidIntent, "uplinks[0].interfaces", text)
    world.replace(switch("vs1", bond_mode=BondMode.BALANCE_SLB))
    world.replace(bonded("eth5", "eth6"))


def test_the_hosts_own_interfaces_fit_the_virtual_switch(world: World) -> None:
    port = InternalPort(name="stor0", virtual_switch=VirtualSwitchId("vs1"), mtu_bytes=9000)
    text = "9000 is above 1500: virtualSwitches/vs1 carries 1500 bytes"
    asked = bonded("eth5", internal_ports=(port,), tunnel_virtual_switch="vs1")
    world.refuse(Create(intent=asked), InvalidIntent, "internal_ports[0].mtu_bytes", text)
    world.replace(switch("vs1", mtu_bytes=9000))
    world.create(asked)
    text = "stor0 of hosts/h3 has an MTU of 9000 bytes: virtualSwitches/vs1 carries 8000 bytes"
    world.refuse(Replace(intent=switch("vs1", mtu_bytes=8000)), InvalidIntent, "mtu_bytes", text)
    world.replace(replace(asked, internal_ports=(replace(port, mtu_bytes=0),)))
    world.replace(switch("vs1", mtu_bytes=8000))


def test_taps_are_not_the_hosts(world: World) -> None:
    tap = world.stored(Kind.NIC, "web1").tap_name
    text = f"{tap} is the tap of nics/web1"
    port = InternalPort(name=tap, virtual_switch=VirtualSwitchId("vs1"))
    for asked, field in (
        (bonded("eth5", internal_ports=(port,)), "internal_ports[0].name"),
        (
            bonded("eth5", internal_bridge=InternalBridge(interfaces=("vnet0", tap))),
            "internal_bridge.interfaces[1]",
        ),
        (bonded("eth5", tap), "uplinks[0].interfaces"),
    ):
        world.refuse(Create(intent=asked), AlreadyExists, field, text)
    world.create(bonded("eth5", internal_bridge=InternalBridge(interfaces=("vnet0",))))
