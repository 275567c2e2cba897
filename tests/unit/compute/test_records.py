"""What ran and how it ended, from what each pass sees; and on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from netctl_compute.assignment import ComputeAssignment, PowerState
from netctl_compute.records import Record, Seen, missed, update_records
from netctl_compute.reported import RunState
from netctl_compute.saved_records import SavedRecords
from netctl_compute.state import Domain, HowEnded

from tests.unit.compute.samples import assign, vm

VM = vm()
ASSIGNED = assign(VM)
DOMAIN = Domain(vm="vm1", uid=VM.uid, run_state=RunState.RUNNING, power_epoch=1)
RAN = Record(power_epoch=1, boot_id="b1")


def after(
    records: dict[str, Record],
    *domains: Domain,
    assignment: ComputeAssignment | None = ASSIGNED,
    boot_id: str = "b1",
    ended: HowEnded | None = None,
    overdue: bool = False,
) -> dict[str, Record]:
    seen = Seen(
        domains={domain.uid: domain for domain in domains},
        ended={VM.uid: ended} if ended else {},
        boot_id=boot_id,
        overdue=frozenset({VM.uid}) if overdue else frozenset(),
    )
    return update_records(records, assignment, seen)


def test_what_runs_is_recorded() -> None:
    assert after({}, DOMAIN) == {VM.uid: RAN}
    assert after({}, replace(DOMAIN, run_state=RunState.INCOMING)) == {}


def test_a_start_asked_for_again_while_it_runs_is_carried_out() -> None:
    again = assign(replace(VM, power_epoch=3))
    assert after({VM.uid: RAN}, DOMAIN, assignment=again)[VM.uid].power_epoch == 3
    off = assign(replace(VM, power_epoch=3, power_state=PowerState.OFF))
    assert after({VM.uid: RAN}, DOMAIN, assignment=off)[VM.uid].power_epoch == 1


def test_how_it_ended_is_what_libvirt_said() -> None:
    for how in (HowEnded.SHUT_DOWN, HowEnded.CRASHED, HowEnded.MIGRATED):
        assert after({VM.uid: RAN}, ended=how)[VM.uid].ended is how
    # What was said counts, whatever is said later.
    shut_down = {VM.uid: replace(RAN, ended=HowEnded.SHUT_DOWN)}
    assert after(shut_down, ended=HowEnded.CRASHED) == shut_down


def test_without_a_word_it_is_waited_for_and_then_unknown() -> None:
    assert after({VM.uid: RAN}) == {VM.uid: RAN}
    assert missed({VM.uid: RAN}, {}) == {VM.uid}
    assert missed({VM.uid: RAN}, {VM.uid: DOMAIN}) == frozenset()
    unknown = after({VM.uid: RAN}, overdue=True)
    assert unknown[VM.uid].ended is HowEnded.UNKNOWN
    assert missed(unknown, {}) == frozenset()


def test_a_host_that_was_restarted_ended_everything() -> None:
    assert after({VM.uid: RAN}, boot_id="b2")[VM.uid].ended is HowEnded.REBOOTED


def test_who_is_not_assigned_is_forgotten_once_gone() -> None:
    assert after({VM.uid: RAN}, assignment=assign()) == {}
    assert after({VM.uid: RAN}, DOMAIN, assignment=assign()) == {VM.uid: RAN}
    # Without any assignment nothing is known to be over.
    assert after({VM.uid: RAN}, assignment=None) == {VM.uid: RAN}


def test_records_are_kept_on_disk(tmp_path: Path) -> None:
    saved = SavedRecords(tmp_path)
    assert saved.load() == {}
    records = {VM.uid: replace(RAN, ended=HowEnded.CRASHED)}
    saved.save(records)
    assert SavedRecords(tmp_path).load() == records
    file = tmp_path / "records.json"
    before = file.stat().st_ino
    saved.save(records)
    assert file.stat().st_ino == before  # nothing new, nothing written
    file.write_bytes(b"{")
    assert SavedRecords(tmp_path).load() == {}
