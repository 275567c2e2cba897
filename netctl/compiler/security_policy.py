"""SecurityPolicy to ACLs, members of its subjects' Port_Groups, and the Meter of its log lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netctl.compiler import identity, priority
from netctl.compiler.acl_match import render_match, traffic_of, traffic_of_both, uid_of_term
from netctl.compiler.clause import Clause, Realm
from netctl.compiler.clauses import holds_in, is_expired, resolve
from netctl.compiler.identity import external_ids
from netctl.compiler.native_chain_acls import group_of_chain
from netctl.compiler.observed import Observed
from netctl.compiler.ranks import Front, Slot, block_of, slots_of
from netctl.compiler.realms import realms_in, scope_of
from netctl.model.intent import key_of
from netctl.model.keys import ServiceChainId, Uid
from netctl.model.lookups import Lookups
from netctl.model.security_policy import Direction, PolicyMode, RuleAction, SecurityPolicy
from netctl.nb.rows import Fact, Member, Row, Value

# ACL.direction, ovn-nb(5), as the port sees it.
_DIRECTIONS = {Direction.IN: "to-lport", Direction.OUT: "from-lport"}
_ALLOWED, _DENIED = frozenset({"info"}), frozenset({"warning"})  # ACL.severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Acl:
    """One ACL: where it is, and of which clause. `group` is the uuid of the Port_Group that it is a member of.

    `would_drop_of`: the clause in MONITOR that would have denied what it allows. Of an enforced policy's ACL `clause`
    is what decides; at the bottom, of a policy in MONITOR, nothing decides and `clause` is the one in MONITOR.
    `front`: the clause in MONITOR, of whatever verdict, that is looked at in front of an enforced one.
    """

    uuid: str
    realm: Realm
    group: str
    clause: Clause
    would_drop_of: Clause | None
    front: Clause | None
    priority: int
    match: str

    @property
    def is_logged(self) -> bool:
        """Does OVN log what it matches? What a policy in MONITOR allows decides nothing."""
        return self.would_drop_of is not None or (self.clause.log and not self.clause.monitored)


def acls_of(snapshot: Lookups, observed: Observed, policy: SecurityPolicy) -> tuple[Acl, ...]:
    """Return the ACLs of a stored policy, in order in each realm and direction."""
    return tuple(_acls_of(snapshot, observed, policy)) if policy.mode is not PolicyMode.SAVE else ()


def compile_security_policy(
    snapshot: Lookups, policy: SecurityPolicy, owner: str, observed: Observed
) -> Iterator[Fact]:
    """Yield the rows of one security policy."""
    if policy.mode is PolicyMode.SAVE:
        return
    marks = external_ids(owner, key_of(policy))
    for acl in _acls_of(snapshot, observed, policy):
        columns: dict[str, Value] = {
            "name": frozenset({acl.uuid}),
            "direction": _DIRECTIONS[acl.clause.direction],
            "priority": acl.priority,
            "match": acl.match,
            "action": action_of(acl, observed),
            "log": acl.is_logged,
            "severity": frozenset[str](),
            "meter": frozenset[str](),
            "external_ids": marks,
        }
        if acl.is_logged:
            denied = acl.would_drop_of is not None or acl.clause.action is not RuleAction.ALLOW
            columns["severity"] = _DENIED if denied else _ALLOWED
            columns["meter"] = _meter_of(snapshot, acl)
        if observed.network_functions:
            group = _function_group(snapshot, policy, acl, observed)
            columns["network_function_group"] = frozenset({group}) if group else frozenset[str]()
            if group:  # ovn-nb(5): only what is tracked comes back through it
                columns["action"] = "allow-related"
        if observed.acl_tiers:
            columns["tier"] = priority.acl_tier(acl.clause.kind, monitored=acl.clause.monitored)
        yield Row("ACL", acl.uuid, columns)
        yield Member("Port_Group", acl.group, "acls", acl.uuid)
    if logs(policy):
        yield from _meter(policy, marks)


def logs(policy: SecurityPolicy) -> bool:
    """Has a policy anything to log? One in MONITOR always."""
    return policy.mode is PolicyMode.MONITOR or policy.log or any(rule.log for rule in policy.rules)


def action_of(acl: Acl, observed: Observed) -> str:
    """Return ACL.action, ovn-nb(5)."""
    clause = acl.clause
    if clause.monitored:
        return "allow-related"
    if clause.action is RuleAction.ALLOW:
        return "allow-stateless" if clause.stateless else "allow-related"
    return "reject" if clause.action is RuleAction.REJECT and observed.reject else "drop"


def _function_group(snapshot: Lookups, policy: SecurityPolicy, acl: Acl, observed: Observed) -> str:
    """Return the functions of OVN that an ACL leads through: its rule's, at the end that the rule is applied to."""
    clause = acl.clause
    if clause.monitored or clause.part != "own" or clause.action is not RuleAction.ALLOW:
        return ""
    chains = (rule.service_chain for rule in policy.rules if rule.name == clause.rule)
    return group_of_chain(snapshot, next(chains, ServiceChainId("")), observed)


def _acls_of(snapshot: Lookups, observed: Observed, policy: SecurityPolicy) -> Iterator[Acl]:
    realms = tuple(realms_in(snapshot, scope_of(policy)))
    for slot in slots_of(policy, block_of(snapshot, policy)):
        if is_expired(policy, slot.line.rule, observed):
            continue
        clause = resolve(snapshot, slot.line)
        subject = uid_of_term(snapshot, slot.line.clause.subject)
        if clause is None or subject is None:
            continue
        front = _front_of(snapshot, observed, slot.front) if slot.front is not None else None
        traffic = traffic_of(clause)
        if slot.front is not None:
            both = traffic_of_both(clause, front) if front is not None else None
            if both is None:
                continue
            traffic = both
        dropper = clause if clause.monitored else front
        for realm, uid in realms:
            match = render_match(snapshot, traffic, uid)
            if match is None or (slot.front is not None and not holds_in(slot.front.policy, realm)):
                continue
            yield Acl(
                uuid=_uuid(policy, slot, uid),
                realm=realm,
                group=identity.port_group_uuid(subject, uid),
                clause=clause,
                would_drop_of=dropper if dropper and dropper.action is not RuleAction.ALLOW else None,
                front=front,
                priority=slot.priority,
                match=match,
            )


def _front_of(snapshot: Lookups, observed: Observed, front: Front) -> Clause | None:
    if is_expired(front.policy, front.line.rule, observed):
        return None
    return resolve(snapshot, front.line)


def _uuid(policy: SecurityPolicy, slot: Slot, realm: Uid) -> str:
    """Name a row by what it is of, not by what that says: a rule that is edited changes its rows."""
    parts = _name(slot.line.clause)
    if slot.front is not None:
        parts += (slot.front.policy.meta.uid, *_name(slot.front.line.clause))
    return identity.acl_uuid(policy.meta.uid, realm, *parts)


def _name(clause: Clause) -> tuple[str, ...]:
    return clause.rule, clause.part, str(clause.phase.value), clause.direction.value, clause.subject


def _meter_of(snapshot: Lookups, acl: Acl) -> frozenset[str]:
    logged = acl.would_drop_of or acl.clause
    policy = snapshot.security_policy(logged.policy)
    return frozenset({identity.meter_name(policy.meta.uid)}) if policy is not None else frozenset()


def _meter(policy: SecurityPolicy, marks: dict[str, str]) -> Iterator[Fact]:
    uid = policy.meta.uid
    band = identity.meter_band_uuid(uid)
    # `fair`, ovn-nb(5): each ACL has the rate for itself, so that one does not silence the others.
    yield Row(
        "Meter",
        identity.meter_uuid(uid),
        {
            "name": identity.meter_name(uid),
            "unit": "pktps",
            "fair": frozenset({True}),
            "bands": frozenset({band}),
            "external_ids": marks,
        },
    )
    yield Row(
        "Meter_Band",
        band,
        {"action": "drop", "rate": policy.log_rate, "burst_size": 0, "external_ids": marks},
    )
