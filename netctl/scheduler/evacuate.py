"""Evacuate: where the machines of a host go so that it can be maintained. Pure: a host and a view -> moves.

All of them must fit together. What each destination would check is looked at once; what they share is memory. The
largest takes its best host first; where the last ones then find no room, other ways to divide it are tried.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from netctl.model.infra import Host
from netctl.model.keys import HostId, VmId
from netctl.model.vm import Vm
from netctl.scheduler.demand import Demand, demand_of
from netctl.scheduler.memory import charge_mib
from netctl.scheduler.place import rank
from netctl.scheduler.preflight import destinations_of
from netctl.scheduler.view import View

_TRIES = 5_000  # to divide memory otherwise
_SEARCHED = 200  # machines, at most: each is a level of recursion


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What becomes of one machine; without `destination` it cannot move, and `message` says why.

    `under_way`: a migration of it goes on already.
    """

    vm: VmId
    destination: HostId = HostId("")
    message: str = ""
    under_way: bool = False


@dataclass(frozen=True, slots=True)
class _Guest:
    """A machine that could move, and the hosts that would take it were there nobody else."""

    demand: Demand
    hosts: list[Host]

    @property
    def vm(self) -> Vm:
        return self.demand.vm


@dataclass(slots=True)
class _Search:
    """Owns: which machine has which host so far, and what was tried."""

    guests: list[_Guest]
    free_mib: dict[HostId, int]
    chosen: dict[VmId, HostId] = field(default_factory=dict)
    tries: int = 0

    def run(self) -> bool:
        """Divide memory among the machines that are left; False when it cannot be done, or not in so many tries."""
        if len(self.chosen) == len(self.guests):
            return True
        guest = self.guests[len(self.chosen)]
        needed = charge_mib(guest.vm)
        for host in guest.hosts:
            if self.free_mib[host.id] < needed:
                continue
            self.tries += 1
            self.chosen[guest.vm.id] = host.id
            self.free_mib[host.id] -= needed
            if self.tries <= _TRIES and self.run():
                return True
            self.free_mib[host.id] += needed
            del self.chosen[guest.vm.id]
        return False


def guests_of(host: HostId, view: View) -> list[Vm]:
    """Return the machines that keep a host from being maintained, by id: those that are on there."""
    here = (vm for vm in view.machines(host).values() if vm.host == host and vm.is_on and vm.is_placed)
    return sorted(here, key=lambda vm: vm.id)


def plan_evacuation(host: HostId, view: View) -> tuple[Move, ...]:
    """Return a move for each machine that is on at a host, by id; those that are off stay, with their disks."""
    under_way = _under_way(view)
    moves: list[Move] = []
    guests: list[_Guest] = []
    for vm in guests_of(host, view):
        if under_way.get(vm.id):
            moves.append(Move(vm=vm.id, destination=under_way[vm.id], under_way=True))
            continue
        guest, move = _guest(vm, view)
        if guest.hosts:
            guests.append(guest)
        else:
            moves.append(move)
    chosen = _divide(guests, view)
    moves += (_move(guest, chosen, host) for guest in guests)
    return tuple(sorted(moves, key=lambda move: move.vm))


def _guest(vm: Vm, view: View) -> tuple[_Guest, Move]:
    """Return a machine with the hosts that would take it, and what to say of it when none does."""
    demand = demand_of(vm, view)
    hosts, refused = destinations_of(demand, view)
    return _Guest(demand, hosts), Move(vm=vm.id, message=refused.message)


def _divide(guests: list[_Guest], view: View) -> dict[VmId, HostId]:
    """Return a host for each of these machines, as far as they fit together."""
    guests = sorted(guests, key=lambda guest: (-charge_mib(guest.vm), guest.vm.id))
    chosen = _divide_in_order(guests, view)
    if len(chosen) < len(guests) <= _SEARCHED:
        hosts = {host.id: host for guest in guests for host in guest.hosts}
        search = _Search(guests, {id: view.room(id, guests[0].vm).free_mib for id in hosts})
        if search.run():
            return search.chosen
    return chosen


def _divide_in_order(guests: list[_Guest], view: View) -> dict[VmId, HostId]:
    chosen: dict[VmId, HostId] = {}
    for guest in guests:
        room = [host for host in guest.hosts if view.room(host.id, guest.vm).free_mib >= charge_mib(guest.vm)]
        if room:
            best = min(room, key=lambda host: rank(guest.demand, host, view))
            chosen[guest.vm.id] = best.id
            view = view.moved(guest.vm, best.id)
    return chosen


def _move(guest: _Guest, chosen: dict[VmId, HostId], source: HostId) -> Move:
    if guest.vm.id in chosen:
        return Move(vm=guest.vm.id, destination=chosen[guest.vm.id])
    names = ", ".join(f"hosts/{host.id}" for host in guest.hosts[:8])
    return Move(
        vm=guest.vm.id,
        message=f"would fit on {names} alone, but not with the other machines of hosts/{source}: it needs"
        f" {charge_mib(guest.vm)} MiB; switch some off",
    )


def _under_way(view: View) -> dict[VmId, HostId]:
    """Return where machines go already, by machine; one whose destination is not chosen yet is not among them."""
    return {one.vm: one.destination for one in view.snapshot.active_migrations() if one.destination}
