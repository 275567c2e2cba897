"""The loss meter: does traffic go on while something is broken, and does nothing pass that must not?

    with measure(a, b) as meter:
        ... the fault ...
    meter.report.lost, meter.report.leaked, meter.report.longest_gap_ms

Two guests send each other, both ways at once, an allowed stream (numbered UDP datagrams of their own addresses) and a
denied one: frames with a forged source, or, where a policy is measured, with their own to another port. The sender's
counts are the positive control: what leaked is held against denied frames that did leave the guest, at the same moment
as allowed ones arrived.
CPU pressure stands in the report because a starved process looks like a slow network.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netctl.loop import wait_until
from tests.lossmeter.frames import Address

ROOT = Path(__file__).parents[2]
FOREIGN_MAC = "50:6b:8d:66:66:66"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A guest as the meter sees it: its network namespace, its interface, its own addresses.

    Where NAT stands between (measure with `nothing_denied`): `seen_as` is the address under which the other end finds
    it; when it is `translated`, ports included, the other end answers to where its datagrams come from. `via`: the MAC
    address that denied frames to it are sent to, a router's, instead of its own.
    """

    namespace: str
    interface: str
    mac: str
    ip: str
    seen_as: str = ""
    translated: bool = False
    via: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """One guest to the other."""

    sent: int
    received: int
    duplicates: int
    longest_gap_ms: float
    lost_runs: tuple[tuple[int, int], ...]
    denied_sent: int
    leaked: int
    leaked_by_variant: dict[str, int]
    left_guest: int
    errors: int

    @property
    def lost(self) -> int:
        """Allowed datagrams that did not arrive."""
        return self.sent - self.received


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Both directions, and what else may explain a gap."""

    directions: tuple[Direction, Direction]
    seconds: float
    cpu_pressure_percent: float | None

    @property
    def sent(self) -> int:
        """Allowed datagrams, both ways."""
        return sum(one.sent for one in self.directions)

    @property
    def lost(self) -> int:
        """Allowed datagrams that did not arrive, both ways."""
        return sum(one.lost for one in self.directions)

    @property
    def denied_sent(self) -> int:
        """Denied frames that left the guests."""
        return sum(one.denied_sent for one in self.directions)

    @property
    def leaked(self) -> int:
        """Denied frames that arrived."""
        return sum(one.leaked for one in self.directions)

    @property
    def longest_gap_ms(self) -> float:
        """Longest time between two arrivals, either way."""
        return max(one.longest_gap_ms for one in self.directions)

    def __str__(self) -> str:
        pressure = "?" if self.cpu_pressure_percent is None else f"{self.cpu_pressure_percent:.0f} %"
        runs = [run for one in self.directions for run in one.lost_runs]
        where = f" (first, count: {runs})" if runs else ""
        return (
            f"{self.lost} of {self.sent} lost{where}, {self.leaked} of {self.denied_sent} leaked,"
            f" longest gap {self.longest_gap_ms:.0f} ms, {self.seconds:.1f} s, CPU pressure {pressure}"
        )


def spoofed_sources(own: Guest) -> tuple[Address, ...]:
    """Return sources that a guest must not use: another's IP, another's MAC, both."""
    network, _, last = own.ip.rpartition(".")
    foreign_ip = f"{network}.{253 if last != '253' else 252}"
    return Address(own.mac, foreign_ip), Address(FOREIGN_MAC, own.ip), Address(FOREIGN_MAC, foreign_ip)


def own_address(own: Guest) -> tuple[Address, ...]:
    """Return a guest's own addresses: what denies its frames is a policy, by their port."""
    return (Address(own.mac, own.ip),)


def nothing_denied(own: Guest) -> tuple[Address, ...]:
    """Return no sources: only the allowed stream is sent."""
    del own
    return ()


# The sources of the denied stream of a guest.
Denied = Callable[[Guest], tuple[Address, ...]]


class LossMeter:
    """Two endpoints at work."""

    def __init__(self, a: Guest, b: Guest, *, pps: int = 200, denied: Denied = spoofed_sources) -> None:
        run = secrets.token_hex(8)
        self._ends: list[_End] = []
        self._before = _cpu_pressure_us()
        self._began = time.monotonic()
        self._report: Report | None = None
        with ExitStack() as undo:
            undo.callback(self.close)
            for side, own, peer in (("a", a, b), ("b", b, a)):
                plan = {"run": run, "side": side, "pps": pps}
                self._ends.append(_End(own, peer, plan, denied(own)))
            for end in self._ends:
                end.hear()
            undo.pop_all()

    def start(self) -> None:
        """Send, and return when allowed datagrams arrive both ways (the first ones wait for ARP)."""
        for end in self._ends:
            end.ask("go")
        wait_until(lambda: self._received_each() >= 20, timeout_s=20, what="allowed stream arrives both ways")

    def wait_for_more(self, count: int, *, timeout_s: float = 60) -> None:
        """Return when each side has sent `count` more: time measured in packets."""
        goal = self.sent_each() + count
        wait_until(lambda: self.sent_each() >= goal, timeout_s=timeout_s, what=f"{count} more packets sent")

    def wait_for_arrivals(self, count: int, *, timeout_s: float = 60) -> None:
        """Return when each side has received `count` more: traffic flows."""
        goal = self._received_each() + count
        wait_until(lambda: self._received_each() >= goal, timeout_s=timeout_s, what=f"{count} more arrive")

    def sent_each(self) -> int:
        """Return what the slower side has sent."""
        return min(int(end.ask("count")["sent"]) for end in self._ends)

    def leaked_now(self) -> int:
        """Return how many forged frames have arrived so far."""
        return sum(int(end.ask("count")["leaked"]) for end in self._ends)

    def stop(self) -> None:
        """Stop sending, let the last ones arrive, count."""
        for end in self._ends:
            end.ask("stop")
        seconds = time.monotonic() - self._began
        after = _cpu_pressure_us()
        for end in self._ends:
            end.say("report")
        a, b = (end.hear() for end in self._ends)
        pressure = (
            (after - self._before) / seconds / 1e4 if after is not None and self._before is not None else None
        )
        self._report = Report(
            directions=(_direction(a, b), _direction(b, a)), seconds=seconds, cpu_pressure_percent=pressure
        )

    @property
    def report(self) -> Report:
        """What was counted; after `stop`."""
        assert self._report is not None, "the meter is still running"
        return self._report

    def close(self) -> None:
        """End both processes."""
        for end in self._ends:
            end.close()

    def _received_each(self) -> int:
        return min(int(end.ask("count")["received"]) for end in self._ends)


@contextmanager
def measure(a: Guest, b: Guest, *, pps: int = 200, denied: Denied = spoofed_sources) -> Iterator[LossMeter]:
    """Run a meter around a block; its report is there afterwards."""
    meter = LossMeter(a, b, pps=pps, denied=denied)
    try:
        meter.start()
        yield meter
        meter.wait_for_more(20)  # what the block broke last must show
        meter.stop()
    finally:
        meter.close()


class _End:
    def __init__(self, own: Guest, peer: Guest, plan: dict[str, Any], spoofed: Sequence[Address]) -> None:
        plan = plan | {
            "own": (own.mac, own.ip),
            "peer": (peer.via or peer.mac, peer.seen_as or peer.ip),
            "learn": peer.translated,
            "interface": own.interface,
            "spoofed": [(source.mac, source.ip) for source in spoofed],
        }
        command = [sys.executable, "-m", "tests.lossmeter.endpoint", json.dumps(plan)]
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", own.namespace, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the meter's process ended with status {self._process.wait()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, word: str) -> dict[str, Any]:
        self.say(word)
        return self.hear()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def _direction(sender: dict[str, Any], receiver: dict[str, Any]) -> Direction:
    return Direction(
        sent=sender["sent"],
        received=receiver["received"],
        duplicates=receiver["duplicates"],
        longest_gap_ms=receiver["longest_gap_ms"],
        lost_runs=tuple((first, count) for first, count in receiver["lost_runs"]),
        denied_sent=sender["denied_sent"],
        leaked=receiver["leaked"],
        leaked_by_variant=receiver["leaked_by_variant"],
        left_guest=sender["left_guest"],
        errors=sender["errors"],
    )


def _cpu_pressure_us() -> int | None:
    try:
        text = Path("/proc/pressure/cpu").read_text()
    except OSError:  # no such file, or a kernel that answers "operation not supported"
        return None
    return int(text.split("total=")[1].split()[0])
