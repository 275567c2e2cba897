"""The stream to the controller: reports up, assignments down, connected again for ever; and the bytes of images.

Comes in: the latest ComputeReport (`offer`). Goes out: the latest ComputeAssignment (`latest`), with a wake when it
changes. Owns one thread and its channel; images are read and written by whoever calls, each on a channel of its own.
The controller is the source of truth for the assignment, of two controllers the one with the higher epoch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version

import grpc
import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from netctl.errors import HostUnavailable, InvalidIntent, NotFound, Unavailable
from netctl.v1 import agent_compute_pb2, agent_compute_pb2_grpc
from netctl_compute.assignment import ComputeAssignment
from netctl_compute.convert import assignment_from_proto
from netctl_compute.convert_report import report_to_proto
from netctl_compute.image_server import ImageChunk
from netctl_compute.reported import ComputeReport

log = structlog.get_logger()

_CHUNK_BYTES = 1 << 20


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
    """The agent's end of ComputeAgentService; `saved` is the assignment from disk, whose epoch counts as seen."""

    def __init__(
        self,
        address: str,
        host_id: str,
        saved: ComputeAssignment | None,
        wake: Callable[[], None],
        *,
        intervals: Intervals = Intervals(),
    ) -> None:
        self._address = address
        self._host_id = host_id
        self._wake = wake
        self._intervals = intervals
        self._version = version("netctl")
        self._changed = threading.Condition()  # guards what follows
        self._report: ComputeReport | None = None
        self._assignment = saved
        self._stopping = False
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

    def offer(self, report: ComputeReport) -> None:
        """Make `report` the latest; it is sent when it differs from the one before."""
        with self._changed:
            if report != self._report:
                self._report = report
                self._changed.notify_all()

    def latest(self) -> ComputeAssignment | None:
        """Return the newest assignment: the one from disk until the controller sent another."""
        with self._changed:
            return self._assignment

    def read_image(self, image: str, offset: int) -> Iterator[ImageChunk]:
        """Give the bytes of an image from `offset` on; raise NotFound or Unavailable. Any thread."""
        request = agent_compute_pb2.ReadImageRequest(image_id=image, offset=offset)
        with self._channel() as channel:
            call = agent_compute_pb2_grpc.ComputeAgentServiceStub(channel).ReadImage(request)
            try:
                for response in call:
                    yield ImageChunk(response.data, response.total_bytes)
            except grpc.RpcError as error:
                raise _translate(f"image {image}", call) from error
            finally:
                call.cancel()

    def write_image(self, image: str, chunks: Iterator[bytes]) -> str:
        """Send the bytes of an image; return the SHA-256 that the controller found. Any thread."""
        sender = _Sender(image, chunks)
        with self._channel() as channel:
            stub = agent_compute_pb2_grpc.ComputeAgentServiceStub(channel)
            try:
                response, _call = stub.WriteImage.with_call(sender.requests())
            except grpc.RpcError as error:
                if sender.error is not None:
                    raise sender.error from error
                raise _translate(f"image {image}", error) from error
        return response.sha256

    def _channel(self) -> grpc.Channel:
        return grpc.insecure_channel(self._address, options=_channel_options(self._intervals))

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
        with self._channel() as channel:
            stub = agent_compute_pb2_grpc.ComputeAgentServiceStub(channel)
            call = stub.Connect(self._requests(ended), wait_for_ready=True)
            with self._changed:
                self._call = call
                if self._stopping:
                    call.cancel()
            try:
                for response in call:
                    if not received:
                        log.info("stream to the controller is up", controller=self._address)
                    received = True
                    if response.HasField("assignment"):
                        self._take(response.assignment)
                log.info("controller ended the stream", controller=self._address)
            except grpc.RpcError:
                if not self._stopping:
                    text = f"{call.code()}: {call.details()}"
                    log.warning("stream to the controller broke", controller=self._address, error=text)
            finally:
                ended.set()
                with self._changed:
                    self._call = None
                    self._changed.notify_all()  # ends the sender, which waits for a report
        return received

    def _requests(
        self, ended: threading.Event
    ) -> Iterator[agent_compute_pb2.ComputeAgentServiceConnectRequest]:
        """Yield the report now, at every change and every `report_s`; runs on a thread of gRPC's."""
        sent: ComputeReport | None = None
        due_s = 0.0
        while (report := self._next(sent, due_s, ended)) is not None:
            sent = report
            due_s = time.monotonic() + self._intervals.report_s
            now = Timestamp()
            now.GetCurrentTime()
            yield agent_compute_pb2.ComputeAgentServiceConnectRequest(
                report=report_to_proto(report, agent_version=self._version, time=now)
            )

    def _next(self, sent: ComputeReport | None, due_s: float, ended: threading.Event) -> ComputeReport | None:
        """Wait for a report that differs from `sent`, or is due; None at the end."""

        def is_over() -> bool:
            return ended.is_set() or self._stopping

        with self._changed:
            # Before the first pass there is nothing true to say.
            timeout = None if self._report is None else max(0.0, due_s - time.monotonic())
            self._changed.wait_for(lambda: is_over() or self._report != sent, timeout=timeout)
            return None if is_over() else self._report

    def _take(self, message: agent_compute_pb2.ComputeAssignment) -> None:
        try:
            assignment = assignment_from_proto(message)
        except InvalidIntent as error:
            log.error("assignment refused", field=error.field, error=error.message)
            return
        if assignment.host != self._host_id:
            log.error("assignment of another host refused", host=assignment.host)
            return
        with self._changed:
            highest = self._assignment.epoch if self._assignment else 0
            if assignment.epoch < highest:
                log.warning("assignment of an older controller refused", epoch=assignment.epoch, seen=highest)
                return
            self._assignment = assignment
        self._wake()


class _Sender:
    """The bytes of an image as requests; `error` is what reading them met, which gRPC would swallow."""

    def __init__(self, image: str, chunks: Iterator[bytes]) -> None:
        self._image = image
        self._chunks = chunks
        self.error: Unavailable | OSError | None = None

    def requests(self) -> Iterator[agent_compute_pb2.WriteImageRequest]:
        """Yield them; the first names the image."""
        yield agent_compute_pb2.WriteImageRequest(image_id=self._image)
        try:
            for chunk in self._chunks:
                for start in range(0, len(chunk), _CHUNK_BYTES):
                    yield agent_compute_pb2.WriteImageRequest(data=chunk[start : start + _CHUNK_BYTES])
        except (Unavailable, OSError) as error:
            self.error = error
            raise


def _translate(what: str, call: grpc.Call | grpc.RpcError) -> NotFound | HostUnavailable:
    code = call.code() if isinstance(call, grpc.Call) else None
    text = f"{what}: {call.details()}" if isinstance(call, grpc.Call) else f"{what}: {call}"
    return NotFound(text) if code is grpc.StatusCode.NOT_FOUND else HostUnavailable(text)


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
        ("grpc.max_receive_message_length", 64 << 20),
    )
