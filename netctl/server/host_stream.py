"""Streams of agents: each host has one, a second one replaces the first.

In: assignments, each the newest; out: a flag that says "send". What is slow gets the newest when it is ready for it,
never a queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import structlog

from netctl.errors import Conflict, NetctlError, NotFound, Unavailable
from netctl.model.keys import HostId

log = structlog.get_logger()

A = TypeVar("A")  # an assignment
S = TypeVar("S", bound="HostStream[Any]")


class HostStream(Generic[A]):
    """One agent's stream: what to send next, or why it ends."""

    def __init__(self, host: HostId) -> None:
        self.host = host
        self.flag = asyncio.Event()
        self.newest: A | None = None
        self.error: NetctlError | None = None
        self.ended = False

    def offer(self, assignment: A | None) -> None:
        """Make an assignment the one to send; without one there is no such host."""
        if assignment is None:
            self.end(
                NotFound(
                    f"hosts/{self.host} does not exist; create it, the agent keeps trying", field="host_id"
                )
            )
        elif assignment is not self.newest:
            self.newest = assignment
            self.flag.set()

    def heard_all(self, reading: asyncio.Task[None]) -> None:
        """End with the task that reads, whatever ended it."""
        bug = None if reading.cancelled() else reading.exception()
        if bug is not None:
            log.error("reading an agent's stream failed", host=self.host, exc_info=bug)
        self.end(Unavailable("the report could not be taken; connect again") if bug is not None else None)

    def end(self, error: NetctlError | None) -> None:
        """Let the stream end; the first error is the one that the agent is told."""
        self.ended = True
        self.error = self.error or error
        self.flag.set()


class HostStreams(Generic[S]):
    """The streams of one kind of agent, by host; `who` is that kind in the log."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._streams: dict[HostId, S] = {}

    def __iter__(self) -> Iterator[S]:
        return iter(tuple(self._streams.values()))

    def get(self, host: HostId) -> S | None:
        """Return a host's stream, None when it has none."""
        return self._streams.get(host)

    def enter(self, stream: S, peer: str) -> None:
        """Make a stream its host's; the one that was ends."""
        replaced = self._streams.get(stream.host)
        if replaced is not None:
            log.warning(f"{self._who} connects again, its older stream ends", host=stream.host, peer=peer)
            replaced.end(Conflict(f"another {self._who} has connected as host {stream.host}"))
        else:
            log.info(f"{self._who} connected", host=stream.host, peer=peer)
        self._streams[stream.host] = stream

    def leave(self, stream: S) -> bool:
        """Let a stream go; tell whether its host has none any more."""
        if self._streams.get(stream.host) is not stream:
            return False
        del self._streams[stream.host]
        log.info(f"{self._who} disconnected", host=stream.host)
        return True

    def close(self) -> None:
        """End all streams; the agents connect again."""
        for stream in self:
            stream.end(Unavailable("the controller is stopping; connect again"))
