"""Network functions of OVN itself (26.03): which functions are, and the rows of their chains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from netctl.compiler.observed import Observed
from netctl.compiler.same import Same
from netctl.model.chain import NetworkFunction, ServiceChain
from netctl.model.keys import Kind, NetworkFunctionId, ServiceChainId
from netctl.model.lookups import Lookups
from netctl.model.subnet import SubnetKind

_SNAPSHOTS = 8
_READ = (Kind.SUBNET, Kind.SERVICE_CHAIN, Kind.NETWORK_FUNCTION)
_NATIVE_KINDS = (SubnetKind.VLAN, SubnetKind.OVERLAY)


def is_native(snapshot: Lookups, function_id: NetworkFunctionId, observed: Observed) -> bool:
    """Is a network function one of OVN's, so that its NICs are ports of brAtlas?"""
    return observed.network_functions and function_id in _could_be(snapshot)


def is_native_chain(snapshot: Lookups, chain_id: ServiceChainId, observed: Observed) -> bool:
    """Has OVN the one function of a chain?"""
    chain = snapshot.get((Kind.SERVICE_CHAIN, chain_id)) if chain_id else None
    if not isinstance(chain, ServiceChain):
        return False
    return any(is_native(snapshot, id, observed) for id in chain.functions)


def steers(snapshot: Lookups, chain_id: ServiceChainId, observed: Observed) -> bool:
    """Is a chain passed in br.nf? One that is not there, or is OVN's, is not."""
    there = bool(chain_id) and snapshot.get((Kind.SERVICE_CHAIN, chain_id)) is not None
    return there and not is_native_chain(snapshot, chain_id, observed)


def states(snapshot: Lookups) -> Mapping[ServiceChainId, bool]:
    """Return the chains that are there, and whether OVN could have their functions: all that `steers` reads."""
    could = _could_be(snapshot)
    chains = snapshot.table(Kind.SERVICE_CHAIN).values()
    return {chain.id: any(id in could for id in chain.functions) for chain in chains}


@dataclass(slots=True)
class _Kept:
    """What is known of some tables, once somebody asked."""

    functions: frozenset[NetworkFunctionId] | None = None


@lru_cache(maxsize=_SNAPSHOTS)
def _kept(*_tables: Same[Mapping[str, Any]]) -> _Kept:
    return _Kept()


def _could_be(snapshot: Lookups) -> frozenset[NetworkFunctionId]:
    """Return the functions that an OVN with functions would have: inline, alone in all of their chains, none of which
    is attached to a subnet without OVN's microsegmentation."""
    if not snapshot.count(Kind.SERVICE_CHAIN):
        return frozenset()
    kept = _kept(*(Same(snapshot.table(kind)) for kind in _READ))
    if kept.functions is None:
        functions: dict[str, NetworkFunction] = dict(snapshot.table(Kind.NETWORK_FUNCTION))
        chains: dict[str, ServiceChain] = dict(snapshot.table(Kind.SERVICE_CHAIN))
        attached = {
            subnet.service_chain
            for subnet in snapshot.table(Kind.SUBNET).values()
            if subnet.service_chain and subnet.kind not in _NATIVE_KINDS
        }
        used = {id for chain in chains.values() for id in chain.functions}
        not_alone = {
            id
            for chain in chains.values()
            if len(chain.functions) > 1 or chain.id in attached
            for id in chain.functions
        }
        kept.functions = frozenset(
            id for id in used - not_alone if (found := functions.get(id)) is not None and found.inline
        )
    return kept.functions
