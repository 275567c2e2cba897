"""Report: what is wrong with security policies, or soon will be. Pure.

In: the intents, what is observed, the time, and when rules last decided. Out: findings, those of one policy together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from netctl.analysis.finding import Finding, FindingKind
from netctl.analysis.hits import Tally
from netctl.analysis.members import Members
from netctl.analysis.never import why_never
from netctl.analysis.peers import Peers, spans_of
from netctl.analysis.shadows import RuleName, find_shadows, placed
from netctl.compiler.clauses import lower, order_of
from netctl.compiler.observed import Observed
from netctl.model.groups import Term, term_key
from netctl.model.keys import AddressGroupId, Kind, SecurityPolicyId, resource_name
from netctl.model.security_policy import PolicyMode, RuleAction, SecurityPolicy, SecurityRule
from netctl.model.snapshot import Snapshot

EXPIRING_S = 7 * 86_400.0
DEFAULT_UNUSED_S = 30 * 86_400.0

# When each rule last decided or would have dropped, in seconds since the epoch; rules that never did are not in it.
LastHits = Mapping[RuleName, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """What to report: of one policy, or of all; `hits` None when nobody counts, and then nothing is UNUSED."""

    policy: SecurityPolicyId | None = None
    now_s: float
    unused_s: float = DEFAULT_UNUSED_S
    hits: LastHits | None = None


def last_hits_of(tallies: Iterable[tuple[SecurityPolicy, Tally]]) -> LastHits:
    """Return when rules last decided by what was counted; one whose count was cleared may have until then."""
    found: dict[RuleName, float] = {}
    for policy, tally in tallies:
        last = {rule.name: tally.clear_time_s for rule in policy.rules}
        for counted, count in tally.counts.items():
            last[counted.rule] = max(last.get(counted.rule, 0.0), count.last_time_s)
        found.update({(policy.id, rule): last_s for rule, last_s in last.items() if last_s})
    return found


def report(snapshot: Snapshot, observed: Observed, asked: ReportRequest) -> tuple[Finding, ...]:
    """Return what there is to say, by policy, in the order of its rules."""
    wanted = [p for p in _policies(snapshot) if asked.policy is None or p.id == asked.policy]
    found = list(_shadows(snapshot, observed, asked.policy))
    members = Members(snapshot)
    for policy in wanted:
        found += _of_time(policy, observed, asked)
        found += _of_groups(snapshot, policy, members)
        found += _of_rejects(policy, observed)
        found += _never(snapshot, policy, observed)
        if asked.hits is not None:
            found += _unused(policy, observed, asked, asked.hits)
    return tuple(sorted(found, key=_Places(wanted).of))


class _Places:
    """Sorts findings by policy and rule."""

    def __init__(self, policies: list[SecurityPolicy]) -> None:
        self._of = {
            (policy.id, rule.name): place for policy in policies for place, rule in enumerate(policy.rules)
        }
        self._kinds = list(FindingKind)

    def of(self, finding: Finding) -> tuple[str, int, int]:
        place = self._of.get((finding.policy, finding.rule), -1)
        return finding.policy, place, self._kinds.index(finding.kind)


def _policies(snapshot: Snapshot) -> Iterator[SecurityPolicy]:
    for policy in snapshot.of_kind(Kind.SECURITY_POLICY):
        assert isinstance(policy, SecurityPolicy)
        yield policy


def _shadows(snapshot: Snapshot, observed: Observed, wanted: SecurityPolicyId | None) -> Iterator[Finding]:
    """Yield what rules do to each other. All are looked at, also when one policy is asked for."""
    ordered = sorted(
        (
            ((*order_of(policy, clause.phase), place), placed(clause, policy))
            for policy in _policies(snapshot)
            if policy.mode is not PolicyMode.SAVE
            for place, clause in enumerate(lower(snapshot, policy, observed))
        ),
        key=lambda pair: pair[0],
    )
    for finding in find_shadows((one for _, one in ordered), Peers(snapshot)):
        if wanted is None or finding.policy == wanted:
            yield finding


def _of_time(policy: SecurityPolicy, observed: Observed, asked: ReportRequest) -> Iterator[Finding]:
    for rule in policy.rules:
        if not rule.expire_time_s or rule.disabled:
            continue
        whose = "".join(
            f", {word} {text}" for word, text in (("owner", rule.owner), ("ticket", rule.ticket)) if text
        )
        name = f"rule {rule.name} of {_name(policy)}"
        if (policy.id, rule.name) in observed.expired or rule.expire_time_s <= asked.now_s:
            yield _finding(
                FindingKind.EXPIRED, policy, rule, f"{name} has expired and is off{whose}: remove or renew it"
            )
        elif rule.expire_time_s <= asked.now_s + EXPIRING_S:
            left = _time_left(rule.expire_time_s - asked.now_s)
            yield _finding(FindingKind.EXPIRING, policy, rule, f"{name} expires in {left}{whose}")


def _time_left(seconds: float) -> str:
    if seconds < 7_200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3_600:.0f} hours" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def _of_groups(snapshot: Snapshot, policy: SecurityPolicy, members: Members) -> Iterator[Finding]:
    for term in policy.secured:
        if not members.any_in(term, policy):
            text = f"{_name(policy)} secures {term}, which has no NIC where the policy holds"
            yield _finding(FindingKind.EMPTY_GROUP, policy, None, text)
    naming: dict[Term, list[SecurityRule]] = {}
    for rule in policy.rules:
        for term in () if rule.disabled else rule.peers:
            naming.setdefault(term, []).append(rule)
    for term, rules in naming.items():
        if _is_empty(snapshot, term, policy, members):
            more = f", as {len(rules) - 1} more of its rules do" if len(rules) > 1 else ""
            text = f"rule {rules[0].name} of {_name(policy)} names {term}{more}: it is empty where the policy holds"
            yield _finding(FindingKind.EMPTY_GROUP, policy, rules[0], text)
    open_nics = members.uncovered(policy) if policy.mode is not PolicyMode.SAVE else []
    if open_nics:
        names = ", ".join(resource_name((Kind.NIC, id)) for id in open_nics[:10])
        more = f" and {len(open_nics) - 10} more" if len(open_nics) > 10 else ""
        yield _finding(
            FindingKind.NOT_COVERED,
            policy,
            None,
            f"{_name(policy)} covers {names}{more} in untagged traffic alone: their guests use any VLAN tag, and OVN"
            " does not look below tags; list their VLANs in trunk_vlans",
        )


def _is_empty(snapshot: Snapshot, term: Term, policy: SecurityPolicy, members: Members) -> bool:
    kind, id = term_key(term)
    if kind is not Kind.ADDRESS_GROUP:
        return not members.any_in(term, policy)
    group = snapshot.address_group(AddressGroupId(id))
    return group is None or not any(spans_of(group, version) for version in (4, 6))


def _of_rejects(policy: SecurityPolicy, observed: Observed) -> Iterator[Finding]:
    if observed.reject or policy.mode is PolicyMode.SAVE:
        return
    for rule in policy.rules:
        if rule.action is RuleAction.REJECT and not rule.disabled:
            text = (
                f"rule {rule.name} of {_name(policy)} denies without a word: this OVN leaks memory when it rejects"
                " (CVE-2026-5265); upgrade OVN, or start the controller with --trust-reject"
            )
            yield _finding(FindingKind.REJECT_AS_DENY, policy, rule, text)


def _never(snapshot: Snapshot, policy: SecurityPolicy, observed: Observed) -> Iterator[Finding]:
    for rule in policy.rules:
        if rule.disabled or (policy.id, rule.name) in observed.expired:
            continue
        if why := why_never(snapshot, rule):
            text = f"rule {rule.name} of {_name(policy)} can match nothing: {why}"
            yield _finding(FindingKind.NEVER_MATCHES, policy, rule, text)


def _unused(
    policy: SecurityPolicy, observed: Observed, asked: ReportRequest, hits: LastHits
) -> Iterator[Finding]:
    """Yield rules that decided nothing for long; those of a policy that changed since then are given time."""
    since = asked.now_s - asked.unused_s
    if policy.mode is PolicyMode.SAVE or policy.meta.update_time_s > since:
        return
    for rule in policy.rules:
        if rule.disabled or (policy.id, rule.name) in observed.expired:
            continue
        last = hits.get((policy.id, rule.name))
        if last is None or last < since:
            days = asked.unused_s / 86_400
            text = f"rule {rule.name} of {_name(policy)} has decided nothing in the last {days:g} days"
            yield _finding(FindingKind.UNUSED, policy, rule, text)


def _name(policy: SecurityPolicy) -> str:
    return resource_name((Kind.SECURITY_POLICY, policy.id))


def _finding(kind: FindingKind, policy: SecurityPolicy, rule: SecurityRule | None, message: str) -> Finding:
    return Finding(kind=kind, policy=policy.id, rule=rule.name if rule else "", message=message)
