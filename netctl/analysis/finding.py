"""Finding: what is noticed about a rule of a security policy."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netctl.model.keys import SecurityPolicyId


class FindingKind(enum.StrEnum):
    """What there is to notice; the value is the API's word."""

    SHADOWED = "SHADOWED"
    CONTRADICTED = "CONTRADICTED"
    UNUSED = "UNUSED"
    EXPIRED = "EXPIRED"
    EXPIRING = "EXPIRING"
    EMPTY_GROUP = "EMPTY_GROUP"
    NOT_COVERED = "NOT_COVERED"
    REJECT_AS_DENY = "REJECT_AS_DENY"
    STATELESS_OVERLAP = "STATELESS_OVERLAP"
    NEVER_MATCHES = "NEVER_MATCHES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding; `rule` "" is the policy itself or what it says beside its rules.

    `other_policy` and `other_rule` name the one that wins; of a STATELESS_OVERLAP the one that loses its tracking.
    """

    kind: FindingKind
    policy: SecurityPolicyId
    rule: str = ""
    other_policy: SecurityPolicyId | None = None
    other_rule: str = ""
    message: str
