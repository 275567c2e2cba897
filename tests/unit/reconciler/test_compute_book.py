"""What compute agents said, the assignments that follow, and what is purged by it."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.compiler.compute_assignment import compile_compute_assignment
from netctl.errors import Conflict
from netctl.model.compute_report import ComputeReport, JobState, MigrationReport, RunState, VmReport
from netctl.model.intent import Intent, Purge
from netctl.model.keys import HostId
from netctl.model.nic import Nic
from netctl.model.vm import PowerState
from netctl.model.vm_migration import Stage
from netctl.reconciler.compute_assignments import ComputeAssignmentBook
from netctl.reconciler.compute_book import GONE_S, ComputeBook, ComputeHeard
from netctl.reconciler.overdue import DUE_S, Overdue
from netctl.reconciler.vm_purge import VmPurge
from tests.intents import FakeSource, infra, nic, snapshot, vlan
from tests.machines import compute, nic_of, seen, vm
from tests.migrations import AT_DESTINATION, migration, moving

H1, H2 = HostId("h1"), HostId("h2")


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_what_was_said_is_found_by_machine_and_migration() -> None:
    clock, told = Clock(), list[HostId]()
    book = ComputeBook(clock=clock)
    book.on_report(told.append)
    assert book.get(H1) == ComputeHeard(silent_since_s=100.0)
    job = MigrationReport(migration=migration().id, attempt=1, state=JobState.RUNNING)
    report = replace(compute("h1", seen(vm("a"))), migrations=(job,))
    clock.now_s = 101.0
    book.note_report(report)
    heard = book.get(H1)
    assert (heard.report, heard.connected, heard.received_s) == (report, True, 101.0)
    assert heard.vms == {"a": report.vms[0]}
    assert heard.migrations == {"m1": job}
    book.note_disconnect(H1)
    assert (book.get(H1).report, book.get(H1).connected) == (report, False)
    assert book.reports() == {H1: report}
    assert book.live() == {}
    assert told == [H1, H1]


def test_a_host_is_gone_when_it_was_silent_for_long_also_before_it_ever_spoke() -> None:
    clock = Clock()
    book = ComputeBook(clock=clock)
    clock.now_s += GONE_S - 1
    assert not book.is_gone(H1)
    clock.now_s += 1
    assert book.is_gone(H1)
    book.note_report(compute("h1"))
    assert (book.is_gone(H1), book.silent_s(H1)) == (False, 0.0)
    clock.now_s += 1000
    assert not book.is_gone(H1)
    book.note_disconnect(H1)
    clock.now_s += GONE_S - 1
    assert not book.is_gone(H1)
    clock.now_s += 1
    assert book.is_gone(H1)


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"store_id": "another"}, True),
        ({"migration_address": "tcp://192.0.2.7"}, True),
        ({"store_free_bytes": 1}, False),
        ({}, False),
    ],
)
def test_the_version_moves_with_what_assignments_read(change: dict[str, Any], differs: bool) -> None:
    book = ComputeBook()
    book.note_report(compute("h1"))
    before = book.version
    book.note_report(compute("h1", **change))
    assert (book.version != before) is differs
    grown = seen(vm("a", disks=1), disk_bytes={vm("a", disks=1).disks[0].uid: 7})
    before = book.version
    book.note_report(compute("h1", grown, **change))
    assert book.version != before


def fresh(source: FakeSource, book: ComputeBook, host: HostId) -> object:
    """Return an assignment compiled now, whatever its revision."""
    found = compile_compute_assignment(source.snapshot(), host, 1, book.reports())
    return replace(found, revision=0) if found is not None else None


_EDITS = st.tuples(
    st.sampled_from((*Stage, None)),
    st.booleans(),
    st.sampled_from((1024, 2048)),
    st.sampled_from(("n1", "n2", "")),
)


@settings(max_examples=80, deadline=None)
@given(walk=st.lists(st.tuples(_EDITS, st.sampled_from(("", "one", "two")), st.booleans()), max_size=8))
def test_by_any_way_an_assignment_is_that_of_the_last_state(walk: list[Any]) -> None:
    """... and a report of its revision speaks of everything of the host's machines up to there."""
    source, book = FakeSource(), ComputeBook()
    assignments = ComputeAssignmentBook(source, book, 1)
    for (stage, named, memory_mib, has_nic), store, forgets in walk:
        place = "h2" if stage in AT_DESTINATION else "h1"
        machine = vm("a", on=place, disks=1, memory_mib=memory_mib, description="web" if named else "")
        intents: list[Intent] = [*infra(), vlan(), machine, vm("b", on="h2"), nic("loose", number=9)]
        intents += [nic_of("a", has_nic, host=place)] if has_nic else []
        intents += [migration(stage=stage)] if stage is not None else []
        source.forgetful = forgets
        source.set(snapshot(intents))
        if store:
            book.note_report(compute("h2", store_id=store))
        for host in (H1, H2):
            found = assignments.assignment(host)
            assert found is not None
            assert replace(found, revision=0) == fresh(source, book, host)
            assert assignments.assignment(host) is found
            assert found.revision <= source.snapshot().revision


def test_a_change_of_a_machine_has_a_new_revision_and_one_elsewhere_has_not() -> None:
    source, book = FakeSource(), ComputeBook()
    assignments = ComputeAssignmentBook(source, book, 1)
    machine = vm("a", on="h1")
    others: list[Intent] = [*infra(), vlan(), vm("b", on="h2")]

    def told(*intents: Intent) -> tuple[int, int]:
        source.set(snapshot([*others, *intents]))
        found = [assignments.assignment(host) for host in (H1, H2)]
        return tuple(one.revision if one is not None else 0 for one in found)  # type: ignore[return-value]

    assert told(machine) == (1, 1)
    assert told(replace(machine, meta=replace(machine.meta, labels={"a": "b"}))) == (2, 1)  # it says the same
    assert told(machine, vlan("v20", 20), nic("loose", number=9)) == (3, 1)
    assert told(machine, vlan("v20", 20), nic("loose", number=9, host="h2")) == (3, 1)
    assert told(machine, nic_of("a", host="h1")) == (5, 1)
    assert told(machine, nic_of("a", host="h1"), migration("a", stage=Stage.PREPARING)) == (6, 6)
    assert told(machine) == (7, 7)


def test_a_source_hears_of_a_nic_that_comes_while_it_cleans_up() -> None:
    source = FakeSource()
    assignments = ComputeAssignmentBook(source, ComputeBook(), 1)
    for nics, expected in (((), []), ((nic_of("a", "n1", host="h2"),), ["n1"])):
        machine, going = vm("a", on="h2"), migration(stage=Stage.CLEANING)
        source.set(snapshot([*infra(), vlan(), machine, going, *nics]))
        found = assignments.assignment(H1)
        assert found is not None
        assert [nic.nic for nic in found.vms[0].nics] == expected


def test_listeners_are_woken_by_what_assignments_read() -> None:
    source, book = FakeSource(), ComputeBook()
    assignments, woken = ComputeAssignmentBook(source, book, 1), list[int]()
    assignments.on_assignment_change(lambda: woken.append(1))
    book.on_report(lambda host: assignments.note_report())
    book.note_report(compute("h1"))
    book.note_report(compute("h1", store_free_bytes=5))
    assert woken == [1]
    book.note_report(compute("h1", store_id="another"))
    assignments.changed()
    assert woken == [1, 1, 1]


def gone(revision: int = 50) -> Any:
    machine = vm("a", on="h1", disks=1, power_state=PowerState.OFF, deleting=True)
    return replace(machine, meta=replace(machine.meta, revision=revision))


@pytest.mark.parametrize(
    ("report", "purged"),
    [
        (compute("h1", seen(vm("a"), RunState.ABSENT)), True),
        (compute("h1"), True),
        (compute("h1", seen(vm("a"), RunState.ABSENT), revision=49), False),
        (compute("h1", seen(vm("a"), RunState.RUNNING)), False),
        (compute("h1", seen(vm("a"), RunState.ABSENT, disk_bytes={"d": 1})), False),
        (compute("h1", seen(vm("a"), RunState.ABSENT, problem="a disk cannot be removed")), False),
        (replace(compute("h1"), libvirt_connected=False), False),
        (compute("h1", VmReport(vm=vm("a").id, uid=vm("z").meta.uid, run_state=RunState.RUNNING)), True),
    ],
)
def test_a_deleted_machine_goes_when_its_host_says_that_nothing_is_left(
    report: ComputeReport, purged: bool
) -> None:
    book, asked = ComputeBook(), list[Purge]()

    def submit(edit: Purge) -> Future[Any]:
        asked.append(edit)
        future: Future[Any] = Future()
        future.set_exception(Conflict("somebody was faster"))  # which is no reason to stop
        return future

    purge, world = VmPurge(book, submit), snapshot([*infra(), gone(), vm("b", on="h1", disks=1)])
    purge.step(world)  # nobody has said anything
    book.note_report(report)
    purge.step(world)
    assert asked == ([Purge(vm=vm("a").id)] if purged else [])
    book.note_disconnect(H1)
    purge.step(world)
    assert len(asked) <= 1
    book.note_report(report)
    purge.step(snapshot([*infra(), gone(), migration("a", stage=Stage.CLEANING)]))
    assert len(asked) <= 1


def test_what_was_due_a_while_ago_is_overdue() -> None:
    clock = Clock()
    overdue = Overdue(clock=clock)
    overdue.note(5)
    overdue.note(5)
    assert overdue.nb_cfg == 0
    clock.now_s += DUE_S - 1
    overdue.note(9)
    clock.now_s += 1
    assert overdue.nb_cfg == 5
    clock.now_s += DUE_S
    assert overdue.nb_cfg == 9
    assert isinstance(moving(Stage.DONE)[1], Nic)
