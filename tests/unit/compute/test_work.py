"""Long work beside the loop: started once, told to end, tried again after a pause, never forgotten silently."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from threading import Event

import pytest
from netctl_compute.problem import Problem
from netctl_compute.work import FIRST_PAUSE_S, LONGEST_PAUSE_S, Ticket, Work

from netctl.errors import Unavailable
from netctl.loop import Wake, wait_until

KEY = ("disk", "a")


class Clock:
    """Seconds that the test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def work(clock: Clock) -> Iterator[Work]:
    pieces = Work(Wake(), clock)
    yield pieces
    pieces.close()


def settled(work: Work) -> None:
    wait_until(lambda: not work.state(KEY).running, timeout_s=5, what="the work ends")


def test_it_runs_once_and_wakes_the_loop(clock: Clock) -> None:
    runs: list[int] = []
    go, wake = Event(), Wake()
    work = Work(wake, clock)

    def run(ticket: Ticket) -> None:
        runs.append(1)
        ticket.span(0, 50)
        ticket.progress(100)
        go.wait(5)

    for _ in range(3):
        work.start(KEY, run)
    wait_until(lambda: work.state(KEY).percent == 50, timeout_s=5, what="it is half done")
    assert work.state(KEY).running
    assert wake.wait(5)
    go.set()
    assert wake.wait(5)
    settled(work)
    assert work.state(KEY).done
    assert runs == [1]
    work.close()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Problem("IMAGE_REFUSED", "no"), "IMAGE_REFUSED"),
        (Unavailable("no"), "CONTROLLER_UNAVAILABLE"),
        (OSError(errno.ENOSPC, "no"), "STORE_FULL"),
        (OSError(errno.EIO, "no"), "STORE_BROKEN"),
    ],
)
def test_what_failed_is_told_and_tried_again_after_a_pause(
    work: Work, clock: Clock, error: Exception, reason: str
) -> None:
    runs: list[int] = []

    def fail(_: Ticket) -> None:
        runs.append(1)
        raise error

    work.start(KEY, fail)
    settled(work)
    problem = work.state(KEY).problem
    assert problem is not None
    assert problem.reason == reason
    assert work.retry_in_s() == FIRST_PAUSE_S
    work.start(KEY, fail)
    assert len(runs) == 1
    for _ in range(10):
        clock.now_s += LONGEST_PAUSE_S
        work.start(KEY, fail)
        settled(work)
    assert len(runs) == 11
    assert work.retry_in_s() == LONGEST_PAUSE_S


def test_an_error_that_nobody_foresaw_is_told_and_stops_nothing_else(work: Work, clock: Clock) -> None:
    def fail(_: Ticket) -> None:
        raise ZeroDivisionError("a bug")

    work.start(KEY, fail)
    work.start(("disk", "other"), lambda ticket: ticket.progress(100))
    wait_until(lambda: not work.running(), timeout_s=5, what="both end")
    problem = work.state(KEY).problem
    assert problem is not None
    assert problem.reason == "INTERNAL"
    assert "ZeroDivisionError" in problem.message
    assert work.state(("disk", "other")).done
    # What nobody starts again wakes nobody.
    clock.now_s += FIRST_PAUSE_S
    assert work.retry_in_s() is not None
    clock.now_s += FIRST_PAUSE_S
    assert work.retry_in_s() is None


@pytest.mark.parametrize("broken", [False, True])
def test_what_is_cancelled_ends_and_is_forgotten(work: Work, broken: bool) -> None:
    begun, go = Event(), Event()

    def run(ticket: Ticket) -> None:
        begun.set()
        go.wait(5)
        if broken:
            raise Unavailable("the call was ended")
        ticket.progress(1)

    work.start(KEY, run)
    assert begun.wait(5)
    work.cancel([KEY])
    assert work.running() == (KEY,)  # it has not ended yet
    go.set()
    settled(work)
    assert work.known() == ()
    assert work.retry_in_s() is None
