"""Hits of policies for Prometheus, in names. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from netctl.analysis.hits import HitsBook
from netctl.model.keys import Kind, resource_name
from netctl.model.snapshot import Snapshot
from netctl.reconciler.metrics import HitsSample


def sample_hits(snapshot: Snapshot, book: HitsBook) -> Sequence[HitsSample]:
    """Return what was counted of the policies that there are, those that match most first."""
    found: list[HitsSample] = []
    for kind in (Kind.SECURITY_POLICY, Kind.ROUTING_POLICY):
        for policy in snapshot.of_kind(kind):
            tally = book.tallies.get(policy.meta.uid)
            name = resource_name((kind, policy.id))
            for counted, count in tally.counts.items() if tally is not None else ():
                would_drop = "yes" if counted.would_drop else "no"
                labels = (name, counted.rule, counted.direction, counted.action, would_drop)
                total = count.total
                found.append(HitsSample(labels, total.packets, total.bytes))
    return sorted(found, key=lambda sample: (-sample.packets, sample.labels))
