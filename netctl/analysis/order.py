"""Order: the clauses of one realm and direction as they are looked at, ready for many questions. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netctl.analysis.peers import holds, is_address_group, spans_of
from netctl.analysis.services import Box, boxes_of, covers
from netctl.compiler.clause import Clause, Realm
from netctl.compiler.clauses import clauses_of
from netctl.compiler.observed import Observed
from netctl.model.groups import Term, term_key
from netctl.model.keys import AddressGroupId
from netctl.model.numbers import address_number, version_of
from netctl.model.security_policy import Direction
from netctl.model.service import Service
from netctl.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Line:
    """A clause, its peers as a set, and the number of its set of services."""

    clause: Clause
    peers: frozenset[Term]
    what: int


@dataclass(frozen=True, slots=True)
class Lines:
    """The clauses about one port, in order; `stateless` are those that take tracking, whichever decides."""

    all: tuple[Line, ...]
    stateless: tuple[Line, ...]


class Order:
    """Clauses in order."""

    def __init__(self, snapshot: Snapshot, observed: Observed, realm: Realm, direction: Direction) -> None:
        self._snapshot = snapshot
        sets: dict[tuple[Box, ...], int] = {}
        self._all: list[Line] = []
        for clause in clauses_of(snapshot, observed, realm, direction):
            boxes = boxes_of(clause.services, clause.ip_version)
            what = sets.setdefault(boxes, len(sets))
            self._all.append(Line(clause, frozenset(clause.peers), what))
        self._sets = list(sets)
        self._subjects = frozenset(line.clause.subject for line in self._all)
        peers = dict.fromkeys(peer for line in self._all for peer in line.clause.peers)
        self._address_groups = [peer for peer in peers if is_address_group(peer)]
        self._about: dict[frozenset[Term], Lines] = {}
        self._services: dict[tuple[Service | None, int], list[bool]] = {}

    def about(self, terms: Iterable[Term]) -> Lines:
        """Return the clauses about a port that is in these terms."""
        key = self._subjects.intersection(terms)
        found = self._about.get(key)
        if found is None:
            lines = tuple(line for line in self._all if line.clause.subject in key)
            stateless = (line for line in lines if line.clause.stateless and not line.clause.monitored)
            found = self._about[key] = Lines(lines, tuple(stateless))
        return found

    def services(self, service: Service | None, version: int) -> list[bool]:
        """Return by the number of each set of services whether it holds all packets of a service."""
        key = (service, version)
        found = self._services.get(key)
        if found is None:
            asked = boxes_of((service,) if service is not None else (), version)
            found = self._services[key] = [bool(asked) and covers(boxes, asked) for boxes in self._sets]
        return found

    def address_groups_with(self, address: str) -> list[Term]:
        """Return the address groups among the peers that an address is in."""
        version = version_of(address)
        number = address_number(version, address)
        found = []
        for term in self._address_groups:
            group = self._snapshot.address_group(AddressGroupId(term_key(term)[1]))
            if group is not None and holds(spans_of(group, version), number):
                found.append(term)
        return found
