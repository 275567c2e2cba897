"""Frames through network functions: from assignment, ports and health to the flows of br.nf; and our flows elsewhere.

In: the assignment and the host's state, at each pass (`serve`); verdicts of the prober at any moment. Out: the flows
that `flow_keeper.py` keeps, and what the report says of functions. A verdict that changes the pair in use changes the
flows at once, on the prober's thread, whatever the loop is at.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from netctl_host.assignment import Assignment
from netctl_host.assignment_chains import Function, Pair
from netctl_host.flow_keeper import BridgeFlows, FlowKeeper
from netctl_host.function_flows import Site, render_flows
from netctl_host.function_health import NOT_PROBED, Verdict, choose_active
from netctl_host.function_probes import Prober
from netctl_host.guest_flows import COOKIE, render_guest_flows
from netctl_host.plan_function_bridge import FUNCTION_BRIDGE, function_bridges
from netctl_host.saved_functions import SavedFunctions
from netctl_host.settings import Settings
from netctl_host.state import FunctionReport, HostState, PairReport

_NOT_PLUGGED = Verdict(healthy=False, reason="not plugged")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The last pass: br.nf, if it is to be there, and the flows of other bridges."""

    site: Site | None = None
    others: Mapping[str, BridgeFlows] | None = None


class Steering:
    """Serves between the first `serve` and `close`; `wake` is called when the report has news."""

    def __init__(self, ovs_rundir: Path, state_dir: Path, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._lock = threading.RLock()
        self._saved = SavedFunctions(state_dir)
        self._active = dict(self._saved.load())
        self._wanted = _Wanted()
        self._rendered: tuple[Site, BridgeFlows] | None = None
        self._keeper = FlowKeeper(ovs_rundir, wake)
        self._prober = Prober(self._health_changed, self._active)

    def serve(self, assignment: Assignment, state: HostState, settings: Settings) -> tuple[str, ...]:
        """Have the flows that the assignment and this state need; return what could not be done.

        In the thread whose network namespace has the taps.
        """
        chains = assignment.service_chains
        problems = self._prober.watch(chains.functions, state.links)
        bridges = [uplink.bridge for uplink in assignment.uplink_bridges]
        bridges += function_bridges(assignment).keys() - {FUNCTION_BRIDGE}
        others = {
            name: BridgeFlows(flows=render_guest_flows(assignment, state, settings, name), cookie=COOKIE)
            for name in bridges
        }
        site = None
        if FUNCTION_BRIDGE in function_bridges(assignment):
            bridge = state.switch.bridges.get(FUNCTION_BRIDGE)
            interfaces = (state.switch.interfaces.get(name) for name in (bridge.ports if bridge else ()))
            ports = {interface.name: interface.ofport for interface in interfaces if interface is not None}
            site = Site(
                chains=chains, ofports=ports, active={}, integration_bridge=settings.integration_bridge
            )
        with self._lock:
            self._wanted = _Wanted(site, others)
            before = self._active
            self._apply()
            changed = self._active != before
        if changed:  # what was read for this pass's report is old
            self._wake()
        return problems

    def read(self) -> tuple[FunctionReport, ...]:
        """Return how the functions are doing."""
        with self._lock:
            site, active = self._wanted.site, dict(self._active)
        if site is None:
            return ()
        verdicts = self._prober.verdicts()
        return tuple(
            FunctionReport(
                function_id=function.function_id,
                active_ingress_tap=active.get(function.function_id, ""),
                pairs=tuple(
                    _report(pair.ingress_tap, _verdict(site, verdicts, function, pair))
                    for pair in function.pairs
                ),
            )
            for function in site.chains.functions
        )

    def problems(self) -> tuple[str, ...]:
        """Say which flows are not as they should be."""
        return self._keeper.problems()

    def take_reversions(self) -> tuple[str, ...]:
        """Return once what others had changed of our flows and was put right."""
        return self._keeper.take_reversions()

    def close(self) -> None:
        """End the threads; the flows stay."""
        self._prober.close()
        self._keeper.close()

    def _health_changed(self) -> None:
        with self._lock:
            self._apply()
        self._wake()

    def _apply(self) -> None:
        """Choose the pairs in use, and have their flows."""
        flows = dict(self._wanted.others or {})
        site = self._wanted.site
        if site is not None:
            verdicts = self._prober.verdicts()
            self._active = {
                function.function_id: choose_active(
                    tuple(
                        (pair.ingress_tap, _verdict(site, verdicts, function, pair))
                        for pair in function.pairs
                    ),
                    self._active.get(function.function_id, ""),
                )
                for function in site.chains.functions
            }
            flows[FUNCTION_BRIDGE] = self._render(replace(site, active=self._active))
        self._keeper.keep(flows)
        self._saved.save(self._active)

    def _render(self, site: Site) -> BridgeFlows:
        """Return br.nf's flows; made anew when what they are made of is another."""
        if self._rendered is None or self._rendered[0] != site:
            self._rendered = (site, BridgeFlows(flows=render_flows(site)))
        return self._rendered[1]


def _verdict(
    site: Site, verdicts: Mapping[tuple[str, str], Verdict], function: Function, pair: Pair
) -> Verdict:
    """Say whether packets can go through a pair: probes go by the taps, and know nothing of br.nf."""
    found = verdicts.get((function.function_id, pair.ingress_tap), NOT_PROBED)
    taps = (tap for tap in (pair.ingress_tap, pair.egress_tap) if tap)
    return found if not found.healthy or all(map(site.ofports.get, taps)) else _NOT_PLUGGED


def _report(tap: str, verdict: Verdict) -> PairReport:
    return PairReport(
        ingress_tap=tap, healthy=verdict.healthy, reason=verdict.reason, undecided=verdict.undecided
    )
