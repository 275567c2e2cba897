"""Never: rules that no packet can match, and why. Pure.

What is found is so whoever is in categories and entity groups, now or later; address groups are as they are now.
"""

from __future__ import annotations

from collections.abc import Iterator

from netctl.analysis.peers import is_address_group, spans_of
from netctl.compiler.clauses import services_of
from netctl.model.groups import AddressGroup, Term, term_key
from netctl.model.security_policy import SecurityRule
from netctl.model.service import Service, ServiceProtocol
from netctl.model.snapshot import Snapshot

_BOTH = frozenset({4, 6})
# OVN passes these in front of every ACL: MLD's queries and reports of version 2, RS, RA, NS and NA. Not MLD's older
# reports (131, 132): a guest sends them from `::` before it has an address, and OVN asks its ACLs about those. Nor
# redirects (137).
_IN_FRONT = frozenset({130, 133, 134, 135, 136, 143})
_NAMES = {ServiceProtocol.ICMP: "ICMP", ServiceProtocol.ICMPV6: "ICMPV6"}
_OTHER = {ServiceProtocol.ICMP: "ICMPV6", ServiceProtocol.ICMPV6: "ICMP"}


def why_never(snapshot: Snapshot, rule: SecurityRule) -> str:
    """Return why a rule can match nothing, and what to do; "" when it can, or EMPTY_GROUP says so of its peers."""
    services = services_of(snapshot, rule)
    if rule.service_groups and not services:
        return "its service groups do not exist: name ones that do"
    there = [term for term in rule.peers if snapshot.get(term_key(term)) is not None]
    if rule.peers and not there:
        return "its peers do not exist: name ones that do"
    peers = _versions_of(snapshot, there)
    if not peers:
        return ""
    if rule.ip_version and rule.ip_version not in peers:
        return (
            f"its ip_version is {rule.ip_version} and its peers have {_only(peers)}: set ip_version to 0 or"
            f" {min(peers)}, or name peers with IPv{rule.ip_version} addresses"
        )
    reasons = [_why(service, rule, peers) for service in services]
    return "; ".join(dict.fromkeys(reasons)) if all(reasons) else ""


def _versions_of(snapshot: Snapshot, peers: list[Term]) -> frozenset[int]:
    """Return the IP versions that peers may have; a category or entity group may have any."""
    if not peers or not all(map(is_address_group, peers)):
        return _BOTH
    return frozenset(version for term in peers for version in _versions_in(snapshot, term))


def _versions_in(snapshot: Snapshot, term: Term) -> Iterator[int]:
    group = snapshot.get(term_key(term))
    assert isinstance(group, AddressGroup)
    yield from (version for version in sorted(_BOTH) if spans_of(group, version))


def _why(service: Service, rule: SecurityRule, peers: frozenset[int]) -> str:
    """Return why no packet can be of a service here, "" when one can."""
    version = service.version
    if version is None:
        return ""
    name = f"{_NAMES[service.protocol]} is of IPv{version}"
    if rule.ip_version not in (0, version):
        return (
            f"{name} and its ip_version is {rule.ip_version}: use {_OTHER[service.protocol]}, or ip_version 0"
        )
    if version not in peers:
        return (
            f"{name} and its peers have {_only(peers)}: use {_OTHER[service.protocol]}, or name peers with"
            f" IPv{version} addresses"
        )
    if version == 6 and service.icmp_type in _IN_FRONT and not service.icmp_code:
        return (
            f"ICMPV6 type {service.icmp_type} is neighbour discovery or MLD, which passes in front of every policy:"
            " leave it out"
        )
    return ""


def _only(versions: frozenset[int]) -> str:
    return f"IPv{min(versions)} addresses only"
