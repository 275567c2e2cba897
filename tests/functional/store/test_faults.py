"""Disks that are full, read-only or fail at the n-th write: refused clearly, nothing by halves, usable after."""

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from netctl.errors import StoreUnavailable
from netctl.loop import wait_until
from netctl.model.intent import Change, key_of
from netctl.store.sqlite import SqliteStore
from tests.unit.server.admission_samples import ANSWER_S, create, key, running
from tests.unit.server.admission_samples import nic as wanted
from tests.unit.store.samples import change, nic

BATCH = 40


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount(disk, "size=1m")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def mount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "netctl-test", str(disk)], check=True)


def batch(revision: int) -> list[Change]:
    return [change(None, nic(1000 * revision + i), revision=revision, index=i) for i in range(BATCH)]


def check_whole(store: SqliteStore, revisions: set[int]) -> None:
    """The batches of these revisions are there, all of each, and nothing else."""
    expected = {entry.key: entry.after for revision in revisions for entry in batch(revision)}
    assert {key_of(one): one for one in store.load().intents} == expected
    assert {entry.key for entry in store.read_changes(limit=100_000)} == set(expected)


def fill_up(disk: Path) -> Path:
    """Leave no byte free; removing the file that is returned frees what it took."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast


def test_a_full_disk_is_told_and_survived(small_disk: Path) -> None:
    path = small_disk / "netctl.db"
    with contextlib.closing(SqliteStore(path)) as store:
        store.commit(batch(1), [])
        ballast = fill_up(small_disk)
        full = 2
        with contextlib.suppress(StoreUnavailable):
            while full < 100:  # the first may find room in the -wal that is there
                store.commit(batch(full), [])
                full += 1
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="the disk is full; free space"):
                store.commit(batch(full), [])
        check_whole(store, set(range(1, full)))  # reads go on
        ballast.unlink()
        store.commit(batch(full), [])
        check_whole(store, set(range(1, full + 1)))
    with contextlib.closing(SqliteStore(path)) as store:
        check_whole(store, set(range(1, full + 1)))


def test_admission_outlives_a_full_disk(small_disk: Path) -> None:
    with contextlib.closing(SqliteStore(small_disk / "netctl.db")) as store, running(store) as admission:
        admission.submit(create(wanted(1))).result(ANSWER_S)
        ballast = fill_up(small_disk)
        many = [wanted(f"many-{i}") for i in range(500)]
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            admission.submit(create(*many, id="many")).result(ANSWER_S)
        assert "the disk is full" in admission.problem()
        assert admission.submit(create(wanted(2), validate_only=True)).result(ANSWER_S).revision == 2
        ballast.unlink()
        wait_until(lambda: not admission.problem(), timeout_s=ANSWER_S, what="ready again by itself")
        answer = admission.submit(create(*many, id="many")).result(ANSWER_S)
        assert (answer.revision, answer.replayed) == (3, False)
        assert admission.snapshot().get(key("many-499")) is not None


def test_a_disk_that_became_read_only_is_told(small_disk: Path) -> None:
    path = small_disk / "netctl.db"
    with contextlib.closing(SqliteStore(path)) as store:
        store.commit(batch(1), [])
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreUnavailable, match="Read-only file system"):
        SqliteStore(path)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    with contextlib.closing(SqliteStore(path)) as store:
        check_whole(store, {1})


def test_no_room_for_a_new_store(small_disk: Path) -> None:
    ballast = fill_up(small_disk)
    path = small_disk / "netctl.db"
    with pytest.raises(StoreUnavailable, match=r"disk is full|No space left"):
        SqliteStore(path)
    ballast.unlink()
    with contextlib.closing(SqliteStore(path)) as store:
        store.commit(batch(1), [])
        check_whole(store, {1})


@contextlib.contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """Let this process write no file past `size` bytes: the n-th write of a commit fails, for some n."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_any_write_of_a_commit_may_fail(tmp_path: Path) -> None:
    """SQLite's own way of testing: fail a little later each time, until the commit passes untouched."""
    path = tmp_path / "netctl.db"
    with contextlib.closing(SqliteStore(path)) as store:
        store.commit(batch(1), [])
        start = path.with_name("netctl.db-wal").stat().st_size
        failures, done = 0, False
        while not done:
            with files_end_at(start + failures * 3000):
                try:
                    store.commit(batch(2), [])
                    done = True
                except StoreUnavailable:
                    failures += 1
            check_whole(store, {1, 2} if done else {1})
        assert failures > 5
        with files_end_at(start), pytest.raises(StoreUnavailable):
            store.commit(batch(3), [])
        store.commit(batch(3), [])
        check_whole(store, {1, 2, 3})
    with contextlib.closing(SqliteStore(path)) as store:
        check_whole(store, {1, 2, 3})
