"""What is still to do for taps: in which bridge each is, and how. Pure; a part of `plan.py`."""

from __future__ import annotations

from collections.abc import Iterator

from netctl_host.actions import PlugTap, SwitchAction, UnplugTap
from netctl_host.assignment import Assignment, NicAssignment
from netctl_host.plan_function_bridge import FUNCTION_BRIDGE, function_bridges
from netctl_host.settings import Settings
from netctl_host.state import HostState, Interface, port_holders

_MAC_KEY = "attached-mac"
_NOBODYS_VLAN = 4095  # IEEE 802.1Q, table 9-2: reserved


def plan_taps(assignment: Assignment, state: HostState, settings: Settings) -> Iterator[SwitchAction]:
    """Yield what plugs, moves, corrects and unplugs taps; one that is right gets nothing."""
    holders = port_holders(state)
    pluggable = {nic.tap_name: nic for nic in pluggable_nics(assignment, state, settings)}
    managed = _managed_bridges(assignment, settings)
    for name in sorted(managed):
        bridge = state.switch.bridges.get(name)
        for port in bridge.ports.values() if bridge else ():
            interface = state.switch.interfaces.get(port.name)
            # ours, but without an assignment or without a tap: unplugged means unreachable
            if interface is not None and is_our_tap(interface) and port.name not in pluggable:
                yield UnplugTap(bridge=name, tap=port.name)
    for nic in pluggable.values():
        bridge, _port = holders.get(nic.tap_name, (None, None))
        if is_plugged(nic, state, settings) and _is_marked(nic, state):
            continue
        wanted = home(nic, settings)
        vlan_mode, tag, trunks = _vlans(nic)
        yield PlugTap(
            bridge=wanted,
            tap=nic.tap_name,
            iface_id=iface_id(nic),
            mac_address=nic.mac_address,
            leaves=bridge.name if bridge is not None and bridge.name != wanted else "",
            vlan_mode=vlan_mode,
            tag=tag,
            trunks=trunks,
        )


def home(nic: NicAssignment, settings: Settings) -> str:
    """Return the bridge that the NIC's tap belongs into."""
    return nic.bridge or settings.integration_bridge


def iface_id(nic: NicAssignment) -> str:
    """Return what OVN knows the tap by; "" where OVN is not to know it."""
    return "" if nic.bridge or nic.mirror_destination else nic.iface_id


def is_our_tap(interface: Interface) -> bool:
    """Did we plug it?"""
    return interface.is_ours and _MAC_KEY in interface.external_ids


def is_plugged(nic: NicAssignment, state: HostState, settings: Settings) -> bool:
    """Is the tap a port of its bridge, in its VLANs, and known to OVN if it is to be?"""
    bridge = state.switch.bridges.get(home(nic, settings))
    port = bridge.ports.get(nic.tap_name) if bridge else None
    interface = state.switch.interfaces.get(nic.tap_name)
    return (
        port is not None
        and (port.vlan_mode, port.tag, port.trunks) == _vlans(nic)
        and interface is not None
        and interface.external_ids.get("iface-id", "") == iface_id(nic)
    )


def pluggable_nics(assignment: Assignment, state: HostState, settings: Settings) -> tuple[NicAssignment, ...]:
    """Return the NICs whose tap is there, whose bridge is, and that nobody else holds."""
    holders = port_holders(state)
    managed = _managed_bridges(assignment, settings)

    def may_be_had(nic: NicAssignment) -> bool:
        bridge, _port = holders.get(nic.tap_name, (None, None))
        if bridge is None or bridge.name == home(nic, settings):
            return True
        # In another bridge of this host: ours is moved, what somebody else plugged there is left alone.
        return bridge.name in managed | _left_bridges(state) and is_our_tap(
            state.switch.interfaces[nic.tap_name]
        )

    return tuple(
        nic
        for nic in assignment.nics
        if nic.tap_name in state.links
        and not nic.disconnected
        and home(nic, settings) in managed
        and may_be_had(nic)
    )


def tap_problems(assignment: Assignment, state: HostState, settings: Settings) -> Iterator[str]:
    """Say which taps are there and cannot be plugged."""
    holders = port_holders(state)
    managed = _managed_bridges(assignment, settings)
    pluggable = {nic.tap_name for nic in pluggable_nics(assignment, state, settings)}
    for nic in assignment.nics:
        if nic.tap_name in pluggable or nic.tap_name not in state.links or nic.disconnected:
            continue
        where = f"tap {nic.tap_name} of nics/{nic.nic_id}"
        if home(nic, settings) not in managed:
            yield f"{where}: this host has no bridge {nic.bridge}"
        else:
            yield f"{where} is in bridge {holders[nic.tap_name][0].name}"


def _is_marked(nic: NicAssignment, state: HostState) -> bool:
    interface = state.switch.interfaces[nic.tap_name]
    return interface.is_ours and interface.external_ids.get(_MAC_KEY) == nic.mac_address


def _managed_bridges(assignment: Assignment, settings: Settings) -> frozenset[str]:
    return frozenset(
        {settings.integration_bridge}
        | {uplink.bridge for uplink in assignment.uplink_bridges}
        | function_bridges(assignment).keys()
    )


def _left_bridges(state: HostState) -> frozenset[str]:
    """Return bridges of ours, which may be about to go."""
    return frozenset(name for name, bridge in state.switch.bridges.items() if bridge.is_ours)


def _vlans(nic: NicAssignment) -> tuple[str, int | None, tuple[int, ...]]:
    """Return `vlan_mode`, `tag` and `trunks` of the NIC's port; in brAtlas and br.nf flows decide of VLANs."""
    if not nic.bridge or nic.bridge == FUNCTION_BRIDGE:
        return "", None, ()
    if nic.mirror_destination:
        return "trunk", None, (_NOBODYS_VLAN,)  # it gets no floods; copies keep their tags
    if nic.trunks_all:
        return "native-untagged", nic.vlan_id, ()
    if nic.trunk_vlan_ids:
        return "native-untagged", nic.vlan_id, tuple(sorted(nic.trunk_vlan_ids))
    return "access", nic.vlan_id, ()
