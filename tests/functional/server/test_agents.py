"""The agents' stream: assignments go down when they change, reports come up, one stream for each host."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from netctl.v1 import agent_pb2 as pb
from netctl.v1 import agent_pb2_grpc
from netctl.v1 import infra_pb2 as infra
from netctl.v1 import network_pb2 as network
from tests.functional.server.world import World, nic, refused, until


class Agent:
    """One host's end of the stream."""

    def __init__(self, world: World, host: str = "h1", **report: Any) -> None:
        self.host = host
        self.call: Any = agent_pb2_grpc.AgentServiceStub(world.channel).Connect()
        self._first = report

    async def __aenter__(self) -> Agent:
        await self.report(**self._first)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.call.cancel()

    async def report(self, **fields: Any) -> None:
        await self.call.write(pb.ConnectRequest(report=pb.HostReport(host_id=self.host, **fields)))

    async def assignment(self) -> pb.Assignment:
        answer = await asyncio.wait_for(self.call.read(), 5)
        assert isinstance(answer, pb.ConnectResponse), await self.call.details()
        return answer.assignment

    async def ends_with(self, code: str, text: str) -> None:
        with contextlib.suppress(grpc.aio.AioRpcError):
            while await asyncio.wait_for(self.call.read(), 5) is not grpc.aio.EOF:
                pass
        assert await self.call.code() is grpc.StatusCode[code]
        assert text in await self.call.details()


def names(assignment: pb.Assignment) -> list[str]:
    return [one.nic_id for one in assignment.nics]


async def test_the_assignment_comes_at_once_and_when_it_changes(world: World) -> None:
    await world.furnish()
    async with Agent(world) as agent:
        first = await agent.assignment()
        assert (first.host_id, first.revision, first.chassis.system_id, names(first)) == ("h1", 5, "h1", [])
        # Another host's NIC is none of our business, and the revision alone is no news.
        await world.nics.CreateNic(nic("other", host="hosts/h2"))
        created = (await world.nics.CreateNic(nic("a", host="hosts/h1"))).nic
        second = await agent.assignment()
        assert (second.revision, names(second)) == (7, ["a"])
        assert (second.nics[0].iface_id, second.nics[0].tap_name) == (created.uid, created.tap_name)
        await world.nics.DeleteNic(network.DeleteNicRequest(name="nics/a"))
        assert names(await agent.assignment()) == []


async def test_a_host_that_moved_is_told_although_it_has_to_do_nothing(world: World) -> None:
    """Its status waits for the agent to confirm the host's own revision."""
    await world.furnish()
    async with Agent(world) as agent:
        assert (await agent.assignment()).revision == 5
        change = infra.Host(name="hosts/h1", display_name="Rack 1")
        mask = FieldMask(paths=["display_name"])
        await world.hosts.UpdateHost(infra.UpdateHostRequest(host=change, update_mask=mask))
        assert (await agent.assignment()).revision == 6


async def test_reports_are_heard_and_the_end_of_the_stream_as_well(world: World) -> None:
    await world.furnish()
    heard = world.reports.log
    async with Agent(world, nb_cfg=1) as agent:
        await agent.assignment()
        await agent.report(nb_cfg=2, problems=["no eth1"])
        await until(lambda: len(heard) == 2)
    await until(lambda: len(heard) == 3)
    assert [host for host, _ in heard] == ["h1"] * 3
    assert [report and (report.nb_cfg, report.problems) for _, report in heard] == [
        (1, ()),
        (2, ("no eth1",)),
        None,
    ]


async def test_what_a_host_said_last_can_be_asked_for(world: World) -> None:
    await world.furnish()
    request = infra.GetHostReportRequest(name="hosts/h1")
    assert not (await world.hosts.GetHostReport(request)).HasField("report")
    async with Agent(world, nb_cfg=7) as agent:
        await agent.assignment()
        heard = await world.hosts.GetHostReport(request)
        assert (heard.connected, heard.report.host_id, heard.report.nb_cfg) == (True, "h1", 7)
    await until(lambda: world.reports.log[-1] == ("h1", None))
    heard = await world.hosts.GetHostReport(request)
    assert (heard.connected, heard.report.nb_cfg) == (False, 7)
    with pytest.raises(grpc.aio.AioRpcError, match=r"hosts/h9 does not exist"):
        await world.hosts.GetHostReport(infra.GetHostReportRequest(name="hosts/h9"))


async def test_an_agent_that_ends_its_stream_is_noted(world: World) -> None:
    await world.furnish()
    async with Agent(world) as agent:
        await agent.assignment()
        await agent.call.done_writing()
        await agent.ends_with("OK", "")
        assert world.reports.log[-1] == ("h1", None)


async def test_an_unknown_host_is_refused_until_it_is_there(world: World) -> None:
    await world.furnish()
    async with Agent(world, "h9") as agent:
        await agent.ends_with("NOT_FOUND", "hosts/h9 does not exist")
    assert world.reports.log == []
    async with Agent(world, "") as agent:
        await agent.ends_with("INVALID_ARGUMENT", "is empty")


async def test_a_host_that_is_removed_loses_its_stream(world: World) -> None:
    await world.furnish()
    async with Agent(world) as agent:
        await agent.assignment()
        await world.hosts.DeleteHost(infra.DeleteHostRequest(name="hosts/h1"))
        await agent.ends_with("NOT_FOUND", "hosts/h1 does not exist")
        await until(lambda: world.reports.log[-1] == ("h1", None))


async def test_a_second_stream_replaces_the_first(world: World) -> None:
    await world.furnish()
    async with Agent(world, nb_cfg=1) as old:
        await old.assignment()
        async with Agent(world, nb_cfg=2) as new:
            assert (await new.assignment()).host_id == "h1"
            await old.ends_with("ABORTED", "another agent")
            # The old one's end is not the host's.
            assert [report is None for _, report in world.reports.log] == [False, False]
            await world.nics.CreateNic(nic("a", host="hosts/h1"))
            assert names(await new.assignment()) == ["a"]
        await until(lambda: world.reports.log[-1] == ("h1", None))


async def test_a_stream_is_for_one_host(world: World) -> None:
    await world.furnish()
    async with Agent(world) as agent:
        await agent.assignment()
        agent.host = "h2"
        await agent.report()
        await agent.ends_with("INVALID_ARGUMENT", "one stream is for one host")
    assert {host for host, _ in world.reports.log} == {"h1"}


async def test_a_slow_agent_gets_the_newest_assignment(world: World) -> None:
    await world.furnish()
    async with Agent(world) as agent:
        for number in range(100):
            await world.nics.CreateNic(nic(f"n{number}", host="hosts/h1"))
        count = 0
        while len(names(await agent.assignment())) != 100:
            count += 1
        assert count <= 100


async def test_a_stopping_server_ends_the_streams(world: World) -> None:
    await world.furnish()
    async with Agent(world) as agent:
        await agent.assignment()
        stopping = asyncio.create_task(world.server.stop(5))
        await agent.ends_with("UNAVAILABLE", "connect again")
        await asyncio.wait_for(stopping, 2)


async def test_malformed_reports_end_the_stream_cleanly(world: World) -> None:
    await world.furnish()
    raw: Any = world.channel.stream_stream("/netctl.v1.AgentService/Connect")
    report = pb.ConnectRequest(report=pb.HostReport(host_id="h1")).SerializeToString()
    for messages in ([b"\xff\xff\xff"], [report, b"\x0a\xff"]):
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, text="cannot be read"):
            async for _ in raw(iter(messages)):
                pass
    async with Agent(world) as agent:
        assert (await agent.assignment()).host_id == "h1"
