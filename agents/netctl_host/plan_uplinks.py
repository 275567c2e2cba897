"""What is still to do for uplink bridges and their bonds. Pure; a part of `plan.py`."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypedDict

from netctl_host.actions import (
    AddBond,
    AddBridge,
    RemoveBridge,
    RemovePort,
    SetBond,
    SetBridge,
    SetInternalMtu,
    SwitchAction,
)
from netctl_host.actions_uplinks import SetMulticast
from netctl_host.assignment import Assignment, UplinkBridge
from netctl_host.plan_function_bridge import function_bridges
from netctl_host.settings import Settings
from netctl_host.state import Bridge, HostState, Port
from netctl_host.uplink_members import taken_interfaces

USERSPACE = "netdev"
KERNEL = "system"


def choose_datapath_type(assignment: Assignment, state: HostState, settings: Settings) -> str:
    """Return the one type for all our bridges: a patch port does not cross from one type to another."""
    if settings.datapath_type != "auto":
        return settings.datapath_type
    able = {USERSPACE, KERNEL} if state.kernel_datapath else {USERSPACE}
    for name in (settings.integration_bridge, *(uplink.bridge for uplink in assignment.uplink_bridges)):
        bridge = state.switch.bridges.get(name)
        if bridge and bridge.datapath_type in able:
            return bridge.datapath_type
    return KERNEL if state.kernel_datapath else USERSPACE


def plan_bridges(
    assignment: Assignment, state: HostState, settings: Settings, datapath_type: str
) -> Iterator[SwitchAction]:
    wanted = {uplink.bridge: "standalone" for uplink in assignment.uplink_bridges}
    wanted[settings.integration_bridge] = "secure"
    wanted |= function_bridges(assignment)
    for bridge in state.switch.bridges.values():
        if bridge.is_ours and bridge.name not in wanted and not leads_to_controller(bridge.name, state):
            yield RemoveBridge(bridge=bridge.name)
    for name, fail_mode in sorted(wanted.items()):
        bridge_there = state.switch.bridges.get(name)
        if bridge_there is None:
            yield AddBridge(bridge=name, datapath_type=datapath_type, fail_mode=fail_mode)
        elif (bridge_there.datapath_type, bridge_there.fail_mode) != (datapath_type, fail_mode):
            yield SetBridge(bridge=name, datapath_type=datapath_type, fail_mode=fail_mode)
    for uplink in assignment.uplink_bridges:
        internal = state.switch.interfaces.get(uplink.bridge)
        if uplink.mtu_bytes and (internal is None or internal.mtu_request != uplink.mtu_bytes):
            yield SetInternalMtu(bridge=uplink.bridge, mtu_bytes=uplink.mtu_bytes)
        yield from _plan_multicast(uplink, state.switch.bridges.get(uplink.bridge))


def _plan_multicast(uplink: UplinkBridge, bridge: Bridge | None) -> Iterator[SwitchAction]:
    snooping = uplink.mcast_snooping
    aging_s = uplink.mcast_timeout_s if snooping else 0
    there = (bridge.mcast_snooping, bridge.mcast_timeout_s) if bridge is not None else (False, 0)
    if there != (snooping, aging_s) and (snooping or there[0]):
        yield SetMulticast(bridge=uplink.bridge, snooping=snooping, aging_s=aging_s)


def leads_to_controller(bridge: str, state: HostState) -> bool:
    """Is the controller reached by an address of the bridge's internal port?"""
    link = state.links.get(bridge)
    return link is not None and any(
        str(ipaddress.ip_interface(address).ip) == state.controller_way for address in link.addresses
    )


def plan_bonds(assignment: Assignment, state: HostState, settings: Settings) -> Iterator[SwitchAction]:
    members_of = taken_interfaces(assignment, state, settings)
    uplink_ports: set[tuple[str, str]] = set()
    planned: list[SwitchAction] = []
    for uplink in assignment.uplink_bridges:
        members = members_of[uplink.bridge]
        bridge = state.switch.bridges.get(uplink.bridge)
        port = find_uplink_port(bridge, uplink, members)
        if port is not None:
            uplink_ports.add((uplink.bridge, port.name))
        planned.extend(_plan_bond(uplink, members, port))
    taken = {member for members in members_of.values() for member in members}
    staying = [
        state.switch.bridges[name]
        for name in (*members_of, settings.integration_bridge)
        if name in state.switch.bridges
    ]
    yield from _plan_releases(staying, taken, uplink_ports)
    yield from planned


def find_uplink_port(bridge: Bridge | None, uplink: UplinkBridge, members: tuple[str, ...]) -> Port | None:
    """Return the port that serves as the bond: the one of its name, or one of another name with the same members."""
    if bridge is None:
        return None
    if uplink.bond in bridge.ports:
        return bridge.ports[uplink.bond]
    # Renaming a port is removing and adding it: an outage for the sake of a name.
    return next((port for port in bridge.ports.values() if set(port.interfaces) == set(members)), None)


def _plan_bond(uplink: UplinkBridge, members: tuple[str, ...], port: Port | None) -> Iterator[SwitchAction]:
    wanted = _wanted_port(uplink, members)
    if not members:
        if port is not None:
            yield RemovePort(bridge=uplink.bridge, port=port.name)
    elif port is None:
        yield AddBond(bridge=uplink.bridge, bond=uplink.bond, interfaces=members, **settings_of(wanted))
    elif (port.interfaces, settings_of(port)) != (wanted.interfaces, settings_of(wanted)):
        yield SetBond(bond=port.name, interfaces=members, **settings_of(wanted))


def _wanted_port(uplink: UplinkBridge, members: tuple[str, ...]) -> Port:
    # OVS takes a bond of two or more; one interface is a plain port, which may speak LACP all the same.
    is_bond = len(members) > 1
    bond_mode = uplink.bond_mode if is_bond else ""
    primary = ""
    if bond_mode == "active-backup" and uplink.lacp != "active":
        # A controller of before named none: the first it is.
        primary = uplink.primary if uplink.primary in members else members[0]
    speaks_lacp = uplink.lacp == "active"
    return Port(
        name=uplink.bond,
        interfaces=tuple(sorted(members)),
        bond_mode=bond_mode,
        bond_primary=primary,
        lacp="active" if speaks_lacp else "",
        lacp_time=("fast" if uplink.lacp_fast else "slow") if speaks_lacp else "",
        lacp_fallback=speaks_lacp and uplink.lacp_fallback,
    )


class BondSettings(TypedDict):
    """The settings of a port that `AddBond` and `SetBond` name."""

    bond_mode: str
    primary: str
    lacp: str
    lacp_time: str
    lacp_fallback: bool


def settings_of(port: Port) -> BondSettings:
    """Return what `AddBond` and `SetBond` set of this port."""
    return BondSettings(
        bond_mode=port.bond_mode,
        primary=port.bond_primary,
        lacp=port.lacp,
        lacp_time=port.lacp_time,
        lacp_fallback=port.lacp_fallback,
    )


def _plan_releases(
    bridges: Iterable[Bridge], taken: set[str], uplink_ports: set[tuple[str, str]]
) -> Iterator[SwitchAction]:
    """Take the bonds' interfaces out of every other port: an interface is in one port only."""
    for bridge in bridges:
        for port in bridge.ports.values():
            if (bridge.name, port.name) in uplink_ports or not taken & set(port.interfaces):
                continue
            left = tuple(interface for interface in port.interfaces if interface not in taken)
            if left:
                primary = port.bond_primary if port.bond_primary in left else ""
                settings_left = settings_of(replace(port, bond_primary=primary))
                yield SetBond(bond=port.name, interfaces=left, **settings_left)
            else:
                yield RemovePort(bridge=bridge.name, port=port.name)
