"""The log of statuses: what is news, what has to be sent again."""

from __future__ import annotations

from netctl.model.keys import Key, Kind
from netctl.model.status import Phase, Status
from netctl.server.status_log import StatusLog

A: Key = (Kind.NIC, "a")
B: Key = (Kind.NIC, "b")
PENDING, DONE = Status(phase=Phase.PENDING), Status(phase=Phase.PROGRAMMED)


def test_the_first_look_is_no_news() -> None:
    log = StatusLog()
    assert not log.note(A, PENDING, 1)
    assert not log.note(A, PENDING, 1)
    assert log.after(0) == []


def test_a_change_is_told_once_until_the_next() -> None:
    log = StatusLog()
    log.note(A, PENDING, 1)
    assert log.note(A, DONE, 2)
    place = log.place
    assert log.after(0) == [A]
    assert log.after(place) == []
    log.note(A, PENDING, 2)
    assert log.after(place) == [A]


def test_one_that_changes_often_takes_one_place() -> None:
    log = StatusLog()
    for key in (A, B):
        log.note(key, PENDING, 1)
    for revision in range(10):
        log.note(A, DONE if revision % 2 else Status(phase=Phase.FAILED), revision)
        log.note(B, DONE, revision)
    assert log.after(0) == [A, B]


def test_changes_are_found_by_the_revision_at_which_they_were_noticed() -> None:
    log = StatusLog()
    for key in (A, B):
        log.note(key, PENDING, 1)
    log.note(A, DONE, 5)
    log.note(B, DONE, 6)
    assert log.noticed_from(6) == [B]
    assert log.noticed_from(5) == [B, A]
    assert log.noticed_from(7) == []


def test_what_is_gone_is_forgotten() -> None:
    log = StatusLog()
    log.note(A, PENDING, 1)
    log.note(A, DONE, 1)
    log.note(A, None, 2)
    assert log.after(0) == []
    assert not log.note(A, PENDING, 3)
