"""Gate 3 for security policies: are they in force, and wholly? Pure: intents and what is observed -> verdict.

In comes a policy that northd has worked off; out goes a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable

from netctl.compiler.clauses import holds_in, is_expired, lines_of
from netctl.compiler.membership import in_term, ports_of
from netctl.compiler.observed import Observed
from netctl.compiler.ranks import FRONTS_MAX, block_of
from netctl.compiler.steering_peers import PEER_NETWORKS_MAX
from netctl.compiler.steering_security import wide_rules
from netctl.model.keys import HostId
from netctl.model.security_policy import PolicyMode, RuleAction, SecurityPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.status import Phase
from netctl.nb.features import SAFE_RELEASES
from netctl.reconciler.status_vpc import PROGRAMMED, Verdict

_NAMED = 10  # in one message


def security_policy_verdict(
    snapshot: Snapshot, policy: SecurityPolicy, observed: Observed, behind: Iterable[HostId]
) -> Verdict:
    """Say what a policy does now; `behind` are the connected hosts that have not installed its pass's flows."""
    if policy.mode is PolicyMode.SAVE:
        return Phase.PENDING, "SAVED", "nothing is written; set mode to MONITOR or ENFORCE"
    late = [host for host in behind if _has_subjects(snapshot, policy, host)]
    if late:
        names = ", ".join(sorted(late)[:_NAMED])
        return (
            Phase.PENDING,
            "HOSTS_BEHIND",
            f"{len(late)} host(s) have not installed this revision's flows yet: {names}",
        )
    if policy.mode is PolicyMode.MONITOR:
        return Phase.PROGRAMMED, "MONITORING", "drops nothing; what it would drop is counted and logged"
    rejecting = [] if observed.reject else _rejecting(policy, observed)
    if rejecting:
        return (
            Phase.PROGRAMMED,
            "REJECT_AS_DENY",
            f"rule {', '.join(rejecting[:_NAMED])} denies without telling the sender: rejecting is not safe on this OVN"
            f" (CVE-2026-5265): upgrade to {SAFE_RELEASES}, or start the controller with --trust-reject if this OVN has"
            " the fix by a backport",
        )
    wide = wide_rules(snapshot, policy, observed)
    if wide:
        return (
            Phase.PROGRAMMED,
            "CHAIN_TAKES_MORE",
            f"rule {', '.join(wide[:_NAMED])} names peers of more than {PEER_NETWORKS_MAX} networks: hosts lead every"
            " peer through its chain. Use networks instead of single addresses, or fewer peers",
        )
    if not block_of(snapshot, policy).is_complete:
        return (
            Phase.PROGRAMMED,
            "MONITOR_INCOMPLETE",
            "is in force; not all that policies in MONITOR would drop of what it allows is counted and logged: there is"
            f" room for {FRONTS_MAX} pairs of their rules and its own. Monitor fewer policies at a time",
        )
    return PROGRAMMED


def _has_subjects(snapshot: Snapshot, policy: SecurityPolicy, host: HostId) -> bool:
    """Is a port on a host that a clause of the policy is about?"""
    subjects = {line.clause.subject for line in lines_of(policy)}
    return any(
        holds_in(policy, port.realm) and any(in_term(snapshot, port, term) for term in subjects)
        for nic in snapshot.nics_of_host(host)
        for port in ports_of(snapshot, nic)
    )


def _rejecting(policy: SecurityPolicy, observed: Observed) -> list[str]:
    """Return the rules that are to reject."""
    return [
        rule.name
        for rule in policy.rules
        if rule.action is RuleAction.REJECT and not rule.disabled and not is_expired(policy, rule, observed)
    ]
