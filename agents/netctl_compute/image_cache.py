"""Images in the store: fetched from the controller when a machine needs them, kept while one does.

An image is a file named by its SHA-256, so its name says what is in it, whoever fetched it. Hosts that share a store
may fetch the same at the same time: each into a file of its own, and the first to end wins.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from netctl_compute.file_locks import is_locked
from netctl_compute.image_server import ImageServer
from netctl_compute.problem import Problem
from netctl_compute.qcow2 import read_content
from netctl_compute.qemu_img import check_image
from netctl_compute.storage_state import DiskFile
from netctl_compute.store import Store
from netctl_compute.work import Stopped, Ticket

# Another host of the store may have begun to need it: each touches what it needs, well within this time.
KEPT_S = 3600.0
TOUCHED_S = 600.0
_READ_BYTES = 2**20
_RECEIVED_PERCENT = 95  # what of the progress is the transfer; the rest is the check


@dataclass(frozen=True, slots=True)
class ImageCache:
    """The images of a store, by SHA-256."""

    store: Store
    server: ImageServer

    def find(self, sha256: str) -> DiskFile | None:
        """Return an image that is there."""
        path = self.store.image(sha256)
        if not self.store.has(path):
            return None
        return DiskFile(path=path, format=read_content(path).format, read_only=True)

    def fetch(self, image: str, sha256: str, ticket: Ticket) -> None:
        """Bring an image into the store. Raises Problem, Stopped, NetctlError of the controller, OSError."""
        final = self.store.image(sha256)
        part = self.store.part(final)
        try:
            ticket.span(0, _RECEIVED_PERCENT)
            self._receive(image, sha256, part, ticket)
            ticket.span(_RECEIVED_PERCENT, 100)
            check_image(part, ticket)
            self.store.publish(part, final)
            part.unlink(missing_ok=True)  # another host was first
        except (Problem, Stopped):
            # What is wrong is not made right by more of it. Any other error leaves it: the next try goes on from there.
            part.unlink(missing_ok=True)
            raise

    def keep(self, needed: Collection[str], *, now_s: float | None = None) -> None:
        """Touch the images that this host needs; remove those that no host needed for an hour."""
        now_s = time.time() if now_s is None else now_s
        for sha256 in self.store.images():
            path = self.store.image(sha256)
            try:
                idle_s = now_s - path.lstat().st_mtime
                if sha256 in needed:
                    if idle_s > TOUCHED_S:
                        os.utime(path, follow_symlinks=False)
                elif idle_s > KEPT_S and not is_locked(path):
                    self.store.remove_image(sha256)
            except FileNotFoundError:
                continue  # another host removed it

    def _receive(self, image: str, sha256: str, part: Path, ticket: Ticket) -> None:
        """Append to `part` what it lacks, and compare the whole with `sha256`."""
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "r+b") as file:
            digest = hashlib.sha256()
            while data := file.read(_READ_BYTES):
                digest.update(data)
                ticket.progress(0)
            for data, total_bytes in self.server.read_image(image, file.tell()):
                self._check_room(total_bytes - file.tell())
                digest.update(data)
                file.write(data)
                ticket.progress(100 * file.tell() / max(total_bytes, file.tell(), 1))
        if digest.hexdigest() != sha256:
            raise Problem(
                "IMAGE_CHANGED",
                f"image {image}: what came has sha256 {digest.hexdigest()}, should have {sha256}: it is fetched again",
            )

    def _check_room(self, wanted_bytes: int) -> None:
        free_bytes, _ = self.store.space()
        if wanted_bytes > free_bytes:
            raise Problem(
                "STORE_FULL", f"the store has {free_bytes} bytes free, the image needs {wanted_bytes} more"
            )
