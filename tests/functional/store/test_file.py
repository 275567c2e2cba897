"""The database file: whose it is, who may read it, which version it has, what is done with a damaged one."""

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netctl.errors import OutOfRange, StoreUnavailable
from netctl.model.intent import key_of
from netctl.store import schema
from netctl.store.records import REMEMBER_S
from netctl.store.sqlite import SqliteStore
from tests.unit.store.samples import change, nic


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "netctl.db"


def fill(path: Path, revisions: int = 3) -> None:
    """Make a store of one NIC a revision."""
    with opened(path) as store:
        for revision in range(1, revisions + 1):
            store.commit([change(None, nic(revision), revision=revision)], [])


@contextlib.contextmanager
def opened(path: Path, **more: float) -> Iterator[SqliteStore]:
    with contextlib.closing(SqliteStore(path, **more)) as store:
        yield store


def edit(path: Path, *statements: str) -> None:
    """Change the file behind the store's back."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_only_the_owner_can_read_it(path: Path) -> None:
    with opened(path) as store:
        store.commit([change(None, nic(1), revision=1)], [])
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    names = ("netctl.db", "netctl.db-wal", "netctl.db-shm", "netctl.db.lock")
    assert modes == dict.fromkeys(names, 0o600)


def test_a_commit_waits_for_the_medium(path: Path) -> None:
    with opened(path) as store, contextlib.closing(sqlite3.connect(path)) as reader:
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store._writer is not None
        assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_one_controller_at_a_time(path: Path) -> None:
    code = "import sys; from netctl.store.sqlite import SqliteStore; SqliteStore(sys.argv[1])"
    command = [sys.executable, "-c", code, str(path)]
    with opened(path):
        with pytest.raises(StoreUnavailable, match=rf"another controller \(process {os.getpid()}\)"):
            SqliteStore(path)
        other = subprocess.run(command, capture_output=True, text=True, check=False)
        assert f"in use by another controller (process {os.getpid()})" in other.stderr
    assert subprocess.run(command, check=False).returncode == 0
    with opened(path):
        pass


def test_a_live_store_can_be_read_and_copied_by_others(path: Path, tmp_path: Path) -> None:
    fill(path)
    with opened(path) as store:
        store.commit([change(None, nic(4), revision=4)], [])
        with contextlib.closing(sqlite3.connect(path)) as reader:
            assert reader.execute("SELECT max(revision) FROM changes").fetchone() == (4,)
            with contextlib.closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
                reader.backup(copy)
        store.commit([change(None, nic(5), revision=5)], [])
    with opened(tmp_path / "copy.db") as copied:
        assert copied.load().revision == 4


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    fill(path)
    edit(path, f"PRAGMA user_version = {schema.VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(
        StoreUnavailable, match=rf"version {schema.VERSION + 1}, .*reads up to {schema.VERSION}"
    ):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    edit(path, "CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="another program"):
        SqliteStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("size", [1, 100, 4096, 100_000])
def test_garbage_is_refused_and_left_alone(path: Path, size: int) -> None:
    garbage = bytes(i * 7 % 251 for i in range(size))
    path.write_bytes(garbage)
    with pytest.raises(StoreUnavailable, match="not a database"):
        SqliteStore(path)
    assert path.read_bytes() == garbage


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch(0o600)
    with opened(path) as store:
        assert store.load().revision == 0


def test_a_damaged_page_is_told(path: Path) -> None:
    fill(path, revisions=200)
    with path.open("r+b") as file:
        for page in range(1, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 200)
    with pytest.raises(StoreUnavailable, match="restore a backup"), opened(path) as store:
        store.load()


@pytest.mark.parametrize("missing", ["directory", "name"])
def test_a_path_that_cannot_be_is_told(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "absent" / "netctl.db" if missing == "directory" else tmp_path
    with pytest.raises(StoreUnavailable, match=r"check the path|cannot be opened"):
        SqliteStore(path)


def test_a_truncated_log_of_writes_loses_the_end_and_nothing_else(tmp_path: Path) -> None:
    """What another program cut off the -wal is lost; what is left is the store as it once was."""
    source = tmp_path / "source"
    source.mkdir()
    with opened(source / "netctl.db") as store:
        for revision in range(1, 21):
            nics = [nic(100 * revision + i) for i in range(3)]
            store.commit([change(None, one, revision=revision, index=i) for i, one in enumerate(nics)], [])
        files = {name: (source / name).read_bytes() for name in ("netctl.db", "netctl.db-wal")}
    seen = set()
    for number, size in enumerate(range(0, len(files["netctl.db-wal"]) + 1, 9001)):
        copy = tmp_path / str(number)
        copy.mkdir()
        (copy / "netctl.db").write_bytes(files["netctl.db"])
        (copy / "netctl.db-wal").write_bytes(files["netctl.db-wal"][:size])
        with opened(copy / "netctl.db") as store:
            loaded = store.load()
            seen.add(loaded.revision)
            assert len(loaded.intents) == len(store.read_changes(limit=1000)) == 3 * loaded.revision
    assert len(seen) > 5


MIGRATION = (
    "ALTER TABLE changes ADD COLUMN note TEXT",
    "CREATE TABLE extra (x) STRICT",
)


def test_an_older_schema_is_copied_and_migrated(path: Path) -> None:
    fill(path)
    good = ("CREATE TABLE extra (x INTEGER) STRICT", "INSERT INTO extra VALUES (5)")
    # STRICT wants a type: the second statement fails, as a crash in the middle would.
    with pytest.raises(sqlite3.OperationalError):
        schema.open_file(path, migrations=(MIGRATION,))
    with opened(path) as store:
        assert store.load().revision == 3
    schema.open_file(path, migrations=(good, ("CREATE TABLE more (x INTEGER) STRICT",))).close()
    with pytest.raises(StoreUnavailable, match="version 3"):
        SqliteStore(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT x FROM extra").fetchone() == (5,)
    backup = path.with_name("netctl.db.v1.bak")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with opened(backup) as store:
        assert store.load().revision == 3


def test_the_log_is_kept_as_long_as_asked_for(path: Path) -> None:
    fill(path, revisions=10)  # change() counts time from 1_700_000_000, one second a revision
    now_s = 1_700_000_000.0 + 7 + 2 * REMEMBER_S
    with opened(path) as store:
        assert store.purge(now_s) == 0
        assert len(store.read_changes()) == 10
    with opened(path, keep_changes_s=1.0) as store:  # answers need the log for a day
        assert store.purge(1_700_000_000.0 + 7 + REMEMBER_S - 1) == 5
        assert store.purge(1_700_000_000.0 + 7 + REMEMBER_S - 1) == 0
        assert [one.revision for one in store.read_changes()] == [10, 9, 8, 7, 6]
        assert store.changed_keys_since(5)[0] == (key_of(nic(6)), 6)
        with pytest.raises(OutOfRange, match="6 to 10"):
            store.changed_keys_since(4)
        assert store.purge(now_s * 2) == 4
        assert store.load().revision == 10
        assert len(store.load().intents) == 10
