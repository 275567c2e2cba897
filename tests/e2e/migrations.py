"""Migrations back and forth under probes from everywhere, and what they cost: some in a test, a hundred for the record.

NETCTL_MIGRATIONS says how many a test does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.e2e.probes import Probes, Report
from tests.e2e.vms import DONE, OUTSIDE, VmMigration, Vms

ENVIRONMENT = "NETCTL_MIGRATIONS"
# Beyond the guest's pause: the promise is 100 ms for half of them and 500 ms for 99 of 100; a run tells how it is kept
# (`summary`). A test fails only where somebody was forgotten: timings of a busy machine decide nothing.
GAP_P50_MS, GAP_P99_MS = 100.0, 500.0
FORGOTTEN_MS = 5000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One migration: what the controller says of it, and what the stations saw."""

    migration: VmMigration
    seen: Report

    @property
    def gap_ms(self) -> float:
        """How long the network was away beyond the pause, for the station that met the worst."""
        return max(0.0, self.seen.longest_ms - self.migration.evidence.pause_ms)

    def __str__(self) -> str:
        evidence = self.migration.evidence
        by_station = ", ".join(f"{name} {one.longest_ms:.0f}" for name, one in self.seen.stations.items())
        return (
            f"{self.migration.source}->{self.migration.destination}: gap {self.gap_ms:.0f} ms beyond a pause of "
            f"{evidence.pause_ms} (announced after {evidence.announce_ms}); silences {by_station}; prober starved "
            f"{self.seen.starved_ms:.0f}; copied in {evidence.copy_ms}, {evidence.iterations} iterations"
        )


def how_many(default: int) -> int:
    """Return how many migrations a test does."""
    return int(os.environ.get(ENVIRONMENT) or default)


@contextmanager
def probed(vms: Vms, name: str, stations: Sequence[str] = ("h1", "h2", "h3")) -> Iterator[Probes]:
    """Probe a machine from a lab guest on each of these hosts, and from beyond the uplink."""
    nics = {host: vms.site.add(f"probe-{host}", "vlan", host) for host in stations}
    try:
        places = {host: vms.station(nic, name) for host, nic in nics.items()}
        with Probes(places | {OUTSIDE: vms.outside(name)}) as probes:
            yield probes
    finally:
        vms.site.discard(*nics.values())


def back_and_forth(vms: Vms, name: str, probes: Probes, hosts: Sequence[str], count: int) -> list[Move]:
    """Migrate a machine so often, each time to the next of the hosts; it is on the first of them now."""
    moves = []
    for number in range(count):
        probes.mark()
        migration = vms.moved(name, hosts[(number + 1) % len(hosts)])
        assert migration.stage == DONE, migration
        probes.settle()
        moves.append(Move(migration=migration, seen=probes.report()))
    return moves


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def summary(moves: Sequence[Move]) -> str:
    """Return the figures of a run in a line."""
    gaps = [move.gap_ms for move in moves]
    pauses = [float(move.migration.evidence.pause_ms) for move in moves]
    kept = sum(not move.seen.broken for move in moves)
    return (
        f"{len(moves)} migrations, network gap beyond the pause p50 {percentile(gaps, 50):.0f} ms, "
        f"p99 {percentile(gaps, 99):.0f} ms (promised {GAP_P50_MS:.0f}, {GAP_P99_MS:.0f}), "
        f"first {gaps[0]:.0f}, last {gaps[-1]:.0f}; pause p50 "
        f"{percentile(pauses, 50):.0f} ms; TCP kept in {kept} of {len(moves)}"
    )
