"""plan(assignment, state, settings) -> actions: what is still to do on this host. Pure.

Comes in: what the host must have and what it has, both complete. Goes out: the actions that are left, nothing when
the two are equal. What exists and is right is adopted as it is; a bridge, port, interface or external_ids key that is
neither named by the assignment nor marked as ours is never touched. Links that are not there yet (a tap before its
guest, br0's internal port before ovs-vswitchd made it) get no action: their coming wakes the loop, which plans again.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping

from netctl_host.actions import (
    Action,
    AddAddress,
    AddBond,
    AddBridge,
    AttachGuard,
    DetachGuard,
    DisableChecksumOffload,
    LinkAction,
    PlugTap,
    RemoveBridge,
    RemovePort,
    SetBond,
    SetBridge,
    SetInternalMtu,
    SetLinkUp,
    SetMtu,
    SwitchAction,
    UnplugTap,
)
from netctl_host.assignment import Assignment, NicAssignment, UplinkBridge
from netctl_host.chassis import plan_chassis
from netctl_host.settings import Settings
from netctl_host.state import Bridge, HostState, Port, Xdp, port_holders

USERSPACE = "netdev"
KERNEL = "system"


def plan(assignment: Assignment, state: HostState, settings: Settings) -> tuple[Action, ...]:
    """Return what to do, in an order that may be followed; () when the host equals the assignment."""
    datapath_type = choose_datapath_type(assignment, state, settings)
    return (
        *_plan_bridges(assignment, state, settings, datapath_type),
        *_plan_bonds(assignment, state, settings),
        *plan_chassis(assignment, state, settings, datapath_type),
        *_plan_taps(assignment, state, settings),
        *_plan_links(assignment, state, settings, datapath_type),
        *_plan_guards(assignment, state, settings),
    )


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


def _plan_bridges(
    assignment: Assignment, state: HostState, settings: Settings, datapath_type: str
) -> Iterator[SwitchAction]:
    wanted = {uplink.bridge: "standalone" for uplink in assignment.uplink_bridges}
    wanted[settings.integration_bridge] = "secure"
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


def _plan_bonds(assignment: Assignment, state: HostState, settings: Settings) -> Iterator[SwitchAction]:
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


def _plan_taps(assignment: Assignment, state: HostState, settings: Settings) -> Iterator[SwitchAction]:
    holders = port_holders(state)
    pluggable = {nic.tap_name for nic in pluggable_nics(assignment, state, settings)}
    integration = state.switch.bridges.get(settings.integration_bridge)
    for port in integration.ports.values() if integration else ():
        interface = state.switch.interfaces.get(port.name)
        # ours, but without an assignment or without a tap: unplugged means unreachable
        if interface is not None and interface.is_ours and port.name not in pluggable:
            yield UnplugTap(bridge=settings.integration_bridge, tap=port.name)
    for nic in pluggable_nics(assignment, state, settings):
        interface = state.switch.interfaces.get(nic.tap_name)
        is_right = (
            nic.tap_name in holders
            and interface is not None
            and interface.is_ours
            and interface.external_ids.get("iface-id") == nic.iface_id
            and interface.external_ids.get("attached-mac") == nic.mac_address
        )
        if not is_right:
            yield PlugTap(
                bridge=settings.integration_bridge,
                tap=nic.tap_name,
                iface_id=nic.iface_id,
                mac_address=nic.mac_address,
            )


def pluggable_nics(assignment: Assignment, state: HostState, settings: Settings) -> tuple[NicAssignment, ...]:
    """Return the NICs whose tap is there and in no other bridge than brAtlas."""
    holders = port_holders(state)

    def is_elsewhere(tap: str) -> bool:
        return tap in holders and holders[tap][0].name != settings.integration_bridge

    return tuple(
        nic for nic in assignment.nics if nic.tap_name in state.links and not is_elsewhere(nic.tap_name)
    )


def _plan_links(
    assignment: Assignment, state: HostState, settings: Settings, datapath_type: str
) -> Iterator[LinkAction]:
    members_of = taken_interfaces(assignment, state, settings)
    for uplink in assignment.uplink_bridges:
        for interface in members_of[uplink.bridge]:
            yield from _plan_link(state, interface, uplink.mtu_bytes)
        internal = state.switch.interfaces.get(uplink.bridge)
        if internal is None or internal.ofport <= 0:
            continue  # a link of that name would not be the bridge's
        yield from _plan_link(state, uplink.bridge, 0)
        yield from _plan_address(state, uplink)
        if datapath_type == USERSPACE:
            yield from _plan_checksum_offload(state, uplink.bridge)
    for nic in pluggable_nics(assignment, state, settings):
        yield from _plan_link(state, nic.tap_name, nic.mtu_bytes)
        if datapath_type == USERSPACE:
            yield from _plan_checksum_offload(state, nic.tap_name)


def _plan_link(state: HostState, name: str, mtu_bytes: int) -> Iterator[LinkAction]:
    link = state.links.get(name)
    if link is None:
        return
    if mtu_bytes and link.mtu_bytes != mtu_bytes:
        yield SetMtu(link=name, mtu_bytes=mtu_bytes)
    if not link.up:
        yield SetLinkUp(link=name)


def _plan_address(state: HostState, uplink: UplinkBridge) -> Iterator[LinkAction]:
    link = state.links.get(uplink.bridge)
    if link is None or not uplink.address:
        return
    address = ipaddress.ip_interface(uplink.address).with_prefixlen
    if address not in link.addresses:
        yield AddAddress(link=uplink.bridge, address=address)


def _plan_checksum_offload(state: HostState, name: str) -> Iterator[LinkAction]:
    link = state.links.get(name)
    if link is not None and link.tx_checksum_offload:
        yield DisableChecksumOffload(link=name)


def _plan_guards(assignment: Assignment, state: HostState, settings: Settings) -> Iterator[LinkAction]:
    guarded = {nic.tap_name for nic in pluggable_nics(assignment, state, settings) if nic.guard_ipv6}
    for name, link in sorted(state.links.items()):
        if name not in guarded:
            if link.xdp in (Xdp.GUARD, Xdp.OLD_GUARD):
                yield DetachGuard(link=name)
        elif link.xdp in (Xdp.NONE, Xdp.OLD_GUARD) and not state.guard_problem:
            yield AttachGuard(link=name, replace=link.xdp is Xdp.OLD_GUARD)
