"""What a host had where an uplink bridge is about to be changed, and what is left to do to have it so again. Pure.

Of a bridge that was not ours its uplink ports are kept, of every interface that the bridge takes MTU, addresses and
routes. What the bridge itself had, if it was ours, are its confirmed settings: those are planned like any others.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from netctl_host.actions import Action, AddAddress, AddBond, RemovePort, SetBond, SetInternalMtu, SetMtu
from netctl_host.actions_uplinks import AddRoute, MoveAddresses, SetMulticast
from netctl_host.assignment import UplinkBridge
from netctl_host.plan_uplinks import find_uplink_port, settings_of
from netctl_host.state import Bridge, HostState, Port, Route, port_holders
from netctl_host.uplink_members import wanted_addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLink:
    """A network interface before we took it."""

    name: str
    mtu_bytes: int
    addresses: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there was; `ports` None: there was no such bridge, or it was ours."""

    bridge: str
    links: tuple[FoundLink, ...] = ()
    ports: tuple[Port, ...] | None = None
    mtu_request: int = 0
    mcast_snooping: bool = False
    mcast_timeout_s: int = 0

    def joined(self, later: Found) -> Found:
        """Return this with the links of `later` that are not in it."""
        known = {link.name for link in self.links}
        return replace(self, links=self.links + tuple(link for link in later.links if link.name not in known))


def find(uplink: UplinkBridge, state: HostState) -> tuple[Found, UplinkBridge | None]:
    """Return what the host has of a bridge that is to become `uplink`; where it is ours, also as settings."""
    bridge = state.switch.bridges.get(uplink.bridge)
    holders = port_holders(state)
    links = tuple(
        FoundLink(
            name=name,
            mtu_bytes=state.links[name].mtu_bytes,
            addresses=state.links[name].addresses,
            routes=state.links[name].routes,
        )
        for name in uplink.interfaces
        if name in state.links and not (name in holders and holders[name][0].name != uplink.bridge)
    )
    if bridge is None:
        return Found(bridge=uplink.bridge, links=links), None
    if bridge.is_ours:
        return Found(bridge=uplink.bridge, links=links), _as_settings(bridge, uplink, state)
    internal = state.switch.interfaces.get(uplink.bridge)
    return (
        Found(
            bridge=uplink.bridge,
            links=links,
            ports=tuple(_uplink_ports(bridge, uplink.interfaces, uplink.bond)),
            mtu_request=internal.mtu_request if internal is not None else 0,
            mcast_snooping=bridge.mcast_snooping,
            mcast_timeout_s=bridge.mcast_timeout_s,
        ),
        None,
    )


def plan_undo(found: Found, counting: Collection[UplinkBridge], state: HostState) -> Iterator[Action]:
    """Yield what is left to put back; `counting` are the settings of bridges that count now, and come first."""
    kept = {name for uplink in counting for name in uplink.interfaces}
    claimed = {address for uplink in counting for address in wanted_addresses(uplink)}
    bridge = state.switch.bridges.get(found.bridge)
    if found.ports is not None and bridge is not None:
        yield from _plan_ports(found, found.ports, bridge, state)
    for before in found.links:
        link = state.links.get(before.name)
        if link is None:
            continue
        if before.mtu_bytes != link.mtu_bytes and before.name not in kept:
            yield SetMtu(link=before.name, mtu_bytes=before.mtu_bytes)
        missing = tuple(
            address
            for address in before.addresses
            if address not in link.addresses and address not in claimed
        )
        yield from _plan_return(before.name, missing, found.bridge, state)
        if not missing and set(before.addresses) <= set(link.addresses):
            for route in before.routes:
                if route not in link.routes:
                    yield AddRoute(link=before.name, route=route)


def _plan_return(name: str, missing: tuple[str, ...], bridge: str, state: HostState) -> Iterator[Action]:
    """The bridge may still have the addresses that moved there."""
    ips = {ipaddress.ip_interface(address).ip for address in missing}
    internal = state.links.get(bridge)
    moved = tuple(
        address
        for address in (internal.addresses if internal is not None else ())
        if ipaddress.ip_interface(address).ip in ips
    )
    if moved:
        yield MoveAddresses(link=bridge, to=name, addresses=missing, leaving=moved)
    else:
        for address in missing:
            yield AddAddress(link=name, address=address)


def _plan_ports(found: Found, ports: tuple[Port, ...], bridge: Bridge, state: HostState) -> Iterator[Action]:
    names = {port.name for port in ports}
    interfaces = [link.name for link in found.links]
    for port in bridge.ports.values():
        if port.name not in names and set(port.interfaces) & set(interfaces):
            yield RemovePort(bridge=bridge.name, port=port.name)
    for port in ports:
        there = bridge.ports.get(port.name)
        wanted = settings_of(port)
        if there is None:
            yield AddBond(bridge=bridge.name, bond=port.name, interfaces=port.interfaces, **wanted)
        elif (there.interfaces, settings_of(there)) != (port.interfaces, wanted):
            yield SetBond(bond=port.name, interfaces=port.interfaces, **wanted)
    internal = state.switch.interfaces.get(bridge.name)
    if internal is not None and internal.mtu_request != found.mtu_request:
        yield SetInternalMtu(bridge=bridge.name, mtu_bytes=found.mtu_request)
    if (bridge.mcast_snooping, bridge.mcast_timeout_s) != (found.mcast_snooping, found.mcast_timeout_s):
        yield SetMulticast(bridge=bridge.name, snooping=found.mcast_snooping, aging_s=found.mcast_timeout_s)


def _uplink_ports(bridge: Bridge, interfaces: Collection[str], bond: str) -> Iterator[Port]:
    for port in bridge.ports.values():
        if port.name == bond or set(port.interfaces) & set(interfaces):
            yield replace(port, active_mac="")


def _as_settings(bridge: Bridge, uplink: UplinkBridge, state: HostState) -> UplinkBridge:
    """Return the settings that a bridge of ours has: an agent of before made it, or what was noted is lost."""
    port = find_uplink_port(bridge, uplink, uplink.interfaces)
    internal = state.switch.interfaces.get(bridge.name)
    link = state.links.get(bridge.name)
    addresses = link.addresses if link is not None else ()
    return replace(
        uplink,
        interfaces=port.interfaces if port is not None else (),
        bond_mode=(port.bond_mode if port is not None else "") or uplink.bond_mode,
        primary=port.bond_primary if port is not None else "",
        lacp="active" if port is not None and port.lacp else "off",
        lacp_fast=port is None or port.lacp_time == "fast",
        lacp_fallback=port is not None and port.lacp_fallback,
        mtu_bytes=internal.mtu_request if internal is not None else 0,
        address="",
        host_addresses=addresses,
        mcast_snooping=bridge.mcast_snooping,
        mcast_timeout_s=bridge.mcast_timeout_s,
        settings_id="",
    )
