"""What is still to do for br.nf, for the bridges of guests behind it, and for the patch ports between. Pure.

`br.nf` is there while the assignment has a segment or a function, `br0.local` while a NIC or a segment names it. Each
bridge that a segment's frames leave by is joined to br.nf with one pair of patch ports. ovn-controller makes those
to brAtlas itself, one pair for each localnet port whose physical network is mapped to br.nf.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netctl_host.actions import AddPatch, RemovePort, SwitchAction
from netctl_host.assignment import Assignment
from netctl_host.state import HostState

FUNCTION_BRIDGE = "br.nf"
LOCAL_SUFFIX = ".local"


def function_bridges(assignment: Assignment) -> Mapping[str, str]:
    """Return the bridges that are wanted beside brAtlas and those of uplinks, with their fail mode."""
    chains = assignment.service_chains
    named = {nic.bridge for nic in assignment.nics} | {segment.local_bridge for segment in chains.segments}
    wanted = {name: "standalone" for name in named if name.endswith(LOCAL_SUFFIX)}
    if wanted or chains.segments or chains.functions or FUNCTION_BRIDGE in named:
        wanted[FUNCTION_BRIDGE] = "secure"
    return wanted


def patch_name(bridge: str, peer_bridge: str) -> str:
    """Name the patch port of `bridge` that leads to `peer_bridge`, as ovn-controller names its own."""
    return f"patch-{bridge}-to-{peer_bridge}"


def plan_patches(assignment: Assignment, state: HostState) -> Iterator[SwitchAction]:
    """Yield what makes and removes our patch ports."""
    wanted = {patch_name(here, there): (here, patch_name(there, here)) for here, there in _joined(assignment)}
    staying = {uplink.bridge for uplink in assignment.uplink_bridges} | function_bridges(assignment).keys()
    there_already = set()
    for name in sorted(staying & state.switch.bridges.keys()):
        for port in state.switch.bridges[name].ports.values():
            interface = state.switch.interfaces.get(port.name)
            if interface is None or interface.type != "patch" or not interface.is_ours:
                continue
            if wanted.get(port.name) == (name, interface.peer):
                there_already.add(port.name)
            elif wanted.get(port.name, ("", ""))[0] != name:
                yield RemovePort(bridge=name, port=port.name)
    for port_name, (bridge, peer) in sorted(wanted.items()):
        if port_name not in there_already:
            yield AddPatch(bridge=bridge, port=port_name, peer=peer)


def _joined(assignment: Assignment) -> Iterator[tuple[str, str]]:
    """Yield the bridges that have a patch port to another, each way."""
    uplinks = {uplink.bridge for uplink in assignment.uplink_bridges}
    neighbours = {segment.uplink_bridge for segment in assignment.service_chains.segments} & uplinks
    neighbours |= function_bridges(assignment).keys() - {FUNCTION_BRIDGE}
    for name in sorted(neighbours):
        yield name, FUNCTION_BRIDGE
        yield FUNCTION_BRIDGE, name
