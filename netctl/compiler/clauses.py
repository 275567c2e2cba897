"""SecurityPolicy to clauses: what a policy says, line by line, in the order in which it counts.

Everything else reads clauses: rows, tests of a connection, reports, hits, logs. docs/design/security.md says what they
mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from netctl.compiler.clause import VLANS, Clause, Phase, Realm
from netctl.compiler.observed import Observed
from netctl.compiler.same import Same
from netctl.model.groups import Term
from netctl.model.keys import Kind, VpcId
from netctl.model.lookups import Lookups
from netctl.model.security_policy import (
    Direction,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
    SecurityPolicy,
    SecurityRule,
)
from netctl.model.service import Service

KINDS = tuple(PolicyKind)
WAYS = (Direction.IN, Direction.OUT)
OTHER_WAY = {Direction.IN: Direction.OUT, Direction.OUT: Direction.IN}
_APPLICATIONS = (PolicyKind.APPLICATION, PolicyKind.VDI)
_POLICIES = 4096


@dataclass(frozen=True, slots=True)
class Line:
    """A clause and the rule that it is of, None for the policy's own; its services are not resolved yet."""

    clause: Clause
    rule: SecurityRule | None


def lower(snapshot: Lookups, policy: SecurityPolicy, observed: Observed) -> tuple[Clause, ...]:
    """Return the clauses of a policy that hold now, in order: phases one after the other, in each what comes first.

    A rule all of whose service groups are gone matches nothing, and is left out.
    """
    found = (
        resolve(snapshot, line) for line in lines_of(policy) if not is_expired(policy, line.rule, observed)
    )
    return tuple(clause for clause in found if clause is not None)


def clauses_of(
    snapshot: Lookups, observed: Observed, realm: Realm, direction: Direction
) -> tuple[Clause, ...]:
    """Return what is looked at in a realm for one direction, the first first: enforced and monitored policies."""
    policies = active_policies(snapshot, realm)
    found = (
        ((*order_of(policy, clause.phase), place), clause)
        for policy in policies
        for place, clause in enumerate(lower(snapshot, policy, observed))
        if clause.direction is direction
    )
    return tuple(clause for _, clause in sorted(found, key=lambda pair: pair[0]))


def order_of(policy: SecurityPolicy, phase: Phase) -> tuple[int, int, int, str]:
    """Return what clauses of a phase are sorted by, over all policies."""
    return KINDS.index(policy.kind), phase.value, -policy.priority, policy.id


def active_policies(snapshot: Lookups, realm: Realm) -> tuple[SecurityPolicy, ...]:
    """Return the policies that say something in a realm, sorted by id."""
    if realm == VLANS:
        found = {policy.id: policy for policy in snapshot.security_policies_of_scope(PolicyScope.ALL_VLAN)}
    else:
        found = {policy.id: policy for policy in snapshot.security_policies_of_scope(PolicyScope.ALL_VPC)}
        named = snapshot.security_policies_naming(f"{Kind.VPC.value}/{realm}")
        found.update({policy.id: policy for policy in named if holds_in(policy, realm)})
    return tuple(found[id] for id in sorted(found) if found[id].mode is not PolicyMode.SAVE)


def holds_in(policy: SecurityPolicy, realm: Realm) -> bool:
    """Is a realm in a policy's scope?"""
    if policy.scope is PolicyScope.ALL_VLAN:
        return realm == VLANS
    return realm != VLANS and (policy.scope is PolicyScope.ALL_VPC or VpcId(realm) in policy.vpcs)


def is_expired(policy: SecurityPolicy, rule: SecurityRule | None, observed: Observed) -> bool:
    """Is the time of a clause's rule over?"""
    return rule is not None and (policy.id, rule.name) in observed.expired


def resolve(snapshot: Lookups, line: Line) -> Clause | None:
    """Return a line's clause with the services of its service groups, None when it matches nothing."""
    if line.rule is None or not line.rule.service_groups:
        return line.clause
    services = services_of(snapshot, line.rule)
    return replace(line.clause, services=services) if services else None


def services_of(snapshot: Lookups, rule: SecurityRule) -> tuple[Service, ...]:
    """Return the services of a rule, its own and those of its groups."""
    found = list(rule.services)
    for id in rule.service_groups:
        group = snapshot.service_group(id)
        found += group.services if group is not None else ()
    return tuple(found)


def lines_of(policy: SecurityPolicy) -> tuple[Line, ...]:
    """Return the lines of a policy in order, those of expired rules too, not those of disabled ones."""
    return _lines_of(Same(policy))


@lru_cache(maxsize=_POLICIES)
def _lines_of(same: Same[SecurityPolicy]) -> tuple[Line, ...]:
    found = _lower(same.value)
    return tuple(sorted(found, key=lambda line: line.clause.phase))  # which keeps the order within a phase


def _lower(policy: SecurityPolicy) -> Iterator[Line]:
    for rule in sorted(policy.rules, key=lambda rule: -rule.priority):  # equal ones stay in order
        if not rule.disabled:
            for clause in _of_rule(policy, rule):
                yield Line(clause, rule)
    for clause in _own(policy):
        yield Line(clause, None)


def _of_rule(policy: SecurityPolicy, rule: SecurityRule) -> Iterator[Clause]:
    subjects = rule.applied_to or policy.secured
    for way in WAYS if rule.direction is Direction.IN_OUT else (rule.direction,):
        for subject in subjects:
            yield _clause(policy, rule, way, subject, rule.peers)
        if policy.kind is PolicyKind.SHARED_SERVICE:
            for peer in rule.peers:
                if not peer.startswith(f"{Kind.ADDRESS_GROUP.value}/"):
                    there = _clause(policy, rule, OTHER_WAY[way], peer, subjects)
                    yield replace(there, part="provider")


def _clause(
    policy: SecurityPolicy, rule: SecurityRule, way: Direction, subject: Term, peers: tuple[Term, ...]
) -> Clause:
    monitored = policy.mode is PolicyMode.MONITOR
    return Clause(
        policy=policy.id,
        kind=policy.kind,
        phase=Phase.RULES,
        rule=rule.name,
        direction=way,
        subject=subject,
        peers=peers,
        services=rule.services,
        ip_version=rule.ip_version,
        action=rule.action,
        stateless=rule.stateless,
        log=rule.log or (monitored and rule.action is not RuleAction.ALLOW),
        monitored=monitored,
    )


def _own(policy: SecurityPolicy) -> Iterator[Clause]:
    """Yield what a policy says beside its rules."""
    for subject in policy.secured:
        if policy.kind is PolicyKind.ISOLATION:
            others = tuple(other for other in policy.secured if other != subject)
            yield from _both_ways(policy, Phase.RULES, subject, others)
        elif policy.intra_group is not IntraGroup.RULES:
            allowed = policy.intra_group is IntraGroup.ALLOW
            yield from _both_ways(policy, Phase.RULES, subject, (subject,), allowed=allowed)
    for subject in policy.secured:
        if policy.kind is PolicyKind.QUARANTINE:
            yield from _both_ways(policy, Phase.REST if policy.rules else Phase.STRICT, subject, ())
        elif policy.kind in _APPLICATIONS:
            yield from _both_ways(policy, Phase.REST, subject, ())


def _both_ways(
    policy: SecurityPolicy, phase: Phase, subject: Term, peers: tuple[Term, ...], *, allowed: bool = False
) -> Iterator[Clause]:
    monitored = policy.mode is PolicyMode.MONITOR
    for way in WAYS:
        yield Clause(
            policy=policy.id,
            kind=policy.kind,
            phase=phase,
            direction=way,
            subject=subject,
            peers=peers,
            action=RuleAction.ALLOW if allowed else RuleAction.DENY,
            log=not allowed and (policy.log or monitored),
            monitored=monitored,
        )
