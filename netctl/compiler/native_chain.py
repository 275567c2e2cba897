"""Network functions of OVN itself (26.03): which functions are, and the rows of their chains."""

from __future__ import annotations

from netctl.compiler.observed import Observed
from netctl.model.chain import NetworkFunction, ServiceChain
from netctl.model.keys import Kind, NetworkFunctionId, ServiceChainId
from netctl.model.lookups import Lookups
from netctl.model.subnet import Subnet, SubnetKind

_NATIVE_KINDS = (SubnetKind.VLAN, SubnetKind.OVERLAY)


def is_native(snapshot: Lookups, function_id: NetworkFunctionId, observed: Observed) -> bool:
    """Is a network function one of OVN's, so that its NICs are ports of brAtlas?"""
    if not observed.network_functions:
        return False
    function = snapshot.get((Kind.NETWORK_FUNCTION, function_id))
    if not isinstance(function, NetworkFunction) or not function.inline:
        return False
    chains = [
        chain
        for chain in snapshot.of_kind(Kind.SERVICE_CHAIN)
        if isinstance(chain, ServiceChain) and function_id in chain.functions
    ]
    if not chains or any(len(chain.functions) > 1 for chain in chains):
        return False
    ids = {chain.id for chain in chains}
    return all(
        subnet.kind in _NATIVE_KINDS
        for subnet in snapshot.of_kind(Kind.SUBNET)
        if isinstance(subnet, Subnet) and subnet.service_chain in ids
    )


def steers(snapshot: Lookups, chain_id: ServiceChainId, observed: Observed) -> bool:
    """Is a chain passed in br.nf? One that is not there, or is OVN's, is not."""
    chain = snapshot.get((Kind.SERVICE_CHAIN, chain_id)) if chain_id else None
    if not isinstance(chain, ServiceChain):
        return False
    return not any(is_native(snapshot, id, observed) for id in chain.functions)
