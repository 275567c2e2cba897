"""evacuate: all machines of a host together, each with a destination or the reason why there is none."""

from __future__ import annotations

from dataclasses import replace

from netctl.model.keys import HostId, VmId, VmMigrationId
from netctl.model.vm import PowerState
from netctl.model.vm_migration import VmMigration
from netctl.scheduler.evacuate import Move, plan_evacuation
from netctl.scheduler.view import View
from tests.machines import view, vm, waiting

H1, H2, H3 = HostId("h1"), HostId("h2"), HostId("h3")


def plan(seen_by: View) -> dict[str, Move]:
    return {move.vm: move for move in plan_evacuation(H1, seen_by)}


def test_they_spread_over_the_others_by_memory() -> None:
    guests = [vm(f"g{i}", on="h1", memory_mib=1024) for i in range(4)]
    found = plan(view(*guests, hosts=3))
    assert sorted(move.destination for move in found.values()) == ["h2", "h2", "h3", "h3"]


def test_who_is_off_stays_and_is_not_named() -> None:
    off = vm("off", on="h1")
    others = (replace(off, power_state=PowerState.OFF), waiting("w", host=H1), vm("e", on="h2"))
    assert plan(view(*others)) == {}


def test_one_that_cannot_move_says_why() -> None:
    stuck = vm("s", on="h1", agent_vm=True)
    big = vm("b", on="h1", memory_mib=6000)
    found = plan(view(stuck, big, vm("x", on="h2", memory_mib=1024)))
    assert not found["s"].destination
    assert "agent VM" in found["s"].message
    assert not found["b"].destination
    assert "5120 of 6144 MiB" in found["b"].message


def test_memory_is_divided_otherwise_where_the_largest_first_fails() -> None:
    """6144 on h2 and on h3: the two largest go apart first, and then one of 2048 finds no room."""
    sizes = (3072, 3072, 2048, 2048, 2048)
    guests = [vm(f"g{i}", on="h1", memory_mib=size) for i, size in enumerate(sizes)]
    found = plan(view(*guests, hosts=3))
    assert all(move.destination for move in found.values()), found
    for host in (H2, H3):
        assert (
            sum(size for size, move in zip(sizes, found.values(), strict=True) if move.destination == host)
            == 6144
        )


def test_those_that_do_not_fit_together_say_so() -> None:
    guests = [vm(f"g{i}", on="h1", memory_mib=4096) for i in range(3)]
    found = plan(view(*guests, hosts=3))
    left = [move for move in found.values() if not move.destination]
    assert len(left) == 1
    assert "would fit on hosts/h2, hosts/h3 alone" in left[0].message


def test_many_alike_are_given_up_soon() -> None:
    guests = [vm(f"g{i:03}", on="h1", memory_mib=2048) for i in range(150)]
    found = plan(view(*guests, hosts=6))
    assert sum(bool(move.destination) for move in found.values()) == 15


def test_who_is_under_way_keeps_its_destination() -> None:
    going = VmMigration(id=VmMigrationId("m"), vm=VmId("g"), source=H1, destination=H3)
    found = plan(view(vm("g", on="h1"), going, hosts=3))
    assert found["g"] == Move(vm=VmId("g"), destination=H3, under_way=True)
