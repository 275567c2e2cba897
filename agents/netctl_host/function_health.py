"""Which pair of a network function do packets go through? Pure, but for the time that it is given.

In: whether taps are there and have carrier, probes sent and heard. Out: for each pair whether it works and why not,
and of each function the pair in use: it stays while it works; of several that work it is the first.

A pair that is new must prove itself by probes, unless it is the one that was in use before (a restarted agent must not
cut what works). Carrier counts at once; a pair whose carrier comes back must prove itself again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from netctl_host.assignment_chains import Function, Pair

NO_TAP, NO_CARRIER, LOST = "no tap", "no carrier", "probes lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Does a pair work? `reason` says why not; `undecided`: it is only that too few probes went through it yet."""

    healthy: bool
    reason: str = ""
    undecided: bool = False


NOT_PROBED = Verdict(healthy=False, reason="not yet probed", undecided=True)


@dataclass(slots=True)
class PairHealth:
    """What is known of one pair."""

    function: Function
    pair: Pair
    assumed: bool = False
    links: Mapping[str, bool] = field(default_factory=dict)
    _healthy: bool = False
    _successes: int = 0
    _failures: int = 0
    _waiting: dict[int, float] = field(default_factory=dict)
    _sequence: int = 0
    _next_s: float = 0.0

    def __post_init__(self) -> None:
        self._healthy = self.assumed

    @property
    def taps(self) -> tuple[str, ...]:
        """The one or two taps."""
        return tuple(tap for tap in (self.pair.ingress_tap, self.pair.egress_tap) if tap)

    @property
    def is_probed(self) -> bool:
        """Are there probes through it?"""
        return bool(self.function.interval_ms and self.pair.egress_tap and not self.function.tap)

    @property
    def is_connected(self) -> bool:
        """Are its taps there, with carrier?"""
        return all(self.links.get(tap) for tap in self.taps)

    def note_links(self, links: Mapping[str, bool]) -> None:
        """Take in which links there are, and which have carrier."""
        self.links = {tap: links[tap] for tap in self.taps if tap in links}
        if not self.is_connected:
            self._healthy, self._successes, self._failures = False, 0, 0
            self._waiting.clear()
            self._next_s = 0.0

    def verdict(self) -> Verdict:
        """Say whether it works."""
        if any(tap not in self.links for tap in self.taps):
            return Verdict(healthy=False, reason=NO_TAP)
        if not self.is_connected:
            return Verdict(healthy=False, reason=NO_CARRIER)
        if self.is_probed and not self._healthy:
            return Verdict(healthy=False, reason=LOST) if self._failures else NOT_PROBED
        return Verdict(healthy=True)

    def due(self, now_s: float) -> int | None:
        """Return the number of the probe to send now, None when it is not time."""
        if not self.is_probed or not self.is_connected or now_s < self._next_s:
            return None
        self._next_s = now_s + self.function.interval_ms / 1000
        self._sequence = self._sequence % 0xFFFF + 1
        self._waiting[self._sequence] = now_s + self.function.timeout_ms / 1000
        return self._sequence

    def note_answer(self, sequence: int) -> None:
        """A probe came out of the other side."""
        if self._waiting.pop(sequence, None) is not None:
            self._successes, self._failures = self._successes + 1, 0
            if self._successes >= self.function.success_threshold:
                self._healthy = True

    def note_time(self, now_s: float) -> None:
        """Count as lost what did not come in time."""
        for sequence in [sequence for sequence, end_s in self._waiting.items() if end_s <= now_s]:
            del self._waiting[sequence]
            self._successes, self._failures = 0, self._failures + 1
            if self._failures >= self.function.failure_threshold:
                self._healthy = False

    def next_s(self) -> float:
        """Return when `due` or `note_time` has something to do; infinity when nothing is to come."""
        if not self.is_probed or not self.is_connected:
            return float("inf")
        return min([self._next_s, *self._waiting.values()])


def choose_active(pairs: tuple[tuple[str, Verdict], ...], before: str) -> str:
    """Return the ingress tap in use, "" for none: `before` while it works, else the first that works."""
    working = [tap for tap, verdict in pairs if verdict.healthy]
    return before if before in working else next(iter(working), "")


def all_pairs(functions: tuple[Function, ...]) -> Iterator[tuple[Function, Pair]]:
    """Yield the pairs of all functions, in order."""
    for function in functions:
        for pair in function.pairs:
            yield function, pair
