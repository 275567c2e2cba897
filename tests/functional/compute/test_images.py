"""Images with real qemu-img: hostile ones are refused and leave nothing; transfers go on where they broke off."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
from netctl_compute.assignment import VmRole
from netctl_compute.image_cache import KEPT_S

from tests.functional.compute.storage_parts import (
    MIB,
    READY_S,
    ImageShelf,
    Room,
    cdrom,
    disk,
    in_use,
    machine,
    qcow2,
    reads,
    run,
    write,
)

PASSWD = "/etc/passwd"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    storage = Room(tmp_path)
    yield storage
    storage.storage.stop()


def _with_backing_file(path: Path) -> None:
    run("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", PASSWD, "-F", "raw", path, "1M")


def _with_backing_file_in_disguise(path: Path) -> None:
    name = f'json:{{"driver": "raw", "file.filename": "{PASSWD}"}}'
    run("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", name, "-F", "raw", path, "1M")


def _with_data_file(path: Path) -> None:
    data = path.with_suffix(".data")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={data},data_file_raw=on", path, "1M")
    data.unlink()


def _truncated(path: Path) -> None:
    run("qemu-img", "create", "-q", "-f", "qcow2", path, "8M")
    write(path, 7, length=4 * MIB)
    os.truncate(path, 2 * MIB)


def _truncated_in_its_tables(path: Path) -> None:
    run("qemu-img", "create", "-q", "-f", "qcow2", path, "8M")
    os.truncate(path, 65536)


def _of_a_huge_size(path: Path) -> None:
    run("qemu-img", "create", "-q", "-f", "qcow2", path, f"{65 << 40}")


def _encrypted(path: Path) -> None:
    secret = ("--object", "secret,id=s,data=geheim")
    options = "encrypt.format=aes,encrypt.key-secret=s"
    run("qemu-img", "create", "-q", *secret, "-f", "qcow2", "-o", options, path, "1M")


def _marked_as_corrupt(path: Path) -> None:
    run("qemu-img", "create", "-q", "-f", "qcow2", path, "1M")
    with path.open("r+b") as file:
        file.seek(79)
        file.write(b"\x02")


def _with_a_table_in_nowhere(path: Path) -> None:
    run("qemu-img", "create", "-q", "-f", "qcow2", path, "1M")
    with path.open("r+b") as file:
        file.seek(40)
        file.write((1 << 50).to_bytes(8, "big"))


def _empty(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_with_backing_file, "backing file"),
        (_with_backing_file_in_disguise, "backing file"),
        (_with_data_file, "data file"),
        (_truncated, "truncated or corrupt"),
        (_truncated_in_its_tables, "corrupt|info ended"),
        (_of_a_huge_size, "64 TiB"),
        (_encrypted, "encrypted"),
        (_marked_as_corrupt, "corrupt"),
        (_with_a_table_in_nowhere, "corrupt|info ended"),
        (_empty, "0 bytes"),
    ],
)
def test_a_hostile_image_is_refused_and_leaves_nothing(
    room: Room, tmp_path: Path, make: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "hostile.qcow2"
    make(path)
    hostile = room.shelf.add("hostile", path.read_bytes())
    sound = room.shelf.add("sound", qcow2(tmp_path, MIB, 7))
    bad = machine(disk(image="hostile", sha256=hostile), cdrom("hostile", hostile))
    good = machine(disk(image="sound", sha256=sound))
    refused, made = room.settle(bad, good)
    assert refused.reason == "IMAGE_REFUSED", refused
    assert re.search(words, refused.problem), refused
    assert not refused.disks
    assert made.ready
    assert room.files() == [f"images/{sound}", f"vms/{good.uid}/{good.disks[0].uid}.qcow2"]
    assert b"root:" not in b"".join((room.store.directory / name).read_bytes() for name in room.files())


def test_what_only_looks_like_another_format_is_raw(room: Room) -> None:
    # QEMU, asked, would take this for a VMDK whose data is another file.
    descriptor = f'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 8 FLAT "{PASSWD}" 0\n'
    data = descriptor.encode().ljust(4096, b"\n")
    vm = machine(disk(image="vmdk", sha256=room.shelf.add("vmdk", data)))
    (found,) = room.settle(vm)
    assert found.ready, found
    path = found.disks[vm.disks[0].uid].path
    raw = path.with_suffix(".raw")
    run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, raw)
    assert raw.read_bytes() == data


def test_an_image_larger_than_the_disk_is_refused_before_it_is_copied(room: Room, tmp_path: Path) -> None:
    sha256 = room.shelf.add("large", qcow2(tmp_path, 40 << 40))
    vm = machine(disk(MIB, image="large", sha256=sha256))
    (found,) = room.settle(vm)
    assert found.reason == "IMAGE_TOO_LARGE"
    assert room.files() == [f"images/{sha256}"]


def test_other_bytes_than_assigned_are_refused(room: Room, tmp_path: Path) -> None:
    vm = machine(disk(image="debian", sha256="0" * 64))
    room.shelf.add("debian", qcow2(tmp_path, MIB, 7))
    (found,) = room.settle(vm)
    assert found.reason == "IMAGE_CHANGED"
    assert room.files() == []


def test_an_image_that_the_controller_lacks_is_named(room: Room) -> None:
    vm = machine(disk(image="nothing", sha256="0" * 64))
    (found,) = room.settle(vm)
    assert found.reason == "CONTROLLER_UNAVAILABLE"
    assert "nothing" in found.problem


def test_a_transfer_that_broke_off_goes_on_also_after_a_restart(tmp_path: Path) -> None:
    shelf = ImageShelf(breaks_after=[2 * MIB, 3 * MIB])
    path = tmp_path / "large.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", path, "8M")
    write(path, 7, length=6 * MIB)
    sha256 = shelf.add("large", path.read_bytes())
    vm = machine(disk(image="large", sha256=sha256))
    for _ in range(2):
        room = Room(tmp_path, shelf=shelf)
        assert room.settle(vm)[0].reason == "CONTROLLER_UNAVAILABLE"
        room.storage.stop()
    room = Room(tmp_path, shelf=shelf)
    assert room.settle(vm)[0].ready
    assert shelf.offsets == [0, 2 * MIB, 3 * MIB]
    assert reads(room.store.disk(vm.uid, vm.disks[0].uid), 7, length=6 * MIB)
    room.storage.stop()


def test_two_hosts_of_a_store_may_fetch_the_same_at_once(tmp_path: Path) -> None:
    together = Barrier(2)
    shelf = ImageShelf(before_read=lambda: together.wait(READY_S))
    sha256 = shelf.add("debian", qcow2(tmp_path, MIB, 7))
    rooms = [Room(tmp_path, host, shelf) for host in ("h1", "h2")]
    vms = [machine(disk(image="debian", sha256=sha256)) for _ in rooms]
    assert rooms[0].store.id == rooms[1].store.id
    for room, vm in zip(rooms, vms, strict=True):
        room.storage.prepare(vm)
    for room, vm in zip(rooms, vms, strict=True):
        assert room.settle(vm)[0].ready
    for room in rooms:
        room.storage.stop()
    assert shelf.offsets == [0, 0]
    disks = [f"vms/{vm.uid}/{vm.disks[0].uid}.qcow2" for vm in vms]
    assert rooms[0].files() == sorted([f"images/{sha256}", *disks])


def test_an_image_stays_while_it_is_used(room: Room, tmp_path: Path) -> None:
    sha256 = room.shelf.add("iso", b"\0" * 65536)
    other = room.shelf.add("debian", qcow2(tmp_path, MIB, 7))
    vm = machine(cdrom("iso", sha256), disk(image="debian", sha256=other))
    (found,) = room.settle(vm)
    assert found.ready
    medium = found.disks[vm.disks[0].uid]
    assert (medium.format, medium.read_only) == ("raw", True)
    assert found.disk_bytes[vm.disks[0].uid] == 65536

    def age() -> None:
        for path in (room.store.image(sha256), room.store.image(other)):
            if path.exists():
                os.utime(path, (path.stat().st_mtime - KEPT_S - 60,) * 2)

    gone = replace(vm, role=VmRole.REMOVE)
    room.pass_of(gone)
    assert room.store.image(sha256).exists()  # another host of the store may have begun to need it
    assert room.settle(vm)[0].ready
    age()
    room.pass_of(vm)
    # The disk that was made of the other one does not need it any more.
    assert [room.store.image(each).exists() for each in (sha256, other)] == [True, False]
    age()
    with in_use(room.store.image(sha256), medium=True):
        room.pass_of(gone)
        assert room.store.image(sha256).exists()  # a guest of another host has it in its drive
    room.pass_of(gone)
    assert not room.store.image(sha256).exists()
