"""The watch hub: wakes watchers, and tells each which keys it has to send again.

In: wakes from admission and from the status board; out: sets of keys. A watcher pulls: it keeps a revision and a place
in the status log, nothing grows while it is slow, what changed several times meanwhile is one key, and nobody waits for
it. Statuses are not stored: their log begins with this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import chain

from netctl.errors import Exhausted, OutOfRange, Unavailable
from netctl.model.keys import Key, Kind
from netctl.model.snapshot import Snapshot
from netctl.model.status import Status
from netctl.server.ports import Ports
from netctl.server.status_log import StatusLog
from netctl.server.wakes import LoopWake

WATCHERS_MAX = 1000
_SLICE = 250
_PLACES = {kind: place for place, kind in enumerate(Kind)}


class Watcher:
    """One stream: where it stands, and its flag that says "look again"."""

    def __init__(self, revision: int, place: int) -> None:
        self.revision, self.place = revision, place
        self.flag = asyncio.Event()


class WatchHub:
    """Owns: the set of watchers and the status log. Belongs to the event loop; `close` it before the loop ends."""

    def __init__(self, ports: Ports) -> None:
        """Begin; needs the running event loop."""
        self._intents, self._statuses, self._changes = ports.intents, ports.statuses, ports.changes
        self._watchers: set[Watcher] = set()
        self._log = StatusLog()
        self._began_at = self._seen = self.snapshot().revision
        self._closed = False
        self._wake = LoopWake(self._look)
        ports.intents.on_change(self._wake)
        ports.statuses.on_status_change(self._wake)

    def snapshot(self) -> Snapshot:
        """Return the intents at the newest revision."""
        return self._intents.snapshot()

    def add(self) -> Watcher:
        """Let a watcher in, at the present."""
        if len(self._watchers) >= WATCHERS_MAX:
            raise Exhausted(f"{WATCHERS_MAX} watches are open, as many as there may be; close some")
        watcher = Watcher(self.snapshot().revision, self._log.place)
        self._watchers.add(watcher)
        # What changed while nobody watched has not been looked at.
        self._wake()
        return watcher

    def discard(self, watcher: Watcher) -> None:
        """Let a watcher go."""
        self._watchers.discard(watcher)

    def close(self) -> None:
        """End all watches."""
        self._closed = True
        self._wake.close()
        self._flag_all()

    def status(self, key: Key, snapshot: Snapshot) -> Status | None:
        """Return a status that is about to be sent; whoever saw another before will be sent it too."""
        status = self._statuses.status(key, snapshot)
        if self._log.note(key, status, snapshot.revision):
            self._flag_all()
        return status

    async def wait(self, watcher: Watcher) -> None:
        """Return when there may be something to send; Unavailable when the controller stops."""
        await watcher.flag.wait()
        if self._closed:
            raise Unavailable("the controller is stopping; connect again and resume from the last revision")
        watcher.flag.clear()

    async def resume(self, watcher: Watcher, revision: int) -> Iterable[Key]:
        """Return what a client that is complete up to `revision` has to be sent."""
        if revision > watcher.revision:
            raise OutOfRange(
                f"revision {revision} is yet to come, the store is at {watcher.revision}; start afresh"
            )
        changed = await self._changed_since(revision)
        if revision > self._began_at:
            return ordered(changed | set(self._log.noticed_from(revision)))
        # Statuses may have changed while no controller was there to notice: everything is sent.
        snapshot = self.snapshot()
        gone = ordered(key for key in changed if snapshot.get(key) is None)
        return chain(gone, everything(snapshot))

    async def advance(self, watcher: Watcher) -> Iterable[Key]:
        """Return what changed since the watcher's place, and move it to the present."""
        place, revision = self._log.place, self.snapshot().revision
        keys = frozenset(self._log.after(watcher.place)) if place != watcher.place else frozenset()
        if revision != watcher.revision:
            keys |= await self._changed_since(watcher.revision)
        watcher.place, watcher.revision = place, revision
        return keys

    async def _changed_since(self, revision: int) -> frozenset[Key]:
        changed = self._intents.changed_since(revision)
        if changed is not None:
            return changed
        # Memory does not reach back so far; the log of the store may.
        found = await asyncio.to_thread(self._changes.changed_keys_since, revision)
        return frozenset(key for key, _ in found)

    async def _look(self) -> None:
        """See whose status changed. Without watchers it stays for the first to come: the board keeps it."""
        if not self._watchers:
            return
        revision = self.snapshot().revision
        # Statuses that change with their intents are noted before anybody sends them: each is sent once.
        changed = self._intents.changed_since(self._seen)
        await self._note(changed if changed is not None else self._log.keys())
        self._seen = revision
        self._flag_all()
        await self._note(self._statuses.take_changed())
        self._flag_all()

    async def _note(self, keys: Iterable[Key]) -> None:
        snapshot = self.snapshot()
        for index, key in enumerate(keys, 1):
            self._log.note(key, self._statuses.status(key, snapshot), snapshot.revision)
            if index % _SLICE == 0:
                await asyncio.sleep(0)
                snapshot = self.snapshot()

    def _flag_all(self) -> None:
        for watcher in self._watchers:
            watcher.flag.set()


def ordered(keys: Iterable[Key]) -> list[Key]:
    """Return keys by kind: what is referred to mostly comes before what refers to it, external subnets after VPCs."""
    return sorted(keys, key=lambda key: (_PLACES[key[0]], key[1]))


def everything(snapshot: Snapshot) -> Iterator[Key]:
    """Yield all keys in that order; sorting a hundred thousand would keep others waiting."""
    for kind in Kind:
        for id_ in snapshot.ids(kind):
            yield kind, id_
