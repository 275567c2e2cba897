"""Who reads what of the functions of OVN: whom to compile again between two snapshots. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler.native_chain_acls import group_of_chain
from netctl.compiler.native_chain_reach import reach_of
from netctl.compiler.native_chain_rows import numbers_of
from netctl.compiler.observed import Observed
from netctl.model.chain import NetworkFunction
from netctl.model.intent import key_of
from netctl.model.keys import Key, Kind, NetworkFunctionId, ServiceChainId
from netctl.model.nic import Nic
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.security_policy import SecurityPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet

_NATIVE = Observed(network_functions=True)


def readers_of_native(before: Snapshot, after: Snapshot, changed: frozenset[Key]) -> Iterator[Key]:
    """Yield the functions, policies and subnets whose facts read what changed, were OVN to have functions."""
    both = (before, after)
    if not any(snapshot.count(Kind.NETWORK_FUNCTION) for snapshot in both):
        return
    ids = {id for snapshot in both for id in snapshot.table(Kind.NETWORK_FUNCTION)}
    for id in sorted(ids):
        function = NetworkFunctionId(id)
        if _read_by(before, function) != _read_by(after, function):
            yield Kind.NETWORK_FUNCTION, id
    chains = {ServiceChainId(id) for snapshot in both for id in snapshot.table(Kind.SERVICE_CHAIN)}
    other = {id for id in chains if len({group_of_chain(one, id, _NATIVE) for one in both}) > 1}
    for snapshot in both:
        yield from _led_by(snapshot, other)
        for key in changed:
            yield from _beside(snapshot, key)


def _read_by(snapshot: Snapshot, id: NetworkFunctionId) -> object:
    """Return all that a function's facts read: its NICs, its numbers, the subnets that it serves."""
    function = snapshot.get((Kind.NETWORK_FUNCTION, id))
    if not isinstance(function, NetworkFunction):
        return None
    nics = [snapshot.nic(nic) for pair in function.nic_pairs for nic in pair.nics]
    numbers = numbers_of(snapshot)
    uids = [nic.meta.uid for nic in nics if nic is not None]
    groups = [
        group_of_chain(snapshot, ServiceChainId(chain), _NATIVE)
        for chain in snapshot.table(Kind.SERVICE_CHAIN)
    ]
    served = [(subnet.id, subnet.meta.uid) for subnet in reach_of(snapshot, id)]
    return nics, [numbers.get(uid) for uid in (function.meta.uid, *uids)], served, sorted(groups)


def _led_by(snapshot: Snapshot, chains: set[ServiceChainId]) -> Iterator[Key]:
    """Yield to what chains are attached, and the other policies of a router: their places are one after the other."""
    if not chains:
        return
    for intent in snapshot.of_kind(Kind.SUBNET):
        if isinstance(intent, Subnet) and intent.service_chain in chains:
            yield key_of(intent)
    for intent in snapshot.of_kind(Kind.SECURITY_POLICY):
        if isinstance(intent, SecurityPolicy) and any(rule.service_chain in chains for rule in intent.rules):
            yield key_of(intent)
    for intent in snapshot.of_kind(Kind.ROUTING_POLICY):
        if isinstance(intent, RoutingPolicy) and intent.service_chain in chains:
            yield from map(key_of, snapshot.policies_of_vpc(intent.vpc))


def _beside(snapshot: Snapshot, key: Key) -> Iterator[Key]:
    match snapshot.get(key):
        case RoutingPolicy() as policy:
            yield from map(key_of, snapshot.policies_of_vpc(policy.vpc))
        case Nic() as nic:  # a port in its subnets' Port_Group
            for id in (nic.subnet, *(vlan.subnet for vlan in nic.trunk_vlans)):
                subnet = snapshot.subnet(id) if id else None
                if subnet is not None and subnet.service_chain:
                    yield Kind.SUBNET, subnet.id
