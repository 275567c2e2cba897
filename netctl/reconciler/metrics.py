"""Prometheus metrics of the reconciler: passes, rows, latencies, queue."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """All metrics, in a registry of their own so that two controllers in one process do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.passes = Counter("netctl_passes", "Passes of the reconciler", ["result"], registry=r)
        self.pass_seconds = Histogram("netctl_pass_seconds", "One pass", registry=r, buckets=_SECONDS)
        self.apply_seconds = Histogram(
            "netctl_northbound_apply_seconds", "One northbound transaction", registry=r, buckets=_SECONDS
        )
        self.northd_seconds = Histogram(
            "netctl_northd_wait_seconds", "Wait for northd before a pass", registry=r, buckets=_SECONDS
        )
        self.facts_changed = Counter(
            "netctl_northbound_facts_changed", "Rows and members written", registry=r
        )
        self.rows_owned = Gauge("netctl_northbound_facts_owned", "Rows and members of ours", registry=r)
        self.poisoned = Gauge("netctl_poison_intents", "Intents that OVN refuses", registry=r)
        self.held = Gauge("netctl_passes_held", "1 while a guard holds passes", registry=r)
        self.store_revision = Gauge("netctl_store_revision", "Newest revision of the store", registry=r)
        self.northbound_revision = Gauge(
            "netctl_northbound_revision", "Revision the northbound equals", registry=r
        )
        self.queue = Gauge("netctl_admission_queue", "Requests waiting for admission", registry=r)
        self.agents = Gauge("netctl_agents_connected", "Host agents with a stream", registry=r)
