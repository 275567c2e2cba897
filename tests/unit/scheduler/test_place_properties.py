"""Placing any machines one after the other, in any order: what must never happen does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from netctl.model.affinity import AffinityKind, AffinityPolicy
from netctl.model.intent import Intent
from netctl.model.keys import AffinityPolicyId, HostId, VmId
from netctl.model.vm import Vm
from netctl.scheduler.demand import demand_of
from netctl.scheduler.evacuate import plan_evacuation
from netctl.scheduler.memory import charge_mib
from netctl.scheduler.place import Placed, objections, place
from netctl.scheduler.preflight import choose_destination
from netctl.scheduler.view import View
from tests.machines import MODEL, compute, view, waiting

HOSTS = 4
NAMES = [f"v{i}" for i in range(9)]
TOTAL_MIB = {f"h{i}": 2048 * i for i in range(1, HOSTS + 1)}

sizes = st.sampled_from([512, 1024, 3000, 4096])
hosts = st.lists(st.sampled_from(sorted(TOTAL_MIB)), unique=True, max_size=3)
members = st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=4)
machines = st.lists(st.tuples(sizes, st.booleans(), hosts), min_size=1, max_size=len(NAMES))
some_hosts = st.lists(st.sampled_from(sorted(TOTAL_MIB)), unique=True, min_size=1, max_size=3)
policies = st.lists(st.tuples(st.booleans(), members, some_hosts), max_size=3)


def world(
    asked: Sequence[tuple[int, bool, list[str]]], rules: Sequence[tuple[bool, list[str], list[str]]]
) -> View:
    vms = [
        waiting(name, memory_mib=size, memory_overcommit=half, affinity_hosts=tuple(map(HostId, only)))
        for name, (size, half, only) in zip(NAMES, asked, strict=False)
    ]
    found: list[Intent] = [
        AffinityPolicy(
            id=AffinityPolicyId(f"p{i}"),
            kind=AffinityKind.VM_HOST if must else AffinityKind.VM_ANTI_AFFINITY,
            vms=tuple(map(VmId, names)),
            hosts=tuple(map(HostId, only)) if must else (),
        )
        for i, (must, names, only) in enumerate(rules)
    ]
    reports = {name: compute(name, memory_mib=size) for name, size in TOTAL_MIB.items()}
    return view(*vms, *found, reports=reports, hosts=HOSTS)


def machine(seen_by: View, name: str) -> Vm | None:
    return seen_by.snapshot.vm(VmId(name))


def settle(seen_by: View, order: Sequence[str]) -> tuple[View, dict[str, HostId]]:
    """Place one after the other; return the view after it and who is where."""
    where: dict[str, HostId] = {}
    for name in order:
        vm = machine(seen_by, name)
        found = place(vm, seen_by) if vm is not None else None
        if vm is not None and isinstance(found, Placed):
            check_one(vm, seen_by, found)
            where[name] = found.host
            seen_by = seen_by.moved(
                replace(vm, host=found.host, effective_cpu_model=found.cpu_model), found.host
            )
    return seen_by, where


def check_one(vm: Vm, seen_by: View, found: Placed) -> None:
    demand = demand_of(vm, seen_by)
    every = seen_by.hosts(vm.cluster)
    fitting = [host.id for host in every if not any(objections(demand, host, seen_by))]
    assert found.host in fitting
    if vm.affinity_hosts:
        assert found.host in vm.affinity_hosts
    for policy in demand.policies:
        assert found.host in policy.hosts
    crowds = {host: len(demand.partners & seen_by.machines(host).keys()) for host in fitting}
    assert crowds[found.host] == min(crowds.values()), "a host with fewer partners fits"


@given(machines, policies, st.permutations(NAMES))
def test_memory_is_never_given_twice_and_affinity_is_obeyed(
    asked: list[tuple[int, bool, list[str]]], rules: list[tuple[bool, list[str], list[str]]], order: list[str]
) -> None:
    after, where = settle(world(asked, rules), order)
    for host, total in TOTAL_MIB.items():
        there = [machine(after, name) for name, at in where.items() if at == host]
        assert sum(charge_mib(vm) for vm in there if vm is not None) <= total


@given(machines, policies, st.permutations(NAMES))
def test_the_same_view_has_the_same_answer(
    asked: list[tuple[int, bool, list[str]]], rules: list[tuple[bool, list[str], list[str]]], order: list[str]
) -> None:
    first, second = settle(world(asked, rules), order), settle(world(asked, rules), order)
    assert first[1] == second[1]
    moved, where = first
    stored = [
        replace(vm, host=where[name], effective_cpu_model=MODEL) if name in where else vm
        for name in NAMES
        if (vm := machine(moved, name)) is not None
    ]
    reports = {name: compute(name, memory_mib=size) for name, size in TOTAL_MIB.items()}
    fresh = view(*stored, reports=reports, hosts=HOSTS)
    extra = waiting("extra", memory_mib=700)
    assert place(extra, fresh) == place(extra, moved), "a plan in one's head and its result are the same view"


@given(machines, policies, st.permutations(NAMES))
def test_an_evacuation_fits_together(
    asked: list[tuple[int, bool, list[str]]], rules: list[tuple[bool, list[str], list[str]]], order: list[str]
) -> None:
    base = world(asked, rules)
    after, where = settle(base, order)
    stored = [
        replace(vm, host=where[name], effective_cpu_model=MODEL) if name in where else vm
        for name in NAMES
        if (vm := machine(after, name)) is not None
    ]
    draft = base.snapshot.draft()
    for vm in stored:
        draft.put(vm)
    seen_by = View(draft.freeze(2), after.said, view().network)
    emptied = HostId("h4")
    moves = plan_evacuation(emptied, seen_by)
    assert [move.vm for move in moves] == sorted(name for name, at in where.items() if at == emptied)
    for move in moves:
        vm = machine(seen_by, move.vm)
        assert vm is not None
        alone = choose_destination(vm, seen_by)
        assert bool(move.destination) or move.message
        assert not move.destination or isinstance(alone, Placed)
        if move.destination:
            seen_by = seen_by.moved(vm, move.destination)
            assert not vm.affinity_hosts or move.destination in vm.affinity_hosts
    for host in TOTAL_MIB:
        assert seen_by.room(HostId(host), waiting("nobody")).free_mib >= 0
