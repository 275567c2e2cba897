"""Admission of migrations: who may move and where to, every stage that may follow another, and what is kept."""

from dataclasses import replace
from typing import Any

import pytest

from netctl.errors import AlreadyExists, Conflict, InUse, InvalidIntent, NotFound
from netctl.model.intent import Create, Remove, Replace
from netctl.model.keys import HostId, Kind, VmId, VmMigrationId
from netctl.model.vm import PowerState, Vm
from netctl.model.vm_migration import KEPT_OF_VM, NEXT, Evidence, Stage, StageEntered, VmMigration
from tests.compute import STAGES, a_migration, a_vm, advanced, nic_of, place, placed, step, switched_on
from tests.unit.model.world import World, cluster, host, over, overlay

VM1, H1, H2, FAR = VmId("vm1"), HostId("h1"), HostId("h2"), HostId("far")
MEASURED = Evidence(iterations=3, pause_ms=40, announce_ms=2, network_gap_ms=42)


@pytest.fixture
def world() -> World:
    world = World(
        cluster(),
        cluster("c2"),
        host("h1", "192.0.2.1/24"),
        host("h2", "192.0.2.2/24"),
        host("far", "192.0.2.1/24", "c2"),
        overlay("app"),
        over("c1", "c2", id="wide"),
    )
    placed(world, switched_on(a_vm()))
    return world


def at(world: World, stage: Stage) -> VmMigration:
    """Bring a new migration to a stage by the shortest way."""
    migration: VmMigration = world.create(a_migration())
    ways: dict[Stage, tuple[Stage, ...]] = {Stage.QUEUED: ()}
    for start in STAGES:
        for end in NEXT[start]:
            ways.setdefault(end, (*ways[start], end))
    ways.setdefault(Stage.FAILED, (Stage.FAILED,))
    return advanced(world, "m1", *ways[stage]) if ways[stage] else migration


def machine(world: World) -> Vm:
    vm: Vm = world.stored(Kind.VM, "vm1")
    return vm


def test_a_new_one_is_queued(world: World) -> None:
    """Whatever a request says of what is decided by us."""
    asked = a_migration(
        stage=Stage.DONE,
        source=FAR,
        attempt=5,
        failure="X",
        failure_message="y",
        evidence=MEASURED,
        retries=2,
    )
    made = world.create(asked)
    assert (made.stage, made.source, made.attempt, made.failure, made.failure_message) == (
        Stage.QUEUED,
        "h1",
        1,
        "",
        "",
    )
    assert made.evidence == Evidence()
    assert made.steps == (StageEntered(stage=Stage.QUEUED, time_s=made.meta.create_time_s),)
    assert world.draft.active_migration_of(VM1) == made
    assert [list(world.draft.active_migrations_of_host(id)) for id in (H1, H2, FAR)] == [[made], [made], []]
    assert list(world.draft.active_migrations()) == [made]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"power_state": PowerState.OFF}, "vms/vm1 is OFF, and one that is ON moves"),
        ({"power_state": PowerState.PAUSED}, "vms/vm1 is PAUSED"),
        ({"agent_vm": True}, "belongs to its host"),
        ({"cpu_passthrough": True}, "has the CPU of its host"),
        ({"pci_devices": ("0000:3b:00.0",), "affinity_hosts": (H1,)}, "has devices of its host"),
        ({"gpu_profiles": ("nvidia-35",)}, "has a part of a GPU"),
    ],
)
def test_some_cannot_move(world: World, fields: dict[str, Any], text: str) -> None:
    world.replace(machine(world), **fields)
    world.refuse(Create(intent=a_migration()), InvalidIntent, "vm", text)


def test_who_moves_and_where_to(world: World) -> None:
    world.create(switched_on(a_vm("new")))
    for asked, error, field, text in (
        (a_migration(vm="none"), NotFound, "vm", "vms/none does not exist"),
        (a_migration(vm="new"), InvalidIntent, "vm", "was not started yet"),
        (a_migration(destination="h9"), NotFound, "destination", "hosts/h9 does not exist"),
        (a_migration(destination="h1"), InvalidIntent, "destination", "vms/vm1 is on hosts/h1"),
        (a_migration(destination="far"), InvalidIntent, "destination", "set cross_cluster"),
        (a_migration(abort=True), InvalidIntent, "abort", "leave it unset"),
    ):
        world.refuse(Create(intent=asked), error, field, text)
    world.create(a_migration(destination=""))
    world.refuse(
        Create(intent=a_migration("m2")), AlreadyExists, "vm", "vms/vm1 is moved by vmMigrations/m1 already"
    )


def test_to_another_cluster_with_all_its_subnets(world: World) -> None:
    world.create(nic_of(subnet="wide"))
    world.create(nic_of(id="n2"))
    asked = a_migration(destination="far", cross_cluster=True)
    world.refuse(
        Create(intent=asked), InvalidIntent, "destination", "which subnets/app of nics/n2 does not span"
    )
    world.remove(Kind.NIC, "n2")
    world.create(asked)
    advanced(world, "m1", *STAGES[1:4])
    assert (machine(world).cluster, machine(world).host) == ("c1", "h1")
    world.admit(step(world.stored(Kind.VM_MIGRATION, "m1"), Stage.SETTLING))
    assert (machine(world).cluster, machine(world).host) == ("c2", "far")
    assert world.stored(Kind.NIC, "n1").host == "far"
    assert {vm.id for vm in world.draft.vms_of_cluster(host("x", cluster="c2").cluster)} == {"vm1"}


def test_affinity_hosts_of_the_old_cluster_are_no_obstacle_to_edits(world: World) -> None:
    world.replace(machine(world), affinity_hosts=(H1,))
    world.create(a_migration(destination="far", cross_cluster=True))
    advanced(world, "m1", *STAGES[1:])
    assert world.replace(machine(world), memory_mib=600).affinity_hosts == ("h1",)


def test_the_whole_way(world: World) -> None:
    placed_vm = machine(world)
    world.create(nic_of())
    world.create(a_migration())
    for stage in STAGES[1:4]:
        done = world.admit(step(world.stored(Kind.VM_MIGRATION, "m1"), stage, message=stage.value))
        assert [one.key for one in done] == [(Kind.VM_MIGRATION, "m1")]
        assert machine(world) == placed_vm
    edit = step(world.stored(Kind.VM_MIGRATION, "m1"), Stage.SETTLING, evidence=MEASURED)
    done = world.admit(edit)
    assert [one.key for one in done] == [(Kind.VM_MIGRATION, "m1"), (Kind.VM, "vm1"), (Kind.NIC, "n1")]
    moved = machine(world)
    assert moved == replace(placed_vm, host=H2, meta=moved.meta)
    assert world.stored(Kind.NIC, "n1").host == "h2"
    migration = advanced(world, "m1", *STAGES[5:])
    assert [(one.stage, one.message) for one in migration.steps] == [
        (stage, stage.value if 1 <= i <= 3 else "") for i, stage in enumerate(STAGES)
    ]
    times = [one.time_s for one in migration.steps]
    assert times == sorted(set(times))
    assert (migration.evidence, migration.source, migration.destination) == (MEASURED, "h1", "h2")
    assert world.draft.active_migration_of(VM1) is None
    assert not list(world.draft.active_migrations_of_host(H2))
    assert not list(world.draft.active_migrations())
    assert [one.id for one in world.draft.migrations_of_vm(VM1)] == ["m1"]


@pytest.mark.parametrize("start", list(Stage))
def test_only_the_table_s_stages_follow(world: World, start: Stage) -> None:
    migration = at(world, start)
    assert migration.stage is start
    for end in Stage:
        if end not in NEXT[start]:
            world.refuse(
                step(migration, end), InvalidIntent, "stage", f"{end.name} does not follow {start.name}"
            )
        if end is not start:
            edit = replace(step(migration, Stage.DONE), if_stage=end)
            world.refuse(edit, Conflict, "if_stage", f"is at {start.name}, not {end.name}")
    for end in NEXT[start]:
        mark = world.draft.mark()
        done = world.admit(step(migration, end))[0].after
        assert isinstance(done, VmMigration)
        assert done.stage is end
        world.draft.rollback(mark)


def test_a_migration_that_is_not_there(world: World) -> None:
    world.refuse(step(a_migration(), Stage.PREPARING), NotFound, "name", "vmMigrations/m1 does not exist")


def test_a_destination_is_chosen_when_its_turn_comes(world: World) -> None:
    world.create(a_migration(destination=""))
    queued = world.stored(Kind.VM_MIGRATION, "m1")
    world.refuse(step(queued, Stage.PREPARING), InvalidIntent, "destination", "is not chosen")
    for id, text in (("h1", "vms/vm1 is on hosts/h1"), ("far", "set cross_cluster")):
        edit = step(queued, Stage.PREPARING, destination=HostId(id))
        world.refuse(edit, InvalidIntent, "destination", text)
    world.refuse(step(queued, Stage.FAILED, destination=H2), InvalidIntent, "destination", "from unset to h2")
    done = advanced(world, "m1", Stage.PREPARING, destination=H2)
    assert (done.source, done.destination) == ("h1", "h2")
    assert list(world.draft.active_migrations_of_host(H2)) == [done]
    world.refuse(
        step(done, Stage.BINDING, destination=H1), InvalidIntent, "destination", "cannot change from h2 to h1"
    )


def test_a_machine_is_where_it_is_when_the_turn_comes(world: World) -> None:
    """While a migration waits, its machine may have been started elsewhere: nothing holds it yet but this test."""
    world.create(a_migration())
    world.draft.put(replace(machine(world), host=H2))
    world.refuse(
        step(world.stored(Kind.VM_MIGRATION, "m1"), Stage.PREPARING),
        InvalidIntent,
        "destination",
        "on hosts/h2",
    )


def test_another_try_starts_anew(world: World) -> None:
    world.create(a_migration(retries=1))
    back = advanced(
        world,
        "m1",
        *(*STAGES[1:4], Stage.ABORTING),
        failure="FAILED_TO_CONVERGE",
        message="writes too fast",
        evidence=MEASURED,
    )
    assert (back.failure, back.failure_message) == ("FAILED_TO_CONVERGE", "writes too fast")
    mark = world.draft.mark()
    failed = advanced(world, "m1", Stage.FAILED)
    assert (failed.failure, failed.failure_message, failed.evidence) == (
        back.failure,
        "writes too fast",
        MEASURED,
    )
    assert [one.stage for one in failed.steps] == [*STAGES[:4], Stage.ABORTING, Stage.FAILED]
    world.draft.rollback(mark)
    again = advanced(world, "m1", Stage.QUEUED, message="another try")
    assert (again.attempt, again.failure, again.failure_message, again.evidence) == (2, "", "", Evidence())
    assert again.steps == (
        StageEntered(stage=Stage.QUEUED, time_s=again.meta.update_time_s, message="another try"),
    )
    assert again.destination == "h2"


def test_abort_is_all_that_can_be_changed(world: World) -> None:
    made = world.create(a_migration(destination="h2"))
    for field, value in (
        ("vm", VmId("vm2")),
        ("destination", HostId("")),
        ("bandwidth_mbps", 7),
        ("cross_cluster", True),
        ("retries", 7),
    ):
        world.refuse(
            Replace(intent=replace(made, **{field: value})), InvalidIntent, field, "cannot change from"
        )
    # Of what is ours nothing is taken from a request.
    done = world.replace(made, abort=True, stage=Stage.DONE, attempt=3, source=FAR)
    assert done == replace(made, abort=True, meta=done.meta)
    world.refuse(Replace(intent=replace(done, abort=False)), InvalidIntent, "abort", "cannot be taken back")
    again = world.admit(Replace(intent=done))
    assert again[0].before is again[0].after


@pytest.mark.parametrize("stage", list(Stage))
def test_abort_comes_in_time_or_too_late(world: World, stage: Stage) -> None:
    edit = Replace(intent=replace(at(world, stage), abort=True))
    late = {
        Stage.SETTLING: "runs at the destination already",
        Stage.CLEANING: "runs at the destination already",
        Stage.DONE: "it has ended",
        Stage.FAILED: "it has ended",
    }
    if stage in late:
        world.refuse(edit, InvalidIntent, "abort", "comes too late", late[stage], stage.name)
    else:
        assert world.admit(edit)[0].after.abort  # type: ignore[union-attr]


@pytest.mark.parametrize("stage", list(Stage))
def test_only_what_ended_is_removed(world: World, stage: Stage) -> None:
    at(world, stage)
    edit = Remove(key=(Kind.VM_MIGRATION, "m1"))
    if stage in (Stage.DONE, Stage.FAILED):
        world.admit(edit)
        assert not list(world.draft.migrations_of_vm(VM1))
    else:
        error = world.refuse(edit, InUse, "name", "moves vms/vm1: abort it, or wait")
        assert isinstance(error, InUse)
        assert error.dependents == ("vms/vm1",)


def test_nics_neither_come_nor_go(world: World) -> None:
    world.create(nic_of())
    world.create(a_migration())
    world.refuse_in_use(Create(intent=nic_of(id="n2")), "vm", "vmMigrations/m1")
    world.refuse_in_use(Remove(key=(Kind.NIC, "n1")), "name", "vmMigrations/m1")
    advanced(world, "m1", Stage.FAILED)
    world.create(nic_of(id="n2"))
    world.remove(Kind.NIC, "n1")


def test_the_last_twenty_of_a_machine_are_kept(world: World) -> None:
    world.create(switched_on(a_vm("vm2")))
    world.admit(place("vm2"))
    world.create(a_migration("other", "vm2"))
    advanced(world, "other", Stage.FAILED)
    for i in range(KEPT_OF_VM + 1):
        world.create(a_migration(f"a{99 - i}"))  # names do not say which is older
        advanced(world, f"a{99 - i}", Stage.FAILED)
    assert world.draft.count(Kind.VM_MIGRATION) == KEPT_OF_VM + 2
    done = world.admit(Create(intent=a_migration("last")))
    assert [(one.key, one.after) for one in done[1:]] == [((Kind.VM_MIGRATION, "a99"), None)]
    assert world.draft.vm_migration(VmMigrationId("a98")) is not None
    assert world.draft.vm_migration(VmMigrationId("other")) is not None
    assert world.draft.count(Kind.VM_MIGRATION) == KEPT_OF_VM + 2


def test_one_that_is_switched_off_while_it_waits_does_not_move(world: World) -> None:
    made = world.create(a_migration())
    done = world.admit(Replace(intent=replace(machine(world), power_state=PowerState.OFF)))
    assert [one.key for one in done] == [(Kind.VM, "vm1"), (Kind.VM_MIGRATION, "m1")]
    ended = world.stored(Kind.VM_MIGRATION, "m1")
    assert (ended.stage, ended.failure) == (Stage.FAILED, "VM_OFF")
    assert ended.failure_message == "vms/vm1 was switched off before it moved"
    assert ended.steps[:-1] == made.steps
    # It can be started again at once.
    world.admit(Replace(intent=switched_on(machine(world))))
    world.admit(place(host="h2"))


def test_what_became_immovable_while_it_waited(world: World) -> None:
    migration = world.create(a_migration())
    world.replace(machine(world), agent_vm=True)
    world.refuse(step(migration, Stage.PREPARING), InvalidIntent, "vm", "belongs to its host")
    advanced(world, "m1", Stage.FAILED)
