"""Ports into the northbound database: our client, the hand-made limit, and how others do it, in the same run.

`run()` returns figures; `TARGETS` says what they are held to. Each measurement has a new server and a
process of its own: `python -m bench.nb_write WAY SIZE REMOTE`.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ovsdbapp.backend.ovs_idl import connection
from ovsdbapp.schema.ovn_northbound import impl_idl

from bench.figures import Figure, Target
from bench.ports import DATABASE, OWNER, Port, RawClient, delta_of, make_switches, operations_of, switch_uuid
from netctl.bulk import without_collector
from netctl.loop import wait_until
from netctl.ovsdb.northbound import OvsdbNorthbound
from tests.servers import ovsdb_server

TARGETS = (
    Target(way="netctl, batch 100", peer="raw JSON-RPC, batch 100", least=0.7, by="rate_per_s"),
    Target(way="netctl, one transaction", peer="raw JSON-RPC, one transaction", least=0.7, by="rate_per_s"),
    Target(way="netctl, batch 1", peer="raw JSON-RPC, batch 1", least=0.6, by="rate_per_s"),
    Target(way="netctl, batch 1", peer="ovsdbapp, one transaction per port", least=6, by="rate_per_s"),
    Target(way="netctl, batch 100", peer="ovsdbapp, one transaction per port", least=25, by="rate_per_s"),
    Target(way="netctl, batch 100", peer="ovn-nbctl, batch 1000", least=25, by="rate_per_s"),
)
_ALL = 1_000_000
_SAMPLE = 1000  # one by one, the cost of a port does not depend on how many follow
Batches = Sequence[Sequence[Port]]


@dataclass(frozen=True, slots=True)
class Way:
    """`write` returns wall and CPU seconds for ports in batches of `batch`, `most` of them, at sizes `upto`.

    Above the size `often` it is measured once: its time would be most of the run's.
    """

    write: Callable[[str, Batches], tuple[float, float]]
    batch: int
    most: int = 1_000_000
    upto: int = 1_000_000
    often: int = 1_000_000


def run(sizes: Sequence[int] = (1000, 10_000), repetitions: int = 3) -> list[Figure]:
    """Measure every way at every size, interleaved."""
    return [
        measure(name, size)
        for size in sizes
        for repetition in range(repetitions)
        for name, way in WAYS.items()
        if size <= way.upto and (repetition == 0 or size <= way.often)
    ]


def measure(name: str, size: int) -> Figure:
    """Measure one way once, on a new server."""
    with TemporaryDirectory() as directory, ovsdb_server(Path(directory), "nb") as server:
        make_switches(str(server.socket))
        command = [sys.executable, "-m", "bench.nb_write", name, str(size), server.remote]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    count, wall_s, cpu_s = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("[")))
    return Figure(
        bench="nb_write",
        way=name,
        size=size,
        rate_per_s=count / wall_s,
        seconds=wall_s,
        cpu_us_each=cpu_s / count * 1e6,
    )


def main(name: str, size: int, remote: str) -> None:
    """Measure one way once; print ports, wall and CPU seconds as JSON."""
    way = WAYS[name]
    count = min(size, way.most)
    ports = [Port(number) for number in range(count)]
    batch = min(way.batch, count)
    batches = [ports[start : start + batch] for start in range(0, count, batch)]
    gc.collect()
    gc.freeze()  # what the benchmark itself holds is no burden for the collector
    print("\n" + json.dumps([count, *way.write(remote, batches)]), flush=True)


def _raw(remote: str, batches: Batches) -> tuple[float, float]:
    with RawClient(remote.removeprefix("unix:")) as client, without_collector(True):  # the limit is without
        started, cpu = time.perf_counter(), time.process_time()
        for batch in batches:
            client.transact(operations_of(batch))
        return time.perf_counter() - started, time.process_time() - cpu


def _netctl(remote: str, batches: Batches) -> tuple[float, float]:
    northbound = OvsdbNorthbound(remote, owner=OWNER, wake=lambda: None, timeout_s=120)
    northbound.start()
    try:
        wait_until(lambda: northbound.connected, timeout_s=60, what="in sync")
        deltas = [delta_of(batch) for batch in batches]  # what compile and diff give
        gc.collect()
        gc.freeze()  # the others hold no such thing
        started, cpu = time.perf_counter(), time.process_time()
        for delta in deltas:
            northbound.apply(delta, epoch=1)
        return time.perf_counter() - started, time.process_time() - cpu
    finally:
        northbound.close()


def _ovsdbapp(remote: str, batches: Batches) -> tuple[float, float]:
    """As Neutron's mechanism driver does it."""
    link = connection.Connection(connection.OvsdbIdl.from_server(remote, DATABASE), timeout=60)
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


def _nbctl(remote: str, batches: Batches) -> tuple[float, float]:
    started = time.perf_counter()
    for batch in batches:
        words: list[str] = []
        for port in batch:
            marks = [f'external_ids:"{key}"="{value}"' for key, value in port.external_ids.items()]
            words += ["--", "lsp-add", switch_uuid(port.number % 100), port.name]
            words += ["--", "lsp-set-addresses", port.name, port.address]
            words += ["--", "lsp-set-port-security", port.name, port.address]
            words += ["--", "set", "Logical_Switch_Port", port.name, "enabled=true", *marks]
        subprocess.run(["ovn-nbctl", f"--db={remote}", *words], check=True, capture_output=True)
    return time.perf_counter() - started, 0.0


WAYS = {
    "raw JSON-RPC, batch 1": Way(_raw, 1, most=5000),
    "netctl, batch 1": Way(_netctl, 1, most=5000),
    "raw JSON-RPC, batch 100": Way(_raw, 100),
    "netctl, batch 100": Way(_netctl, 100),
    "raw JSON-RPC, one transaction": Way(_raw, _ALL),
    "netctl, one transaction": Way(_netctl, _ALL),
    "ovsdbapp, one transaction per port": Way(_ovsdbapp, 1, most=_SAMPLE),
    # Reads the whole database at each start: hours at 100k.
    "ovn-nbctl, batch 1000": Way(_nbctl, 1000, upto=10_000, often=1000),
}


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    os._exit(0)  # the clients' threads need no farewell
