"""Members: has a term a NIC where a policy holds, and which of a policy's NICs does it not cover? Pure."""

from __future__ import annotations

from netctl.compiler.clauses import holds_in
from netctl.compiler.membership import in_term, nics_of_term, ports_of
from netctl.model.groups import Term
from netctl.model.keys import NicId
from netctl.model.security_policy import PolicyScope, SecurityPolicy
from netctl.model.snapshot import Snapshot

# Policies with the same scope have the same answers.
_Where = tuple[PolicyScope, tuple[str, ...]]


def members_of(snapshot: Snapshot, term: Term) -> list[NicId]:
    """Return the NICs that have a port in a term, sorted."""
    nics = (snapshot.nic(id) for id in nics_of_term(snapshot, term))
    return sorted(
        nic.id
        for nic in nics
        if nic is not None and any(in_term(snapshot, port, term) for port in ports_of(snapshot, nic))
    )


class Members:
    """Answers for one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._nics: dict[Term, set[NicId]] = {}
        self._any: dict[tuple[Term, _Where], bool] = {}
        self._trunks: dict[Term, frozenset[NicId]] = {}

    def any_in(self, term: Term, policy: SecurityPolicy) -> bool:
        """Has a category or entity group a member in a realm of the policy?"""
        key = (term, (policy.scope, tuple(policy.vpcs)))
        found = self._any.get(key)
        if found is None:
            found = any(self._is_member(id, term, policy) for id in self._nics_of(term))
            self._any[key] = found
        return found

    def uncovered(self, policy: SecurityPolicy) -> list[NicId]:
        """Return the secured NICs that use any VLAN tag they like, sorted."""
        found = {id for term in policy.secured for id in self._trunks_of(term)}
        return sorted(id for id in found if any(self._is_member(id, term, policy) for term in policy.secured))

    def _is_member(self, id: NicId, term: Term, policy: SecurityPolicy) -> bool:
        nic = self._snapshot.nic(id)
        ports = ports_of(self._snapshot, nic) if nic is not None else ()
        return any(holds_in(policy, port.realm) and in_term(self._snapshot, port, term) for port in ports)

    def _nics_of(self, term: Term) -> set[NicId]:
        found = self._nics.get(term)
        if found is None:
            found = self._nics[term] = nics_of_term(self._snapshot, term)
        return found

    def _trunks_of(self, term: Term) -> frozenset[NicId]:
        found = self._trunks.get(term)
        if found is None:
            nics = ((id, self._snapshot.nic(id)) for id in self._nics_of(term))
            found = frozenset(id for id, nic in nics if nic is not None and nic.trunks_all)
            self._trunks[term] = found
        return found
