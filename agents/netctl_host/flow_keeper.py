"""Keeps the flows of bridges as they should be, on a thread of its own: written at once, and again when they are lost.

In: the flows of each bridge (`keep`). Out: what could not be done (`problems`), and what others had changed
(`take_reversions`). A change names only the flows that differ. A new ovs-vswitchd has a new socket, and is written to
as soon as that is seen. ovs-vswitchd is the source of truth.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from netctl.errors import HostUnavailable
from netctl_host import ofctl

LOOK_S = 0.1
"""Between looks at the sockets: one stat(2) each."""
CHECK_S = 10.0
"""Between reading flows back, at least."""
_REST = 50
"""Times as long as that took: of 60,000 flows more than a second."""
RETRY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeFlows:
    """A bridge's flows: all of them, or with a cookie our own among others'."""

    flows: tuple[str, ...]
    cookie: int | None = None


@dataclass(slots=True)
class _Kept:
    wanted: BridgeFlows
    socket_id: tuple[int, int] | None = None
    written: BridgeFlows | None = None
    there: tuple[str, ...] = ()
    due_s: float = 0.0
    failing_s: float = 0.0
    problem: str = ""


class FlowKeeper:
    """Writes between the first `keep` and `close`; `changed` is called on its thread when a problem comes or goes."""

    def __init__(self, rundir: Path, changed: Callable[[], object], *, check_s: float = CHECK_S) -> None:
        self._rundir = rundir
        self._changed = changed
        self._check_s = check_s
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._reversions: list[str] = []
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def keep(self, wanted: Mapping[str, BridgeFlows]) -> None:
        """Have these flows on these bridges from now on; any thread."""
        with self._lock:
            for bridge in self._kept.keys() - wanted.keys():
                del self._kept[bridge]
            for bridge, flows in wanted.items():
                kept = self._kept.setdefault(bridge, _Kept(flows))
                kept.wanted = flows
        if self._thread is None and wanted:
            self._thread = threading.Thread(target=self._run, name="flows", daemon=True)
            self._thread.start()
        self._wake.set()

    def problems(self) -> tuple[str, ...]:
        """Say which bridge's flows are not as they should be."""
        with self._lock:
            return tuple(f"{bridge}: {kept.problem}" for bridge, kept in self._kept.items() if kept.problem)

    def take_reversions(self) -> tuple[str, ...]:
        """Return once what others had changed and was put right."""
        with self._lock:
            taken, self._reversions = tuple(self._reversions), []
        return taken

    def close(self) -> None:
        """End the thread; the flows stay."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(LOOK_S)
            self._wake.clear()
            with self._lock:
                bridges = list(self._kept.items())
            for bridge, kept in bridges:
                if not self._closing.is_set():
                    self._look(bridge, kept)

    def _look(self, bridge: str, kept: _Kept) -> None:
        now = time.monotonic()
        socket = self._rundir / f"{bridge}.mgmt"
        socket_id, wanted = _identify(socket), kept.wanted
        is_news = socket_id != kept.socket_id or kept.written != wanted
        if not is_news and (now < kept.due_s or not (wanted.flows or kept.problem)):
            return
        problem = ""
        try:
            if socket_id is None:
                raise HostUnavailable(f"ovs-vswitchd does not serve {socket}")
            self._make_right(bridge, socket, kept, socket_id)
            kept.written = wanted
        except HostUnavailable as error:
            problem = error.message if wanted.flows else ""
            kept.written = None if wanted.flows else wanted
        kept.socket_id = socket_id
        took_s = time.monotonic() - now
        kept.due_s = now + (RETRY_S if problem else max(self._check_s, took_s * _REST))
        kept.failing_s = (kept.failing_s or now) if problem else 0.0
        if problem and not kept.problem and now - kept.failing_s < RETRY_S:
            return  # a bridge that has just been made is served a moment later
        if problem != kept.problem:
            kept.problem = problem
            self._changed()

    def _make_right(self, bridge: str, socket: Path, kept: _Kept, socket_id: tuple[int, int]) -> None:
        wanted, before = kept.wanted, kept.written
        if before is None or socket_id != kept.socket_id:
            self._write(socket, kept, wanted)
        elif before != wanted:
            if wanted.cookie is None and before.cookie is None:
                ofctl.change(socket, before.flows, wanted.flows)
            else:
                self._write(socket, kept, wanted)
        elif _is_changed(socket, kept):
            self._write(socket, kept, wanted)
            with self._lock:
                self._reversions.append(f"flows of {bridge} were changed, and are as they were")
            self._changed()

    def _write(self, socket: Path, kept: _Kept, wanted: BridgeFlows) -> None:
        if wanted.cookie is None:
            ofctl.replace_all(socket, wanted.flows)
        else:
            ofctl.replace_own(socket, wanted.cookie, wanted.flows)
            kept.there = ofctl.read(socket, wanted.cookie)


def _is_changed(socket: Path, kept: _Kept) -> bool:
    """Did somebody else change what we wrote?"""
    if kept.wanted.cookie is None:
        return ofctl.differs(socket, kept.wanted.flows)
    return ofctl.read(socket, kept.wanted.cookie) != kept.there


def _identify(socket: Path) -> tuple[int, int] | None:
    """Tell this ovs-vswitchd's socket from another's."""
    try:
        found = socket.stat()
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns
