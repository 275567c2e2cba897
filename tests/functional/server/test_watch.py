"""Watches: everything, then what changes; resumed without a loss; slow ones hurt nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from netctl.model.keys import Kind
from netctl.model.status import Phase
from netctl.server.serve import serve
from netctl.v1 import network_pb2 as network
from netctl.v1 import operations_pb2 as pb
from netctl.v1 import operations_pb2_grpc, status_pb2
from tests.functional.server.world import World, nic, refused

PUT, REMOVED, SYNCED = pb.EVENT_KIND_PUT, pb.EVENT_KIND_REMOVED, pb.EVENT_KIND_SYNCED


class Watching:
    """One stream and what it said."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.revision = 0

    async def next(self) -> pb.WatchResponse:
        event = await asyncio.wait_for(self.call.read(), 5)
        assert isinstance(event, pb.WatchResponse), await self.call.details()
        self.revision = event.revision
        return event

    async def until_synced(self) -> list[pb.WatchResponse]:
        events = []
        while (event := await self.next()).kind != SYNCED:
            events.append(event)
        return events

    async def status_of(self, name: str, phase: int) -> pb.WatchResponse:
        """Return the first event that shows a NIC in a phase."""
        while True:
            event = await self.next()
            if event.name == name and event.resource.nic.status.phase == phase:
                return event

    async def quiet(self) -> bool:
        """Tell whether nothing comes any more; the stream is of no use afterwards."""
        try:
            await asyncio.wait_for(self.call.read(), 0.15)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def watching(world: World, **fields: Any) -> AsyncIterator[Watching]:
    call = world.watches.Watch(pb.WatchRequest(**fields))
    yield Watching(call)
    call.cancel()


def names(events: list[pb.WatchResponse]) -> list[str]:
    return [event.name for event in events]


async def test_everything_comes_first_then_what_changes(world: World) -> None:
    await world.furnish()
    async with watching(world) as watch:
        first = await watch.until_synced()
        everything = ["clusters/c1", "virtualSwitches/vs0", "hosts/h1", "hosts/h2", "subnets/web"]
        assert names(first) == everything
        assert {event.kind for event in first} == {PUT}
        assert first[-1].resource.subnet.status.phase == status_pb2.PHASE_PENDING
        assert watch.revision == world.admission.snapshot().revision == 5

        created = (await world.nics.CreateNic(nic("a"))).nic
        event = await watch.next()
        assert (event.kind, event.name, event.revision) == (PUT, "nics/a", 6)
        assert event.resource.nic == created
        await world.nics.DeleteNic(network.DeleteNicRequest(name="nics/a"))
        event = await watch.next()
        assert (event.kind, event.name, event.revision) == (REMOVED, "nics/a", 7)
        assert not event.HasField("resource")
        assert await watch.quiet()


async def test_an_empty_store_is_synced_at_once(world: World) -> None:
    async with watching(world) as watch:
        assert await watch.until_synced() == []


async def test_status_changes_come_without_a_change_of_the_intent(world: World) -> None:
    await world.furnish()
    created = (await world.nics.CreateNic(nic("a"))).nic
    async with watching(world, collections=["nics"]) as watch:
        await watch.until_synced()
        world.statuses.settle((Kind.NIC, "a"), created.revision, Phase.FAILED, "TAP_MISSING")
        event = await watch.next()
        assert event.resource.nic.status.reason == "TAP_MISSING"
        assert event.revision == created.revision
        # The board only says that it may have changed.
        world.statuses.mark((Kind.NIC, "a"))
        world.statuses.mark((Kind.SUBNET, "web"))
        world.statuses.settle((Kind.NIC, "a"), created.revision, Phase.PROGRAMMED)
        event = await watch.next()
        assert event.resource.nic.status.phase == status_pb2.PHASE_PROGRAMMED
        assert await watch.quiet()


async def test_only_what_was_asked_for_comes(world: World) -> None:
    await world.furnish()
    await world.nics.CreateNic(nic("a"))
    async with (
        watching(world, collections=["subnets", "clusters"]) as some,
        watching(world, names=["nics/a", "nics/later", "subnets/web"]) as named,
        watching(world, names=["nics/a"], collections=["subnets"]) as nothing,
    ):
        assert names(await some.until_synced()) == ["clusters/c1", "subnets/web"]
        assert names(await named.until_synced()) == ["subnets/web", "nics/a"]
        assert await nothing.until_synced() == []
        await world.nics.CreateNic(nic("other"))
        await world.nics.CreateNic(nic("later"))
        assert (await named.next()).name == "nics/later"
        assert await named.quiet()
        assert await some.quiet()
        assert await nothing.quiet()


async def test_a_watch_resumes_with_what_changed_meanwhile(world: World) -> None:
    await world.furnish()
    for id_ in ("a", "b", "c"):
        await world.nics.CreateNic(nic(id_))
    async with watching(world) as watch:
        await watch.until_synced()
    await world.nics.DeleteNic(network.DeleteNicRequest(name="nics/a"))
    await world.nics.CreateNic(nic("d"))
    for name in ("one", "two"):
        update = network.UpdateNicRequest(
            nic=network.Nic(name="nics/b", subnet="subnets/web", display_name=name)
        )
        await world.nics.UpdateNic(update)
    world.statuses.settle((Kind.NIC, "c"), 10**6)
    async with watching(world, start_revision=watch.revision) as resumed:
        events = await resumed.until_synced()
        seen = {event.name: event for event in events}
        assert names(events) == ["nics/a", "nics/b", "nics/d"]
        assert seen["nics/a"].kind == REMOVED
        assert seen["nics/b"].resource.nic.display_name == "two"
        # Nothing but the last event of a round promises the new revision.
        assert {event.revision for event in events} == {watch.revision}
        assert resumed.revision == world.admission.snapshot().revision
        # Its status changed while nobody watched.
        await resumed.status_of("nics/c", status_pb2.PHASE_PROGRAMMED)


async def test_a_status_that_changed_between_two_watches_is_not_lost(world: World) -> None:
    await world.furnish()
    await world.nics.CreateNic(nic("a"))
    async with watching(world) as watch, watching(world) as other:
        await watch.until_synced()
        await other.until_synced()
        watch.call.cancel()
        # Noticed on behalf of the other one, while this one is away.
        world.statuses.settle((Kind.NIC, "a"), 10**6)
        await other.status_of("nics/a", status_pb2.PHASE_PROGRAMMED)
    async with watching(world, start_revision=watch.revision) as resumed:
        await resumed.status_of("nics/a", status_pb2.PHASE_PROGRAMMED)


async def test_a_watch_that_began_before_the_controller_is_sent_all_statuses(world: World) -> None:
    """The fixture's server began at revision 0; one more server begins now, as after a restart."""
    await world.furnish()
    address = f"{world.address}2"
    server = await serve(world.ports, [address])
    async with grpc.aio.insecure_channel(address) as channel:
        stub = operations_pb2_grpc.WatchServiceStub(channel)
        watch = Watching(stub.Watch(pb.WatchRequest(start_revision=4)))
        events = await watch.until_synced()
        assert len(events) == 5
        assert events[-1].resource.subnet.status.phase == status_pb2.PHASE_PENDING
        watch.call.cancel()
        await world.nics.CreateNic(nic("a"))
        seen = world.admission.snapshot().revision
        await world.nics.DeleteNic(network.DeleteNicRequest(name="nics/a"))
    await server.stop(0)
    address = f"{world.address}3"
    server = await serve(world.ports, [address])
    async with grpc.aio.insecure_channel(address) as channel:
        stub = operations_pb2_grpc.WatchServiceStub(channel)
        watch = Watching(stub.Watch(pb.WatchRequest(start_revision=seen)))
        first, *_ = await watch.until_synced()
        assert (first.name, first.kind) == ("nics/a", REMOVED)
        watch.call.cancel()
    await server.stop(0)


async def test_only_the_last_event_of_a_round_promises_its_revision(world: World) -> None:
    await world.furnish()
    async with watching(world) as watch:
        await watch.until_synced()
        before = watch.revision
        edits = [pb.Edit(create=pb.Resource(nic=nic(id_).nic)) for id_ in ("a", "b")]
        answer = await world.batches.Batch(pb.BatchRequest(edits=edits))
        events = [await watch.next(), await watch.next()]
        assert names(events) == ["nics/a", "nics/b"]
        assert [event.revision for event in events] == [before, answer.revision]


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"start_revision": -1}, "INVALID_ARGUMENT", "start_revision"),
        ({"start_revision": 999}, "OUT_OF_RANGE", ""),
        ({"collections": ["nics", "Subnets"]}, "INVALID_ARGUMENT", "collections[1]"),
        ({"names": ["web"]}, "INVALID_ARGUMENT", "names[0]"),
    ],
)
async def test_what_cannot_be_watched(world: World, fields: dict[str, Any], code: str, field: str) -> None:
    await world.furnish()
    async with refused(grpc.StatusCode[code], field):
        async for _ in world.watches.Watch(pb.WatchRequest(**fields)):
            pass


async def test_a_slow_watcher_blocks_nobody_and_gets_the_last_state(world: World) -> None:
    await world.furnish()
    await world.nics.CreateNic(nic("a"))
    labels = {f"k{number}": "\U0001f600" * 256 for number in range(64)}
    rounds = 200
    async with watching(world) as slow, watching(world) as quick:
        await slow.until_synced()
        await quick.until_synced()
        for number in range(rounds):
            change = network.Nic(name="nics/a", subnet="subnets/web", display_name=str(number), labels=labels)
            await world.nics.UpdateNic(network.UpdateNicRequest(nic=change))
            assert (await quick.next()).resource.nic.display_name == str(number)
        received = 1
        while (await slow.next()).resource.nic.display_name != str(rounds - 1):
            received += 1
        # What did not fit into gRPC's window was coalesced.
        assert received < rounds


async def test_a_stopping_server_ends_its_watches(world: World) -> None:
    call = world.watches.Watch(pb.WatchRequest())
    async with refused(grpc.StatusCode.UNAVAILABLE, text="resume"):
        async for event in call:
            assert event.kind == SYNCED
            stopping = asyncio.create_task(world.server.stop(5))
    await asyncio.wait_for(stopping, 2)


async def test_many_watchers_see_every_change(world: World) -> None:
    await world.furnish()
    calls = [world.watches.Watch(pb.WatchRequest(collections=["nics"])) for _ in range(100)]
    watches = [Watching(call) for call in calls]
    for watch in watches:
        await watch.until_synced()
    await world.nics.CreateNic(nic("a"))
    events = await asyncio.gather(*(watch.next() for watch in watches))
    assert set(names(events)) == {"nics/a"}
    for call in calls:
        call.cancel()
