"""A world in which machine a migrates: real admission, assignments and engine; hosts, libvirts and a guest made up.

What is true and what was reported are apart: an agent acts and reports when it is told to, and may be slow, dead, or
silent. `Truth` says where the guest runs; the engine never sees it.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from netctl.compiler.assignment import AssignmentSettings, compile_assignment
from netctl.errors import NetctlError
from netctl.loop import Wake
from netctl.model.admit import admit
from netctl.model.compute_assignment import ComputeAssignment, MigrationOrder, VmAssignment, VmRole
from netctl.model.compute_report import ComputeReport, JobState, MigrationReport, RunState, VmReport
from netctl.model.intent import Advance, Create, Edit, Intent, Replace
from netctl.model.keys import HostId, Key, VmId, VmMigrationId
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.model.stamp import Context
from netctl.model.status import HostReport, NicReport, Phase, Status
from netctl.model.vm import PowerState
from netctl.model.vm_migration import Evidence, Stage, VmMigration
from netctl.reconciler.compute_assignments import ComputeAssignmentBook
from netctl.reconciler.compute_book import ComputeBook
from netctl.reconciler.migration_sight import Found
from netctl.reconciler.reports import HostReports
from netctl.reconciler.vm_migrations import Hosts, VmMigrations
from tests.intents import FakeSource, snapshot, uid_of, vlan
from tests.machines import capacity, machines, nic_of, vm

A, M1 = VmId("a"), VmMigrationId("m1")
H1, H2, H3 = (HostId(name) for name in ("h1", "h2", "h3"))
NAMES = (H1, H2, H3)
SETTINGS = AssignmentSettings(ovn_remote="tcp:192.0.2.9:6642", epoch=1)
EVIDENCE = Evidence(iterations=3, pause_ms=20, copy_ms=900)
ON = frozenset({RunState.RUNNING, RunState.PAUSED})


@dataclass
class TrueHost:
    """A host as it is. `made`: disks and taps of a; `order`: what its agent begins, and each try once."""

    name: HostId
    alive: bool = True
    agent: bool = True
    domain: RunState = RunState.ABSENT
    made: bool = False
    assignment: ComputeAssignment | None = None
    jobs: dict[tuple[VmMigrationId, int], JobState] = field(default_factory=dict)
    failures: dict[tuple[VmMigrationId, int], str] = field(default_factory=dict)

    @property
    def speaks(self) -> bool:
        """Has it an agent that the controller hears?"""
        return self.alive and self.agent

    def assigned(self) -> VmAssignment | None:
        """Return what its agent was told of a."""
        vms = self.assignment.vms if self.assignment is not None else ()
        return next((one for one in vms if one.vm == A), None)


class MigrationWorld:
    """Hosts h1, h2, h3; machine a with NIC n1, running on h1."""

    def __init__(self, *, stores: tuple[str, str, str] = ("store", "store", "store")) -> None:
        self.now_s = 1000.0
        self.stores = dict(zip(NAMES, stores, strict=True))
        self.source = FakeSource()
        intents: list[Intent] = [
            *machines(3),
            vlan(),
            vm("a", on="h1", disks=1),
            nic_of("a", "n1", host="h1"),
        ]
        self.source.set(snapshot(intents))
        self.hosts = {name: TrueHost(name) for name in NAMES}
        self.hosts[H1].domain, self.hosts[H1].made = RunState.RUNNING, True
        self.advances: list[Advance] = []
        self.faults: list[str] = []  # what must never be
        self.home = H1  # where the guest ran last
        self.found = Found(destination=H2, ok=True)
        self.is_programmed = True
        self.nb_cfg, self.raises = 1, 0
        self.wake = Wake()
        self.restart()

    def restart(self) -> None:
        """A controller that knows nothing but the intents; the agents that are there connect again."""
        self.book, self.network = ComputeBook(clock=lambda: self.now_s), HostReports()
        self.assignments = ComputeAssignmentBook(self.source, self.book, 1)
        self.raised: dict[int, int] = {}
        hosts = Hosts(
            compute=self.book,
            network=self.network.get,
            status=self._status,
            raise_cfg=self._raise,
            raised_cfg=lambda asked: self.raised.get(asked),
            behind=self.network.behind,
            preflight=lambda snapshot, migration: self.found,
        )
        clock = lambda: self.now_s  # noqa: E731
        self.engine = VmMigrations(self.source, self._submit, hosts, self.wake, clock=clock, wall=clock)
        for name in NAMES:
            self.report(name)

    # The intents.

    @property
    def snapshot(self) -> Snapshot:
        return self.source.snapshot()

    def edit(self, edit: Edit) -> None:
        """Admit an edit for real."""
        draft, revision = self.snapshot.draft(), self.snapshot.revision + 1
        context = Context(time_s=self.now_s, new_uid=lambda: uid_of(f"new {revision}"), revision=revision)
        admit(edit, draft, context)
        self.source.set(draft.freeze(revision))

    def migrate(self, **change: Any) -> None:
        """Ask for a migration to h2."""
        base = VmMigration(id=M1, vm=A, destination=H2)
        self.edit(Create(intent=replace(base, **change)))

    def change(self, **change: Any) -> None:
        """Edit the migration, as a client does."""
        self.edit(Replace(intent=replace(self.migration, **change)))

    @property
    def migration(self) -> VmMigration:
        found = self.snapshot.vm_migration(M1)
        assert found is not None
        return found

    @property
    def stage(self) -> Stage:
        return self.migration.stage

    @property
    def was_given_up(self) -> bool:
        """Was a host not waited for when it should have cleaned up?"""
        return any(
            self.book.is_gone(name) or "went away" in self.migration.steps[-1].message for name in (H1, H2)
        )

    # The engine.

    def step(self) -> None:
        """Let the engine look."""
        self.engine.step()

    def _submit(self, edit: Advance) -> Future[Any]:
        future: Future[Any] = Future()
        there = self.hosts[self.migration.destination].domain if self.migration.destination else None
        if edit.stage is Stage.SETTLING and self.home != self.migration.destination:
            self.faults.append(f"SETTLING while the guest is {there} at the destination")
        if edit.stage is Stage.ABORTING and there in ON:
            self.faults.append(f"ABORTING while the guest is {there} at the destination")
        try:
            self.edit(edit)
        except NetctlError as error:
            future.set_exception(error)
            return future
        self.advances.append(edit)
        future.set_result(None)
        return future

    def _raise(self) -> int:
        self.raises += 1
        self.nb_cfg += 1
        self.raised[self.raises] = self.nb_cfg
        return self.raises

    def _status(self, key: Key) -> Status | None:
        found = self.snapshot.get(key)
        if not isinstance(found, Nic):
            return None
        phase = Phase.PROGRAMMED if self.is_programmed else Phase.PENDING
        return Status(phase=phase, revision=found.meta.revision)

    # The hosts.

    def act(self, name: HostId) -> None:
        """Let a host's agent hear its assignment and act on it, once."""
        host = self.hosts[name]
        if not host.speaks:
            return
        host.assignment = self.assignments.assignment(name)
        told = host.assigned()
        orders = host.assignment.migrations if host.assignment is not None else ()
        if told is not None:
            self._make(host, told, moving=bool(orders))
        for key, state in list(host.jobs.items()):
            order = next((one for one in orders if (one.migration, one.attempt) == key), None)
            if state is JobState.RUNNING and (order is None or order.abort):
                self.copy_ends(name, "ABORTED")
        for order in orders:
            self._begin(host, order)

    def _make(self, host: TrueHost, told: VmAssignment, *, moving: bool) -> None:
        match told.role:
            case VmRole.RUN:
                host.made = True
                if told.power_state is PowerState.ON and host.domain is RunState.ABSENT and not moving:
                    host.domain, self.home = RunState.RUNNING, host.name
                    if sum(one.domain in ON for one in self.hosts.values()) > 1:
                        self.faults.append("two copies run")
                elif told.power_state is PowerState.OFF:
                    host.domain = RunState.ABSENT
            case VmRole.PLACEHOLDER:
                host.made = True
            case VmRole.REMOVE:
                if host.domain in ON:
                    self.faults.append("a guest that runs is removed")
                if host.domain is RunState.INCOMING:
                    self._fail_all("UNREACHABLE")
                host.domain, host.made = RunState.ABSENT, False

    def _begin(self, host: TrueHost, order: MigrationOrder) -> None:
        key, there = (order.migration, order.attempt), self.hosts[order.destination]
        if key in host.jobs:
            return
        if host.domain is not RunState.RUNNING or not there.alive or not there.made or order.abort:
            host.jobs[key], host.failures[key] = JobState.FAILED, "ABORTED" if order.abort else "UNREACHABLE"
            return
        host.jobs[key], there.domain = JobState.RUNNING, RunState.INCOMING

    def _running(self) -> tuple[TrueHost, tuple[VmMigrationId, int]] | None:
        for host in self.hosts.values():
            for key, state in host.jobs.items():
                if state is JobState.RUNNING:
                    return host, key
        return None

    def copy_done(self) -> bool:
        """Let the guest go on at the destination, if it is being copied."""
        found = self._running()
        there = next((one for one in self.hosts.values() if one.domain is RunState.INCOMING), None)
        if found is None or there is None:
            return False
        host, key = found
        host.jobs[key], host.domain, there.domain = JobState.DONE, RunState.ABSENT, RunState.RUNNING
        self.home = there.name
        return True

    def copy_ends(self, name: HostId, failure: str) -> None:
        """Let the copy from a host break off."""
        host = self.hosts[name]
        for key, state in host.jobs.items():
            if state is JobState.RUNNING:
                host.jobs[key], host.failures[key] = JobState.FAILED, failure
                for other in self.hosts.values():
                    if other.domain is RunState.INCOMING:
                        other.domain = RunState.ABSENT

    def _fail_all(self, failure: str) -> None:
        for name in self.hosts:
            self.copy_ends(name, failure)

    def forget_job(self, name: HostId) -> None:
        """The agent was away when its copy ended: what became of it is not guessed, it says that it failed."""
        host = self.hosts[name]
        for key, state in host.jobs.items():
            if state is JobState.DONE:
                host.jobs[key], host.failures[key] = JobState.FAILED, "LIBVIRT"

    def kill_agent(self, name: HostId) -> None:
        """End an agent; its libvirt goes on."""
        self.hosts[name].agent = False
        self.book.note_disconnect(name)

    def kill_host(self, name: HostId) -> None:
        """End a host with all that runs there; a copy from or to it breaks off."""
        host = self.hosts[name]
        if self._running() is not None and (host.domain is RunState.INCOMING or host is self._running()[0]):  # type: ignore[index]
            self._fail_all("UNREACHABLE")
        host.alive, host.agent, host.domain = False, False, RunState.ABSENT
        host.jobs, host.failures = (
            dict.fromkeys(host.jobs, JobState.FAILED),
            dict.fromkeys(host.jobs, "LIBVIRT"),
        )
        self.book.note_disconnect(name)
        self.network.disconnect(name)

    def start(self, name: HostId) -> None:
        """Start what does not run of host and agent."""
        self.hosts[name].alive = self.hosts[name].agent = True
        self.report(name)

    def report(self, name: HostId) -> None:
        """Let both agents of a host say what is true there."""
        host = self.hosts[name]
        if not host.speaks:
            return
        self.book.note_report(self._compute_report(host))
        assignment = compile_assignment(self.snapshot, name, SETTINGS)
        plugged = host.made and host.alive
        nics = tuple(
            NicReport(
                iface_id=one.iface_id,
                tap_present=plugged,
                plugged=plugged,
                ovn_installed=plugged,
                resumed=one.incoming and host.domain in ON,
                announce_ms=7 if one.incoming and host.domain in ON else 0,
            )
            for one in (assignment.nics if assignment is not None else ())
        )
        self.network.put(HostReport(host=name, nb_cfg=self.nb_cfg, nics=nics, ovn_controller_connected=True))

    def _compute_report(self, host: TrueHost) -> ComputeReport:
        told = host.assigned()
        seen: tuple[VmReport, ...] = ()
        if told is not None:
            ready = told.role is VmRole.PLACEHOLDER and host.made
            disks = {disk.uid: 1 << 30 for disk in told.disks} if host.made else {}
            seen = (VmReport(vm=A, uid=uid_of("a"), run_state=host.domain, ready=ready, disk_bytes=disks),)
        orders = host.assignment.migrations if host.assignment is not None else ()
        jobs = tuple(
            MigrationReport(
                migration=one.migration,
                attempt=one.attempt,
                state=host.jobs[one.migration, one.attempt],
                failure=host.failures.get((one.migration, one.attempt), ""),
                message="as it is told",
                evidence=EVIDENCE,
            )
            for one in orders
            if (one.migration, one.attempt) in host.jobs
        )
        return ComputeReport(
            host=host.name,
            assignment_revision=host.assignment.revision if host.assignment is not None else 0,
            capacity=capacity(store_id=self.stores[host.name]),
            vms=seen,
            migrations=jobs,
            libvirt_connected=True,
        )

    def settle(self, rounds: int = 6) -> None:
        """Let everybody who is there hear, act, report and look, a few times."""
        for _ in range(rounds):
            for name in NAMES:
                self.act(name)
                self.report(name)
            self.step()
            self.now_s += 0.1

    def until(self, *stages: Stage, copies: bool = True) -> None:
        """Go on until the migration is at one of these stages."""
        for _ in range(60):
            if self.stage in stages:
                return
            self.settle(1)
            if copies and self.stage is Stage.COPYING and Stage.COPYING not in stages:
                self.copy_done()
        raise AssertionError(f"at {self.stage.name}: {self.engine.waits_for(M1)}")

    def running_on(self) -> set[HostId]:
        """Return where the guest runs."""
        return {host.name for host in self.hosts.values() if host.domain in ON}
