"""Run one benchmark in this process: `python -m bench.one NAME [--quick]` prints its figures as JSON.

A process for each: none inherits another's memory, collector settings or threads, and a crash stays its own.
"""

from __future__ import annotations

import importlib
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from bench.figures import Figure, Target, WrongCount

WRONG_COUNT_STATUS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A module of this folder: `run(sizes, repetitions)` measures, `TARGETS` says what is wanted."""

    name: str
    sizes: tuple[int, ...]
    quick: tuple[int, ...] = (1000,)

    @property
    def targets(self) -> Sequence[Target]:
        """What its figures are held to."""
        targets: Sequence[Target] = importlib.import_module(f"bench.{self.name}").TARGETS
        return targets

    def run(self, quick: bool) -> list[Figure]:
        """Measure."""
        measure: Callable[[Sequence[int], int], list[Figure]] = importlib.import_module(
            f"bench.{self.name}"
        ).run
        return measure(self.quick, 1) if quick else measure(self.sizes, 3)


BENCHES = {
    bench.name: bench
    for bench in (
        Bench(name="nb_write", sizes=(1000, 10_000)),
        Bench(name="resync", sizes=(1000, 10_000, 100_000)),
        Bench(name="store", sizes=(1000, 10_000)),
        Bench(name="api_unary", sizes=(4000,)),
        Bench(name="api_bulk", sizes=(1000, 10_000)),
        Bench(name="one_change", sizes=(1000, 10_000, 100_000)),
        Bench(name="noop_pass", sizes=(1000, 10_000, 100_000)),
        Bench(name="vpcs", sizes=(10, 100, 1000), quick=(10,)),
        Bench(name="policies", sizes=(500, 1000, 10_000), quick=(500,)),
        Bench(name="policy_compile", sizes=(1000, 10_000)),
        Bench(name="policy_hosts", sizes=(1000,), quick=(100,)),
        Bench(name="datapath", sizes=(64, 1400), quick=(64,)),
        Bench(name="steering", sizes=(100, 1000, 4000, 10_000), quick=(100, 1000)),
        Bench(name="start", sizes=(1000, 10_000, 100_000)),
        Bench(name="latency", sizes=(10, 1000), quick=(10,)),
        Bench(name="vm_create", sizes=(1, 50), quick=(1,)),
        Bench(name="migrations", sizes=(100,), quick=(4,)),
    )
}


def _end(number: int, frame: object) -> None:
    raise SystemExit(128 + number)  # on the way out every block removes what it made


def main(name: str, *flags: str) -> int:
    """Run a benchmark."""
    signal.signal(signal.SIGTERM, _end)
    try:
        figures = BENCHES[name].run("--quick" in flags)
    except WrongCount as error:
        print(f"{name}: {error}", file=sys.stderr)
        return WRONG_COUNT_STATUS
    print("\n" + json.dumps([asdict(figure) for figure in figures]))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
