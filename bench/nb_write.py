"""Ports into the northbound database: our client, the hand-made limit, and how others do it, in the same run.

`run()` returns figures; `TARGETS` says what they are held to. Each repetition of each way has a new server.
"""

from __future__ import annotations

import gc
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ovsdbapp.backend.ovs_idl import connection
from ovsdbapp.schema.ovn_northbound import impl_idl

from bench.figures import Figure, Target
from bench.ports import DATABASE, OWNER, Port, RawClient, delta_of, make_switches, operations_of, switch_uuid
from netctl.loop import wait_until
from netctl.ovsdb.bulk import without_collector
from netctl.ovsdb.northbound import OvsdbNorthbound
from tests.servers import OvsdbServer, ovsdb_server

TARGETS = (
    Target(way="netctl, batch 100", peer="raw JSON-RPC, batch 100", least=0.7),
    Target(way="netctl, one transaction", peer="raw JSON-RPC, one transaction", least=0.7),
    Target(way="netctl, batch 1", peer="raw JSON-RPC, batch 1", least=0.6),
    Target(way="netctl, batch 1", peer="ovsdbapp, one transaction per port", least=6),
    Target(way="netctl, batch 100", peer="ovsdbapp, one transaction per port", least=25),
    Target(way="netctl, batch 100", peer="ovn-nbctl, batch 1000", least=25),
)
_SLOW_WAYS_PORTS = 1000  # the cost of one port does not depend on how many follow
Batches = Sequence[Sequence[Port]]
Way = Callable[[OvsdbServer, Batches], tuple[float, float]]  # wall and CPU seconds


def run(sizes: Sequence[int] = (1000, 10_000), repetitions: int = 3) -> list[Figure]:
    """Measure every way at every size, interleaved."""
    figures = []
    for size in sizes:
        for _ in range(repetitions):
            for name, way, batch, most in _ways(size):
                figures.append(_measure(name, way, size, batch, min(size, most)))
    return figures


def _ways(size: int) -> list[tuple[str, Way, int, int]]:
    return [
        ("raw JSON-RPC, batch 1", _raw, 1, 5000),
        ("netctl, batch 1", _netctl, 1, 5000),
        ("raw JSON-RPC, batch 100", _raw, 100, size),
        ("netctl, batch 100", _netctl, 100, size),
        ("raw JSON-RPC, one transaction", _raw, size, size),
        ("netctl, one transaction", _netctl, size, size),
        ("ovsdbapp, one transaction per port", _ovsdbapp, 1, _SLOW_WAYS_PORTS),
        ("ovn-nbctl, batch 1000", _nbctl, 1000, size),
    ]


def _measure(name: str, way: Way, size: int, batch: int, count: int) -> Figure:
    ports = [Port(number) for number in range(count)]
    batches = [ports[start : start + batch] for start in range(0, count, batch)]
    with TemporaryDirectory() as directory, ovsdb_server(Path(directory), "nb") as server:
        make_switches(str(server.socket))
        gc.collect()
        gc.freeze()  # what the benchmark itself holds is no burden for the collector
        wall_s, cpu_s = way(server, batches)
    return Figure(
        bench="nb_write",
        way=name,
        size=size,
        rate_per_s=count / wall_s,
        seconds=wall_s,
        cpu_us_each=cpu_s / count * 1e6,
    )


def _raw(server: OvsdbServer, batches: Batches) -> tuple[float, float]:
    with RawClient(str(server.socket)) as client, without_collector(True):  # the limit is without
        started, cpu = time.perf_counter(), time.process_time()
        for batch in batches:
            client.transact(operations_of(batch))
        return time.perf_counter() - started, time.process_time() - cpu


def _netctl(server: OvsdbServer, batches: Batches) -> tuple[float, float]:
    northbound = OvsdbNorthbound(server.remote, owner=OWNER, wake=lambda: None, timeout_s=120)
    northbound.start()
    try:
        wait_until(lambda: northbound.connected, timeout_s=60, what="in sync")
        deltas = [delta_of(batch) for batch in batches]  # what compile and diff give
        started, cpu = time.perf_counter(), time.process_time()
        for delta in deltas:
            northbound.apply(delta, epoch=1)
        return time.perf_counter() - started, time.process_time() - cpu
    finally:
        northbound.close()


def _ovsdbapp(server: OvsdbServer, batches: Batches) -> tuple[float, float]:
    """As Neutron's mechanism driver does it."""
    link = connection.Connection(connection.OvsdbIdl.from_server(server.remote, DATABASE), timeout=60)
    api = impl_idl.OvnNbApiIdlImpl(link)
    try:
        started, cpu = time.perf_counter(), time.process_time()
        for batch in batches:
            for port in batch:
                columns = {"addresses": [port.address], "port_security": [port.address], "enabled": True}
                api.lsp_add(port.switch, port.name, external_ids=port.external_ids, **columns).execute(
                    check_error=True
                )
        return time.perf_counter() - started, time.process_time() - cpu
    finally:
        link.stop()


def _nbctl(server: OvsdbServer, batches: Batches) -> tuple[float, float]:
    started = time.perf_counter()
    for batch in batches:
        words: list[str] = []
        for port in batch:
            marks = [f'external_ids:"{key}"="{value}"' for key, value in port.external_ids.items()]
            words += ["--", "lsp-add", switch_uuid(port.number % 100), port.name]
            words += ["--", "lsp-set-addresses", port.name, port.address]
            words += ["--", "lsp-set-port-security", port.name, port.address]
            words += ["--", "set", "Logical_Switch_Port", port.name, "enabled=true", *marks]
        subprocess.run(["ovn-nbctl", f"--db={server.remote}", *words], check=True, capture_output=True)
    return time.perf_counter() - started, 0.0
