"""HitsBook: hits of routing policies, added up over hosts from counters that may start anew at any time.

In: what each host's counters say now. Out: sums that never fall, except to zero when asked. Pure. It is the source of
truth for what was counted; the counters themselves belong to the hosts, where a flow that is installed anew or a host
that was rebooted begins at zero. What a counter gained after our last look and before such an end is not known to us.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from netctl.model.hits import FlowKey, Hits
from netctl.model.keys import HostId, Uid


@dataclass(slots=True)
class Tally:
    """The hits of one policy; `clear_time_s` (seconds since the epoch) 0 when never cleared.

    `skipping`: hosts that did not answer when it was cleared; what they say next is from before, wholly or in part.
    """

    clear_time_s: float = 0.0
    hosts: dict[HostId, Hits] = field(default_factory=dict)
    skipping: set[HostId] = field(default_factory=set)

    @property
    def total(self) -> Hits:
        """The sum over the hosts."""
        return sum(self.hosts.values(), Hits())


class HitsBook:
    """Tallies by the policy's uid, and what each counter said last."""

    def __init__(self) -> None:
        self.tallies: dict[Uid, Tally] = {}
        self.seen: dict[HostId, dict[FlowKey, Hits]] = {}

    def tally(self, policy: Uid) -> Tally:
        """Return a policy's tally, empty when nothing was counted yet."""
        return self.tallies.setdefault(policy, Tally())

    def take(self, host: HostId, asked: Mapping[FlowKey, Uid], counts: Mapping[FlowKey, Hits]) -> None:
        """Add what a host answered; a key that was asked for and is not among `counts` has no flow there now."""
        seen = self.seen.setdefault(host, {})
        gained: dict[Uid, Hits] = {}
        for key, policy in asked.items():
            now = counts.get(key)
            if now is None:
                seen.pop(key, None)
                continue
            gained[policy] = gained.get(policy, Hits()) + now.since(seen.get(key, Hits()))
            seen[key] = now
        for policy in dict.fromkeys(asked.values()):
            tally = self.tally(policy)
            if host in tally.skipping:
                tally.skipping.discard(host)
            elif policy in gained:
                tally.hosts[host] = tally.hosts.get(host, Hits()) + gained[policy]

    def clear(self, policy: Uid, now_s: float, missing: Iterable[HostId]) -> None:
        """Count from zero again; `missing` are the hosts that have just not answered."""
        self.tallies[policy] = Tally(clear_time_s=now_s, skipping=set(missing))

    def forget(
        self, policies: Collection[Uid], hosts: Collection[HostId], flows: Collection[FlowKey]
    ) -> None:
        """Keep these policies, hosts and flows only: the others were removed."""
        self.tallies = {uid: tally for uid, tally in self.tallies.items() if uid in policies}
        self.seen = {
            host: {key: hits for key, hits in seen.items() if key in flows}
            for host, seen in self.seen.items()
            if host in hosts
        }
