"""The status board: computes Status when asked, and knows for which intents it may have changed.

Reports and passes come in, from several threads; candidates for watchers go out. Holds no status of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping

from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.loop import Clock
from netctl.model.keys import (
    HostId,
    ImageId,
    Key,
    Kind,
    NetworkFunctionId,
    NicId,
    VirtualSwitchId,
    VmId,
    VmMigrationId,
)
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport, Phase, Status
from netctl.reconciler.compute_book import ComputeHeard
from netctl.reconciler.compute_changes import changed_by_compute
from netctl.reconciler.passes import Passes
from netctl.reconciler.placement import Waiting
from netctl.reconciler.poison import Poison
from netctl.reconciler.reports import Heard, HostReports
from netctl.reconciler.rollout import Turns
from netctl.reconciler.status import World, status_of

# Agents reconnect within a second or two of the controller's start; before that their silence says nothing.
START_GRACE_S = 10.0
# What only another change of intents moves.
_SETTLED = frozenset({"NOT_ATTACHED", "NOT_ASSOCIATED", "SAVED", "VM_OFF", "WAITING_FOR_UPLOAD"})


class StatusBoard:
    """Answers `status(key)`; collects candidates for `take_changed()`."""

    def __init__(self, snapshot: Callable[[], Snapshot], *, clock: Clock = time.monotonic) -> None:
        self.reports = HostReports()
        self.passes = Passes()
        # Of the assignments and the rollouts, which need the board themselves: the composition root gives them.
        self.told: Callable[[HostId, NicId], int] = lambda host, nic: 0
        self.turns: Callable[[Snapshot, VirtualSwitchId], Turns] = lambda snapshot, switch: Turns()
        # Of the engine of migrations, likewise; of compute agents, placement, maintenance and the fetching of images.
        self.waits: Callable[[VmMigrationId], str] = lambda migration: ""
        self.compute: Callable[[HostId], ComputeHeard] = lambda host: ComputeHeard()
        self.unplaced: Callable[[VmId], Waiting | None] = lambda vm: None
        self.blocked: Callable[[HostId], Mapping[VmId, str]] = lambda host: {}
        self.image_problem: Callable[[ImageId], str] = lambda image: ""
        self._computed: dict[HostId, ComputeHeard] = {}
        self._snapshot = snapshot
        self._clock = clock
        self._started = clock()
        self._lock = threading.Lock()
        self._candidates: set[Key] = set()
        self._unsettled: set[Key] = set()
        self._listeners: list[Callable[[], None]] = []
        self._pass_listeners: list[Callable[[], None]] = []
        self._report_listeners: list[Callable[[HostReport | None, Heard], None]] = []
        self._observed = NOTHING_OBSERVED
        self._sb_cfg = 0
        self._held = ""
        self._poison: Mapping[Key, Poison] = {}

    def status(self, key: Key, snapshot: Snapshot | None = None) -> Status | None:
        """Return the status of an intent now; None when it does not exist."""
        status = status_of(key, snapshot if snapshot is not None else self._snapshot(), self._world())
        if status is not None and status.phase is not Phase.PROGRAMMED and status.reason not in _SETTLED:
            with self._lock:
                self._unsettled.add(key)
        return status

    def _world(self) -> World:
        return World(
            northbound_revision=self.passes.revision,
            required_cfg=self.passes.required_cfg,
            sb_cfg=self._sb_cfg,
            heard=self.reports.get,
            behind=self.reports.behind,
            held=self._held,
            poison=self._poison,
            starting=self.is_starting,
            observed=self._observed,
            told=self.told,
            turns=self.turns,
            waits=self.waits,
            compute=self.compute,
            unplaced=self.unplaced,
            blocked=self.blocked,
            image_problem=self.image_problem,
        )

    @property
    def is_starting(self) -> bool:
        """May agents still be connecting?"""
        return self._clock() - self._started < START_GRACE_S

    def on_status_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` (which only wakes) whenever there are new candidates."""
        self._listeners.append(callback)

    def on_report(self, callback: Callable[[HostReport | None, Heard], None]) -> None:
        """Call `callback` with each report, None for an agent that left, and with what was heard before it."""
        self._report_listeners.append(callback)

    def on_pass(self, callback: Callable[[], None]) -> None:
        """Call `callback` (which only wakes) after each pass, and whenever northd worked one off."""
        self._pass_listeners.append(callback)

    def is_written(self, revision: int) -> bool:
        """Has northd worked off what the northbound database got of a revision?"""
        return self._sb_cfg >= self.passes.required_cfg(revision)

    def take_changed(self) -> set[Key]:
        """Return the intents whose status may have changed since the last call."""
        with self._lock:
            taken, self._candidates = self._candidates, set()
        return taken

    def note_pass(
        self,
        revision: int,
        nb_cfg: int,
        poison: Mapping[Key, Poison],
        *,
        observed: Observed = NOTHING_OBSERVED,
        concerned: Iterable[Key] = (),
    ) -> None:
        """The northbound database equals `revision` and `observed`, at `nb_cfg`, poison aside.

        `concerned` were compiled again, because they or what they read have changed.
        """
        self._observed = observed
        before, self._poison = self._poison, dict(poison)
        self.passes.note(revision, nb_cfg)
        self._held = ""
        self._mark({*before.keys(), *poison.keys(), *concerned}, unsettled=True)
        self._tell_of_pass()

    def note_northd(self, sb_cfg: int) -> None:
        """northd has worked off `sb_cfg`."""
        if sb_cfg != self._sb_cfg:
            self._sb_cfg = sb_cfg
            self._mark((), unsettled=True)
            self._tell_of_pass()

    def _tell_of_pass(self) -> None:
        for listener in self._pass_listeners:
            listener()

    def note_held(self, reason: str) -> None:
        """Passes do not run: `reason` says why."""
        if reason != self._held:
            self._held = reason
            self._mark((), unsettled=True)

    def heard(self, host: HostId) -> tuple[HostReport | None, bool]:
        """Return what a host said last, and whether its agent is connected."""
        heard = self.reports.get(host)
        return heard.report, heard.connected

    def note_report(self, report: HostReport) -> None:
        """A connected agent reported."""
        before = self.reports.put(report)
        for listener in self._report_listeners:
            listener(report, before)
        self._mark(self._changed_by(report, before), unsettled=self._moved(report, before))

    def note_grace_over(self) -> None:
        """The time is up in which hosts may connect after a start: silence means HOST_DOWN from now on."""
        self._mark((), unsettled=True)

    def note_disconnect(self, host: HostId) -> None:
        """An agent's stream ended: everything on its host is in doubt."""
        before = self.reports.get(host)
        self.reports.disconnect(host)
        for listener in self._report_listeners:
            listener(None, before)
        self._mark(self._on_host(host), unsettled=False)

    def note_compute(self, host: HostId) -> None:
        """A compute agent reported, or left."""
        now = self.compute(host)
        with self._lock:
            before, self._computed[host] = self._computed.get(host, ComputeHeard()), now
        changed = changed_by_compute(host, before, now, self._snapshot())
        if changed:
            self._mark(changed, unsettled=True)

    def note_changed(self, keys: Iterable[Key]) -> None:
        """Something else that a status tells of has changed for these intents."""
        self._mark(keys, unsettled=False)

    @staticmethod
    def _moved(report: HostReport, before: Heard) -> bool:
        old = before.report
        return old is None or (old.nb_cfg, old.assignment_revision) != (
            report.nb_cfg,
            report.assignment_revision,
        )

    def _changed_by(self, report: HostReport, before: Heard) -> Iterable[Key]:
        old = before.report
        if old is None or not before.connected:
            return self._on_host(report.host)
        changed: set[Key] = set()
        if old.tunnels != report.tunnels:
            changed |= self._routers(report.host)
        if (old.problems, old.bridges, old.links, old.bonds) != (
            report.problems,
            report.bridges,
            report.links,
            report.bonds,
        ):
            changed |= self._host_and_switches(report.host)
        if old.functions != report.functions:
            changed |= self._functions({one.function_id for one in (*old.functions, *report.functions)})
        if old.nics != report.nics:
            moved = {nic.iface_id for nic in report.nics if before.nics.get(nic.iface_id) != nic}
            moved |= before.nics.keys() - {nic.iface_id for nic in report.nics}
            nics = self._snapshot().nics_of_host(report.host)
            changed |= {(Kind.NIC, nic.id) for nic in nics if nic.meta.uid in moved}
            changed |= self._mirrors(report.host)
        return changed

    def _functions(self, ids: Iterable[str]) -> set[Key]:
        """Return network functions and the chains that they are in."""
        chains = (chain for id in ids for chain in self._snapshot().chains_of_function(NetworkFunctionId(id)))
        return {
            *((Kind.NETWORK_FUNCTION, id) for id in ids),
            *((Kind.SERVICE_CHAIN, one.id) for one in chains),
        }

    def _mirrors(self, host: HostId) -> set[Key]:
        return {(Kind.TRAFFIC_MIRROR, mirror.id) for mirror in self._snapshot().mirrors_of_host(host)}

    def _host_and_switches(self, host_id: HostId) -> set[Key]:
        keys: set[Key] = {(Kind.HOST, host_id)}
        host = self._snapshot().host(host_id)
        if host is not None:
            keys |= {(Kind.VIRTUAL_SWITCH, uplink.virtual_switch) for uplink in host.uplinks}
        return keys

    def _on_host(self, host: HostId) -> set[Key]:
        nics = self._snapshot().nics_of_host(host)
        found = self._host_and_switches(host) | self._routers(host) | self._mirrors(host)
        report = self.reports.get(host).report
        functions = report.functions if report is not None else ()
        found |= self._functions({one.function_id for one in functions})
        return found | {(Kind.NIC, nic.id) for nic in nics}

    def _routers(self, host: HostId) -> set[Key]:
        """Return the VPCs that a host may be the gateway of."""
        return {(Kind.VPC, vpc.id) for vpc in self._snapshot().vpcs_of_gateway(host)}

    def _mark(self, keys: Iterable[Key], *, unsettled: bool) -> None:
        with self._lock:
            self._candidates.update(keys)
            if unsettled:
                # Whoever still wants to know asks again; a settled one is asked for no more.
                self._candidates |= self._unsettled
                self._unsettled = set()
            news = bool(self._candidates)
        if news:
            for listener in self._listeners:
                listener()
