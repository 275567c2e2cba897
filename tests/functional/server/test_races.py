"""A hundred parallel clients in one /24: no address twice, none lost, exact exhaustion."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import AsyncExitStack, closing
from dataclasses import replace

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from netctl.model.intent import Replace
from netctl.model.keys import Kind, NicId
from netctl.model.nic import Nic
from netctl.server.requests import Request
from netctl.v1 import network_pb2 as network
from netctl.v1 import network_pb2_grpc
from tests.functional.server.world import World, nic, refused, until

CLIENTS = 100
# 254 host addresses of a /24 without the DHCP server's.
FREE = 253


async def stubs(world: World, stack: AsyncExitStack) -> list[network_pb2_grpc.NicServiceAsyncStub]:
    # Channels with different arguments share no connection.
    options = [[("netctl.client", number)] for number in range(CLIENTS)]
    channels = [
        await stack.enter_async_context(grpc.aio.insecure_channel(world.address, options=one))
        for one in options
    ]
    return [network_pb2_grpc.NicServiceStub(channel) for channel in channels]


async def test_a_hundred_clients_fill_a_subnet_exactly(world: World) -> None:
    await world.furnish()
    async with AsyncExitStack() as stack:
        clients = await stubs(world, stack)
        outcomes: list[str] = []

        async def client(number: int) -> None:
            for attempt in range(4):
                try:
                    answer = await clients[number].CreateNic(nic(f"n{number}-{attempt}"))
                except grpc.aio.AioRpcError as error:
                    outcomes.append(error.code().name)
                else:
                    outcomes.append(answer.nic.ipv4_address)

        await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    addresses = {outcome for outcome in outcomes if "." in outcome}
    refusals = [outcome for outcome in outcomes if "." not in outcome]
    stored = [one for one in world.admission.snapshot().of_kind(Kind.NIC) if isinstance(one, Nic)]
    assert len(addresses) == len(stored) == FREE
    assert refusals == ["RESOURCE_EXHAUSTED"] * (4 * CLIENTS - FREE)
    assert len({one.mac_address for one in stored}) == FREE
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "nic.ipv4_address", text="all 253"):
        await world.nics.CreateNic(nic("more"))
    # What was refused took nothing, what is removed is free again.
    await world.nics.DeleteNic(network.DeleteNicRequest(name=f"nics/{stored[0].id}"))
    assert (await world.nics.CreateNic(nic("more"))).nic.ipv4_address == stored[0].ipv4_address


async def test_churn_of_many_clients_leaks_nothing(world: World) -> None:
    await world.furnish("10.0.0.0/26")
    source = random.Random(3)
    seen: dict[str, str] = {}
    double: list[str] = []
    refusals: set[grpc.StatusCode] = set()

    async def client(number: int) -> None:
        for attempt in range(20):
            name = f"n{number}-{attempt}"
            try:
                answer = await world.nics.CreateNic(nic(name))
            except grpc.aio.AioRpcError as error:
                refusals.add(error.code())
                continue
            address = answer.nic.ipv4_address
            if address in seen:
                double.append(address)
            seen[address] = name
            await asyncio.sleep(source.random() / 500)
            del seen[address]
            await world.nics.DeleteNic(network.DeleteNicRequest(name=f"nics/{name}"))

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    assert not double
    assert refusals <= {grpc.StatusCode.RESOURCE_EXHAUSTED}
    snapshot = world.admission.snapshot()
    assert snapshot.count(Kind.NIC) == 0
    answers = await asyncio.gather(*(world.nics.CreateNic(nic(f"after{number}")) for number in range(61)))
    assert len({answer.nic.ipv4_address for answer in answers}) == 61
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "nic.ipv4_address"):
        await world.nics.CreateNic(nic("more"))


async def test_a_masked_update_keeps_what_was_written_while_it_waited(world: World) -> None:
    await world.furnish()
    await world.nics.CreateNic(nic("a"))
    stored = world.admission.snapshot().nic(NicId("a"))
    assert stored is not None
    other = Request(edits=(Replace(intent=replace(stored, connected=False)),))
    with closing(sqlite3.connect(world.store.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")  # the store's commit waits for it
        first = world.admission.submit(other)
        await until(lambda: not world.admission.waiting())
        mask = FieldMask(paths=["display_name"])
        named = network.Nic(name="nics/a", display_name="web")
        update = world.nics.UpdateNic(network.UpdateNicRequest(nic=named, update_mask=mask))
        second = asyncio.ensure_future(update)
        await until(world.admission.waiting)
        holder.execute("ROLLBACK")
    await asyncio.wrap_future(first)
    answer = (await second).nic
    assert (answer.connected, answer.display_name) == (False, "web")
