"""The saved assignment: whole, without secrets, for its user alone; what is not one counts as none."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

from netctl_compute.assignment import ComputeAssignment
from netctl_compute.saved_assignment import SavedAssignment, without_secrets

from tests.unit.compute.test_convert import ASSIGNMENT, FULL


def test_everything_but_secrets_comes_back(tmp_path: Path) -> None:
    saved = SavedAssignment(tmp_path / "new")
    assert saved.load() is None
    saved.save(ASSIGNMENT)
    bare = replace(ASSIGNMENT, vms=(replace(FULL, vtpm_secret="", customization=None),))
    assert SavedAssignment(tmp_path / "new").load() == bare == without_secrets(ASSIGNMENT)
    file = tmp_path / "new" / "assignment.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert FULL.vtpm_secret.encode() not in file.read_bytes()


def test_secrets_are_not_shown() -> None:
    secret = replace(FULL, vtpm_secret="hush-hush")
    assert "hush-hush" not in repr(replace(ASSIGNMENT, vms=(secret,)))
    assert FULL.customization is not None
    assert "user_data" not in repr(FULL.customization)


def test_what_is_damaged_counts_as_none(tmp_path: Path) -> None:
    saved = SavedAssignment(tmp_path)
    file = tmp_path / "assignment.json"
    for text in (
        b"",
        b"{",
        b'{"version":2,"assignment":{}}',
        b'{"version":1,"assignment":{"host":1}}',
        b"\xff",
    ):
        file.write_bytes(text)
        assert saved.load() is None
    saved.save(ComputeAssignment(host="h1", revision=1, epoch=1))
    assert saved.load() is not None
