"""compile: intents to facts, one by one or all."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler.address_group import compile_address_group
from netctl.compiler.floating_ip import compile_floating_ip
from netctl.compiler.native_chain_acls import compile_chain_of_routing
from netctl.compiler.native_chain_rows import compile_network_function
from netctl.compiler.nic import compile_nic
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.compiler.route import compile_route
from netctl.compiler.routing_policy import compile_routing_policy
from netctl.compiler.security_policy import compile_security_policy
from netctl.compiler.subnet import compile_subnet
from netctl.compiler.term import compile_term
from netctl.compiler.vpc import compile_vpc
from netctl.model.category import Category
from netctl.model.chain import NetworkFunction
from netctl.model.floating_ip import FloatingIp
from netctl.model.groups import AddressGroup, EntityGroup
from netctl.model.keys import Key, Kind
from netctl.model.nic import Nic
from netctl.model.route import Route
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.security_policy import SecurityPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet
from netctl.model.vpc import Vpc
from netctl.nb.rows import Fact, FactKey, collect

# The kinds of intents that have rows.
COMPILED = (
    Kind.SUBNET,
    Kind.NIC,
    Kind.VPC,
    Kind.FLOATING_IP,
    Kind.ROUTE,
    Kind.ROUTING_POLICY,
    Kind.CATEGORY,
    Kind.ENTITY_GROUP,
    Kind.ADDRESS_GROUP,
    Kind.SECURITY_POLICY,
    Kind.NETWORK_FUNCTION,
)


def compile_intent(
    snapshot: Snapshot, key: Key, owner: str, observed: Observed = NOTHING_OBSERVED
) -> Iterator[Fact]:
    """Yield the facts of one intent; none when it is gone or has no rows of its own (hosts, clusters, switches)."""
    match snapshot.get(key):
        case Nic() as nic:
            yield from compile_nic(snapshot, nic, owner, observed)
        case Subnet() as subnet:
            yield from compile_subnet(snapshot, subnet, owner, observed)
        case Vpc() as vpc:
            yield from compile_vpc(snapshot, vpc, owner, observed)
        case FloatingIp() as floating:
            yield from compile_floating_ip(snapshot, floating, owner, observed)
        case Route() as route:
            yield from compile_route(snapshot, route, owner, observed)
        case RoutingPolicy() as policy:
            yield from compile_routing_policy(snapshot, policy, owner, observed)
            yield from compile_chain_of_routing(snapshot, policy, owner, observed)
        case Category() | EntityGroup() as term:
            yield from compile_term(snapshot, term, owner)
        case AddressGroup() as group:
            yield from compile_address_group(snapshot, group, owner)
        case SecurityPolicy() as rules:
            yield from compile_security_policy(snapshot, rules, owner, observed)
        case NetworkFunction() as function:
            yield from compile_network_function(snapshot, function, owner, observed)


def compile_rows(
    snapshot: Snapshot, owner: str, observed: Observed = NOTHING_OBSERVED
) -> dict[FactKey, Fact]:
    """Return all facts of a snapshot: the definition of correct."""
    return collect(
        fact
        for kind in COMPILED
        for intent in snapshot.of_kind(kind)
        for fact in compile_intent(snapshot, (kind, intent.id), owner, observed)
    )
