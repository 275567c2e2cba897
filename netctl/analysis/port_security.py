"""Port security: what security policies know each port of a NIC by, and which of them are about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.compiler.clause import Realm
from netctl.compiler.clauses import active_policies, lower, order_of
from netctl.compiler.membership import Port, ports_of, terms_of_port
from netctl.compiler.observed import Observed
from netctl.compiler.realms import is_secured
from netctl.model.groups import Term, term_key
from netctl.model.keys import CategoryId, EntityGroupId, Key, Kind, resource_name
from netctl.model.nic import Nic
from netctl.model.security_policy import SecurityPolicy
from netctl.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutPort:
    """A policy that has a line about a port; `subjects` are the port's terms that its lines name, sorted."""

    policy: SecurityPolicy
    subjects: tuple[Term, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSecurity:
    """One port. `categories`: each with the NIC, subnet and VPC that it has it from; `policies` in order."""

    port: Port
    categories: dict[CategoryId, tuple[str, ...]]
    entity_groups: tuple[EntityGroupId, ...]
    learned: tuple[str, ...]
    policies: tuple[AboutPort, ...]


def explain_nic(snapshot: Snapshot, observed: Observed, nic: Nic) -> list[PortSecurity]:
    """Return what is known of each port of a NIC, the untagged one first."""
    return [_explain(snapshot, observed, port) for port in ports_of(snapshot, nic)]


def _explain(snapshot: Snapshot, observed: Observed, port: Port) -> PortSecurity:
    terms = terms_of_port(snapshot, port)
    keys = [term_key(term) for term in terms]
    return PortSecurity(
        port=port,
        categories={
            CategoryId(id): _origins(snapshot, port, CategoryId(id))
            for kind, id in keys
            if kind is Kind.CATEGORY
        },
        entity_groups=tuple(EntityGroupId(id) for kind, id in keys if kind is Kind.ENTITY_GROUP),
        learned=observed.learned.get(port.name, ()),
        policies=_policies_about(snapshot, observed, port.realm, frozenset(terms)),
    )


def _origins(snapshot: Snapshot, port: Port, category: CategoryId) -> tuple[str, ...]:
    bearers: list[tuple[Key, tuple[CategoryId, ...]]] = [((Kind.NIC, port.nic.id), port.nic.categories)]
    bearers.append(((Kind.SUBNET, port.subnet.id), port.subnet.categories))
    vpc = snapshot.vpc(port.subnet.vpc) if port.subnet.vpc else None
    if vpc is not None:
        bearers.append(((Kind.VPC, vpc.id), vpc.categories))
    return tuple(resource_name(key) for key, categories in bearers if category in categories)


def _policies_about(
    snapshot: Snapshot, observed: Observed, realm: Realm, terms: frozenset[Term]
) -> tuple[AboutPort, ...]:
    """Return the policies one of whose lines is about one of these terms, by the first such line."""
    if not is_secured(snapshot, realm):
        return ()
    found = []
    for policy in active_policies(snapshot, realm):
        lines = [clause for clause in lower(snapshot, policy, observed) if clause.subject in terms]
        if lines:
            subjects = tuple(sorted({clause.subject for clause in lines}))
            first = order_of(policy, lines[0].phase)
            found.append((first, AboutPort(policy=policy, subjects=subjects)))
    return tuple(about for _, about in sorted(found, key=lambda pair: pair[0]))
