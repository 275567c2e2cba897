"""Bytes of images: they come whole, from one side, or nothing of them is left."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import grpc
import pytest

from netctl.errors import InvalidIntent
from netctl.model.image import ImageFormat
from netctl.model.intent import StoreImage
from netctl.model.keys import ImageId, Uid
from netctl.server.image_store import ImageStore
from netctl.v1 import agent_compute_pb2 as agent
from netctl.v1 import agent_compute_pb2_grpc, compute_pb2_grpc
from netctl.v1 import compute_pb2 as compute
from tests.functional.server.compute import admit, empty_disk, place, vm
from tests.functional.server.world import World, refused, until

INVALID, MISSING = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
EXISTS = grpc.StatusCode.ALREADY_EXISTS
CHUNK = 1 << 20
RAW = bytes(range(256)) * (12 << 10) + b"the end of a disk".ljust(512)  # 3 MiB and a sector
SHA256 = hashlib.sha256(RAW).hexdigest()


async def create(world: World, id: str = "debian", **fields: Any) -> compute.Image:
    request = compute.CreateImageRequest(image=compute.Image(name=f"images/{id}", **fields))
    return (await world.images.CreateImage(request)).image


def pieces(raw: bytes, id: str = "debian", size_bytes: int = 0) -> list[compute.UploadImageRequest]:
    """Return the messages of an upload."""
    found = [compute.UploadImageRequest(data=raw[at : at + CHUNK]) for at in range(0, len(raw), CHUNK)]
    found = found or [compute.UploadImageRequest()]
    found[0].name, found[0].size_bytes = f"images/{id}", size_bytes
    return found


async def upload(world: World, messages: Iterable[compute.UploadImageRequest]) -> compute.Image:
    """Upload as the CLI does: gRPC's asyncio client takes a refusal before all was sent for its own fault."""

    def call() -> compute.Image:
        with grpc.insecure_channel(world.address) as channel:
            return compute_pb2_grpc.ImageServiceStub(channel).UploadImage(iter(messages), timeout=20).image

    return await asyncio.to_thread(call)


async def read(world: World, id: str = "debian", offset: int = 0) -> bytes:
    """Return an image's bytes as a host gets them."""
    call = world.compute_agents.ReadImage(agent.ReadImageRequest(image_id=id, offset=offset))
    raw = b""
    async for message in call:
        raw += message.data
        assert message.total_bytes == len(RAW)
    return raw


def left(tmp_path: Path) -> list[str]:
    folder = tmp_path / "images"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def test_what_is_uploaded_is_there_for_hosts(world: World, tmp_path: Path) -> None:
    image = await create(world, sha256=SHA256)
    async with refused(grpc.StatusCode.UNAVAILABLE, text="is not stored yet"):
        await read(world)
    stored = await upload(world, pieces(RAW, size_bytes=len(RAW)))
    assert (stored.format, stored.sha256) == (compute.IMAGE_FORMAT_RAW, SHA256)
    assert (stored.size_bytes, stored.stored_bytes) == (len(RAW), len(RAW))
    assert stored.revision == image.revision + 1
    assert left(tmp_path) == [image.uid]
    assert (tmp_path / "images" / image.uid).stat().st_mode & 0o777 == 0o600
    assert await read(world) == RAW
    assert await read(world, offset=CHUNK + 7) == RAW[CHUNK + 7 :]
    assert await read(world, offset=len(RAW)) == b""
    for offset in (-1, len(RAW) + 1):
        async with refused(INVALID, "offset", text="is outside 0 to"):
            await read(world, offset=offset)
    async with refused(EXISTS, "name", text="is stored already: make another image"):
        await upload(world, pieces(RAW))
    assert await read(world) == RAW


@pytest.mark.parametrize(
    ("fields", "raw", "size_bytes", "field", "text"),
    [
        ({"sha256": "5e" * 32}, RAW, 0, "sha256", "of what came, not 5e5e"),
        ({}, RAW, len(RAW) + 1, "data", "is truncated; send all of it"),
        ({}, RAW, len(RAW) - 1, "data", "bytes came that were announced"),
        ({}, b"", 0, "data", "is empty"),
        ({}, RAW, -1, "size_bytes", "is negative"),
        ({"format": compute.IMAGE_FORMAT_QCOW2}, RAW, 0, "format", "the content is RAW, not QCOW2"),
        ({}, b"QFI\xfb\0\0\0\3" + (b"\1" * 96), 0, "data", "is damaged"),
    ],
)
async def test_what_is_wrong_leaves_nothing(
    world: World, tmp_path: Path, fields: dict[str, Any], raw: bytes, size_bytes: int, field: str, text: str
) -> None:
    image = await create(world, **fields)
    async with refused(INVALID, field, text=text):
        await upload(world, pieces(raw, size_bytes=size_bytes))
    assert left(tmp_path) == []
    again = (await world.images.GetImage(compute.GetImageRequest(name=image.name))).image
    assert (again.revision, again.stored_bytes) == (image.revision, 0)
    # It can still come.
    if not fields:
        assert (await upload(world, pieces(RAW))).stored_bytes == len(RAW)


async def test_an_image_that_is_not_uploaded_is_not(world: World) -> None:
    await world.furnish()
    await create(world, "web", source_uri="https://images.example/debian.qcow2")
    async with refused(INVALID, "name", text="has source_uri: its bytes come from there"):
        await upload(world, pieces(RAW, "web"))
    async with refused(MISSING, "name", text="images/none does not exist"):
        await upload(world, pieces(RAW, "none"))
    async with refused(INVALID, "name", text="write it like images/debian"):
        await upload(world, [compute.UploadImageRequest(name="../../etc/passwd", data=b"x")])
    async with refused(INVALID, "name", text="is not an id"):
        await upload(world, [compute.UploadImageRequest(name="images/../../etc/passwd", data=b"x")])
    async with refused(INVALID, "name", text="the first message names the image"):
        await upload(world, [])
    await create(world)
    both = [*pieces(RAW), compute.UploadImageRequest(name="images/web")]
    async with refused(INVALID, "name", text="one upload is of one image"):
        await upload(world, both)


async def test_a_client_that_dies_leaves_nothing(world: World, tmp_path: Path) -> None:
    image = await create(world)

    async def half() -> AsyncIterator[compute.UploadImageRequest]:
        for message in pieces(RAW)[:2]:
            yield message
        await asyncio.Event().wait()

    call = asyncio.ensure_future(_uploaded(world, half()))
    await until(lambda: left(tmp_path) == [f"{image.uid}.coming"])
    # While it comes, nobody else sends it.
    async with refused(grpc.StatusCode.ABORTED, text="are coming already"):
        await upload(world, pieces(RAW))
    call.cancel()
    await asyncio.wait((call,))
    assert call.cancelled()
    await until(lambda: left(tmp_path) == [])
    assert (await upload(world, pieces(RAW))).stored_bytes == len(RAW)


async def test_an_image_deleted_while_it_comes_leaves_nothing(world: World, tmp_path: Path) -> None:
    image = await create(world)
    gone = asyncio.Event()

    async def slowly() -> AsyncIterator[compute.UploadImageRequest]:
        messages = pieces(RAW)
        yield messages[0]
        await gone.wait()
        for message in messages[1:]:
            yield message

    call = asyncio.ensure_future(_uploaded(world, slowly()))
    await until(lambda: left(tmp_path) == [f"{image.uid}.coming"])
    await world.images.DeleteImage(compute.DeleteImageRequest(name=image.name))
    gone.set()
    async with refused(MISSING, "name", text="was deleted while its bytes came"):
        await call
    assert left(tmp_path) == []


async def _uploaded(world: World, messages: AsyncIterator[compute.UploadImageRequest]) -> Any:
    return await world.images.UploadImage(messages)


async def furnish_disk(world: World) -> compute.Image:
    """Make a machine that is off at h1, and an image of its disk."""
    await world.furnish()
    await world.vms.CreateVm(vm(disks=[empty_disk()]))
    await place(world)
    return await create(world, "copy", source_vm="vms/web-1")


async def write(world: World, *messages: agent.WriteImageRequest) -> agent.WriteImageResponse:
    def call() -> agent.WriteImageResponse:
        with grpc.insecure_channel(world.address) as channel:
            stub = agent_compute_pb2_grpc.ComputeAgentServiceStub(channel)
            return stub.WriteImage(iter(messages), timeout=20)

    return await asyncio.to_thread(call)


async def test_a_host_sends_the_image_of_a_disk(world: World, tmp_path: Path) -> None:
    image = await furnish_disk(world)
    halves = [agent.WriteImageRequest(image_id="copy", data=RAW[:CHUNK])]
    halves += [agent.WriteImageRequest(data=RAW[at : at + CHUNK]) for at in range(CHUNK, len(RAW), CHUNK)]
    assert (await write(world, *halves)).sha256 == SHA256
    assert left(tmp_path) == [image.uid]
    assert await read(world, "copy") == RAW
    await create(world)
    async with refused(INVALID, "image_id", text="is not made of a disk"):
        await write(world, agent.WriteImageRequest(image_id="debian", data=RAW[:512]))
    for id, text in (("none", "does not exist"), ("../x", "is not an id")):
        with pytest.raises(grpc.RpcError, match=text):
            await write(world, agent.WriteImageRequest(image_id=id, data=RAW[:512]))
    async with refused(EXISTS, "name", text="is stored already"):
        await write(world, *halves)


async def test_a_full_disk_is_told(world: World, tmp_path: Path) -> None:
    await create(world)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, text="has room for"):
        await upload(world, pieces(RAW, size_bytes=1 << 62))
    assert left(tmp_path) == []


async def test_bytes_that_are_gone_are_told(world: World, tmp_path: Path) -> None:
    image = await create(world)
    await upload(world, pieces(RAW))
    (tmp_path / "images" / image.uid).unlink()
    async with refused(grpc.StatusCode.UNAVAILABLE, text="delete the image and make it anew"):
        await read(world)


async def test_a_start_sweeps_what_is_nobodys(world: World, tmp_path: Path) -> None:
    image = await create(world)
    await upload(world, pieces(RAW))
    folder = tmp_path / "images"
    for name in ("0b5e.coming", "5c1e", f"{image.uid}.coming"):
        (folder / name).write_bytes(b"left by a controller that was killed")
    images = ImageStore(folder)
    images.sweep(lambda: {Uid(image.uid)})
    assert left(tmp_path) == [image.uid]
    assert await read(world) == RAW


async def test_bytes_are_what_they_were_said_to_be(world: World) -> None:
    """Nobody changes what hosts have copied already."""
    await create(world)
    stored = await upload(world, pieces(RAW))
    edit = StoreImage(
        image=ImageId("debian"),
        format=ImageFormat.RAW,
        sha256="5e" * 32,
        size_bytes=512,
        stored_bytes=512,
    )
    with pytest.raises(InvalidIntent, match="cannot change"):
        await admit(world, edit)
    again = (await world.images.GetImage(compute.GetImageRequest(name="images/debian"))).image
    assert again.sha256 == stored.sha256
