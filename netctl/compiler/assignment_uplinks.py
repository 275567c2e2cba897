"""Host and its virtual switches to uplink bridges and internal ports. Pure; a part of `assignment.py`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterator
from dataclasses import fields, replace

from netctl.model import assignment
from netctl.model.assignment import UplinkBridge
from netctl.model.infra import BondMode, Host, IgmpSnooping, LacpMode, LacpTimeout, Uplink, VirtualSwitch
from netctl.model.keys import VirtualSwitchId
from netctl.model.lookups import Lookups

_ID_DIGITS = 16
# Not settings of the bridge: the id itself, and whether it is the host's turn.
_NO_SETTINGS = frozenset({"settings_id", "held"})


def compile_uplinks(
    snapshot: Lookups, host: Host, held: Container[str] = frozenset()
) -> tuple[UplinkBridge, ...]:
    """Return the uplink bridges of a host, in the order of its uplinks; those `held` keep what they have."""
    bridges = (_bridge(host, uplink, switch) for uplink, switch in uplinks_of(snapshot, host))
    return tuple(replace(bridge, held=True) if bridge.bridge in held else bridge for bridge in bridges)


def uplinks_of(snapshot: Lookups, host: Host) -> Iterator[tuple[Uplink, VirtualSwitch]]:
    """Yield the uplinks of a host whose virtual switches exist."""
    for uplink in host.uplinks:
        switch = snapshot.virtual_switch(uplink.virtual_switch)
        if switch is not None:  # admission refuses this; a store edited by hand must not stop the others
            yield uplink, switch


def wanted_settings(host: Host, uplink: Uplink, switch: VirtualSwitch) -> str:
    """Return the `settings_id` that a host's bridge is to have."""
    return _bridge(host, uplink, switch).settings_id


def compile_internal_ports(snapshot: Lookups, host: Host) -> tuple[assignment.InternalPort, ...]:
    """Return the interfaces of the host itself on its uplink bridges."""
    switches = {switch.id: switch for _, switch in uplinks_of(snapshot, host)}
    return tuple(
        assignment.InternalPort(
            name=port.name,
            bridge=switches[port.virtual_switch].bridge,
            vlan_id=port.vlan_id,
            addresses=port.addresses,
            mtu_bytes=port.mtu_bytes or switches[port.virtual_switch].mtu_bytes,
        )
        for port in host.internal_ports
        if port.virtual_switch in switches
    )


def compile_internal_bridge(host: Host) -> assignment.InternalBridge | None:
    """Return the Linux bridge of the host's own virtual machines."""
    bridge = host.internal_bridge
    if bridge is None:
        return None
    return assignment.InternalBridge(
        name=bridge.name, addresses=bridge.addresses, interfaces=bridge.interfaces
    )


def bridge_of(snapshot: Lookups, host: Host, switches: Container[VirtualSwitchId]) -> VirtualSwitch | None:
    """Return the virtual switch among these that a host has an uplink to: its `bridge` is there."""
    for uplink, switch in uplinks_of(snapshot, host):
        if uplink.virtual_switch in switches:
            return switch
    return None


def _bridge(host: Host, uplink: Uplink, switch: VirtualSwitch) -> UplinkBridge:
    """What has no effect is left at its default, so that an edit of it is no change of settings."""
    lacp = _lacp(switch)
    speaks = lacp != LacpMode.OFF.value
    snooping = switch.igmp_snooping if switch.igmp_snooping.enabled else IgmpSnooping()
    preferred = uplink.active_interface or (uplink.interfaces[0] if uplink.interfaces else "")
    bridge = UplinkBridge(
        bridge=switch.bridge,
        physnet=switch.physnet,
        bond=bond_name(switch),
        interfaces=uplink.interfaces,
        bond_mode=switch.bond_mode.value,
        mtu_bytes=switch.mtu_bytes,
        address=host.tunnel_address if uplink.virtual_switch == host.tunnel_virtual_switch else "",
        primary=preferred if switch.bond_mode is BondMode.ACTIVE_BACKUP else "",
        lacp=lacp,
        lacp_fast=not speaks or switch.lacp_timeout is LacpTimeout.FAST,
        lacp_fallback=not speaks or switch.lacp_fallback,
        host_addresses=uplink.addresses,
        mcast_snooping=snooping.enabled,
        mcast_timeout_s=snooping.timeout_s,
        querier_vlan_ids=tuple(sorted(snooping.querier_vlan_ids)) if snooping.querier else (),
    )
    return replace(bridge, settings_id=settings_id(bridge))


def bond_name(switch: VirtualSwitch) -> str:
    """Return the OVS port of a virtual switch's uplinks, a bond or not."""
    return f"{switch.bridge}-up"


def _lacp(switch: VirtualSwitch) -> str:
    if switch.lacp_mode is not LacpMode.AUTO:
        return switch.lacp_mode.value
    return (LacpMode.ACTIVE if switch.bond_mode is BondMode.BALANCE_TCP else LacpMode.OFF).value


def settings_id(bridge: UplinkBridge) -> str:
    """Return what names the settings of a bridge.

    Fields at their default are left out: one more in a later version is no reason to change every host.
    """
    settings = ((field, getattr(bridge, field.name)) for field in fields(bridge))
    named = {
        field.name: value
        for field, value in settings
        if field.name not in _NO_SETTINGS and value != field.default
    }
    text = json.dumps(named, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]
