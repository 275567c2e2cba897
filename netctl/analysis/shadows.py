"""Shadows: rules that another one leaves nothing to decide, contradicts, or takes tracking from. Pure.

In: the clauses of all policies, in order. Out: findings. What is found is so whoever is in the groups, now or later:
peers are the same when their names are, or when one's addresses hold the other's. So a rule that several others cover
only together, or by who is in their groups, is not found. Nor is what comes after _LOOKS_MAX others that could be it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import nsmallest

from netctl.analysis.candidates import Candidates
from netctl.analysis.finding import Finding, FindingKind
from netctl.analysis.peers import Peers
from netctl.analysis.services import Box, boxes_of, covers, overlap
from netctl.analysis.wording import full_name
from netctl.compiler.clause import Clause, Phase
from netctl.model.keys import SecurityPolicyId
from netctl.model.security_policy import PolicyScope, RuleAction, SecurityPolicy

_LOOKS_MAX = 1_000

# A policy's rule, "" for what it says beside its rules.
RuleName = tuple[SecurityPolicyId, str]


@dataclass(frozen=True, slots=True)
class Placed:
    """A clause in its place, and the policy that it is of."""

    clause: Clause
    policy: SecurityPolicy
    boxes: tuple[Box, ...]

    @property
    def rule(self) -> RuleName:
        """Whose it is."""
        return self.clause.policy, self.clause.rule

    @property
    def allows(self) -> bool:
        """To reject is to deny aloud."""
        return self.clause.action is RuleAction.ALLOW

    @property
    def versions(self) -> tuple[int, ...]:
        """The IP versions that it is of."""
        return tuple({box.version for box in self.boxes})


def placed(clause: Clause, policy: SecurityPolicy) -> Placed:
    """Return a clause with what it is compared by."""
    return Placed(clause, policy, boxes_of(clause.services, clause.ip_version))


@dataclass(slots=True)
class _Seen:
    """What was seen of one rule's clauses."""

    # For each clause the one that covers it, None when none does.
    covered: list[Placed | None] = field(default_factory=list)
    opposite: list[Placed] = field(default_factory=list)
    contradicted: dict[RuleName, Placed] = field(default_factory=dict)
    takes_from: dict[RuleName, Placed] = field(default_factory=dict)
    first: Placed | None = None


def find_shadows(clauses: Iterable[Placed], peers: Peers) -> Iterator[Finding]:
    """Yield SHADOWED, CONTRADICTED and STATELESS_OVERLAP; `clauses` are in order, the first first."""
    search = _Search(peers)
    for one in clauses:
        if one.boxes:
            search.take(one)
    for rule, seen in search.seen.items():
        yield from _findings(rule, seen)


class _Search:
    """Looks at one clause after the other."""

    def __init__(self, peers: Peers) -> None:
        self.seen: dict[RuleName, _Seen] = defaultdict(_Seen)
        self._peers = peers
        self._all: list[Placed] = []
        self._known = Candidates()

    def take(self, one: Placed) -> None:
        """Compare a clause with those before it."""
        before = self._find_cover(one)
        if one.clause.phase is not Phase.REST:
            self._look_at(one, before)
        if before is None:  # what it would win over is that one's, too
            self._known.add(one.clause, one.boxes, len(self._all))
            self._all.append(one)

    def _look_at(self, one: Placed, before: Placed | None) -> None:
        seen = self.seen[one.rule]
        seen.first = seen.first or one
        if before is not None and before.rule == one.rule:
            return  # a rule that says the same twice; what was found of the first is so of this one
        seen.covered.append(before)
        if before is not None:
            if before.allows != one.allows and self._covers(one, before):
                seen.opposite.append(before)
            return
        for other in self._meeting(one):
            self._compare(one, other, seen)

    def _find_cover(self, one: Placed) -> Placed | None:
        # One of its boxes is enough: what covers it holds that one as well.
        numbers = self._known.holding(one.clause, one.boxes[0])
        for number in _earliest(numbers):
            other = self._all[number]
            if self._takes_all(other, one):
                return other
        return None

    def _takes_all(self, before: Placed, one: Placed) -> bool:
        """Is there nothing left to decide for one clause after another one?"""
        if before.clause.monitored and not one.clause.monitored:
            return False  # it decides nothing
        if one.clause.stateless and not (before.clause.stateless and before.allows):
            return False  # it takes tracking, whoever decides
        return _reaches(before.policy, one.policy) and self._covers(before, one)

    def _covers(self, wide: Placed, narrow: Placed) -> bool:
        return covers(wide.boxes, narrow.boxes) and self._peers.cover(
            wide.clause.peers, narrow.clause.peers, narrow.versions
        )

    def _meeting(self, one: Placed) -> Iterator[Placed]:
        """Yield the clauses before one that have packets in common with it."""
        for number in _earliest(self._known.meeting(one.clause, one.boxes)):
            other = self._all[number]
            if other.clause.policy == one.clause.policy and other.clause.rule == one.clause.rule:
                continue
            if (
                _meets(other.policy, one.policy)
                and overlap(other.boxes, one.boxes)
                and self._peers.meet(other.clause.peers, one.clause.peers, one.versions)
            ):
                yield other

    def _compare(self, one: Placed, before: Placed, seen: _Seen) -> None:
        if before.clause.monitored or one.clause.monitored:
            return
        if before.allows and one.clause.stateless and not before.clause.stateless:
            seen.takes_from.setdefault(before.rule, before)
        # Kinds are in order on purpose; and an exception before what it is one from is no contradiction.
        rules = one.clause.rule and before.clause.rule and one.clause.kind is before.clause.kind
        if rules and one.allows != before.allows and not self._covers(one, before):
            seen.contradicted.setdefault(before.rule, before)


def _earliest(numbers: Iterable[int]) -> list[int]:
    return nsmallest(_LOOKS_MAX, set(numbers))


def _reaches(wide: SecurityPolicy, narrow: SecurityPolicy) -> bool:
    """Does one policy hold wherever the other one does?"""
    if wide.scope is PolicyScope.VPC_LIST:
        return narrow.scope is PolicyScope.VPC_LIST and set(narrow.vpcs) <= set(wide.vpcs)
    if wide.scope is PolicyScope.ALL_VPC:
        return narrow.scope is not PolicyScope.ALL_VLAN
    return narrow.scope is PolicyScope.ALL_VLAN


def _meets(some: SecurityPolicy, other: SecurityPolicy) -> bool:
    """Is there a realm in which both hold?"""
    if some.scope is other.scope is PolicyScope.VPC_LIST:
        return not set(some.vpcs).isdisjoint(other.vpcs)
    return (some.scope is PolicyScope.ALL_VLAN) == (other.scope is PolicyScope.ALL_VLAN)


def _findings(rule: RuleName, seen: _Seen) -> Iterator[Finding]:
    first = seen.first
    assert first is not None
    winners = {before.rule: before for before in seen.covered if before is not None}
    if None not in seen.covered:
        if seen.opposite:
            yield _contradicted(first, seen.opposite, "matches the same")
            return
        names = " and ".join(sorted(full_name(winner.clause) for winner in winners.values()))
        yield _finding(
            FindingKind.SHADOWED,
            first,
            next(iter(winners.values())),
            f"{full_name(first.clause)} decides nothing: {names} {_come(winners)} before it and"
            f" {'match' if len(winners) > 1 else 'matches'} all that it does",
        )
        return
    if seen.contradicted:
        yield _contradicted(first, list(seen.contradicted.values()), "matches some of the same")
    if seen.takes_from:
        yield _stateless(first, list(seen.takes_from.values()))


def _come(winners: dict[RuleName, Placed]) -> str:
    return "come" if len(winners) > 1 else "comes"


def _contradicted(one: Placed, winners: list[Placed], how: str) -> Finding:
    return _finding(
        FindingKind.CONTRADICTED,
        one,
        winners[0],
        f"{full_name(one.clause)} {_does(one)} what {full_name(winners[0].clause)} {_does(winners[0])}: that one"
        f" {how} and wins{_others(winners)}",
    )


def _stateless(one: Placed, losers: list[Placed]) -> Finding:
    return _finding(
        FindingKind.STATELESS_OVERLAP,
        one,
        losers[0],
        f"{full_name(one.clause)} is stateless and takes tracking from packets that {full_name(losers[0].clause)}"
        f" allows: answers to those need a rule of their own{_others(losers)}",
    )


def _others(found: list[Placed]) -> str:
    return f"; {len(found) - 1} more like it" if len(found) > 1 else ""


def _does(one: Placed) -> str:
    return {RuleAction.ALLOW: "allows", RuleAction.DENY: "denies"}.get(one.clause.action, "rejects")


def _finding(kind: FindingKind, one: Placed, other: Placed, message: str) -> Finding:
    return Finding(
        kind=kind,
        policy=one.clause.policy,
        rule=one.clause.rule,
        other_policy=other.clause.policy,
        other_rule=other.clause.rule,
        message=message,
    )
