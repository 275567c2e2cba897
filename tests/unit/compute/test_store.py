"""The store: paths of checked ids alone, one id for all hosts, nothing taken that is there, nothing left half made."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Barrier, Thread
from uuid import uuid4

import pytest
from netctl_compute.problem import Problem
from netctl_compute.saved_store import open_store
from netctl_compute.store import FOREIGN_PART_S, ID_FILE, Store

VM, DISK, SHA256 = str(uuid4()), str(uuid4()), "a" * 64
NO_UUIDS = (
    "",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "web1",
    VM.upper(),
    VM + "/..",
    "{" + VM + "}",
    VM.replace("-", ""),
    VM + "\n",
    VM + "\0",
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "h1")


@pytest.mark.parametrize("uid", NO_UUIDS)
def test_what_is_no_uuid_is_no_part_of_a_path(store: Store, uid: str) -> None:
    assert store.disk(VM, DISK) == store.directory / "vms" / VM / f"{DISK}.qcow2"
    for make in (
        lambda: store.disk(uid, DISK),
        lambda: store.disk(VM, uid),
        lambda: store.nvram(uid, secure_boot=False),
        lambda: store.vm_files(uid),
        lambda: store.remove_vm(uid),
    ):
        with pytest.raises(Problem, match="not a UUID") as raised:
            make()
        assert raised.value.reason == "BAD_ID"


@pytest.mark.parametrize("sha256", ["", "../" * 20, "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n"])
def test_what_is_no_sha256_is_no_part_of_a_path(store: Store, sha256: str) -> None:
    assert store.image(SHA256) == store.directory / "images" / SHA256
    with pytest.raises(Problem, match="64 hexadecimal digits"):
        store.image(sha256)


def test_hosts_that_open_it_at_once_get_one_id(tmp_path: Path) -> None:
    count = 8
    ids: list[str] = []
    barrier = Barrier(count)

    def open_it(number: int) -> None:
        barrier.wait()
        ids.append(Store(tmp_path / "store", f"h{number}").id)

    threads = [Thread(target=open_it, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == count
    assert set(ids) == {(tmp_path / "store" / ID_FILE).read_text().strip()}
    assert sorted(os.listdir(tmp_path / "store")) == [ID_FILE, "images", "vms"]


def test_a_store_that_was_unmounted_is_not_made_anew(tmp_path: Path, store: Store) -> None:
    Store(tmp_path / "store", "h1", known_id=store.id).check()
    (store.directory / ID_FILE).unlink()
    with pytest.raises(Problem, match="is it mounted"):
        Store(tmp_path / "store", "h1", known_id=store.id)
    with pytest.raises(Problem, match="is it mounted"):
        store.part(store.disk(VM, DISK))
    assert not store.vm_directory(VM).exists()


def test_a_host_keeps_to_the_store_that_it_had(tmp_path: Path) -> None:
    first = open_store(tmp_path / "store", "h1", tmp_path / "state")
    assert open_store(tmp_path / "store", "h1", tmp_path / "state").id == first.id
    (tmp_path / "store").rename(tmp_path / "mounted-later")
    with pytest.raises(Problem, match="is it mounted"):
        open_store(tmp_path / "store", "h1", tmp_path / "state")
    assert list((tmp_path / "store").iterdir()) == []
    (tmp_path / "store").rmdir()
    (tmp_path / "mounted-later").rename(tmp_path / "store")
    assert open_store(tmp_path / "store", "h1", tmp_path / "state").id == first.id


@pytest.mark.parametrize("content", ["", "not an id\n", "../\n"])
def test_an_id_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / ID_FILE).write_text(content)
    with pytest.raises(Problem):
        Store(tmp_path, "h1")
    assert (tmp_path / ID_FILE).read_text() == content


def test_the_first_to_publish_wins(store: Store) -> None:
    final = store.disk(VM, DISK)
    other = Store(store.directory, "h2")
    with store.new_part(final) as first, other.new_part(final) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
        assert store.publish(first, final)
        assert not other.publish(second, final)
    assert final.read_text() == "first"
    assert store.vm_files(VM) == (final.name,)
    assert final.stat().st_mode & 0o777 == 0o600


def test_nothing_is_left_of_what_failed(store: Store) -> None:
    def fail() -> None:
        with store.new_part(store.disk(VM, DISK)) as part:
            part.write_text("half")
            raise ValueError("on the way")

    with pytest.raises(ValueError, match="on the way"):
        fail()
    assert store.vm_files(VM) == ()


def test_links_are_not_followed(tmp_path: Path, store: Store) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    secret = outside / f"{DISK}.qcow2"
    secret.write_text("not ours")
    store.vm_directory(VM).symlink_to(outside)
    for use in (
        lambda: store.has(store.disk(VM, DISK)),
        lambda: store.part(store.disk(VM, DISK)),
        lambda: store.remove_vm(VM),
        lambda: store.vm_files(VM),
    ):
        with pytest.raises(Problem, match="is not a directory"):
            use()
    store.vm_directory(VM).unlink()
    store.part(store.disk(VM, DISK))
    store.disk(VM, DISK).symlink_to(secret)
    with pytest.raises(Problem, match="not a plain file"):
        store.has(store.disk(VM, DISK))
    with pytest.raises(Problem, match="not a plain file"):
        store.remove_vm(VM)
    assert secret.read_text() == "not ours"


def test_removal_takes_the_files_of_one_machine_and_refuses_strange_ones(store: Store) -> None:
    other = str(uuid4())
    for vm in (VM, other):
        with store.new_part(store.disk(vm, DISK)) as part:
            store.publish(part, store.disk(vm, DISK))
    strange = store.vm_directory(VM) / "notes.txt"
    strange.write_text("by hand")
    with pytest.raises(Problem, match=r"not ours: notes\.txt"):
        store.remove_vm(VM)
    assert store.has(store.disk(VM, DISK))
    strange.unlink()
    store.remove_vm(VM)
    assert not store.vm_directory(VM).exists()
    assert store.has(store.disk(other, DISK))
    store.remove_vm(VM)


def test_a_sweep_takes_what_nobody_makes(store: Store) -> None:
    other = Store(store.directory, "h2")
    ours, making, theirs, old = (str(uuid4()) for _ in range(4))
    for owner, vm in ((store, ours), (store, making), (other, theirs), (other, old)):
        owner.part(owner.disk(vm, DISK)).write_text("half")
    store.part(store.image(SHA256)).write_text("half")
    then_s = other.part(other.disk(old, DISK)).stat().st_mtime
    os.utime(other.part(other.disk(old, DISK)), (then_s - FOREIGN_PART_S - 60,) * 2)
    store.sweep({store.part_of(store.disk(making, DISK))}, now_s=then_s)
    assert sorted(path.name for path in (store.directory / "vms").iterdir()) == sorted([making, theirs])
    assert os.listdir(store.directory / "images") == []
