"""Security rules with a chain to steering rules: the ports of one host on one subnet, and their peers' addresses.

The first clause of a direction that allows decides, as in OVN. Those without a chain take part where they come before
one with a chain of their own direction; what is denied never gets here. Frames do not say who opened the connection:
docs/design/host_network.md says which direction goes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from netctl.compiler.clause import VLANS, Clause
from netctl.compiler.clauses import WAYS, clauses_of, holds_in, is_expired, order_of
from netctl.compiler.membership import Port, in_term
from netctl.compiler.native_chain import is_native_chain, steers
from netctl.compiler.observed import Observed
from netctl.compiler.same import Same
from netctl.compiler.services import common, versions_of
from netctl.compiler.steering_peers import networks_of_peers
from netctl.compiler.steering_services import any_service, neighbourhood, said
from netctl.model.assignment_chains import SteeringRule
from netctl.model.keys import Kind, ServiceChainId
from netctl.model.lookups import Lookups
from netctl.model.security_policy import Direction, PolicyMode, RuleAction, SecurityPolicy

# Of one segment. Of more, those without a chain are left out, then those that come last.
RULES_MAX = 8192
_SNAPSHOTS = 8
_READ = (
    Kind.SECURITY_POLICY,
    Kind.SERVICE_GROUP,
    Kind.SERVICE_CHAIN,
    Kind.NETWORK_FUNCTION,
    Kind.SUBNET,
)


# How many runs of leads without a chain are in front; is it in such a run; its place in the order of policies.
_Rank = tuple[int, bool, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Lead:
    """A clause that allows, and the chain that it leads through; "" is none of br.nf, and `takes` says who takes over.

    `takes`: what it allows passes its own chain (in OVN), not the subnet's.
    """

    clause: Clause
    chain: ServiceChainId
    takes: bool
    place: tuple[object, ...]

    @property
    def is_mask(self) -> bool:
        """Does it only keep frames from chains of later clauses?"""
        return not self.chain


@dataclass(frozen=True, slots=True)
class _Local:
    """A lead with the MAC addresses of those on the segment that it is about."""

    lead: Lead
    macs: frozenset[str]


def security_rules(
    snapshot: Lookups, ports: Sequence[Port], observed: Observed, own: ServiceChainId
) -> Iterator[SteeringRule]:
    """Yield the rules by category of one segment, the first first, without priorities; `own` is the subnet's chain."""
    found: list[tuple[_Rank, Lead, frozenset[str]]] = []
    for way in WAYS:
        local = [_local(snapshot, ports, lead) for lead in leads_of(snapshot, observed, way)]
        found += _in_order([one for one in local if one.macs], own)
    rules: list[SteeringRule] = []
    for _, lead, macs in sorted(found, key=lambda one: one[0]):
        chain = lead.chain or (ServiceChainId("") if lead.takes else own)
        rules += _rules(
            snapshot,
            observed,
            lead,
            SteeringRule(priority=0, chain_id=chain, local_mac_addresses=tuple(sorted(macs))),
        )
    if any(any_service(rule) and rule.chain_id != own for rule in rules):
        yield from neighbourhood(own)
    rules = list(dict.fromkeys(rules))
    if len(rules) > RULES_MAX:  # rather a function sees too much than that something passes it unseen
        rules = [rule for rule in rules if rule.chain_id != own]
    yield from rules[:RULES_MAX]


def wide_rules(snapshot: Lookups, policy: SecurityPolicy, observed: Observed) -> tuple[str, ...]:
    """Return the rules of a policy with a chain of br.nf whose peers are too many to name: it takes all of them."""
    if not holds_in(policy, VLANS) or policy.mode is not PolicyMode.ENFORCE:
        return ()
    steered = (
        rule
        for rule in policy.rules
        if not rule.disabled
        and not is_expired(policy, rule, observed)
        and steers(snapshot, rule.service_chain, observed)
    )
    return tuple(
        rule.name
        for rule in steered
        if any(networks_of_peers(snapshot, observed, rule.peers, version).is_everybody for version in (4, 6))
    )


def leads_of(snapshot: Lookups, observed: Observed, way: Direction) -> tuple[Lead, ...]:
    """Return the clauses of a direction with a chain of br.nf, and those before them that may keep frames from it."""
    key = (tuple(Same(snapshot.table(kind)) for kind in _READ), observed.expired, observed.network_functions)
    known = _known_leads(*key)
    if way not in known:
        known[way] = tuple(
            _that_matter(
                [_lead(snapshot, observed, c, i) for i, c in enumerate(_allowing(snapshot, observed, way))]
            )
        )
    return known[way]


@lru_cache(maxsize=_SNAPSHOTS)
def _known_leads(
    _tables: tuple[Same[Mapping[str, Any]], ...], _expired: frozenset[Any], _native: bool
) -> dict[Direction, tuple[Lead, ...]]:
    return {}


def _allowing(snapshot: Lookups, observed: Observed, way: Direction) -> Iterator[Clause]:
    for clause in clauses_of(snapshot, observed, VLANS, way):
        if not clause.monitored and clause.action is RuleAction.ALLOW:
            yield clause


def _lead(snapshot: Lookups, observed: Observed, clause: Clause, place: int) -> Lead:
    policy = snapshot.security_policy(clause.policy)
    assert policy is not None  # whose clause it is
    named = {rule.name: rule.service_chain for rule in policy.rules}.get(clause.rule, ServiceChainId(""))
    named = named if clause.part == "own" else ServiceChainId("")
    steered = named if steers(snapshot, named, observed) else ServiceChainId("")
    takes = not steered and is_native_chain(snapshot, named, observed)
    return Lead(clause, steered, takes, (*order_of(policy, clause.phase), place))


def _that_matter(leads: Sequence[Lead]) -> Iterator[Lead]:
    for i, lead in enumerate(leads):
        later = (other for other in leads[i + 1 :] if not other.is_mask)
        if not lead.is_mask or lead.takes or any(_may_meet(lead, other) for other in later):
            yield lead


def _may_meet(one: Lead, other: Lead) -> bool:
    services = common(one.clause.services, other.clause.services)
    if services is None:
        return False
    return bool(versions_of(services, one.clause.ip_version) & versions_of(services, other.clause.ip_version))


def _local(snapshot: Lookups, ports: Iterable[Port], lead: Lead) -> _Local:
    subject = lead.clause.subject
    return _Local(lead, frozenset(p.nic.mac_address for p in ports if in_term(snapshot, p, subject)))


def _in_order(local: Sequence[_Local], own: ServiceChainId) -> Iterator[tuple[_Rank, Lead, frozenset[str]]]:
    """Yield leads of one direction with what they are sorted by, both directions together.

    A lead with a chain comes in front of all of the other direction that stand behind more leads without one: these
    keep frames from chains of their own direction, and should not from those of the other.
    """
    runs, in_run = 0, False
    for i, one in enumerate(local):
        if one.lead.is_mask:
            later = (other for other in local[i + 1 :] if not other.lead.is_mask and one.macs & other.macs)
            if (own and one.lead.takes) or any(_may_meet(one.lead, other.lead) for other in later):
                runs, in_run = runs + (not in_run), True
                yield (runs - 1, True, one.lead.place), one.lead, one.macs
        else:
            in_run = False
            yield (runs, False, one.lead.place), one.lead, one.macs


def _rules(snapshot: Lookups, observed: Observed, lead: Lead, base: SteeringRule) -> Iterator[SteeringRule]:
    clause = lead.clause
    for version in sorted(versions_of(clause.services, clause.ip_version)):
        peers = networks_of_peers(snapshot, observed, clause.peers, version)
        if clause.peers and not peers.networks and not peers.is_everybody:
            continue
        if peers.is_everybody and lead.is_mask:  # too many to name: what it let pass is looked into as well
            continue
        yield from said(clause, version, base, peers.networks)
