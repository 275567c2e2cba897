"""Disks with real qemu-img: full copies, never of a disk in use, never half made, never outside the store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from netctl_compute.assignment import ComputeAssignment, DiskExport, Firmware, GuestCustomization, VmRole
from netctl_compute.problem import Problem
from netctl_compute.storage_state import VmStorage

from netctl.loop import wait_until
from tests.functional.compute import killed_copy
from tests.functional.compute.storage_parts import (
    MIB,
    READY_S,
    Room,
    clone_of,
    disk,
    in_use,
    machine,
    qcow2,
    reads,
    run,
    write,
)

PASSWD = Path("/etc/passwd")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    storage = Room(tmp_path)
    yield storage
    storage.storage.stop()


def test_an_empty_disk_and_one_of_an_image_are_made_and_grown(room: Room, tmp_path: Path) -> None:
    sha256 = room.shelf.add("debian", qcow2(tmp_path, 8 * MIB, 7))
    empty, copied = disk(4 * MIB), disk(16 * MIB, image="debian", sha256=sha256)
    as_image = disk(image="debian", sha256=sha256)
    vm = machine(empty, copied, as_image)
    (found,) = room.settle(vm)
    assert found.ready, found
    assert found.disk_bytes == {empty.uid: 4 * MIB, copied.uid: 16 * MIB, as_image.uid: 8 * MIB}
    assert {each.format for each in found.disks.values()} == {"qcow2"}
    path = found.disks[copied.uid].path
    assert reads(path, 7)
    assert reads(path, 0, at=MIB, length=15 * MIB)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(room.shelf.offsets) == 1  # two disks, one image, one transfer
    larger = replace(vm, disks=(replace(empty, size_bytes=9 * MIB), copied, as_image))
    assert room.storage.look(larger).to_grow == {empty.uid: 9 * MIB}
    assert room.settle(larger)[0].disk_bytes[empty.uid] == 9 * MIB
    assert not room.storage.look(larger).to_grow


def test_a_clone_and_a_deployed_disk_need_nothing_of_what_they_came_from(room: Room, tmp_path: Path) -> None:
    sha256 = room.shelf.add("debian", qcow2(tmp_path, 8 * MIB, 7))
    source = machine(disk(image="debian", sha256=sha256))
    room.settle(source)
    clone = machine(clone_of(source, 12 * MIB))
    (found,) = room.settle(clone)
    path = found.disks[clone.disks[0].uid].path
    source_path = room.store.disk(source.uid, source.disks[0].uid)
    assert reads(path, 7)
    write(path, 9)
    assert reads(source_path, 7)
    write(source_path, 11, at=2 * MIB)
    assert reads(path, 0, at=2 * MIB)
    room.store.image(sha256).unlink()
    room.settle(replace(source, role=VmRole.REMOVE), clone)
    assert room.files() == [f"vms/{clone.uid}/{path.name}"]
    assert reads(path, 9)
    run("qemu-img", "check", "-q", "-f", "qcow2", path)
    assert "backing" not in run("qemu-img", "info", "-f", "qcow2", path)


def test_a_disk_in_use_is_not_copied_grown_exported_or_removed(room: Room) -> None:
    source = machine(disk(4 * MIB))
    room.settle(source)
    path = room.store.disk(source.uid, source.disks[0].uid)
    clone = machine(clone_of(source))
    order = DiskExport(image="made", vm_uid=source.uid, disk=source.disks[0].uid)
    with in_use(path):
        assert room.settle(clone)[0].reason == "DISK_IN_USE"
        with pytest.raises(Problem, match="lock"):
            room.storage.prepare(replace(source, disks=(replace(source.disks[0], size_bytes=8 * MIB),)))
        room.pass_of(source)  # nobody waits for a copy of it any more
        with pytest.raises(Problem, match="is used by a running virtual machine"):
            room.storage.remove(replace(source, role=VmRole.REMOVE))
        wait_until(lambda: room.storage.export((order,))[0].problem, timeout_s=READY_S, what="it is refused")
        assert "made" not in room.shelf.images
        assert room.files() == [f"vms/{source.uid}/{path.name}"]
        # A migration's destination sees the disk of the source, and leaves it alone.
        placeholder = replace(
            source, role=VmRole.PLACEHOLDER, disks=(replace(source.disks[0], size_bytes=8 * MIB),)
        )
        assert room.settle(placeholder)[0].ready
    wait_until(lambda: room.pass_of(clone)[0].ready, timeout_s=READY_S, what="it is tried again")


def test_a_source_that_is_not_there_is_named(room: Room) -> None:
    missing = machine(disk(MIB))
    clone = machine(clone_of(missing))
    (found,) = room.settle(clone)
    assert found.reason == "SOURCE_MISSING"
    assert missing.uid in found.problem
    assert room.files() == []


def test_a_machine_is_removed_once_its_copies_are_made(room: Room) -> None:
    source = machine(disk(4 * MIB))
    room.settle(source)
    write(room.store.disk(source.uid, source.disks[0].uid), 5)
    clone, removed = machine(clone_of(source)), replace(source, role=VmRole.REMOVE)
    assert room.storage.look(clone).reason == "DISK_MISSING"
    with pytest.raises(Problem, match=clone.uid) as raised:
        room.storage.remove(removed)
    assert raised.value.reason == "BEING_COPIED"
    room.settle(clone)
    assert reads(room.store.disk(clone.uid, clone.disks[0].uid), 5)
    room.settle(removed)
    assert room.files() == [f"vms/{clone.uid}/{clone.disks[0].uid}.qcow2"]


def test_a_copy_that_is_not_wanted_any_more_keeps_nothing(room: Room) -> None:
    source = machine(disk(4 * MIB))
    room.settle(source)
    room.storage.look(machine(clone_of(source)))
    room.pass_of(source)
    room.settle(replace(source, role=VmRole.REMOVE))
    assert room.files() == []


def test_a_placeholder_gets_empty_disks_of_the_right_size(room: Room) -> None:
    wanted = disk(6 * MIB, image="never-fetched", sha256="0" * 64)
    (found,) = room.settle(machine(wanted, role=VmRole.PLACEHOLDER))
    assert found.ready
    assert found.disk_bytes == {wanted.uid: 6 * MIB}
    assert room.shelf.offsets == []


def test_what_is_not_ours_in_place_of_a_disk_is_told_and_left(room: Room, tmp_path: Path) -> None:
    vm = machine(disk(4 * MIB))
    path = room.store.disk(vm.uid, vm.disks[0].uid)
    room.store.part(path)
    path.write_bytes(b"not qcow2 at all")
    with pytest.raises(Problem, match="is not qcow2"):
        room.storage.prepare(vm)
    assert room.storage.look(vm).reason == "DISK_BROKEN"
    assert path.read_bytes() == b"not qcow2 at all"
    path.unlink()
    path.symlink_to(PASSWD)
    with pytest.raises(Problem, match="not a plain file"):
        room.storage.prepare(vm)
    assert room.storage.look(vm).reason == "STORE_BROKEN"
    path.unlink()
    room.store.vm_directory(vm.uid).rmdir()
    room.store.vm_directory(vm.uid).symlink_to("/etc")
    with pytest.raises(Problem, match="not a directory"):
        room.storage.prepare(vm)
    room.store.vm_directory(vm.uid).unlink()
    assert room.settle(vm)[0].ready


@pytest.mark.parametrize("uid", ["../../etc", "web1", "/etc/passwd"])
def test_a_machine_or_disk_whose_uid_is_a_path_is_refused(room: Room, uid: str) -> None:
    of_image = disk(MIB, image="i", sha256="0" * 64)
    bad = (
        replace(machine(of_image), uid=uid),
        machine(replace(of_image, uid=uid)),
        machine(replace(of_image, image_sha256=uid)),
    )
    for vm in bad:
        with pytest.raises(Problem, match=r"not a UUID|not 64 hex"):
            room.storage.prepare(vm)
        assert room.storage.look(vm).reason == "BAD_ID"
        removed = replace(vm, role=VmRole.REMOVE)
        assert room.storage.look(removed).absent == (vm is bad[2])
        # It is set aside: the others' storage is cared for.
        room.storage.tidy(ComputeAssignment(host="h1", revision=1, epoch=1, vms=(vm,)))
    assert room.files() == []


def test_everything_of_a_machine_goes_unless_another_host_uses_it(room: Room) -> None:
    told = GuestCustomization(user_data="geheim")
    vm = replace(machine(disk(MIB)), firmware=Firmware.UEFI, customization=told)
    (found,) = room.settle(vm)
    assert found.ready
    assert found.firmware is not None
    assert found.seed is not None
    assert found.firmware.variables.stat().st_size > 0
    secure = room.settle(replace(vm, secure_boot=True))[0].firmware
    assert secure is not None
    assert secure.variables != found.firmware.variables
    assert "secboot" in secure.code.name
    kept = replace(vm, role=VmRole.REMOVE, keep_disks=True, customization=None)
    before = room.files()
    assert not room.storage.look(kept).absent
    assert room.settle(kept)[0].absent
    assert room.files() == before
    assert not found.seed.path.exists()
    removed = replace(kept, keep_disks=False)
    assert room.storage.look(removed).disk_bytes.keys() == {vm.disks[0].uid}
    assert room.settle(removed)[0].absent
    assert room.files() == []
    assert not room.store.vm_directory(vm.uid).exists()


def test_an_export_is_an_image_of_the_disk(room: Room, tmp_path: Path) -> None:
    vm = machine(disk(8 * MIB))
    room.settle(vm)
    write(room.store.disk(vm.uid, vm.disks[0].uid), 5, at=3 * MIB)
    orders = (
        DiskExport(image="golden", vm_uid=vm.uid, disk=vm.disks[0].uid),
        DiskExport(image="none", vm_uid=vm.uid, disk=str(uuid4())),
    )
    reports = wait_until(
        lambda: [each for each in [room.storage.export(orders)] if each[0].done and each[1].problem],
        timeout_s=READY_S,
        what="one export is done, the other refused",
    )[0]
    assert reports[0].progress_percent == 100
    assert "is not in this host's store" in reports[1].problem
    assert list(room.shelf.images) == ["golden"]
    made = tmp_path / "golden.qcow2"
    made.write_bytes(room.shelf.images["golden"])
    assert reads(made, 5, at=3 * MIB)
    assert room.files() == [f"vms/{vm.uid}/{vm.disks[0].uid}.qcow2"]
    # Done stays done until it is not ordered any more; ordered again it is made again.
    room.shelf.images.clear()
    assert room.storage.export(orders[:1])[0].done
    room.storage.export(())
    assert not room.storage.export(orders[:1])[0].done


def test_an_agent_killed_in_the_middle_of_a_copy_leaves_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", killed_copy.__name__, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as agent:
        try:
            assert agent.stdout is not None
            words = agent.stdout.readline().split()
            assert words[:1] == ["copying"], "the copy was over before it could be stopped"
        finally:
            agent.kill()
    _, vm_uid, disk_uid, qemu_img = words
    try:
        wait_until(lambda: not Path(f"/proc/{qemu_img}").exists(), timeout_s=5, what="qemu-img dies, too")
    finally:
        with suppress(ProcessLookupError):
            os.kill(int(qemu_img), signal.SIGKILL)
    room = Room(tmp_path)
    half = [name for name in room.files() if name.endswith(".part")]
    assert len(half) == 1
    assert (room.store.directory / half[0]).stat().st_size > 0
    room.pass_of()
    assert [name for name in room.files() if vm_uid in name] == []
    # The same machine, assigned again, gets nothing of it.
    vm = machine(disk(killed_copy.SIZE_BYTES, uid=disk_uid), uid=vm_uid)
    assert room.settle(vm)[0].ready
    assert reads(room.store.disk(vm_uid, disk_uid), 0)
    assert reads(tmp_path / "source.qcow2", killed_copy.PATTERN)
    room.storage.stop()


def test_work_that_nobody_wants_any_more_ends_and_leaves_nothing(room: Room, tmp_path: Path) -> None:
    path = tmp_path / "large.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", path, str(64 * MIB))
    write(path, 7, length=64 * MIB)
    vm = machine(disk(image="large", sha256=room.shelf.add("large", path.read_bytes())))
    wait_until(
        lambda: room.pass_of(vm)[0].reason == "DISK_COPYING", timeout_s=READY_S, what="it is being made"
    )
    room.pass_of()
    removed = replace(vm, role=VmRole.REMOVE)
    assert room.settle(removed)[0].absent
    assert [name for name in room.files() if vm.uid in name] == []


@pytest.fixture
def small_store(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    small = tmp_path / "store"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small)
    yield tmp_path
    run("umount", small)


def test_a_full_store_is_told_and_nothing_is_left(
    small_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    room = Room(small_store)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    large, small = qcow2(elsewhere, 64 * MIB), qcow2(elsewhere, MIB)
    path = elsewhere / "large.qcow2"
    path.write_bytes(large)
    write(path, 3, length=16 * MIB)
    too_large = machine(disk(image="l", sha256=room.shelf.add("l", path.read_bytes())))
    fits = machine(disk(image="s", sha256=room.shelf.add("s", small)))
    refused, made = room.settle(too_large, fits)
    assert (refused.reason, made.ready) == ("STORE_FULL", True)
    assert [name for name in room.files() if too_large.uid in name or name.endswith(".part")] == []
    source = machine(disk(32 * MIB))
    room.settle(source)
    write(room.store.disk(source.uid, source.disks[0].uid), 3, length=4 * MIB)
    clone = machine(clone_of(source))
    found: VmStorage = room.settle(clone)[0]
    assert found.reason == "STORE_FULL", found.problem
    assert [name for name in room.files() if clone.uid in name] == []
    room.storage.stop()
