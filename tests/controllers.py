"""A controller for tests of clients: the real API, admission and SQLite on a socket, hosts and OVN obliging.

    with Controller(tmp_path) as controller:
        controller.address       # unix:/.../netctl.sock
        controller.restart()

The server runs in a thread with an event loop of its own, so that a test may be an ordinary blocking client.
What was asked for counts as in the network at once, unless `statuses.say` says otherwise.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from netctl.model.keys import Key
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.model.status import Phase, Status
from netctl.server.admission import Admission
from netctl.server.image_store import ImageStore
from netctl.server.ports import ControllerInfo, Ports
from netctl.server.sealing import random_seal
from netctl.server.serve import Server, serve
from netctl.store.sqlite import SqliteStore
from tests.fakes.controller import FakeAssignments, FakeDerived, FakeReports
from tests.fakes.southbound import FakeSouthbound
from tests.functional.server.compute import sealing


class ObligingStatuses:
    """PROGRAMMED at once; a floating NIC NOT_ATTACHED; what `say` said of a resource instead of that.

    `asked` holds what somebody asked for.
    """

    def __init__(self) -> None:
        self.asked: set[Key] = set()
        self._said: dict[Key, tuple[Phase, str, str]] = {}
        self._changed: set[Key] = set()
        self._callbacks: list[Callable[[], None]] = []

    def say(self, key: Key, phase: Phase, reason: str = "", message: str = "") -> None:
        """Give a resource this status from now on; any thread."""
        self._said[key] = (phase, reason, message)
        self._changed.add(key)
        for callback in self._callbacks:
            callback()

    def status(self, key: Key, snapshot: Snapshot | None = None) -> Status | None:
        self.asked.add(key)
        intent = snapshot.get(key) if snapshot is not None else None
        if intent is None:
            return None
        floats = isinstance(intent, Nic) and not intent.host
        usual = (Phase.PENDING, "NOT_ATTACHED", "the NIC floats") if floats else (Phase.PROGRAMMED, "", "")
        phase, reason, message = self._said.get(key, usual)
        return Status(phase=phase, reason=reason, message=message, revision=intent.meta.revision)

    def on_status_change(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def take_changed(self) -> set[Key]:
        taken, self._changed = self._changed, set()
        return taken


class ObligingController:
    """Always in step with the store; `problems` and `lag` make it otherwise."""

    def __init__(self, admission: Admission) -> None:
        self.problems: tuple[str, ...] = ()
        self.lag = 0
        self.allowed: list[str] = []
        self._admission = admission

    def info(self) -> ControllerInfo:
        revision = self._admission.snapshot().revision - self.lag
        return ControllerInfo(
            version="0.1.0",
            ready=not self.problems,
            problems=self.problems,
            northbound_revision=revision,
            northbound_schema="7.0.0",
            northd_version="23.03.1",
        )

    def allow_mass_delete(self, actor: str, reason: str) -> None:
        self.allowed.append(reason)


class Controller:
    """A running controller in `directory`; started and stopped by `with`."""

    def __init__(self, directory: Path) -> None:
        self.address = f"unix:{directory}/netctl.sock"
        self.statuses = ObligingStatuses()
        self.southbound = FakeSouthbound()
        self.derived = FakeDerived()
        self._path = directory / "netctl.db"
        self._seal = random_seal()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test controller")

    def __enter__(self) -> Controller:
        self._thread.start()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self) -> None:
        """Open the store and listen."""
        self._store = SqliteStore(self._path)
        self.admission = Admission(self._store, sealing=sealing(self._seal))
        self.admission.start()
        self.info = ObligingController(self.admission)
        ports = Ports(
            intents=self.admission,
            changes=self._store,
            statuses=self.statuses,
            reports=FakeReports(),
            assignments=FakeAssignments(self.admission),
            controller=self.info,
            southbound=self.southbound,
            pending_hosts=self.derived.pending_hosts,
            migration=self.derived.migration,
            seal=self._seal,
            images=ImageStore(self._path.parent / "images", reserve_bytes=0),
        )
        self._server: Server = asyncio.run_coroutine_threadsafe(
            serve(ports, [self.address]), self._loop
        ).result()

    def stop(self) -> None:
        """Break every connection and close the store."""
        asyncio.run_coroutine_threadsafe(self._server.stop(0), self._loop).result()
        self.admission.close()
        self._store.close()

    def restart(self) -> None:
        """Stop, and start anew on the same store and socket."""
        self.stop()
        self.start()
