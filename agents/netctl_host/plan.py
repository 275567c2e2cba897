"""plan(assignment, state, settings) -> actions: what is still to do on this host. Pure.

Comes in: what the host must have and what it has, both complete. Goes out: the actions that are left, nothing when
the two are equal. What exists and is right is adopted as it is; a bridge, port, interface or external_ids key that is
neither named by the assignment nor marked as ours is never touched. Links that are not there yet (a tap before its
guest, br0's internal port before ovs-vswitchd made it) get no action: their coming wakes the loop, which plans again.
"""

from __future__ import annotations

from collections.abc import Iterator

from netctl_host.actions import (
    Action,
    AttachGuard,
    DetachGuard,
    DisableChecksumOffload,
    LinkAction,
    SetLinkUp,
    SetMtu,
)
from netctl_host.assignment import Assignment
from netctl_host.chassis import plan_chassis
from netctl_host.plan_addresses import plan_addresses
from netctl_host.plan_function_bridge import plan_patches
from netctl_host.plan_internal import plan_internal_ports, plan_linux_bridge
from netctl_host.plan_mirrors import plan_mirrors
from netctl_host.plan_taps import plan_taps, pluggable_nics
from netctl_host.plan_uplinks import (
    USERSPACE,
    choose_datapath_type,
    plan_bonds,
    plan_bridges,
)
from netctl_host.settings import Settings
from netctl_host.state import HostState, Xdp
from netctl_host.uplink_members import taken_interfaces


def plan(assignment: Assignment, state: HostState, settings: Settings) -> tuple[Action, ...]:
    """Return what to do, in an order that may be followed; () when the host equals the assignment."""
    datapath_type = choose_datapath_type(assignment, state, settings)
    return (
        *plan_bridges(assignment, state, settings, datapath_type),
        *plan_bonds(assignment, state, settings),
        *plan_internal_ports(assignment, state),
        *plan_chassis(assignment, state, settings, datapath_type),
        *plan_patches(assignment, state),
        *plan_taps(assignment, state, settings),
        *plan_mirrors(assignment, state, settings),
        *_plan_links(assignment, state, settings, datapath_type),
        *plan_addresses(assignment, state, settings),
        *plan_linux_bridge(assignment, state),
        *_plan_guards(assignment, state, settings),
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
