"""A controller for the agent's tests: serves AgentService on a unix socket, sends what it is told, keeps what it hears.

It goes away and comes back at the same address, as a controller does that is restarted.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from netctl_host.assignment import Assignment

from netctl.v1 import agent_pb2, agent_pb2_grpc
from tests.unit.host.messages import to_proto


class AgentController(agent_pb2_grpc.AgentServiceServicer):
    """Serves at `address` from `start` to `stop`; `reports` in the order they came, over all streams."""

    def __init__(self, directory: Path) -> None:
        self.address = f"unix:{directory / 'controller.sock'}"
        self.reports: list[agent_pb2.HostReport] = []
        self.counts: list[agent_pb2.FlowCounts] = []
        self.logs: list[agent_pb2.AclLogs] = []
        self.inspections: list[agent_pb2.Inspection] = []
        self.probes: list[int] = []
        self.streams = 0
        self._changed = threading.Condition()
        self._assignment: Assignment | None = None
        self._question: agent_pb2.CountFlows | agent_pb2.Inspect | None = None
        self._server: grpc.Server | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._running = False

    def start(self) -> None:
        """Begin to serve."""
        self._running = True
        self._pool = ThreadPoolExecutor(max_workers=4)
        self._server = grpc.server(self._pool)
        agent_pb2_grpc.add_AgentServiceServicer_to_server(self, self._server)
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

    def assign(self, assignment: Assignment) -> None:
        """Send `assignment` to whoever is and will be connected."""
        with self._changed:
            self._assignment = assignment
            self._changed.notify_all()

    def ask(self, question: agent_pb2.CountFlows | agent_pb2.Inspect) -> None:
        """Ask the one who is connected; the answer comes into `counts` or `inspections`."""
        with self._changed:
            self._question = question
            self._changed.notify_all()

    def last(self) -> agent_pb2.HostReport:
        """Return the newest report."""
        return self.reports[-1] if self.reports else agent_pb2.HostReport()

    def Connect(
        self, request_iterator: Iterator[agent_pb2.ConnectRequest], context: grpc.ServicerContext
    ) -> Iterator[agent_pb2.ConnectResponse]:
        """Serve one agent."""
        self.streams += 1
        echoes: deque[int] = deque()
        reader = threading.Thread(target=self._read, args=(request_iterator, echoes))
        reader.start()
        sent: Assignment | None = None
        try:
            while self._running and context.is_active():
                with self._changed:
                    assignment = self._assignment
                    question, self._question = self._question, None
                    if assignment is sent and question is None and not echoes:
                        self._changed.wait(timeout=0.2)  # whether the stream is still there
                        continue
                while echoes:
                    yield agent_pb2.ConnectResponse(echo=echoes.popleft())
                if isinstance(question, agent_pb2.Inspect):
                    yield agent_pb2.ConnectResponse(inspect=question)
                elif question is not None:
                    yield agent_pb2.ConnectResponse(count_flows=question)
                changed, sent = assignment is not sent, assignment
                if assignment is not None and changed:
                    yield agent_pb2.ConnectResponse(assignment=to_proto(assignment))
        finally:
            context.cancel()
            reader.join()

    def _read(self, requests: Iterator[agent_pb2.ConnectRequest], echoes: deque[int]) -> None:
        try:
            for request in requests:
                if request.HasField("report"):
                    self.reports.append(request.report)
                if request.HasField("acl_logs"):
                    self.logs.append(request.acl_logs)
                if request.HasField("inspection"):
                    self.inspections.append(request.inspection)
                if request.probe:
                    self.probes.append(request.probe)
                    with self._changed:
                        echoes.append(request.probe)
                        self._changed.notify_all()
                if request.HasField("flow_counts"):
                    self.counts.append(request.flow_counts)
        except grpc.RpcError:
            return
