"""Cables that fail: pulled (no carrier), silent (carrier, and nothing comes through), or plugged in again.

A cable is named by one of its ends, `h1:eth1`, or `h1:eth0` for the management link; the cables of a node by the node.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from netctl.errors import NotFound
from netctl.lab import links, silence, wiring
from netctl.lab.links import Cable, Port
from netctl.lab.namespaces import fabric_namespace
from netctl.lab.topology import MANAGEMENT_INTERFACE, Endpoint, Topology


class CableState(enum.StrEnum):
    """What a cable does."""

    UP = "up"
    DOWN = "down"
    SILENT = "silent"


def set_cables(lab: str, topology: Topology, where: str, state: CableState) -> None:
    """Set the state of one cable, or of all of a node."""
    for cable in find_cables(lab, topology, where):
        for end in cable.ends:
            if state is not CableState.SILENT:
                silence.unsilence(end.namespace, end.interface)
        far = _pulled(lab, cable)
        links.set_state(far.namespace, far.interface, up=state is not CableState.DOWN)
        if state is CableState.SILENT:
            for end in cable.ends:
                silence.silence(end.namespace, end.interface)


def find_cables(lab: str, topology: Topology, where: str) -> list[Cable]:
    """Find the cables that a name means; raise NotFound with the names that there are."""
    node, _, interface = where.partition(":")
    ends = [link.ends for link in topology.links]
    known = {
        f"{end.node}:{end.interface}": cable
        for pair, cable in zip(ends, wiring.data_cables(lab, topology), strict=True)
        for end in pair
    } | {
        f"{node.id}:{MANAGEMENT_INTERFACE}": cable
        for node, cable in zip(topology.nodes, wiring.management_cables(lab, topology), strict=True)
    }
    data = {Endpoint(node=end.node, interface=end.interface) for pair in ends for end in pair}
    if interface:
        found = [cable for name, cable in known.items() if name == where]
    else:
        found = _unique(known[f"{end.node}:{end.interface}"] for end in data if end.node == node)
    if not found:
        raise NotFound(f"no cable {where}; there are {', '.join(sorted(known))}")
    return found


def _pulled(lab: str, cable: Cable) -> Port:
    """Return the end that is taken down so that the other one loses its carrier: the fabric's."""
    fabric = fabric_namespace(lab)
    return next((end for end in cable.ends if end.namespace == fabric), cable.ends[0])


def _unique(cables: Iterable[Cable]) -> list[Cable]:
    return list(dict.fromkeys(cables))
