"""A controller for the compute agent's tests: serves ComputeAgentService on a unix socket, sends what it is told,
keeps what it hears.

It goes away and comes back at the same address, as a controller does that is restarted.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from netctl_compute.assignment import ComputeAssignment

from netctl.v1 import agent_compute_pb2 as pb
from netctl.v1 import agent_compute_pb2_grpc
from tests.unit.compute.messages import to_proto


class ComputeController(agent_compute_pb2_grpc.ComputeAgentServiceServicer):
    """Serves at `address` from `start` to `stop`; `reports` in the order they came. `images` by id are its bytes."""

    def __init__(self, directory: Path) -> None:
        self.address = f"unix:{directory / 'controller.sock'}"
        self.reports: list[pb.ComputeReport] = []
        self.images: dict[str, bytes] = {}
        self._changed = threading.Condition()
        self._assignment: ComputeAssignment | None = None
        self._server: grpc.Server | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._running = False

    def start(self) -> None:
        """Begin to serve."""
        self._running = True
        self._pool = ThreadPoolExecutor(max_workers=4)
        self._server = grpc.server(self._pool)
        agent_compute_pb2_grpc.add_ComputeAgentServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(self.address)
        self._server.start()

    def stop(self) -> None:
        """Break every stream; without a server do nothing."""
        if self._server is None or self._pool is None:
            return
        with self._changed:
            self._running = False
            self._changed.notify_all()
        self._server.stop(grace=0).wait()
        self._pool.shutdown()
        self._server = None

    def assign(self, assignment: ComputeAssignment) -> None:
        """Send `assignment` to whoever is and will be connected."""
        with self._changed:
            self._assignment = assignment
            self._changed.notify_all()

    def last(self) -> pb.ComputeReport:
        """Return the newest report."""
        return self.reports[-1] if self.reports else pb.ComputeReport()

    def Connect(
        self,
        request_iterator: Iterator[pb.ComputeAgentServiceConnectRequest],
        context: grpc.ServicerContext,
    ) -> Iterator[pb.ComputeAgentServiceConnectResponse]:
        """Serve one agent."""
        reader = threading.Thread(target=self._read, args=(request_iterator,))
        reader.start()
        sent: ComputeAssignment | None = None
        try:
            while self._running and context.is_active():
                with self._changed:
                    assignment = self._assignment
                    if assignment is sent:
                        self._changed.wait(timeout=0.2)  # whether the stream is still there
                        continue
                sent = assignment
                if assignment is not None:
                    yield pb.ComputeAgentServiceConnectResponse(assignment=to_proto(assignment))
        finally:
            context.cancel()
            reader.join()

    def ReadImage(
        self, request: pb.ReadImageRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ReadImageResponse]:
        """Send the bytes of an image."""
        image = self.images.get(request.image_id)
        if image is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"images/{request.image_id} does not exist")
        for start in range(request.offset, len(image), 1 << 16):
            yield pb.ReadImageResponse(data=image[start : start + (1 << 16)], total_bytes=len(image))

    def WriteImage(
        self, request_iterator: Iterator[pb.WriteImageRequest], context: grpc.ServicerContext
    ) -> pb.WriteImageResponse:
        """Keep the bytes of an image."""
        name, data = "", b""
        for request in request_iterator:
            name = name or request.image_id
            data += request.data
        self.images[name] = data
        return pb.WriteImageResponse(sha256=hashlib.sha256(data).hexdigest())

    def _read(self, requests: Iterator[pb.ComputeAgentServiceConnectRequest]) -> None:
        try:
            for request in requests:
                self.reports.append(request.report)
        except grpc.RpcError:
            return
