"""SecurityPolicy: who may talk to whom. What it means exactly is in docs/design/security.md."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from netctl.errors import Exhausted, InvalidIntent
from netctl.model import shape
from netctl.model.groups import PEERS, SECURABLE, Term, check_terms
from netctl.model.infra import Meta
from netctl.model.keys import SecurityPolicyId, ServiceChainId, ServiceGroupId, VpcId, check_id
from netctl.model.service import Service, check_services

RULES_MAX = 1000
VPCS_MAX = 256
SERVICE_GROUPS_MAX = 16
PRIORITY_MAX = 1000
LOG_RATE_MAX = 10_000
DEFAULT_LOG_RATE = 100
TEXT_MAX = 256


class PolicyKind(enum.StrEnum):
    """What a policy is for, the kind that is looked at first first."""

    QUARANTINE = "quarantine"
    SHARED_SERVICE = "shared service"
    ISOLATION = "isolation"
    APPLICATION = "application"
    VDI = "vdi"


# How many clauses all policies that are enforced may have in each direction: by kind and phase
# (docs/design/security.md, "Order at one end"). What the bands of compiler/priority.py hold at the least: an ACL's
# priority is 0 to 32767 (ovn-nb(5)), and no two clauses of one direction share one.
CLAUSES_MAX: Final[Mapping[tuple[PolicyKind, int], int]] = {
    (PolicyKind.QUARANTINE, 0): 1024,
    (PolicyKind.QUARANTINE, 1): 1024,
    (PolicyKind.QUARANTINE, 2): 1024,
    (PolicyKind.SHARED_SERVICE, 1): 2048,
    (PolicyKind.ISOLATION, 1): 1024,
    (PolicyKind.APPLICATION, 1): 8192,
    (PolicyKind.APPLICATION, 2): 2048,
    (PolicyKind.VDI, 1): 4096,
    (PolicyKind.VDI, 2): 1024,
}
# The same of all policies in MONITOR: their clauses share one band at the bottom.
MONITORED_CLAUSES_MAX: Final = 4096
# ACLs of all policies: each clause has one in each realm of its policy. northd of 23.03 takes 20 s for so many.
ACLS_MAX: Final = 100_000


class PolicyMode(enum.StrEnum):
    """What a policy does now."""

    SAVE = "save"
    MONITOR = "monitor"
    ENFORCE = "enforce"


class PolicyScope(enum.StrEnum):
    """In which realms a policy holds."""

    ALL_VLAN = "all vlan"
    ALL_VPC = "all vpc"
    VPC_LIST = "vpc list"


class IntraGroup(enum.StrEnum):
    """What happens between members of one secured group."""

    RULES = "rules"
    ALLOW = "allow"
    DENY = "deny"


class Established(enum.StrEnum):
    """What happens to open connections when rules change."""

    REEVALUATE = "reevaluate"
    PERSIST = "persist"


class RuleAction(enum.StrEnum):
    """What a rule decides."""

    ALLOW = "allow"
    DENY = "deny"
    REJECT = "reject"


class Direction(enum.StrEnum):
    """Which way a connection is opened, as the secured see it."""

    IN = "in"
    OUT = "out"
    IN_OUT = "in and out"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityRule:
    """One rule. Empty `applied_to`, `peers`, services: all of the secured, everybody, everything.

    `ip_version` 0 is both; `expire_time_s` (seconds since the epoch) 0 is never.
    """

    name: str
    description: str = ""
    direction: Direction
    action: RuleAction
    priority: int = 0
    applied_to: tuple[Term, ...] = ()
    peers: tuple[Term, ...] = ()
    service_groups: tuple[ServiceGroupId, ...] = ()
    services: tuple[Service, ...] = ()
    ip_version: int = 0
    stateless: bool = False
    log: bool = False
    owner: str = ""
    ticket: str = ""
    expire_time_s: float = 0.0
    disabled: bool = False
    service_chain: ServiceChainId = ServiceChainId("")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityPolicy:
    """A security policy: `secured` are whom it is about; of an isolation, those that are kept apart."""

    id: SecurityPolicyId
    meta: Meta = Meta()
    kind: PolicyKind
    mode: PolicyMode
    scope: PolicyScope
    vpcs: tuple[VpcId, ...] = ()
    priority: int = 0
    secured: tuple[Term, ...]
    intra_group: IntraGroup = IntraGroup.RULES
    rules: tuple[SecurityRule, ...] = ()
    log: bool = False
    log_rate: int = DEFAULT_LOG_RATE
    established: Established = Established.REEVALUATE

    def __post_init__(self) -> None:
        check_id("name", self.id)
        if (self.scope is PolicyScope.VPC_LIST) != bool(self.vpcs):
            raise InvalidIntent("vpcs", "goes with scope VPC_LIST, which needs at least one")
        if len(self.vpcs) > VPCS_MAX:
            raise InvalidIntent("vpcs", f"has {len(self.vpcs)} VPCs; at most {VPCS_MAX} are allowed")
        for i, vpc in enumerate(self.vpcs):
            check_id(f"vpcs[{i}]", vpc)
            if vpc in self.vpcs[:i]:
                raise InvalidIntent(f"vpcs[{i}]", f"vpcs/{vpc} is listed twice; list it once")
        shape.check_range("priority", self.priority, low=0, high=PRIORITY_MAX)
        shape.check_range("log_rate", self.log_rate, low=1, high=LOG_RATE_MAX)
        least = 2 if self.kind is PolicyKind.ISOLATION else 1
        if len(self.secured) < least:
            raise InvalidIntent("secured", f"has {len(self.secured)} names; it needs at least {least}")
        check_terms("secured", self.secured, SECURABLE)
        check_rule_count(len(self.rules))
        self._check_kind()
        seen: set[str] = set()
        for i, rule in enumerate(self.rules):
            self._check_rule(f"rules[{i}]", rule)
            if rule.name in seen:
                raise InvalidIntent(f"rules[{i}].name", f"{rule.name!r} is the name of two rules")
            seen.add(rule.name)

    def _check_kind(self) -> None:
        if self.kind is PolicyKind.ISOLATION and self.rules:
            raise InvalidIntent(
                "rules", "an ISOLATION has none: what it must let through is a SHARED_SERVICE's"
            )
        if self.kind is PolicyKind.SHARED_SERVICE and not self.rules:
            raise InvalidIntent("rules", "is empty; name what is shared")
        applications = (PolicyKind.APPLICATION, PolicyKind.VDI)
        if self.intra_group is not IntraGroup.RULES and self.kind not in applications:
            raise InvalidIntent("intra_group", "goes with kind APPLICATION or VDI")

    def _check_rule(self, field: str, rule: SecurityRule) -> None:
        check_id(f"{field}.name", rule.name)
        for name in ("description", "owner", "ticket"):
            shape.check_text(f"{field}.{name}", getattr(rule, name), TEXT_MAX)
        shape.check_range(f"{field}.priority", rule.priority, low=0, high=PRIORITY_MAX)
        check_terms(f"{field}.applied_to", rule.applied_to, SECURABLE)
        for i, term in enumerate(rule.applied_to):
            if term not in self.secured:
                raise InvalidIntent(f"{field}.applied_to[{i}]", f"{term} is not among the policy's secured")
        check_terms(f"{field}.peers", rule.peers, PEERS)
        self._check_service_groups(f"{field}.service_groups", rule.service_groups)
        check_services(f"{field}.services", rule.services)
        if rule.ip_version not in (0, 4, 6):
            raise InvalidIntent(f"{field}.ip_version", f"{rule.ip_version} is not 4 or 6, or 0 for both")
        allowing = (PolicyKind.QUARANTINE, PolicyKind.SHARED_SERVICE)
        if self.kind in allowing and rule.action is not RuleAction.ALLOW:
            raise InvalidIntent(f"{field}.action", f"the rules of a {self.kind.value} policy can only ALLOW")
        if rule.stateless and rule.action is not RuleAction.ALLOW:
            raise InvalidIntent(f"{field}.stateless", "goes with action ALLOW")
        if rule.service_chain:
            check_id(f"{field}.service_chain", rule.service_chain)
            if rule.action is not RuleAction.ALLOW:
                raise InvalidIntent(f"{field}.service_chain", "goes with action ALLOW")
        if rule.expire_time_s < 0:
            raise InvalidIntent(
                f"{field}.expire_time", "is before 1970; leave it unset for a rule that stays"
            )

    def _check_service_groups(self, field: str, groups: tuple[ServiceGroupId, ...]) -> None:
        if len(groups) > SERVICE_GROUPS_MAX:
            raise InvalidIntent(
                field, f"has {len(groups)} service groups; at most {SERVICE_GROUPS_MAX} are allowed"
            )
        for i, group in enumerate(groups):
            check_id(f"{field}[{i}]", group)
            if group in groups[:i]:
                raise InvalidIntent(f"{field}[{i}]", f"serviceGroups/{group} is listed twice; list it once")


def check_rule_count(count: int) -> None:
    """Raise Exhausted when a policy has more rules than it may: asked of a message before its rules are read, too."""
    if count > RULES_MAX:
        raise Exhausted(
            f"rules: {count} rules; a policy has at most {RULES_MAX}: use groups, or more policies",
            field="rules",
        )
