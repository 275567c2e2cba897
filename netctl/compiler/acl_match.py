"""The match of an ACL: uuids, numbers and canonical addresses, nothing of a user's text. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netctl.compiler import identity
from netctl.compiler.clause import Clause
from netctl.compiler.services import Services, common, match_of, versions_of
from netctl.model.groups import Term, term_key
from netctl.model.keys import AddressGroupId, Kind, Uid
from netctl.model.lookups import Lookups
from netctl.model.security_policy import Direction

# In which direction, the port that is meant, and its peer.
_PORT = {Direction.IN: "outport", Direction.OUT: "inport"}
_PEER = {Direction.IN: "src", Direction.OUT: "dst"}


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one clause is about, or two that must both match; `peers` each of these sets of terms, any of a set."""

    direction: Direction
    subjects: tuple[Term, ...]
    peers: tuple[tuple[Term, ...], ...]
    services: Services
    versions: frozenset[int]


def traffic_of(clause: Clause) -> Traffic:
    """Return what a clause is about."""
    peers = (clause.peers,) if clause.peers else ()
    versions = versions_of(clause.services, clause.ip_version)
    return Traffic(clause.direction, (clause.subject,), peers, clause.services, versions)


def traffic_of_both(one: Clause, other: Clause) -> Traffic | None:
    """Return what two clauses of one direction are both about, None when that is nothing."""
    services = common(one.services, other.services)
    if services is None:
        return None
    versions = versions_of(services, one.ip_version) & versions_of(services, other.ip_version)
    if not versions:
        return None
    subjects = tuple(dict.fromkeys((one.subject, other.subject)))
    return Traffic(one.direction, subjects, _both(one.peers, other.peers), services, versions)


def render_match(snapshot: Lookups, traffic: Traffic, realm: Uid) -> str | None:
    """Return the match in a realm, None when nothing can match."""
    uids = [uid_of_term(snapshot, term) for term in traffic.subjects]
    if not traffic.versions or None in uids:
        return None
    groups = (
        identity.port_group_name(identity.port_group_uuid(uid, realm)) for uid in uids if uid is not None
    )
    terms = [f"{_PORT[traffic.direction]} == @{group}" for group in groups]
    if traffic.peers:
        peers = _render_peers(snapshot, traffic, realm)
        if not peers:
            return None
        terms.append(peers)
    elif not traffic.services or _is_restricted(traffic):
        terms.append("ip" if len(traffic.versions) == 2 else f"ip{min(traffic.versions)}")
    if traffic.services:
        terms.append(match_of(traffic.services, traffic.versions))
    return " && ".join(terms)


def uid_of_term(snapshot: Lookups, term: Term) -> Uid | None:
    """Return the uid of a category or group, None when there is none."""
    found = snapshot.get(term_key(term))
    return found.meta.uid if found is not None else None


def _both(one: tuple[Term, ...], other: tuple[Term, ...]) -> tuple[tuple[Term, ...], ...]:
    """Return the sets one of whose terms each must match: OVN makes of two sets the pairs of their addresses."""
    if not one or not other:
        return tuple(peers for peers in (one, other) if peers)
    if set(one) <= set(other):
        return (one,)
    return (other,) if set(other) <= set(one) else (one, other)


def _is_restricted(traffic: Traffic) -> bool:
    """Do the services leave open an IP version that the clause does not?"""
    return traffic.versions != versions_of(traffic.services)


def _render_peers(snapshot: Lookups, traffic: Traffic, realm: Uid) -> str:
    each: list[str] = []
    for version in sorted(traffic.versions):
        field = f"ip{version}.{_PEER[traffic.direction]}"
        sets = [_names(snapshot, peers, realm, version) for peers in traffic.peers]
        if not all(sets):
            return ""
        said = [f"{field} == {{{', '.join(names)}}}" for names in sets]
        each.append(" && ".join(said))
    if len(each) == 1:
        return each[0]
    return "(" + " || ".join(f"({one})" if " && " in one else one for one in each) + ")"


def _names(snapshot: Lookups, peers: Iterable[Term], realm: Uid, version: int) -> list[str]:
    """Return the address sets of peers, without those that do not exist."""
    found: list[str] = []
    for term in peers:
        kind, id = term_key(term)
        if kind is Kind.ADDRESS_GROUP:
            group = snapshot.address_group(AddressGroupId(id))
            if group is not None:
                found.append(f"${identity.address_set_name(group.meta.uid, version)}")
            continue
        uid = uid_of_term(snapshot, term)
        if uid is not None:
            name = identity.port_group_name(identity.port_group_uuid(uid, realm))
            found.append(f"${name}_ip{version}")
    return found
