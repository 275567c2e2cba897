"""What is still to do for internal ports of uplink bridges, and for the Linux bridge without uplinks. Pure.

Internal ports of ours bear the owner's mark in OVS, a Linux bridge of ours in its alias; the links that we made ports
of a Linux bridge are noted in the Open_vSwitch record.
"""

from __future__ import annotations

from collections.abc import Iterator

from netctl_host.actions import Action, RemovePort, SetChassis, SetInternalMtu, SetLinkUp
from netctl_host.actions_uplinks import (
    AddInternalPort,
    AddLinuxBridge,
    RemoveLinuxBridge,
    SetMaster,
    SetPortTag,
)
from netctl_host.assignment import Assignment, InternalPort
from netctl_host.state import OWNER, HostState, port_holders

PORTS_KEY = "netctl:ports:"
"""Followed by the Linux bridge's name, in external_ids of Open_vSwitch."""
_LINUX_BRIDGE = "bridge"


def plan_internal_ports(assignment: Assignment, state: HostState) -> Iterator[Action]:
    """Yield what makes, corrects and removes internal ports."""
    wanted = {port.name: port for port in _possible_ports(assignment, state)}
    for bridge in state.switch.bridges.values():
        for port in bridge.ports.values():
            interface = state.switch.interfaces.get(port.name)
            if interface is None or interface.type != "internal" or port.name == bridge.name:
                continue
            if interface.is_ours and (port.name not in wanted or wanted[port.name].bridge != bridge.name):
                yield RemovePort(bridge=bridge.name, port=port.name)
    holders = port_holders(state)
    bridges = {uplink.bridge for uplink in assignment.uplink_bridges}
    for assigned in wanted.values():
        if assigned.bridge not in bridges:
            continue
        tag = assigned.vlan_id or None
        if assigned.name not in holders or holders[assigned.name][0].name != assigned.bridge:
            yield AddInternalPort(bridge=assigned.bridge, port=assigned.name, tag=tag)
        elif holders[assigned.name][1].tag != tag:
            yield SetPortTag(port=assigned.name, tag=tag)
        there = state.switch.interfaces.get(assigned.name)
        if assigned.mtu_bytes and (there is None or there.mtu_request != assigned.mtu_bytes):
            yield SetInternalMtu(bridge=assigned.name, mtu_bytes=assigned.mtu_bytes)
        link = state.links.get(assigned.name)
        if there is not None and there.ofport > 0 and link is not None and not link.up:
            yield SetLinkUp(link=assigned.name)


def plan_linux_bridge(assignment: Assignment, state: HostState) -> Iterator[Action]:
    """Yield what makes, fills, empties and removes the Linux bridge."""
    wanted = assignment.internal_bridge
    name = wanted.name if wanted is not None else ""
    for link in state.links.values():
        if link.kind == _LINUX_BRIDGE and link.alias == OWNER and link.name != name:
            yield RemoveLinuxBridge(link=link.name)
    noted = {
        key.removeprefix(PORTS_KEY): frozenset(filter(None, value.split(",")))
        for key, value in state.switch.external_ids.items()
        if key.startswith(PORTS_KEY)
    }
    notes: list[tuple[str, str]] = []
    for bridge in sorted({*noted, *([name] if name else [])}):
        assigned = frozenset(_possible_members(assignment, state)) if bridge == name else frozenset()
        ours = noted.get(bridge, frozenset())
        there = frozenset(link.name for link in state.links.values() if link.master == bridge)
        now_ours = {port for port in assigned if port in ours or port not in there}
        now_ours |= (ours & there) - assigned
        if now_ours != ours:
            notes.append((f"{PORTS_KEY}{bridge}", ",".join(sorted(now_ours))))
        for port in sorted((ours & there) - assigned):
            yield SetMaster(link=port, master="")
    if notes:
        yield SetChassis(external_ids=tuple(notes))
    if wanted is not None:
        yield from _plan_wanted(assignment, state, name)


def _plan_wanted(assignment: Assignment, state: HostState, name: str) -> Iterator[Action]:
    there = state.links.get(name)
    if there is None:
        yield AddLinuxBridge(link=name)
    elif there.kind == _LINUX_BRIDGE:
        if not there.up:
            yield SetLinkUp(link=name)
        for port in _possible_members(assignment, state):
            if not state.links[port].master:
                yield SetMaster(link=port, master=name)
            if not state.links[port].up:
                yield SetLinkUp(link=port)


def find_internal_problems(assignment: Assignment, state: HostState) -> Iterator[str]:
    """Say which internal ports and ports of the Linux bridge cannot be had."""
    holders = port_holders(state)
    bridges = {uplink.bridge for uplink in assignment.uplink_bridges}
    possible = {port.name for port in _possible_ports(assignment, state)}
    for port in assignment.internal_ports:
        if port.bridge not in bridges:
            yield f"internal port {port.name}: this host has no uplink bridge {port.bridge}"
        elif port.name in possible:
            continue
        elif port.name in holders:
            yield f"internal port {port.name} of {port.bridge} is in bridge {holders[port.name][0].name}"
        else:
            yield f"internal port {port.name} of {port.bridge}: a link of that name is there, and not a port of OVS"
    bridge = assignment.internal_bridge
    if bridge is None:
        return
    there = state.links.get(bridge.name)
    if there is not None and there.kind != _LINUX_BRIDGE:
        yield f"{bridge.name} is there and is no Linux bridge"
    for name in bridge.interfaces:
        link = state.links.get(name)
        if link is None:
            yield f"interface {name} of {bridge.name} is not there"
        elif name in holders:
            yield f"interface {name} of {bridge.name} is in OVS bridge {holders[name][0].name}"
        elif link.master not in ("", bridge.name):
            yield f"interface {name} of {bridge.name} belongs to {link.master}"
        elif name in _uplinks(assignment):
            yield f"interface {name} of {bridge.name} is an uplink, too, and stays one"


def _possible_ports(assignment: Assignment, state: HostState) -> Iterator[InternalPort]:
    """Yield the assigned ports whose name nobody else uses."""
    holders = port_holders(state)
    for port in assignment.internal_ports:
        interface = state.switch.interfaces.get(port.name)
        if port.name in holders:
            is_there = holders[port.name][0].name == port.bridge
            if interface is not None and interface.type == "internal" and (is_there or interface.is_ours):
                yield port
        elif port.name not in state.links:
            yield port


def _possible_members(assignment: Assignment, state: HostState) -> tuple[str, ...]:
    bridge = assignment.internal_bridge
    holders, uplinks = port_holders(state), _uplinks(assignment)
    return tuple(
        name
        for name in (bridge.interfaces if bridge is not None else ())
        if name in state.links
        and name not in holders
        and name not in uplinks
        and state.links[name].master in ("", bridge.name if bridge is not None else "")
    )


def _uplinks(assignment: Assignment) -> frozenset[str]:
    return frozenset(name for uplink in assignment.uplink_bridges for name in uplink.interfaces)
