"""What the ACLs of a switch decide on a packet's way, in the words of the policies that they are of. Pure.

ovn-trace prints the logical flow's match and priority: northd puts the ACL's match into it and adds to its priority.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from netctl.analysis.trace_text import Stage
from netctl.analysis.wording import line_of, policy_name, told
from netctl.compiler.clause import Clause
from netctl.compiler.clauses import active_policies
from netctl.compiler.membership import realm_of
from netctl.compiler.observed import Observed
from netctl.compiler.security_policy import Acl, acls_of
from netctl.model.keys import Key, Kind, resource_name
from netctl.model.nic import Nic
from netctl.model.security_policy import Direction, RuleAction
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet

# ovn-northd, OVN_ACL_PRI_OFFSET.
_OFFSET = 1000
# What each looks at: the port that a packet comes from, or goes to.
ACL_STAGES = {"ls_in_acl": Direction.OUT, "ls_out_acl": Direction.IN}
_REJECTS = re.compile(r"\breject \{")
_OURS = "@sg_"


@dataclass(frozen=True, slots=True)
class Told:
    """What an ACL does, in sentences, each with its policy; `ends`: the last one ends the packet's way."""

    steps: tuple[tuple[str, Key], ...]
    ends: bool = False


def tell_acl(snapshot: Snapshot, observed: Observed, at: tuple[Subnet, Nic], stage: Stage) -> Told | None:
    """Return what an ACL of ours decides at a NIC's port; None when it is none, or none that the intents have now."""
    subnet, nic = at
    if stage.name not in ACL_STAGES or _OURS not in stage.match:
        return None
    acl = find_acl(snapshot, observed, subnet, stage)
    if acl is None:
        return None
    where = f"at {resource_name((Kind.NIC, nic.id))}"
    if stage.drops or stage.search(_REJECTS):
        text = f"{told(acl.clause, RuleAction.DENY if stage.drops else RuleAction.REJECT)}, {where}"
        return Told(((text, _key(acl.clause)),), ends=True)
    steps = []
    if not acl.clause.monitored:
        steps.append((f"{told(acl.clause)}, {where}", _key(acl.clause)))
    if acl.would_drop_of is not None:
        dropper = acl.would_drop_of
        text = f"{policy_name(dropper)}, in MONITOR, would have dropped it ({line_of(dropper)}), {where}"
        steps.append((text, _key(dropper)))
    return Told(tuple(steps))


def find_acl(snapshot: Snapshot, observed: Observed, subnet: Subnet, stage: Stage) -> Acl | None:
    """Return the ACL that a stage's logical flow was made of."""
    realm, direction = realm_of(subnet), ACL_STAGES[stage.name]
    for policy in active_policies(snapshot, realm):
        for acl in acls_of(snapshot, observed, policy):
            if (
                acl.priority + _OFFSET == stage.priority
                and acl.realm == realm
                and acl.clause.direction is direction
                and acl.match in stage.match
            ):
                return acl
    return None


def _key(clause: Clause) -> Key:
    return Kind.SECURITY_POLICY, clause.policy
