"""A real OVN control plane per module: northbound, southbound, northd, and our pass between intents and them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from netctl.loop import Wake, wait_until
from netctl.model.intent import Intent
from netctl.ovsdb.northbound import OvsdbNorthbound
from netctl.reconciler.board import StatusBoard
from netctl.reconciler.reconcile import Reconciler, Settings
from tests.intents import OWNER, FakeSource, infra, snapshot
from tests.servers import OvsdbServer, northd, ovsdb_server, run


@dataclass
class Plane:
    """Intents in, the southbound's answers out."""

    nb: OvsdbServer
    sb: OvsdbServer
    source: FakeSource
    northbound: OvsdbNorthbound
    board: StatusBoard
    reconciler: Reconciler

    def arrive(self, *intents: Intent) -> None:
        """Make the world these intents; return when northd has worked them off."""
        self.source.set(snapshot([*infra(), *intents]))
        self.reconciler.step()
        cfg = self.northbound.nb_cfg
        wait_until(lambda: self.northbound.sb_cfg >= cfg, timeout_s=10, what="northd catches up")
        self.reconciler.step()

    def trace(self, subnet: str, flow: str, *options: str) -> str:
        """Return ovn-trace's minimal verdict on a packet."""
        return run("ovn-trace", f"--db={self.sb.remote}", "--minimal", *options, subnet, flow)


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Plane]:
    with ovsdb_server(tmp_path, "nb") as nb, ovsdb_server(tmp_path, "sb") as sb, northd(tmp_path, nb, sb):
        wake, source = Wake(), FakeSource()
        northbound = OvsdbNorthbound(nb.remote, owner=OWNER, wake=wake)
        northbound.start()
        try:
            wait_until(lambda: northbound.connected, timeout_s=10, what="replica in sync")
            board = StatusBoard(source.snapshot)
            reconciler = Reconciler(source, northbound, board, Settings(owner=OWNER, epoch=1))
            yield Plane(nb, sb, source, northbound, board, reconciler)
        finally:
            northbound.close()
