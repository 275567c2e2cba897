"""Which interfaces an uplink bridge may have, and why it may not have the others. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from netctl_host.assignment import Assignment, UplinkBridge
from netctl_host.settings import Settings
from netctl_host.state import HostState, port_holders

# The kernel's own datapath of OVS: its ports have it as their master.
_OVS_KIND = "openvswitch"
_MASTERS = {"bridge": "a port of the Linux bridge", "bond": "a member of the kernel's bond"}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why an uplink bridge does not get an interface, in a sentence."""

    interface: str
    sentence: str


def taken_interfaces(
    assignment: Assignment, state: HostState, settings: Settings
) -> Mapping[str, tuple[str, ...]]:
    """Return the interfaces that each uplink bridge may have, in the order of the assignment."""
    refused = _refused(assignment, state, settings)
    return {
        uplink.bridge: tuple(
            name for name in dict.fromkeys(uplink.interfaces) if (uplink.bridge, name) not in refused
        )
        for uplink in assignment.uplink_bridges
    }


def find_obstacles(assignment: Assignment, state: HostState, settings: Settings) -> tuple[str, ...]:
    """Return one sentence for each interface that its bridge does not get."""
    return tuple(_refused(assignment, state, settings).values())


def wanted_addresses(uplink: UplinkBridge) -> tuple[str, ...]:
    """Return the addresses (with prefix length) of the bridge's internal port, as the kernel spells them."""
    addresses = (*((uplink.address,) if uplink.address else ()), *uplink.host_addresses)
    return tuple(dict.fromkeys(ipaddress.ip_interface(address).with_prefixlen for address in addresses))


def _refused(assignment: Assignment, state: HostState, settings: Settings) -> dict[tuple[str, str], str]:
    holders = port_holders(state)
    managed = {uplink.bridge for uplink in assignment.uplink_bridges} | {settings.integration_bridge}
    refused: dict[tuple[str, str], str] = {}
    first: dict[str, str] = {}
    for uplink in assignment.uplink_bridges:
        for at, name in enumerate(dict.fromkeys(uplink.interfaces)):
            where = f"interface {name} of {uplink.bond}"
            bridge, _port = holders.get(name, (None, None))
            if first.setdefault(name, uplink.bridge) != uplink.bridge:
                refused[uplink.bridge, name] = f"{where} is an uplink of {first[name]}, too, and stays there"
            elif bridge is not None and bridge.name not in managed and not bridge.is_ours:
                refused[uplink.bridge, name] = (
                    f"{where} is in bridge {bridge.name}, which is not ours: take it out there, or name another uplink"
                )
            elif sentence := _held_by_kernel(name, state):
                refused[uplink.bridge, name] = f"{where} is {sentence}; take it out there first"
            elif at and not uplink.bond_mode:
                refused[uplink.bridge, name] = f"{where} is left out: without a bond mode there is one uplink"
            elif not (bridge is not None and bridge.name == uplink.bridge) and _cuts_the_way(
                name, uplink, state
            ):
                refused[uplink.bridge, name] = (
                    f"{where} has the address {state.controller_way}, which leads to the controller, and is left "
                    "alone; list the address among the host's uplink addresses, and it moves along"
                )
    return refused


def _held_by_kernel(name: str, state: HostState) -> str:
    link = state.links.get(name)
    master = state.links.get(link.master) if link is not None and link.master else None
    if master is None or master.kind == _OVS_KIND:
        return ""
    return f"{_MASTERS.get(master.kind, f'held by the {master.kind} device')} {master.name}"


def _cuts_the_way(name: str, uplink: UplinkBridge, state: HostState) -> bool:
    """Does this interface, or a device on top of it, have the address by which the controller is reached?"""
    if not state.controller_way:
        return False
    way = ipaddress.ip_address(state.controller_way)
    if any(ipaddress.ip_interface(address).ip == way for address in wanted_addresses(uplink)):
        # What is on top of it does not move along.
        carriers = set(_on_top_of(name, state))
    else:
        carriers = {name, *_on_top_of(name, state)}
    return any(
        ipaddress.ip_interface(address).ip == way
        for carrier in carriers
        if carrier in state.links
        for address in state.links[carrier].addresses
    )


def _on_top_of(name: str, state: HostState) -> Iterator[str]:
    """Yield the VLAN and similar devices of a link, at any depth."""
    waiting, seen = [name], {name}
    while waiting:
        below = waiting.pop()
        for link in state.links.values():
            if link.parent == below and link.name not in seen:
                seen.add(link.name)
                waiting.append(link.name)
                yield link.name
