"""What a host is asked while somebody waits, and the probe by which it sees that the controller hears it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc

from netctl.v1 import agent_pb2, agent_pb2_grpc
from netctl.v1 import infra_pb2 as infra
from tests.functional.server.world import World, nic, refused

BONDS, MACS = agent_pb2.INSPECTED_BONDS, agent_pb2.INSPECTED_MAC_TABLE


class InspectedAgent:
    """A host's agent that looks at its switch when asked: the order of what it gets is kept."""

    def __init__(self, world: World, host: str = "h1") -> None:
        self.asked: list[agent_pb2.Inspect] = []
        self.echoes: list[int] = []
        self.assignments = 0
        self.problem = ""
        self.silent = self.partial = False
        self._host = host
        self._call: Any = agent_pb2_grpc.AgentServiceStub(world.channel).Connect()

    async def __aenter__(self) -> InspectedAgent:
        await self.send(report=agent_pb2.HostReport(host_id=self._host))
        self._task = asyncio.create_task(self._answer())
        await self.until(lambda: self.assignments)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        self._call.cancel()

    async def send(self, **fields: Any) -> None:
        await self._call.write(agent_pb2.ConnectRequest(**fields))

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 (the other task reads the stream)
                await asyncio.sleep(0.005)

    async def _answer(self) -> None:
        while (message := await self._call.read()) is not grpc.aio.EOF:
            self.assignments += message.HasField("assignment")
            if message.echo:
                self.echoes.append(message.echo)
            if message.HasField("inspect"):
                self.asked.append(message.inspect)
                if not self.silent:
                    await self.send(inspection=self._look(message.inspect))

    def _look(self, question: agent_pb2.Inspect) -> agent_pb2.Inspection:
        seen = agent_pb2.Inspection(id=question.id, problem=self.problem)
        if self.problem and not self.partial:
            return seen
        if question.inspected == BONDS:
            bond = seen.bonds.add(
                bridge="br0", bond="br0-up", bond_mode="balance-tcp", lacp_status="negotiated"
            )
            bond.members.add(interface="eth1", enabled=True, carrier=True, lacp_status="current")
        else:
            seen.mac_entries.add(bridge="br0", port="br0-up", mac_address="50:6b:8d:00:00:01", age_s=3)
        return seen


async def inspect(world: World, **fields: Any) -> agent_pb2.Inspection:
    request = infra.InspectHostRequest(**({"name": "hosts/h1"} | fields))
    return (await world.hosts.InspectHost(request)).inspection


async def test_a_host_is_asked_what_its_switch_does_now(world: World) -> None:
    await world.furnish()
    async with InspectedAgent(world) as agent:
        seen = await inspect(world, inspected=BONDS, bridge="br0")
        assert seen.bonds[0].members[0].lacp_status == "current"
        assert (agent.asked[0].inspected, agent.asked[0].bridge) == (BONDS, "br0")
        seen = await inspect(world, inspected=MACS)
        assert (seen.mac_entries[0].mac_address, seen.mac_entries[0].age_s) == ("50:6b:8d:00:00:01", 3)
        assert agent.asked[1].bridge == ""
        # Many at once are told apart.
        both = await asyncio.gather(*(inspect(world, inspected=kind) for kind in (BONDS, MACS) * 20))
        assert [bool(one.bonds) for one in both] == [True, False] * 20


async def test_an_answer_that_cannot_be_had_says_why(world: World) -> None:
    await world.furnish()
    unavailable = grpc.StatusCode.UNAVAILABLE
    async with refused(unavailable, text="host h1: its agent is not connected"):
        await inspect(world, inspected=BONDS)
    async with InspectedAgent(world) as agent:
        agent.problem = "ovs-vswitchd does not answer"
        async with refused(unavailable, text="host h1: ovs-vswitchd does not answer"):
            await inspect(world, inspected=BONDS)
        # What could be read in spite of it is told with it.
        agent.problem, agent.partial = "br1 is missing", True
        seen = await inspect(world, inspected=BONDS)
        assert (seen.problem, len(seen.bonds)) == ("br1 is missing", 1)
        agent.problem, agent.silent = "", True
        began = time.monotonic()
        async with refused(unavailable, text="has not answered in 3 s"):
            await inspect(world, inspected=BONDS)
        assert 2.5 < time.monotonic() - began < 6
        # It comes too late, and is nobody's.
        await agent.send(inspection=agent_pb2.Inspection(id=agent.asked[-1].id, problem="late"))
        agent.silent = False
        assert (await inspect(world, inspected=BONDS)).bonds
        agent.silent = True
        waiting = asyncio.ensure_future(inspect(world, inspected=BONDS))
        await agent.until(lambda: len(agent.asked) == 5)
        agent._call.cancel()
        async with refused(unavailable, text="its agent disconnected"):
            await waiting


async def test_wrong_questions_are_refused(world: World) -> None:
    await world.furnish()
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    async with InspectedAgent(world) as agent:
        async with refused(invalid, "inspected", text="is not set; use INSPECTED_BONDS or"):
            await inspect(world)
        async with refused(invalid, "inspected", text="77 is unknown"):
            await inspect(world, inspected=77)
        async with refused(invalid, "bridge", text="is no uplink bridge of hosts/h1; it has br0"):
            await inspect(world, inspected=BONDS, bridge="br0; reboot")
        async with refused(invalid, "name", text="hosts/h1"):
            await inspect(world, name="h1", inspected=BONDS)
        async with refused(grpc.StatusCode.NOT_FOUND, "name", text="hosts/h9 does not exist"):
            await inspect(world, name="hosts/h9", inspected=BONDS)
        assert agent.asked == []
        assert (await inspect(world, inspected=BONDS)).bonds


async def test_a_probe_comes_back_on_the_stream_that_carried_it(world: World) -> None:
    await world.furnish()
    async with InspectedAgent(world) as agent, InspectedAgent(world, "h2") as other:
        heard = len(world.reports.log)
        for number in (7, 8, 2**62):
            await agent.send(probe=number)
        await agent.until(lambda: agent.echoes == [7, 8, 2**62])
        assert other.echoes == []
        assert len(world.reports.log) == heard  # it is no report
        # With a report it is both; 0 is no probe.
        await agent.send(probe=9, report=agent_pb2.HostReport(host_id="h1", nb_cfg=5))
        await agent.until(lambda: agent.echoes[-1] == 9)
        await agent.until(lambda: len(world.reports.log) == heard + 1)


async def test_a_probe_with_the_first_report_comes_back_as_well(world: World) -> None:
    await world.furnish()
    call: Any = agent_pb2_grpc.AgentServiceStub(world.channel).Connect()
    await call.write(agent_pb2.ConnectRequest(report=agent_pb2.HostReport(host_id="h1"), probe=5))
    first = await asyncio.wait_for(call.read(), 5)
    assert first.echo == 5  # before the assignment, however large that is
    assert (await asyncio.wait_for(call.read(), 5)).HasField("assignment")
    call.cancel()


async def test_a_flood_of_probes_is_no_burden(world: World) -> None:
    await world.furnish()
    async with InspectedAgent(world) as agent:
        for number in range(1, 2001):
            await agent.send(probe=number)
        await agent.until(lambda: agent.echoes and agent.echoes[-1] == 2000)
        assert agent.echoes == sorted(set(agent.echoes))
        await world.nics.CreateNic(nic("a", host="hosts/h1"))
        await agent.until(lambda: agent.assignments == 2)
