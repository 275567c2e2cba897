"""Clause: one line of the lowered policies, the form that ACLs, tests of a connection, reports, hits and logs share."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NewType

from netctl.model.groups import Term
from netctl.model.keys import SecurityPolicyId
from netctl.model.security_policy import Direction, PolicyKind, RuleAction
from netctl.model.service import Service

# Where an address means one thing: a VPC's id, "" for all subnets outside VPCs.
Realm = NewType("Realm", str)
VLANS = Realm("")


class Phase(enum.IntEnum):
    """In which order the clauses of one kind of policy are looked at."""

    STRICT = 0
    RULES = 1
    REST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """Who (`subject`), which way (IN or OUT), with whom, what, and the verdict.

    `rule` "" is the policy's own (isolation, intra-group, implicit deny). `peers` are terms and address groups, empty
    for everybody; `services` empty for everything; `ip_version` 0 for both. `part` tells clauses of one rule, direction
    and subject apart: `own`, or `provider` for the other end of a shared service.
    """

    policy: SecurityPolicyId
    kind: PolicyKind
    phase: Phase
    rule: str = ""
    part: str = "own"
    direction: Direction
    subject: Term
    peers: tuple[Term, ...] = ()
    services: tuple[Service, ...] = ()
    ip_version: int = 0
    action: RuleAction
    stateless: bool = False
    log: bool = False
    monitored: bool = False
