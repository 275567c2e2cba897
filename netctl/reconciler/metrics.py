"""Prometheus metrics of the controller: passes, rows, latencies, queue; hits and logs of policies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


# One series each for packets and bytes of a rule, direction and action: beyond so many a page takes seconds to write.
HITS_MAX = 10_000
_HITS_LABELS = ("policy", "rule", "direction", "action", "would_drop")


@dataclass(frozen=True, slots=True)
class HitsSample:
    """The hits of one rule over all hosts; `labels` in the order of _HITS_LABELS."""

    labels: tuple[str, str, str, str, str]
    packets: int
    bytes: int


class HitsCollector:
    """Hits of policies as of the last look at the hosts' counters; any thread may collect."""

    def __init__(self) -> None:
        self._samples: Sequence[HitsSample] = ()

    def show(self, samples: Sequence[HitsSample]) -> None:
        """Tell these from now on."""
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, the first HITS_MAX series of each."""
        samples = self._samples
        packets = CounterMetricFamily(
            "netctl_policy_hits", "Packets that a rule decided", labels=_HITS_LABELS
        )
        size = CounterMetricFamily(
            "netctl_policy_hit_bytes", "Bytes that a rule decided", labels=_HITS_LABELS
        )
        for sample in samples[:HITS_MAX]:
            packets.add_metric(sample.labels, sample.packets)
            size.add_metric(sample.labels, sample.bytes)
        yield packets
        yield size
        left_out = max(0, len(samples) - HITS_MAX)
        yield GaugeMetricFamily("netctl_policy_hits_left_out", "Rules without a series", value=left_out)


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
        self.learned = Gauge(
            "netctl_learned_addresses", "Addresses of guests that hosts learned and we wrote", registry=r
        )
        self._add_migration()
        self.policy_hits = HitsCollector()
        r.register(self.policy_hits)
        self.log_entries = Counter("netctl_policy_log_entries", "Log lines of policies, named", registry=r)
        self.log_lost = Counter(
            "netctl_policy_log_lost", "Log lines that a host or the controller left out", registry=r
        )
        self.log_unknown = Counter(
            "netctl_policy_log_unknown", "Log lines of ACLs that are not ours, or no more", registry=r
        )
        self.syslog_sent = Counter("netctl_syslog_sent", "Log lines sent to syslog", registry=r)
        self.syslog_lost = Counter("netctl_syslog_lost", "Log lines that syslog did not take", registry=r)

    def _add_migration(self) -> None:
        r = self.registry
        self.migrating = Gauge(
            "netctl_nics_migrating", "NICs that are to move between VLAN basic and OVN", registry=r
        )
        self.migrated = Counter(
            "netctl_nics_migrated", "NICs that moved between VLAN basic and OVN", ["result"], registry=r
        )
