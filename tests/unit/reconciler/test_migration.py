"""Migration: a few NICs at a time, each PROGRAMMED again before the next; put back when not; on after a restart."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.errors import Conflict, InvalidIntent, NetctlError
from netctl.loop import Wake
from netctl.model.admit import admit
from netctl.model.intent import Intent, Restack
from netctl.model.keys import Key, Kind, NicId, SubnetId
from netctl.model.nic import Nic, NicKind, NicMode, TrunkVlan
from netctl.model.snapshot import Snapshot
from netctl.model.stamp import Context
from netctl.model.status import Phase, Status
from netctl.model.subnet import SubnetKind
from netctl.reconciler.migration import DEADLINE_S, MOVING_MAX, Migration, MigrationState, target_of
from tests.intents import FakeSource, infra, nic, overlay, snapshot, uid_of, vlan

V10 = SubnetId("v10")


class World:
    """Intents, who is up where, a clock, and a migration whose restacks are admitted for real."""

    def __init__(self, *intents: Intent) -> None:
        self.source = FakeSource()
        self.source.set(snapshot([*infra(), *intents]))
        self.now_s = 100.0
        self.down: set[str] = set()  # PROGRAMMED neither before nor after
        self.stuck: set[tuple[str, bool]] = set()  # not PROGRAMMED on that side
        self.refusal: NetctlError | None = None
        self.asked: list[tuple[str, bool]] = []
        self.slow: set[str] = set()  # under way
        self.restart()

    def restart(self) -> None:
        """A controller that knows nothing but the intents."""
        self.migration = Migration(self.source, self.restack, self.status, Wake(), clock=lambda: self.now_s)

    @property
    def snapshot(self) -> Snapshot:
        return self.source.snapshot()

    def restack(self, edit: Restack) -> Future[Any]:
        future: Future[Any] = Future()
        if self.refusal is not None:
            future.set_exception(self.refusal)
            return future
        self.asked.append((edit.nic, edit.basic))
        draft = self.snapshot.draft()
        revision = self.snapshot.revision + 1
        admit(edit, draft, Context(time_s=5.0, new_uid=lambda: uid_of("new"), revision=revision))
        self.source.set(draft.freeze(revision))
        self.slow.add(edit.nic)
        answer: Any = type("Answer", (), {"revision": revision})()
        future.set_result(answer)
        return future

    def status(self, key: Key) -> Status | None:
        found = self.snapshot.get(key)
        if not isinstance(found, Nic):
            return None
        up = found.id not in self.slow | self.down and (found.id, found.basic) not in self.stuck
        phase = Phase.PROGRAMMED if up else Phase.PENDING
        return Status(
            phase=phase, reason="WAITING", message="waits for its tap", revision=found.meta.revision
        )

    def edit(self, *intents: Intent) -> None:
        draft = self.snapshot.draft()
        for intent in intents:
            draft.put(replace(intent, meta=replace(intent.meta, revision=self.snapshot.revision + 1)))
        self.source.set(draft.freeze(self.snapshot.revision + 1))

    def turn(self, kind: SubnetKind, id: SubnetId = V10) -> None:
        subnet = self.snapshot.subnet(id)
        assert subnet is not None
        self.edit(replace(subnet, kind=kind))

    def run(self, steps: int = 1) -> None:
        """Step; who is under way and not stuck arrives between two."""
        for _ in range(steps):
            self.migration.step()
            self.slow.clear()

    @property
    def basic(self) -> set[str]:
        nics = (self.snapshot.nic(NicId(id)) for id in self.snapshot.table(Kind.NIC))
        return {found.id for found in nics if found is not None and found.basic}

    @property
    def state(self) -> MigrationState | None:
        return self.migration.state_of(self.snapshot, V10)


def guests(count: int, *, basic: bool = False) -> list[Nic]:
    return [replace(nic(f"n{i:02}", number=10 + i), basic=basic) for i in range(count)]


def test_a_few_at_a_time_and_the_next_when_one_has_arrived() -> None:
    world = World(vlan(), *guests(MOVING_MAX + 3))
    world.turn(SubnetKind.VLAN_BASIC)
    world.migration.step()
    assert len(world.basic) == MOVING_MAX
    assert world.state == MigrationState(moved=MOVING_MAX, nics=MOVING_MAX + 3)
    world.migration.step()
    assert len(world.basic) == MOVING_MAX, "nobody has arrived"
    world.slow.discard("n00")
    world.migration.step()
    assert len(world.basic) == MOVING_MAX + 1
    world.run(3)
    assert len(world.basic) == MOVING_MAX + 3
    assert world.state is None


def test_nothing_moves_where_all_are_what_they_should_be() -> None:
    world = World(vlan(), *guests(2), overlay(), nic("o", "o1", number=9))
    world.run(3)
    assert world.asked == []
    assert world.state is None
    assert world.migration.state_of(world.snapshot, SubnetId("o1")) is None


def test_a_nic_that_does_not_come_up_is_put_back_and_the_others_wait() -> None:
    world = World(vlan(), *guests(MOVING_MAX + 2))
    world.stuck = {("n00", True)}
    world.turn(SubnetKind.VLAN_BASIC)
    world.migration.step()
    world.now_s += DEADLINE_S - 1
    world.migration.step()
    assert "n00" in world.basic
    world.now_s += 1.5
    for name in {f"n{i:02}" for i in range(1, MOVING_MAX)}:
        world.slow.discard(name)
    world.migration.step()
    assert "n00" not in world.basic
    state = world.state
    assert state is not None
    assert (state.failed, state.nics) == (True, MOVING_MAX + 2)
    assert "nics/n00" in state.message
    assert "waits for its tap" in state.message
    moved = set(world.basic)
    world.run(3)
    assert world.basic == moved, "the subnet rests"
    world.stuck.clear()
    subnet = world.snapshot.subnet(V10)
    assert subnet is not None
    world.edit(replace(subnet, meta=replace(subnet.meta, display_name="again")))
    world.run(3)
    assert len(world.basic) == MOVING_MAX + 2
    assert world.state is None


def test_what_did_not_work_before_is_waited_for_no_longer() -> None:
    world = World(vlan(), *guests(MOVING_MAX + 2))
    world.down = {found.id for found in guests(MOVING_MAX + 2)}
    world.turn(SubnetKind.VLAN_BASIC)
    world.run()
    assert len(world.basic) == MOVING_MAX + 2
    world.now_s += DEADLINE_S + 1
    world.run()
    assert world.state is None


def test_a_subnet_that_gets_its_kind_back_takes_its_nics_back() -> None:
    world = World(vlan(), *guests(MOVING_MAX + 2))
    world.turn(SubnetKind.VLAN_BASIC)
    world.migration.step()
    assert world.basic
    world.turn(SubnetKind.VLAN)
    world.migration.step()  # while they are on their way
    world.run(2)
    assert world.basic == set()
    assert world.state is None
    world.now_s += DEADLINE_S + 1
    world.run()
    assert world.state is None


def test_a_controller_that_starts_anew_goes_on() -> None:
    world = World(vlan(), *guests(MOVING_MAX + 2))
    world.turn(SubnetKind.VLAN_BASIC)
    world.migration.step()
    world.restart()
    world.run(3)
    assert len(world.basic) == MOVING_MAX + 2


def test_a_refusal_rests_the_subnet() -> None:
    world = World(vlan(), *guests(2))
    world.turn(SubnetKind.VLAN_BASIC)
    world.refusal = InvalidIntent("nic", "no")
    world.run(2)
    state = world.state
    assert state is not None
    assert (state.failed, state.message) == (True, "nics/n00 cannot move: no")


def test_a_revision_that_passed_by_is_looked_at_anew() -> None:
    world = World(vlan(), *guests(1))
    world.turn(SubnetKind.VLAN_BASIC)
    restack = world.restack

    def edited_meanwhile(edit: Restack) -> Future[Any]:
        world.edit(replace(guests(1)[0], connected=False))
        future: Future[Any] = Future()
        future.set_exception(Conflict("the NIC is at another revision"))
        return future

    world.migration = Migration(
        world.source, edited_meanwhile, world.status, Wake(), clock=lambda: world.now_s
    )
    world.migration.step()
    assert world.basic == set()
    state = world.state
    assert state is not None
    assert not state.failed
    world.migration._restack = restack
    world.run()
    assert world.basic == {"n00"}


TAGS = (TrunkVlan(vlan_id=20, subnet=SubnetId("v20")),)


@pytest.mark.parametrize(
    ("one", "other", "guest", "target"),
    [
        ("vlan", "vlan", nic(), False),
        ("vlan-basic", "vlan", nic(), True),
        ("vlan-basic", "vlan", replace(nic(), kind=NicKind.DIRECT, basic=True), None),
        ("vlan", "vlan", replace(nic(), kind=NicKind.DIRECT, basic=True), None),
        ("vlan-basic", "vlan", replace(nic(), mode=NicMode.TRUNK, trunk_vlans=TAGS), None),
        ("vlan-basic", "vlan-basic", replace(nic(), mode=NicMode.TRUNK, trunk_vlans=TAGS), True),
        ("vlan", "vlan-basic", replace(nic(), mode=NicMode.TRUNK, trunk_vlans=TAGS, basic=True), None),
        ("vlan", "vlan", replace(nic(), mode=NicMode.TRUNK, trunk_vlans=TAGS, basic=True), False),
        ("vlan", "vlan", replace(nic(), mode=NicMode.TRUNK, basic=True), None),
        (
            "vlan",
            "vlan",
            replace(nic(), mode=NicMode.TRUNK, trunk_vlans=(TrunkVlan(vlan_id=9),), basic=True),
            None,
        ),
    ],
)
def test_where_a_nic_is_to_be(one: str, other: str, guest: Nic, target: bool | None) -> None:
    first = replace(vlan(), kind=SubnetKind(one))
    second = replace(vlan("v20", 20), kind=SubnetKind(other))
    assert target_of(snapshot([*infra(), first, second, guest]), guest) is target


STEPS = st.one_of(
    st.tuples(st.just("turn"), st.sampled_from((SubnetKind.VLAN, SubnetKind.VLAN_BASIC))),
    st.tuples(st.just("step"), st.just(0)),
    st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("time"), st.sampled_from((1, 31))),
    st.tuples(st.just("arrive"), st.integers(0, 9)),
    st.tuples(st.just("touch"), st.integers(0, 9)),
)


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEPS, max_size=20))
def test_whatever_happens_all_nics_are_where_they_should_be_in_the_end(steps: list[tuple[str, Any]]) -> None:
    world = World(vlan(), *guests(10))
    for what, how in steps:
        match what:
            case "turn":
                world.turn(how)
            case "restart":
                world.restart()
            case "time":
                world.now_s += how
            case "arrive":
                world.slow.discard(f"n{how:02}")
            case "touch":
                found = world.snapshot.nic(NicId(f"n{how:02}"))
                assert found is not None
                world.edit(replace(found, meta=replace(found.meta, display_name=f"{how}")))
            case "step":
                world.migration.step()
                assert len(world.migration._moving) <= MOVING_MAX
    world.slow.clear()
    subnet = world.snapshot.subnet(V10)
    assert subnet is not None
    world.edit(subnet)  # what rests goes on with an edit
    world.run(6)
    assert len(world.basic) == (10 if subnet.kind is SubnetKind.VLAN_BASIC else 0)
    assert world.state is None
