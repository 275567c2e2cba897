"""AgentService: one stream for each host; whole reports in, whole assignments out.

A host has one stream: a second one replaces the first. An assignment is sent at once and when what it says changed; the
store's revision alone is no reason, unless the host's own intent moved (its status waits for the agent to confirm
that). A slow agent gets the newest assignment when it is ready for it, never a queue. Questions (flow counters, what
its switch does now) go over the same stream; one that the agent does not answer in time is given up. A probe is echoed
before anything else: an agent that tries new uplinks waits for it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from typing import Any

import structlog

from netctl.errors import HostUnavailable, InvalidIntent, NetctlError, Unavailable
from netctl.model.assignment import Assignment
from netctl.model.hits import FlowKey, Hits
from netctl.model.keys import HostId
from netctl.model.policy_log import AclLogs
from netctl.server.convert_agent import (
    counts_from_proto,
    inspection_from_proto,
    question_to_proto,
    report_from_proto,
)
from netctl.server.convert_assignment import assignment_to_proto
from netctl.server.convert_policy_log import logs_from_proto
from netctl.server.edge import Context
from netctl.server.host_stream import HostStream, HostStreams
from netctl.server.ports import Ports
from netctl.server.wakes import LoopWake
from netctl.v1 import agent_pb2 as pb
from netctl.v1 import agent_pb2_grpc

log = structlog.get_logger()

# An agent reports at least every 30 s: three times that without a word, and it hangs, whatever its TCP says.
SILENCE_MAX_S = 90.0
# An agent gives ovs-vswitchd two seconds.
ANSWER_S = 3.0
PROBLEM_MAX = 500
# Probes that are not echoed yet, at most: an agent sends one each second or so.
_ECHOES_MAX = 64


class _Stream(HostStream[Assignment]):
    """One agent's stream, and the questions on it."""

    def __init__(self, host: HostId) -> None:
        super().__init__(host)
        self.questions: deque[pb.ConnectResponse] = deque()
        self.echoes: deque[int] = deque(maxlen=_ECHOES_MAX)
        self.waiting: dict[int, asyncio.Future[Any]] = {}

    def ask(self, number: int, question: pb.ConnectResponse) -> asyncio.Future[Any]:
        """Send a question; the future has the answer, or why there is none."""
        answer = asyncio.get_running_loop().create_future()
        self.waiting[number] = answer
        self.questions.append(question)
        self.flag.set()
        return answer

    def answered(self, number: int, problem: str, answer: object) -> None:
        """Take an answer; one that comes too late is nobody's."""
        waiting = self.waiting.pop(number, None)
        if waiting is None or waiting.done():
            return
        if problem:
            waiting.set_exception(HostUnavailable(f"host {self.host}: {problem[:PROBLEM_MAX]}"))
        else:
            waiting.set_result(answer)

    def probed(self, number: int) -> None:
        """Echo the number as soon as the stream is free; 0 is no probe."""
        if number:
            self.echoes.append(number)
            self.flag.set()

    def to_send(self) -> Iterator[pb.ConnectResponse]:
        """Yield what is short: echoes, then questions."""
        while self.echoes:
            yield pb.ConnectResponse(echo=self.echoes.popleft())
        while self.questions:
            yield self.questions.popleft()

    def end(self, error: NetctlError | None) -> None:
        super().end(error)
        for answer in self.waiting.values():
            if not answer.done():
                answer.set_exception(HostUnavailable(f"host {self.host}: its agent disconnected"))
        self.waiting.clear()


class AgentService(agent_pb2_grpc.AgentServiceServicer):
    """Every host agent holds one stream."""

    def __init__(self, ports: Ports) -> None:
        """Begin; needs the running event loop."""
        self._assignments, self._reports, self._intents = ports.assignments, ports.reports, ports.intents
        self._streams: HostStreams[_Stream] = HostStreams("agent")
        self._wake = LoopWake(self._look)
        self._numbers = itertools.count(1)
        self._log_listeners: list[Callable[[HostId, AclLogs], None]] = []
        ports.assignments.on_assignment_change(self._wake)

    def close(self) -> None:
        """End all streams; the agents connect again."""
        self._wake.close()
        self._streams.close()

    def is_connected(self, host: HostId) -> bool:
        """Has the host's agent a stream now?"""
        return self._streams.get(host) is not None

    def on_logs(self, callback: Callable[[HostId, AclLogs], None]) -> None:
        """Call back with what the ACLs of a host logged; it must not wait."""
        self._log_listeners.append(callback)

    async def count_flows(
        self, host: HostId, keys: Collection[FlowKey], *, timeout_s: float = ANSWER_S
    ) -> Mapping[FlowKey, Hits]:
        """Return a host's counters; a key without flows there is missing. HostUnavailable says why there are none."""
        number = next(self._numbers)
        question = pb.ConnectResponse(count_flows=question_to_proto(number, keys))
        counts: Mapping[FlowKey, Hits] = await self._ask(host, number, question, timeout_s)
        return counts

    async def inspect(
        self,
        host: HostId,
        inspected: pb.Inspected.ValueType,
        bridge: str = "",
        *,
        timeout_s: float = ANSWER_S,
    ) -> pb.Inspection:
        """Return what a host's switch does now; HostUnavailable says why that cannot be had."""
        number = next(self._numbers)
        asked = pb.Inspect(id=number, inspected=inspected, bridge=bridge)
        inspection: pb.Inspection = await self._ask(
            host, number, pb.ConnectResponse(inspect=asked), timeout_s
        )
        return inspection

    async def _ask(self, host: HostId, number: int, question: pb.ConnectResponse, timeout_s: float) -> Any:
        stream = self._streams.get(host)
        if stream is None or stream.ended:
            raise HostUnavailable(f"host {host}: its agent is not connected")
        try:
            return await asyncio.wait_for(stream.ask(number, question), timeout_s)
        except TimeoutError:
            stream.waiting.pop(number, None)
            raise HostUnavailable(f"host {host}: its agent has not answered in {timeout_s:g} s") from None

    async def Connect(
        self, request_iterator: AsyncIterator[pb.ConnectRequest], context: Context
    ) -> AsyncIterator[pb.ConnectResponse]:
        """Hear a host's reports, send its assignments."""
        first = await anext(request_iterator, None)
        if first is None:
            return
        report = report_from_proto(first.report)
        stream = _Stream(report.host)
        stream.probed(first.probe)
        stream.offer(self._assignments.assignment(report.host))
        if stream.error is not None:
            raise stream.error
        self._streams.enter(stream, context.peer())
        reading = asyncio.create_task(self._read(request_iterator, stream))
        reading.add_done_callback(stream.heard_all)
        try:
            self._reports.note_report(report)
            sent: Assignment | None = None
            while not stream.ended:
                stream.flag.clear()
                for response in stream.to_send():
                    yield response
                newest = stream.newest
                if newest is not None and (sent is None or self._differs(sent, newest)):
                    yield pb.ConnectResponse(assignment=assignment_to_proto(newest))
                    sent = newest
                await stream.flag.wait()
            if stream.error is not None:
                raise stream.error
        finally:
            reading.cancel()
            if self._streams.leave(stream):
                self._reports.note_disconnect(stream.host)

    async def _read(self, requests: AsyncIterator[pb.ConnectRequest], stream: _Stream) -> None:
        try:
            while True:
                async with asyncio.timeout(SILENCE_MAX_S):
                    request = await anext(requests, None)
                if request is None:
                    return
                if self._took_other(stream, request) and not request.HasField("report"):
                    continue
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

    def _took_other(self, stream: _Stream, request: pb.ConnectRequest) -> bool:
        """Take what a message has beside a report; tell whether there was anything."""
        counted, inspected = request.HasField("flow_counts"), request.HasField("inspection")
        logged = request.HasField("acl_logs")
        if counted:
            counts = request.flow_counts
            stream.answered(counts.id, counts.problem, counts_from_proto(counts))
        if inspected:
            inspection = request.inspection
            seen = bool(inspection.bonds or inspection.mac_entries)  # with a problem as well: it is not whole
            problem = "" if seen else inspection.problem
            stream.answered(inspection.id, problem, inspection_from_proto(inspection))
        if logged:
            self._note_logs(stream, request.acl_logs)
        stream.probed(request.probe)
        return counted or inspected or logged or request.probe != 0

    def _note_logs(self, stream: _Stream, message: pb.AclLogs) -> None:
        logs = logs_from_proto(message)
        for listener in self._log_listeners if not stream.ended else ():
            listener(stream.host, logs)

    def _differs(self, sent: Assignment, newest: Assignment) -> bool:
        if dataclasses.replace(newest, revision=sent.revision) != sent:
            return True
        # What was said and taken back before it was sent is news all the same: status waits until the agent has heard.
        host = self._intents.snapshot().host(newest.host)
        awaited = max(host.meta.revision if host is not None else 0, self._assignments.last_told(newest.host))
        return sent.revision < awaited <= newest.revision

    async def _look(self) -> None:
        for stream in self._streams:
            stream.offer(self._assignments.assignment(stream.host))
            await asyncio.sleep(0)
