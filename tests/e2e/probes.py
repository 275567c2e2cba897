"""What a guest's network does while it moves, seen from several places: `Probes` runs tests.e2e.prober and reads it.

with Probes({"h1": Station(namespace, own, guest), ...}) as probes:
    probes.mark()
    ... the migration ...
    probes.report()
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from netctl.loop import wait_until

PERIOD_MS = 10
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Station:
    """Whence a guest is probed: a namespace with an address of its own, and the guest's address."""

    namespace: str
    own: str
    guest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one station saw since the mark: the longest silence of datagrams and of TCP, and whether TCP stands."""

    sent: int
    answered: int
    longest_ms: float
    tcp_longest_ms: float
    tcp_broken: str
    tcp_unheard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All stations. `starved_ms`: how long the prober itself did not run, at most."""

    stations: Mapping[str, Seen]
    starved_ms: float

    @property
    def longest_ms(self) -> float:
        """The longest silence that any station met."""
        return max(seen.longest_ms for seen in self.stations.values())

    @property
    def broken(self) -> dict[str, str]:
        """The stations whose connection did not survive."""
        return {name: seen.tcp_broken for name, seen in self.stations.items() if seen.tcp_broken}


class Probes:
    """A running prober."""

    def __init__(self, stations: Mapping[str, Station], *, period_ms: int = PERIOD_MS) -> None:
        places = {name: list(asdict(station).values()) for name, station in stations.items()}
        plan = {"period_ms": period_ms, "stations": places}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.prober", json.dumps(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def __enter__(self) -> Probes:
        with ExitStack() as undo:
            undo.callback(self.close)
            self._hear()
            wait_until(self._all_answer, timeout_s=10, what="answers at every station")
            undo.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def mark(self) -> None:
        """Count from now on."""
        self._ask("mark")

    def report(self) -> Report:
        """Return what was seen since the mark."""
        told = self._ask("report")
        return Report(
            stations={
                name: Seen(
                    sent=int(station["datagrams"]["sent"]),
                    answered=int(station["datagrams"]["answered"]),
                    longest_ms=station["datagrams"]["longest_ms"],
                    tcp_longest_ms=station["lines"]["longest_ms"],
                    tcp_broken=station["broken"],
                    tcp_unheard=int(station["unheard_lines"]),
                )
                for name, station in told["stations"].items()
            },
            starved_ms=told["starved_ms"],
        )

    def settle(self) -> None:
        """Return when every station gets answers again, by datagram and by TCP, or its connection is broken."""
        before = self._counts()

        def answered() -> bool:
            now = self._counts()
            return all(
                now[name][0] > counts[0] + 5 and (now[name][2] or now[name][1] > counts[1])
                for name, counts in before.items()
            )

        wait_until(answered, timeout_s=20, what="answers at every station after the move")

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _counts(self) -> dict[str, tuple[int, int, bool]]:
        told = self._ask("report")["stations"]
        return {
            name: (one["datagrams"]["answered"], one["lines"]["answered"], bool(one["broken"]))
            for name, one in told.items()
        }

    def _all_answer(self) -> bool:
        return all(datagrams > 10 and lines > 2 for datagrams, lines, _ in self._counts().values())

    def _ask(self, word: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the prober ended with status {self._process.wait()}"
        answer: dict[str, Any] = json.loads(line)
        return answer
