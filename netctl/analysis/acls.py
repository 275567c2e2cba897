"""What each ACL of ours stands for: policy, rule, direction and verdict of a row that hits and logs name by its uuid.

In: a snapshot and what was observed when its rows were written. Out: `AclUse` by the row's uuid. Pure; it asks the
compiler, so that what is told is what was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from netctl.compiler.clause import Clause, Realm
from netctl.compiler.clauses import lines_of
from netctl.compiler.observed import Observed
from netctl.compiler.security_policy import Acl, acls_of
from netctl.model.hits import Counted
from netctl.model.keys import Kind, Uid
from netctl.model.security_policy import RuleAction, SecurityPolicy
from netctl.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class AclUse:
    """What is told of one ACL: `clause`, of the policy with `policy_uid`, is whose log lines it writes, in which realm.

    `match` is as in OVN. `would_drop`: the clause is of a policy in MONITOR and denies; the ACL itself allows.
    `counted` is what its packets are counted for, in both policies where a clause in MONITOR looks at what another
    policy allows.
    """

    match: str
    realm: Realm
    clause: Clause
    policy_uid: Uid
    would_drop: bool
    counted: tuple[Counted, ...]


# By the uuid of the row, which is its name too.
AclUses = Mapping[str, AclUse]


def index_acls(snapshot: Snapshot, observed: Observed) -> AclUses:
    """Return the ACLs of all security policies."""
    found: dict[str, AclUse] = {}
    for policy in snapshot.of_kind(Kind.SECURITY_POLICY):
        assert isinstance(policy, SecurityPolicy)
        for acl in acls_of(snapshot, observed, policy):
            told = acl.would_drop_of or acl.clause
            by = snapshot.security_policy(told.policy)
            if by is not None:
                found[acl.uuid] = AclUse(
                    match=acl.match,
                    realm=acl.realm,
                    clause=told,
                    policy_uid=by.meta.uid,
                    would_drop=acl.would_drop_of is not None,
                    counted=tuple(dict.fromkeys(_counted(snapshot, acl))),
                )
    return found


def _counted(snapshot: Snapshot, acl: Acl) -> Iterator[Counted]:
    for clause in (acl.clause, acl.front):
        policy = snapshot.security_policy(clause.policy) if clause is not None else None
        if clause is not None and policy is not None:
            yield count_as(policy.meta.uid, clause)


def counted_of(policy: SecurityPolicy) -> tuple[Counted, ...]:
    """Return what is counted of a policy, in the order in which its clauses are looked at."""
    return tuple(dict.fromkeys(count_as(policy.meta.uid, line.clause) for line in lines_of(policy)))


def count_as(policy: Uid, clause: Clause) -> Counted:
    """Return what the packets of a clause are counted as; realms and subjects of a rule are one sum."""
    would_drop = clause.monitored and clause.action is not RuleAction.ALLOW
    return Counted(policy, clause.rule, clause.direction.value, clause.action.value, would_drop)
