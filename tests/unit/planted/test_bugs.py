"""The planted bugs still have their places: an edit that moves one must move the bug along."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.planted.bugs import BUGS, Bug

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_place_of_the_bug_is_there_once(bug: Bug) -> None:
    assert (ROOT / bug.file).read_text().count(bug.old) == 1
    assert bug.old != bug.new


def test_every_bug_has_a_name_of_its_own_and_tests_that_are_there() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    gone = [
        path for bug in BUGS for path in bug.tests.split() if not (ROOT / path.partition("::")[0]).exists()
    ]
    assert not gone
