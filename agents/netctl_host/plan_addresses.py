"""What is still to do for the host's own addresses: on bridges' internal ports, internal ports, the Linux bridge. Pure.

Which addresses of a link are ours is noted in the Open_vSwitch record, a key for each link, before they are set. Only
those are removed when they are no longer assigned.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from netctl_host.actions import Action, AddAddress, SetChassis
from netctl_host.actions_uplinks import MoveAddresses, RemoveAddress
from netctl_host.assignment import Assignment
from netctl_host.settings import Settings
from netctl_host.state import HostState, port_holders
from netctl_host.uplink_members import taken_interfaces, wanted_addresses

ADDRESSES_KEY = "netctl:addresses:"
"""Followed by the link's name, in external_ids of Open_vSwitch."""


def plan_addresses(assignment: Assignment, state: HostState, settings: Settings) -> Iterator[Action]:
    """Yield what moves, adds, removes and notes addresses."""
    yield from _plan_moves(assignment, state, settings)
    wanted = _wanted(assignment)
    noted = {
        key.removeprefix(ADDRESSES_KEY): frozenset(filter(None, value.split(",")))
        for key, value in state.switch.external_ids.items()
        if key.startswith(ADDRESSES_KEY)
    }
    notes: list[tuple[str, str]] = []
    for name in sorted(wanted.keys() | noted.keys()):
        assigned, ours = frozenset(wanted.get(name, ())), noted.get(name, frozenset())
        link = state.links.get(name)
        there = frozenset(link.addresses) if link is not None else frozenset()
        # What was there before we came stays somebody else's.
        now_ours = {address for address in assigned if address in ours or address not in there}
        now_ours |= (ours & there) - assigned
        if now_ours != ours:
            notes.append((f"{ADDRESSES_KEY}{name}", ",".join(sorted(now_ours))))
        if link is None or not _is_ready(name, assignment, state):
            continue
        for address in wanted.get(name, ()):
            if address not in there:
                yield AddAddress(link=name, address=address)
        for address in sorted((ours & there) - assigned):
            yield RemoveAddress(link=name, address=address)
    if notes:
        yield SetChassis(external_ids=tuple(notes))


def _wanted(assignment: Assignment) -> Mapping[str, tuple[str, ...]]:
    def spelled(addresses: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(ipaddress.ip_interface(address).with_prefixlen for address in addresses)

    wanted = {uplink.bridge: wanted_addresses(uplink) for uplink in assignment.uplink_bridges}
    wanted |= {port.name: spelled(port.addresses) for port in assignment.internal_ports}
    if assignment.internal_bridge is not None:
        wanted[assignment.internal_bridge.name] = spelled(assignment.internal_bridge.addresses)
    return wanted


def _is_ready(name: str, assignment: Assignment, state: HostState) -> bool:
    """Is the link of that name the one that is meant, and not one that has its name before ours is made?"""
    interface = state.switch.interfaces.get(name)
    if assignment.internal_bridge is not None and name == assignment.internal_bridge.name:
        return state.links[name].kind == "bridge"
    assigned = {uplink.bridge for uplink in assignment.uplink_bridges}
    assigned |= {port.name for port in assignment.internal_ports}
    return name not in assigned or (interface is not None and interface.ofport > 0)


def _plan_moves(assignment: Assignment, state: HostState, settings: Settings) -> Iterator[MoveAddresses]:
    """An address that is on an uplink's interface serves nobody there: frames go to the bridge."""
    members = taken_interfaces(assignment, state, settings)
    holders = port_holders(state)
    for uplink in assignment.uplink_bridges:
        internal = state.switch.interfaces.get(uplink.bridge)
        if internal is None or internal.ofport <= 0 or uplink.bridge not in state.links:
            continue
        wanted = {ipaddress.ip_interface(address).ip: address for address in wanted_addresses(uplink)}
        for name in members[uplink.bridge]:
            bridge, _port = holders.get(name, (None, None))
            link = state.links.get(name)
            if link is None or bridge is None or bridge.name != uplink.bridge:
                continue
            leaving = tuple(
                address for address in link.addresses if ipaddress.ip_interface(address).ip in wanted
            )
            if leaving:
                moved = tuple(wanted[ipaddress.ip_interface(address).ip] for address in leaving)
                yield MoveAddresses(link=name, to=uplink.bridge, addresses=moved, leaving=leaving)
