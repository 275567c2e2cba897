"""The order of the edits of one batch, from what resources refer to. Pure.

In: edits with the names that they refer to now and referred to before; out: the same, so that each finds what it needs.
What is referred to is there before who refers to it; what goes is taken away after who left it or goes as well. Beyond
that, removals go first, so that what they used (an address, a VLAN id) is free for what is new, except those of
hosts, virtual switches and clusters; and kinds go in the order of `_RANKS`, so that what is needed without being named
(the NIC with a policy's service IP, the subnet of a next hop) is there.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

_INFRASTRUCTURE = ("Cluster", "VirtualSwitch", "Host")
# Reservations come before NICs take addresses.
_RANKS = (
    *_INFRASTRUCTURE,
    *("Category", "AddressGroup", "ServiceGroup"),
    *("Vpc", "Subnet", "AddressReservation", "Image", "Vm", "Nic", "FloatingIp", "Route", "RoutingPolicy"),
    *("EntityGroup", "SecurityPolicy", "NetworkFunction", "ServiceChain", "TrafficMirror"),
    *("VmTemplate", "AffinityPolicy", "VmMigration"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One edit. `needs` are the names that the resource refers to (as it will be, or as it was when it goes), `leaves`
    those that it refers to until the edit; `after` are names of edits that must come first. `is_certain`: it asks for
    certain addresses, so it goes before others.
    """

    name: str
    message: str
    is_removal: bool = False
    is_certain: bool = False
    needs: frozenset[str] = frozenset()
    leaves: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()


def in_order(steps: Sequence[Step]) -> list[Step]:
    """Return steps in an order in which each can be done; those in a circle as they come, for the server to refuse."""
    after, waits = _edges(steps)
    ready = [(_urgency(step), index) for index, step in enumerate(steps) if not waits[index]]
    heapq.heapify(ready)
    ordered: list[int] = []
    while ready:
        _, index = heapq.heappop(ready)
        ordered.append(index)
        for other in after[index]:
            waits[other] -= 1
            if not waits[other]:
                heapq.heappush(ready, (_urgency(steps[other]), other))
    done = set(ordered)
    circle = sorted((_urgency(step), index) for index, step in enumerate(steps) if index not in done)
    return [steps[index] for index in (*ordered, *(index for _, index in circle))]


def circle_through(steps: Sequence[Step], name: str) -> list[str]:
    """Return the shortest way round from a name back to itself, with it at both ends; empty where there is none."""
    needs = {step.name: sorted(step.needs) for step in steps if not step.is_removal}
    ways = [[name]]
    seen: set[str] = set()
    for way in ways:  # grows while we look
        for other in needs.get(way[-1], ()):
            if other == name:
                return [*way, other]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


def _edges(steps: Sequence[Step]) -> tuple[dict[int, list[int]], list[int]]:
    """Return which steps come after which, and of how many each comes after."""
    applies = {step.name: index for index, step in enumerate(steps) if not step.is_removal}
    removals = {step.name: index for index, step in enumerate(steps) if step.is_removal}
    every = applies | removals
    pairs: set[tuple[int, int]] = set()
    for index, step in enumerate(steps):
        pairs |= {(every[name], index) for name in step.after if name in every}
        if step.is_removal:
            pairs |= {(index, removals[name]) for name in step.needs if name in removals}
        else:
            pairs |= {(applies[name], index) for name in step.needs if name in applies}
            pairs |= {(index, removals[name]) for name in step.leaves if name in removals}
    after: dict[int, list[int]] = defaultdict(list)
    waits = [0] * len(steps)
    for first, second in pairs:
        if first != second:
            after[first].append(second)
            waits[second] += 1
    return after, waits


def _urgency(step: Step) -> tuple[int, int, bool]:
    rank = _RANKS.index(step.message)
    if step.is_removal:
        return (2 if step.message in _INFRASTRUCTURE else 0, -rank, False)
    return (1, rank, not step.is_certain)
