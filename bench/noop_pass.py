"""A pass of the reconciler that finds nothing to do, every row compared, against comparing the same rows by hand.

Both look at the same two dictionaries: what an installation's store asks for, and what its northbound server holds.
Counted: no transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.controllers import world
from bench.figures import Figure, Target, WrongCount
from bench.loaded import loaded
from netctl.compiler.compile import compile_rows
from netctl.loop import wait_until
from netctl.nb.rows import Rows
from netctl.ovsdb.northbound import OvsdbNorthbound
from netctl.reconciler.board import StatusBoard
from netctl.reconciler.reconcile import Reconciler, Settings
from netctl.server.admission import Admission
from netctl.store.sqlite import SqliteStore

ROUNDS = 5
DICTIONARY, FULL, WOKEN, COMPILE = "plain dictionary diff", "full pass", "woken for nothing", "compile all"
TARGETS = (Target(way=FULL, peer=DICTIONARY, most=3),)


@dataclass(frozen=True, slots=True)
class Parts:
    """An installation whose reconciler is run by hand: one that always compares everything, and one that never does."""

    northbound: OvsdbNorthbound
    admission: Admission
    owner: str
    full: Reconciler
    idle: Reconciler


def run(sizes: Sequence[int] = (1000, 10_000, 100_000), repetitions: int = 3) -> list[Figure]:
    """Measure at every size, the ways in turns."""
    figures = []
    for size in sizes:
        with parts_of(loaded(size)) as parts:
            for _ in range(repetitions):
                figures += measure(parts, size)
    return figures


@contextmanager
def parts_of(template: Path) -> Iterator[Parts]:
    """Work on a copy of an installation; see that nothing was written."""
    with (
        TemporaryDirectory(prefix="netctl-bench-") as directory,
        world(Path(directory), template=template) as here,
    ):
        here.controller.stop()
        with _parts(Path(directory), here.nb.remote) as parts:
            before = parts.northbound.nb_cfg
            yield parts
            if parts.northbound.nb_cfg != before:
                raise WrongCount(f"{parts.northbound.nb_cfg - before} transactions with nothing to write")


@contextmanager
def _parts(directory: Path, remote: str) -> Iterator[Parts]:
    with ExitStack() as stack:
        store = SqliteStore(directory / "state" / "netctl.db")
        stack.callback(store.close)
        admission = Admission(store)
        northbound = OvsdbNorthbound(remote, owner=store.owner, wake=lambda: None)
        stack.callback(northbound.close)
        northbound.start()
        wait_until(lambda: northbound.connected, timeout_s=120, what="in sync")
        passes = []
        for resync_s in (0.0, 1e9):
            settings = Settings(owner=store.owner, epoch=store.next_epoch(), resync_s=resync_s)
            passes.append(Reconciler(admission, northbound, StatusBoard(admission.snapshot), settings))
            passes[-1].step()  # what it has to compile, it has compiled now
        yield Parts(northbound, admission, store.owner, *passes)


def measure(parts: Parts, size: int, *, bench: str = "noop_pass") -> list[Figure]:
    """Measure the ways in turns, some rounds."""
    snapshot = parts.admission.snapshot()
    desired, actual = compile_rows(snapshot, parts.owner), parts.northbound.owned_rows()
    ways: dict[str, Callable[[], object]] = {
        DICTIONARY: lambda: _differences(desired, actual),
        FULL: parts.full.step,
        WOKEN: parts.idle.step,
        COMPILE: lambda: compile_rows(snapshot, parts.owner),
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, action in ways.items():
            began = time.perf_counter()
            action()
            taken[way].append(time.perf_counter() - began)
    return [
        Figure(bench=bench, way=way, size=size, seconds=median(seconds)) for way, seconds in taken.items()
    ]


def _differences(desired: Rows, actual: Rows) -> list[object]:
    """Return the keys whose facts are not equal: the least that a comparison of everything must do."""
    wrong: list[object] = [key for key, fact in desired.items() if actual.get(key) != fact]
    wrong += [key for key in actual if key not in desired]
    return wrong
