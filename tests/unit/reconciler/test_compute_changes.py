"""Whose status changes with a report, and with another intent: all of them, and nobody else's."""

from __future__ import annotations

from dataclasses import replace

from netctl.model.affinity import AffinityKind, AffinityPolicy
from netctl.model.compute_report import ComputeReport, ExportReport, RunState
from netctl.model.image import Image
from netctl.model.keys import AffinityPolicyId, HostId, ImageId, Key, Kind, VmId, VmTemplateId
from netctl.model.template import TemplateVersion, VmTemplate
from netctl.reconciler.board import StatusBoard
from netctl.reconciler.compute_book import ComputeBook, ComputeHeard
from netctl.reconciler.compute_changes import Echo, changed_by_compute
from tests.intents import FakeSource, meta, snapshot, vlan
from tests.machines import compute, machines, nic_of, seen, vm

A, B = vm("a", on="h1"), vm("b", on="h1")
H1 = HostId("h1")
NOW = snapshot([*machines(2), A, B, vm("c", on="h2")])


def heard(report: ComputeReport | None, *, connected: bool = True) -> ComputeHeard:
    vms = {one.vm: one for one in report.vms} if report is not None else {}
    return ComputeHeard(report=report, connected=connected, vms=vms)


BEFORE = compute("h1", seen(A), seen(B))


def changed(now: ComputeReport, before: ComputeReport | None = BEFORE, *, connected: bool = True) -> set[Key]:
    return changed_by_compute(H1, heard(before), heard(now, connected=connected), NOW)


def test_one_that_only_says_that_it_lives_changes_nothing() -> None:
    assert changed(replace(BEFORE, time_s=99.0)) == set()


def test_each_change_is_its_own() -> None:
    everyone: set[Key] = {(Kind.HOST, "h1"), (Kind.VM, "a"), (Kind.VM, "b")}
    assert changed(BEFORE, connected=False) == everyone
    assert changed(BEFORE, None) == everyone
    assert changed(replace(BEFORE, libvirt_connected=False)) == everyone
    assert changed(compute("h1", seen(A), seen(B, RunState.CRASHED))) == {(Kind.VM, "b")}
    assert changed(compute("h1", seen(A))) == {(Kind.VM, "b")}
    assert changed(replace(BEFORE, problems=("x",))) == {(Kind.HOST, "h1")}
    assert changed(replace(BEFORE, assignment_revision=101)) == {(Kind.VM, "a"), (Kind.VM, "b")}
    export = ExportReport(image=ImageId("i"), done=False)
    assert changed(replace(BEFORE, exports=(export,))) == {(Kind.IMAGE, "i")}


def test_the_board_names_them_and_asks_again_for_what_was_unsettled() -> None:
    book, board = ComputeBook(), StatusBoard(lambda: NOW)
    board.compute = book.get
    book.on_report(board.note_compute)
    assert board.status((Kind.VM, "c")) is not None
    book.note_report(BEFORE)
    assert board.take_changed() == {(Kind.HOST, "h1"), (Kind.VM, "a"), (Kind.VM, "b"), (Kind.VM, "c")}
    book.note_report(replace(BEFORE, time_s=99.0))
    assert board.take_changed() == set()
    book.note_disconnect(H1)
    assert (Kind.VM, "a") in board.take_changed()
    board.note_changed([(Kind.VM, "b")])
    assert board.take_changed() == {(Kind.VM, "b")}


def test_policies_hosts_and_templates_tell_of_others() -> None:
    policy = AffinityPolicy(
        id=AffinityPolicyId("p"), meta=meta("p"), kind=AffinityKind.VM_ANTI_AFFINITY, vms=(VmId("a"),)
    )
    image = Image(id=ImageId("i"), meta=meta("i"))
    versions = (TemplateVersion(number=1, vm=vm("t", disks=1), images=(image.id,)),)
    template = VmTemplate(id=VmTemplateId("t"), meta=meta("t"), versions=versions, active_version=1)
    source = FakeSource()
    source.set(snapshot([*machines(2), vlan(), A, nic_of("a"), policy, image, template]))
    told: list[set[Key]] = []
    echo = Echo(source, lambda keys: told.append(set(keys)))
    echo.step()
    assert told == []
    draft = source.snapshot().draft()
    draft.put(replace(A, host=HostId("h2")))
    source.set(draft.freeze(2))
    echo.step()
    assert told.pop() == {(Kind.HOST, "h2"), (Kind.NIC, "a-0"), (Kind.AFFINITY_POLICY, "p")}
    draft.put(replace(image, stored_bytes=5))
    source.set(draft.freeze(3))
    echo.step()
    assert told.pop() == {(Kind.VM_TEMPLATE, "t")}
