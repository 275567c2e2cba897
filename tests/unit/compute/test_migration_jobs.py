"""Orders are begun once, watched, stopped, and found again; over a libvirt in memory that holds one copy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from netctl_compute.assignment import ComputeAssignment, MigrationOrder, PowerState, VmRole
from netctl_compute.libvirt_migration import CopyResult
from netctl_compute.migration_jobs import MigrationJobs
from netctl_compute.migration_watch import Copy, CopyEnd, JobStats, OrderRecord, Progress
from netctl_compute.reported import JobState, MigrationReport, RunState
from netctl_compute.saved_orders import KEPT, SavedOrders
from netctl_compute.state import Domain, HostState

from netctl.errors import HostUnavailable, NotFound
from netctl.loop import wait_until
from tests.unit.compute.samples import vm

VM = vm("web")
ORDER = MigrationOrder(
    migration="m", attempt=1, vm="web", destination="h2", destination_address="tcp://192.0.2.2"
)
HERE = HostState(domains={VM.uid: Domain(vm="web", uid=VM.uid, run_state=RunState.RUNNING)})
RUNNING = JobState.RUNNING


@dataclass
class FakeLibvirt:
    """A copy under way is `job`; who ends it says how in `result`."""

    copies: list[Copy] = field(default_factory=list)
    job: JobStats | None = None
    here: bool = True
    up: bool = True
    result: CopyResult | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    stops: int = 0
    resumes: int = 0

    def copy(self, uid: str, copy: Copy) -> CopyResult:
        assert uid == VM.uid
        self.copies.append(copy)
        self.job = JobStats(iteration=1)
        assert self.ended.wait(10)
        self.job = None
        if self.result is None:
            raise HostUnavailable("libvirtd was lost")
        return self.result

    def stats(self, uid: str) -> JobStats | None:
        if not self.up:
            raise HostUnavailable("libvirtd does not answer")
        if not self.here:
            raise NotFound("no domain")
        return self.job

    def stop(self, uid: str) -> None:
        if not self.up:
            raise HostUnavailable("libvirtd does not answer")
        self.stops += 1
        self.end(CopyEnd.ABORTED)

    def resume(self, uid: str) -> None:
        self.resumes += 1

    def end(self, how: CopyEnd | None, stats: JobStats | None = None) -> None:
        """The copy ends; None: nobody hears how."""
        self.job = None
        self.result = CopyResult(end=how, message="words", stats=stats) if how is not None else None
        self.ended.set()


@contextmanager
def agent(libvirt: FakeLibvirt, folder: Path) -> Iterator[MigrationJobs]:
    jobs = MigrationJobs(libvirt, SavedOrders(folder), lambda: None)
    try:
        yield jobs
    finally:
        jobs.close()
        libvirt.ended.set()


def serve(jobs: MigrationJobs, order: MigrationOrder = ORDER, state: HostState = HERE) -> MigrationReport:
    assignment = ComputeAssignment(host="h1", revision=1, epoch=1, vms=(VM,), migrations=(order,))
    (report,) = jobs.serve(assignment, state)
    return report


def end(jobs: MigrationJobs, order: MigrationOrder = ORDER) -> MigrationReport:
    wait_until(lambda: serve(jobs, order).state is not RUNNING, timeout_s=5, what="it ended")
    return serve(jobs, order)


def begun(jobs: MigrationJobs, libvirt: FakeLibvirt) -> None:
    assert serve(jobs).state is RUNNING
    wait_until(lambda: libvirt.job is not None, timeout_s=5, what="libvirt copies")


def test_it_is_begun_once_and_its_end_is_told(tmp_path: Path) -> None:
    libvirt = FakeLibvirt()
    with agent(libvirt, tmp_path) as jobs:
        begun(jobs, libvirt)
        assert jobs.running() == {VM.uid}
        libvirt.end(CopyEnd.DONE, JobStats(iteration=4, downtime_ms=30))
        report = end(jobs)
        assert (report.state, report.evidence.iterations, report.evidence.pause_ms) == (JobState.DONE, 4, 30)
        assert jobs.running() == frozenset()
        assert serve(jobs) == report
    with agent(libvirt, tmp_path) as jobs:
        assert serve(jobs) == report, "nor by the next agent"
    assert len(libvirt.copies) == 1


def test_an_abort_stops_it(tmp_path: Path) -> None:
    libvirt = FakeLibvirt()
    with agent(libvirt, tmp_path) as jobs:
        begun(jobs, libvirt)
        assert end(jobs, replace(ORDER, abort=True)).failure == "ABORTED"
        assert libvirt.stops == 1


@pytest.mark.parametrize("is_same_agent", [True, False])
def test_what_nobody_orders_any_more_is_stopped(tmp_path: Path, is_same_agent: bool) -> None:
    libvirt = FakeLibvirt()
    with agent(libvirt, tmp_path) as jobs:
        begun(jobs, libvirt)
        now = jobs if is_same_agent else MigrationJobs(libvirt, SavedOrders(tmp_path), lambda: None)
        nothing = ComputeAssignment(host="h1", revision=2, epoch=1)
        assert now.serve(nothing, HERE) == ()
        wait_until(lambda: libvirt.stops, timeout_s=5, what="it is stopped")
        wait_until(lambda: not now.running(), timeout_s=5, what="it ended")
        assert serve(now).failure == "ABORTED"
        now.close()


def test_only_what_left_nowhere_is_resumed(tmp_path: Path) -> None:
    libvirt = FakeLibvirt()
    paused = HostState(domains={VM.uid: Domain(vm="web", uid=VM.uid, run_state=RunState.INCOMING)})
    here = ComputeAssignment(host="h1", revision=2, epoch=1, vms=(VM,))
    with agent(libvirt, tmp_path) as jobs:
        jobs.serve(here, paused)
        assert not libvirt.resumes, "it comes"
        begun(jobs, libvirt)
        libvirt.end(CopyEnd.LIBVIRT)
        end(jobs)
        serve(jobs, state=paused)
        assert not libvirt.resumes, "who ordered it has not decided"
        jobs.serve(replace(here, vms=(replace(VM, role=VmRole.REMOVE),)), paused)
        jobs.serve(replace(here, vms=(replace(VM, power_state=PowerState.PAUSED),)), paused)
        assert not libvirt.resumes
        jobs.serve(here, paused)
        assert libvirt.resumes


def test_too_many_iterations_stop_it(tmp_path: Path) -> None:
    libvirt = FakeLibvirt()
    with agent(libvirt, tmp_path) as jobs:
        begun(jobs, libvirt)
        libvirt.job = JobStats(iteration=51)
        report = end(jobs)
        assert (report.failure, report.evidence.iterations) == ("FAILED_TO_CONVERGE", 51)


def test_while_libvirtd_does_not_answer_nothing_is_said(tmp_path: Path) -> None:
    libvirt = FakeLibvirt()
    with agent(libvirt, tmp_path) as jobs:
        begun(jobs, libvirt)
        libvirt.up = False
        libvirt.end(None)
        wait_until(lambda: not jobs.running(), timeout_s=5, what="the call came back")
        for _ in range(3):
            assert serve(jobs).state is RUNNING
        libvirt.up = True
        report = end(jobs)
        assert (report.state, report.failure) == (JobState.FAILED, "LIBVIRT")
        assert len(libvirt.copies) == 1


def test_the_next_agent_finds_it_and_stops_it(tmp_path: Path) -> None:
    libvirt = FakeLibvirt()
    with agent(libvirt, tmp_path) as jobs:
        begun(jobs, libvirt)
        next_jobs = MigrationJobs(libvirt, SavedOrders(tmp_path), lambda: None)
        assert serve(next_jobs).state is RUNNING
        assert next_jobs.running() == {VM.uid}
        assert end(next_jobs, replace(ORDER, abort=True)).failure == "ABORTED"
        assert (len(libvirt.copies), libvirt.stops) == (1, 1)
        next_jobs.close()


def test_what_left_unseen_is_not_called_done(tmp_path: Path) -> None:
    libvirt = FakeLibvirt()
    with agent(libvirt, tmp_path) as jobs:
        begun(jobs, libvirt)
    libvirt.here = False
    with agent(libvirt, tmp_path) as jobs:
        report = end(jobs)
        assert (report.state, report.failure) == (JobState.FAILED, "LIBVIRT")
        assert "see where it runs" in report.message


@pytest.mark.parametrize(
    ("order", "state", "failure"),
    [
        (replace(ORDER, abort=True), HERE, "ABORTED"),
        (ORDER, HostState(), "LIBVIRT"),
        (replace(ORDER, vm="other"), HERE, "LIBVIRT"),
        (replace(ORDER, destination_address="ssh://h2"), HERE, "LIBVIRT"),
        (
            ORDER,
            HostState(domains={VM.uid: Domain(vm="web", uid=VM.uid, run_state=RunState.INCOMING)}),
            "LIBVIRT",
        ),
    ],
    ids=["aborted", "absent", "unknown", "address", "incoming"],
)
def test_what_cannot_be_done_is_not_begun(
    tmp_path: Path, order: MigrationOrder, state: HostState, failure: str
) -> None:
    libvirt = FakeLibvirt()
    with agent(libvirt, tmp_path) as jobs:
        report = serve(jobs, order, state)
        assert (report.state, report.failure) == (JobState.FAILED, failure)
        assert report.message
    assert not libvirt.copies


def test_an_order_that_cannot_be_recorded_is_not_begun(tmp_path: Path) -> None:
    libvirt = FakeLibvirt()
    (tmp_path / "migrations.new").mkdir()  # as a disk that refuses
    with agent(libvirt, tmp_path) as jobs:
        assert serve(jobs).state is JobState.FAILED
        assert not libvirt.copies
        (tmp_path / "migrations.new").rmdir()
        begun(jobs, libvirt)


def test_a_damaged_file_stops_migrations(tmp_path: Path) -> None:
    libvirt = FakeLibvirt()
    (tmp_path / "migrations.json").write_text("[{")
    with agent(libvirt, tmp_path) as jobs:
        report = serve(jobs)
        assert (report.state, report.failure) == (JobState.FAILED, "LIBVIRT")
        assert "migrations.json" in report.message
        assert not libvirt.copies


def test_only_old_ends_are_forgotten(tmp_path: Path) -> None:
    libvirt = FakeLibvirt()
    old = {
        ("old", n): OrderRecord(migration="old", attempt=n, uid="u", progress=Progress.DONE)
        for n in range(KEPT + 5)
    }
    SavedOrders(tmp_path).save({("first", 1): OrderRecord(migration="first", attempt=1, uid="u"), **old})
    with agent(libvirt, tmp_path) as jobs:
        begun(jobs, libvirt)
    kept = SavedOrders(tmp_path).load()
    assert len(kept) == KEPT + 2
    assert ("first", 1) in kept
    assert ("old", 4) not in kept
    assert ("old", 5) in kept


def test_one_without_an_address_yet_waits(tmp_path: Path) -> None:
    libvirt = FakeLibvirt()
    unknown = replace(ORDER, destination_address="")
    assignment = ComputeAssignment(host="h1", revision=1, epoch=1, vms=(VM,), migrations=(unknown,))
    with agent(libvirt, tmp_path) as jobs:
        assert jobs.serve(assignment, HERE) == ()
        begun(jobs, libvirt)
        assert serve(jobs, unknown).state is RUNNING, "what was begun goes on"
