"""Maintenance: two at a time until the host is empty; who cannot leave is named; a failure is tried again later."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from netctl.errors import InvalidIntent, NetctlError
from netctl.loop import Wake
from netctl.model.admit import admit
from netctl.model.infra import Host
from netctl.model.intent import Create, Intent, Replace
from netctl.model.keys import HostId, VmId, VmMigrationId
from netctl.model.snapshot import Snapshot
from netctl.model.stamp import Context
from netctl.model.vm_migration import Stage, StageEntered, VmMigration
from netctl.reconciler.maintenance import AGAIN_FIRST_S, CAUSE, Maintenance
from netctl.scheduler.view import View
from tests.intents import FakeSource, host, snapshot, uid_of
from tests.machines import compute, machines, network, vm, waiting

H1, H2 = HostId("h1"), HostId("h2")


class World:
    """Intents, clocks, and a maintenance whose edits are admitted for real."""

    def __init__(self, *intents: Intent, hosts: int = 3) -> None:
        self.source = FakeSource()
        self.source.set(snapshot([*machines(hosts), *intents]))
        self.now_s = 1000.0
        self.refusal: NetctlError | None = None
        self.told: list[set[str]] = []
        self.restart()

    def restart(self) -> None:
        """A controller that knows nothing but the intents."""
        self.maintenance = Maintenance(
            self.source,
            self.submit,
            self.view,
            Wake(),
            clock=lambda: self.now_s,
            wall=lambda: self.now_s,
            changed=lambda ids: self.note(ids),
        )

    def note(self, ids: Iterable[HostId]) -> None:
        self.told.append(set(ids))

    def view(self, now: Snapshot) -> View:
        return View(now, lambda id: (compute(id), True), lambda id: (network(id), True))

    def submit(self, edit: Create | Replace) -> Future[Any]:
        future: Future[Any] = Future()
        if self.refusal is not None:
            future.set_exception(self.refusal)
            return future
        draft = self.source.snapshot().draft()
        revision = self.source.snapshot().revision + 1
        new = Context(time_s=self.now_s, new_uid=lambda: uid_of(f"new {revision}"), revision=revision)
        admit(edit, draft, new)
        self.source.set(draft.freeze(revision))
        future.set_result(None)
        return future

    def edit(self, *intents: Intent) -> None:
        draft = self.source.snapshot().draft()
        for intent in intents:
            draft.put(intent)
        self.source.set(draft.freeze(self.source.snapshot().revision + 1))

    def close(self, name: str = "h1", *, maintenance: bool = True) -> None:
        found = self.source.snapshot().host(HostId(name))
        assert found is not None
        self.edit(replace(found, maintenance=maintenance))

    def step(self, after_s: float = 0.0) -> None:
        self.now_s += after_s
        self.maintenance.step()

    @property
    def active(self) -> dict[str, VmMigration]:
        return {one.id: one for one in self.source.snapshot().active_migrations()}

    def end(self, name: str, stage: Stage = Stage.DONE, message: str = "") -> None:
        """Let a migration end; DONE moves its machine."""
        one = self.active[name]
        step = StageEntered(stage=stage, time_s=self.now_s, message=message)
        ended: list[Intent] = [replace(one, stage=stage, failure_message=message, steps=(*one.steps, step))]
        machine = self.source.snapshot().vm(one.vm)
        if stage is Stage.DONE and machine is not None:
            ended.append(replace(machine, host=one.destination))
        self.edit(*ended)


def guests(count: int, *, memory_mib: int = 512) -> list[Intent]:
    return [vm(f"g{i}", on="h1", memory_mib=memory_mib) for i in range(count)]


def test_two_at_a_time_until_the_host_is_empty() -> None:
    world = World(*guests(3), vm("e", on="h2"), waiting("w", host=H1))
    world.step()
    assert world.active == {}, "no host is in maintenance"
    world.close()
    world.step()
    assert sorted(world.active) == ["evacuate-g0-1", "evacuate-g1-1"]
    first = world.active["evacuate-g0-1"]
    assert (first.source, first.cause, first.stage) == ("h1", CAUSE, Stage.QUEUED)
    assert first.destination in ("h2", "h3")
    world.step(10)
    assert len(world.active) == 2
    world.end("evacuate-g0-1")
    world.step()
    assert sorted(world.active) == ["evacuate-g1-1", "evacuate-g2-1"]
    world.end("evacuate-g1-1")
    world.end("evacuate-g2-1")
    world.step(10)
    assert world.active == {}
    assert world.maintenance.blocked(H1) == {}
    assert world.told == []


def test_a_restart_makes_no_third() -> None:
    world = World(*guests(4))
    world.close()
    world.step()
    world.restart()
    world.step()
    assert len(world.active) == 2


def test_who_moves_already_is_let_alone() -> None:
    going = VmMigration(id=VmMigrationId("m"), vm=VmId("g0"), source=H1, stage=Stage.COPYING, destination=H2)
    world = World(*guests(2), going)
    world.close()
    world.step()
    assert sorted(world.active) == ["evacuate-g1-1", "m"]


def test_who_cannot_leave_is_named_and_the_others_go() -> None:
    world = World(*guests(1), vm("appliance", on="h1", agent_vm=True))
    world.close()
    world.step()
    assert sorted(world.active) == ["evacuate-g0-1"]
    assert list(world.maintenance.blocked(H1)) == ["appliance"]
    assert "agent VM" in world.maintenance.blocked(H1)[VmId("appliance")]
    assert world.told == [{"h1"}]
    world.step(10)
    assert world.told == [{"h1"}], "nothing new"
    world.close(maintenance=False)
    world.step()
    assert world.maintenance.blocked(H1) == {}
    assert world.told == [{"h1"}, {"h1"}]


def test_one_that_failed_is_tried_again_ever_later() -> None:
    world = World(*guests(1))
    world.close()
    world.step()
    world.end("evacuate-g0-1", Stage.FAILED, "it dirties memory too fast")
    world.step()
    assert world.active == {}
    assert "evacuate-g0-1 failed: it dirties" in world.maintenance.blocked(H1)[VmId("g0")]
    world.step(AGAIN_FIRST_S - 1)
    assert world.active == {}
    world.step(2)
    assert sorted(world.active) == ["evacuate-g0-2"]
    world.end("evacuate-g0-2", Stage.FAILED, "again")
    world.step(AGAIN_FIRST_S + 1)
    assert world.active == {}
    world.step(AGAIN_FIRST_S)
    assert sorted(world.active) == ["evacuate-g0-3"]


def test_what_admission_refuses_is_named() -> None:
    world = World(*guests(1))
    world.close()
    world.refusal = InvalidIntent("vm", "is not of this world")
    world.step()
    assert "not of this world" in world.maintenance.blocked(H1)[VmId("g0")]
    world.refusal = None
    world.step(10)
    assert sorted(world.active) == ["evacuate-g0-1"]


def test_what_waits_is_called_off_with_the_maintenance() -> None:
    mine = VmMigration(id=VmMigrationId("m"), vm=VmId("x"), source=H2)
    world = World(*guests(2), vm("x", on="h2"), mine)
    world.close()
    world.step()
    one = world.active["evacuate-g0-1"]
    world.edit(replace(one, stage=Stage.COPYING))
    world.close(maintenance=False)
    world.step()
    assert {id: found.abort for id, found in world.active.items()} == {
        "evacuate-g0-1": False,
        "evacuate-g1-1": True,
        "m": False,
    }


def test_a_host_in_maintenance_takes_nobody() -> None:
    closed: Host = replace(host("h2", number=2), maintenance=True)
    world = World(*guests(1), closed, hosts=2)
    world.close()
    world.step()
    assert world.active == {}
    assert "h2 is in maintenance" in world.maintenance.blocked(H1)[VmId("g0")]


def test_long_names_are_cut() -> None:
    long = "v" * 63
    world = World(vm(long, on="h1"))
    world.close()
    world.step()
    assert [len(name) for name in world.active] == [63]
