"""What clients may count on when they repeat themselves, or race."""

from __future__ import annotations

import asyncio
import threading

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from netctl.model.keys import Kind
from netctl.v1 import network_pb2 as network
from tests.functional.server.world import World, nic, refused, until


async def test_the_same_request_again_gives_the_same_answer(world: World) -> None:
    await world.furnish()
    request = nic("a")
    request.request_id = "9f0c"
    first = await world.nics.CreateNic(request)
    revision = world.admission.snapshot().revision
    assert await world.nics.CreateNic(request) == first
    assert world.admission.snapshot().revision == revision


async def test_the_same_id_with_another_body_is_an_error(world: World) -> None:
    await world.furnish()
    request = nic("a")
    request.request_id = "9f0c"
    await world.nics.CreateNic(request)
    request.nic.display_name = "Another"
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "request_id", text="another request"):
        await world.nics.CreateNic(request)
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "request_id"):
        await world.nics.DeleteNic(network.DeleteNicRequest(name="nics/a", request_id="9f0c"))


async def test_a_removal_and_a_masked_update_can_be_repeated(world: World) -> None:
    await world.furnish()
    await world.nics.CreateNic(nic("a"))
    update = network.UpdateNicRequest(
        nic=network.Nic(name="nics/a", subnet="subnets/web", display_name="A"),
        update_mask=FieldMask(paths=["display_name"]),
        request_id="u1",
    )
    first = await world.nics.UpdateNic(update)
    removal = network.DeleteNicRequest(name="nics/a", request_id="d1")
    removed = await world.nics.DeleteNic(removal)
    assert await world.nics.DeleteNic(removal) == removed
    again = await world.nics.UpdateNic(update)
    assert (again.nic.uid, again.nic.revision) == (first.nic.uid, first.nic.revision)
    assert world.admission.snapshot().revision == removed.revision


@pytest.mark.parametrize("request_id", ["x" * 37, "a b", "é", "a\n"])
async def test_an_id_that_is_no_id_is_refused(world: World, request_id: str) -> None:
    request = nic("a")
    request.request_id = request_id
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "request_id"):
        await world.nics.CreateNic(request)


async def test_a_write_on_an_old_revision_is_refused(world: World) -> None:
    await world.furnish()
    created = (await world.nics.CreateNic(nic("a"))).nic
    update = network.UpdateNicRequest(
        nic=network.Nic(name="nics/a", display_name="A"),
        update_mask=FieldMask(paths=["display_name"]),
        if_revision=created.revision,
    )
    updated = (await world.nics.UpdateNic(update)).nic
    async with refused(grpc.StatusCode.ABORTED, "if_revision", text=f"revision {updated.revision}"):
        await world.nics.UpdateNic(update)
    whole = network.UpdateNicRequest(
        nic=network.Nic(name="nics/a", subnet="subnets/web"), if_revision=created.revision
    )
    async with refused(grpc.StatusCode.ABORTED, "if_revision"):
        await world.nics.UpdateNic(whole)
    async with refused(grpc.StatusCode.ABORTED, "if_revision"):
        await world.nics.DeleteNic(network.DeleteNicRequest(name="nics/a", if_revision=created.revision))
    await world.nics.DeleteNic(network.DeleteNicRequest(name="nics/a", if_revision=updated.revision))


async def test_parallel_masked_updates_lose_nothing(world: World) -> None:
    await world.furnish()
    await world.nics.CreateNic(nic("a"))

    async def label(number: int) -> None:
        change = network.Nic(name="nics/a", labels={f"k{number}": "x"})
        mask = FieldMask(paths=[f"labels.k{number}"])
        await world.nics.UpdateNic(network.UpdateNicRequest(nic=change, update_mask=mask))

    await asyncio.gather(*(label(number) for number in range(50)))
    got = (await world.nics.GetNic(network.GetNicRequest(name="nics/a"))).nic
    assert set(got.labels) == {f"k{number}" for number in range(50)}


async def test_who_gives_up_waiting_has_asked_for_nothing(world: World) -> None:
    await world.furnish()
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        release.wait(10)

    world.admission.on_change(hold)
    await world.nics.CreateNic(nic("first"))
    assert await asyncio.to_thread(held.wait, 5)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.nics.CreateNic(nic("late"), timeout=0.05)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    call = world.nics.CreateNic(nic("gone"))
    await until(lambda: world.admission.waiting() == 2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    # The server answers others while its writer is held up.
    await world.nics.GetNic(network.GetNicRequest(name="nics/first"))
    release.set()
    await world.nics.CreateNic(nic("last"))
    assert list(world.admission.snapshot().ids(Kind.NIC)) == ["first", "last"]
