"""The loop: woken is looked at, whenever it was; what fails is tried again; it ends when told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from netctl.errors import Unavailable
from netctl.loop import Loop, Pace, Wake, wait_until

LONG_S = 5.0
SLOW = Pace(resync_s=60.0)


@contextmanager
def running(step: Callable[[], None], wake: Wake, pace: Pace = SLOW) -> Iterator[Loop]:
    """Run a loop in a thread of its own."""
    loop = Loop("test", step, wake, pace=pace)
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield loop
    finally:
        loop.stop()
        thread.join(LONG_S)
        assert not thread.is_alive()


def test_a_wake_during_a_step_is_another_step() -> None:
    wake, steps = Wake(), list[int]()

    def step() -> None:
        steps.append(0)
        if len(steps) == 1:
            wake()  # as somebody does who writes after this step has read

    with running(step, wake):
        wait_until(lambda: len(steps) == 2, timeout_s=LONG_S, what="another step")


def test_it_steps_at_once_and_at_every_resync() -> None:
    steps: list[int] = []
    with running(lambda: steps.append(0), Wake(), Pace(resync_s=0.01)):
        wait_until(lambda: len(steps) > 3, timeout_s=LONG_S, what="resyncs")


@pytest.mark.parametrize("error", [Unavailable("the peer is away"), ValueError("a bug")])
def test_what_fails_is_told_and_tried_again_without_a_wake(error: Exception) -> None:
    failing, steps = threading.Event(), 0
    failing.set()

    def step() -> None:
        nonlocal steps
        steps += 1
        if failing.is_set():
            raise error

    pace = Pace(resync_s=60.0, first_backoff_s=0.001, longest_backoff_s=0.004)
    with running(step, Wake(), pace) as loop:
        wait_until(lambda: steps > 5, timeout_s=LONG_S, what="attempts")
        assert str(error) in loop.last_error
        failing.clear()
        wait_until(lambda: not loop.last_error, timeout_s=LONG_S, what="recovery")


def test_waiting_says_what_it_saw_last() -> None:
    with pytest.raises(TimeoutError, match=r"three things: not within 0 s; last state: \[\]"):
        wait_until(lambda: list[int](), timeout_s=0, what="three things")
