"""Keeps images' bytes and images together: fetches those with a `source_uri`, removes those of images that are gone.

In: wakes when intents change; out: bytes in the store of images and `StoreImage` edits. Owns its threads, one for each
fetch, and what went wrong with each image. Level-triggered: whatever happened, the next look mends it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path

import structlog

from netctl.errors import Exhausted, InvalidIntent, NetctlError, Unavailable
from netctl.loop import Clock, Loop, Pace, Wake
from netctl.model.image import Image
from netctl.model.intent import StoreImage
from netctl.model.keys import ImageId, Key, Kind, Uid
from netctl.model.snapshot import Snapshot
from netctl.server.image_source import chunks, opened
from netctl.server.image_store import ImageStore, StoredBytes
from netctl.server.ports import Intents
from netctl.server.requests import Request
from netctl.server.writes import REASON_MAX

log = structlog.get_logger()

ACTOR = "image-fetch"  # in the change log
FETCHES_MAX = 2
_JOIN_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Seconds before a fetch that failed is tried again: the first time, and at most."""

    first_s: float = 5.0
    longest_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trouble:
    """Why an image is not there, and when it is tried again, on the clock; never where that would be no use."""

    uid: Uid
    text: str
    again_s: float | None
    pause_s: float


def store_edit(image: Image, stored: StoredBytes) -> StoreImage:
    """Return the edit that says what an image's bytes are."""
    return StoreImage(
        image=image.id,
        format=stored.format,
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
        stored_bytes=stored.stored_bytes,
    )


class ImageKeeper:
    """`start` it once, `close` it at the end."""

    def __init__(
        self,
        intents: Intents,
        images: ImageStore,
        note_changed: Callable[[list[Key]], None],
        *,
        import_dir: Path | None = None,
        retries: Retries = Retries(),
        clock: Clock = time.monotonic,
    ) -> None:
        self._intents, self._images, self._note_changed = intents, images, note_changed
        self._import_dir, self._retries, self._clock = import_dir, retries, clock
        self._lock = threading.Lock()
        self._troubles: dict[ImageId, _Trouble] = {}
        self._fetching: dict[ImageId, threading.Thread] = {}
        self._stopping = threading.Event()
        self._looked_at = -1
        self.wake = Wake()
        self.loop = Loop("images", self.step, self.wake, pace=Pace())
        self._thread = threading.Thread(target=self.loop.run, name="images", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._intents.on_change(self.wake)
        self._thread.start()

    def close(self) -> None:
        """Stop fetching; what came so far is removed."""
        self._stopping.set()
        self.loop.stop()
        with self._lock:
            threads = tuple(self._fetching.values())
        for thread in (self._thread, *threads):
            if thread.ident is not None:
                thread.join(_JOIN_S)

    def problem(self, image: ImageId) -> str:
        """Return why an image is not fetched yet, "" when nothing is wrong."""
        with self._lock:
            trouble = self._troubles.get(image)
        return trouble.text if trouble is not None else ""

    def step(self) -> None:
        """Remove what is nobody's, fetch what is missing."""
        snapshot = self._intents.snapshot()
        if self._has_changed(snapshot):
            self._images.sweep(self._stored)
            self._looked_at = snapshot.revision
        self._forget(snapshot)
        for image in snapshot.of_kind(Kind.IMAGE):
            if isinstance(image, Image) and image.source_uri and not image.is_stored:
                self._fetch_when_due(image)

    def _has_changed(self, snapshot: Snapshot) -> bool:
        if self._looked_at < 0:
            return True
        changed = self._intents.changed_since(self._looked_at)
        return changed is None or any(kind is Kind.IMAGE for kind, _ in changed)

    def _stored(self) -> frozenset[Uid]:
        found = self._intents.snapshot().of_kind(Kind.IMAGE)
        return frozenset(image.meta.uid for image in found if isinstance(image, Image) and image.is_stored)

    def _forget(self, snapshot: Snapshot) -> None:
        with self._lock:
            for id, trouble in tuple(self._troubles.items()):
                image = snapshot.image(id)
                if image is None or image.meta.uid != trouble.uid or image.is_stored:
                    del self._troubles[id]

    def _fetch_when_due(self, image: Image) -> None:
        with self._lock:
            trouble = self._troubles.get(image.id)
            if trouble is not None:
                if trouble.again_s is None:
                    return
                left_s = trouble.again_s - self._clock()
                if left_s > 0:
                    self.wake.within(left_s)
                    return
            if image.id in self._fetching or len(self._fetching) >= FETCHES_MAX or self._stopping.is_set():
                return  # one that ends wakes us
            thread = threading.Thread(
                target=self._fetch, args=(image,), name=f"fetch-{image.id}", daemon=True
            )
            self._fetching[image.id] = thread
        thread.start()

    def _fetch(self, image: Image) -> None:
        # Whatever ends the thread, it is not begun again at once.
        error: NetctlError | None = Unavailable("the fetch failed; the controller's log says how")
        try:
            self._bring(image)
            error = None
            log.info("image fetched", image=image.id)
        except NetctlError as known:
            error = known
        except CancelledError:
            error = None  # the controller stops
        finally:
            self._note_end(image, error)

    def _note_end(self, image: Image, error: NetctlError | None) -> None:
        trouble = self._trouble(image, error) if error is not None else None
        with self._lock:
            del self._fetching[image.id]
            if trouble is not None:
                self._troubles[image.id] = trouble
        self._note_changed([(Kind.IMAGE, image.id)])
        self.wake()

    def _bring(self, image: Image) -> None:
        uid = image.meta.uid
        with (
            opened(image.source_uri, self._import_dir) as source,
            self._images.incoming(uid, source[1]) as incoming,
        ):
            for data in chunks(source, lambda: self._is_unwanted(image)):
                incoming.write(data)
            stored = incoming.keep(image.format, image.sha256)
            reason = f"fetched from {image.source_uri}"[:REASON_MAX]
            request = Request(edits=(store_edit(image, stored),), actor=ACTOR, reason=reason)
            said = False
            try:
                self._intents.submit(request).result()
                said = True
            finally:
                if not said:
                    self._images.remove(uid)

    def _is_unwanted(self, image: Image) -> bool:
        now = self._intents.snapshot().image(image.id)
        return self._stopping.is_set() or now is None or now.meta.uid != image.meta.uid

    def _trouble(self, image: Image, error: NetctlError) -> _Trouble:
        """Say what went wrong. What is wrong with the content, or the name, is so the next time as well."""
        with self._lock:
            before = self._troubles.get(image.id)
        pause_s = self._retries.first_s
        if before is not None and before.uid == image.meta.uid:
            pause_s = min(self._retries.longest_s, before.pause_s * 2)
        useless = isinstance(error, InvalidIntent)
        log.warning(
            "image not fetched",
            image=image.id,
            problem=error.message,
            retry_in_s=None if useless else pause_s,
        )
        advice = "; delete the image and make it anew" if useless else ""
        if isinstance(error, Exhausted):
            advice = "; it is tried again"
        return _Trouble(
            uid=image.meta.uid,
            text=f"{error.field}: {error.message}{advice}" if error.field else error.message + advice,
            again_s=None if useless else self._clock() + pause_s,
            pause_s=pause_s,
        )
