"""Hits and log of security policies, in tables and lines."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator

import grpc

from netctl.cli.client import Client, pause
from netctl.cli.failures import from_rpc
from netctl.cli.messages import render_json
from netctl.cli.output import note, print_data, print_table
from netctl.cli.waiting import close_stream
from netctl.v1 import explain_pb2 as pb
from netctl.v1 import security_pb2 as security

# As many as the controller keeps: after a broken connection everything is asked for, and what was printed left out.
_LAST_MAX = 10_000
_DIRECTIONS = {security.SECURITY_DIRECTION_IN: "in", security.SECURITY_DIRECTION_OUT: "out"}
_ACTIONS = {
    security.SECURITY_ACTION_ALLOW: "allow",
    security.SECURITY_ACTION_DENY: "deny",
    security.SECURITY_ACTION_REJECT: "reject",
}
_OWN = "(own)"


def print_rule_hits(client: Client, name: str, output: str) -> None:
    """Read and print how often the rules of a security policy decided."""
    request = pb.GetSecurityPolicyHitsRequest(name=name)
    method = "SecurityExplainService/GetSecurityPolicyHits"
    hits = client.call(method, request, pb.GetSecurityPolicyHitsResponse)
    if output in ("json", "yaml"):
        print_data(render_json(hits, zeros=True), output)
        return
    since = "it was created"
    if hits.HasField("clear_time"):
        since = f"{hits.clear_time.ToDatetime():%Y-%m-%d %H:%M:%S UTC}, when it was cleared"
    print(f"{name}: since {since}; {_OWN} is what the policy does beside its rules")
    headers = ("RULE", "DIRECTION", "ACTION", "PACKETS", "BYTES", "LAST (UTC)", "HOSTS")
    print_table(headers, [_row(rule) for rule in hits.rules])
    if hits.missing_hosts:
        print(f"did not answer, counted as of before: {', '.join(map(_id, hits.missing_hosts))}")


def clear_rule_hits(client: Client, name: str) -> None:
    """Count the rules of a security policy from zero again."""
    request = pb.ClearSecurityPolicyHitsRequest(name=name)
    method = "SecurityExplainService/ClearSecurityPolicyHits"
    client.call(method, request, pb.ClearSecurityPolicyHitsResponse)


def print_log(client: Client, name: str, *, last: int, follow: bool, as_json: bool) -> None:
    """Print the log: one line each, or one JSON object in a line."""
    for entry in _read(client, name, last=last, follow=follow):
        if entry.lost_before and not as_json:
            note(f"note: {entry.lost_before} lines before the next one are missing")
        text = json.dumps(render_json(entry), ensure_ascii=False) if as_json else render_entry(entry)
        print(text, flush=True)


def render_entry(entry: pb.PolicyLogEntry) -> str:
    """Return one line: when, verdict, policy and rule, direction, protocol, from whom to whom, host."""
    time = f"{entry.time.ToDatetime():%Y-%m-%d %H:%M:%S.%f}"[:-3] + "Z"
    verdict = "would-drop" if entry.would_drop else _ACTIONS.get(entry.action, "-")
    parts = (
        f"{verdict:<10}",
        f"{_id(entry.policy)}/{entry.rule or _OWN}",
        f"{_DIRECTIONS.get(entry.direction, '-'):<3}",
        entry.protocol or "ip",
        _end(entry.source_nic, entry.source_address, entry.source_port),
        "->",
        _end(entry.destination_nic, entry.destination_address, entry.destination_port),
        f"on {_id(entry.host)}",
    )
    return f"{time}  {' '.join(parts)}"


def _read(client: Client, name: str, *, last: int, follow: bool) -> Iterator[pb.PolicyLogEntry]:
    """Yield lines; with `follow` for ever, after a broken connection without those that were there before."""
    told: deque[bytes] = deque(maxlen=_LAST_MAX)
    method, again = "SecurityExplainService/FollowPolicyLog", False
    while True:
        request = pb.FollowPolicyLogRequest(name=name, follow=follow, last=_LAST_MAX if again else last)
        answers = client.stream(method, request, pb.FollowPolicyLogResponse, again=again)
        before = set(told)
        try:
            for answer in answers:
                for entry in answer.entries:
                    key = entry.SerializeToString(deterministic=True)
                    if key not in before:
                        told.append(key)
                        yield entry
            return
        except grpc.RpcError as error:
            failure = from_rpc(error)
            if not follow or failure.code not in ("UNAVAILABLE", "CANCELLED"):
                raise failure from error
            note("note: the connection to the controller broke; waiting for it to come back")
        finally:
            close_stream(answers)
        again = True
        pause(0.1)


def _row(rule: pb.RuleHits) -> tuple[str, ...]:
    action = _ACTIONS.get(rule.action, "-")
    last = f"{rule.last_time.ToDatetime():%Y-%m-%d %H:%M:%S}" if rule.HasField("last_time") else ""
    return (
        rule.rule or _OWN,
        _DIRECTIONS.get(rule.direction, "-"),
        f"{action} (would-drop)" if rule.would_drop else action,
        str(rule.packets),
        str(rule.bytes),
        last,
        ", ".join(f"{_id(host.host)}: {host.packets}" for host in rule.hosts if host.packets),
    )


def _end(nic: str, address: str, port: int) -> str:
    place = f"[{address}]:{port}" if port and ":" in address else f"{address}:{port}" if port else address
    return " ".join(part for part in (_id(nic), place and f"({place})" if nic else place) if part) or "-"


def _id(name: str) -> str:
    return name.partition("/")[2]
