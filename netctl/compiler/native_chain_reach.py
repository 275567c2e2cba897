"""From which subnets a function of OVN gets traffic: where its chain stands at the subnet, a rule or a policy. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from netctl.compiler.clauses import holds_in, lines_of
from netctl.compiler.membership import Port
from netctl.compiler.same import Same
from netctl.compiler.steering_attached import subnets_of_term
from netctl.model.chain import ServiceChain
from netctl.model.keys import Kind, NetworkFunctionId, ServiceChainId, SubnetId
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
_KINDS = (SubnetKind.VLAN, SubnetKind.OVERLAY)


@dataclass(slots=True)
class _Kept:
    """What is known of some tables, once somebody asked."""

    subnets: Mapping[ServiceChainId, frozenset[SubnetId]] | None = None


def reach_of(snapshot: Snapshot, function: NetworkFunctionId) -> tuple[Subnet, ...]:
    """Return the subnets whose traffic may be led through a function, by id."""
    chains = (
        chain.id
        for chain in snapshot.of_kind(Kind.SERVICE_CHAIN)
        if isinstance(chain, ServiceChain) and function in chain.functions
    )
    ids = sorted({id for chain in chains for id in _subnets_of_chains(snapshot).get(chain, ())})
    return tuple(subnet for id in ids if (subnet := snapshot.subnet(id)) is not None)


@lru_cache(maxsize=_SNAPSHOTS)
def _kept(*_tables: Same[Mapping[str, Any]]) -> _Kept:
    return _Kept()


def _subnets_of_chains(snapshot: Snapshot) -> Mapping[ServiceChainId, frozenset[SubnetId]]:
    kept = _kept(*(Same(snapshot.table(kind)) for kind in _READ))
    if kept.subnets is None:
        found: dict[ServiceChainId, set[SubnetId]] = {}
        for chain, id in (*_own(snapshot), *_ruled(snapshot), *_routed(snapshot)):
            found.setdefault(chain, set()).add(id)
        kept.subnets = {chain: frozenset(ids) for chain, ids in found.items()}
    return kept.subnets


_Found = Iterator[tuple[ServiceChainId, SubnetId]]


def _own(snapshot: Snapshot) -> _Found:
    for subnet in snapshot.of_kind(Kind.SUBNET):
        if isinstance(subnet, Subnet) and subnet.service_chain and subnet.kind in _KINDS:
            yield subnet.service_chain, subnet.id


def _ruled(snapshot: Snapshot) -> _Found:
    for policy in snapshot.of_kind(Kind.SECURITY_POLICY):
        if not isinstance(policy, SecurityPolicy) or policy.mode is not PolicyMode.ENFORCE:
            continue
        about = {
            (line.rule.service_chain, line.clause.subject)
            for line in lines_of(policy)
            if line.rule is not None and line.rule.service_chain and line.clause.part == "own"
        }
        for chain, subject in about:
            for id in subnets_of_term(snapshot, subject, partial(_is_held, policy)):
                yield chain, id


def _is_held(policy: SecurityPolicy, port: Port) -> bool:
    return holds_in(policy, port.realm)


def _routed(snapshot: Snapshot) -> _Found:
    for policy in snapshot.of_kind(Kind.ROUTING_POLICY):
        if isinstance(policy, RoutingPolicy) and policy.service_chain:
            for subnet in snapshot.subnets_of_vpc(policy.vpc):
                if subnet.kind is SubnetKind.OVERLAY:
                    yield policy.service_chain, subnet.id
