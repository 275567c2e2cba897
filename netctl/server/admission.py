"""Admission: the single writer. It checks edits against each other, allocates, commits and publishes.

In: requests, from any thread; out: futures of answers, and the published `Snapshot`. Owns the writer thread, the queue
before it and the snapshot; the store is the source of truth.

The thread takes all requests that wait, judges each against the draft that the ones before it left, commits once (one
fsync), publishes, and then answers: nobody is told what is not durable, and who was told can read it. When the commit
fails nothing is published, and who would have written is told StoreUnavailable. Errors are not remembered under a
request's id: a repeated request is judged anew.

An error that nobody foresaw is our bug: its group is given the error, the loop reports it, `problem()` shows it, and
the next step reads everything from the store again, whatever the bug left in memory.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

import structlog

from netctl.bulk import settle, without_collector
from netctl.crashpoints import crashpoint
from netctl.errors import StoreUnavailable, Unavailable
from netctl.loop import Clock, Loop, Pace, Wake
from netctl.model.keys import Key, Uid
from netctl.model.snapshot import Snapshot
from netctl.server.group import UNSEALED, Group, Sealing, Verdict
from netctl.server.recent import RecentKeys
from netctl.server.requests import Answer, Request
from netctl.store.records import REMEMBER_S, Remembered, Store

__all__ = ["Admission", "Answer", "Counts", "Limits", "Request"]

log = structlog.get_logger()
_PACE = Pace(resync_s=2.0)  # how often a store that failed is tried again
_BULK_EDITS = 500
_PURGE_EVERY_S = 600.0
_PURGE_AGAIN_S = 0.5  # where there was something to purge


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Requests and edits committed together, and requests that may wait.

    A group has at least one request, however many edits that has.
    """

    group_requests: int = 512
    group_edits: int = 20_000
    waiting: int = 20_000


@dataclass(slots=True)
class Counts:
    """What the writer did since the start, for metrics."""

    groups: int = 0
    requests: int = 0
    changes: int = 0
    commit_s: float = 0.0


_Waiting = tuple[Request, "Future[Answer]"]


def _new_uid() -> Uid:
    """Return a random UUID (RFC 9562, version 4); the uuid module takes three times as long."""
    digits = bytearray(os.urandom(16))
    digits[6] = digits[6] & 0x0F | 0x40
    digits[8] = digits[8] & 0x3F | 0x80
    text = digits.hex()
    return Uid(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")


class Admission:
    """The writer of one store. `start()` it once, `close()` it at the end; what is submitted before waits."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock = time.time,
        new_uid: Callable[[], Uid] = _new_uid,
        dhcpv6: Callable[[], bool] = lambda: True,
        network_functions: Callable[[], bool] = lambda: False,
        sealing: Sealing = UNSEALED,
        largest_memory_mib: Callable[[], int] = lambda: 0,
        limits: Limits = Limits(),
        pace: Pace = _PACE,
    ) -> None:
        """Load the store. `clock` is wall time, seconds since the epoch.

        `dhcpv6`: may OVN be asked to answer it? `network_functions`: has it those of its own (26.03)?
        `largest_memory_mib`: the most that any host can give one virtual machine, 0 while none has said it.
        """
        self.counts = Counts()
        self._store, self._clock, self._new_uid, self._limits = store, clock, new_uid, limits
        self._dhcpv6, self._network_functions = dhcpv6, network_functions
        self._sealing, self._largest_memory_mib = sealing, largest_memory_mib
        self._queue: deque[_Waiting] = deque()
        self._queue_lock, self._published_lock = threading.Lock(), threading.Lock()
        self._closed, self._stale, self._store_problem, self._purge_at = False, False, "", 0.0
        self._callbacks: tuple[Callable[[], None], ...] = ()
        self._wake = Wake()
        self._loop = Loop("admission", self._step, self._wake, pace=pace)
        self._thread = threading.Thread(target=self._run, name="admission", daemon=True)
        self._reload()

    def start(self) -> None:
        """Start the writer thread."""
        self._thread.start()

    def submit(self, request: Request) -> Future[Answer]:
        """Ask for edits; the future gives an Answer or raises a NetctlError. Cancelled in time, nothing happens."""
        future: Future[Answer] = Future()
        with self._queue_lock:
            if self._closed:
                future.set_exception(Unavailable("the controller is stopping; try again"))
            elif len(self._queue) >= self._limits.waiting:
                text = f"too many waiting requests ({len(self._queue)}); try again later"
                future.set_exception(Unavailable(text))
            else:
                self._queue.append((request, future))
        self._wake()
        return future

    def snapshot(self) -> Snapshot:
        """Return all intents at the last revision that is durable."""
        return self._published

    def changed_since(self, revision: int) -> frozenset[Key] | None:
        """Return the keys changed after `revision`, at least up to a snapshot taken before; None: unknown."""
        with self._published_lock:
            return self._recent.since(revision)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back after each published change, in the writer thread: only wake there."""
        with self._published_lock:
            self._callbacks = (*self._callbacks, callback)

    def problem(self) -> str:
        """Return what keeps requests from being admitted, "" when nothing does."""
        if not self._thread.is_alive():
            return "admission is not running"
        return self._store_problem or self._loop.last_error

    def waiting(self) -> int:
        """Return how many requests wait."""
        return len(self._queue)

    def close(self) -> None:
        """Refuse new requests, serve those that wait, end the thread."""
        with self._queue_lock:
            self._closed = True
        self._loop.stop()
        if self._thread.ident is not None:
            self._thread.join()
        while self._queue:  # never started, or ended by a bug
            _, future = self._queue.popleft()
            if future.set_running_or_notify_cancel():
                future.set_exception(Unavailable("the controller stopped; try again"))

    def _run(self) -> None:
        self._loop.run()
        while self._queue:
            self._step()

    def _step(self) -> None:
        """Serve one group, or keep house."""
        group = self._take()
        try:
            if self._stale:
                self._reload()
            if group:
                with without_collector(sum(len(request.edits) for request, _ in group) >= _BULK_EDITS):
                    self._serve(group)
            if not group or not self._store_problem:
                self._keep_house()
        finally:
            self._abandon(group)
        if self._queue:
            self._wake()

    def _take(self) -> list[_Waiting]:
        """Return the requests to serve now; drop those whose client has gone."""
        group: list[_Waiting] = []
        edits = 0
        now_s = time.monotonic()
        while self._queue and len(group) < self._limits.group_requests and edits < self._limits.group_edits:
            request, future = self._queue[0]
            if group and edits + len(request.edits) > self._limits.group_edits:
                break
            self._queue.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            if request.deadline_s is not None and request.deadline_s <= now_s:
                future.set_exception(
                    Unavailable("the deadline passed before the request's turn came; try again")
                )
                continue
            group.append((request, future))
            edits += len(request.edits)
        return group

    def _serve(self, waiting: list[_Waiting]) -> None:
        """Judge, commit, publish, answer, call back: in this order."""
        before = self._published
        for (_, future), verdict in zip(waiting, self._verdicts(waiting), strict=True):
            if isinstance(verdict.outcome, Answer):
                future.set_result(verdict.outcome)
            else:
                future.set_exception(verdict.outcome)
        self.counts.groups += 1
        self.counts.requests += len(waiting)
        if self._published is not before:
            for callback in self._callbacks:
                callback()

    def _verdicts(self, waiting: list[_Waiting]) -> list[Verdict]:
        """Return the verdicts on a group; those that say that something is stored are true."""
        time_s = self._clock()
        remembered: Mapping[str, Remembered] | None = None
        try:
            ids = {request.request_id for request, _ in waiting if _repeatable(request)}
            remembered = self._store.find_answers(ids, since_s=time_s - REMEMBER_S) if ids else {}
            group = self._group(remembered, time_s)
            verdicts = [group.judge(request) for request, _ in waiting]
            self._commit(group)
        except StoreUnavailable as error:
            self._note_store(error.message)
            return [self._verdict_without_store(request, remembered, error) for request, _ in waiting]
        self._publish(group)
        return verdicts

    def _group(self, remembered: Mapping[str, Remembered], time_s: float) -> Group:
        return Group(
            self._published,
            remembered,
            time_s=time_s,
            new_uid=self._new_uid,
            dhcpv6=self._dhcpv6(),
            network_functions=self._network_functions(),
            sealing=self._sealing,
            largest_memory_mib=self._largest_memory_mib(),
        )

    def _commit(self, group: Group) -> None:
        if not (group.changes or group.answers):
            return
        start_s = time.perf_counter()
        self._store.commit(group.changes, group.answers)
        self.counts.commit_s += time.perf_counter() - start_s
        self.counts.changes += len(group.changes)
        self._note_store("")

    def _verdict_without_store(
        self, request: Request, remembered: Mapping[str, Remembered] | None, error: StoreUnavailable
    ) -> Verdict:
        """Judge a request by what is durable, alone: others of its group that it may have rested on are not there."""
        if remembered is None and _repeatable(request):
            return Verdict(outcome=StoreUnavailable(error.message))
        verdict = self._group(remembered or {}, self._clock()).judge(request)
        return Verdict(outcome=StoreUnavailable(error.message)) if verdict.writes else verdict

    def _publish(self, group: Group) -> None:
        snapshot = group.freeze()
        with self._published_lock:
            self._recent.record((change.key, change.revision) for change in group.changes)
            self._published = snapshot
        crashpoint("admission.after_publish")

    def _reload(self) -> None:
        """Begin with what the store has."""
        with without_collector(True):
            loaded = self._store.load()
            snapshot = Snapshot.load(loaded.revision, loaded.intents)
            settle()
        with self._published_lock:
            self._recent = RecentKeys(loaded.revision)
            self._published = snapshot
        self._stale = False

    def _abandon(self, group: list[_Waiting]) -> None:
        """Give those who have no answer the error that is on its way to the loop."""
        error = sys.exc_info()[1]
        if error is None:
            return
        self._stale = True
        for _, future in group:
            if not future.done():
                future.set_exception(error)

    def _keep_house(self) -> None:
        """See whether a store that failed works again; forget old answers, a few at a time."""
        try:
            if self._store_problem:
                self._store.check()
                self._note_store("")
            if time.monotonic() >= self._purge_at:
                gone = self._store.purge(self._clock())
                self._purge_at = time.monotonic() + (_PURGE_AGAIN_S if gone else _PURGE_EVERY_S)
        except StoreUnavailable as error:
            self._note_store(error.message)

    def _note_store(self, problem: str) -> None:
        if problem != self._store_problem:
            if problem:
                log.error("the intent store refuses to write", error=problem)
            else:
                log.info("the intent store works again")
        self._store_problem = problem


def _repeatable(request: Request) -> bool:
    return bool(request.request_id) and not request.validate_only
