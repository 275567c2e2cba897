"""What is still to do for uplink bridges and their bonds. Pure; a part of `plan.py`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

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
from netctl_host.assignment import Assignment, UplinkBridge
from netctl_host.plan_function_bridge import function_bridges
from netctl_host.settings import Settings
from netctl_host.state import Bridge, HostState, Port, port_holders

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


def taken_interfaces(
    assignment: Assignment, state: HostState, settings: Settings
) -> Mapping[str, tuple[str, ...]]:
    """Return the interfaces that each uplink bridge may have: those that no foreign bridge holds."""
    holders = port_holders(state)
    managed = {uplink.bridge for uplink in assignment.uplink_bridges} | {settings.integration_bridge}

    def is_free(interface: str) -> bool:
        bridge, _port = holders.get(interface, (None, None))
        return bridge is None or bridge.name in managed or bridge.is_ours

    return {
        uplink.bridge: tuple(interface for interface in uplink.interfaces if is_free(interface))
        for uplink in assignment.uplink_bridges
    }


def plan_bridges(
    assignment: Assignment, state: HostState, settings: Settings, datapath_type: str
) -> Iterator[SwitchAction]:
    wanted = {uplink.bridge: "standalone" for uplink in assignment.uplink_bridges}
    wanted[settings.integration_bridge] = "secure"
    wanted |= function_bridges(assignment)
    for bridge in state.switch.bridges.values():
        if bridge.is_ours and bridge.name not in wanted:
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
    # OVS takes a bond of two or more; one interface is a plain port.
    is_bond = len(members) > 1
    bond_mode = uplink.bond_mode if is_bond else ""
    primary = members[0] if is_bond and bond_mode == "active-backup" else ""
    if not members:
        if port is not None:
            yield RemovePort(bridge=uplink.bridge, port=port.name)
    elif port is None:
        yield AddBond(
            bridge=uplink.bridge, bond=uplink.bond, interfaces=members, bond_mode=bond_mode, primary=primary
        )
    elif (port.interfaces, port.bond_mode, port.bond_primary) != (tuple(sorted(members)), bond_mode, primary):
        yield SetBond(bond=port.name, interfaces=members, bond_mode=bond_mode, primary=primary)


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
                yield SetBond(bond=port.name, interfaces=left, bond_mode=port.bond_mode, primary=primary)
            else:
                yield RemovePort(bridge=bridge.name, port=port.name)
