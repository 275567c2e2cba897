"""What service chains and NICs beside OVN cost: the assignment of one host, and its agent's flows and plan.

`size` is how many NICs the subnet has. Chained: 100 of them are on the host, the others on hosts of 100; by category
each is a peer of its own in rules with TCP and UDP, but above 4,096 peers these are about everybody. VLAN basic: all
of them are on the host. In one process, in turns, without any database; seconds are of CPU, of the work alone and
not of the collector's looking through all that the benchmark holds. `count` is what comes out: rules, flows, actions.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from netctl_host.assignment import Assignment as AgentAssignment
from netctl_host.convert import assignment_from_proto
from netctl_host.function_flows import Site, render_flows
from netctl_host.guest_flows import render_guest_flows
from netctl_host.plan import plan
from netctl_host.plan_function_bridge import FUNCTION_BRIDGE, patch_name
from netctl_host.settings import Settings
from netctl_host.state import HostState, OpenVSwitchState

from bench import steering_layout as layout
from bench.figures import Figure, Target, WrongCount
from netctl.compiler.assignment import AssignmentSettings, compile_assignment
from netctl.compiler.observed import NOTHING_OBSERVED
from netctl.compiler.steering import compile_service_chains
from netctl.model.assignment import Assignment
from netctl.model.snapshot import Snapshot
from netctl.server.convert_assignment import assignment_to_proto
from tests.fakes.host import FakeHost

OWN, OWN_AGAIN = "assignment, subnet's chain", "assignment, subnet's chain, again"
CHAINS, CATEGORY = "service chains, by category", "assignment, by category"
AGAIN, FLOWS = "assignment, by category, a peer changes", "flows of br.nf, by category"
BASIC, FIRST, REST = "assignment, all VLAN basic", "plan, taps to plug", "plan, all plugged"
GUESTS = "flows of br0, all plugged"
WAYS = (OWN, OWN_AGAIN, CHAINS, CATEGORY, AGAIN, FLOWS, BASIC, FIRST, REST, GUESTS)
TARGETS = tuple(
    Target(way=way, peer=way, peer_size=1000, most=limit, sizes=(10_000,))
    for way, limit in ((BASIC, 15.0), (FIRST, 15.0), (REST, 15.0), (GUESTS, 15.0))
) + tuple(
    Target(way=way, peer=way, peer_size=1000, most=5.0, sizes=(4000,)) for way in (CHAINS, AGAIN, FLOWS)
)
_SETTINGS, _HERE = (
    AssignmentSettings(ovn_remote="tcp:192.0.2.1:6642", epoch=1),
    Settings(datapath_type="netdev"),
)


def run(sizes: Sequence[int] = (100, 1000, 4000, 10_000), repetitions: int = 3) -> list[Figure]:
    """Measure at every size."""
    return [figure for _ in range(repetitions) for size in sizes for figure in _measure(size)]


class _Taken:
    """What was measured at one size."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.figures: list[Figure] = []

    def time(self, way: str, work: Callable[[], Any], count: Callable[[Any], int] = lambda found: 0) -> Any:
        """Do it; return what comes of it."""
        gc.collect()
        gc.freeze()
        began = time.process_time()
        found = work()
        seconds = time.process_time() - began
        self.figures.append(
            Figure(bench="steering", way=way, size=self._size, seconds=seconds, count=count(found))
        )
        return found


def _measure(size: int) -> list[Figure]:
    taken = _Taken(size)
    snapshot = layout.own_chain(size)
    taken.time(OWN, lambda: _assignment(snapshot))
    taken.time(OWN_AGAIN, lambda: _assignment(snapshot))
    _by_category(size, taken)
    _basic(size, taken)
    return taken.figures


def _by_category(size: int, taken: _Taken) -> None:
    snapshot = layout.by_category(size)
    host = snapshot.host(layout.HOST)
    assert host is not None
    found = taken.time(
        CHAINS,
        lambda: compile_service_chains(snapshot, host, NOTHING_OBSERVED),
        lambda found: len(found.segments[0].rules),
    )
    if size <= 4096 and {len(rule.peer_networks) for rule in found.segments[0].rules} != {size}:
        raise WrongCount("not every peer is in every rule")
    taken.time(CATEGORY, lambda: _assignment(snapshot))
    for odd in (0, 1):
        after = layout.changed(snapshot, odd)
        taken.time(AGAIN, partial(_assignment, after))
    site = _site(assignment_from_proto(assignment_to_proto(_assignment(snapshot))))
    taken.time(FLOWS, lambda: render_flows(site), len)


def _site(assignment: AgentAssignment) -> Site:
    """Return br.nf of the host with every port of it there, the first pairs in use."""
    chains = assignment.service_chains
    names = [
        tap
        for function in chains.functions
        for pair in function.pairs
        for tap in (pair.ingress_tap, pair.egress_tap)
    ]
    names += [patch_name(segment.localnet, "brAtlas") for segment in chains.segments]
    names += [patch_name(FUNCTION_BRIDGE, uplink.bridge) for uplink in assignment.uplink_bridges]
    return Site(
        chains=chains,
        ofports={name: number for number, name in enumerate(names, 1)},
        active={function.function_id: function.pairs[0].ingress_tap for function in chains.functions},
    )


def _basic(size: int, taken: _Taken) -> None:
    snapshot = layout.all_basic(size)
    assignment = assignment_from_proto(assignment_to_proto(taken.time(BASIC, lambda: _assignment(snapshot))))
    host = FakeHost(HostState(switch=OpenVSwitchState()))
    for name in ("eth1", "eth2", *(nic.tap_name for nic in assignment.nics)):
        host.add_link(name)
    state = host.read_state()
    actions = taken.time(FIRST, lambda: plan(assignment, state, _HERE), len)
    while actions:
        host.apply(actions)
        actions = plan(assignment, host.read_state(), _HERE)
    done = _numbered(host.read_state())
    taken.time(REST, lambda: plan(assignment, done, _HERE), len)
    taken.time(GUESTS, lambda: render_guest_flows(assignment, done, _HERE, "br0"), len)


def _numbered(state: HostState) -> HostState:
    """Return the state with a number of its own for each interface, as ovs-vswitchd gives them."""
    interfaces = {
        name: replace(interface, ofport=number)
        for number, (name, interface) in enumerate(state.switch.interfaces.items(), 1)
    }
    return replace(state, switch=replace(state.switch, interfaces=interfaces))


def _assignment(snapshot: Snapshot) -> Assignment:
    found = compile_assignment(snapshot, layout.HOST, _SETTINGS)
    assert found is not None
    return found
