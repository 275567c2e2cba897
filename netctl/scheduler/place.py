"""Place: the host that a virtual machine is started on. In: the machine and a view; out: a host, or why none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from netctl.model.infra import Host
from netctl.model.keys import HostId
from netctl.model.vm import Vm
from netctl.scheduler.demand import (
    Demand,
    demand_of,
    is_closed,
    is_kept_away,
    is_of_another,
    lacks_answer,
    lacks_device,
    lacks_disks,
    lacks_memory,
    lacks_model,
    lacks_network,
    must_wait,
)
from netctl.scheduler.view import View

_NAMED = 8  # hosts in one message


@dataclass(frozen=True, slots=True)
class Objection:
    """What keeps a machine from a host, after "hosts/h2 "; `passing`: a moment may help."""

    message: str
    passing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where a machine is to be started, and with which CPU model."""

    host: HostId
    cpu_model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why no host takes a machine: of each, what is wrong. `passing`: a moment may help one of them."""

    reasons: Mapping[HostId, tuple[str, ...]]
    passing: bool = False

    @property
    def message(self) -> str:
        """One sentence for people."""
        if not self.reasons:
            return "its cluster has no hosts"
        told = [f"hosts/{id} {', and '.join(why)}" for id, why in list(self.reasons.items())[:_NAMED]]
        more = len(self.reasons) - len(told)
        return "; ".join(told) + (f"; and {more} more hosts" if more > 0 else "")


def place(vm: Vm, view: View, *, wish: HostId | None = None) -> Placed | Refused:
    """Choose where to start a machine; `wish` leaves only that host.

    Depends on nothing but the view: of two hosts that are as good, the one with the lower id.
    """
    demand = demand_of(vm, view)
    fitting: list[Host] = []
    reasons: dict[HostId, tuple[str, ...]] = {}
    passing = False
    for host in _candidates(vm, view, wish):
        found = tuple(objections(demand, host, view))
        if found:
            reasons[host.id] = tuple(one.message for one in found)
            passing |= all(one.passing for one in found)
        else:
            fitting.append(host)
    if not fitting:
        return Refused(reasons=reasons, passing=passing)
    best = min(fitting, key=lambda host: rank(demand, host, view))
    return Placed(host=best.id, cpu_model=demand.cpu_model)


def objections(demand: Demand, host: Host, view: View) -> Iterator[Objection]:
    """Yield what keeps a machine from being started on a host."""
    silent = lacks_answer(host, view)
    if silent:
        yield Objection(silent, passing=True)
        return
    if host.cluster != demand.vm.cluster:
        yield Objection(f"is of clusters/{host.cluster}, not of clusters/{demand.vm.cluster}")
        return
    found = (
        is_closed(host),
        is_kept_away(demand, host),
        is_of_another(demand.vm, host),
        lacks_memory(demand, host, view),
        lacks_disks(demand, host, view),
        lacks_model(demand, host, view),
        lacks_device(demand.vm, host, view),
        lacks_network(demand.subnets, host, view),
    )
    yield from map(Objection, filter(None, found))
    wait = must_wait(demand, host, view)
    if wait:
        yield Objection(wait, passing=True)


def rank(demand: Demand, host: Host, view: View) -> tuple[bool, int, bool, int, str]:
    """Order hosts that fit, best first.

    One that can plug its NICs now, fewest anti-affinity partners, where it was, most free memory, the id.
    """
    unplugged = bool(demand.subnets) and not view.network(host.id)[1]
    partners = sum(id in demand.partners for id in view.machines(host.id)) if demand.partners else 0
    was_there = host.id == demand.vm.host
    return unplugged, partners, not was_there, -view.room(host.id, demand.vm).free_mib, host.id


def _candidates(vm: Vm, view: View, wish: HostId | None) -> list[Host]:
    if wish is None:
        return view.hosts(vm.cluster)
    host = view.snapshot.host(wish)
    return [host] if host is not None else []
