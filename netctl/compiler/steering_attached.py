"""What service chains are attached to, and which subnets' frames pass br.nf because of it. Pure.

One function decides the second, `passes_chains`; `reasons_of` is all that it reads of the intents, so that whoever asks
which subnets to compile again compares that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from netctl.compiler.clause import VLANS, Clause
from netctl.compiler.clauses import holds_in, lines_of
from netctl.compiler.exits import exits_of
from netctl.compiler.membership import Port, in_term, nics_of_term, ports_of
from netctl.compiler.native_chain import states, steers
from netctl.compiler.observed import Observed
from netctl.compiler.same import Same
from netctl.model.groups import Term
from netctl.model.infra import VirtualSwitch
from netctl.model.keys import Key, Kind, SecurityPolicyId, ServiceChainId, SubnetId
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.security_policy import PolicyMode, SecurityPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet, SubnetKind

_SNAPSHOTS = 8
_READ = (
    Kind.SUBNET,
    Kind.NIC,
    Kind.VPC,
    Kind.CATEGORY,
    Kind.ENTITY_GROUP,
    Kind.SECURITY_POLICY,
    Kind.ROUTING_POLICY,
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a chain concerns a subnet; `rule` is a security rule's, which may expire."""

    chain: ServiceChainId
    policy: SecurityPolicyId = SecurityPolicyId("")
    rule: str = ""


Reasons = Mapping[SubnetId, frozenset[Reason]]


@dataclass(slots=True)
class _Kept:
    """What is known of some tables, once somebody asked."""

    reasons: dict[SubnetId, frozenset[Reason]] | None = field(default=None)


def nf_physnet(switch: VirtualSwitch) -> str:
    """Return OVN's name of br.nf towards a virtual switch (`network_name` of localnet ports)."""
    return f"physnet-nf-{switch.id}"


def passes_chains(snapshot: Snapshot, subnet: Subnet, observed: Observed) -> bool:
    """Do the subnet's frames pass br.nf on every host, between its guests and the network?"""
    return any(
        (reason.policy, reason.rule) not in observed.expired and steers(snapshot, reason.chain, observed)
        for reason in reasons_of(snapshot).get(subnet.id, ())
    )


def reasons_of(snapshot: Snapshot) -> Reasons:
    """Return why chains concern subnets with a VLAN; nothing is known here of what OVN can, or of the time."""
    if not snapshot.count(Kind.SERVICE_CHAIN):
        return {}
    kept = _kept(*(Same(snapshot.table(kind)) for kind in _READ))
    if kept.reasons is None:
        found: dict[SubnetId, set[Reason]] = {}
        for id, reason in (*_own(snapshot), *_ruled(snapshot), *_routed(snapshot)):
            found.setdefault(id, set()).add(reason)
        kept.reasons = {id: frozenset(reasons) for id, reasons in found.items()}
    return kept.reasons


def readers_of_chains(before: Snapshot, after: Snapshot) -> Iterator[Key]:
    """Yield the subnets of which it may differ between two snapshots whether their frames pass br.nf."""
    old, new = reasons_of(before), reasons_of(after)
    was, is_ = states(before), states(after)
    if old is new and was == is_:
        return
    other = {id for id in was.keys() | is_.keys() if was.get(id) != is_.get(id)}
    for id in old.keys() | new.keys():
        mine, now = old.get(id, frozenset()), new.get(id, frozenset())
        if mine != now or any(reason.chain in other for reason in now):
            yield Kind.SUBNET, id


def readers_of_expired_chains(
    snapshot: Snapshot, rules: frozenset[tuple[SecurityPolicyId, str]]
) -> Iterator[Key]:
    """Yield the subnets that a chain of one of these rules concerns."""
    for id, reasons in reasons_of(snapshot).items():
        if any((reason.policy, reason.rule) in rules for reason in reasons):
            yield Kind.SUBNET, id


def chained_lines(policy: SecurityPolicy) -> Iterator[Clause]:
    """Yield the clauses of rules with a chain at the end that they are applied to: there it is passed."""
    if policy.mode is PolicyMode.ENFORCE:
        for line in lines_of(policy):
            if line.rule is not None and line.rule.service_chain and line.clause.part == "own":
                yield line.clause


def is_subject(snapshot: Snapshot, port: Port, clause: Clause) -> bool:
    """Is a clause about a port?"""
    return port.nic.has_port and in_term(snapshot, port, clause.subject)


def chained_exits(snapshot: Snapshot, policy: RoutingPolicy) -> Iterator[Subnet]:
    """Yield the external subnets on which what a routing policy with a chain matches is seen: untranslated."""
    vpc = snapshot.vpc(policy.vpc) if policy.service_chain else None
    for exit in exits_of(snapshot, vpc) if vpc is not None else ():
        if exit.subnet.kind is SubnetKind.EXTERNAL and exit.subnet.has_vlan and not exit.subnet.nat:
            yield exit.subnet


@lru_cache(maxsize=_SNAPSHOTS)
def _kept(*_tables: Same[Mapping[str, Any]]) -> _Kept:
    return _Kept()


def _own(snapshot: Snapshot) -> Iterator[tuple[SubnetId, Reason]]:
    for subnet in snapshot.of_kind(Kind.SUBNET):
        if isinstance(subnet, Subnet) and subnet.service_chain and subnet.has_vlan:
            yield subnet.id, Reason(subnet.service_chain)


def _ruled(snapshot: Snapshot) -> Iterator[tuple[SubnetId, Reason]]:
    for policy in snapshot.of_kind(Kind.SECURITY_POLICY):
        if not isinstance(policy, SecurityPolicy) or not holds_in(policy, VLANS):
            continue
        chains = {rule.name: rule.service_chain for rule in policy.rules}
        about = {(clause.rule, clause.subject) for clause in chained_lines(policy)}
        for rule, subject in about:
            reason = Reason(chains[rule], policy.id, rule)
            for id in subnets_of_term(snapshot, subject, lambda port: port.subnet.kind is SubnetKind.VLAN):
                yield id, reason


def subnets_of_term(snapshot: Snapshot, term: Term, counts: Callable[[Port], bool]) -> set[SubnetId]:
    """Return the subnets with a port in a term that counts."""
    found: set[SubnetId] = set()
    for id in nics_of_term(snapshot, term):
        nic = snapshot.nic(id)
        if nic is None or (nic.subnet in found and not nic.trunk_vlans):  # a group has many on one subnet
            continue
        for port in ports_of(snapshot, nic):
            if port.subnet.id not in found and counts(port) and in_term(snapshot, port, term):
                found.add(port.subnet.id)
    return found


def _routed(snapshot: Snapshot) -> Iterator[tuple[SubnetId, Reason]]:
    for policy in snapshot.of_kind(Kind.ROUTING_POLICY):
        if isinstance(policy, RoutingPolicy):
            for subnet in chained_exits(snapshot, policy):
                yield subnet.id, Reason(policy.service_chain)
