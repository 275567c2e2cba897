"""Gate 3 for network functions and service chains. Pure: intents and what hosts say of functions -> verdict."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler.native_chain import is_native
from netctl.compiler.steering_attached import passes_chains, reasons_of
from netctl.model.chain import FailureHandling, NetworkFunction, ServiceChain
from netctl.model.keys import HostId, ServiceChainId
from netctl.model.snapshot import Snapshot
from netctl.model.status import FunctionReport, Phase
from netctl.model.subnet import Subnet, SubnetKind
from netctl.reconciler.status_vpc import PROGRAMMED, Verdict
from netctl.reconciler.world import World, named

_MEANWHILE = {
    FailureHandling.FAIL_OPEN: "packets go on without it (FAIL_OPEN)",
    FailureHandling.FAIL_CLOSE: "packets are dropped (FAIL_CLOSE)",
    FailureHandling.NONE: "nothing gets copies",
}


def function_verdict(function: NetworkFunction, snapshot: Snapshot, world: World) -> Verdict:
    """Say on which hosts a function does not work, and what becomes of packets there."""
    if is_native(snapshot, function.id, world.observed):
        return PROGRAMMED
    chains = {chain.id for chain in snapshot.chains_of_function(function.id)}
    hosts = _hosts_of(snapshot, chains, world)
    if not hosts:
        return (
            Phase.PENDING,
            "NOT_USED",
            "no packets pass it: no chain that it is in is attached to anything with NICs",
        )
    here = _hosts_of_pairs(snapshot, function)
    lost = [
        _why(host, _report_of(function, host, world))
        for host in sorted(hosts & here)
        if _is_lost(function, host, world)
    ]
    without = sorted(hosts - here)
    if without:
        lost.append(f"no enabled pair of NICs is on {named(without)}")
    if lost:
        return (
            Phase.FAILED,
            "NOT_WORKING",
            f"{'; '.join(lost)}: there {_MEANWHILE[function.failure_handling]}",
        )
    waiting = [host for host in hosts if world.heard(host).connected and _is_open(function, host, world)]
    if waiting:
        return Phase.PENDING, "WAITING_FOR_AGENT", f"{named(waiting)} have not said yet whether it works"
    return PROGRAMMED


def chain_verdict(chain: ServiceChain, snapshot: Snapshot, world: World) -> Verdict:
    """Say whether a chain is attached, and whether all its functions work."""
    attached = any(
        reason.chain == chain.id for reasons in reasons_of(snapshot).values() for reason in reasons
    )
    native = any(is_native(snapshot, id, world.observed) for id in chain.functions)
    if not (attached or native):
        return (
            Phase.PENDING,
            "NOT_USED",
            "nothing passes it: name it as service_chain of a subnet, a routing policy or a rule",
        )
    found = {id: snapshot.network_function(id) for id in chain.functions}
    verdicts = {
        id: function_verdict(function, snapshot, world)
        for id, function in found.items()
        if function is not None
    }
    for phase in (Phase.FAILED, Phase.PENDING):
        bad = {id: verdict for id, verdict in verdicts.items() if verdict[0] is phase}
        if bad:
            said = "; ".join(f"networkFunctions/{id}: {verdict[2]}" for id, verdict in bad.items())
            if phase is Phase.FAILED and not any(_is_inline(found[id]) for id in bad):
                return Phase.PROGRAMMED, "COPIES_MISSING", said  # every packet goes its way
            return phase, next(iter(bad.values()))[1], said
    return PROGRAMMED


def _is_inline(function: NetworkFunction | None) -> bool:
    return function is not None and function.inline


def _hosts_of(snapshot: Snapshot, chains: set[ServiceChainId], world: World) -> set[HostId]:
    """Return the hosts on which packets pass one of these chains: those with NICs, or gateways, on its subnets."""
    found: set[HostId] = set()
    for id, reasons in reasons_of(snapshot).items():
        subnet = snapshot.subnet(id)
        concerned = subnet is not None and any(reason.chain in chains for reason in reasons)
        if concerned and subnet is not None and passes_chains(snapshot, subnet, world.observed):
            found.update(_hosts_on(snapshot, subnet))
    return found


def _hosts_on(snapshot: Snapshot, subnet: Subnet) -> Iterator[HostId]:
    for nics in (snapshot.nics_of_subnet(subnet.id), snapshot.trunks_of_subnet(subnet.id)):
        yield from (nic.host for nic in nics if nic.host)
    if subnet.kind is SubnetKind.EXTERNAL:
        for vpc in snapshot.vpcs_of_subnet(subnet.id):
            for way in vpc.external_connections:
                if way.subnet == subnet.id:
                    yield from way.gateways


def _hosts_of_pairs(snapshot: Snapshot, function: NetworkFunction) -> set[HostId]:
    nics = (snapshot.nic(pair.ingress_nic) for pair in function.nic_pairs if not pair.disabled)
    return {nic.host for nic in nics if nic is not None and nic.host}


def _report_of(function: NetworkFunction, host: HostId, world: World) -> FunctionReport | None:
    report = world.heard(host).report
    reports = report.functions if report is not None else ()
    return next((one for one in reports if one.function_id == function.id), None)


def _is_lost(function: NetworkFunction, host: HostId, world: World) -> bool:
    """Does a host that is connected say that no pair works?"""
    said = _report_of(function, host, world)
    if said is None or said.active_ingress_tap or not world.heard(host).connected:
        return False
    return not _is_open(function, host, world)


def _is_open(function: NetworkFunction, host: HostId, world: World) -> bool:
    """Has a host not found out yet whether a function works there?"""
    said = _report_of(function, host, world)
    if said is None:
        return True
    return not said.active_ingress_tap and any(pair.undecided for pair in said.pairs)


def _why(host: HostId, said: FunctionReport | None) -> str:
    reasons = dict.fromkeys(pair.reason for pair in said.pairs if pair.reason) if said is not None else {}
    return f"no pair works on {host}" + (f" ({', '.join(reasons)})" if reasons else "")
