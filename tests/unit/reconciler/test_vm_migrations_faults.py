"""Whatever dies, is slow or says nothing, in any order: the guest is where the migration says, once, and it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from netctl.errors import NetctlError
from netctl.model.compute_report import RunState
from netctl.model.keys import HostId
from netctl.model.vm_migration import ENDED, Stage
from netctl.reconciler.compute_book import GONE_S
from tests.unit.reconciler.migrating import H1, H2, NAMES, MigrationWorld

_ENDS = st.sampled_from((H1, H2))
_STORES = st.sampled_from((("store", "store", "store"), ("one", "two", "three")))
_STARTS = st.sampled_from((Stage.QUEUED, Stage.BINDING, Stage.COPYING, Stage.COPYING, Stage.CLEANING))
_FAILURES = st.sampled_from(("FAILED_TO_CONVERGE", "UNREACHABLE", "LIBVIRT"))

FAULTS: dict[str, Callable[[MigrationWorld], Any]] = {
    "controller": lambda world: world.restart(),
    "source's agent": lambda world: world.kill_agent(H1),
    "destination's agent": lambda world: world.kill_agent(H2),
    "source": lambda world: world.kill_host(H1),
    "destination": lambda world: world.kill_host(H2),
    "copy": lambda world: world.copy_ends(H1, "LIBVIRT"),
    "abort": lambda world: world.change(abort=True),
}


def finish(world: MigrationWorld, *, revive: bool = True) -> None:
    """Let all that is there go on until the migration has ended; of what is dead, after a while, all come back."""
    for turn in range(120):
        if world.stage in ENDED:
            break
        if revive and turn == 60:
            for name in NAMES:
                world.start(name)
        world.settle(1)
        world.now_s += 1.0
        if turn % 3 == 2:
            world.copy_done()
    assert world.stage in ENDED, world.engine.waits_for(world.migration.id)


def check(world: MigrationWorld) -> None:
    """Check what holds at the end: one copy at most, where the machine is; nothing left where it is not."""
    assert world.faults == []
    other = world.hosts[H1 if world.stage is Stage.DONE else H2]
    if other.speaks and not world.was_given_up:
        assert not other.made
    for name in NAMES:
        world.start(name)
    world.settle()
    machine = world.snapshot.vm(world.migration.vm)
    assert machine is not None
    assert world.running_on() == {machine.host}
    assert machine.host == (H2 if world.stage is Stage.DONE else H1)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage not in ENDED])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("acted", [False, True], ids=["before agents heard", "after"])
def test_one_fault_at_any_stage(stage: Stage, fault: str, acted: bool) -> None:
    world = MigrationWorld()
    world.migrate()
    if stage is Stage.ABORTING:
        world.until(Stage.BINDING)
        world.change(abort=True)
    world.until(stage)
    if acted:
        for name in NAMES:
            world.act(name)
    try:
        FAULTS[fault](world)
    except NetctlError:
        assert fault == "abort"  # it comes too late, or was asked for already
    started = world.now_s
    finish(world, revive=fault not in ("source", "destination"))
    if fault not in ("source's agent", "destination's agent"):
        assert world.now_s - started < 40
    check(world)


def test_a_guest_that_dies_while_it_is_copied_starts_again_where_it_was_at_once() -> None:
    world = MigrationWorld()
    world.migrate()
    world.until(Stage.COPYING)
    world.act(H1)
    world.report(H2)  # INCOMING
    world.step()
    world.copy_ends(H1, "LIBVIRT")
    world.hosts[H1].domain = RunState.ABSENT
    world.report(H2)
    world.report(H1)
    world.step()
    assert world.stage is Stage.ABORTING
    world.until(Stage.FAILED, copies=False)
    world.settle()
    assert world.running_on() == {H1}
    assert world.faults == []


class Machine(RuleBasedStateMachine):
    """Two hosts, one guest on its way, everything else by chance."""

    @initialize(stores=_STORES, retries=st.integers(0, 2), start=_STARTS, begun=st.booleans())
    def begin(self, stores: tuple[str, str, str], retries: int, start: Stage, begun: bool) -> None:
        self.world = MigrationWorld(stores=stores)
        self.world.migrate(retries=retries)
        self.world.until(start)
        if begun:
            self.world.act(H1)

    @rule(host=_ENDS)
    def act(self, host: HostId) -> None:
        self.world.act(host)

    @rule(host=st.sampled_from(NAMES))
    def report(self, host: HostId) -> None:
        self.world.report(host)

    @rule()
    def look(self) -> None:
        self.world.step()

    @rule()
    def go_on(self) -> None:
        self.world.settle(1)

    @rule()
    def copy_done(self) -> None:
        self.world.copy_done()

    @rule(failure=_FAILURES)
    def copy_fails(self, failure: str) -> None:
        self.world.copy_ends(H1, failure)

    @rule(seconds=st.sampled_from((0.5, 3.0, GONE_S)))
    def wait(self, seconds: float) -> None:
        # Agents that are there speak now and then: a job begins long before its agent has been silent for long.
        self.world.settle(1)
        self.world.now_s += seconds

    @rule(host=_ENDS)
    def kill_agent(self, host: HostId) -> None:
        self.world.kill_agent(host)

    @rule(host=_ENDS)
    def kill_host(self, host: HostId) -> None:
        self.world.kill_host(host)

    @rule(host=_ENDS)
    def start(self, host: HostId) -> None:
        self.world.start(host)

    @rule()
    def copy_done_unseen(self) -> None:
        """The source's agent is killed meanwhile, and says that it failed."""
        self.world.copy_done()
        self.world.kill_agent(H1)
        self.world.forget_job(H1)
        self.world.start(H1)

    @rule()
    def copy_kills(self) -> None:
        """The guest's process ends in the middle of it."""
        if self.world.hosts[H2].domain is RunState.INCOMING:
            self.world.copy_ends(H1, "LIBVIRT")
            self.world.hosts[H1].domain = RunState.ABSENT

    @rule()
    def restart_controller(self) -> None:
        self.world.restart()

    @precondition(lambda self: not self.world.migration.abort and self.world.stage not in ENDED)
    @rule()
    def abort(self) -> None:
        try:
            self.world.change(abort=True)
        except NetctlError:
            assert self.world.stage in (Stage.SETTLING, Stage.CLEANING)

    @rule(programmed=st.booleans())
    def network(self, programmed: bool) -> None:
        self.world.is_programmed = programmed

    @invariant()
    def nothing_went_wrong(self) -> None:
        if hasattr(self, "world"):
            assert self.world.faults == []
            assert len(self.world.running_on()) <= 1

    def teardown(self) -> None:
        if hasattr(self, "world"):
            finish(self.world)
            check(self.world)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=200, stateful_step_count=25, deadline=None)
