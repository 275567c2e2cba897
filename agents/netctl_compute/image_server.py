"""The controller as a place where images are: what the storage needs of `controller_client.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class ImageChunk(NamedTuple):
    """Bytes of an image; `total_bytes` is the whole image's, 0 when not known."""

    data: bytes
    total_bytes: int


class ImageServer(Protocol):
    """Both raise NetctlError (Unavailable, NotFound), and are called by threads beside the loop's."""

    def read_image(self, image: str, offset: int) -> Iterator[ImageChunk]:
        """Give the bytes of an image from `offset` on; closing the iterator ends the call."""
        ...

    def write_image(self, image: str, chunks: Iterator[bytes]) -> str:
        """Send the bytes of an image; return the SHA-256 that the controller found. `chunks` may raise."""
        ...
