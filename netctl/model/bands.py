"""How many clauses and ACLs a security policy has: what admission counts before they are compiled.

In goes a policy, out come numbers. `compiler/clauses.py` makes the clauses themselves; a test keeps both equal.
"""

from __future__ import annotations

from collections import Counter

from netctl.model.keys import Kind
from netctl.model.security_policy import (
    CLAUSES_MAX,
    MONITORED_CLAUSES_MAX,
    Direction,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    SecurityPolicy,
    SecurityRule,
)

# (kind, phase, direction) as plain values; all monitored policies share (MONITORED, 0, direction).
Band = tuple[str, int, str]
MONITORED = PolicyMode.MONITOR.value
# Counted beside the bands: the clauses of scope ALL_VPC, which have an ACL in every VPC, and the ACLs of the others.
IN_EVERY_VPC: Band = ("every VPC", 0, "")
IN_SOME_REALMS: Band = ("some realms", 0, "")

_IN, _OUT = Direction.IN.value, Direction.OUT.value
_WAYS = {Direction.IN: (_IN,), Direction.OUT: (_OUT,), Direction.IN_OUT: (_IN, _OUT)}
_OTHER = {_IN: _OUT, _OUT: _IN}
# Terms whose members have an end of their own, where the provider of a shared service is allowed as well.
_PROVIDERS = (f"{Kind.CATEGORY.value}/", f"{Kind.ENTITY_GROUP.value}/")


def clause_counts(policy: SecurityPolicy) -> dict[Band, int]:
    """Return how many clauses a policy has in each band; an expired rule counts until it is removed or disabled."""
    if policy.mode is PolicyMode.SAVE:
        return {}
    found: Counter[Band] = Counter()
    for (phase, way), number in _phases(policy).items():
        band = (policy.kind.value, phase, way) if policy.mode is PolicyMode.ENFORCE else (MONITORED, 0, way)
        found[band] += number
    return {band: number for band, number in found.items() if number}


def acl_counts(policy: SecurityPolicy) -> dict[Band, int]:
    """Return how many ACLs a policy has: in every VPC each, or in all of its realms together."""
    clauses = sum(clause_counts(policy).values())
    if policy.scope is PolicyScope.ALL_VPC:
        return {IN_EVERY_VPC: clauses}
    return {IN_SOME_REALMS: clauses * max(len(policy.vpcs), 1)}


def band_limit(band: Band) -> int:
    """Return how many clauses of all policies fit a band."""
    kind, phase, _ = band
    return MONITORED_CLAUSES_MAX if kind == MONITORED else CLAUSES_MAX[PolicyKind(kind), phase]


def _phases(policy: SecurityPolicy) -> Counter[tuple[int, str]]:
    found: Counter[tuple[int, str]] = Counter()
    secured = len(policy.secured)
    for rule in policy.rules:
        if not rule.disabled:
            _count_rule(policy, rule, found)
    for way in (_IN, _OUT):
        match policy.kind:
            case PolicyKind.QUARANTINE:
                found[2 if policy.rules else 0, way] += secured
            case PolicyKind.ISOLATION:
                found[1, way] += secured
            case PolicyKind.APPLICATION | PolicyKind.VDI:
                found[1, way] += secured if policy.intra_group is not IntraGroup.RULES else 0
                found[2, way] += secured
    return found


def _count_rule(policy: SecurityPolicy, rule: SecurityRule, found: Counter[tuple[int, str]]) -> None:
    for way in _WAYS[rule.direction]:
        found[1, way] += len(rule.applied_to or policy.secured)
        if policy.kind is PolicyKind.SHARED_SERVICE:
            found[1, _OTHER[way]] += sum(term.startswith(_PROVIDERS) for term in rule.peers)
