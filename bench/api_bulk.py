"""NICs by the batch: from the gRPC call to their rows in the northbound database, durable in SQLite on the way.

The limits in the same run: hand-made JSON-RPC writing such ports, raw SQLite writing such rows; the peers: ovsdbapp one
transaction per port (as Neutron), ovn-nbctl by the thousand.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import nb_write
from bench.controllers import cpu_s, rss_mb, world
from bench.figures import Figure, Target, medians
from bench.load import Work, run_load
from bench.store import Row, make_tables, rows_of

BATCH = 100
CLIENTS = 4
LIMITS = ("raw JSON-RPC, batch 100", "raw SQLite, batch 100")
LIMIT = "the slower of the two"
PEERS = ("ovsdbapp, one transaction per port", "ovn-nbctl, batch 1000")
TARGETS = (
    Target(way="netctl, batch 100", peer=LIMIT, least=0.35, by="rate_per_s"),
    Target(way="netctl, batch 1000", peer=LIMIT, least=0.35, by="rate_per_s"),
    Target(way="netctl, batch 100", peer=PEERS[0], least=10, by="rate_per_s"),
    Target(way="netctl, batch 1000", peer=PEERS[0], least=10, by="rate_per_s"),
)
_LARGE = 100_000  # netctl alone, once, after the largest of the sizes asked for
_WITH_NORTHD = 10_000


def run(sizes: Sequence[int] = (1000, 10_000), repetitions: int = 3) -> list[Figure]:
    """Measure limits, peers and netctl in turns."""
    figures: list[Figure] = []
    for size in sizes:
        for repetition in range(repetitions):
            for way in (LIMITS[0], *PEERS):
                if repetition and size > nb_write.WAYS[way].often:
                    continue
                figures.append(replace(nb_write.measure(way, size), bench="api_bulk"))
            figures += [_sqlite(size), _netctl(size, 100), _netctl(size, 1000)]
    if repetitions > 1:
        figures += [_netctl(_WITH_NORTHD, 1000, with_northd=True), _netctl(_LARGE, 1000)]
    return [*figures, *_slower(figures)]


def _slower(figures: Sequence[Figure]) -> list[Figure]:
    limits = [figure for figure in medians(figures) if figure.way in LIMITS]
    sizes = sorted({figure.size for figure in limits})
    rates = {size: min(figure.rate_per_s for figure in limits if figure.size == size) for size in sizes}
    return [Figure(bench="api_bulk", way=LIMIT, size=size, rate_per_s=rate) for size, rate in rates.items()]


def _netctl(size: int, chunk: int, *, with_northd: bool = False) -> Figure:
    with (
        TemporaryDirectory(prefix="netctl-bench-") as directory,
        world(Path(directory), with_northd=with_northd) as here,
    ):
        pid = here.controller.pid
        cpu = cpu_s(pid)
        outcome = run_load(
            Work(address=here.controller.address, count=size, clients=CLIENTS, chunk=min(chunk, size))
        )
        there = here.wait_ports(size)
        return Figure(
            bench="api_bulk",
            way=f"netctl, batch {chunk}{', northd' * with_northd}",
            size=size,
            rate_per_s=size / (there - outcome.began),
            seconds=outcome.p50_s,
            p99_s=outcome.p99_s,
            cpu_us_each=(cpu_s(pid) - cpu) / size * 1e6,
            rss_mb=rss_mb(pid),
        )


def _sqlite(size: int) -> Figure:
    """Write the rows that so many NICs are in our tables, 100 NICs to a commit, synchronous=FULL."""
    entries, intents = rows_of(size)
    with TemporaryDirectory(prefix="netctl-bench-") as directory:
        path = make_tables(Path(directory))
        with closing(sqlite3.connect(path, isolation_level=None)) as raw:
            raw.execute("PRAGMA synchronous = FULL")
            began, cpu = time.perf_counter(), time.process_time()
            for start in range(0, size, BATCH):
                _commit(raw, entries[start : start + BATCH], intents[start : start + BATCH])
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return Figure(
        bench="api_bulk", way=LIMITS[1], size=size, rate_per_s=size / seconds, cpu_us_each=cpu / size * 1e6
    )


def _commit(raw: sqlite3.Connection, entries: Sequence[Row], intents: Sequence[Row]) -> None:
    raw.execute("BEGIN IMMEDIATE")
    raw.executemany("INSERT INTO changes VALUES (?,?,?,?,?,?,?,?,?,?)", entries)
    raw.executemany("INSERT INTO intents VALUES (?,?,?,?)", intents)
    raw.execute("COMMIT")
