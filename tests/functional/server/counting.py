"""A host's agent for tests of hits and logs: counts what it is told to, and logs."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from netctl.model.hits import FlowKey
from netctl.v1 import agent_pb2, agent_pb2_grpc


class CountingAgent:
    """A host's agent: answers with `counters`, or with `problem`, or not at all."""

    def __init__(self, channel: grpc.aio.Channel, host: str) -> None:
        self.counters: dict[FlowKey, tuple[int, int]] = {}
        self.problem = ""
        self.silent = False
        self.asked: list[set[FlowKey]] = []
        self._host = host
        self._call: Any = agent_pb2_grpc.AgentServiceStub(channel).Connect()

    async def __aenter__(self) -> CountingAgent:
        report = agent_pb2.HostReport(host_id=self._host, ovn_controller_connected=True)
        await self._call.write(agent_pb2.ConnectRequest(report=report))
        await self._call.read()  # the assignment
        self._task = asyncio.create_task(self._answer())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        self._call.cancel()

    async def log(self, *logs: agent_pb2.AclLog, dropped: int = 0) -> None:
        """Tell what ACLs logged."""
        await self.send(agent_pb2.ConnectRequest(acl_logs=agent_pb2.AclLogs(logs=logs, dropped=dropped)))

    async def send(self, request: agent_pb2.ConnectRequest) -> None:
        """Send anything."""
        await self._call.write(request)

    async def _answer(self) -> None:
        while (message := await self._call.read()) is not grpc.aio.EOF:
            if not message.HasField("count_flows") or self.silent:
                continue
            question = message.count_flows
            keys = {FlowKey(key.cookie, key.datapath) for key in question.flows}
            self.asked.append(keys)
            answer = agent_pb2.FlowCounts(id=question.id, problem=self.problem)
            for key in keys & self.counters.keys():
                packets, size = self.counters[key]
                flow = agent_pb2.FlowKey(cookie=key.cookie, datapath=key.datapath)
                answer.counts.add(key=flow, packets=packets, bytes=size)
            await self._call.write(agent_pb2.ConnectRequest(flow_counts=answer))
