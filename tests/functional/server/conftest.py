"""A real server on a Unix socket over a real store, and everything a client needs to talk to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from netctl.reconciler.compute_assignments import ComputeAssignmentBook
from netctl.reconciler.compute_book import ComputeBook
from netctl.scheduler.view import View
from netctl.server.admission import Admission
from netctl.server.image_store import ImageStore
from netctl.server.ports import Ports
from netctl.server.sealing import random_seal
from netctl.server.serve import serve
from netctl.store.sqlite import SqliteStore
from tests.fakes.controller import FakeAssignments, FakeController, FakeDerived, FakeReports, FakeStatuses
from tests.functional.server.compute import sealing
from tests.functional.server.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = SqliteStore(tmp_path / "netctl.db")
    seal, book = random_seal(), ComputeBook()
    admission = Admission(store, sealing=sealing(seal))
    compute_assignments = ComputeAssignmentBook(admission, book, epoch=1)
    admission.on_change(compute_assignments.changed)
    book.on_report(lambda host: compute_assignments.note_report())
    admission.start()
    statuses, reports, controller = FakeStatuses(), FakeReports(), FakeController()
    derived = FakeDerived()
    ports = Ports(
        intents=admission,
        changes=store,
        statuses=statuses,
        reports=reports,
        assignments=FakeAssignments(admission),
        controller=controller,
        pending_hosts=derived.pending_hosts,
        migration=derived.migration,
        compute_reports=book,
        compute_assignments=compute_assignments,
        view=lambda snapshot: View(snapshot, lambda host: (book.get(host).report, book.get(host).connected)),
        seal=seal,
        images=ImageStore(tmp_path / "images", reserve_bytes=0),
    )
    address = f"unix:{tmp_path}/netctl.sock"
    server = await serve(ports, [address])
    async with grpc.aio.insecure_channel(address) as channel:
        yield World(address, server, admission, store, statuses, reports, controller, derived, ports, channel)
    await server.stop(0)
    admission.close()
    store.close()
