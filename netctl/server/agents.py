"""AgentService: one stream for each host; whole reports in, whole assignments out.

A host has one stream: a second one replaces the first. An assignment is sent at once and when what it says changed; the
store's revision alone is no reason, unless the host's own intent moved (its status waits for the agent to confirm
that). A slow agent gets the newest assignment when it is ready for it, never a queue.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import structlog

from netctl.errors import Conflict, InvalidIntent, NetctlError, NotFound, Unavailable
from netctl.model.assignment import Assignment
from netctl.model.keys import HostId
from netctl.server.convert_agent import assignment_to_proto, report_from_proto
from netctl.server.edge import Context
from netctl.server.ports import Ports
from netctl.server.wakes import LoopWake
from netctl.v1 import agent_pb2 as pb
from netctl.v1 import agent_pb2_grpc

log = structlog.get_logger()

# An agent reports at least every 30 s: three times that without a word, and it hangs, whatever its TCP says.
SILENCE_MAX_S = 90.0


class _Stream:
    """One agent's stream: what to send next, or why it ends."""

    def __init__(self, host: HostId) -> None:
        self.host = host
        self.flag = asyncio.Event()
        self.newest: Assignment | None = None
        self.error: NetctlError | None = None
        self.ended = False

    def offer(self, assignment: Assignment | None) -> None:
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
        self.ended = True
        self.error = self.error or error
        self.flag.set()


class AgentService(agent_pb2_grpc.AgentServiceServicer):
    """Every host agent holds one stream."""

    def __init__(self, ports: Ports) -> None:
        """Begin; needs the running event loop."""
        self._assignments, self._reports, self._intents = ports.assignments, ports.reports, ports.intents
        self._streams: dict[HostId, _Stream] = {}
        self._wake = LoopWake(self._look)
        ports.assignments.on_assignment_change(self._wake)

    def close(self) -> None:
        """End all streams; the agents connect again."""
        self._wake.close()
        for stream in self._streams.values():
            stream.end(Unavailable("the controller is stopping; connect again"))

    async def Connect(
        self, request_iterator: AsyncIterator[pb.ConnectRequest], context: Context
    ) -> AsyncIterator[pb.ConnectResponse]:
        """Hear a host's reports, send its assignments."""
        first = await anext(request_iterator, None)
        if first is None:
            return
        report = report_from_proto(first.report)
        stream = _Stream(report.host)
        stream.offer(self._assignments.assignment(report.host))
        if stream.error is not None:
            raise stream.error
        self._enter(stream, context.peer())
        reading = asyncio.create_task(self._read(request_iterator, stream))
        reading.add_done_callback(stream.heard_all)
        try:
            self._reports.note_report(report)
            sent: Assignment | None = None
            while not stream.ended:
                stream.flag.clear()
                newest = stream.newest
                if newest is not None and (sent is None or self._differs(sent, newest)):
                    yield pb.ConnectResponse(assignment=assignment_to_proto(newest))
                    sent = newest
                await stream.flag.wait()
            if stream.error is not None:
                raise stream.error
        finally:
            reading.cancel()
            self._leave(stream)

    def _enter(self, stream: _Stream, peer: str) -> None:
        replaced = self._streams.get(stream.host)
        if replaced is not None:
            log.warning("agent connects again, its older stream ends", host=stream.host, peer=peer)
            replaced.end(Conflict(f"another agent has connected as host {stream.host}"))
        else:
            log.info("agent connected", host=stream.host, peer=peer)
        self._streams[stream.host] = stream

    def _leave(self, stream: _Stream) -> None:
        if self._streams.get(stream.host) is stream:
            del self._streams[stream.host]
            log.info("agent disconnected", host=stream.host)
            self._reports.note_disconnect(stream.host)

    async def _read(self, requests: AsyncIterator[pb.ConnectRequest], stream: _Stream) -> None:
        try:
            while True:
                async with asyncio.timeout(SILENCE_MAX_S):
                    request = await anext(requests, None)
                if request is None:
                    return
                report = report_from_proto(request.report)
                if report.host != stream.host:
                    raise InvalidIntent(
                        "report.host_id", f"was {stream.host} before; one stream is for one host"
                    )
                if not stream.ended:
                    self._reports.note_report(report)
        except TimeoutError:
            stream.end(Unavailable(f"no report for {SILENCE_MAX_S:g} s; connect again"))
        except NetctlError as error:
            stream.end(error)

    def _differs(self, sent: Assignment, newest: Assignment) -> bool:
        if dataclasses.replace(newest, revision=sent.revision) != sent:
            return True
        host = self._intents.snapshot().host(newest.host)
        return host is not None and sent.revision < host.meta.revision <= newest.revision

    async def _look(self) -> None:
        for stream in tuple(self._streams.values()):
            stream.offer(self._assignments.assignment(stream.host))
            await asyncio.sleep(0)
