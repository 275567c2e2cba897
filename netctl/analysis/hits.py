"""HitsBook: hits of policies, added up over hosts from counters that may start anew at any time.

In: what each host's counters say now. Out: sums that never fall, except to zero when asked. Pure. It is the source of
truth for what was counted; the counters themselves belong to the hosts, where a flow that is installed anew or a host
that was rebooted begins at zero. What a counter gained after our last look and before such an end is not known to us.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from netctl.model.hits import Counted, FlowKey, Hits
from netctl.model.keys import HostId, Uid

# What each flow counts for: more than one thing where a policy in MONITOR looks at what another one allows.
Asked = Mapping[FlowKey, tuple[Counted, ...]]


@dataclass(slots=True)
class Count:
    """The hits of one thing; `last_time_s` (seconds since the epoch) when it was last seen to gain, 0 when never."""

    hosts: dict[HostId, Hits] = field(default_factory=dict)
    last_time_s: float = 0.0

    @property
    def total(self) -> Hits:
        """The sum over the hosts."""
        return sum(self.hosts.values(), Hits())


@dataclass(slots=True)
class Tally:
    """The hits of one policy; `clear_time_s` (seconds since the epoch) 0 when never cleared.

    `skipping`: hosts that did not answer when it was cleared; what they say next is from before, wholly or in part.
    """

    clear_time_s: float = 0.0
    counts: dict[Counted, Count] = field(default_factory=dict)
    skipping: set[HostId] = field(default_factory=set)

    @property
    def hosts(self) -> Mapping[HostId, Hits]:
        """The sums over what is counted, by host."""
        found: dict[HostId, Hits] = {}
        for count in self.counts.values():
            for host, hits in count.hosts.items():
                found[host] = found.get(host, Hits()) + hits
        return found

    @property
    def total(self) -> Hits:
        """The sum over what is counted and the hosts."""
        return sum((count.total for count in self.counts.values()), Hits())


class HitsBook:
    """Tallies by the policy's uid, and what each counter said last."""

    def __init__(self) -> None:
        self.tallies: dict[Uid, Tally] = {}
        self.seen: dict[HostId, dict[FlowKey, Hits]] = {}

    def tally(self, policy: Uid) -> Tally:
        """Return a policy's tally, empty when nothing was counted yet."""
        return self.tallies.setdefault(policy, Tally())

    def take(
        self,
        host: HostId,
        asked: Asked,
        counts: Mapping[FlowKey, Hits],
        now_s: float,
        *,
        partly: Collection[Uid] = (),
    ) -> None:
        """Add what a host answered; a key that was asked for and is not among `counts` has no flow there now.

        `asked` holds all flows of each policy that it holds any of, but for the policies in `partly`.
        """
        seen = self.seen.setdefault(host, {})
        gained: dict[Counted, Hits] = {}
        for key, counted in asked.items():
            now = counts.get(key)
            if now is None:
                seen.pop(key, None)
                continue
            before = seen.get(key)
            if now == before:  # most of them, most of the time
                continue
            more = now.since(before or Hits())
            for each in counted:
                gained[each] = gained.get(each, Hits()) + more
            seen[key] = now
        policies = dict.fromkeys(each.policy for counted in asked.values() for each in counted)
        silent = {policy for policy in policies if host in self.tally(policy).skipping}
        for policy in silent.difference(partly):
            self.tally(policy).skipping.discard(host)
        for each, more in gained.items():
            if each.policy not in silent:
                self._add(host, each, more, now_s)

    def clear(self, policy: Uid, now_s: float, missing: Iterable[HostId]) -> None:
        """Count from zero again; `missing` are the hosts that have just not answered."""
        self.tallies[policy] = Tally(clear_time_s=now_s, skipping=set(missing))

    def forget(
        self,
        rules: Mapping[Uid, Collection[str]],
        hosts: Collection[HostId],
        flows: Collection[FlowKey],
    ) -> None:
        """Keep these policies with these rules, hosts and flows only: the others were removed."""
        self.tallies = {uid: tally for uid, tally in self.tallies.items() if uid in rules}
        for uid, tally in self.tallies.items():
            kept = {"", *rules[uid]}
            tally.counts = {each: count for each, count in tally.counts.items() if each.rule in kept}
        self.seen = {
            host: {key: hits for key, hits in seen.items() if key in flows}
            for host, seen in self.seen.items()
            if host in hosts
        }

    def _add(self, host: HostId, counted: Counted, more: Hits, now_s: float) -> None:
        count = self.tally(counted.policy).counts.setdefault(counted, Count())
        count.hosts[host] = count.hosts.get(host, Hits()) + more
        if more.packets:
            count.last_time_s = now_s
