"""What compiling policies costs: everything, and again after one NIC changed its group or one rule was flipped.

`size` is how many NICs, in 50 groups with 250 rules; in one process, without any database. `count` is how many intents
are compiled again. Counted: the facts that differ, two for a NIC (a member out, one in) and one for a rule.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import policy_layout as layout
from bench.controllers import world
from bench.figures import Figure, Target, WrongCount, percentile
from netctl.model.intent import Intent
from netctl.model.keys import CategoryId, Key, Kind
from netctl.model.nic import Nic
from netctl.model.security_policy import RuleAction, SecurityPolicy
from netctl.model.snapshot import Snapshot
from netctl.reconciler.desired import DesiredFacts
from netctl.server.admission import Admission
from netctl.store.sqlite import SqliteStore

CHANGES = 100
_CHUNK = 5000
ALL, REGROUP, FLIP = "compile all", "compile, a NIC changes its group", "compile, a rule is flipped"
TARGETS = tuple(
    Target(way=way, peer=way, peer_size=1000, most=1.2, sizes=(10_000,)) for way in (REGROUP, FLIP)
)
_NIC: Key = (Kind.NIC, layout.grouped(0).name.rpartition("/")[2])
_POLICY: Key = (Kind.SECURITY_POLICY, layout.policy(0).name.rpartition("/")[2])


def run(sizes: Sequence[int] = (1000, 10_000), repetitions: int = 3) -> list[Figure]:
    """Measure at every size, the changes in turns."""
    figures = []
    for size in sizes:
        with _admitted(size) as (snapshot, owner):
            for _ in range(repetitions):
                figures += _measure(snapshot, owner, size)
    return figures


@contextmanager
def _admitted(size: int) -> Iterator[tuple[Snapshot, str]]:
    """Let a controller admit everything; yield what it admitted."""
    with TemporaryDirectory(prefix="netctl-bench-") as text:
        with world(Path(text), ground=layout.ground) as here:
            for request in layout.batches(size, min(size, _CHUNK)):
                here.batch(request)
        store = SqliteStore(Path(text) / "state" / "netctl.db")
        try:
            yield Admission(store).snapshot(), store.owner
        finally:
            store.close()


def _measure(snapshot: Snapshot, owner: str, size: int) -> list[Figure]:
    desired = DesiredFacts(owner)
    began = time.perf_counter()
    desired.update(snapshot, None)
    figures = [Figure(bench="policy_compile", way=ALL, size=size, seconds=time.perf_counter() - began)]
    taken: dict[str, list[float]] = {REGROUP: [], FLIP: []}
    recompiled = dict.fromkeys(taken, 0)
    for number in range(CHANGES):
        for way, key, count in ((REGROUP, _NIC, 2), (FLIP, _POLICY, 1)):
            snapshot = _changed(snapshot, key, 1 - number % 2)
            began = time.perf_counter()
            touched = desired.update(snapshot, frozenset({key}))
            taken[way].append(time.perf_counter() - began)
            recompiled[way] = len(desired.recompiled)
            if len(touched) != count:
                raise WrongCount(f"{way}: {len(touched)} facts differ, not {count}")
    return figures + [
        Figure(
            bench="policy_compile",
            way=way,
            size=size,
            seconds=median(seconds),
            p99_s=percentile(seconds, 99),
            count=recompiled[way],
        )
        for way, seconds in taken.items()
    ]


def _changed(snapshot: Snapshot, key: Key, odd: int) -> Snapshot:
    draft = snapshot.draft()
    draft.put(_other(snapshot, key, odd))
    return draft.freeze(snapshot.revision + 1)


def _other(snapshot: Snapshot, key: Key, odd: int) -> Intent:
    match snapshot.get(key):
        case Nic() as nic:
            return replace(nic, categories=(CategoryId(f"g{odd}"),))
        case SecurityPolicy() as policy:
            first = replace(policy.rules[0], action=RuleAction.DENY if odd else RuleAction.ALLOW)
            return replace(policy, rules=(first, *policy.rules[1:]))
    raise WrongCount(f"{key} is not there")
