"""Expiry: which rules of security policies are over, and when the next one will be.

In: a snapshot and the wall clock, which alone means the same to people and to a controller that starts anew. A rule
that has expired stays as it is stored; it is not compiled any more.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from itertools import islice

from netctl.loop import Clock
from netctl.model.keys import Kind, SecurityPolicyId
from netctl.model.security_policy import SecurityPolicy
from netctl.model.snapshot import Snapshot
from netctl.reconciler.subjects import Kept

RuleName = tuple[SecurityPolicyId, str]


class Expiry:
    """Owns: what it read from the last snapshot. One thread."""

    def __init__(self, wall: Clock = time.time) -> None:
        self._wall = wall
        self._ends = Kept(_ends, Kind.SECURITY_POLICY)

    def look(self, snapshot: Snapshot) -> tuple[frozenset[RuleName], float]:
        """Return the rules that are over, and after how many seconds the next one will be, infinity for never."""
        ends, now = self._ends.of(snapshot), self._wall()
        over = bisect_right(ends, now, key=lambda end: end[0])
        again_s = ends[over][0] - now if over < len(ends) else math.inf
        return frozenset(name for _, name in islice(ends, over)), again_s


def _ends(snapshot: Snapshot) -> list[tuple[float, RuleName]]:
    """Return when which rules end, the first first."""
    return sorted(
        (rule.expire_time_s, (policy.id, rule.name))
        for policy in snapshot.of_kind(Kind.SECURITY_POLICY)
        if isinstance(policy, SecurityPolicy)
        for rule in policy.rules
        if rule.expire_time_s
    )
