"""What each ACL of ours stands for: policy, rule, direction and verdict of a row that hits and logs name by its uuid.

In: a snapshot and what was observed when its rows were written. Out: `Acl` by the row's uuid. Pure; it asks the
compiler, so that what is told is what was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netctl.compiler.clause import Clause, Realm
from netctl.compiler.clauses import lines_of
from netctl.compiler.observed import Observed
from netctl.model.hits import Counted
from netctl.model.keys import SecurityPolicyId, Uid
from netctl.model.security_policy import RuleAction, SecurityPolicy
from netctl.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Acl:
    """One ACL: `match` as it is in OVN, the clause by which it decides, in which realm.

    `would_drop`: the clause is of a policy in MONITOR and denies; the ACL itself allows. `counted` is what its packets
    are counted for, in both policies where a clause in MONITOR looks at what another policy allows.
    """

    match: str
    realm: Realm
    clause: Clause
    counted: tuple[Counted, ...]
    would_drop: bool = False

    @property
    def policy(self) -> SecurityPolicyId:
        """Whose log lines it writes."""
        return self.clause.policy


# By the uuid of the row, which is its name too.
Acls = Mapping[str, Acl]


def index_acls(snapshot: Snapshot, observed: Observed) -> Acls:
    """Return the ACLs of ours: none, until policies have rows."""
    return {}


def counted_of(policy: SecurityPolicy) -> tuple[Counted, ...]:
    """Return what is counted of a policy, in the order in which its clauses are looked at."""
    return tuple(dict.fromkeys(count_as(policy.meta.uid, line.clause) for line in lines_of(policy)))


def count_as(policy: Uid, clause: Clause) -> Counted:
    """Return what the packets of a clause are counted as; realms and subjects of a rule are one sum."""
    would_drop = clause.monitored and clause.action is not RuleAction.ALLOW
    return Counted(policy, clause.rule, clause.direction.value, clause.action.value, would_drop)
