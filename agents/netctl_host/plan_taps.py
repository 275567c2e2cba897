"""What is still to do for taps. Pure; a part of `plan.py`."""

from __future__ import annotations

from collections.abc import Iterator

from netctl_host.actions import PlugTap, SwitchAction, UnplugTap
from netctl_host.assignment import Assignment, NicAssignment
from netctl_host.settings import Settings
from netctl_host.state import HostState, port_holders


def plan_taps(assignment: Assignment, state: HostState, settings: Settings) -> Iterator[SwitchAction]:
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
