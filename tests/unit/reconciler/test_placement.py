"""Placement: who waits gets the best host, once; who gets none says why, and is tried again."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from netctl.errors import Conflict, InvalidIntent, NetctlError
from netctl.loop import Wake
from netctl.model.admit import admit
from netctl.model.compute_report import ComputeReport
from netctl.model.intent import Intent, Place
from netctl.model.keys import HostId, VmId
from netctl.model.snapshot import Snapshot
from netctl.model.stamp import Context
from netctl.model.vm import PowerState, Vm
from netctl.reconciler.placement import Placement
from netctl.scheduler.view import View
from tests.intents import FakeSource, nic, snapshot, uid_of, vlan
from tests.machines import MODEL, compute, disk, machines, network, nic_of, vm, waiting


class World:
    """Intents, reports, and a placement whose edits are admitted for real."""

    def __init__(self, *intents: Intent, hosts: int = 2) -> None:
        self.source = FakeSource()
        self.source.set(snapshot([*machines(hosts), vlan(), *intents]))
        self.reports: dict[str, ComputeReport] = {f"h{i}": compute(f"h{i}") for i in range(1, hosts + 1)}
        self.starting = False
        self.refusals: list[NetctlError] = []
        self.asked: list[tuple[str, str, str]] = []
        self.told: list[set[str]] = []
        self.restart()

    def restart(self) -> None:
        """A controller that knows nothing but the intents."""
        self.placement = Placement(
            self.source,
            self.submit,
            self.view,
            Wake(),
            is_starting=lambda: self.starting,
            changed=lambda ids: self.note(ids),
        )

    def note(self, ids: Iterable[VmId]) -> None:
        self.told.append(set(ids))

    def view(self, now: Snapshot) -> View:
        return View(
            now, lambda id: (self.reports.get(id), id in self.reports), lambda id: (network(id), True)
        )

    def submit(self, edit: Place) -> Future[Any]:
        future: Future[Any] = Future()
        if self.refusals:
            future.set_exception(self.refusals.pop(0))
            return future
        self.asked.append((edit.vm, edit.host, edit.cpu_model))
        draft = self.source.snapshot().draft()
        revision = self.source.snapshot().revision + 1
        try:
            admit(edit, draft, Context(time_s=5.0, new_uid=lambda: uid_of("new"), revision=revision))
        except NetctlError as error:
            future.set_exception(error)
            return future
        self.source.set(draft.freeze(revision))
        future.set_result(None)
        return future

    def edit(self, *intents: Intent) -> None:
        draft = self.source.snapshot().draft()
        for intent in intents:
            draft.put(intent)
        self.source.set(draft.freeze(self.source.snapshot().revision + 1))

    def vm(self, name: str = "a") -> Vm:
        found = self.source.snapshot().vm(VmId(name))
        assert found is not None
        return found

    def why(self, name: str = "a") -> str:
        found = self.placement.why(VmId(name))
        return found.message if found is not None else ""


def test_who_waits_is_placed_once_and_its_nics_follow() -> None:
    world = World(waiting(), nic_of("a"))
    world.placement.step()
    assert world.asked == [("a", "h1", "Westmere")]
    assert (world.vm().host, world.vm().effective_cpu_model) == ("h1", "Westmere")
    followed = world.source.snapshot().nic(nic("a-0").id)
    assert followed is not None
    assert followed.host == "h1"
    world.placement.step()
    world.restart()
    world.placement.step()
    assert len(world.asked) == 1


def test_each_is_placed_beside_those_before_it() -> None:
    world = World(*(waiting(name, memory_mib=3072) for name in "abcde"))
    world.placement.step()
    assert [host for _, host, _ in world.asked] == ["h1", "h2", "h1", "h2"]
    assert "has 0 of 6144 MiB of memory free" in world.why("e")
    assert world.told == [{"e"}]
    world.placement.step()
    assert world.told == [{"e"}], "nothing new"


def test_appliances_go_first() -> None:
    world = World(waiting("a", memory_mib=4096), waiting("z", memory_mib=6144, agent_vm=True), hosts=1)
    world.placement.step()
    assert [name for name, _, _ in world.asked] == ["z"]


def test_who_got_no_host_is_tried_when_there_is_room() -> None:
    full = vm("f", on="h1", memory_mib=6144)
    world = World(waiting(), full, hosts=1)
    world.placement.step()
    assert world.asked == []
    world.edit(replace(full, power_state=PowerState.OFF))
    world.placement.step()
    assert world.asked == [("a", "h1", "Westmere")]
    assert world.why() == ""
    assert world.told == [{"a"}, {"a"}]


def test_a_report_alone_helps_too() -> None:
    world = World(waiting(), hosts=1)
    reports, world.reports = world.reports, {}
    world.placement.step()
    assert "no compute agent connected" in world.why()
    world.reports = reports
    world.placement.step()
    assert world.vm().host == "h1"


def test_who_is_off_deleted_or_placed_is_let_alone() -> None:
    world = World(vm("a"), vm("b", on="h1"), vm("c", host=HostId("h1"), deleting=True))
    world.placement.step()
    assert world.asked == []


def test_a_clone_that_is_off_is_placed_for_its_disks() -> None:
    copy = replace(vm("copy"), disks=(replace(disk("d"), source_vm=VmId("s")),))
    world = World(copy, vm("s", host=HostId("h2"), disks=1))
    world.placement.step()
    assert [name for name, _, _ in world.asked] == ["copy"]


def test_an_edit_between_is_no_failure_and_a_refusal_says_why() -> None:
    world = World(waiting())
    world.refusals = [Conflict("somebody was faster"), InvalidIntent("name", "not now")]
    world.placement.step()
    assert world.why() == ""
    world.placement.step()
    assert "not now" in world.why()
    world.placement.step()
    assert world.vm().host == "h1"
    assert world.why() == ""


def test_before_all_hosts_spoke_nothing_is_started_with_too_new_a_model() -> None:
    world = World(waiting())
    late = world.reports.pop("h2")
    world.starting = True
    world.placement.step()
    assert world.asked == []
    assert "still connecting" in world.why()
    world.reports["h2"] = replace(
        late, capacity=replace(late.capacity, cpu_models=late.capacity.cpu_models[:1])
    )
    world.placement.step()
    assert world.asked == [("a", "h1", MODEL)]


def test_when_hosts_had_their_time_others_do_not_wait() -> None:
    world = World(waiting())
    del world.reports["h2"]
    world.placement.step()
    assert world.vm().host == "h1"


def test_it_forgets_nothing_when_the_log_does() -> None:
    world = World(waiting())
    world.source.forgetful = True
    world.placement.step()
    world.edit(waiting("b"))
    world.placement.step()
    assert [name for name, _, _ in world.asked] == ["a", "b"]
