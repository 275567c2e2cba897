"""Admission of disks: places and identities, what may change of them, and where their content comes from."""

from dataclasses import replace
from typing import Any

import pytest

from netctl.errors import InvalidIntent
from netctl.model.disk import Disk, DiskBus, DiskKind
from netctl.model.image import ImageFormat
from netctl.model.intent import Create, Replace
from netctl.model.keys import ImageId, Kind, Uid, VmId
from netctl.model.vm import MachineType, PowerState, Vm
from tests.compute import GIB, a_vm, an_image, bytes_of, empty_disk, placed, switched_on
from tests.unit.model.world import World, cluster, host

CDROM = Disk(kind=DiskKind.CDROM)
DEBIAN = Disk(image=ImageId("debian"))
Places = list[tuple[DiskBus, int]]


@pytest.fixture
def world() -> World:
    return World(
        cluster(),
        cluster("c2"),
        host("h1", "192.0.2.1/24"),
        an_image(),
        an_image("iso", format=ImageFormat.ISO),
    )


def places(vm: Vm) -> Places:
    return [(disk.bus, disk.index) for disk in vm.disks]


def change(world: World, *disks: Disk, **fields: Any) -> Vm:
    vm: Vm = world.replace(world.stored(Kind.VM, "vm1"), disks=disks, **fields)
    return vm


def refuse(world: World, field: str, text: str, *disks: Disk) -> None:
    vm = world.stored(Kind.VM, "vm1")
    world.refuse(Replace(intent=replace(vm, disks=disks)), InvalidIntent, field, text)


def test_the_lowest_free_places_are_taken(world: World) -> None:
    asked = (CDROM, empty_disk(), empty_disk(index=1, bus=DiskBus.SCSI), empty_disk(), CDROM)
    vm = world.create(a_vm(disks=(*asked, empty_disk(bus=DiskBus.PCI))))
    scsi, ide = DiskBus.SCSI, DiskBus.IDE
    assert places(vm) == [(ide, 0), (scsi, 0), (scsi, 1), (scsi, 2), (ide, 1), (DiskBus.PCI, 0)]
    assert len({disk.uid for disk in vm.disks} | {vm.meta.uid, vm.generation_id}) == 8
    q35 = world.create(a_vm("vm2", disks=(CDROM,), machine_type=MachineType.Q35))
    assert places(q35) == [(DiskBus.SATA, 0)]
    # What is given up is free for the next.
    vm = change(world, *(vm.disks[i] for i in (0, 2, 3, 4, 5)), empty_disk())
    assert places(vm)[-1] == (scsi, 0)


def test_a_bus_is_full_or_missing(world: World) -> None:
    world.refuse(
        Create(intent=a_vm(disks=(CDROM,) * 5)),
        InvalidIntent,
        "disks[4].bus",
        "all 4 places of bus IDE are taken",
    )
    ide = empty_disk(bus=DiskBus.IDE)
    world.refuse(
        Create(intent=a_vm(disks=(ide,), machine_type=MachineType.Q35)),
        InvalidIntent,
        "disks[0].bus",
        "IDE is not in machine_type Q35",
    )
    world.refuse(
        Create(intent=a_vm(disks=(replace(CDROM, index=4),))),
        InvalidIntent,
        "disks[0].index",
        "4 is outside 0 to 3 of bus IDE",
    )
    world.create(a_vm(disks=(empty_disk(index=0),)))
    stored = world.stored(Kind.VM, "vm1").disks[0]
    refuse(world, "disks[1].index", "0 of bus SCSI is used by another disk", stored, empty_disk(2, index=0))


def test_a_disk_is_known_by_what_it_is(world: World) -> None:
    """A file has no uids; applied again, with the disks in another order, it changes nothing."""
    asked = (DEBIAN, empty_disk(1), empty_disk(2), CDROM)
    before = world.create(a_vm(disks=asked))
    after = change(world, *reversed(asked))
    assert [disk.uid for disk in after.disks] == [disk.uid for disk in reversed(before.disks)]
    # One more of the same is another one; the first grows.
    grown = change(world, DEBIAN, empty_disk(3), empty_disk(2), CDROM, empty_disk(2))
    uids = [disk.uid for disk in grown.disks]
    assert uids[:4] == [disk.uid for disk in before.disks]
    assert len(set(uids)) == 5
    assert [disk.size_bytes // GIB for disk in grown.disks] == [0, 3, 2, 0, 2]


def test_uids_are_ours(world: World) -> None:
    """One that is not of this machine's disks says nothing, as in a backup that is put back; nobody else's is taken."""
    vm = world.create(a_vm(disks=(empty_disk(), empty_disk(2))))
    refuse(world, "disks[1].uid", "is listed twice", vm.disks[0], replace(vm.disks[0], index=-1))
    hostile = Uid("../../etc/passwd")
    same = change(world, empty_disk(uid=hostile), vm.disks[1])
    assert same.disks == vm.disks
    other = change(world, *vm.disks, empty_disk(3, uid=hostile)).disks[2]
    assert other.uid not in (hostile, "", *(disk.uid for disk in vm.disks))
    back = world.create(a_vm("vm2", disks=vm.disks))
    assert not {disk.uid for disk in back.disks} & {disk.uid for disk in vm.disks}
    assert [replace(disk, uid=Uid("")) for disk in back.disks] == [
        replace(disk, uid=Uid("")) for disk in vm.disks
    ]


def test_what_may_change_of_a_disk(world: World) -> None:
    vm = placed(world, switched_on(a_vm(disks=(empty_disk(2), replace(CDROM, image=ImageId("iso"))))))
    disk, drive = vm.disks
    grown = change(world, replace(disk, size_bytes=3 * GIB), drive).disks[0]
    assert grown == replace(disk, size_bytes=3 * GIB)
    refuse(world, "disks[0].size_bytes", "may grow, not shrink", replace(grown, size_bytes=2 * GIB), drive)
    refuse(world, "disks[0].bus", "from SCSI to PCI", replace(grown, bus=DiskBus.PCI), drive)
    refuse(world, "disks[0].index", "from 0 to 1", replace(grown, index=1), drive)
    refuse(world, "disks[0].image", "from unset to debian", replace(grown, image=ImageId("debian")), drive)
    refuse(
        world, "disks[0].kind", "from DISK to CDROM", replace(grown, kind=DiskKind.CDROM, size_bytes=0), drive
    )
    empty = change(world, grown, replace(CDROM)).disks[1]
    assert (empty.uid, empty.image) == (drive.uid, "")
    full = change(world, grown, replace(empty, image=ImageId("iso"))).disks[1]
    assert full == drive
    world.admit(bytes_of())
    refuse(world, "disks[1].image", "is QCOW2", grown, replace(full, image=ImageId("debian")))


def test_a_disk_is_as_large_as_its_image(world: World) -> None:
    waiting = world.create(a_vm(disks=(DEBIAN,)))
    assert waiting.disks[0].size_bytes == 0  # nobody knows yet
    world.admit(bytes_of(size_bytes=2 * GIB - 100))
    vm = world.create(a_vm("vm2", disks=(DEBIAN, replace(DEBIAN, size_bytes=5 * GIB))))
    assert [disk.size_bytes for disk in vm.disks] == [2 * GIB, 5 * GIB]
    small = replace(DEBIAN, size_bytes=1 * GIB)
    text = "1073741824 is less than the 2147483648 of images/debian"
    world.refuse(Create(intent=a_vm("vm3", disks=(small,))), InvalidIntent, "disks[0].size_bytes", text)
    refuse(world, "disks[0].size_bytes", text, replace(waiting.disks[0], size_bytes=1 * GIB))
    assert change(world, replace(waiting.disks[0], size_bytes=3 * GIB)).disks[0].size_bytes == 3 * GIB


def test_a_copy_of_a_disk(world: World) -> None:
    source = placed(world, a_vm(disks=(CDROM, empty_disk(4))))
    copy = Disk(source_vm=VmId("vm1"), source_index=1)
    made = world.create(a_vm("copy", disks=(copy, replace(copy, size_bytes=6 * GIB))))
    disk = source.disks[1]
    assert [(one.source_disk, one.source_vm_uid) for one in made.disks] == [(disk.uid, source.meta.uid)] * 2
    assert [one.size_bytes // GIB for one in made.disks] == [4, 6]
    world.refuse(
        Create(intent=a_vm("b", disks=(replace(copy, size_bytes=GIB),))),
        InvalidIntent,
        "disks[0].size_bytes",
        "is less than the 4294967296 of the disk of vms/vm1",
    )
    for index in (0, 2):
        world.refuse(
            Create(intent=a_vm("b", disks=(replace(copy, source_index=index),))),
            InvalidIntent,
            "disks[0].source_index",
            f"vms/vm1 has no disk number {index}",
        )
    world.refuse(
        Create(intent=a_vm("b", "c2", disks=(copy,))),
        InvalidIntent,
        "disks[0].source_vm",
        "of the same cluster",
    )
    world.admit(Replace(intent=world.stored(Kind.VM, "copy")))
    again = world.admit(Replace(intent=a_vm("copy", disks=(copy, replace(copy, size_bytes=6 * GIB)))))
    assert again[0].after is again[0].before


def test_only_what_is_off_is_copied(world: World) -> None:
    placed(world, switched_on(a_vm(disks=(empty_disk(),))))
    copy = Disk(source_vm=VmId("vm1"))
    create = Create(intent=a_vm("copy", disks=(copy,)))
    world.refuse(create, InvalidIntent, "disks[0].source_vm", "vms/vm1 is ON: switch it off")
    change(world, empty_disk(), power_state=PowerState.OFF)
    world.remove(Kind.VM, "vm1")
    world.refuse(create, InvalidIntent, "disks[0].source_vm", "vms/vm1 is being deleted")


def test_a_copy_of_what_was_never_made_is_made_as_that(world: World) -> None:
    world.create(a_vm(disks=(DEBIAN, empty_disk(4))))
    copies = (Disk(source_vm=VmId("vm1")), Disk(source_vm=VmId("vm1"), source_index=1, size_bytes=8 * GIB))
    made = world.create(a_vm("copy", disks=copies))
    first, second = made.disks
    assert (first.image, first.source_vm, first.size_bytes) == ("debian", "", 0)
    assert (second.image, second.source_vm, second.size_bytes) == ("", "", 8 * GIB)
    assert not {disk.uid for disk in made.disks} & {disk.uid for disk in world.stored(Kind.VM, "vm1").disks}


def test_a_disk_that_is_replaced_by_an_older_one_is_a_way_back_in_time(world: World) -> None:
    vm = placed(world, a_vm(disks=(empty_disk(2), CDROM)))
    more = change(world, *vm.disks, DEBIAN)
    assert more.generation_id == vm.generation_id
    blank = change(world, empty_disk(1), *more.disks[1:])
    assert blank.generation_id == vm.generation_id
    restored = change(world, replace(DEBIAN, index=0), *blank.disks[1:])
    assert restored.generation_id not in (vm.generation_id, "")
    assert change(world, *restored.disks, memory_mib=600).generation_id == restored.generation_id
