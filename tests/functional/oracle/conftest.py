"""A real OVN control plane for the whole module: layouts go into the northbound one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from netctl.compiler.compile import compile_rows
from netctl.compiler.observed import Observed
from netctl.loop import Wake, wait_until
from netctl.model.keys import VpcId
from netctl.model.snapshot import Snapshot
from netctl.nb.diff import diff
from netctl.ovsdb.northbound import OvsdbNorthbound
from tests.functional.oracle.trace import Trace, tracing
from tests.intents import OWNER
from tests.oracle.layouts import Made
from tests.servers import OvsdbServer, northd, ovsdb_server


@dataclass
class Plane:
    """Layouts in, ovn-trace out."""

    sb: OvsdbServer
    northbound: OvsdbNorthbound

    def install(self, made: Made) -> None:
        """Write what the compiler makes of a layout; return when northd has worked it off."""
        self.write(made.snapshot, Observed(dead=frozenset((VpcId(vpc), what) for vpc, what in made.dead)))

    def write(self, snapshot: Snapshot, observed: Observed) -> None:
        """Write what the compiler makes of a snapshot; return when northd has worked it off."""
        self.northbound.take_changed()
        delta = diff(compile_rows(snapshot, OWNER, observed), self.northbound.owned_rows())
        cfg = self.northbound.apply(delta, epoch=1)
        wait_until(
            lambda: self.northbound.sb_cfg >= cfg, timeout_s=20, what="northd catches up", poll_s=0.002
        )

    def tracing(self, made: Made) -> AbstractContextManager[Trace]:
        """Have ovn-trace for what is installed."""
        return tracing(made.layout, self.sb)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """Northbound, southbound and northd, empty at first."""
    path = tmp_path_factory.mktemp("plane")
    with ovsdb_server(path, "nb") as nb, ovsdb_server(path, "sb") as sb, northd(path, nb, sb):
        northbound = OvsdbNorthbound(nb.remote, owner=OWNER, wake=Wake())
        northbound.start()
        try:
            wait_until(lambda: northbound.connected, timeout_s=10, what="replica in sync")
            yield Plane(sb, northbound)
        finally:
            northbound.close()
