"""Work that takes long (copies, transfers), in threads beside the agent's loop: started once, looked at in each pass.

The loop is woken when a piece of work ends, and now and then while it gets on. What failed is tried again by the next
`start` after a pause that grows. A piece that is not wanted any more is told so (`Ticket.stopped`) and ends soon.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog

from netctl.errors import NetctlError
from netctl_compute.problem import Problem, store_problem

log = structlog.get_logger()

THREADS = 4
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
_SHORTEST_PAUSE_S = 0.1
_STEP_PERCENT = 5  # the loop is woken at each

Key = tuple[str, ...]


class Stopped(Exception):
    """The piece of work is not wanted any more; it removed what it had made."""


class Ticket:
    """What a piece of work has in its hands: how it says how far it is, and learns that it is to end."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._stop = threading.Event()
        self._span = (0.0, 100.0)
        self.percent = 0

    def span(self, first: float, last: float) -> None:
        """Say what of the whole the next step is: its own 0 to 100 are these percents of all."""
        self._span = (first, last)

    def progress(self, percent: float) -> None:
        """Say how far this step is, 0 to 100; raise Stopped when it is to end."""
        if self._stop.is_set():
            raise Stopped
        first, last = self._span
        done = first + (last - first) * max(0.0, min(100.0, percent)) / 100
        former, self.percent = self.percent, int(done)
        if former // _STEP_PERCENT != self.percent // _STEP_PERCENT:
            self._wake()

    @property
    def stopped(self) -> bool:
        """Is it to end?"""
        return self._stop.is_set()

    def stop(self) -> None:
        """Tell it to end."""
        self._stop.set()


@dataclass(slots=True)
class _Piece:
    ticket: Ticket
    future: Future[None] | None = None
    problem: Problem | None = None
    failures: int = 0
    retry_s: float = 0.0
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkState:
    """`running` or `done`, or what `problem` it ended with."""

    running: bool = False
    done: bool = False
    percent: int = 0
    problem: Problem | None = None


@dataclass(slots=True)
class Work:
    """All pieces of work by key. Used by one thread, the loop's."""

    wake: Callable[[], None]
    clock: Callable[[], float] = time.monotonic
    _pieces: dict[Key, _Piece] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(THREADS, thread_name_prefix="storage")
    )

    def start(self, key: Key, function: Callable[[Ticket], None]) -> None:
        """Run `function` unless it runs already, or failed a moment ago."""
        self.state(key)
        piece = self._pieces.get(key)
        if piece is not None and (piece.future is not None or self.clock() < piece.retry_s):
            return
        failures = piece.failures if piece is not None else 0
        new = _Piece(ticket=Ticket(self.wake), failures=failures)
        self._pieces[key] = new
        new.future = self._pool.submit(function, new.ticket)
        new.future.add_done_callback(lambda _: self.wake())

    def state(self, key: Key) -> WorkState:
        """Say how a piece of work is."""
        piece = self._pieces.get(key)
        if piece is None:
            return WorkState()
        if piece.future is not None and piece.future.done():
            self._end(key, piece, piece.future)
        return WorkState(
            running=piece.future is not None,
            done=piece.done,
            percent=piece.ticket.percent,
            problem=piece.problem,
        )

    def running(self) -> tuple[Key, ...]:
        """Return what is not ended."""
        return tuple(key for key in tuple(self._pieces) if self.state(key).running)

    def cancel(self, keys: Collection[Key]) -> None:
        """Tell these to end, and forget what became of them."""
        for key in keys:
            piece = self._pieces.get(key)
            if piece is None:
                continue
            piece.ticket.stop()
            if piece.future is None or piece.future.cancel():
                del self._pieces[key]

    def known(self) -> tuple[Key, ...]:
        """Return everything that runs, or is remembered."""
        return tuple(self._pieces)

    def retry_in_s(self) -> float | None:
        """Return when the next piece that failed may be tried again; None when none is waited for.

        What may be tried again for a while already, and was not, nobody wants.
        """
        pauses = [
            piece.retry_s - self.clock() for piece in self._pieces.values() if piece.problem is not None
        ]
        due = [pause_s for pause_s in pauses if pause_s > -FIRST_PAUSE_S]
        return max(_SHORTEST_PAUSE_S, min(due)) if due else None

    def close(self) -> None:
        """End everything and wait for it."""
        for piece in self._pieces.values():
            piece.ticket.stop()
        self._pool.shutdown(cancel_futures=True)

    def _end(self, key: Key, piece: _Piece, future: Future[None]) -> None:
        piece.future = None
        match future.exception():
            case None:
                piece.done, piece.problem, piece.failures = True, None, 0
            case Stopped():
                del self._pieces[key]
            case NetctlError() if piece.ticket.stopped:  # a broken call may be how it ended
                del self._pieces[key]
            case Problem() as problem:
                self._failed(piece, problem)
            case NetctlError() as error:
                self._failed(piece, Problem("CONTROLLER_UNAVAILABLE", error.message))
            case OSError() as error:
                self._failed(piece, store_problem(error))
            case error:  # a bug of ours: this one is set aside, the others go on
                log.error("work failed", work=key, exc_info=error)
                self._failed(piece, Problem("INTERNAL", f"{type(error).__name__}: see the agent's log"))

    def _failed(self, piece: _Piece, problem: Problem) -> None:
        piece.problem = problem
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**piece.failures)
        piece.failures += 1
        piece.retry_s = self.clock() + pause_s
