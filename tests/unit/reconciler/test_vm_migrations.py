"""Migrations of machines: stage by stage by what hosts say, forward and back by where the guest runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netctl.errors import NetctlError
from netctl.model.compute_report import JobState, RunState
from netctl.model.intent import Create, Replace
from netctl.model.keys import HostId, VmMigrationId
from netctl.model.vm import PowerState
from netctl.model.vm_migration import Stage, VmMigration
from netctl.reconciler.compute_book import GONE_S
from netctl.reconciler.migration_sight import Found
from netctl.reconciler.migration_steps import BIND_S, SETTLE_S
from tests.migrations import WAY
from tests.unit.reconciler.migrating import EVIDENCE, H1, H2, H3, M1, MigrationWorld

LONG_S = GONE_S + 5


def at(stage: Stage, **change: object) -> MigrationWorld:
    """Return a world whose migration has come to a stage; nobody has acted on that yet."""
    world = MigrationWorld(**{k: change.pop(k) for k in ("stores",) if k in change})  # type: ignore[arg-type]
    world.migrate(**change)
    world.until(stage)
    return world


def pass_time(world: MigrationWorld, seconds: float) -> None:
    """Let time pass; agents that are there say what they have to say in between."""
    for _ in range(10):
        world.now_s += seconds / 10
        world.settle(1)


def test_a_guest_moves_stage_by_stage() -> None:
    world = at(Stage.DONE)
    assert tuple(edit.stage for edit in world.advances) == WAY
    assert world.running_on() == {H2}
    machine, nic = world.snapshot.vm(world.migration.vm), world.snapshot.nic("n1")  # type: ignore[arg-type]
    assert machine is not None
    assert nic is not None
    assert (machine.host, nic.host) == (H2, H2)
    assert not world.hosts[H1].made
    assert world.faults == []


def test_what_was_measured_is_stored() -> None:
    found = at(Stage.DONE).migration.evidence
    assert found == replace(EVIDENCE, announce_ms=7, network_gap_ms=27)


def test_it_comes_back_again_and_again() -> None:
    world = at(Stage.DONE)
    for number in range(2, 6):
        there, here = (H1, H2) if number % 2 == 0 else (H2, H1)
        world.found = Found(destination=there, ok=True)
        name = VmMigrationId(f"m{number}")
        again = VmMigration(id=name, vm=world.migration.vm, destination=there)
        world.edit(Create(intent=again))
        for _ in range(40):
            world.settle(1)
            world.copy_done()
        ended = world.snapshot.vm_migration(name)
        assert ended is not None
        assert ended.stage is Stage.DONE, world.engine.waits_for(name)
        assert world.running_on() == {there}
        assert not world.hosts[here].made


@pytest.mark.parametrize("stage", [stage for stage in WAY if stage is not Stage.DONE])
def test_a_controller_that_starts_goes_on(stage: Stage) -> None:
    world = at(stage)
    world.restart()
    world.until(Stage.DONE)
    assert world.running_on() == {H2}
    assert world.faults == []


def test_nothing_is_copied_before_the_destination_says_that_it_is_ready() -> None:
    world = at(Stage.PREPARING)
    for _ in range(3):  # the controller knows that it was told, and that is all
        world.act(H1)
        world.report(H1)
        world.step()
    assert world.stage is Stage.PREPARING
    world.act(H2)
    world.step()
    assert world.stage is Stage.PREPARING
    world.report(H2)
    world.step()
    assert Stage(world.stage) is Stage.BINDING


def test_flows_are_asked_for_after_all_ports_are_bound_and_awaited_at_the_destination() -> None:
    world = at(Stage.BINDING)
    raised = world.raises
    made, world.hosts[H2].made = world.hosts[H2].made, False  # its taps are not plugged yet
    world.report(H2)
    world.step()
    assert (world.stage, world.raises) == (Stage.BINDING, raised)
    world.hosts[H2].made = made
    world.report(H2)
    world.step()
    assert (world.stage, world.raises) == (Stage.BINDING, raised + 1)
    world.step()  # it has said nothing since
    assert world.stage is Stage.BINDING
    for name in (H1, H2, H3):
        world.report(name)
    world.step()
    assert Stage(world.stage) is Stage.COPYING


def test_a_port_that_is_lost_again_asks_for_flows_anew() -> None:
    world = at(Stage.BINDING)
    world.report(H2)
    world.step()
    before = world.raises
    world.hosts[H2].made = False
    world.report(H2)
    world.step()
    world.hosts[H2].made = True
    world.report(H2)
    world.step()
    assert (world.stage, world.raises) == (Stage.BINDING, before + 1)


def test_another_host_that_is_behind_is_waited_for_a_moment_only() -> None:
    world = at(Stage.BINDING)
    for _ in range(3):  # h3 says nothing of the flows that are asked for
        world.report(H1)
        world.report(H2)
        world.step()
    assert world.stage is Stage.BINDING
    assert "h3" in world.engine.waits_for(M1)
    world.now_s += 6
    world.step()
    assert Stage(world.stage) is Stage.COPYING


def test_the_destination_is_waited_for_longer_than_others() -> None:
    world = at(Stage.BINDING)
    world.report(H2)
    world.step()
    world.now_s += 6  # what others have not installed by now counts no more
    world.step()
    assert world.stage is Stage.BINDING
    assert "h2 has not installed its flows" in world.engine.waits_for(M1)
    world.now_s += BIND_S
    world.step()
    assert Stage(world.stage) is Stage.ABORTING
    assert world.migration.failure == "NO_FLOWS"


def test_ports_that_are_not_bound_in_time_end_it() -> None:
    world = at(Stage.BINDING)
    world.hosts[H2].made = False
    for _ in range(3):
        world.now_s += BIND_S / 2
        world.report(H1)
        world.report(H2)
        world.step()
    world.until(Stage.FAILED)
    assert world.migration.failure == "NOT_BOUND"
    assert "nics/n1" in world.migration.failure_message
    assert world.running_on() == {H1}


@pytest.mark.parametrize("stage", [Stage.QUEUED, Stage.PREPARING, Stage.BINDING, Stage.COPYING])
def test_aborted_it_stays_where_it_is(stage: Stage) -> None:
    world = at(stage)
    if stage is Stage.COPYING:
        world.act(H1)
    world.change(abort=True)
    world.until(Stage.FAILED, copies=False)
    assert world.migration.failure == "ABORTED"
    assert world.running_on() == {H1}
    assert not world.hosts[H2].made
    assert world.hosts[H2].domain is RunState.ABSENT
    assert world.faults == []


def test_an_abort_that_comes_too_late_goes_forward() -> None:
    world = at(Stage.COPYING)
    world.act(H1)
    assert world.copy_done()
    world.change(abort=True)
    world.until(Stage.DONE)
    assert world.running_on() == {H2}


def test_what_broke_off_goes_back_and_is_tried_again_as_often_as_asked() -> None:
    world = at(Stage.COPYING, retries=1)
    world.act(H1)
    world.copy_ends(H1, "FAILED_TO_CONVERGE")
    world.until(Stage.QUEUED, copies=False)
    assert world.migration.attempt == 2
    world.step()
    assert world.stage is Stage.QUEUED  # it rests before it tries again
    world.now_s += 3
    world.until(Stage.COPYING)
    world.act(H1)
    world.copy_ends(H1, "FAILED_TO_CONVERGE")
    world.until(Stage.FAILED, copies=False)
    assert (world.migration.failure, world.migration.attempt) == ("FAILED_TO_CONVERGE", 2)
    assert world.migration.evidence.iterations == EVIDENCE.iterations
    assert world.running_on() == {H1}


def test_other_failures_are_not_tried_again() -> None:
    world = at(Stage.PREPARING, retries=5)
    world.change(abort=True)
    world.until(Stage.FAILED)
    assert world.migration.attempt == 1


def test_a_job_of_an_earlier_try_says_nothing() -> None:
    world = at(Stage.COPYING, retries=1)
    world.act(H1)
    world.copy_ends(H1, "LIBVIRT")
    world.report(H1)
    old = world.book.get(H1).report
    assert old is not None
    assert [(job.attempt, job.state) for job in old.migrations] == [(1, JobState.FAILED)]
    world.until(Stage.QUEUED, copies=False)
    world.now_s += 3
    world.until(Stage.COPYING)
    world.book.note_report(old)
    world.step()
    assert world.stage is Stage.COPYING


def test_a_source_that_forgot_how_its_copy_ended_does_not_bring_the_guest_back() -> None:
    """Its agent was killed: it says FAILED, the guest is not there, and the destination has not said anything yet."""
    world = at(Stage.COPYING)
    world.act(H1)
    stale = world.book.get(H2).report
    assert world.copy_done()
    world.forget_job(H1)
    world.report(H1)
    world.step()
    assert world.stage is Stage.COPYING
    assert stale is not None
    world.step()
    assert world.stage is Stage.COPYING
    world.now_s += 5
    world.step()
    assert world.stage is Stage.COPYING  # time alone decides nothing
    world.report(H2)
    world.until(Stage.DONE)
    assert world.running_on() == {H2}


@pytest.mark.parametrize("stage", [Stage.PREPARING, Stage.BINDING])
@pytest.mark.parametrize(("lost", "failure"), [(H1, "SOURCE_LOST"), (H2, "UNREACHABLE")])
def test_a_host_that_dies_before_the_copy_ends_it(stage: Stage, lost: HostId, failure: str) -> None:
    world = at(stage)
    world.kill_host(lost)
    world.settle()
    assert world.stage in (Stage.PREPARING, Stage.BINDING)  # its agent may only be restarting
    pass_time(world, LONG_S)
    world.until(Stage.FAILED)
    assert world.migration.failure == failure
    if lost == H2:
        assert world.running_on() == {H1}
    else:
        assert not world.hosts[H2].made
        world.start(H1)
        world.settle()
        assert world.running_on() == {H1}
    assert world.faults == []


def test_the_destination_dies_while_it_is_copied() -> None:
    world = at(Stage.COPYING)
    world.act(H1)
    world.kill_host(H2)
    pass_time(world, LONG_S)
    world.until(Stage.FAILED)
    assert world.migration.failure == "UNREACHABLE"
    assert world.running_on() == {H1}


def test_the_source_dies_while_it_is_copied() -> None:
    world = at(Stage.COPYING)
    world.act(H1)
    world.settle(1)
    world.kill_host(H1)
    pass_time(world, LONG_S)
    world.until(Stage.FAILED)
    assert world.migration.failure == "SOURCE_LOST"
    assert not world.hosts[H2].made
    world.start(H1)
    world.settle()
    assert world.running_on() == {H1}
    assert world.faults == []


def test_the_source_dies_after_the_guest_went_on() -> None:
    world = at(Stage.COPYING)
    world.act(H1)
    assert world.copy_done()
    world.kill_host(H1)
    pass_time(world, LONG_S)
    world.until(Stage.DONE)
    assert world.running_on() == {H2}
    assert "h1" in world.migration.steps[-1].message


def test_the_destination_dies_after_the_guest_went_on() -> None:
    """The source knows that it went: the machine is the destination's, and starts there again."""
    world = at(Stage.COPYING)
    world.act(H1)
    assert world.copy_done()
    world.report(H1)
    world.step()
    world.kill_host(H2)
    pass_time(world, SETTLE_S + LONG_S)
    world.until(Stage.DONE)
    world.start(H2)
    world.settle()
    assert world.running_on() == {H2}


def test_agents_that_are_killed_while_it_is_copied_change_nothing() -> None:
    world = at(Stage.COPYING)
    world.act(H1)
    world.settle(1)
    for name in (H1, H2):
        world.kill_agent(name)
    pass_time(world, 3 * LONG_S)
    assert world.stage is Stage.COPYING  # nobody knows where it runs
    assert world.copy_done()
    for name in (H1, H2):
        world.start(name)
    world.until(Stage.DONE)
    assert world.running_on() == {H2}
    assert world.faults == []


def test_settling_ends_also_when_a_nic_does_not_come_up() -> None:
    world = at(Stage.SETTLING)
    world.is_programmed = False
    world.settle()
    assert world.stage is Stage.SETTLING
    world.now_s += SETTLE_S
    world.until(Stage.DONE)
    assert any("nics/n1" in step.message for step in world.migration.steps)


def test_what_is_left_at_the_source_is_gone_before_it_is_done() -> None:
    world = at(Stage.CLEANING, stores=("one", "two", "two"))
    for _ in range(3):
        world.report(H1)  # of before: it has its disks
        world.report(H2)
        world.step()
    assert world.stage is Stage.CLEANING
    world.until(Stage.DONE)
    assert not world.hosts[H1].made


@pytest.mark.parametrize("stage", [Stage.PREPARING, Stage.BINDING])
def test_a_machine_that_is_off_all_the_same_is_not_copied(stage: Stage) -> None:
    """Admission refuses to switch it off meanwhile; a store edited by hand must not stop the others."""
    world = at(stage)
    machine, draft = world.snapshot.vm(world.migration.vm), world.snapshot.draft()
    assert machine is not None
    draft.put(replace(machine, power_state=PowerState.OFF))
    world.source.set(draft.freeze(world.snapshot.revision + 1))
    world.until(Stage.FAILED)
    assert world.migration.failure == "VM_OFF"
    assert world.running_on() == set()


def test_the_world_of_these_tests_can_go_wrong() -> None:
    """A positive control: what the tests call a fault is seen."""
    world = at(Stage.COPYING)
    world.act(H1)
    assert world.copy_done()
    world.hosts[H1].domain = RunState.RUNNING
    assert world.running_on() == {H1, H2}
    world.hosts[H1].jobs[M1, 1] = JobState.FAILED
    world.kill_agent(H2)
    world.report(H1)
    world.step()
    assert world.faults
    with pytest.raises(NetctlError):
        world.edit(Replace(intent=replace(world.migration, retries=3)))
