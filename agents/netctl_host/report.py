"""HostState and assignment -> HostReport: what the controller is told. Pure.

A report says what is, not what was done: it is made from the state that was read after the pass's actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from netctl_host.assignment import Assignment, NicAssignment, UplinkBridge
from netctl_host.function_flows import steering_problems
from netctl_host.plan_internal import find_internal_problems
from netctl_host.plan_mirrors import mirror_problems
from netctl_host.plan_taps import is_plugged, pluggable_nics, tap_problems
from netctl_host.plan_uplinks import find_uplink_port, leads_to_controller
from netctl_host.reported import (
    BondReport,
    BridgeReport,
    HostReport,
    LinkReport,
    NicReport,
    TunnelReport,
)
from netctl_host.settings import Settings
from netctl_host.state import Ethernet, HostState, Interface, Xdp, port_holders
from netctl_host.uplink_members import find_obstacles, taken_interfaces
from netctl_host.uplink_trial import Record

TUNNEL_TYPES = frozenset({"geneve", "vxlan", "stt"})


def make_report(
    host_id: str, assignment: Assignment | None, state: HostState, settings: Settings
) -> HostReport:
    """Return the report without `assignment_revision` and without the problems of a pass, which its caller knows."""
    uplinks = assignment.uplink_bridges if assignment else ()
    return HostReport(
        host_id=host_id,
        nb_cfg=_nb_cfg(state, settings),
        ovn_controller_connected=state.ovn_controller_connected,
        nics=tuple(_report_nic(nic, state, settings) for nic in assignment.nics) if assignment else (),
        links=tuple(_report_links(uplinks, state, assignment.nics if assignment else ())),
        bonds=tuple(_report_bond(uplink, state) for uplink in uplinks),
        bridges=tuple(_report_bridge(uplink, state) for uplink in uplinks),
        tunnels=tuple(_report_tunnels(state, settings)),
        functions=state.functions,
        problems=tuple(_list_problems(assignment, state, settings)) if assignment else (),
    )


def tell_settings(
    bridges: Sequence[BridgeReport], assigned: Sequence[UplinkBridge], records: Mapping[str, Record]
) -> tuple[BridgeReport, ...]:
    """Return the bridges with their settings' ids, those that are assigned and not there included."""
    there = {bridge.bridge: bridge for bridge in bridges}
    told = []
    for uplink in assigned:
        record = records.get(uplink.bridge)
        confirmed = record.confirmed if record is not None else None
        told.append(
            replace(
                there.get(uplink.bridge)
                or BridgeReport(bridge=uplink.bridge, physnet=uplink.physnet, up=False),
                settings_id=confirmed.settings_id if confirmed is not None else "",
                rolled_back_settings_id=record.rolled_back_id if record is not None else "",
            )
        )
    return tuple(told)


def _nb_cfg(state: HostState, settings: Settings) -> int:
    bridge = state.switch.bridges.get(settings.integration_bridge)
    text = bridge.external_ids.get("ovn-nb-cfg", "") if bridge else ""
    return int(text) if text.isdecimal() else 0


def _report_nic(nic: NicAssignment, state: HostState, settings: Settings) -> NicReport:
    interface = state.switch.interfaces.get(nic.tap_name)
    plugged = (
        not nic.disconnected
        and interface is not None
        and interface.ofport > 0
        and is_plugged(nic, state, settings)
    )
    return NicReport(
        iface_id=nic.iface_id,
        tap_present=nic.tap_name in state.links,
        plugged=plugged,
        ovn_installed=plugged
        and interface is not None
        and interface.external_ids.get("ovn-installed") == "true"
        and _reaches_its_vlan(nic, state, settings),
        learned_addresses=state.learned.get(nic.iface_id, ()) if nic.learn_addresses else (),
        guarded=nic.guard_ipv6 and nic.tap_name in state.links and state.links[nic.tap_name].xdp is Xdp.GUARD,
        resumed=nic.iface_id in state.arrived,
        announce_ms=state.arrived.get(nic.iface_id, 0),
    )


def _reaches_its_vlan(nic: NicAssignment, state: HostState, settings: Settings) -> bool:
    # ovn-controller sets ovn-installed on a VLAN's first NIC before the patch port that it makes for the VLAN has an
    # ofport, and so some 30 ms before the flows from and to the VLAN. It is ovn-controller (patch.c) that names it.
    return (
        not nic.localnet or f"patch-{settings.integration_bridge}-to-{nic.localnet}" in state.flowing_patches
    )


def _report_links(
    uplinks: Sequence[UplinkBridge], state: HostState, nics: Sequence[NicAssignment]
) -> Iterator[LinkReport]:
    """Yield the uplinks' interfaces, then those that could serve one."""
    named = dict.fromkeys(name for uplink in uplinks for name in uplink.interfaces)
    taps = {nic.tap_name for nic in nics}
    taps |= {
        name for name, interface in state.switch.interfaces.items() if "iface-id" in interface.external_ids
    }
    others = (name for name, link in sorted(state.links.items()) if link.ethernet is not None)
    holders = port_holders(state)
    for name in (*named, *(name for name in others if name not in named and name not in taps)):
        bridge, _port = holders.get(name, (None, None))
        yield _report_link(name, state, name in named, bridge.name if bridge is not None else "")


def _report_link(name: str, state: HostState, is_uplink: bool, bridge: str) -> LinkReport:
    link = state.links.get(name)
    if link is None:
        return LinkReport(interface=name, present=False, up=False, mtu_bytes=0, uplink=is_uplink)
    ethernet = link.ethernet or Ethernet()
    return LinkReport(
        interface=name,
        present=True,
        up=link.carrier,
        mtu_bytes=link.mtu_bytes,
        uplink=is_uplink,
        mac_address=link.mac_address,
        speed_mbps=ethernet.speed_mbps,
        full_duplex=ethernet.full_duplex,
        driver=ethernet.driver,
        bridge=bridge or link.master,
        addresses=link.addresses,
        neighbor=state.neighbors.get(name),
    )


def _report_bond(uplink: UplinkBridge, state: HostState) -> BondReport:
    port = find_uplink_port(state.switch.bridges.get(uplink.bridge), uplink, uplink.interfaces)
    up_interfaces = _members_that_carry(uplink, state)
    active = ""
    if port is not None and len(port.interfaces) == 1:
        active = "".join(up_interfaces)
    elif port is not None:
        # OVS names the active member by its MAC.
        by_mac = {state.links[name].mac_address: name for name in port.interfaces if name in state.links}
        active = by_mac.get(port.active_mac, "")
    return BondReport(
        bond=uplink.bond,
        active_interface=active,
        up_interfaces=up_interfaces,
        bond_mode=port.bond_mode if port is not None else "",
        lacp_status=state.lacp.get(port.name, "configured") if port is not None and port.lacp else "off",
    )


def _report_bridge(uplink: UplinkBridge, state: HostState) -> BridgeReport:
    return BridgeReport(
        bridge=uplink.bridge, physnet=uplink.physnet, up=bool(_members_that_carry(uplink, state))
    )


def _members_that_carry(uplink: UplinkBridge, state: HostState) -> tuple[str, ...]:
    """Return the uplink's interfaces that packets may take: in its bridge, with carrier, and as LACP allows.

    Where LACP agreed, a member whose partner is silent is left. Where nobody speaks it, Open vSwitch falls back to one
    member after 3 s, if it may; until then, or for ever, none carries.
    """
    port = find_uplink_port(state.switch.bridges.get(uplink.bridge), uplink, uplink.interfaces)
    found = _members_with_carrier(uplink, state)
    if port is None or not port.lacp or len(port.interfaces) < 2:
        return found
    if not port.active_mac:  # also while members listen for a partner, though OVS says `negotiated` then
        return ()
    if state.lacp.get(port.name) != "negotiated":
        return found
    interfaces = state.switch.interfaces
    return tuple(name for name in found if name in interfaces and interfaces[name].lacp_current)


def _members_with_carrier(uplink: UplinkBridge, state: HostState) -> tuple[str, ...]:
    """Return the uplink's interfaces that are in its bridge and have carrier."""
    holders = port_holders(state)
    return tuple(
        name
        for name in uplink.interfaces
        if name in holders
        and holders[name][0].name == uplink.bridge
        and name in state.links
        and state.links[name].carrier
    )


def _report_tunnels(state: HostState, settings: Settings) -> Iterator[TunnelReport]:
    bridge = state.switch.bridges.get(settings.integration_bridge)
    for port in bridge.ports.values() if bridge else ():
        interface = state.switch.interfaces.get(port.name)
        if interface is not None and interface.type in TUNNEL_TYPES:
            yield TunnelReport(
                remote_ip=interface.remote_ip,
                up=_is_up(interface),
                bfd=interface.bfd_enabled,
                bfd_up=interface.bfd_enabled and interface.bfd_state == "up",
            )


def _is_up(tunnel: Interface) -> bool:
    # OVN runs BFD over a tunnel only where gateways need it; without it a tunnel is as good as its port.
    # ovs-vswitchd leaves `bfd_status` as it was for a moment after BFD was switched off.
    heard = tunnel.bfd_state in ("", "up") or not tunnel.bfd_enabled
    return tunnel.ofport > 0 and not tunnel.error and heard


def _list_problems(assignment: Assignment, state: HostState, settings: Settings) -> Iterator[str]:
    taken = taken_interfaces(assignment, state, settings)
    for uplink in assignment.uplink_bridges:
        for name in uplink.interfaces:
            if name not in state.links:
                yield f"interface {name} of {uplink.bond} is not there"
        yield from _switch_error(uplink.bridge, state.switch.interfaces)
        for name in taken[uplink.bridge]:
            if name in state.links:
                yield from _switch_error(name, state.switch.interfaces)
    for bridge in state.switch.bridges.values():
        if bridge.is_ours and bridge.name not in taken and leads_to_controller(bridge.name, state):
            yield f"bridge {bridge.name} is no longer assigned, leads to the controller and is therefore kept"
    yield from find_obstacles(assignment, state, settings)
    yield from find_internal_problems(assignment, state)
    if state.flows_problem:
        yield state.flows_problem
    taps = pluggable_nics(assignment, state, settings)
    yield from _guard_problems(taps, state)
    for nic in taps:
        yield from _switch_error(nic.tap_name, state.switch.interfaces)
    yield from tap_problems(assignment, state, settings)
    yield from mirror_problems(assignment, state, settings)
    yield from steering_problems(assignment.service_chains)
    yield from state.steering_problems


def _guard_problems(taps: Sequence[NicAssignment], state: HostState) -> Iterator[str]:
    """Say why NICs that should have the guard are without it; they are served all the same."""
    bare = {nic: state.links[nic.tap_name].xdp for nic in taps if nic.guard_ipv6}
    if state.guard_problem and any(xdp in (Xdp.NONE, Xdp.OLD_GUARD) for xdp in bare.values()):
        yield state.guard_problem
    for nic, xdp in bare.items():
        if xdp is Xdp.FOREIGN:
            yield f"tap {nic.tap_name} of nics/{nic.nic_id} has an XDP program that is not ours, and so no IPv6 guard"


def _switch_error(name: str, interfaces: Mapping[str, Interface]) -> Iterator[str]:
    interface = interfaces.get(name)
    if interface is not None and interface.error:
        yield f"ovs-vswitchd: {name}: {interface.error}"
