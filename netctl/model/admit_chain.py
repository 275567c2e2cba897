"""Admission of NetworkFunction and ServiceChain: what they name exists and is where packets can pass it.

What a chain does where it is attached is looked after in chaining.py.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

from netctl.errors import AlreadyExists, InvalidIntent
from netctl.model.chain import ForwardingMode, NetworkFunction, NicPair, ServiceChain
from netctl.model.keys import HostId, Kind, NetworkFunctionId, NicId, ServiceChainId
from netctl.model.lookups import Lookups
from netctl.model.nic import FunctionSide, Nic, NicKind
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, stamp

# The first that works is active, the other one waits.
PAIRS_OF_HOST_MAX = 2


def admit_network_function(
    asked: NetworkFunction, before: NetworkFunction | None, draft: Draft, context: Context
) -> NetworkFunction:
    """Return the network function to store; nothing in it is left to admission."""
    if before is not None:
        check_kept("mode", before.mode.value, asked.mode.value)
    for i, pair in enumerate(asked.nic_pairs):
        tap = asked.mode is ForwardingMode.TAP
        side = FunctionSide.TAP if tap else FunctionSide.INGRESS
        _check_nic(asked, pair.ingress_nic, side, f"nic_pairs[{i}].ingress_nic", draft)
        if pair.egress_nic:
            _check_nic(asked, pair.egress_nic, FunctionSide.EGRESS, f"nic_pairs[{i}].egress_nic", draft)
    check_places(asked, draft)
    return replace(asked, meta=stamp(asked.meta, before, context))


def admit_service_chain(
    asked: ServiceChain, before: ServiceChain | None, draft: Draft, context: Context
) -> ServiceChain:
    """Return the service chain to store; nothing in it is left to admission."""
    for i, id in enumerate(asked.functions):
        if draft.network_function(id) is None:
            raise absent((Kind.NETWORK_FUNCTION, id), f"network_functions[{i}]")
    _check_order(asked, draft)
    return replace(asked, meta=stamp(asked.meta, before, context))


def _check_order(asked: ServiceChain, draft: Draft) -> None:
    """Refuse an order of inline functions that other chains turn round.

    Frames do not say which functions they met: with one order of all of them none comes to a function a second time.
    """
    names = _inline(asked, draft)
    for first, second in itertools.combinations(names, 2):
        way = _way(second, first, asked, draft)
        if way is not None:
            raise InvalidIntent(
                f"network_functions[{asked.functions.index(second)}]",
                f"networkFunctions/{second} comes after networkFunctions/{first} here and before it in"
                f" serviceChains/{way}: functions have the same order in every chain; change the order in one of them",
            )


def _inline(chain: ServiceChain, lookups: Lookups) -> list[NetworkFunctionId]:
    found = ((id, lookups.network_function(id)) for id in chain.functions)
    return [id for id, function in found if function is not None and function.inline]


def _way(
    start: NetworkFunctionId, end: NetworkFunctionId, asked: ServiceChain, lookups: Lookups
) -> ServiceChainId | None:
    """Return a chain on a way from one function to another by the order of stored chains, not by that of `asked`."""
    seen: set[NetworkFunctionId] = set()
    waiting = [start]
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        for chain in lookups.chains_of_function(at):
            if chain.id == asked.id:
                continue
            names = _inline(chain, lookups)
            following = names[names.index(at) + 1 :] if at in names else []
            if end in following:
                return chain.id
            waiting.extend(following)
    return None


def check_places(function: NetworkFunction, lookups: Lookups, field: str = "") -> None:
    """Refuse a pair on two hosts, and a third pair on one; the fault is the pair's unless another `field` is named."""
    on_host: dict[HostId, int] = {}
    for i, pair in enumerate(function.nic_pairs):
        if pair.disabled:
            continue
        nics = [nic for nic in map(lookups.nic, pair.nics) if nic is not None]
        hosts = {nic.host for nic in nics}
        if len(hosts) > 1:
            raise InvalidIntent(
                field or f"nic_pairs[{i}]",
                f"{_whereabouts(nics)}: the NICs of an enabled pair of networkFunctions/{function.id} are on one host:"
                " move both, with the pair disabled meanwhile",
            )
        for host in hosts - {""}:
            on_host[host] = on_host.get(host, 0) + 1
            if on_host[host] > PAIRS_OF_HOST_MAX:
                raise InvalidIntent(
                    field or f"nic_pairs[{i}]",
                    f"hosts/{host} would have {on_host[host]} enabled pairs of networkFunctions/{function.id}; at most"
                    f" {PAIRS_OF_HOST_MAX} are allowed, one that works and one that waits: disable one, or use another"
                    " host",
                )


def pair_of(function: NetworkFunction, nic: NicId) -> NicPair | None:
    """Return the pair of a function that a NIC is in."""
    return next((pair for pair in function.nic_pairs if nic in pair.nics), None)


def _check_nic(function: NetworkFunction, id: NicId, side: FunctionSide, field: str, draft: Draft) -> None:
    nic = draft.nic(id)
    if nic is None:
        raise absent((Kind.NIC, id), field)
    if nic.kind is not NicKind.NETWORK_FUNCTION:
        raise InvalidIntent(field, f"nics/{id} is not of kind NETWORK_FUNCTION: name one that is")
    if nic.function_side is not side:
        raise InvalidIntent(
            field,
            f"nics/{id} is of side {nic.function_side.name}: name one of side {side.name}",
        )
    for other in draft.functions_of_nic(id):
        if other.id != function.id:
            raise AlreadyExists(
                f"nics/{id} is of networkFunctions/{other.id}: a NIC is in one pair of one function",
                field=field,
            )


def _whereabouts(nics: list[Nic]) -> str:
    return " and ".join(
        f"nics/{nic.id} is on {f'hosts/{nic.host}' if nic.host else 'no host'}" for nic in nics
    )
