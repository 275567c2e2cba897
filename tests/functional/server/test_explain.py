"""Explanations over gRPC: hits from agents that count, a router from what they and the southbound say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from netctl.compiler.identity import router_uuid
from netctl.model.hits import FlowKey, PolicyFlow, RouterFlows
from netctl.model.keys import Uid
from netctl.server.serve import serve
from netctl.v1 import explain_pb2, explain_pb2_grpc, vpc_pb2, vpc_pb2_grpc
from tests.fakes.southbound import FakeSouthbound
from tests.functional.server.counting import CountingAgent
from tests.functional.server.world import World, refused, until

POLICY = "routingPolicies/deny"
FORTH, BACK = FlowKey(0xFFFF0001, 700), FlowKey(0xFFFF0002, 700)


class Explained:
    """A server with a VPC and a policy, a southbound, and two agents."""

    def __init__(self, world: World, hits_file: Path) -> None:
        self.southbound = FakeSouthbound()
        self.ports = replace(world.ports, southbound=self.southbound, hits_file=hits_file)
        self.world = world
        self._address = f"unix:{hits_file.parent}/explained.sock"

    async def start(self) -> None:
        self._server = await serve(self.ports, [self._address])
        # gRPC shares connections among channels to one address: this one must not meet the one that has just died.
        self.channel = grpc.aio.insecure_channel(
            self._address, options=[("grpc.use_local_subchannel_pool", 1)]
        )
        self.explain = explain_pb2_grpc.ExplainServiceStub(self.channel)
        self.h1 = await CountingAgent(self.channel, "h1").__aenter__()
        self.h2 = await CountingAgent(self.channel, "h2").__aenter__()

    async def stop(self) -> None:
        for agent in (self.h1, self.h2):
            await agent.__aexit__()
        await self.channel.close()
        await self._server.stop(0)

    async def furnish(self) -> None:
        vpcs = vpc_pb2_grpc.VpcServiceStub(self.world.channel)
        made = (await vpcs.CreateVpc(vpc_pb2.CreateVpcRequest(vpc=vpc_pb2.Vpc(name="vpcs/blue")))).vpc
        policy = vpc_pb2.RoutingPolicy(
            name=POLICY,
            vpc="vpcs/blue",
            priority=300,
            action=vpc_pb2.ROUTING_POLICY_ACTION_DENY,
            bidirectional=True,
        )
        policies = vpc_pb2_grpc.RoutingPolicyServiceStub(self.world.channel)
        await policies.CreateRoutingPolicy(vpc_pb2.CreateRoutingPolicyRequest(routing_policy=policy))
        flows = (PolicyFlow(601, FORTH.cookie), PolicyFlow(600, BACK.cookie), PolicyFlow(401, 77))
        self.southbound.flows[router_uuid(Uid(made.uid))] = RouterFlows(700, flows)

    async def hits(self) -> Any:
        return await self.explain.GetRoutingPolicyHits(explain_pb2.GetRoutingPolicyHitsRequest(name=POLICY))

    async def clear(self) -> None:
        await self.explain.ClearRoutingPolicyHits(explain_pb2.ClearRoutingPolicyHitsRequest(name=POLICY))

    async def describe(self) -> Any:
        return await self.explain.ExplainVpc(explain_pb2.ExplainVpcRequest(name="vpcs/blue"))


@pytest.fixture
async def explained(world: World, tmp_path: Path) -> AsyncIterator[Explained]:
    await world.furnish()
    async with AsyncExitStack() as last:
        made = Explained(world, tmp_path / "hits.json")
        await made.furnish()
        await made.start()
        last.push_async_callback(lambda: made.stop())
        yield made


async def test_hits_are_summed_over_hosts_and_both_directions(explained: Explained) -> None:
    explained.h1.counters = {FORTH: (3, 300), BACK: (1, 100)}
    explained.h2.counters = {FORTH: (5, 500)}
    hits = await explained.hits()
    assert (hits.packets, hits.bytes) == (9, 900)
    assert [(host.host, host.packets) for host in hits.hosts] == [("hosts/h1", 4), ("hosts/h2", 5)]
    assert list(hits.missing_hosts) == []
    assert not hits.HasField("clear_time")
    assert explained.h1.asked == [{FORTH, BACK}]  # of no other policy


async def test_counters_that_start_anew_do_not_make_the_sum_fall(explained: Explained) -> None:
    explained.h1.counters = {FORTH: (7, 700)}
    assert (await explained.hits()).packets == 7
    explained.h1.counters = {FORTH: (2, 200)}
    assert (await explained.hits()).packets == 9


async def test_counters_are_looked_at_though_nobody_asks(
    explained: Explained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a flow counted before it was installed anew is lost otherwise."""
    await explained.stop()
    monkeypatch.setattr("netctl.server.hits.LOOK_S", 0.05)
    await explained.start()
    explained.h1.counters = {FORTH: (7, 700)}
    for counters in ({FORTH: (7, 700)}, {FORTH: (1, 100)}):
        explained.h1.counters, looks = counters, len(explained.h1.asked)
        await until(lambda looks=looks: len(explained.h1.asked) >= looks + 2)  # type: ignore[misc]
    assert (await explained.hits()).packets == 8


async def test_cleared_is_zero_with_the_time(explained: Explained) -> None:
    explained.h1.counters = {FORTH: (7, 700)}
    await explained.clear()
    hits = await explained.hits()
    assert (hits.packets, hits.bytes, hits.HasField("clear_time")) == (0, 0, True)
    explained.h1.counters = {FORTH: (8, 800)}
    assert (await explained.hits()).packets == 1


async def test_sums_survive_a_restart_of_the_controller(explained: Explained) -> None:
    explained.h1.counters = {FORTH: (7, 700)}
    await explained.clear()
    explained.h1.counters = {FORTH: (9, 900)}
    before = await explained.hits()
    await explained.stop()
    await explained.start()
    explained.h1.counters = {FORTH: (10, 1000)}
    after = await explained.hits()
    assert (before.packets, after.packets) == (2, 3)
    assert after.clear_time == before.clear_time


async def test_a_damaged_file_of_sums_counts_as_none(explained: Explained, tmp_path: Path) -> None:
    explained.h1.counters = {FORTH: (7, 700)}
    await explained.hits()
    await explained.stop()
    (tmp_path / "hits.json").write_text("{half")
    await explained.start()
    assert (await explained.hits()).packets == 0


async def test_hosts_that_do_not_answer_are_named_and_what_they_said_before_counts(
    explained: Explained,
) -> None:
    explained.h1.counters, explained.h2.counters = {FORTH: (3, 300)}, {FORTH: (4, 400)}
    await explained.hits()
    explained.h1.problem, explained.h2.silent = "ovs-vswitchd cannot be asked", True
    hits = await explained.hits()
    assert list(hits.missing_hosts) == ["hosts/h1", "hosts/h2"]
    assert hits.packets == 7
    explained.h1.problem = ""
    assert list((await explained.hits()).missing_hosts) == ["hosts/h2"]


async def test_an_agent_that_leaves_while_it_is_asked_is_missing_at_once(explained: Explained) -> None:
    explained.h1.silent = True
    asking = asyncio.create_task(explained.hits())
    await until(lambda: explained.h2.asked)
    await explained.h1.__aexit__()
    assert list((await asyncio.wait_for(asking, 2)).missing_hosts) == ["hosts/h1"]


async def test_a_southbound_that_is_away_is_said(explained: Explained) -> None:
    explained.southbound.away = True
    async with refused(grpc.StatusCode.UNAVAILABLE, text="southbound database"):
        await explained.hits()
    async with refused(grpc.StatusCode.UNAVAILABLE, text="southbound database"):
        await explained.clear()
    router = await explained.describe()  # what is known is told all the same
    assert any("southbound database" in problem for problem in router.problems)


async def test_unknown_names_are_not_found(explained: Explained) -> None:
    async with refused(grpc.StatusCode.NOT_FOUND, "name", text="routingPolicies/x does not exist"):
        await explained.explain.GetRoutingPolicyHits(
            explain_pb2.GetRoutingPolicyHitsRequest(name="routingPolicies/x")
        )
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "name"):
        await explained.explain.ClearRoutingPolicyHits(
            explain_pb2.ClearRoutingPolicyHitsRequest(name="vpcs/blue")
        )
    async with refused(grpc.StatusCode.NOT_FOUND, "name", text="vpcs/red does not exist"):
        await explained.explain.ExplainVpc(explain_pb2.ExplainVpcRequest(name="vpcs/red"))
    async with refused(grpc.StatusCode.NOT_FOUND, "nic", text="nics/x does not exist"):
        await explained.explain.Trace(explain_pb2.TraceRequest(nic="nics/x", destination="8.8.8.8"))


async def test_a_router_has_its_policies_with_hits(explained: Explained) -> None:
    explained.h2.counters = {FORTH: (5, 500)}
    (policy,) = (await explained.describe()).policies
    assert (policy.name, policy.priority, policy.match) == (POLICY, 300, "any any <-> any")
    assert (policy.packets, policy.bytes, policy.active) == (5, 500, True)
    explained.southbound.flows.clear()
    (policy,) = (await explained.describe()).policies
    assert (policy.active, policy.reason, policy.packets) == (False, "not installed yet", 5)


async def test_without_a_southbound_the_answer_says_what_to_do(world: World) -> None:
    await world.furnish()
    made = Explained(world, Path("/nowhere"))
    await made.furnish()
    stub = explain_pb2_grpc.ExplainServiceStub(world.channel)
    async with refused(grpc.StatusCode.UNAVAILABLE, text="--southbound"):
        await stub.GetRoutingPolicyHits(explain_pb2.GetRoutingPolicyHitsRequest(name=POLICY))
    async with refused(grpc.StatusCode.UNAVAILABLE, text="--southbound"):
        await stub.Trace(explain_pb2.TraceRequest(nic="nics/x", destination="8.8.8.8"))
