"""The bytes of images at the controller: `{state_dir}/images/{image uid}`, whole or not at all.

In: bytes as they come; out: files that were looked at, whose content is known. What comes is written to a temporary
file, checked there, synced and renamed; whatever is left of one that was not is removed, at the latest at the next
start. Which images there are is the intent store's to say. Calls block; safe from several threads.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import structlog

from netctl.errors import Conflict, Exhausted, InvalidIntent, StoreUnavailable
from netctl.model.disk import DISK_BYTES_MAX
from netctl.model.image import ImageFormat
from netctl.model.keys import Uid
from netctl.server.image_content import look

log = structlog.get_logger()

# Images leave so much of the file system to the intent store, which may lie on the same.
RESERVE_BYTES = 256 << 20
_COMING = ".coming"
_UID = re.compile(r"[0-9A-Za-z-]{1,64}\Z")
_LOOK_EVERY = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBytes:
    """What the bytes of an image turned out to be."""

    format: ImageFormat
    sha256: str
    size_bytes: int
    stored_bytes: int


class ImageStore:
    """Owns one directory."""

    def __init__(self, directory: Path, *, reserve_bytes: int = RESERVE_BYTES) -> None:
        self._directory, self._reserve = directory, reserve_bytes
        self._coming: set[Uid] = set()
        self._lock = threading.Lock()

    def sweep(self, stored: Callable[[], Collection[Uid]]) -> None:
        """Remove whatever is no stored image and does not come just now; `stored` says which are, when it is asked."""
        if not self._directory.exists():
            return
        found = tuple(self._directory.iterdir())
        with self._lock:
            coming = frozenset(self._coming)
        # Asked last: bytes that came to their end before are stored by now.
        kept = stored()
        for path in found:
            uid = Uid(path.name.removesuffix(_COMING))
            if uid not in coming and (path.name.endswith(_COMING) or uid not in kept):
                log.info("an image's bytes are removed", uid=uid)
                path.unlink(missing_ok=True)

    def open(self, uid: Uid) -> BinaryIO:
        """Open a stored image to read; StoreUnavailable when its bytes are gone."""
        try:
            return self._path(uid).open("rb")
        except OSError as error:
            raise StoreUnavailable(
                f"the bytes of the image cannot be read: {error.strerror}; delete the image and make it anew"
            ) from None

    def remove(self, uid: Uid) -> None:
        """Remove the bytes of an image that is no more; those who read it just now read on."""
        self._path(uid).unlink(missing_ok=True)

    @contextlib.contextmanager
    def incoming(self, uid: Uid, size_bytes: int = 0) -> Iterator[Incoming]:
        """Yield where to write an image's bytes; nothing of it is left unless it was kept. One at a time."""
        path = self._path(uid)
        with self._lock:
            if uid in self._coming:
                raise Conflict("the bytes of this image are coming already; wait, or delete the image")
            self._coming.add(uid)
        temporary = _coming(path)
        try:
            with _told(), _opened(temporary) as file:
                self._check_room(size_bytes)
                yield Incoming(file, path, self._check_room)
        finally:
            temporary.unlink(missing_ok=True)
            with self._lock:
                self._coming.discard(uid)

    def _check_room(self, bytes_more: int) -> None:
        state = os.statvfs(self._directory)
        free = state.f_bavail * state.f_frsize - self._reserve
        if bytes_more > free:
            raise Exhausted(
                f"the controller's disk has room for {max(0, free)} bytes of images: make room in its state"
                " directory, or delete images"
            )

    def _path(self, uid: Uid) -> Path:
        if not _UID.match(uid):
            raise InvalidIntent("uid", f"{uid[:60]!r} is not the uid of an image")
        return self._directory / uid


class Incoming:
    """The bytes of one image on their way; not thread-safe."""

    def __init__(self, file: BinaryIO, path: Path, check_room: Callable[[int], None]) -> None:
        self._file, self._path, self._check_room = file, path, check_room
        self._sum = hashlib.sha256()
        self.size = self._looked = 0

    def write(self, data: bytes) -> None:
        """Add bytes; Exhausted when there is no room for them."""
        self.size += len(data)
        if self.size > DISK_BYTES_MAX:
            raise InvalidIntent(
                "data", f"the image has more than {DISK_BYTES_MAX} bytes; at most so many are allowed"
            )
        if self.size - self._looked >= _LOOK_EVERY:
            self._looked = self.size
            self._check_room(_LOOK_EVERY)
        self._sum.update(data)
        self._file.write(data)

    def keep(self, format: ImageFormat, sha256: str) -> StoredBytes:
        """Check all that came, and make it the image's bytes."""
        found = self._sum.hexdigest()
        if sha256 and found != sha256:
            raise InvalidIntent("sha256", f"is {found} of what came, not {sha256}: send the right file")
        self._file.flush()
        content = look(self._file, format)
        os.fsync(self._file.fileno())
        _coming(self._path).rename(self._path)
        _sync(self._path.parent)
        return StoredBytes(
            format=content.format, sha256=found, size_bytes=content.size_bytes, stored_bytes=self.size
        )


def _coming(path: Path) -> Path:
    return path.with_name(path.name + _COMING)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Tell what the disk refuses as an error of ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Exhausted("the controller's disk is full: make room in its state directory") from None
        raise StoreUnavailable(f"images cannot be stored: {error.strerror}") from None


def _opened(path: Path) -> BinaryIO:
    """Open a new file for us alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    return os.fdopen(handle, "w+b")


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
