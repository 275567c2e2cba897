"""`netctl policy test` and `policy report` in lines and tables: may they talk, and what is wrong with the rules?"""

from __future__ import annotations

from netctl.cli.client import Client
from netctl.cli.explain import parse_target
from netctl.cli.failures import DENIED, OK, Failure
from netctl.cli.messages import render_json
from netctl.cli.output import print_data, print_table
from netctl.cli.values import set_path, short_enum
from netctl.v1 import explain_pb2 as pb
from netctl.v1 import security_pb2

# Comparing ten thousand rules with each other takes some seconds.
REPORT_TIMEOUT_S = 120.0
_DAY_S = 86_400
_ACTIONS = security_pb2.SecurityAction.DESCRIPTOR
_DIRECTIONS = security_pb2.SecurityDirection.DESCRIPTOR


def test_request(source: str, destination: str, service: str, ip_version: int) -> pb.TestPolicyRequest:
    """Return what is asked; `service` "" is everything."""
    request = pb.TestPolicyRequest(
        source=_end(source, service), destination=_end(destination, service), ip_version=ip_version
    )
    if service:
        try:
            set_path(request, "service", [service])
        except ValueError as error:
            raise Failure.usage(f"{service!r}: {error}") from error
    return request


def print_test(client: Client, request: pb.TestPolicyRequest, output: str) -> int:
    """Ask, print the answer, and return the exit status."""
    answer = client.call("SecurityExplainService/TestPolicy", request, pb.TestPolicyResponse)
    if output in ("json", "yaml"):
        print_data(render_json(answer, zeros=True), output)
    else:
        one_way = "" if answer.answered else ", but answers to it are not"
        print(f"allowed{one_way}" if answer.allowed else "denied")
        print_table(
            ("NIC", "WAY", "ACTION", "POLICY", "RULE", "TRACKED", "WOULD DROP"),
            map(_decision, answer.decisions),
        )
        print(answer.reason)
    return OK if answer.allowed else DENIED


def print_report(client: Client, name: str, unused_days: int, output: str) -> None:
    """Read and print what is wrong with one policy, or with all for ""."""
    request = pb.ReportSecurityPoliciesRequest(name=name, unused_s=unused_days * _DAY_S)
    answer = client.call(
        "SecurityExplainService/ReportSecurityPolicies",
        request,
        pb.ReportSecurityPoliciesResponse,
        timeout_s=REPORT_TIMEOUT_S,
    )
    if output in ("json", "yaml"):
        print_data(render_json(answer, zeros=True), output)
    elif answer.findings:
        rows = ((one.kind, _id(one.policy), one.rule, one.message) for one in answer.findings)
        print_table(("FINDING", "POLICY", "RULE", "WHAT"), rows)
    else:
        print(f"nothing is wrong with {name or 'the security policies'}")


def _end(text: str, service: str) -> str:
    name, port = parse_target(text)
    if port:
        hint = f"write {text.rpartition(':')[0]} ... {service or f'tcp/{port}'}"
        raise Failure.usage(f"{text!r} has a port; it goes with the service", hint=hint)
    return name


def _decision(one: pb.PolicyDecision) -> tuple[str, ...]:
    drops = " ".join(f"{_id(drop.policy)}{f'/{drop.rule}' if drop.rule else ''}" for drop in one.would_drop)
    return (
        _id(one.nic),
        short_enum(_DIRECTIONS, one.direction).lower(),
        short_enum(_ACTIONS, one.action).lower(),
        _id(one.policy),
        one.rule,
        "yes" if one.stateful else "no",
        drops,
    )


def _id(name: str) -> str:
    return name.partition("/")[2]
