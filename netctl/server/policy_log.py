"""The policy log: what ACLs logged on the hosts, in names, for people who follow it and for syslog.

In: lines from the agents' streams. Out: the last 10,000 in memory, and those to come to every reader. Readers pull:
each has a place, nothing grows while one is slow, and what it missed is told with the next line that it gets. Lines of
ACLs that are unknown (another client's, or a rule's that is gone) are left out and counted in the metrics.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import structlog

from netctl.analysis.log_names import Namer
from netctl.errors import Exhausted, Unavailable
from netctl.model.keys import HostId, Uid
from netctl.model.policy_log import AclLogs, LogEntry
from netctl.server.acl_book import AclBook
from netctl.server.ports import Ports
from netctl.server.wakes import LoopWake

log = structlog.get_logger()

KEPT = 10_000
READERS_MAX = 100
# Of what hosts told and nobody has named yet; a batch has 1,000 lines at most.
_WAITING_MAX = 100
# In one message.
SLICE = 500


class Reader:
    """One who reads: the number of the line that is next, and a flag that says "look again"."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.flag = asyncio.Event()


class PolicyLog:
    """Owns: the ring of lines. On the event loop; `close` it before the loop ends."""

    def __init__(self, ports: Ports, acls: AclBook) -> None:
        """Begin; needs the running event loop."""
        self._intents, self._acls, self._metrics = ports.intents, acls, ports.metrics
        self._waiting: deque[tuple[HostId, AclLogs]] = deque()
        self._lost: dict[HostId, int] = {}  # lines of a host that are missing before its next one
        self._ring: deque[LogEntry] = deque(maxlen=KEPT)
        self._written = 0  # lines ever; the ring ends with the last of them
        self._readers: set[Reader] = set()
        self._listeners: list[Callable[[list[LogEntry]], None]] = []
        self._observed = ports.observed
        self._namer = Namer(ports.intents.snapshot(), ports.observed())
        self._closed = False
        self._wake = LoopWake(self._name_all)

    def close(self) -> None:
        """End all readers."""
        self._closed = True
        self._wake.close()
        self._flag_all()

    def on_entries(self, callback: Callable[[list[LogEntry]], None]) -> None:
        """Call back with new lines; it must not wait."""
        self._listeners.append(callback)

    def put(self, host: HostId, logs: AclLogs) -> None:
        """Take what a host told; it is named soon. When too much waits, the oldest is lost."""
        self._waiting.append((host, logs))
        if len(self._waiting) > _WAITING_MAX:
            late, lost = self._waiting.popleft()
            self._note_lost(late, len(lost.logs) + lost.dropped)
        self._wake()

    def add(self) -> Reader:
        """Let a reader in, at the present."""
        if len(self._readers) >= READERS_MAX:
            raise Exhausted(f"{READERS_MAX} follow the log, as many as there may be; end some")
        reader = Reader(self._written)
        self._readers.add(reader)
        return reader

    def discard(self, reader: Reader) -> None:
        """Let a reader go."""
        self._readers.discard(reader)

    def last(self, count: int, policy: Uid | None) -> list[LogEntry]:
        """Return the last lines of a policy, of all when None, the oldest first."""
        found = (entry for entry in reversed(self._ring) if policy is None or entry.policy_uid == policy)
        return list(islice(found, count))[::-1]

    async def next(self, reader: Reader) -> tuple[list[LogEntry], int]:
        """Return what a reader has not had, once there is any, and how many lines before it are gone from the ring.

        Unavailable when the controller stops.
        """
        while reader.place == self._written:
            await reader.flag.wait()
            reader.flag.clear()
            if self._closed:
                raise Unavailable("the controller is stopping; connect again")
        first = self._written - len(self._ring)
        missed = max(0, first - reader.place)
        start = reader.place + missed - first
        entries = list(islice(self._ring, start, start + SLICE))
        reader.place = first + start + len(entries)
        return entries, missed

    async def _name_all(self) -> None:
        await self._acls.current()
        while self._waiting:
            host, logs = self._waiting.popleft()
            self._note_lost(host, logs.dropped)
            self._write(self._named(host, logs))
            await asyncio.sleep(0)

    def _named(self, host: HostId, logs: AclLogs) -> list[LogEntry]:
        snapshot = self._intents.snapshot()
        if snapshot is not self._namer.snapshot:
            self._namer = Namer(snapshot, self._observed())
        found: list[LogEntry] = []
        for line in logs.logs:
            acl = self._acls.find(line.acl)
            if acl is None:
                self._metrics.log_unknown.inc()
                continue
            entry = self._namer.entry(acl, host, line)
            lost = self._lost.pop(host, 0)
            found.append(replace(entry, lost_before=lost) if lost else entry)
        return found

    def _write(self, entries: list[LogEntry]) -> None:
        if not entries:
            return
        self._ring.extend(entries)
        self._written += len(entries)
        self._metrics.log_entries.inc(len(entries))
        for listener in self._listeners:
            listener(entries)
        self._flag_all()

    def _note_lost(self, host: HostId, lines: int) -> None:
        if lines:
            self._lost[host] = self._lost.get(host, 0) + lines
            self._metrics.log_lost.inc(lines)

    def _flag_all(self) -> None:
        for reader in self._readers:
            reader.flag.set()
