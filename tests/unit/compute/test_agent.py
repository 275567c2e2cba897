"""Passes of the agent over a host in memory: what is made, told, tried again, and left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from netctl_compute.agent import MISSED_S, Agent, Controller, Memory
from netctl_compute.assignment import ComputeAssignment, PowerState, RestartPolicy, VmRole
from netctl_compute.attempts import LONGEST_S, SETTLED_S
from netctl_compute.records import Record
from netctl_compute.reported import ComputeReport, RunState, VmReport
from netctl_compute.state import HowEnded

from netctl.errors import HostUnavailable
from tests.fakes.compute_parts import FakeComputeHost
from tests.unit.compute.samples import assign, disk, nic, uid_of, vm

MACHINE = vm(disks=(disk("vm1"),), nics=(nic("vm1"),))


@dataclass
class World:
    """An agent, its host, its controller, its clock."""

    fake: FakeComputeHost = field(default_factory=FakeComputeHost)
    records: dict[str, Record] = field(default_factory=dict)
    assignment: ComputeAssignment | None = None
    reports: list[ComputeReport] = field(default_factory=list)
    saved: list[ComputeAssignment] = field(default_factory=list)
    now_s: float = 100.0
    due_s: list[float] = field(default_factory=list)
    full: bool = False
    agent: Agent = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self, boot_id: str = "b1") -> None:
        """The agent is killed, and started again."""
        self.agent = Agent(
            "h1",
            self.fake.host,
            Controller(latest=lambda: self.assignment, offer=self.reports.append),
            Memory(assignment=self, records=_Records(self), boot_id=boot_id),
            within=self.due_s.append,
            clock=lambda: self.now_s,
        )

    def save(self, assignment: ComputeAssignment) -> None:
        if self.full:
            raise HostUnavailable("disk full")
        self.saved.append(assignment)

    def step(self, assignment: ComputeAssignment | None = None) -> ComputeReport:
        """One pass that succeeds."""
        self.assignment = assignment or self.assignment
        self.agent.step()
        return self.reports[-1]

    def fail(self, assignment: ComputeAssignment | None = None) -> ComputeReport:
        """One pass that does not."""
        self.assignment = assignment or self.assignment
        with pytest.raises(HostUnavailable):
            self.agent.step()
        return self.reports[-1]


@dataclass(frozen=True)
class _Records:
    world: World

    def load(self) -> dict[str, Record]:
        return dict(self.world.records)

    def save(self, records: Mapping[str, Record]) -> None:
        self.world.records = dict(records)


@pytest.fixture
def world() -> World:
    return World()


def said(report: ComputeReport, name: str = "vm1") -> VmReport:
    return next(found for found in report.vms if found.vm == name)


def test_one_pass_makes_a_machine_and_the_next_does_nothing(world: World) -> None:
    report = world.step(assign(MACHINE, revision=5))
    assert said(report).run_state is RunState.RUNNING
    assert report.assignment_revision == 5
    assert report.capacity.cpus == 2
    assert world.saved == [world.assignment]
    before = world.fake.libvirt.starts
    assert world.step().vms == report.vms
    assert world.fake.libvirt.starts == before == 1


def test_without_an_assignment_everything_is_left_alone(world: World) -> None:
    world.fake.libvirt.add_foreign("foreign", uid_of("foreign"))
    report = world.step()
    assert [domain.name for domain in report.unknown_domains] == ["foreign"]
    assert report.assignment_revision == 0


def test_a_restarted_agent_and_a_restarted_libvirtd_change_nothing(world: World) -> None:
    world.step(assign(MACHINE))
    world.restart()
    world.step()
    world.fake.libvirt.up = False
    report = world.fail()
    assert not report.libvirt_connected
    assert said(report).run_state is RunState.RUNNING  # as last seen
    world.fake.libvirt.up = True
    assert world.step().libvirt_connected
    assert world.fake.libvirt.starts == 1


def test_a_guest_that_shut_down_stays_down_until_switched_on(world: World) -> None:
    world.step(assign(MACHINE))
    world.fake.libvirt.end(MACHINE.uid, HowEnded.SHUT_DOWN)
    report = world.step()
    assert said(report).run_state is RunState.SHUT_DOWN
    assert said(report).reason == "ENDED"
    world.restart()
    assert said(world.step()).run_state is RunState.SHUT_DOWN
    assert said(world.step(assign(replace(MACHINE, power_epoch=2)))).run_state is RunState.RUNNING


def test_a_guest_that_is_gone_before_anybody_looks_is_not_started_twice(world: World) -> None:
    world.fake.libvirt.short_lived.add(MACHINE.uid)
    assert said(world.step(assign(MACHINE))).run_state is RunState.SHUT_DOWN
    world.restart()
    assert said(world.step()).run_state is RunState.SHUT_DOWN
    assert world.fake.libvirt.starts == 1


def test_a_guest_that_crashed_comes_back(world: World) -> None:
    world.step(assign(MACHINE))
    world.fake.libvirt.end(MACHINE.uid, HowEnded.CRASHED)
    world.now_s += 1
    assert said(world.step()).run_state is RunState.RUNNING
    assert world.fake.libvirt.starts == 2


def test_what_ended_unseen_is_waited_for_before_it_counts_as_failed(world: World) -> None:
    world.step(assign(MACHINE))
    world.fake.libvirt.vanish(MACHINE.uid)
    report = world.step()
    assert said(report).run_state is RunState.ABSENT
    assert world.due_s
    assert world.fake.libvirt.starts == 1
    # The event comes late: the guest had shut itself down.
    world.fake.libvirt.end(MACHINE.uid, HowEnded.SHUT_DOWN)
    assert said(world.step()).run_state is RunState.SHUT_DOWN
    world.step(assign(replace(MACHINE, power_epoch=2)))
    world.fake.libvirt.vanish(MACHINE.uid)
    world.step()
    world.now_s += MISSED_S
    assert said(world.step()).run_state is RunState.RUNNING


def test_a_restarted_host_is_a_failure_of_all(world: World) -> None:
    never = vm("vm2", restart_policy=RestartPolicy.NEVER)
    world.step(assign(MACHINE, never))
    for each in (MACHINE, never):
        world.fake.libvirt.vanish(each.uid)
    world.restart(boot_id="b2")
    report = world.step()
    assert said(report).run_state is RunState.RUNNING
    assert said(report, "vm2").run_state is RunState.CRASHED
    assert "the host was restarted" in said(report, "vm2").problem


def test_one_that_cannot_start_is_tried_less_and_less_often(world: World) -> None:
    bad, good = vm("bad", cpu_model="No-Such-Model"), vm("good")
    report = world.fail(assign(bad, good))
    assert said(report, "bad").reason == "START_FAILED"
    assert said(report, "good").run_state is RunState.RUNNING
    assert report.assignment_revision == 0
    waits = []
    for _ in range(9):
        # While it waits nothing is tried, and what failed is still told.
        assert said(world.step(), "bad").reason == "START_FAILED"
        waits.append(world.due_s[-1])
        world.now_s += world.due_s[-1]
        world.fail()
    assert waits == sorted(waits)
    assert waits[0] <= 1
    assert waits[-1] == LONGEST_S
    # Assigned anew it is tried at once.
    assert said(world.step(assign(replace(bad, cpu_model=""), good)), "bad").run_state is RunState.RUNNING


def test_a_guest_that_crashes_at_once_does_not_spin(world: World) -> None:
    world.step(assign(MACHINE))
    for _ in range(20):
        world.fake.libvirt.end(MACHINE.uid, HowEnded.CRASHED)
        world.step()
    assert world.fake.libvirt.starts <= 3
    world.now_s += LONGEST_S
    world.step()
    world.now_s += SETTLED_S
    world.step()
    starts = world.fake.libvirt.starts
    world.fake.libvirt.end(MACHINE.uid, HowEnded.CRASHED)
    world.step()
    assert world.fake.libvirt.starts == starts + 1  # it ran well, so the first start is at once


def test_storage_that_fails_or_takes_long_is_told(world: World) -> None:
    slow, broken = vm("slow"), vm("broken")
    world.fake.storage.slow.add("slow")
    world.fake.storage.broken.add("broken")
    report = world.fail(assign(slow, broken, MACHINE))
    assert (said(report, "slow").reason, said(report, "slow").progress_percent) == ("DISK_COPYING", 40)
    assert said(report, "broken").reason == "NO_SPACE"
    assert said(report).run_state is RunState.RUNNING
    world.fake.storage.broken.clear()
    assert world.step().assignment_revision == 0  # one still waits
    world.fake.storage.slow.clear()
    assert world.step().assignment_revision == 1


def test_a_placeholder_is_ready_and_never_started(world: World) -> None:
    report = world.step(assign(replace(MACHINE, role=VmRole.PLACEHOLDER)))
    assert said(report).ready
    assert said(report).run_state is RunState.ABSENT
    assert set(world.fake.taps.taps) == {MACHINE.nics[0].tap_name}
    assert world.fake.libvirt.starts == 0


def test_a_removed_machine_leaves_nothing(world: World) -> None:
    world.step(assign(MACHINE))
    report = world.step(assign(replace(MACHINE, role=VmRole.REMOVE, power_state=PowerState.OFF), revision=2))
    assert (said(report).run_state, dict(said(report).disk_bytes)) == (RunState.ABSENT, {})
    assert report.assignment_revision == 2
    assert world.fake.taps.taps == {}
    assert world.fake.storage.made == {}
    world.step(assign())
    assert world.records == {}


def test_a_guest_that_is_asked_to_shut_down_is_waited_for(world: World) -> None:
    world.step(assign(MACHINE))
    off = replace(MACHINE, power_state=PowerState.OFF, graceful_off=True)
    report = world.step(assign(off, revision=2))
    assert said(report).run_state is RunState.SHUTTING_DOWN
    assert report.assignment_revision == 1
    assert world.fake.libvirt.pressed == [MACHINE.uid]
    world.fake.libvirt.end(MACHINE.uid, HowEnded.SHUT_DOWN)
    report = world.step()
    assert (said(report).run_state, report.assignment_revision) == (RunState.ABSENT, 2)


def test_devices_follow_the_assignment_while_it_runs(world: World) -> None:
    world.step(assign(MACHINE))
    after = replace(
        MACHINE, disks=(*MACHINE.disks, disk("vm1", 1)), nics=(nic("vm1", disconnected=True), nic("vm1", 1))
    )
    assert said(world.step(assign(after))).pending_restart == ()
    domain = world.fake.libvirt.read_domains()[0][MACHINE.uid]
    assert len(domain.disks) == 2
    assert [each.link_up for each in domain.nics] == [False, True]
    world.step(assign(MACHINE))
    domain = world.fake.libvirt.read_domains()[0][MACHINE.uid]
    assert (len(domain.disks), [each.link_up for each in domain.nics]) == (1, [True])
    assert len(world.fake.taps.taps) == 1
    assert world.fake.libvirt.starts == 1


def test_a_full_disk_does_not_stop_the_host(world: World) -> None:
    world.full = True
    report = world.fail(assign(MACHINE))
    assert said(report).run_state is RunState.RUNNING
    assert report.problems == ("disk full",)
    world.full = False
    assert world.step().problems == ()
    assert world.saved == [world.assignment]
