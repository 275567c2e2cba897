"""The stream to the controller: reports up, assignments down, connected again for ever.

Comes in: the latest HostReport (`offer`). Goes out: the latest Assignment (`latest`), with a wake when it changes.
Questions for flow counters and for what the switch does are answered on the same stream, by whom the constructor was
given for it. A probe is sent until its echo is back: so it is known that the controller hears this host. What ACLs
logged (`offer_logs`) goes up as long as there is a stream; what nobody takes is counted, and the count sent with the
next.
Owns one thread and the channel. The controller is the source of truth for the assignment, of two controllers the one
with the higher epoch.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import version

import grpc
import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from netctl.errors import InvalidIntent
from netctl.v1 import agent_pb2, agent_pb2_grpc
from netctl_host.acl_log import AclLogs
from netctl_host.assignment import Assignment
from netctl_host.convert import (
    assignment_from_proto,
    counts_to_proto,
    inspection_to_proto,
    keys_from_proto,
    logs_to_proto,
    question_from_proto,
    report_to_proto,
)
from netctl_host.flow_counts import FlowCounts, FlowKey
from netctl_host.inspection import Inspection, Question
from netctl_host.reported import HostReport

log = structlog.get_logger()

Count = Callable[[Collection[FlowKey]], FlowCounts]
Inspect = Callable[[Question], Inspection]
# A controller that asks faster than ovs-vswitchd answers hears of the newest questions only.
_QUESTIONS_MAX = 16
# What waits for a controller that takes them slowly.
_LOGS_MAX = 1000
_PROBE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Seconds: the longest between two reports; how long a silent controller is believed before it is asked, and
    then to answer; first and longest pause before connecting again."""

    report_s: float = 30.0
    keepalive_s: float = 10.0
    answer_s: float = 2.0
    first_backoff_s: float = 0.1
    longest_backoff_s: float = 5.0


class ControllerClient:
    """The agent's end of AgentService.Connect; `saved` is the assignment from disk, whose epoch counts as seen."""

    def __init__(
        self,
        address: str,
        host_id: str,
        saved: Assignment | None,
        wake: Callable[[], None],
        *,
        count: Count = lambda keys: FlowCounts(problem="this agent counts no flows"),
        inspect: Inspect = lambda question: Inspection(id=question.id, problem="this agent inspects nothing"),
        intervals: Intervals = Intervals(),
    ) -> None:
        self._address = address
        self._host_id = host_id
        self._wake = wake
        self._count = count
        self._inspect = inspect
        self._intervals = intervals
        self._version = version("netctl")
        self._changed = threading.Condition()  # guards what follows
        self._report: HostReport | None = None
        self._assignment = saved
        self._stopping = False
        self._questions: deque[agent_pb2.CountFlows | agent_pb2.Inspect] = deque(maxlen=_QUESTIONS_MAX)
        self._heard = False
        self._probe = self._echoed = 0
        self._probe_s = 0.0  # when the next one is due
        self._logs = AclLogs()
        self._is_up = False
        self._call: grpc.Call | None = None
        self._thread = threading.Thread(target=self._run, name="controller", daemon=True)

    def start(self) -> None:
        """Connect, and again whenever the stream ends."""
        self._thread.start()

    def close(self) -> None:
        """End the stream and the thread."""
        with self._changed:
            self._stopping = True
            call = self._call
            self._changed.notify_all()
        if call is not None:
            call.cancel()
        if self._thread.is_alive():
            self._thread.join()

    def offer(self, report: HostReport) -> None:
        """Make `report` the latest; it is sent when it differs from the one before."""
        with self._changed:
            if report != self._report:
                self._report = report
                self._changed.notify_all()

    def offer_logs(self, logs: AclLogs) -> None:
        """Send what ACLs logged, or count it when nobody takes it."""
        with self._changed:
            room = _LOGS_MAX - len(self._logs.logs) if self._is_up else 0
            self._logs = AclLogs(
                logs=self._logs.logs + logs.logs[:room],
                dropped=self._logs.dropped + logs.dropped + len(logs.logs[room:]),
            )
            self._changed.notify_all()

    def latest(self) -> Assignment | None:
        """Return the newest assignment: the one from disk until the controller sent another."""
        with self._changed:
            return self._assignment

    def heard(self) -> bool:
        """Return whether the latest assignment came from the controller, and not from disk."""
        with self._changed:
            return self._heard

    def is_up(self) -> bool:
        """Return whether the controller has said something on a stream that is not known to have ended."""
        with self._changed:
            return self._is_up

    def probe(self, number: int) -> None:
        """Ask the controller for `number`, every second and on every stream, until it comes back (`echoed`)."""
        with self._changed:
            self._probe, self._probe_s = number, 0.0
            self._changed.notify_all()

    def echoed(self) -> int:
        """Return the number that came back last."""
        with self._changed:
            return self._echoed

    def _run(self) -> None:
        backoff_s = 0.0
        while not self._stopping:
            received = self._connect_once()
            backoff_s = 0.0 if received else backoff_s
            backoff_s = min(
                self._intervals.longest_backoff_s, max(self._intervals.first_backoff_s, backoff_s * 2)
            )
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, timeout=backoff_s)

    def _connect_once(self) -> bool:
        """Hold one stream until it ends; return whether anything came over it."""
        received = False
        ended = threading.Event()
        with grpc.insecure_channel(self._address, options=_channel_options(self._intervals)) as channel:
            call = agent_pb2_grpc.AgentServiceStub(channel).Connect(
                self._requests(ended), wait_for_ready=True
            )
            with self._changed:
                self._call = call
                if self._stopping:
                    call.cancel()
            try:
                for response in call:
                    if not received:
                        log.info("stream to the controller is up", controller=self._address)
                    received = True
                    with self._changed:
                        self._is_up = True
                    self._receive(response)
                log.info("controller ended the stream", controller=self._address)
            except grpc.RpcError:
                if not self._stopping:
                    text = f"{call.code()}: {call.details()}"
                    log.warning("stream to the controller broke", controller=self._address, error=text)
            finally:
                ended.set()
                with self._changed:
                    self._call = None
                    self._questions.clear()  # who asked is gone
                    self._probe_s = 0.0
                    self._is_up = False
                    self._logs = AclLogs(dropped=self._logs.dropped + len(self._logs.logs))
                    self._changed.notify_all()  # ends the sender, which waits for a report
        return received

    def _receive(self, response: agent_pb2.ConnectResponse) -> None:
        if response.HasField("assignment"):
            self._take(response.assignment)
        if response.HasField("count_flows"):
            self._ask(response.count_flows)
        if response.HasField("inspect"):
            self._ask(response.inspect)
        if response.echo:
            self._take_echo(response.echo)

    def _requests(self, ended: threading.Event) -> Iterator[agent_pb2.ConnectRequest]:
        """Yield the report now, at every change and every `report_s`, and answers; runs on a thread of gRPC's."""
        sent: HostReport | None = None
        due_s = 0.0
        while (following := self._next(sent, due_s, ended)) is not None:
            if isinstance(following, agent_pb2.CountFlows):
                # Here and not where it was received: ovs-vswitchd may take a while, and an assignment would wait.
                counts = self._count(keys_from_proto(following))
                yield agent_pb2.ConnectRequest(flow_counts=counts_to_proto(following.id, counts))
                continue
            if isinstance(following, agent_pb2.Inspect):
                inspection = self._inspect(question_from_proto(following))
                yield agent_pb2.ConnectRequest(inspection=inspection_to_proto(inspection))
                continue
            if isinstance(following, int):
                yield agent_pb2.ConnectRequest(probe=following)
                continue
            if isinstance(following, AclLogs):
                yield agent_pb2.ConnectRequest(acl_logs=logs_to_proto(following))
                continue
            sent = following
            due_s = time.monotonic() + self._intervals.report_s
            now = Timestamp()
            now.GetCurrentTime()
            report = report_to_proto(following, agent_version=self._version, time=now)
            yield agent_pb2.ConnectRequest(report=report)

    def _next(
        self, sent: HostReport | None, due_s: float, ended: threading.Event
    ) -> HostReport | agent_pb2.CountFlows | agent_pb2.Inspect | AclLogs | int | None:
        """Wait for a report that differs from `sent`, or is due, a question, logs or a probe; None at the end."""

        def is_over() -> bool:
            return ended.is_set() or self._stopping

        def is_due() -> bool:
            short = bool(self._questions) or self._has_logs() or self._probe_in_s() <= 0
            asked = sent is not None and short
            return is_over() or self._report != sent or asked

        with self._changed:
            # Before the first pass there is nothing true to say.
            rest_s = min(due_s - time.monotonic(), self._probe_in_s())
            timeout = None if self._report is None else max(0.0, rest_s)
            self._changed.wait_for(is_due, timeout=timeout)
            if is_over():
                return None
            # The first message of a stream is a report: it says whose stream it is.
            is_next = sent is None or self._report != sent or time.monotonic() >= due_s
            if not is_next and self._probe_in_s() <= 0:
                self._probe_s = time.monotonic() + _PROBE_S
                return self._probe
            if not is_next and self._questions:
                return self._questions.popleft()
            if not is_next and self._has_logs():
                logs, self._logs = self._logs, AclLogs()
                return logs
            return self._report

    def _has_logs(self) -> bool:
        return self._is_up and (bool(self._logs.logs) or self._logs.dropped > 0)

    def _probe_in_s(self) -> float:
        return self._probe_s - time.monotonic() if self._probe > self._echoed else math.inf

    def _take_echo(self, number: int) -> None:
        with self._changed:
            self._echoed = max(self._echoed, min(number, self._probe))
            self._changed.notify_all()
        self._wake()

    def _ask(self, question: agent_pb2.CountFlows | agent_pb2.Inspect) -> None:
        with self._changed:
            self._questions.append(question)
            self._changed.notify_all()

    def _take(self, message: agent_pb2.Assignment) -> None:
        try:
            assignment = assignment_from_proto(message)
        except InvalidIntent as error:
            log.error("assignment refused", field=error.field, error=error.message)
            return
        if assignment.host_id != self._host_id:
            log.error("assignment of another host refused", host=assignment.host_id)
            return
        with self._changed:
            highest = self._assignment.epoch if self._assignment else 0
            if assignment.epoch < highest:
                log.warning("assignment of an older controller refused", epoch=assignment.epoch, seen=highest)
                return
            self._assignment, self._heard = assignment, True
        self._wake()


def _channel_options(intervals: Intervals) -> tuple[tuple[str, int], ...]:
    answer_ms = round(intervals.answer_s * 1000)
    return (
        ("grpc.keepalive_time_ms", round(intervals.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", answer_ms),
        # Without it a peer that went silent is found after gRPC's own 60 s, whatever keepalive_timeout_ms says.
        ("grpc.http2.ping_timeout_ms", answer_ms),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 1_000),
        ("grpc.max_reconnect_backoff_ms", 5_000),
    )
