"""Virtual machines as a client asks for them, and the compute agent's end of the stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import grpc

from netctl.model.intent import Edit, Place
from netctl.model.keys import HostId, VmId
from netctl.server.group import Sealing
from netctl.server.requests import Answer, Request
from netctl.server.sealing import VTPM_SECRET, Seal, new_secret
from netctl.v1 import agent_compute_pb2 as pb
from netctl.v1 import compute_pb2 as compute
from tests.functional.server.world import World

GIB = 1 << 30


class ComputeAgent:
    """One host's end of the stream."""

    def __init__(self, world: World, host: str = "h1", **report: Any) -> None:
        self.host = host
        self.call: Any = world.compute_agents.Connect()
        self._first = report

    async def __aenter__(self) -> ComputeAgent:
        await self.report(**self._first)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.call.cancel()

    async def report(self, **fields: Any) -> None:
        report = pb.ComputeReport(host_id=self.host, **fields)
        await self.call.write(pb.ComputeAgentServiceConnectRequest(report=report))

    async def assignment(self) -> pb.ComputeAssignment:
        answer = await asyncio.wait_for(self.call.read(), 5)
        assert isinstance(answer, pb.ComputeAgentServiceConnectResponse), await self.call.details()
        return answer.assignment

    async def ends_with(self, code: str, text: str) -> None:
        with contextlib.suppress(grpc.aio.AioRpcError):
            while await asyncio.wait_for(self.call.read(), 5) is not grpc.aio.EOF:
                pass
        assert await self.call.code() is grpc.StatusCode[code]
        assert text in await self.call.details()


def sealing(seal: Seal) -> Sealing:
    """Return how admission makes secrets, with a seal of the test's."""
    return Sealing(seal=lambda secret: seal.seal(VTPM_SECRET, secret), new_secret=new_secret)


def vm(id: str = "web-1", **fields: Any) -> compute.CreateVmRequest:
    """Ask for a virtual machine of 512 MiB."""
    given: dict[str, Any] = {"name": f"vms/{id}", "cluster": "clusters/c1", "memory_mib": 512}
    return compute.CreateVmRequest(vm=compute.Vm(**(given | fields)))


def empty_disk(gib: int = 1) -> compute.Disk:
    return compute.Disk(size_bytes=gib * GIB)


async def admit(world: World, *edits: Edit) -> Answer:
    """Do what our own loops ask for."""
    return await asyncio.wrap_future(world.admission.submit(Request(edits=edits)))


async def place(world: World, id: str = "web-1", host: str = "h1") -> None:
    await admit(world, Place(vm=VmId(id), host=HostId(host), cpu_model="qemu64"))


def names(assignment: pb.ComputeAssignment) -> Sequence[str]:
    return [one.vm_id for one in assignment.vms]
