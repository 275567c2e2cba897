"""Clauses in words that people know: whose they are, and which line of a policy. Pure."""

from __future__ import annotations

from netctl.compiler.clause import Clause, Phase
from netctl.model.keys import Kind, resource_name
from netctl.model.security_policy import PolicyKind, RuleAction

_OWN = {Phase.STRICT: "strict quarantine", Phase.REST: "implicit deny"}
_VERBS = {RuleAction.ALLOW: "allows", RuleAction.DENY: "denies", RuleAction.REJECT: "rejects"}


def policy_name(clause: Clause) -> str:
    """Return the resource name of a clause's policy."""
    return resource_name((Kind.SECURITY_POLICY, clause.policy))


def line_of(clause: Clause) -> str:
    """Return which line of its policy a clause is: `rule web`, `implicit deny`, `isolation`, `intra-group`."""
    if clause.rule:
        return f"rule {clause.rule}"
    own = "isolation" if clause.kind is PolicyKind.ISOLATION else "intra-group"
    return _OWN.get(clause.phase, own)


def full_name(clause: Clause) -> str:
    """Return a clause as people find it: `rule web of securityPolicies/shop`."""
    return f"{line_of(clause)} of {policy_name(clause)}"


def told(clause: Clause, action: RuleAction | None = None) -> str:
    """Return what a clause does with a packet: `securityPolicies/shop denies it (rule web)`."""
    return f"{policy_name(clause)} {_VERBS[action or clause.action]} it ({line_of(clause)})"
