"""What ACLs logged, in from the agents; the policy log and hits of security policies, out."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence

from netctl.analysis.hits import Tally
from netctl.model.hits import Counted
from netctl.model.keys import HostId, Kind, resource_name
from netctl.model.policy_log import AclLog, AclLogs, LogEntry
from netctl.model.security_policy import Direction, RuleAction
from netctl.server.convert import set_time
from netctl.v1 import agent_pb2, security_pb2
from netctl.v1 import explain_pb2 as pb

# An agent sends at most 1,000 lines a second; who sends more in a message is not one of ours.
LOGS_MAX = 10_000
_WORD = re.compile(r"[a-z0-9-]{1,36}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_PORT_MAX = 65_535
DIRECTIONS = {
    Direction.IN: security_pb2.SECURITY_DIRECTION_IN,
    Direction.OUT: security_pb2.SECURITY_DIRECTION_OUT,
    Direction.IN_OUT: security_pb2.SECURITY_DIRECTION_IN_OUT,
}
ACTIONS = {
    RuleAction.ALLOW: security_pb2.SECURITY_ACTION_ALLOW,
    RuleAction.DENY: security_pb2.SECURITY_ACTION_DENY,
    RuleAction.REJECT: security_pb2.SECURITY_ACTION_REJECT,
}


def logs_from_proto(message: agent_pb2.AclLogs) -> AclLogs:
    """Return what a host's ACLs logged; text that is not what it should be is left out: people and syslog read it."""
    logs = message.logs[:LOGS_MAX]
    return AclLogs(
        logs=tuple(_log(log) for log in logs),
        dropped=max(0, message.dropped) + len(message.logs) - len(logs),
    )


def _log(message: agent_pb2.AclLog) -> AclLog:
    return AclLog(
        time_s=message.time.seconds + message.time.nanos / 1e9,
        acl=_matching(_WORD, message.acl_name),
        verdict=_matching(_WORD, message.verdict),
        source_mac_address=_matching(_MAC, message.source_mac_address),
        destination_mac_address=_matching(_MAC, message.destination_mac_address),
        source_address=_address(message.source_address),
        destination_address=_address(message.destination_address),
        protocol=_matching(_WORD, message.protocol),
        source_port=_port(message.source_port),
        destination_port=_port(message.destination_port),
    )


def _matching(pattern: re.Pattern[str], text: str) -> str:
    return text if pattern.fullmatch(text) else ""


def _address(text: str) -> str:
    try:
        return "" if "%" in text else str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _port(number: int) -> int:
    return number if 0 <= number <= _PORT_MAX else 0


def entry_to_proto(entry: LogEntry, lost_before: int) -> pb.PolicyLogEntry:
    """Return the message of a line; `lost_before` the lines that the reader did not get before it."""
    message = pb.PolicyLogEntry(
        policy=resource_name((Kind.SECURITY_POLICY, entry.policy)),
        rule=entry.rule,
        direction=DIRECTIONS[entry.direction],
        action=ACTIONS[entry.action],
        would_drop=entry.would_drop,
        host=resource_name((Kind.HOST, entry.host)),
        source_nic=resource_name((Kind.NIC, entry.source_nic)) if entry.source_nic else "",
        destination_nic=resource_name((Kind.NIC, entry.destination_nic)) if entry.destination_nic else "",
        source_address=entry.source_address,
        destination_address=entry.destination_address,
        protocol=entry.protocol,
        source_port=entry.source_port,
        destination_port=entry.destination_port,
        lost_before=lost_before,
    )
    set_time(message.time, entry.time_s)
    return message


def rule_hits_to_proto(
    tally: Tally, order: Iterable[Counted], missing: Sequence[HostId]
) -> pb.GetSecurityPolicyHitsResponse:
    """Return the message of a policy's hits: what is in `order`, then what was counted in other forms of its rules."""
    message = pb.GetSecurityPolicyHitsResponse(
        rules=[_rule(tally, counted) for counted in dict.fromkeys((*order, *tally.counts))],
        missing_hosts=[resource_name((Kind.HOST, host)) for host in missing],
    )
    if tally.clear_time_s:
        set_time(message.clear_time, tally.clear_time_s)
    return message


def _rule(tally: Tally, counted: Counted) -> pb.RuleHits:
    count = tally.counts.get(counted)
    message = pb.RuleHits(
        rule=counted.rule,
        direction=DIRECTIONS[Direction(counted.direction)],
        action=ACTIONS[RuleAction(counted.action)],
        would_drop=counted.would_drop,
    )
    if count is None:
        return message
    message.packets, message.bytes = count.total.packets, count.total.bytes
    for host, hits in sorted(count.hosts.items()):
        name = resource_name((Kind.HOST, host))
        message.hosts.add(host=name, packets=hits.packets, bytes=hits.bytes)
    if count.last_time_s:
        set_time(message.last_time, count.last_time_s)
    return message
