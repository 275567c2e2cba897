"""SecurityPolicy between protobuf and model. Terms are resource names in both; other references become ids."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from netctl.errors import InvalidIntent
from netctl.model.keys import Kind, SecurityPolicyId, ServiceChainId, ServiceGroupId, VpcId
from netctl.model.security_policy import (
    DEFAULT_LOG_RATE,
    Direction,
    Established,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
    SecurityPolicy,
    SecurityRule,
    check_rule_count,
)
from netctl.model.status import Status
from netctl.server.convert import (
    meta_from_proto,
    meta_to_proto,
    parse_enum,
    parse_name,
    parse_reference,
    render_name,
    set_time,
    status_to_proto,
)
from netctl.server.convert_security import services_from_proto, services_to_proto
from netctl.v1 import security_pb2 as pb

_KINDS = {
    pb.SECURITY_POLICY_KIND_QUARANTINE: PolicyKind.QUARANTINE,
    pb.SECURITY_POLICY_KIND_SHARED_SERVICE: PolicyKind.SHARED_SERVICE,
    pb.SECURITY_POLICY_KIND_ISOLATION: PolicyKind.ISOLATION,
    pb.SECURITY_POLICY_KIND_APPLICATION: PolicyKind.APPLICATION,
    pb.SECURITY_POLICY_KIND_VDI: PolicyKind.VDI,
}
KIND_VALUES = {kind: value for value, kind in _KINDS.items()}
_KIND_NAMES = {value: name for name, value in pb.SecurityPolicyKind.items()}
_MODES = {
    pb.SECURITY_POLICY_MODE_SAVE: PolicyMode.SAVE,
    pb.SECURITY_POLICY_MODE_MONITOR: PolicyMode.MONITOR,
    pb.SECURITY_POLICY_MODE_ENFORCE: PolicyMode.ENFORCE,
}
MODE_VALUES = {mode: value for value, mode in _MODES.items()}
_MODE_NAMES = {value: name for name, value in pb.SecurityPolicyMode.items()}
_SCOPES = {
    pb.SECURITY_SCOPE_ALL_VLAN: PolicyScope.ALL_VLAN,
    pb.SECURITY_SCOPE_ALL_VPC: PolicyScope.ALL_VPC,
    pb.SECURITY_SCOPE_VPC_LIST: PolicyScope.VPC_LIST,
}
_SCOPE_VALUES = {scope: value for value, scope in _SCOPES.items()}
_SCOPE_NAMES = {value: name for name, value in pb.SecurityScope.items()}
_INTRA_GROUPS = {
    pb.INTRA_GROUP_RULES: IntraGroup.RULES,
    pb.INTRA_GROUP_ALLOW: IntraGroup.ALLOW,
    pb.INTRA_GROUP_DENY: IntraGroup.DENY,
}
_INTRA_GROUP_VALUES = {intra: value for value, intra in _INTRA_GROUPS.items()}
_INTRA_GROUP_NAMES = {value: name for name, value in pb.IntraGroup.items()}
_ESTABLISHED = {
    pb.ESTABLISHED_CONNECTIONS_REEVALUATE: Established.REEVALUATE,
    pb.ESTABLISHED_CONNECTIONS_PERSIST: Established.PERSIST,
}
_ESTABLISHED_VALUES = {established: value for value, established in _ESTABLISHED.items()}
_ESTABLISHED_NAMES = {value: name for name, value in pb.EstablishedConnections.items()}
_ACTIONS = {
    pb.SECURITY_ACTION_ALLOW: RuleAction.ALLOW,
    pb.SECURITY_ACTION_DENY: RuleAction.DENY,
    pb.SECURITY_ACTION_REJECT: RuleAction.REJECT,
}
ACTION_VALUES = {action: value for value, action in _ACTIONS.items()}
_ACTION_NAMES = {value: name for name, value in pb.SecurityAction.items()}
_DIRECTIONS = {
    pb.SECURITY_DIRECTION_IN: Direction.IN,
    pb.SECURITY_DIRECTION_OUT: Direction.OUT,
    pb.SECURITY_DIRECTION_IN_OUT: Direction.IN_OUT,
}
DIRECTION_VALUES = {direction: value for value, direction in _DIRECTIONS.items()}
_DIRECTION_NAMES = {value: name for name, value in pb.SecurityDirection.items()}
# How filters spell what the model holds.
KIND_NAMES = {kind: _KIND_NAMES[value] for value, kind in _KINDS.items()}
MODE_NAMES = {mode: _MODE_NAMES[value] for value, mode in _MODES.items()}
SCOPE_NAMES = {scope: _SCOPE_NAMES[value] for value, scope in _SCOPES.items()}
INTRA_GROUP_NAMES = {intra: _INTRA_GROUP_NAMES[value] for value, intra in _INTRA_GROUPS.items()}
ESTABLISHED_NAMES = {established: _ESTABLISHED_NAMES[value] for value, established in _ESTABLISHED.items()}
ACTION_NAMES = {action: _ACTION_NAMES[value] for value, action in _ACTIONS.items()}
DIRECTION_NAMES = {direction: _DIRECTION_NAMES[value] for value, direction in _DIRECTIONS.items()}

# 9999-12-31T23:59:59Z, the last that a Timestamp can tell.
_TIME_MAX_S = 253_402_300_799


def security_policy_from_proto(message: pb.SecurityPolicy) -> SecurityPolicy:
    """Return the security policy that a request asks for: what it does and where must be said."""
    check_rule_count(len(message.rules))  # 10^5 rules take a second to read
    intra_group = message.intra_group or pb.INTRA_GROUP_RULES
    established = message.established or pb.ESTABLISHED_CONNECTIONS_REEVALUATE
    return SecurityPolicy(
        id=SecurityPolicyId(parse_name("name", message.name, Kind.SECURITY_POLICY)),
        meta=meta_from_proto(message),
        kind=parse_enum("kind", message.kind, _KINDS, _KIND_NAMES),
        mode=parse_enum("mode", message.mode, _MODES, _MODE_NAMES),
        scope=parse_enum("scope", message.scope, _SCOPES, _SCOPE_NAMES),
        vpcs=tuple(VpcId(parse_name(f"vpcs[{i}]", name, Kind.VPC)) for i, name in enumerate(message.vpcs)),
        priority=message.priority,
        secured=tuple(message.secured),
        intra_group=parse_enum("intra_group", intra_group, _INTRA_GROUPS, _INTRA_GROUP_NAMES),
        rules=tuple(_rule_from_proto(f"rules[{i}]", rule) for i, rule in enumerate(message.rules)),
        log=message.log,
        log_rate=message.log_rate or DEFAULT_LOG_RATE,
        established=parse_enum("established", established, _ESTABLISHED, _ESTABLISHED_NAMES),
    )


def _rule_from_proto(field: str, message: pb.SecurityRule) -> SecurityRule:
    has_end = message.HasField("expire_time")
    return SecurityRule(
        name=message.name,
        description=message.description,
        direction=parse_enum(f"{field}.direction", message.direction, _DIRECTIONS, _DIRECTION_NAMES),
        action=parse_enum(f"{field}.action", message.action, _ACTIONS, _ACTION_NAMES),
        priority=message.priority,
        applied_to=tuple(message.applied_to),
        peers=tuple(message.peers),
        service_groups=tuple(
            ServiceGroupId(parse_name(f"{field}.service_groups[{i}]", name, Kind.SERVICE_GROUP))
            for i, name in enumerate(message.service_groups)
        ),
        services=services_from_proto(f"{field}.services", message.services),
        ip_version=message.ip_version,
        stateless=message.stateless,
        log=message.log,
        owner=message.owner,
        ticket=message.ticket,
        expire_time_s=_seconds(f"{field}.expire_time", message.expire_time) if has_end else 0.0,
        disabled=message.disabled,
        service_chain=ServiceChainId(
            parse_reference(f"{field}.service_chain", message.service_chain, Kind.SERVICE_CHAIN)
        ),
    )


def _seconds(field: str, stamp: Timestamp) -> float:
    """Return seconds since the epoch to the microsecond, as they are told (`set_time`)."""
    if not (0 < stamp.seconds <= _TIME_MAX_S and 0 <= stamp.nanos < 1_000_000_000):
        raise InvalidIntent(
            field, "is not a time after 1970 and before 10000; leave it out for a rule without end"
        )
    return stamp.seconds + stamp.nanos // 1000 / 1e6


def security_policy_to_proto(policy: SecurityPolicy, status: Status | None) -> pb.SecurityPolicy:
    """Return the message of a security policy."""
    message = pb.SecurityPolicy()
    message.name = f"securityPolicies/{policy.id}"
    meta_to_proto(policy.meta, message)
    message.kind = KIND_VALUES[policy.kind]
    message.mode = MODE_VALUES[policy.mode]
    message.scope = _SCOPE_VALUES[policy.scope]
    message.vpcs.extend(f"vpcs/{id}" for id in policy.vpcs)
    message.priority = policy.priority
    message.secured.extend(policy.secured)
    message.intra_group = _INTRA_GROUP_VALUES[policy.intra_group]
    for rule in policy.rules:
        _rule_to_proto(rule, message.rules.add())
    message.log = policy.log
    message.log_rate = policy.log_rate
    message.established = _ESTABLISHED_VALUES[policy.established]
    if status is not None:
        status_to_proto(status, message.status)
    return message


def _rule_to_proto(rule: SecurityRule, message: pb.SecurityRule) -> None:
    message.name, message.description = rule.name, rule.description
    message.direction = DIRECTION_VALUES[rule.direction]
    message.action = ACTION_VALUES[rule.action]
    message.priority = rule.priority
    message.applied_to.extend(rule.applied_to)
    message.peers.extend(rule.peers)
    message.service_groups.extend(f"serviceGroups/{id}" for id in rule.service_groups)
    message.services.extend(services_to_proto(rule.services))
    message.ip_version = rule.ip_version
    message.stateless, message.log, message.disabled = rule.stateless, rule.log, rule.disabled
    message.owner, message.ticket = rule.owner, rule.ticket
    if rule.expire_time_s:
        set_time(message.expire_time, rule.expire_time_s)
    message.service_chain = render_name(Kind.SERVICE_CHAIN, rule.service_chain)
