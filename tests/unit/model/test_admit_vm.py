"""Admission of virtual machines: what is decided at their start, what may change while they run, what they refer to."""

from dataclasses import replace
from typing import Any

import pytest

from netctl.errors import InvalidIntent, NotFound
from netctl.model.category import Category
from netctl.model.disk import Disk
from netctl.model.image import ImageFormat
from netctl.model.intent import Create, Replace
from netctl.model.keys import CategoryId, HostId, ImageId, Kind, Uid, VmId, VmTemplateId
from netctl.model.vm import Firmware, GuestCustomization, MachineType, PowerState, Sealed, Vm
from netctl.model.vm_migration import Stage
from tests.compute import (
    a_migration,
    a_vm,
    advanced,
    an_image,
    bytes_of,
    empty_disk,
    nic_of,
    place,
    placed,
    switched_on,
)
from tests.unit.model.world import World, cluster, host, overlay

OTHER = Uid("11111111-2222-4333-8444-555555555555")
COPY = Disk(source_vm=VmId("vm1"))


@pytest.fixture
def world() -> World:
    return World(
        cluster(),
        cluster("c2"),
        host("h1", "192.0.2.1/24"),
        host("h2", "192.0.2.2/24"),
        host("far", "192.0.2.1/24", "c2"),
        overlay("app"),
        Category(id=CategoryId("web"), key="app", value="web"),
    )


def test_references_are_checked(world: World) -> None:
    for intent, error, field, text in (
        (a_vm(cluster="c9"), NotFound, "cluster", "clusters/c9 does not exist"),
        (a_vm(categories=(CategoryId("db"),)), NotFound, "categories[0]", "categories/db does not exist"),
        (a_vm(affinity_hosts=(HostId("h9"),)), NotFound, "affinity_hosts[0]", "hosts/h9 does not exist"),
        (a_vm(affinity_hosts=(HostId("far"),)), InvalidIntent, "affinity_hosts[0]", "is in clusters/c2"),
        (a_vm(disks=(Disk(image=ImageId("no")),)), NotFound, "disks[0].image", "images/no does not exist"),
        (a_vm(disks=(COPY,)), InvalidIntent, "disks[0].source_vm", "is this machine itself"),
        (
            a_vm("b", disks=(replace(COPY, source_vm=VmId("z")),)),
            NotFound,
            "disks[0].source_vm",
            "vms/z does not exist",
        ),
    ):
        world.refuse(Create(intent=intent), error, field, text)


def test_what_is_decided_at_the_start(world: World) -> None:
    """Whatever a request says of it: only we say where it is, and what it counts."""
    asked = a_vm(
        host=HostId("h1"),
        generation_id=OTHER,
        vtpm_secret=Sealed("mine"),
        vtpm=True,
        effective_cpu_model="EPYC",
        power_epoch=40,
        reset_epoch=40,
        deleting=True,
        template=VmTemplateId("golden"),
        template_version=2,
    )
    made: Vm = world.create(asked)
    assert (made.host, made.effective_cpu_model, made.deleting) == ("", "", False)
    assert (made.power_epoch, made.reset_epoch) == (0, 0)
    assert made.machine_type is MachineType.PC
    assert made.vtpm_secret.startswith("sealed secret ")
    assert len({made.generation_id, made.meta.uid, OTHER, ""}) == 4
    assert (made.template, made.template_version) == ("golden", 2)
    other = world.create(replace(asked, id=VmId("vm2"), power_state=PowerState.ON))
    assert other.power_epoch == 1
    assert other.generation_id != made.generation_id
    assert other.vtpm_secret != made.vtpm_secret
    assert world.create(a_vm("vm3")).vtpm_secret == ""


def test_secure_boot_chooses_its_chipset(world: World) -> None:
    made = world.create(a_vm(firmware=Firmware.UEFI, secure_boot=True))
    assert made.machine_type is MachineType.Q35
    # A file that leaves it open is applied again.
    assert world.replace(made, machine_type=MachineType.AUTO).machine_type is MachineType.Q35


def test_starts_are_counted_and_placed(world: World) -> None:
    vm = placed(world, switched_on(a_vm()))
    assert (vm.power_epoch, vm.is_placed) == (1, True)
    vm = world.replace(vm, description="still on")
    assert (vm.power_epoch, vm.effective_cpu_model) == (1, "qemu64")
    vm = world.replace(vm, power_epoch=2)  # on again: it may have shut itself down
    assert (vm.power_epoch, vm.is_placed) == (2, True)
    vm = world.replace(vm, power_epoch=1)
    assert vm.power_epoch == 2
    vm = world.replace(vm, power_state=PowerState.PAUSED)
    assert vm.power_epoch == 2
    vm = world.replace(vm, power_state=PowerState.ON)
    assert (vm.power_epoch, vm.is_placed) == (3, True)
    vm = world.replace(vm, power_state=PowerState.OFF)
    assert (vm.power_epoch, vm.is_placed, vm.host) == (3, True, "h1")
    vm = world.replace(vm, power_state=PowerState.PAUSED)
    assert (vm.power_epoch, vm.is_placed, vm.host) == (4, False, "h1")


def test_only_what_runs_is_reset(world: World) -> None:
    vm = placed(world, switched_on(a_vm()))
    vm = world.replace(vm, reset_epoch=99)
    assert vm.reset_epoch == 1
    off = world.replace(vm, power_state=PowerState.OFF)
    world.refuse(Replace(intent=replace(off, reset_epoch=2)), InvalidIntent, "power_state", "is OFF")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("memory_overcommit", True),
        ("firmware", Firmware.UEFI),
        ("machine_type", MachineType.Q35),
        ("num_vnuma_nodes", 2),
    ],
)
def test_some_changes_wait_for_off(world: World, field: str, value: Any) -> None:
    vm = placed(world, switched_on(a_vm(num_vcpus=2)))
    world.refuse(Replace(intent=replace(vm, **{field: value})), InvalidIntent, field, "switch it off first")
    off = world.replace(vm, power_state=PowerState.OFF)
    assert getattr(world.replace(off, **{field: value}), field) == value
    # Both at once: it is another machine when it starts.
    again = replace(world.stored(Kind.VM, "vm1"), power_state=PowerState.ON)
    assert world.admit(Replace(intent=again))[0].after is not None


def test_secure_boot_waits_for_off(world: World) -> None:
    made = world.create(switched_on(a_vm(firmware=Firmware.UEFI, machine_type=MachineType.Q35)))
    world.refuse(
        Replace(intent=replace(made, secure_boot=True)), InvalidIntent, "secure_boot", "switch it off"
    )


def test_what_is_a_machine_s_for_ever(world: World) -> None:
    made = world.create(a_vm())
    world.refuse(
        Replace(intent=replace(made, vtpm=True)), InvalidIntent, "vtpm", "cannot change from false to true"
    )
    world.refuse(Replace(intent=a_vm(cluster="c2")), InvalidIntent, "cluster", "from c1 to c2")


def test_other_changes_are_taken_while_it_runs(world: World) -> None:
    vm = placed(world, switched_on(a_vm()))
    after = world.replace(
        vm, memory_mib=1024, num_vcpus=4, categories=(CategoryId("web"),), disks=(empty_disk(),)
    )
    assert (after.memory_mib, after.num_vcpus, len(after.disks)) == (1024, 4, 1)
    assert (after.host, after.generation_id) == (vm.host, vm.generation_id)


def test_a_file_without_what_we_decide_changes_nothing(world: World) -> None:
    world.create(an_image())
    file = a_vm(disks=(Disk(image=ImageId("debian")), empty_disk(4), empty_disk(4)), vtpm=True)
    vm = placed(world, file)
    done = world.admit(Replace(intent=file))
    assert done[0].after is done[0].before
    assert done[0].after == vm


def test_what_a_guest_is_told_stays_until_it_is_told_other_things(world: World) -> None:
    told = GuestCustomization(user_data=Sealed("a"))
    vm = world.create(a_vm(customization=told))
    assert world.replace(vm, customization=GuestCustomization(), memory_mib=600).customization == told
    other = GuestCustomization(meta_data=Sealed("b"))
    assert world.replace(vm, customization=other).customization == other


def test_memory_that_no_host_has_is_refused(world: World) -> None:
    world.create(a_vm(memory_mib=4096))
    world.largest_memory_mib = 2048
    world.refuse(
        Create(intent=a_vm("vm2", memory_mib=2049)),
        InvalidIntent,
        "memory_mib",
        "2049 MiB are more than any host has: the largest can give 2048",
    )
    world.create(a_vm("vm2", memory_mib=2048))
    vm = world.stored(Kind.VM, "vm1")  # it was there before, and may be given less
    assert world.replace(vm, memory_mib=3000).memory_mib == 3000
    world.refuse(
        Replace(intent=replace(vm, memory_mib=4097)), InvalidIntent, "memory_mib", "more than any host"
    )


def test_a_start_waits_for_copies_of_its_disks(world: World) -> None:
    vm = world.replace(placed(world, switched_on(a_vm(disks=(empty_disk(),)))), power_state=PowerState.OFF)
    world.create(a_vm("copy", disks=(COPY,)))
    world.create(an_image("made", source_vm=vm.id))
    start = Replace(intent=switched_on(vm))
    world.refuse_in_use(start, "power_state", "images/made", "vms/copy")
    world.admit(place("copy", "h1"))
    world.refuse_in_use(start, "power_state", "images/made")
    world.admit(bytes_of("made", format=ImageFormat.RAW))
    assert world.admit(start)[0].after.is_on  # type: ignore[union-attr]


def test_nothing_changes_under_a_migration(world: World) -> None:
    vm = placed(world, switched_on(a_vm(disks=(empty_disk(),))))
    world.create(nic_of(id="old"))
    world.create(a_migration())
    vm = world.replace(vm, memory_mib=600)  # it is still QUEUED
    advanced(world, "m1", Stage.PREPARING)
    for field, value in (
        ("memory_mib", 700),
        ("num_vcpus", 2),
        ("disks", ()),
        ("power_state", PowerState.OFF),
        ("reset_epoch", 1),
        ("cpu_model", "EPYC"),
    ):
        edit = Replace(intent=replace(vm, **{field: value}))
        world.refuse_in_use(edit, field, "vmMigrations/m1")
    assert world.replace(vm, description="on its way").description == "on its way"
    advanced(world, "m1", Stage.ABORTING, Stage.FAILED)
    assert world.replace(vm, memory_mib=700).memory_mib == 700
