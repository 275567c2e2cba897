"""JSON-RPC with one of several OVSDB servers: reconnects for ever, and every call has a deadline.

Comes in: calls from any thread. Goes out: results, or NorthboundUnavailable. Owns: the I/O thread, the connection and
the calls under way. What is said after connecting is the business of the `Dialogue`, which lives on the I/O thread.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from typing import Any, Protocol

import orjson

from netctl.errors import NorthboundUnavailable
from netctl.loop import Loop, Pace, Wake
from netctl.ovsdb.framing import Json
from netctl.ovsdb.session import Session

Ask = Callable[[str, Json, Callable[[Json], None]], None]
_LONGEST_STRETCH = 12.0
_LASTED_S = 1.0  # a connection that was good for this long is followed by the next without back-off


class Dialogue(Protocol):
    """What we say to a server; called on the I/O thread; raises NorthboundUnavailable to leave this server."""

    def opened(self, ask: Ask) -> None:
        """Begin: `ask(method, params, on_result)` sends a call."""
        ...

    def heard(self, method: str, params: Json) -> None:
        """Take a notification."""
        ...

    def closed(self) -> None:
        """Know that the connection is gone."""
        ...

    @property
    def settled(self) -> bool:
        """Has the beginning been completed? Until then the connection has a deadline."""
        ...


class Client:
    """A connection to one of `remotes` (comma separated, as OVN spells them) for as long as one answers."""

    def __init__(
        self, remotes: str, dialogue: Dialogue, *, probe_s: float = 5.0, settle_s: float = 120.0
    ) -> None:
        self._remotes = [remote for part in remotes.split(",") if (remote := part.strip())]
        self._dialogue = dialogue
        self._probe_s = probe_s
        self._settle_s = settle_s
        self._lock = threading.Lock()
        self._open = False
        self._outbox: list[bytes] = []
        self._calls: dict[int, Callable[[Json | None], None]] = {}
        self._patient_until = 0.0  # the latest deadline of the calls under way
        self._stretch = 1.0  # how much longer a silence is borne before the first rows are there
        self._numbers = count(1)
        self._wake = Wake()
        self._loop = Loop("ovsdb", self._connect_and_serve, self._wake, pace=Pace(resync_s=1.0))
        self._closing = False
        self._thread = threading.Thread(target=self._loop.run, name="ovsdb", daemon=True)
        self._bell_out, self._bell_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def start(self) -> None:
        """Connect in the background."""
        self._thread.start()

    def close(self) -> None:
        """Disconnect and end the thread."""
        self._closing = True
        self._loop.stop()
        if self._thread.is_alive():
            self._ring()
            self._thread.join()
        if self._bell_in >= 0:
            os.close(self._bell_in)
            os.close(self._bell_out)
            self._bell_in = self._bell_out = -1

    @property
    def last_error(self) -> str:
        """Why there is no connection, or ""."""
        return self._loop.last_error

    def call(self, method: str, params: Json, *, timeout_s: float) -> Json:
        """Return the result; raises NorthboundUnavailable: not connected, lost, late or refused."""
        reply: Future[Json | None] = Future()
        number = next(self._numbers)
        document = _render_call(number, method, params)
        with self._lock:
            if not self._open:
                raise NorthboundUnavailable(f"not connected: {self.last_error or 'connecting'}")
            self._calls[number] = reply.set_result
            self._patient_until = max(self._patient_until, time.monotonic() + timeout_s)
            self._outbox.append(document)
        self._ring()
        try:
            answer = reply.result(timeout_s)
        except TimeoutError as error:
            with self._lock:
                self._calls.pop(number, None)
                if not self._calls:
                    self._patient_until = 0.0
            raise NorthboundUnavailable(f"{method}: no answer in {timeout_s:g} s; outcome unknown") from error
        return _result(method, answer)

    def _ring(self) -> None:
        try:
            os.write(self._bell_in, b"!")
        except BlockingIOError:
            return  # rung often enough

    def _connect_and_serve(self) -> None:
        """Serve the first remote that will do until it is lost; raise when none does."""
        refusals: list[str] = []
        for remote in list(self._remotes):
            started = time.monotonic()
            try:
                self._serve(remote)
            except NorthboundUnavailable as error:
                refusals.append(error.message)
            if self._closing:
                return
            # Whichever remote was tried goes last: after a loss the others come first.
            self._remotes = [*(other for other in self._remotes if other != remote), remote]
            if time.monotonic() - started > _LASTED_S:
                break
        else:
            raise NorthboundUnavailable("; ".join(refusals) or "no remote to connect to")
        self._wake()  # look again at once

    def _serve(self, remote: str) -> None:
        session = Session(remote, time.monotonic())
        try:
            self._converse(session)
        finally:
            session.close()
            # A database too large to be read within the probe would never be read: be more patient the next time.
            more = session.silent and not self._dialogue.settled
            self._stretch = min(2 * self._stretch, _LONGEST_STRETCH) if more else 1.0
            self._dialogue.closed()
            with self._lock:
                self._open = False
                lost, self._calls = self._calls, {}
                self._patient_until = 0.0
                self._outbox.clear()
            for answer in lost.values():
                answer(None)

    def _converse(self, session: Session) -> None:
        poll = select.poll()
        poll.register(self._bell_out, select.POLLIN)
        began = False
        settle_by = time.monotonic() + self._settle_s
        while not self._closing:
            now = time.monotonic()
            if began:
                self._send_waiting(session)
            for document in session.run(now):
                self._dispatch(document)
            if session.connected and not began:
                began = True
                with self._lock:
                    self._open = True
                self._dialogue.opened(self._ask)
            if self._outbox:  # what was just heard has an answer
                continue
            settled = self._dialogue.settled
            probe_s = self._probe_s if settled or not began else self._probe_s * self._stretch
            wait_s = session.probe(now, probe_s, self._patient_until)
            if not settled:
                wait_s = min(wait_s, settle_by - now)
                if wait_s < 0:
                    raise NorthboundUnavailable(f"{session.remote}: not in sync in {self._settle_s:g} s")
            poll.register(session.fileno(), session.events())
            poll.poll(max(1, int(wait_s * 1000)))

    def _send_waiting(self, session: Session) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._bell_out, 4096)
        with self._lock:
            waiting, self._outbox = self._outbox, []
        for document in waiting:
            session.send(document)

    def _dispatch(self, document: Any) -> None:
        if document.get("method") is not None:
            self._dialogue.heard(document["method"], document.get("params"))
            return
        with self._lock:
            answer = self._calls.pop(document.get("id"), None)
            if not self._calls:
                self._patient_until = 0.0
        if answer is not None:  # else: the probe's echo, or a call that timed out
            answer(document)

    def _ask(self, method: str, params: Json, on_result: Callable[[Json], None]) -> None:
        """Send a call from the I/O thread; its answer comes by callback, unless the connection is lost."""
        number = next(self._numbers)
        document = _render_call(number, method, params)

        def answer(reply: Json | None) -> None:
            if reply is not None:
                on_result(_result(method, reply))

        with self._lock:
            self._calls[number] = answer
            self._outbox.append(document)


def _render_call(number: int, method: str, params: Json) -> bytes:
    return orjson.dumps({"id": number, "method": method, "params": params})


def _result(method: str, reply: Json | None) -> Json:
    if reply is None:
        raise NorthboundUnavailable(f"{method}: connection lost; outcome unknown")
    if reply.get("error") is not None:
        raise NorthboundUnavailable(f"{method}: {orjson.dumps(reply['error']).decode()}")
    return reply.get("result")
