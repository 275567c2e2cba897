"""Any sequence of edits of virtual machines, their NICs, disks, images, policies and migrations, against naive.

The rules, the edits in batches and what must hold of every edit are those of test_admit_machine.py, what must hold of
virtual machines is in naive_compute.py. The edits of our own loops come at any moment, as after a controller's death.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from netctl.model.affinity import AffinityKind
from netctl.model.category import Category
from netctl.model.disk import Disk, DiskBus, DiskKind
from netctl.model.image import ImageFormat
from netctl.model.intent import Advance, Create, Edit, Place, Purge, Replace
from netctl.model.keys import CategoryId, HostId, ImageId, Kind, VmId, VmMigrationId
from netctl.model.vm import PowerState, Vm
from netctl.model.vm_migration import NEXT, Stage
from tests.compute import (
    GIB,
    a_migration,
    a_policy,
    a_template,
    a_version,
    a_vm,
    an_image,
    bytes_of,
    empty_disk,
    nic_of,
    place,
    switched_on,
)
from tests.unit.model.test_admit_machine import IDS, Admission, edits_of, one_of
from tests.unit.model.world import World, cluster, host, nic, over, overlay

VMS, HOSTS, IMAGES, MIGRATIONS = ("a", "b", "c"), ("h1", "h2", "h3"), ("i1", "i2"), ("m1", "m2")
SUBNETS, NICS = ("s1", "s2", "s3"), IDS[Kind.NIC]
NAMES = {
    Kind.VM: VMS,
    Kind.IMAGE: IMAGES,
    Kind.VM_TEMPLATE: ("t1",),
    Kind.AFFINITY_POLICY: ("together", "apart"),
    Kind.VM_MIGRATION: MIGRATIONS,
    Kind.CATEGORY: ("web",),
}
IDS |= {kind: ids for kind, ids in NAMES.items() if kind not in IDS}
WEB = one_of([(), (), (CategoryId("web"),)])
SOME_HOSTS = st.lists(one_of(HOSTS).map(HostId), max_size=2, unique=True).map(tuple)

_disks = st.one_of(
    st.builds(
        empty_disk, one_of([1, 2]), bus=one_of([DiskBus.AUTO, DiskBus.PCI]), index=one_of([-1, -1, 0, 1])
    ),
    st.builds(lambda id: Disk(image=ImageId(id)), one_of(IMAGES)),
    st.builds(lambda id, index: Disk(source_vm=VmId(id), source_index=index), one_of(VMS), one_of([0, 0, 1])),
    st.builds(lambda id: Disk(kind=DiskKind.CDROM, image=ImageId(id)), one_of(["", *IMAGES])),
)
_vms = st.builds(
    lambda id, cluster, disks, on, vtpm, **fields: a_vm(
        id, cluster, disks=tuple(disks), power_state=on, vtpm=vtpm, **fields
    ),
    one_of(VMS),
    one_of(["c1", "c1", "c1", "c2"]),
    st.lists(_disks, max_size=3).filter(
        lambda disks: (
            len({(d.bus, d.index) for d in disks if d.index >= 0}) == sum(d.index >= 0 for d in disks)
        )
    ),
    one_of([PowerState.ON, PowerState.ON, PowerState.OFF, PowerState.PAUSED]),
    one_of([False, False, True]),
    categories=WEB,
    affinity_hosts=SOME_HOSTS,
    agent_vm=one_of([False, False, False, True]),
    power_epoch=one_of([0, 0, 1, 5]),
    reset_epoch=one_of([0, 0, 0, 1]),
)
_images = st.one_of(
    st.builds(an_image, one_of(IMAGES)),
    st.builds(
        lambda id, vm, index: an_image(id, source_vm=VmId(vm), source_index=index),
        one_of(IMAGES),
        one_of(VMS),
        one_of([0, 0, 1]),
    ),
)
_templates = st.builds(
    lambda numbers, image, active: a_template(
        "t1",
        *(a_version(i, images=(ImageId(image),), disks=(empty_disk(),)) for i in numbers),
        active_version=active,
    ),
    one_of([(), (1,), (1, 2), (2,)]),
    one_of(["", *IMAGES]),
    one_of([0, 0, 1, 2]),
)
_policies = st.one_of(
    st.builds(
        lambda vms, to: a_policy(vms=tuple(map(VmId, vms)), hosts=to),
        st.lists(one_of(VMS), min_size=1, max_size=2, unique=True),
        st.lists(one_of(HOSTS).map(HostId), min_size=1, max_size=2, unique=True).map(tuple),
    ),
    st.just(a_policy("apart", AffinityKind.VM_ANTI_AFFINITY, vm_categories=(CategoryId("web"),))),
)
_nics = st.builds(
    lambda number, vm, where, connected: nic_of(
        vm, f"n{number}", SUBNETS[number % 3], host=where, connected=connected
    ),
    st.integers(0, 8),
    one_of(["", *VMS, *VMS]),
    one_of(["", "", "", *HOSTS]).map(HostId),
    st.booleans(),
)
_migrations = st.builds(
    a_migration,
    one_of(MIGRATIONS),
    one_of(VMS),
    one_of(["", *HOSTS]),
    cross_cluster=st.booleans(),
    abort=one_of([False, False, False, True]),
)
_hosts = st.builds(lambda id, categories: replace(machine(id), categories=categories), one_of(HOSTS), WEB)
_subnets = st.builds(lambda ids: over(*ids, id="s3"), one_of([("c1", "c2"), ("c1",), ("c2",)]))
_stored = st.builds(
    bytes_of,
    one_of(IMAGES),
    format=one_of([ImageFormat.QCOW2, ImageFormat.ISO]),
    size_bytes=one_of([GIB - 5, GIB]),
)
_placed = st.builds(place, one_of(VMS), one_of(HOSTS), one_of(["qemu64", "EPYC"]))
_purged = st.builds(lambda id: Purge(vm=VmId(id)), one_of(VMS))
_advanced = st.builds(
    lambda id, at, to, where: Advance(
        migration=VmMigrationId(id), if_stage=at, stage=to, destination=HostId(where)
    ),
    one_of(MIGRATIONS),
    one_of(Stage),
    one_of(Stage),
    one_of(["", "h1", "h2"]),
)
_machines = edits_of(_vms, Kind.VM)
_guests = edits_of(_nics, Kind.NIC)
_around: st.SearchStrategy[Edit] = st.one_of(
    edits_of(st.one_of(_images, _templates, _policies), Kind.IMAGE, Kind.VM_TEMPLATE, Kind.AFFINITY_POLICY),
    edits_of(st.one_of(_hosts, _subnets), Kind.HOST, Kind.SUBNET, Kind.CATEGORY, Kind.CLUSTER),
)
_moves: st.SearchStrategy[Edit] = st.one_of(edits_of(_migrations, Kind.VM_MIGRATION), _advanced)
_loops: st.SearchStrategy[Edit] = st.one_of(_placed, _placed, _purged, _stored)
_all: st.SearchStrategy[Edit] = st.one_of(_machines, _guests, _around, _moves, _loops, _loops)


def machine(id: str) -> Any:
    """Make h1 and h2 of c1, h3 of c2."""
    return host(id, f"192.0.2.{id[1:]}/24", "c2" if id == "h3" else "c1")


# Hypothesis writes strategies out, which takes minutes with those above; a composite has but its name.
@st.composite
def vm_edits(draw: st.DrawFn) -> Edit:
    return draw(_machines)


@st.composite
def guest_edits(draw: st.DrawFn) -> Edit:
    return draw(_guests)


@st.composite
def other_edits(draw: st.DrawFn) -> Edit:
    return draw(_around)


@st.composite
def move_edits(draw: st.DrawFn) -> Edit:
    return draw(_moves)


@st.composite
def loop_edits(draw: st.DrawFn) -> Edit:
    return draw(_loops)


@st.composite
def all_edits(draw: st.DrawFn) -> Edit:
    return draw(_all)


def small_world() -> World:
    """Return two clusters, a machine that moves, one whose disk was copied, and one that is going."""
    world = World(
        cluster("c1"),
        cluster("c2"),
        machine("h1"),
        machine("h2"),
        machine("h3"),
        Category(id=CategoryId("web"), key="app", value="web"),
        overlay("s1"),
        overlay("s2"),
        over("c1", "c2", id="s3"),
        an_image("i1"),
        switched_on(
            a_vm("a", disks=(Disk(image=ImageId("i1")),), categories=(CategoryId("web"),), vtpm=True)
        ),
        a_vm("b", disks=(empty_disk(),)),
    )
    world.admit(place("a", "h1"))
    world.admit(place("b", "h2"))
    for made in (
        nic_of("a", "n0", "s1"),
        nic_of("a", "n2", "s3"),
        nic_of("b", "n1", "s2"),
        nic("n3", "s1", host=HostId("h1")),
        a_vm("c", disks=(Disk(source_vm=VmId("b")),)),
        an_image("i2", source_vm=VmId("b")),
        a_template("t1", a_version(1, images=(ImageId("i1"),), disks=(empty_disk(),))),
        a_policy("apart", AffinityKind.VM_ANTI_AFFINITY, vm_categories=(CategoryId("web"),)),
        a_migration("m1", "a", "h2"),
    ):
        world.create(made)
    return world


class Moving(Admission):
    """Machines that come, move, are copied and go, and loops that know of it late."""

    def __init__(self) -> None:
        super().__init__()
        self.world = small_world()

    @rule(edit=vm_edits())
    def edit_vm(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(edit=guest_edits())
    def edit_guest(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(edit=other_edits())
    def edit_other(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(edit=move_edits())
    def edit_move(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(edit=loop_edits())
    def loops_edit(self, edit: Edit) -> None:
        self.edit_alone(edit)

    @rule(id=one_of(MIGRATIONS), choice=st.integers(0, 9), where=one_of(["", *HOSTS]))
    def go_on(self, id: str, choice: int, where: str) -> None:
        """What the engine does: a stage of the table."""
        found = self.world.draft.vm_migration(VmMigrationId(id))
        if found is None or not NEXT[found.stage]:
            return
        to = NEXT[found.stage][0 if choice < 8 else -1]
        chosen = HostId("" if found.destination or to is not Stage.PREPARING else where)
        edit = Advance(migration=found.id, if_stage=found.stage, stage=to, destination=chosen)
        error = self.try_(edit)
        # Only the choice of a destination can fail: what was begun goes to its end.
        assert error is None or to is Stage.PREPARING

    @rule(id=one_of(VMS), where=one_of(HOSTS))
    def start(self, id: str, where: str) -> None:
        """What the placement loop does, with a host of the right cluster: nothing but a migration is in the way."""
        vm = self.world.draft.vm(VmId(id))
        found = self.world.draft.host(HostId(where))
        if vm is None or vm.deleting or found is None or found.cluster != vm.cluster:
            return
        error = self.try_(Place(vm=vm.id, host=found.id, cpu_model="qemu64"))
        assert (error is None) == (self.world.draft.active_migration_of(vm.id) is None)

    @rule(id=one_of(VMS), power=one_of([PowerState.ON, PowerState.OFF]))
    def switch(self, id: str, power: PowerState) -> None:
        vm = self.world.draft.vm(VmId(id))
        if vm is not None:
            self.edit_alone(Replace(intent=replace(vm, power_state=power)))

    @rule(id=one_of(VMS))
    def a_purge_takes_all(self, id: str) -> None:
        vm = self.world.draft.vm(VmId(id))
        if vm is not None and vm.deleting:
            assert self.try_(Purge(vm=vm.id)) is None
            assert self.world.draft.vm(vm.id) is None
            assert not list(self.world.draft.migrations_of_vm(vm.id))

    def check_acceptance(self, edit: Edit, before: Any) -> None:
        super().check_acceptance(edit, before)
        if isinstance(edit, Create) and isinstance(edit.intent, Vm):
            made = self.world.stored(Kind.VM, edit.intent.id)
            assert (made.host, made.power_epoch, made.is_placed) == ("", int(made.is_on), False)


TestMoving = Moving.TestCase
TestMoving.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(st.lists(all_edits(), min_size=80, max_size=80))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_long_walk(walk: list[Edit]) -> None:
    moving = Moving()
    for edit in walk:
        moving.try_(edit)
        moving.all_holds()
    moving.indexes_are_those_of_the_intents()


def test_the_small_world_has_a_machine_of_each_kind() -> None:
    world = small_world()
    assert all(world.draft.count(kind) for kind in NAMES)
    assert world.admit(Create(intent=a_vm("d")))[0].after is not None
