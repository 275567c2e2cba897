"""Makes an image of a disk of a machine that is off, and sends it to the controller."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from netctl_compute import qemu_img
from netctl_compute.assignment import DiskExport
from netctl_compute.disks import Disks
from netctl_compute.image_server import ImageServer
from netctl_compute.problem import Problem
from netctl_compute.qcow2 import QCOW2
from netctl_compute.reported import ExportReport
from netctl_compute.storage_state import DiskFile
from netctl_compute.store import Store
from netctl_compute.work import Key, Ticket, Work

_CHUNK_BYTES = 2**20
_COPY_PERCENT = 50  # what of the progress is the copy; the rest is the transfer


def key_of(order: DiskExport) -> Key:
    """Return the key of an export's piece of work."""
    return ("export", order.image, order.vm_uid, order.disk)


@dataclass(frozen=True, slots=True)
class Exports:
    """The exports of a host."""

    store: Store
    server: ImageServer
    work: Work

    def file(self, image: str, vm_uid: str, disk_uid: str) -> Path:
        """Return what is made and sent, beside its disk; it never gets this name, because it is not kept."""
        disk = self.store.disk(vm_uid, disk_uid)
        return disk.with_name(f"{disk.name}.{uuid5(NAMESPACE_URL, image).hex}.export")

    def serve(self, orders: tuple[DiskExport, ...]) -> tuple[ExportReport, ...]:
        """Start what is ordered and is not done, end what is not ordered; say how far each is."""
        wanted = {key_of(order) for order in orders}
        self.work.cancel([key for key in self.work.known() if key[0] == "export" and key not in wanted])
        reports = []
        for order in orders:
            if not self.work.state(key_of(order)).done:
                self.work.start(key_of(order), partial(self._run, order))
            state = self.work.state(key_of(order))
            reports.append(
                ExportReport(
                    image=order.image,
                    done=state.done,
                    progress_percent=100 if state.done else state.percent,
                    problem=state.problem.message if state.problem and not state.running else "",
                )
            )
        return tuple(reports)

    def _run(self, order: DiskExport, ticket: Ticket) -> None:
        disk = self.store.disk(order.vm_uid, order.disk)
        if Disks(self.store).size_bytes(order.vm_uid, order.disk) is None:
            raise Problem("SOURCE_MISSING", f"disk {order.disk} is not in this host's store")
        with self.store.new_part(self.file(order.image, order.vm_uid, order.disk)) as part:
            ticket.span(0, _COPY_PERCENT)
            qemu_img.copy(DiskFile(path=disk, format=QCOW2), part, ticket)
            ticket.span(_COPY_PERCENT, 100)
            self._send(order, part, ticket)

    def _send(self, order: DiskExport, part: Path, ticket: Ticket) -> None:
        digest = hashlib.sha256()
        found = self.server.write_image(order.image, _chunks(part, digest, ticket))
        if found != digest.hexdigest():
            raise Problem(
                "IMAGE_CHANGED",
                f"image {order.image}: the controller got sha256 {found}, sent was {digest.hexdigest()}: sent again",
            )


def _chunks(path: Path, digest: hashlib._Hash, ticket: Ticket) -> Iterator[bytes]:
    """Read a file in pieces; `digest` takes what was given, `ticket` how much."""
    sent_bytes, total_bytes = 0, path.stat().st_size
    with path.open("rb") as file:
        while data := file.read(_CHUNK_BYTES):
            digest.update(data)
            yield data
            sent_bytes += len(data)
            ticket.progress(100 * sent_bytes / total_bytes)
