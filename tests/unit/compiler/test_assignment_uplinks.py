"""Uplink bridges as hosts are told them, and the name of their settings."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from netctl.compiler.assignment_uplinks import (
    compile_internal_bridge,
    compile_internal_ports,
    compile_uplinks,
    settings_id,
)
from netctl.model import assignment
from netctl.model.assignment import UplinkBridge
from netctl.model.infra import (
    BondMode,
    Host,
    IgmpSnooping,
    InternalBridge,
    InternalPort,
    LacpMode,
    LacpTimeout,
    VirtualSwitch,
)
from netctl.model.keys import VirtualSwitchId
from tests.intents import cluster, host, snapshot, switch

TCP = replace(switch(), bond_mode=BondMode.BALANCE_TCP)
ASKING = IgmpSnooping(enabled=True, timeout_s=60, querier=True, querier_vlan_ids=(20, 0))


def compiled(virtual_switch: VirtualSwitch, machine: Host | None = None) -> UplinkBridge:
    machine = machine or host()
    (found,) = compile_uplinks(snapshot([cluster(), virtual_switch, machine]), machine)
    return found


def with_uplink(**changes: Any) -> Host:
    return replace(host(), uplinks=(replace(host().uplinks[0], **changes),))


def test_the_first_interface_is_preferred_unless_another_is_named() -> None:
    assert compiled(switch()).primary == "eth1"
    assert compiled(switch(), with_uplink(active_interface="eth2")).primary == "eth2"
    assert compiled(TCP, with_uplink(active_interface="eth2")).primary == ""


@pytest.mark.parametrize(
    ("given", "lacp"),
    [
        (switch(), ("off", True, True)),
        (TCP, ("active", True, True)),
        (replace(TCP, lacp_timeout=LacpTimeout.SLOW, lacp_fallback=False), ("active", False, False)),
        (replace(TCP, lacp_mode=LacpMode.ACTIVE), ("active", True, True)),
        (replace(switch(), lacp_mode=LacpMode.OFF, lacp_timeout=LacpTimeout.SLOW), ("off", True, True)),
    ],
)
def test_lacp_is_spoken_with_balance_tcp_or_where_said(
    given: VirtualSwitch, lacp: tuple[str, bool, bool]
) -> None:
    found = compiled(given)
    assert (found.lacp, found.lacp_fast, found.lacp_fallback) == lacp


def test_questions_for_multicast_need_snooping() -> None:
    found = compiled(replace(switch(), igmp_snooping=ASKING))
    assert (found.mcast_snooping, found.mcast_timeout_s, found.querier_vlan_ids) == (True, 60, (0, 20))
    off = compiled(
        replace(switch(), igmp_snooping=replace(ASKING, enabled=False, querier=False, querier_vlan_ids=()))
    )
    assert off == compiled(switch())
    silent = compiled(replace(switch(), igmp_snooping=replace(ASKING, querier=False, querier_vlan_ids=())))
    assert silent.querier_vlan_ids == ()


def test_every_setting_is_named_and_a_turn_is_none() -> None:
    base = compiled(switch())
    assert base.settings_id
    for field in fields(UplinkBridge):
        if field.name in ("settings_id", "held"):
            continue
        value = getattr(base, field.name)
        other: Any
        match value:
            case bool():
                other = not value
            case int():
                other = value + 1
            case str():
                other = value + "x"
            case _:
                other = (*value, 7) if field.name == "querier_vlan_ids" else (*value, "x")
        assert settings_id(replace(base, **{field.name: other})) != base.settings_id, field.name
    assert settings_id(replace(base, held=True, settings_id="x")) == base.settings_id


def test_the_name_of_settings_is_the_same_in_every_process() -> None:
    assert compiled(switch()).settings_id == "d889c2e8d3326a10"


def test_what_has_no_effect_is_no_other_setting() -> None:
    plain = compiled(switch()).settings_id
    assert compiled(replace(switch(), lacp_timeout=LacpTimeout.SLOW)).settings_id == plain
    assert compiled(with_labels(switch())).settings_id == plain
    assert compiled(replace(switch(), mtu_bytes=9000)).settings_id != plain


def with_labels(virtual_switch: VirtualSwitch) -> VirtualSwitch:
    return replace(virtual_switch, meta=replace(virtual_switch.meta, labels={"a": "b"}, revision=9))


def test_a_held_bridge_says_what_it_is_to_be_all_the_same() -> None:
    world = snapshot([cluster(), switch(), host()])
    (free,), (held,) = compile_uplinks(world, host()), compile_uplinks(world, host(), {"br0"})
    assert not free.held
    assert held == replace(free, held=True)


def test_the_hosts_own_ports_have_the_mtu_of_their_switch_unless_they_say_another() -> None:
    ports = (
        InternalPort(
            name="mgmt0", virtual_switch=VirtualSwitchId("vs0"), vlan_id=7, addresses=("10.0.7.2/24",)
        ),
        InternalPort(name="stor0", virtual_switch=VirtualSwitchId("vs0"), mtu_bytes=1400),
    )
    bridge = InternalBridge(addresses=("192.168.5.1/24",), interfaces=("vnet0",))
    machine = replace(host(), internal_ports=ports, internal_bridge=bridge)
    world = snapshot([cluster(), replace(switch(), mtu_bytes=9000), machine])
    assert compile_internal_ports(world, machine) == (
        assignment.InternalPort(
            name="mgmt0", bridge="br0", vlan_id=7, addresses=("10.0.7.2/24",), mtu_bytes=9000
        ),
        assignment.InternalPort(name="stor0", bridge="br0", mtu_bytes=1400),
    )
    assert compile_internal_bridge(machine) == assignment.InternalBridge(
        name="virbr0", addresses=("192.168.5.1/24",), interfaces=("vnet0",)
    )
    assert compile_internal_bridge(host()) is None
