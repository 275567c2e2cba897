"""What a benchmark says: figures by name, and their medians as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measurement of one way to do the same work; `size` is how much of it."""

    bench: str
    way: str
    size: int
    rate_per_s: float = 0.0
    seconds: float = 0.0
    cpu_us_each: float = 0.0
    rss_mb: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`way` is to be at least `least` times (or at most `most` times) `peer`, in rate or in seconds."""

    way: str
    peer: str
    least: float = 0.0
    most: float = 0.0


def medians(figures: Iterable[Figure]) -> list[Figure]:
    """Return one figure for each bench, way and size, in the order first seen."""
    groups: dict[tuple[str, str, int], list[Figure]] = {}
    for figure in figures:
        groups.setdefault((figure.bench, figure.way, figure.size), []).append(figure)
    return [
        Figure(
            bench=bench,
            way=way,
            size=size,
            rate_per_s=median(figure.rate_per_s for figure in group),
            seconds=median(figure.seconds for figure in group),
            cpu_us_each=median(figure.cpu_us_each for figure in group),
            rss_mb=median(figure.rss_mb for figure in group),
        )
        for (bench, way, size), group in groups.items()
    ]


def table(figures: Iterable[Figure]) -> str:
    """Return the medians as text."""
    lines = [f"{'bench':10} {'way':34} {'size':>7} {'per s':>9} {'seconds':>8} {'CPU us':>7} {'RSS MB':>7}"]
    lines += [
        f"{f.bench:10} {f.way:34} {f.size:7} {f.rate_per_s:9.0f} {f.seconds:8.3f} {f.cpu_us_each:7.0f} {f.rss_mb:7.0f}"
        for f in medians(figures)
    ]
    return "\n".join(lines)


def judge(figures: Iterable[Figure], targets: Iterable[Target]) -> str:
    """Return each target beside the ratio reached, for each size where both ways were measured."""
    found = {(figure.way, figure.size): figure for figure in medians(figures)}
    lines = []
    for target in targets:
        for (way, size), ours in found.items():
            peer = found.get((target.peer, size))
            if way != target.way or peer is None:
                continue
            ratio = ours.rate_per_s / peer.rate_per_s if target.least else ours.seconds / peer.seconds
            good = ratio >= target.least if target.least else ratio <= target.most
            bound = f">= {target.least:g}" if target.least else f"<= {target.most:g}"
            lines.append(
                f"{'ok  ' if good else 'MISS'} {size:7} {way} / {target.peer}: {ratio:.2f} (target {bound})"
            )
    return "\n".join(lines)
