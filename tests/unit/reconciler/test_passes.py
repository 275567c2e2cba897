"""Passes: which nb_cfg stands for which revision."""

from __future__ import annotations

from netctl.reconciler.passes import KEPT, Passes


def test_a_revision_is_answered_by_the_first_pass_that_covers_it() -> None:
    passes = Passes()
    assert passes.revision == -1
    passes.note(5, 1)
    passes.note(9, 2)
    assert (passes.required_cfg(3), passes.required_cfg(5), passes.required_cfg(6)) == (1, 1, 2)
    assert passes.required_cfg(10) > 1 << 60
    assert passes.revision == 9


def test_a_pass_that_moves_no_revision_changes_nothing() -> None:
    passes = Passes()
    passes.note(5, 1)
    passes.note(5, 8)
    assert passes.required_cfg(5) == 1


def test_forgetting_answers_later_never_too_early() -> None:
    passes = Passes()
    for revision in range(3 * KEPT):
        passes.note(revision, revision)
    assert passes.required_cfg(0) >= 0
    assert passes.required_cfg(3 * KEPT - 1) == 3 * KEPT - 1
