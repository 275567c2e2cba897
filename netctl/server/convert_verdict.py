"""Verdicts and findings about security policies as messages."""

from __future__ import annotations

from collections.abc import Iterable

from netctl.analysis.finding import Finding
from netctl.analysis.report import DEFAULT_UNUSED_S, LastHits, ReportRequest
from netctl.analysis.verdict import Decision, Verdict
from netctl.compiler.clause import Clause
from netctl.errors import InvalidIntent, NotFound
from netctl.model.keys import Kind, SecurityPolicyId, check_id, resource_name
from netctl.model.security_policy import RuleAction
from netctl.model.snapshot import Snapshot
from netctl.server.convert import parse_name
from netctl.server.convert_security_policy import ACTION_VALUES, DIRECTION_VALUES
from netctl.v1 import explain_pb2 as pb


def verdict_to_proto(verdict: Verdict, reason: str) -> pb.TestPolicyResponse:
    """Return the message of a verdict."""
    return pb.TestPolicyResponse(
        allowed=verdict.allowed,
        answered=verdict.answered,
        decisions=[_decision(decision) for decision in verdict.decisions],
        reason=reason,
    )


def parse_report(
    snapshot: Snapshot, request: pb.ReportSecurityPoliciesRequest, *, now_s: float, hits: LastHits | None
) -> ReportRequest:
    """Return what a report is asked for; errors say which policy does not exist."""
    if request.unused_s < 0:
        raise InvalidIntent("unused_s", f"{request.unused_s} is negative; 0 is 30 days")
    policy = None
    if request.name:
        policy = SecurityPolicyId(parse_name("name", request.name, Kind.SECURITY_POLICY))
        check_id("name", policy)
        if snapshot.security_policy(policy) is None:
            raise NotFound(f"{request.name} does not exist", field="name")
    return ReportRequest(
        policy=policy, now_s=now_s, unused_s=float(request.unused_s) or DEFAULT_UNUSED_S, hits=hits
    )


def findings_to_proto(findings: Iterable[Finding]) -> pb.ReportSecurityPoliciesResponse:
    """Return the message of a report."""
    return pb.ReportSecurityPoliciesResponse(
        findings=[
            pb.PolicyFinding(
                kind=finding.kind.value,
                policy=resource_name((Kind.SECURITY_POLICY, finding.policy)),
                rule=finding.rule,
                other_policy=(
                    resource_name((Kind.SECURITY_POLICY, finding.other_policy))
                    if finding.other_policy is not None
                    else ""
                ),
                other_rule=finding.other_rule,
                message=finding.message,
            )
            for finding in findings
        ]
    )


def _decision(decision: Decision) -> pb.PolicyDecision:
    message = _end(decision, decision.clause, decision.action)
    message.stateful = decision.stateful
    if decision.would_drop is not None:
        message.would_drop.append(_end(decision, decision.would_drop, decision.would_drop.action))
    return message


def _end(decision: Decision, clause: Clause | None, action: RuleAction) -> pb.PolicyDecision:
    return pb.PolicyDecision(
        nic=resource_name((Kind.NIC, decision.port.nic.id)),
        direction=DIRECTION_VALUES[decision.direction],
        action=ACTION_VALUES[action],
        policy=resource_name((Kind.SECURITY_POLICY, clause.policy)) if clause is not None else "",
        rule=clause.rule if clause is not None else "",
    )
