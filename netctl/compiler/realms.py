"""Realms: where a security policy holds, and where a term or address group is named by one that is active. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from netctl.compiler.clause import VLANS, Realm
from netctl.compiler.same import Same
from netctl.model.groups import Term
from netctl.model.keys import Kind, Uid, VpcId
from netctl.model.lookups import Lookups
from netctl.model.security_policy import PolicyMode, PolicyScope, SecurityPolicy
from netctl.model.subnet import SubnetKind

_SNAPSHOTS = 8


@dataclass(frozen=True, slots=True)
class Coverage:
    """In which realms something is named: in the VLANs, in every VPC, in these VPCs."""

    vlans: bool = False
    every_vpc: bool = False
    vpcs: frozenset[VpcId] = frozenset()

    def __contains__(self, realm: Realm) -> bool:
        return self.vlans if realm == VLANS else self.every_vpc or VpcId(realm) in self.vpcs

    def __bool__(self) -> bool:
        return self.vlans or self.every_vpc or bool(self.vpcs)


NOWHERE = Coverage()


def coverage_of(snapshot: Lookups, name: Term) -> Coverage:
    """Return where active policies name a term or an address group."""
    known = _known_coverages(Same(snapshot.table(Kind.SECURITY_POLICY)))
    found = known.get(name)
    if found is None:
        found = known[name] = _merged(map(scope_of, snapshot.security_policies_naming(name)))
    return found


def _scope_of_all(snapshot: Lookups) -> Coverage:
    """Return where any policy is active."""
    policies = snapshot.table(Kind.SECURITY_POLICY)
    known = _known_coverages(Same(policies))
    if "" not in known:
        known[""] = _merged(map(scope_of, policies.values()))
    return known[""]


def scope_of(policy: SecurityPolicy) -> Coverage:
    """Return where a policy is active: nowhere in mode SAVE."""
    if policy.mode is PolicyMode.SAVE:
        return NOWHERE
    return Coverage(
        policy.scope is PolicyScope.ALL_VLAN, policy.scope is PolicyScope.ALL_VPC, frozenset(policy.vpcs)
    )


def realms_in(snapshot: Lookups, coverage: Coverage) -> Iterator[tuple[Realm, Uid]]:
    """Yield those of the realms that are there, each with its uid."""
    if coverage.vlans:
        yield VLANS, Uid("")
    if coverage.every_vpc:
        yield from _every_vpc(snapshot)
        return
    for id in sorted(coverage.vpcs):
        uid = uid_of_realm(snapshot, Realm(id))
        if uid is not None:
            yield Realm(id), uid


def uid_of_realm(snapshot: Lookups, realm: Realm) -> Uid | None:
    """Return what names rows of a realm, None when it is not there: a VPC without overlay subnets has no guests."""
    if realm == VLANS:
        return Uid("")
    vpc = snapshot.vpc(VpcId(realm))
    if vpc is None or not _has_guests(snapshot, vpc.id):
        return None
    return vpc.meta.uid


def is_secured(snapshot: Lookups, realm: Realm) -> bool:
    """Is a policy active in a realm?"""
    if not snapshot.count(Kind.SECURITY_POLICY):
        return False
    return realm in _scope_of_all(snapshot) and uid_of_realm(snapshot, realm) is not None


@lru_cache(maxsize=_SNAPSHOTS)
def _known_coverages(_policies: Same[Mapping[str, Any]]) -> dict[Term, Coverage]:
    """Return what is known so far for these policies; `coverage_of` adds to it."""
    return {}


@lru_cache(maxsize=_SNAPSHOTS)
def _known_realms(
    _vpcs: Same[Mapping[str, Any]], _subnets: Same[Mapping[str, Any]]
) -> list[tuple[tuple[Realm, Uid], ...]]:
    """Return the realms of these VPCs with these subnets, once they are known."""
    return []


def _every_vpc(snapshot: Lookups) -> tuple[tuple[Realm, Uid], ...]:
    known = _known_realms(Same(snapshot.table(Kind.VPC)), Same(snapshot.table(Kind.SUBNET)))
    if not known:
        vpcs = (snapshot.vpc(VpcId(id)) for id in sorted(snapshot.table(Kind.VPC)))
        there = (vpc for vpc in vpcs if vpc is not None and _has_guests(snapshot, vpc.id))
        known.append(tuple((Realm(vpc.id), vpc.meta.uid) for vpc in there))
    return known[0]


def _has_guests(snapshot: Lookups, vpc: VpcId) -> bool:
    return any(subnet.kind is SubnetKind.OVERLAY for subnet in snapshot.subnets_of_vpc(vpc))


def _merged(scopes: Iterable[Coverage]) -> Coverage:
    vlans, every_vpc, vpcs = False, False, set[VpcId]()
    for scope in scopes:
        vlans |= scope.vlans
        every_vpc |= scope.every_vpc
        vpcs |= scope.vpcs
    return Coverage(vlans, every_vpc, frozenset(vpcs))
