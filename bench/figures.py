"""What a benchmark says: figures by name, their medians as a table, and how they stand against their targets.

Ratios within one run are what counts: the machine is shared, and another one has other absolute numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from statistics import median
from typing import Literal

Measure = Literal["rate_per_s", "seconds", "p99_s", "cpu_us_each", "rss_mb", "count"]
_UNITS = {
    "rate_per_s": "/s",
    "seconds": "s",
    "p99_s": "s p99",
    "cpu_us_each": "us CPU",
    "rss_mb": "MB",
    "count": "",
}
_HEAD = (
    f"{'way':38} {'size':>7} {'per s':>8} {'seconds':>9} {'p99 s':>8} {'CPU us':>7} {'RSS MB':>7} {'count':>7}"
    f" {'grows':>6}"
)


class WrongCount(Exception):
    """Something that is counted, not timed, is not what it must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measurement of one way to do the same work; `size` is how much of it, or how much is there already.

    A rate is of all of the work; where each piece is waited for, `seconds` is the median of one and `p99_s` the tail.
    `cpu_us_each` is the CPU time of the process under test, a piece; `count` what is counted, not timed.
    """

    bench: str
    way: str
    size: int
    rate_per_s: float = 0.0
    seconds: float = 0.0
    p99_s: float = 0.0
    cpu_us_each: float = 0.0
    rss_mb: float = 0.0
    count: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`way` is to be at least `least` times (at most `most` times) `peer` at the same size.

    `peer_size` compares with that size instead (how cost grows). Without a peer the bound is on the figure itself.
    `sizes` says where the target holds; everywhere when empty.
    """

    way: str
    peer: str = ""
    least: float = 0.0
    most: float = 0.0
    by: Measure = "seconds"
    sizes: tuple[int, ...] = ()
    peer_size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A target beside what was reached at one size."""

    target: Target
    size: int
    value: float

    @property
    def met(self) -> bool:
        """Is it reached?"""
        return self.value >= self.target.least if self.target.least else self.value <= self.target.most

    def __str__(self) -> str:
        target = self.target
        bound = f">= {target.least:g}" if target.least else f"<= {target.most:g}"
        peer = f" / {target.peer}" if target.peer else f" ({_UNITS[target.by]})"
        peer += f" at {target.peer_size}" if target.peer_size else ""
        return f"{'ok  ' if self.met else 'MISS'} {self.size:7} {target.way}{peer}: {self.value:.3g} (target {bound})"


def medians(figures: Iterable[Figure]) -> list[Figure]:
    """Return one figure for each bench, way and size, in the order first seen."""
    groups: dict[tuple[str, str, int], list[Figure]] = {}
    for figure in figures:
        groups.setdefault((figure.bench, figure.way, figure.size), []).append(figure)
    measured = [field.name for field in fields(Figure) if field.name in _UNITS]
    return [
        Figure(
            bench=bench,
            way=way,
            size=size,
            **{name: median(getattr(figure, name) for figure in group) for name in measured},
        )
        for (bench, way, size), group in groups.items()
    ]


def table(figures: Iterable[Figure]) -> str:
    """Return the medians as text; `grows` is the cost of one piece over that at the smallest size measured."""
    rows = medians(figures)
    return "\n".join([_HEAD, *(_line(figure, _growth(figure, rows)) for figure in rows)])


def judge(figures: Iterable[Figure], targets: Iterable[Target]) -> list[Verdict]:
    """Return how each target stands, for each size where both ways were measured."""
    found = {(figure.way, figure.size): figure for figure in medians(figures)}
    verdicts = []
    for target in targets:
        for (way, size), ours in found.items():
            if way != target.way or (target.sizes and size not in target.sizes):
                continue
            value: float = getattr(ours, target.by)
            if target.peer:
                peer = found.get((target.peer, target.peer_size or size))
                if peer is None or not getattr(peer, target.by):
                    continue
                value /= getattr(peer, target.by)
            verdicts.append(Verdict(target=target, size=size, value=value))
    return verdicts


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that so many per cent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def _growth(figure: Figure, rows: Sequence[Figure]) -> float:
    smallest = min((row for row in rows if row.way == figure.way), key=lambda row: row.size)
    if figure.rate_per_s:
        return smallest.rate_per_s / figure.rate_per_s
    if figure.count:
        return figure.count / smallest.count
    return figure.seconds / smallest.seconds if smallest.seconds else 0.0


def _line(figure: Figure, growth: float) -> str:
    numbers = (
        (figure.rate_per_s, 8, 0),
        (figure.seconds, 9, 4),
        (figure.p99_s, 8, 4),
        (figure.cpu_us_each, 7, 0),
        (figure.rss_mb, 7, 1),
        (figure.count, 7, 0),
        (growth, 6, 2),
    )
    shown = " ".join(
        f"{value:{width}.{digits}f}" if value else " " * width for value, width, digits in numbers
    )
    return f"{figure.way:38} {figure.size:7} {shown}".rstrip()
