"""The level-triggered loop that every daemon uses: woken, never told; coalesced; backs off; resyncs.

`Loop.run` calls `step` whenever something called `wake()` since the last step, and every `resync_s` anyway.
A step that raises is retried with capped, doubling back-off; nothing is ever given up. This is the only module that
catches Exception, and the only one that waits for time to pass.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import structlog

from netctl.errors import NetctlError

log = structlog.get_logger()
T = TypeVar("T")


class Clock(Protocol):
    """Monotonic seconds; injected so that tests own the time."""

    def __call__(self) -> float: ...


@dataclass(slots=True)
class Wake:
    """A flag that says "look again". Setting it twice before a look is one look."""

    _event: threading.Event = field(default_factory=threading.Event)
    _within_s: float = math.inf

    def __call__(self) -> None:
        """Ask for a look; any thread."""
        self._event.set()

    def within(self, delay_s: float) -> None:
        """Ask for a look after at most `delay_s`: for what nobody announces. Only in the thread that waits."""
        self._within_s = min(self._within_s, delay_s)

    def wait(self, timeout_s: float) -> bool:
        """Block until asked or `timeout_s` passed; clear the flag; say whether it was set."""
        timeout_s, self._within_s = min(timeout_s, self._within_s), math.inf
        was_set = self._event.wait(timeout_s)
        self._event.clear()
        return was_set


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds: between resyncs, first and longest back-off."""

    resync_s: float = 30.0
    first_backoff_s: float = 0.1
    longest_backoff_s: float = 5.0


class Loop:
    """Run `step` in the calling thread until `stop()`."""

    def __init__(
        self,
        name: str,
        step: Callable[[], None],
        wake: Wake,
        *,
        pace: Pace = Pace(),
        clock: Clock = time.monotonic,
    ) -> None:
        self.name = name
        self.wake = wake
        self.last_error = ""
        self._step = step
        self._pace = pace
        self._clock = clock
        self._stopping = threading.Event()

    def run(self) -> None:
        """Step now, then at every wake and resync, until stopped."""
        backoff_s = 0.0
        while not self._stopping.is_set():
            if backoff_s:
                self._stopping.wait(backoff_s)
            try:
                self._step()
                if self.last_error:
                    log.info("loop recovered", loop=self.name)
                backoff_s, self.last_error = 0.0, ""
            except Exception as error:
                backoff_s = min(self._pace.longest_backoff_s, max(self._pace.first_backoff_s, backoff_s * 2))
                self._report(error, backoff_s)
                continue
            if not self._stopping.is_set():
                self.wake.wait(self._pace.resync_s)

    def stop(self) -> None:
        """End `run` after the step under way; any thread."""
        self._stopping.set()
        self.wake()

    def _report(self, error: Exception, backoff_s: float) -> None:
        text = f"{type(error).__name__}: {error}"
        if text != self.last_error:  # the same failure again is no news
            known = isinstance(error, NetctlError)  # its text says it all; anything else is a bug: show where
            log.warning(
                "loop step failed",
                loop=self.name,
                error=text,
                retry_in_s=round(backoff_s, 2),
                exc_info=None if known else error,
            )
        self.last_error = text


def wait_until(condition: Callable[[], T], *, timeout_s: float, what: str, poll_s: float = 0.02) -> T:
    """Return the first truthy value of `condition`; raise TimeoutError that shows its last value."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s; last state: {value!r}")
        threading.Event().wait(poll_s)
