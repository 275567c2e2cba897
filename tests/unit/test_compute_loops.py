"""The loops of the compute half, together: machines are placed, hosts emptied, deleted machines gone.

Admission and all loops are real; compute agents are played: each does at once what its assignment says.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from netctl.compute_loops import ComputeHalf, Shared
from netctl.loop import Pace, wait_until
from netctl.model.compute_assignment import ComputeAssignment, VmAssignment, VmRole
from netctl.model.compute_report import ComputeReport, JobState, MigrationReport, RunState, VmReport
from netctl.model.intent import Create, Edit, Intent, Remove, Replace
from netctl.model.keys import HostId, Key, Kind, VmId
from netctl.model.status import Phase
from netctl.model.vm import PowerState, Vm
from netctl.model.vm_migration import Stage, VmMigration
from netctl.reconciler.board import StatusBoard
from netctl.reconciler.reconcile import Reconciler, Settings
from netctl.server.admission import Admission
from netctl.server.requests import Request
from tests.fakes.northbound import FakeNorthbound
from tests.fakes.store import FakeStore
from tests.machines import compute, machines, network, vm

SOON_S = 20.0


class Fleet:
    """A controller's compute half, and compute agents for its hosts. `memory` is what runs where."""

    def __init__(self, hosts: int) -> None:
        self.admission = Admission(FakeStore())
        self.admission.start()
        self.board = StatusBoard(self.admission.snapshot)
        northbound = FakeNorthbound(owner="o")
        reconciler = Reconciler(self.admission, northbound, self.board, Settings(owner="o", epoch=1))
        shared = Shared(
            admission=self.admission,
            board=self.board,
            reconciler=reconciler,
            wake_reconciler=lambda: None,
            nb_cfg=lambda: northbound.nb_cfg,
            epoch=1,
        )
        self.half = ComputeHalf(shared, Pace(resync_s=5.0))
        self.memory: dict[HostId, set[VmId]] = {HostId(f"h{i}"): set() for i in range(1, hosts + 1)}
        self.most_at_once = 0
        self.faults: list[str] = []
        self.do(*(Create(intent=one) for one in machines(hosts)))
        self._stop = threading.Event()
        self._news = threading.Event()
        self.half.assignments.on_assignment_change(self._news.set)
        self._threads = [threading.Thread(target=run) for run in (self.half.loop.run, self._agents)]
        for name in self.memory:
            self.board.note_report(network(name))
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End all threads."""
        self._stop.set()
        self._news.set()
        self.half.loop.stop()
        for thread in self._threads:
            thread.join(timeout=10)
        self.admission.close()

    def do(self, *edits: Edit) -> None:
        """Ask for edits as a client does."""
        self.admission.submit(Request(edits=edits)).result(timeout=10)

    def edit(self, intent: Intent) -> None:
        """Replace an intent."""
        self.do(Replace(intent=intent))

    def vm(self, name: str) -> Vm | None:
        """Return a machine as it is stored."""
        return self.admission.snapshot().vm(VmId(name))

    def phase(self, key: Key) -> tuple[Phase, str]:
        """Return what status says."""
        found = self.board.status(key)
        return (found.phase, found.reason) if found is not None else (Phase.FAILED, "GONE")

    def await_phase(self, key: Key, phase: Phase, reason: str = "") -> None:
        """Wait until status says so."""
        wait_until(
            lambda: self.phase(key) == (phase, reason), timeout_s=SOON_S, what=f"{key} {phase} {reason}"
        )

    def _agents(self) -> None:
        while not self._stop.is_set():
            self._news.wait(0.05)
            self._news.clear()
            for name in self.memory:
                assignment = self.half.assignments.assignment(name)
                if assignment is not None:
                    self.half.book.note_report(self._obey(name, assignment))

    def _obey(self, name: HostId, assignment: ComputeAssignment) -> ComputeReport:
        """Do what an assignment says; return the report."""
        here = self.memory[name]
        leaving = {order.vm for order in assignment.migrations}
        for one in assignment.vms:
            if one.role is VmRole.RUN and one.vm in leaving:
                continue  # an order stands: it is not started here
            if one.role is VmRole.RUN and one.power_state is PowerState.ON:
                self._check_alone(one.vm, name)
                here.add(one.vm)
            elif one.role is not VmRole.PLACEHOLDER:
                here.discard(one.vm)
        jobs = []
        self.most_at_once = max(self.most_at_once, len(assignment.migrations))
        for order in assignment.migrations:
            if order.vm in here:
                here.discard(order.vm)
                self.memory[order.destination].add(order.vm)
            jobs.append(
                MigrationReport(migration=order.migration, attempt=order.attempt, state=JobState.DONE)
            )
        return replace(
            compute(name, *(self._seen(one, here) for one in assignment.vms), revision=assignment.revision),
            migrations=tuple(jobs),
        )

    def _check_alone(self, vm: VmId, host: HostId) -> None:
        others = [name for name, running in self.memory.items() if vm in running and name != host]
        self.faults += [f"vms/{vm} is to be started on {host} while it runs on {name}" for name in others]

    def _seen(self, one: VmAssignment, here: set[VmId]) -> VmReport:
        return VmReport(
            vm=one.vm,
            uid=one.uid,
            run_state=RunState.RUNNING if one.vm in here else RunState.ABSENT,
            ready=one.role is VmRole.PLACEHOLDER,
            power_epoch=one.power_epoch,
        )


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    made = Fleet(hosts=3)
    try:
        yield made
    finally:
        made.close()
    assert made.faults == []


def running(fleet: Fleet) -> dict[str, int]:
    return {name: len(guests) for name, guests in fleet.memory.items()}


def test_machines_are_started_where_there_is_room_and_leave_a_host_that_is_maintained(fleet: Fleet) -> None:
    guests = [replace(vm(f"g{i}", memory_mib=1024), power_state=PowerState.ON) for i in range(9)]
    fleet.do(*(Create(intent=one) for one in guests))
    for one in guests:
        fleet.await_phase((Kind.VM, one.id), Phase.PROGRAMMED)
    assert running(fleet) == {"h1": 3, "h2": 3, "h3": 3}
    first = fleet.admission.snapshot().host(HostId("h1"))
    assert first is not None
    fleet.edit(replace(first, maintenance=True))
    fleet.await_phase((Kind.HOST, "h1"), Phase.PROGRAMMED, "MAINTENANCE")
    assert fleet.memory[HostId("h1")] == set()
    assert sorted(running(fleet).values()) == [0, 4, 5]
    assert fleet.most_at_once <= 2
    ended = (
        one for one in fleet.admission.snapshot().of_kind(Kind.VM_MIGRATION) if isinstance(one, VmMigration)
    )
    assert {(one.source, one.stage, one.cause) for one in ended} == {("h1", Stage.DONE, "maintenance")}


def test_one_that_is_too_large_waits_until_there_is_room(fleet: Fleet) -> None:
    small = [replace(vm(f"s{i}", memory_mib=1024), power_state=PowerState.ON) for i in range(3)]
    big = replace(vm("big", memory_mib=6144), power_state=PowerState.ON)
    fleet.do(*(Create(intent=one) for one in small))
    for one in small:
        fleet.await_phase((Kind.VM, one.id), Phase.PROGRAMMED)
    fleet.do(Create(intent=big))
    wait_until(
        lambda: fleet.phase((Kind.VM, "big"))[1] == "NO_HOST_FITS", timeout_s=SOON_S, what="its refusal"
    )
    stored = fleet.vm("s1")
    assert stored is not None
    fleet.edit(replace(stored, power_state=PowerState.OFF))
    fleet.await_phase((Kind.VM, "big"), Phase.PROGRAMMED)
    placed = fleet.vm("big")
    assert placed is not None
    assert placed.host == stored.host


def test_one_that_is_deleted_goes_when_its_host_has_nothing_of_it(fleet: Fleet) -> None:
    fleet.do(Create(intent=replace(vm("a"), power_state=PowerState.ON)))
    fleet.await_phase((Kind.VM, "a"), Phase.PROGRAMMED)
    fleet.do(Remove(key=(Kind.VM, "a")))
    wait_until(lambda: fleet.vm("a") is None, timeout_s=SOON_S, what="the purge")
    assert running(fleet) == {"h1": 0, "h2": 0, "h3": 0}
