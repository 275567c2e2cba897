"""What ACLs logged: as a host tells it, and with the names that people know."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.model.keys import HostId, NicId, SecurityPolicyId, Uid
from netctl.model.security_policy import Direction, RuleAction


@dataclass(frozen=True, slots=True, kw_only=True)
class AclLog:
    """One packet that an ACL decided; `acl` is the ACL's name, `verdict` OVN's word, ports 0 where it has none."""

    time_s: float
    acl: str
    verdict: str
    source_mac_address: str = ""
    destination_mac_address: str = ""
    source_address: str = ""
    destination_address: str = ""
    protocol: str = ""
    source_port: int = 0
    destination_port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AclLogs:
    """What a host tells at once, in order; `dropped` lines were left out before them."""

    logs: tuple[AclLog, ...]
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One line of the policy log. `rule` "" is the policy's own, a NIC "" none of ours.

    `policy_uid` tells a policy from one that had its name before.

    `lost_before`: lines that a host left out just before this one.
    """

    time_s: float
    policy: SecurityPolicyId
    policy_uid: Uid
    rule: str
    direction: Direction
    action: RuleAction
    would_drop: bool
    host: HostId
    source_nic: NicId = NicId("")
    destination_nic: NicId = NicId("")
    source_address: str = ""
    destination_address: str = ""
    protocol: str = ""
    source_port: int = 0
    destination_port: int = 0
    lost_before: int = 0
