"""From connecting to a full, comparable copy of the northbound database: ours, the limit, ovsdbapp; and its memory.

`run()` returns figures; each measurement is a process of its own, so that memory is its own too.
`python -m bench.resync WAY SOCKET` is that process.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ovsdbapp.backend.ovs_idl import connection
from ovsdbapp.schema.ovn_northbound import impl_idl

from bench.figures import Figure, Target
from bench.ports import DATABASE, OWNER, SWITCHES, RawClient, make_ports, make_switches
from netctl.bulk import without_collector
from netctl.loop import wait_until
from netctl.nb.features import REQUIRED_COLUMNS
from netctl.ovsdb.northbound import OvsdbNorthbound
from tests.servers import ovsdb_server

RAW, PEER = "raw monitor + orjson", "ovsdbapp"
PEER_UPTO = 10_000  # half a minute at 100k
TARGETS = (
    Target(way="netctl", peer=RAW, most=1.6),
    Target(way="netctl", peer=PEER, most=0.2),
)


def run(sizes: Sequence[int] = (1000, 10_000), repetitions: int = 3) -> list[Figure]:
    """Measure every way at every size, interleaved."""
    figures = []
    for size in sizes:
        with TemporaryDirectory() as directory, ovsdb_server(Path(directory), "nb") as server:
            make_switches(str(server.socket))
            make_ports(str(server.socket), size)
            for _ in range(repetitions):
                ways = [way for way in WAYS if way != PEER or size <= PEER_UPTO]
                figures += [measure(way, size, str(server.socket)) for way in ways]
    return figures


def measure(way: str, size: int, path: str) -> Figure:
    """Measure one way once on the server at `path`, in a process of its own."""
    command = [sys.executable, "-m", "bench.resync", way, path]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    if found["rows"] < size + SWITCHES:
        raise RuntimeError(f"{way} saw {found['rows']} rows of {size + SWITCHES}")
    return Figure(
        bench="resync",
        way=way,
        size=size,
        rate_per_s=size / found["seconds"],
        seconds=found["seconds"],
        cpu_us_each=found["cpu_s"] / size * 1e6,
        rss_mb=found["rss_mb"],
    )


def _raw(path: str) -> int:
    requests = {table: [{"columns": sorted(columns)}] for table, columns in REQUIRED_COLUMNS.items()}
    with RawClient(path) as client, without_collector(True):  # the limit is without
        updates = client.call(
            "monitor_cond_since", [DATABASE, "m", requests, "0" * 8 + "-0000-0000-0000-" + "0" * 12]
        )[2]
        _KEPT.append(updates)
        return sum(map(len, updates.values()))


def _netctl(path: str) -> int:
    northbound = OvsdbNorthbound(f"unix:{path}", owner=OWNER, wake=lambda: None)
    northbound.start()
    wait_until(lambda: northbound.connected, timeout_s=300, what="in sync", poll_s=0.001)
    rows = northbound.owned_rows()
    _KEPT.append((northbound, rows))
    return sum(1 for key in rows if len(key) == 2)


def _ovsdbapp(path: str) -> int:
    idl = connection.OvsdbIdl.from_server(f"unix:{path}", DATABASE)
    link = connection.Connection(idl, timeout=300)
    api = impl_idl.OvnNbApiIdlImpl(link)
    _KEPT.append(link)
    plain = {}  # what a comparison needs: values, not rows of the IDL
    for table, columns in REQUIRED_COLUMNS.items():
        for row in api.tables[table].rows.values():
            plain[table, str(row.uuid)] = {column: getattr(row, column) for column in columns}
    _KEPT.append(plain)
    return len(plain)


WAYS: dict[str, Callable[[str], int]] = {
    RAW: _raw,
    "netctl": _netctl,
    PEER: _ovsdbapp,
}
_KEPT: list[object] = []  # alive until memory has been read


def main(way: str, path: str) -> None:
    """Measure one way once; print the figures as JSON."""
    before_kb = _rss_kb()
    started, cpu = time.perf_counter(), time.process_time()
    rows = WAYS[way](path)
    figures = {"rows": rows, "seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu}
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report = {**figures, "rss_mb": (_rss_kb() - before_kb) / 1024, "peak_mb": peak_mb}
    print("\n" + json.dumps(report), flush=True)  # other threads may be in the middle of a log line


def _rss_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # the clients' threads need no farewell
