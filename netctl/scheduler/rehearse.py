"""Rehearse: what a migration would find. Pure: a machine and a view -> a destination and its checks."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.model.keys import HostId
from netctl.model.vm import Vm
from netctl.scheduler.demand import demand_of
from netctl.scheduler.place import rank
from netctl.scheduler.preflight import Check, checks_of, destinations_of, problem_of
from netctl.scheduler.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a migration would find at its destination; `destination` "" where the cluster has no other host."""

    destination: HostId
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Would it start?"""
        return bool(self.destination) and not problem_of(self.checks)


def rehearse(vm: Vm, view: View, destination: HostId | None = None) -> Rehearsal:
    """Return what a migration would find; without `destination` where it would go, or at the host that lacks least."""
    demand = demand_of(vm, view)
    if destination is not None:
        host = view.snapshot.host(destination)
        hosts = [host] if host is not None else []
    else:
        fitting, _ = destinations_of(demand, view)
        hosts = fitting[:1] or [host for host in view.hosts(vm.cluster) if host.id != vm.host]
    found = [(host, checks_of(demand, host, view)) for host in hosts]
    if not found:
        message = f"clusters/{vm.cluster} has no other host than hosts/{vm.host}"
        return Rehearsal(destination=HostId(""), checks=(Check(check="HOST", ok=False, message=message),))
    best, checks = min(
        found, key=lambda one: (sum(check.stops for check in one[1]), rank(demand, one[0], view))
    )
    return Rehearsal(destination=best.id, checks=checks)
