"""Whom a steering rule means by its peers: networks, as few as are exactly these addresses. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from netctl.compiler.clause import VLANS
from netctl.compiler.membership import in_term, nics_of_term, ports_of
from netctl.compiler.observed import Observed
from netctl.compiler.same import Same
from netctl.model.address_ranges import networks_in, spans_without
from netctl.model.groups import Term, networks_of, term_key
from netctl.model.keys import AddressGroupId, Kind
from netctl.model.lookups import Lookups

# Of one rule and IP version. A rule with more takes every peer: rather a function sees too much than that something
# passes it unseen.
PEER_NETWORKS_MAX = 4096
_SNAPSHOTS = 8
_READ = (
    Kind.NIC,
    Kind.SUBNET,
    Kind.VPC,
    Kind.CATEGORY,
    Kind.ENTITY_GROUP,
    Kind.ADDRESS_GROUP,
)


@dataclass(frozen=True, slots=True)
class Peers:
    """The networks of a rule's peers; `count` is how many there are, `networks` is empty when those are too many."""

    networks: tuple[str, ...]
    count: int

    @property
    def is_everybody(self) -> bool:
        """Are there too many to name?"""
        return self.count > PEER_NETWORKS_MAX


def networks_of_peers(snapshot: Lookups, observed: Observed, peers: tuple[Term, ...], version: int) -> Peers:
    """Return the networks of an IP version of categories, entity groups and address groups in the VLANs."""
    tables = tuple(Same(snapshot.table(kind)) for kind in _READ)
    known = _known(tables, Same(observed.learned))
    if (peers, version) not in known:
        texts = [text for term in peers for text in _addresses(snapshot, observed, term, version)]
        networks = tuple(networks_in(spans_without(texts, (), version), version))
        kept = networks if len(networks) <= PEER_NETWORKS_MAX else ()
        known[peers, version] = Peers(kept, len(networks))
    return known[peers, version]


@lru_cache(maxsize=_SNAPSHOTS)
def _known(
    _tables: tuple[Same[Mapping[str, Any]], ...], _learned: Same[Mapping[str, tuple[str, ...]]]
) -> dict[tuple[tuple[Term, ...], int], Peers]:
    return {}


def _addresses(snapshot: Lookups, observed: Observed, term: Term, version: int) -> Iterator[str]:
    kind, id = term_key(term)
    if kind is Kind.ADDRESS_GROUP:
        group = snapshot.address_group(AddressGroupId(id))
        if group is not None:
            yield from networks_of(group, version)
        return
    for nic_id in nics_of_term(snapshot, term):
        nic = snapshot.nic(nic_id)
        for port in ports_of(snapshot, nic) if nic is not None and nic.has_port else ():
            if port.realm == VLANS and in_term(snapshot, port, term):
                yield from port.addresses(observed)
