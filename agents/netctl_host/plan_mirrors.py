"""What is still to do for mirrors: one of the switch's for each destination. Pure; a part of `plan.py`.

Only ports that are in the bridge are named; those that come later are added by the pass that plugged them.
"""

from __future__ import annotations

from collections.abc import Iterator

from netctl_host.actions import RemoveMirror, SetMirror, SwitchAction
from netctl_host.assignment import Assignment
from netctl_host.settings import Settings
from netctl_host.state import HostState, SwitchMirror


def plan_mirrors(assignment: Assignment, state: HostState, settings: Settings) -> Iterator[SwitchAction]:
    """Yield what makes, corrects and removes mirrors of ours."""
    wanted = dict(_wanted(assignment, state, settings))
    for bridge in state.switch.bridges.values():
        for mirror in bridge.mirrors.values():
            if mirror.is_ours and (bridge.name, mirror.name) not in wanted:
                yield RemoveMirror(bridge=bridge.name, mirror=mirror.name)
    for (bridge_name, name), mirror in sorted(wanted.items()):
        if state.switch.bridges[bridge_name].mirrors.get(name) != mirror:
            yield SetMirror(
                bridge=bridge_name,
                mirror=name,
                from_ports=mirror.from_ports,
                to_ports=mirror.to_ports,
                output_port=mirror.output_port,
            )


def mirror_problems(assignment: Assignment, state: HostState, settings: Settings) -> Iterator[str]:
    """Say which destinations are elsewhere than what is to be copied to them."""
    for mirror in assignment.mirrors:
        name = mirror.bridge or settings.integration_bridge
        bridge = state.switch.bridges.get(name)
        for tap in mirror.destination_taps:
            if tap in state.links and (bridge is None or tap not in bridge.ports):
                yield f"trafficMirrors/{mirror.mirror_id}: tap {tap} is not a port of {name}"


def _wanted(
    assignment: Assignment, state: HostState, settings: Settings
) -> Iterator[tuple[tuple[str, str], SwitchMirror]]:
    for mirror in assignment.mirrors:
        bridge = state.switch.bridges.get(mirror.bridge or settings.integration_bridge)
        if bridge is None:
            continue
        from_ports = tuple(sorted({name for name in mirror.from_ports if name in bridge.ports}))
        to_ports = tuple(sorted({name for name in mirror.to_ports if name in bridge.ports}))
        for tap in mirror.destination_taps:
            if tap in bridge.ports and (from_ports or to_ports):
                name = f"netctl-{mirror.mirror_id}-{tap}"
                yield (
                    (bridge.name, name),
                    SwitchMirror(
                        name=name, from_ports=from_ports, to_ports=to_ports, output_port=tap, is_ours=True
                    ),
                )
