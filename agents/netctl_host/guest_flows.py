"""Whom the host's DHCP server serves, and our few flows on bridges that learn: br0, br0.local. Pure.

A guest's request is answered on its tap; in the bridge it is dropped, and so is what another server says to the
guest's MAC address. A port that gets copies says nothing. Everything else takes the way it takes without us.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netctl_host.assignment import Assignment, DhcpLease
from netctl_host.plan_taps import is_plugged
from netctl_host.settings import Settings
from netctl_host.state import HostState

COOKIE = 0x6E6574_64686370
"""Of our flows on bridges that are not ours alone."""
_PRIORITY = 40000
_UNTAGGED = "vlan_tci=0x0000/0x1000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A guest behind a tap; `index` tells the tap from an earlier one of its name."""

    tap: str
    index: int
    mac_address: str
    lease: DhcpLease


def find_clients(assignment: Assignment, state: HostState) -> frozenset[Client]:
    """Return the guests to serve whose taps are there."""
    return frozenset(
        Client(
            tap=nic.tap_name,
            index=state.links[nic.tap_name].index,
            mac_address=nic.mac_address,
            lease=nic.dhcp,
        )
        for nic in assignment.nics
        if nic.dhcp is not None and nic.bridge and not nic.disconnected and nic.tap_name in state.links
    )


def render_guest_flows(
    assignment: Assignment, state: HostState, settings: Settings, bridge: str
) -> tuple[str, ...]:
    """Return our flows on a bridge."""
    return tuple(dict.fromkeys(_flows(assignment, state, settings, bridge)))


def _flows(assignment: Assignment, state: HostState, settings: Settings, bridge: str) -> Iterator[str]:
    for nic in assignment.nics:
        if nic.bridge != bridge or not is_plugged(nic, state, settings):
            continue
        ofport = state.switch.interfaces[nic.tap_name].ofport
        if nic.mirror_destination and ofport:
            yield f"priority={_PRIORITY},in_port={ofport},actions=drop"
        if nic.dhcp is None:
            continue
        if ofport:
            request = "udp,tp_src=68,tp_dst=67"
            yield f"priority={_PRIORITY},in_port={ofport},{_UNTAGGED},{request},actions=drop"
        # Between ports of one VLAN untagged, from elsewhere with its tag.
        for vlan in (_UNTAGGED, f"dl_vlan={nic.vlan_id}") if nic.vlan_id else (_UNTAGGED,):
            reply = f"dl_dst={nic.mac_address},{vlan},udp,tp_src=67,tp_dst=68"
            yield f"priority={_PRIORITY},{reply},actions=drop"
