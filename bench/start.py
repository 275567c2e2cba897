"""A controller's start to ready on an installation that is in sync, and the memory that it then holds.

The limit in the same run: the same rows monitored with a socket and orjson, and nothing done with them. Its time begins
when its interpreter and modules are there, netctl's with the process: what starting Python costs is the first line.
Counted: no northbound transaction; the database's file does not grow by a byte.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import resync
from bench.controllers import World, cpu_s, rss_mb, world
from bench.figures import Figure, Target, WrongCount, medians
from bench.loaded import loaded

RAW, START, GROWTH = resync.RAW, "netctl", "netctl, above the empty one"
_EMPTY = 0
TARGETS = (
    Target(way=START, peer=RAW, most=2, sizes=(100_000,)),
    Target(way=GROWTH, peer=RAW, most=3, by="rss_mb", sizes=(100_000,)),
)


def run(sizes: Sequence[int] = (1000, 10_000, 100_000), repetitions: int = 3) -> list[Figure]:
    """Measure at every size, the ways in turns."""
    figures: list[Figure] = []
    for size in (_EMPTY, *sizes):
        with ExitStack() as stack:
            directory = stack.enter_context(TemporaryDirectory(prefix="netctl-bench-"))
            here = stack.enter_context(world(Path(directory), template=loaded(size) if size else None))
            for _ in range(repetitions):
                figures += _measure(here, size)
    empty = next(figure for figure in medians(figures) if figure.size == _EMPTY and figure.way == START)
    figures += [
        replace(figure, way=GROWTH, seconds=0.0, rss_mb=figure.rss_mb - empty.rss_mb)
        for figure in medians(figures)
        if figure.way == START and figure.size
    ]
    return figures


def _measure(here: World, size: int) -> list[Figure]:
    figures = []
    here.controller.stop()  # the server then has one client to send rows to, whichever way is measured
    if size:
        figures.append(replace(resync.measure(RAW, size, str(here.nb.socket)), bench="start", rate_per_s=0.0))
    written = here.nb.database.stat().st_size
    began = time.monotonic()
    here.controller.start()
    here.wait_ready()
    seconds = time.monotonic() - began
    grown = here.nb.database.stat().st_size - written
    if grown:
        raise WrongCount(f"a start with nothing to do wrote {grown} bytes to the northbound database")
    pid = here.controller.pid
    figures.append(
        Figure(
            bench="start",
            way=START,
            size=size,
            seconds=seconds,
            rss_mb=rss_mb(pid),
            cpu_us_each=_each(pid, size),
        )
    )
    return figures


def _each(pid: int, size: int) -> float:
    return cpu_s(pid) / size * 1e6 if size else 0.0
