"""Durable commits: the store against raw SQLite writing the same bytes, and against the medium's own fdatasync.

`run()` returns figures, the ways interleaved; nothing else is needed than a directory on the disk to be measured.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure, Target
from netctl.model.infra import Meta
from netctl.model.intent import Change
from netctl.model.keys import HostId, Kind, NicId, SubnetId, Uid
from netctl.model.nic import Nic
from netctl.store import codec
from netctl.store.sqlite import SqliteStore

SINGLES = 300
TARGETS = (
    Target(way="store, one batch", peer="raw SQLite, same bytes", least=0.5, by="rate_per_s"),
    Target(way="store, one by one", peer="fdatasync", least=0.25, by="rate_per_s"),
)
Way = Callable[[Path, list[Change]], float]
Row = tuple[str | bytes | int | float | None, ...]


def run(sizes: Sequence[int] = (1000, 10_000), repetitions: int = 3) -> list[Figure]:
    """Measure every way at every size."""
    figures = []
    for size in sizes:
        changes = [_change(number) for number in range(size)]
        for _ in range(repetitions):
            for way, measure in WAYS.items():
                with TemporaryDirectory(prefix="netctl-bench-") as directory:
                    cpu = time.process_time()
                    seconds = measure(Path(directory), changes)
                    cpu = time.process_time() - cpu
                count = min(size, SINGLES) if way in ONE_BY_ONE else size
                figures.append(
                    Figure(
                        bench="store",
                        way=way,
                        size=size,
                        rate_per_s=count / seconds,
                        seconds=seconds,
                        cpu_us_each=cpu / count * 1e6,
                    )
                )
    return figures


def _change(number: int) -> Change:
    nic = Nic(
        id=NicId(f"web-{number}"),
        meta=Meta(
            uid=Uid(f"00000000-0000-4000-8000-{number:012x}"),
            revision=1,
            create_time_s=1.5,
            update_time_s=1.5,
        ),
        subnet=SubnetId(f"s-{number % 100}"),
        host=HostId(f"h-{number % 50}"),
        mac_address=f"50:6b:8d:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
        ipv4_address=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        tap_name=f"tap{number:08x}",
    )
    return Change(
        revision=1,
        index=number,
        time_s=1.5,
        actor="local",
        request_id="",
        reason="",
        key=(Kind.NIC, nic.id),
        before=None,
        after=nic,
    )


def _batch(directory: Path, changes: list[Change]) -> float:
    with closing(SqliteStore(directory / "netctl.db")) as store:
        start = time.perf_counter()
        store.commit(changes, [])
        return time.perf_counter() - start


def _one_by_one(directory: Path, changes: list[Change]) -> float:
    with closing(SqliteStore(directory / "netctl.db")) as store:
        start = time.perf_counter()
        for change in changes[:SINGLES]:
            store.commit([change], [])
        return time.perf_counter() - start


def _load(directory: Path, changes: list[Change]) -> float:
    with closing(SqliteStore(directory / "netctl.db")) as store:
        store.commit(changes, [])
        start = time.perf_counter()
        if len(store.load().intents) != len(changes):
            raise RuntimeError("not everything was loaded")
        return time.perf_counter() - start


def _raw(directory: Path, changes: list[Change]) -> float:
    """Write the same tables with `executemany`, the bodies made beforehand: what SQLite itself costs."""
    entries, intents = rows_of(len(changes))
    with closing(sqlite3.connect(make_tables(directory), isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous = FULL")
        start = time.perf_counter()
        raw.execute("BEGIN IMMEDIATE")
        raw.executemany("INSERT INTO changes VALUES (?,?,?,?,?,?,?,?,?,?)", entries)
        raw.executemany("INSERT INTO intents VALUES (?,?,?,?)", intents)
        raw.execute("COMMIT")
        return time.perf_counter() - start


def rows_of(size: int) -> tuple[list[Row], list[Row]]:
    """Return what the creation of so many NICs is in the change log and among the intents, as SQLite takes it."""
    changes = [_change(number) for number in range(size)]
    bodies = [codec.encode(change.after) for change in changes if change.after is not None]
    entries: list[Row] = [
        (c.revision, c.index, c.time_s, c.actor, "", "", *c.key, None, body)
        for c, body in zip(changes, bodies, strict=True)
    ]
    return entries, [(*c.key, c.revision, body) for c, body in zip(changes, bodies, strict=True)]


def make_tables(directory: Path) -> Path:
    """Return the path of a database with our tables, empty."""
    path = directory / "netctl.db"
    SqliteStore(path).close()
    return path


def _fdatasync(directory: Path, changes: list[Change]) -> float:
    """Append a page and wait for the medium, as often as commits one by one do."""
    descriptor = os.open(directory / "file", os.O_WRONLY | os.O_CREAT)
    try:
        start = time.perf_counter()
        for _ in changes[:SINGLES]:
            os.write(descriptor, bytes(4096))
            os.fdatasync(descriptor)
        return time.perf_counter() - start
    finally:
        os.close(descriptor)


WAYS: dict[str, Way] = {
    "raw SQLite, same bytes": _raw,
    "store, one batch": _batch,
    "fdatasync": _fdatasync,
    "store, one by one": _one_by_one,
    "store, load": _load,
}
ONE_BY_ONE = ("fdatasync", "store, one by one")
