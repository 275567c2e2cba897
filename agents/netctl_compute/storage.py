"""A host's storage as one thing for the agent's loop: look, then ask for what is missing; work goes on in threads.

`look` and `prepare` return at once; when a piece of work ends or gets on, the loop is woken and looks again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from netctl_compute.assignment import ComputeAssignment, DiskExport, VmAssignment
from netctl_compute.reported import ExportReport
from netctl_compute.storage_state import VmStorage
from netctl_compute.store import Store


class ImageServer(Protocol):
    """The controller, as `controller_client.py` reaches it. Both raise Unavailable; both are used by other threads."""

    def read_image(self, image: str, offset: int) -> Iterator[bytes]:
        """Give the bytes of an image from `offset` on."""
        ...

    def write_image(self, image: str, chunks: Iterator[bytes]) -> str:
        """Send the bytes of an image; return the SHA-256 that the controller found."""
        ...


class Storage:
    """Used by the loop's thread alone; `wake` is called by others."""

    def __init__(self, store: Store, images: ImageServer, wake: Callable[[], None]) -> None: ...

    def look(self, vm: VmAssignment) -> VmStorage:
        """Say what is there of a machine. Reads the store, starts nothing."""
        raise NotImplementedError

    def prepare(self, vm: VmAssignment, *, domain_exists: bool = False) -> None:
        """Start to make what `look` finds missing, unless it is under way or failed a moment ago.

        PLACEHOLDER: disks that the store does not have are made empty, of the right size: a migration fills them.
        """
        raise NotImplementedError

    def remove(self, vm: VmAssignment) -> None:
        """REMOVE: delete the machine's seed and, unless `keep_disks`, its files; its domain is gone. Raises Problem."""
        raise NotImplementedError

    def tidy(self, assignment: ComputeAssignment) -> None:
        """Stop work that nobody wants any more; remove its left-overs and images that are not used. Every pass."""
        raise NotImplementedError

    def export(self, orders: tuple[DiskExport, ...]) -> tuple[ExportReport, ...]:
        """Start the exports that are ordered, stop the others, say how far they are. Every pass."""
        raise NotImplementedError

    def stop(self) -> None:
        """End all work; what was half made is removed, or resumed by the next start."""
        raise NotImplementedError
