"""Ranks: which priorities the ACLs of each security policy get. No two of one realm and direction share one.

In each band a policy has a block of places, in the order of policies, so that an edit inside moves nobody else unless
the block grows. With policies in MONITOR, what is allowed has places for its would-be denials in front of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from netctl.compiler.clause import Clause, Phase
from netctl.compiler.clauses import Line, lines_of, order_of, services_of
from netctl.compiler.priority import ACL_BANDS, Band
from netctl.compiler.same import Same
from netctl.compiler.services import Services, common, versions_of
from netctl.model.keys import Kind, SecurityPolicyId
from netctl.model.lookups import Lookups
from netctl.model.security_policy import (
    Direction,
    PolicyMode,
    PolicyScope,
    RuleAction,
    SecurityPolicy,
)

# Of one policy: more would-be denials than these are left out.
FRONTS_MAX = 2000
_LEAST = 4  # places of a block
_SNAPSHOTS, _POLICIES = 8, 4096
_Way = tuple[Phase, Direction]


@dataclass(frozen=True, slots=True)
class Front:
    """A line in MONITOR that comes before an allowing one, to be looked at together with it."""

    policy: SecurityPolicy
    line: Line


@dataclass(frozen=True, slots=True)
class Slot:
    """One ACL to be: a line, perhaps with a monitored one in front of it, and its priority."""

    line: Line
    front: Front | None
    priority: int


@dataclass(frozen=True, slots=True)
class Block:
    """A policy's places: the highest priority by phase and direction, and what is in front of which of its lines.

    `is_complete`: nothing in front was left out.
    """

    firsts: Mapping[_Way, int] = field(default_factory=dict)
    fronts: Mapping[int, tuple[Front, ...]] = field(default_factory=dict)
    is_complete: bool = True


def block_of(snapshot: Lookups, policy: SecurityPolicy) -> Block:
    """Return the block of a stored policy."""
    return blocks_of(snapshot)[policy.id]


def blocks_of(snapshot: Lookups) -> Mapping[SecurityPolicyId, Block]:
    """Return the blocks of all policies."""
    policies, groups = snapshot.table(Kind.SECURITY_POLICY), snapshot.table(Kind.SERVICE_GROUP)
    known = _known_blocks(Same(policies), Same(groups))
    if not known:
        known.append(_Ranking(snapshot).blocks())
    return known[0]


def slots_of(policy: SecurityPolicy, block: Block) -> Iterator[Slot]:
    """Yield the slots of a policy in order; what a band does not hold, which admission refuses, is left out."""
    places = dict(block.firsts)
    for index, line in enumerate(lines_of(policy)):
        way = line.clause.phase, line.clause.direction
        last = ACL_BANDS[_band(policy, line.clause.phase)].last
        for front in (*block.fronts.get(index, ()), None):
            if places[way] >= last:
                yield Slot(line, front, places[way])
            places[way] -= 1


@lru_cache(maxsize=_SNAPSHOTS)
def _known_blocks(
    _policies: Same[Mapping[str, Any]], _groups: Same[Mapping[str, Any]]
) -> list[Mapping[SecurityPolicyId, Block]]:
    """Return the blocks for these policies and service groups, once they are known."""
    return []


def _band(policy: SecurityPolicy, phase: Phase) -> Band:
    return None if policy.mode is PolicyMode.MONITOR else (policy.kind, phase)


@lru_cache(maxsize=_POLICIES)
def _counts(same: Same[SecurityPolicy]) -> Mapping[_Way, int]:
    return Counter((line.clause.phase, line.clause.direction) for line in lines_of(same.value))


@dataclass(frozen=True, slots=True)
class _Need:
    """What one policy needs of a band in one direction."""

    policy: SecurityPolicy
    way: _Way
    own: int
    fronts: int


def _roomy(need: _Need) -> int:
    """A power of two; also for a policy that is not enforced now, so that one that changes its mode moves nobody."""
    return max(_LEAST, 1 << (need.own + need.fronts - 1).bit_length())


def _used(need: _Need) -> int:
    return need.own + need.fronts if need.policy.mode is not PolicyMode.SAVE else 0


def _bare(need: _Need) -> int:
    return need.own if need.policy.mode is not PolicyMode.SAVE else 0


def _enforced(size: Callable[[_Need], int]) -> Callable[[_Need], int]:
    return lambda need: size(need) if need.policy.mode is PolicyMode.ENFORCE else 0


_SIZES = (_roomy, _enforced(_roomy), _enforced(_used))
_MONITORED_SIZES = (_roomy, _used)


class _Ranking:
    """Makes the blocks of all policies of a snapshot."""

    def __init__(self, snapshot: Lookups) -> None:
        self._snapshot = snapshot
        stored = snapshot.of_kind(Kind.SECURITY_POLICY)
        self._policies = [policy for policy in stored if isinstance(policy, SecurityPolicy)]
        self._monitored = sorted(
            (p for p in self._policies if p.mode is PolicyMode.MONITOR),
            key=lambda p: order_of(p, Phase.STRICT),
        )
        self._fronts: dict[SecurityPolicyId, dict[int, tuple[Front, ...]]] = {}
        self._short: set[SecurityPolicyId] = set()

    def blocks(self) -> dict[SecurityPolicyId, Block]:
        if self._monitored:
            for policy in self._policies:
                if policy.mode is PolicyMode.ENFORCE:
                    self._find_fronts(policy)
        firsts: dict[SecurityPolicyId, dict[_Way, int]] = {policy.id: {} for policy in self._policies}
        for band, needs in self._needs().items():
            self._place(band, needs, firsts)
        return {
            policy.id: Block(firsts[policy.id], self._fronts.get(policy.id, {}), policy.id not in self._short)
            for policy in self._policies
        }

    def _needs(self) -> dict[tuple[Band, Direction], list[_Need]]:
        """Return who needs places of which band, those with MONITOR among the enforced as well."""
        found: dict[tuple[Band, Direction], list[_Need]] = {}
        for policy in sorted(self._policies, key=lambda p: (-p.priority, p.id)):
            fronts = self._count_fronts(policy)
            for way, own in _counts(Same(policy)).items():
                need = _Need(policy, way, own, fronts[way])
                found.setdefault(((policy.kind, way[0]), way[1]), []).append(need)
        monitored = (
            need
            for band in ACL_BANDS
            if band is not None
            for direction in Direction
            for need in found.get((band, direction), ())
            if need.policy.mode is PolicyMode.MONITOR
        )
        for need in list(monitored):
            found.setdefault((None, need.way[1]), []).append(need)
        return found

    def _place(
        self,
        band: tuple[Band, Direction],
        needs: list[_Need],
        firsts: dict[SecurityPolicyId, dict[_Way, int]],
    ) -> None:
        """Give each its block: as roomy as fits."""
        places = ACL_BANDS[band[0]]
        sizes = _SIZES if band[0] is not None else _MONITORED_SIZES
        fitting = next((size for size in sizes if sum(map(size, needs)) <= places.places), None)
        if fitting is None:
            fitting = _enforced(_bare) if band[0] is not None else _bare
            self._give_up_fronts(needs)
        at = places.first
        for need in needs:
            if _band(need.policy, need.way[0]) == band[0]:
                firsts[need.policy.id][need.way] = at
            at -= fitting(need)

    def _count_fronts(self, policy: SecurityPolicy) -> Counter[_Way]:
        found: Counter[_Way] = Counter()
        lines = lines_of(policy)
        for index, fronts in self._fronts.get(policy.id, {}).items():
            clause = lines[index].clause
            found[clause.phase, clause.direction] += len(fronts)
        return found

    def _give_up_fronts(self, needs: Iterable[_Need]) -> None:
        for need in needs:
            if need.fronts:
                lines, fronts = lines_of(need.policy), self._fronts[need.policy.id]
                kept = {
                    index: found
                    for index, found in fronts.items()
                    if (lines[index].clause.phase, lines[index].clause.direction) != need.way
                }
                self._fronts[need.policy.id] = kept
                self._short.add(need.policy.id)

    def _find_fronts(self, policy: SecurityPolicy) -> None:
        monitored = tuple(other for other in self._monitored if _meet(policy, other))
        if not monitored:
            return
        groups = self._snapshot.table(Kind.SERVICE_GROUP)
        known = _known_fronts(Same(policy), tuple(map(Same, monitored)), Same(groups))
        if not known:
            known.append(_find_fronts(self._snapshot, policy, monitored))
        self._fronts[policy.id], is_complete = known[0]
        if not is_complete:
            self._short.add(policy.id)


_Fronts = dict[int, tuple[Front, ...]]


@lru_cache(maxsize=_POLICIES)
def _known_fronts(
    _policy: Same[SecurityPolicy],
    _monitored: tuple[Same[SecurityPolicy], ...],
    _groups: Same[Mapping[str, Any]],
) -> list[tuple[_Fronts, bool]]:
    """Return what these policies in MONITOR have in front of one policy's lines, once it is known."""
    return []


def _find_fronts(
    snapshot: Lookups, policy: SecurityPolicy, monitored: Iterable[SecurityPolicy]
) -> tuple[_Fronts, bool]:
    """Return the monitored lines in front of each allowing line, by its index, and whether those are all."""
    theirs = sorted(
        (
            (order_of(other, line.clause.phase), Front(other, line), services)
            for other in monitored
            for line in lines_of(other)
            if (services := _services(snapshot, line)) is not None
        ),
        key=lambda found: found[0],
    )
    fronts: _Fronts = {}
    room = FRONTS_MAX
    for index, line in enumerate(lines_of(policy)):
        services = _services(snapshot, line)
        if line.clause.action is not RuleAction.ALLOW or services is None:
            continue
        place = order_of(policy, line.clause.phase)
        found = [
            front
            for order, front, of_front in theirs
            if order < place and _may_match_both(line.clause, services, front.line.clause, of_front)
        ]
        if found:
            fronts[index] = tuple(found[:room])
        if len(found) > room:
            return fronts, False
        room -= len(found)
    return fronts, True


def _services(snapshot: Lookups, line: Line) -> Services | None:
    """Return the services of a line, None when all are gone: it matches nothing."""
    if line.rule is None or not line.rule.service_groups:
        return line.clause.services
    return services_of(snapshot, line.rule) or None


def _meet(one: SecurityPolicy, other: SecurityPolicy) -> bool:
    """Is there a realm in both scopes?"""
    if PolicyScope.ALL_VLAN in (one.scope, other.scope):
        return one.scope is other.scope
    if PolicyScope.ALL_VPC in (one.scope, other.scope):
        return True
    return not set(one.vpcs).isdisjoint(other.vpcs)


def _may_match_both(one: Clause, of_one: Services, other: Clause, of_other: Services) -> bool:
    if one.direction is not other.direction:
        return False
    services = common(of_one, of_other)
    if services is None:
        return False
    return bool(versions_of(services, one.ip_version) & versions_of(services, other.ip_version))
