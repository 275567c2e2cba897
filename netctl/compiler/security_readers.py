"""Who reads what of security policies: which intents to compile again between two snapshots. Pure.

An edit of a policy reaches NICs only where a term begins or ceases to be named in a realm; other policies only when
their block of priorities moves, or what is in MONITOR in front of them changes.
"""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler.clause import VLANS, Realm
from netctl.compiler.clauses import active_policies
from netctl.compiler.membership import nics_of_term, realm_of
from netctl.compiler.ranks import blocks_of
from netctl.compiler.realms import NOWHERE, Coverage, coverage_of, is_secured, scope_of, uid_of_realm
from netctl.model.groups import EntityGroup, Term, term_key
from netctl.model.intent import Intent, key_of
from netctl.model.keys import Key, Kind, SecurityPolicyId, SubnetId, VpcId, resource_name
from netctl.model.nic import Nic
from netctl.model.security_policy import PolicyScope, SecurityPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet
from netctl.model.vpc import Vpc

_TERMS = (Kind.CATEGORY, Kind.ENTITY_GROUP)


def readers_of_security(before: Snapshot, after: Snapshot, changed: frozenset[Key]) -> Iterator[Key]:
    """Yield the intents whose facts read, for security policies, what changed: beside what changed itself."""
    if before.count(Kind.SECURITY_POLICY) or after.count(Kind.SECURITY_POLICY):
        change = _Change(before, after)
        for key in changed:
            yield from change.readers_of(key)
        yield from change.readers_of_scopes()
        yield from change.moved_policies()


def policies_behind(snapshot: Snapshot, policies: set[SecurityPolicyId]) -> Iterator[Key]:
    """Yield the policies that have lines of one of these, in MONITOR, in front of their own."""
    for id, block in blocks_of(snapshot).items():
        if any(front.policy.id in policies for fronts in block.fronts.values() for front in fronts):
            yield Kind.SECURITY_POLICY, id


class _Change:
    """Two snapshots, and what one change of an intent means between them."""

    def __init__(self, before: Snapshot, after: Snapshot) -> None:
        self._both = (before, after)
        self._realms: set[Realm] = set()  # that may be secured now, or no more

    def readers_of(self, key: Key) -> Iterator[Key]:
        old, new = (snapshot.get(key) for snapshot in self._both)
        match new or old:
            case SecurityPolicy():
                yield from self._named(old, new)
            case Subnet():
                yield from self._of_realms({realm_of(one) for one in (old, new) if isinstance(one, Subnet)})
            case Vpc() as vpc:
                yield from self._of_realms({Realm(vpc.id)})
                if _kept(old, new) is None or _categories(old) != _categories(new):
                    yield from self._nics_in(Realm(vpc.id))
        if key[0] in (*_TERMS, Kind.ADDRESS_GROUP, Kind.SERVICE_GROUP):
            yield from self._of_named(key, old, new)

    def readers_of_scopes(self) -> Iterator[Key]:
        """Yield the subnets whose realm is secured now and was not, or the other way: they let DHCP through."""
        for realm in self._realms:
            was, is_ = (is_secured(snapshot, realm) for snapshot in self._both)
            if was != is_:
                yield from self._subnets_in(realm)

    def moved_policies(self) -> Iterator[Key]:
        """Yield the policies with other priorities, or other lines in MONITOR in front of theirs."""
        old, new = (blocks_of(snapshot) for snapshot in self._both)
        if old is not new:
            for id, block in new.items():
                if old.get(id) != block:
                    yield Kind.SECURITY_POLICY, id

    def _of_named(self, key: Key, old: Intent | None, new: Intent | None) -> Iterator[Key]:
        """Yield who reads a category, group or service group."""
        term, kept = resource_name(key), _kept(old, new)
        if kept is None or key[0] is Kind.SERVICE_GROUP:
            for snapshot in self._both:
                policies = {policy.id for policy in snapshot.security_policies_naming(term)}
                yield from ((Kind.SECURITY_POLICY, id) for id in policies)
                yield from policies_behind(snapshot, policies)
        is_other = key[0] in _TERMS and (kept is None or _selects(old) != _selects(new))
        if is_other and any(_matters(snapshot, term) for snapshot in self._both):
            yield from self._nics_of(term)

    def _named(self, old: Intent | None, new: Intent | None) -> Iterator[Key]:
        """Yield the groups that a policy makes active or not, and the NICs in them."""
        for policy in (old, new):
            if isinstance(policy, SecurityPolicy) and _scope(old) != _scope(new):
                self._realms |= self._realms_of(policy)
        for name in _names(old) | _names(new):
            was, is_ = (coverage_of(snapshot, name) for snapshot in self._both)
            if was != is_:
                key = term_key(name)
                yield key
                if key[0] in _TERMS:
                    yield from self._nics_where(name, was, is_)

    def _realms_of(self, policy: SecurityPolicy) -> set[Realm]:
        if policy.scope is PolicyScope.ALL_VLAN:
            return {VLANS}
        if policy.scope is PolicyScope.VPC_LIST:
            return {Realm(id) for id in policy.vpcs}
        return {Realm(id) for snapshot in self._both for id in snapshot.table(Kind.VPC)}

    def _of_realms(self, realms: set[Realm]) -> Iterator[Key]:
        """Yield who reads a realm that has come, gone or got another uid."""
        for realm in realms - {VLANS}:
            was, is_ = (uid_of_realm(snapshot, realm) for snapshot in self._both)
            if was == is_:
                continue
            self._realms.add(realm)
            for snapshot in self._both:
                for policy in active_policies(snapshot, realm):
                    yield key_of(policy)
                    yield from map(term_key, _names(policy))
            yield from self._nics_in(realm)

    def _nics_where(self, term: Term, was: Coverage, is_: Coverage) -> Iterator[Key]:
        """Yield the NICs of a term with a port in a realm in which it is named now and was not, or no more."""
        for snapshot in self._both:
            for id in nics_of_term(snapshot, term):
                nic = snapshot.nic(id)
                if nic is not None and any(
                    (realm in was) != (realm in is_) for realm in _realms_of_nic(snapshot, nic)
                ):
                    yield Kind.NIC, id

    def _nics_of(self, term: Term) -> Iterator[Key]:
        for snapshot in self._both:
            for id in nics_of_term(snapshot, term):
                yield Kind.NIC, id

    def _nics_in(self, realm: Realm) -> Iterator[Key]:
        yield from self._nics_of(resource_name((Kind.VPC, realm)))

    def _subnets_in(self, realm: Realm) -> Iterator[Key]:
        for snapshot in self._both:
            if realm != VLANS:
                yield from map(key_of, snapshot.subnets_of_vpc(VpcId(realm)))
                continue
            for id in snapshot.table(Kind.SUBNET):
                subnet = snapshot.subnet(SubnetId(id))
                if subnet is not None and not subnet.vpc:
                    yield Kind.SUBNET, id


def _kept(old: Intent | None, new: Intent | None) -> Intent | None:
    """Return an intent that is still the same one, None when it came, went or was made anew."""
    return new if old is not None and new is not None and old.meta.uid == new.meta.uid else None


def _matters(snapshot: Snapshot, term: Term) -> bool:
    """Is a term named by an active policy, or a group that it may be a part of?"""
    seen: set[Term] = set()
    waiting = [term]
    while waiting:
        name = waiting.pop()
        if coverage_of(snapshot, name):
            return True
        seen.add(name)
        above = (resource_name(key_of(group)) for group in snapshot.groups_naming(name))
        waiting += [group for group in above if group not in seen]
    return False


def _scope(policy: Intent | None) -> Coverage:
    return scope_of(policy) if isinstance(policy, SecurityPolicy) else NOWHERE


def _categories(vpc: Intent | None) -> tuple[str, ...]:
    return vpc.categories if isinstance(vpc, Vpc) else ()


def _selects(group: Intent | None) -> object:
    return (group.include, group.except_) if isinstance(group, EntityGroup) else None


def _names(policy: Intent | None) -> set[Term]:
    """Return the terms and address groups that a policy names."""
    if not isinstance(policy, SecurityPolicy):
        return set()
    return {*policy.secured, *(peer for rule in policy.rules for peer in rule.peers)}


def _realms_of_nic(snapshot: Snapshot, nic: Nic) -> set[Realm]:
    subnets = (snapshot.subnet(id) for id in (nic.subnet, *(vlan.subnet for vlan in nic.trunk_vlans)))
    return {realm_of(subnet) for subnet in subnets if subnet is not None}
