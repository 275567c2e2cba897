"""Builders of service chains for tests: complete, as admission would store them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.compiler.steering import compile_service_chains
from netctl.model.assignment_chains import Segment, ServiceChains
from netctl.model.chain import FailureHandling, ForwardingMode, NetworkFunction, NicPair, ServiceChain
from netctl.model.intent import Intent
from netctl.model.keys import HostId, NetworkFunctionId, NicId, ServiceChainId, SubnetId
from netctl.model.nic import FunctionSide, Nic, NicKind
from netctl.model.snapshot import Snapshot
from tests.intents import meta, nic


def pair(name: str, *, tap: bool = False, disabled: bool = False) -> NicPair:
    """Return the pair of the NICs `{name}-in` and `{name}-out`."""
    return NicPair(
        ingress_nic=NicId(f"{name}-in"), egress_nic=NicId("" if tap else f"{name}-out"), disabled=disabled
    )


def function(name: str = "fw", *pairs: NicPair, **fields: Any) -> NetworkFunction:
    """Return a stored function: INLINE and FAIL_CLOSE when nothing else is said."""
    what: dict[str, Any] = {"mode": ForwardingMode.INLINE}
    if fields.get("mode") is not ForwardingMode.TAP:
        what["failure_handling"] = FailureHandling.FAIL_CLOSE
    return NetworkFunction(id=NetworkFunctionId(name), meta=meta(name), nic_pairs=pairs, **(what | fields))


def chain(name: str = "inspect", *functions: str) -> ServiceChain:
    """Return a stored chain, of function `fw` when nothing else is said."""
    return ServiceChain(
        id=ServiceChainId(name),
        meta=meta(name),
        functions=tuple(map(NetworkFunctionId, functions or ("fw",))),
    )


def function_nics(name: str, *, host: str = "h1", number: int = 200, tap: bool = False) -> tuple[Nic, ...]:
    """Return the stored NICs of a pair."""
    sides = {"in": FunctionSide.TAP if tap else FunctionSide.INGRESS, "out": FunctionSide.EGRESS}
    return tuple(
        replace(
            nic(f"{name}-{side}", number=number + i, host=host),
            kind=NicKind.NETWORK_FUNCTION,
            function_side=which,
            subnet=SubnetId(""),
            ipv4_address="",
        )
        for i, (side, which) in enumerate(sides.items())
        if not (tap and side == "out")
    )


def with_chain(intent: Any, name: str = "inspect") -> Any:
    """Return a subnet, routing policy or security rule with a chain."""
    return replace(intent, service_chain=ServiceChainId(name))


def chains_on(snapshot: Snapshot, name: str = "h1", observed: Observed = NOTHING_OBSERVED) -> ServiceChains:
    """Compile what passes br.nf on a host."""
    host = snapshot.host(HostId(name))
    assert host is not None
    return compile_service_chains(snapshot, host, observed)


def segment_of(found: ServiceChains, subnet: str = "v10") -> Segment:
    """Return the segment of a subnet."""
    (segment,) = (one for one in found.segments if one.subnet_id == subnet)
    return segment


def firewall(*more: Intent) -> tuple[Intent, ...]:
    """Return the chain `inspect` of the function `fw`, which has a pair on h1."""
    return (function("fw", pair("fw")), chain("inspect"), *function_nics("fw"), *more)
