"""Intake of images: bytes that come by a stream, from another place, or from a host, until they are the image's.

In: an image and its bytes; out: the image as it is stored then. Belongs to the event loop; threads write the files.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from netctl.errors import AlreadyExists, InvalidIntent, NetctlError, NotFound
from netctl.model.image import Image
from netctl.model.keys import Kind
from netctl.server.image_keeper import store_edit
from netctl.server.image_store import Incoming, StoredBytes
from netctl.server.ports import Ports
from netctl.server.requests import Request

T = TypeVar("T")


class Intake:
    """Takes bytes, one stream for each image at a time."""

    def __init__(self, ports: Ports) -> None:
        self._intents, self._images = ports.intents, ports.images

    async def take(
        self, image: Image, chunks: AsyncIterator[bytes], actor: str, *, size_bytes: int = 0
    ) -> Image:
        """Store the bytes of an image; on any error, or when who sends them goes away, nothing of them is left."""
        if image.is_stored:
            raise AlreadyExists(f"images/{image.id} is stored already: make another image", field="name")
        if size_bytes < 0:
            raise InvalidIntent("size_bytes", f"{size_bytes} is negative; leave it 0 when it is not known")
        with contextlib.ExitStack() as stack:
            coming = self._images.incoming(image.meta.uid, size_bytes)
            incoming = await _to_the_end(asyncio.to_thread(stack.enter_context, coming))
            async for data in chunks:
                await _to_the_end(asyncio.to_thread(incoming.write, data))
                if 0 < size_bytes < incoming.size:
                    raise InvalidIntent("data", f"more than the {size_bytes} bytes came that were announced")
            if incoming.size < size_bytes:
                raise InvalidIntent(
                    "data",
                    f"{incoming.size} of {size_bytes} bytes came: the image is truncated; send all of it",
                )
            return await _to_the_end(self._keep(image, incoming, actor))

    async def _keep(self, image: Image, incoming: Incoming, actor: str) -> Image:
        stored = await asyncio.to_thread(incoming.keep, image.format, image.sha256)
        return await self._say(image, stored, actor)

    async def _say(self, image: Image, stored: StoredBytes, actor: str) -> Image:
        """Write down what the bytes are; without that they are nobody's."""
        request = Request(edits=(store_edit(image, stored),), actor=actor, reason="its bytes are there")
        try:
            self._check_same(image)
            answer = await asyncio.wrap_future(self._intents.submit(request))
        except NetctlError:
            await asyncio.to_thread(self._images.remove, image.meta.uid)
            raise
        after = answer.results[0].after
        assert isinstance(after, Image)
        return after

    def _check_same(self, image: Image) -> None:
        """Refuse bytes of an image that is another one by now."""
        now = self._intents.snapshot().get((Kind.IMAGE, image.id))
        if now is None or now.meta.uid != image.meta.uid:
            raise NotFound(f"images/{image.id} was deleted while its bytes came", field="name")


async def _to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Do something that cannot stop half-way: who is cancelled meanwhile waits for it first."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()  # nobody is left to be told
        raise
