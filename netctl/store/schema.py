"""The database file: is it ours, which version, made or migrated to what this netctl reads.

In: a path; out: an open connection to a file of schema VERSION. Owns the tables and `PRAGMA user_version`.
A newer schema is refused; an older one is copied to `{store}.v{n}.bak` and then migrated, one transaction a version,
so that a crash leaves a version that was, or the next.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Sequence
from pathlib import Path

from netctl.errors import StoreUnavailable

APPLICATION_ID = 0x6E63746C  # "nctl": what file(1) and we know the file by
_MAGIC = b"SQLite format 3\0"
VERSION = 1
# MIGRATIONS[n] brings a file of version n + 1 to n + 2.
MIGRATIONS: tuple[Sequence[str], ...] = ()

# Without rowids the primary key is the table: one B-tree to write instead of two.
_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE intents (kind TEXT, id TEXT, revision INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID",
    "CREATE TABLE changes (revision INTEGER, idx INTEGER, time REAL NOT NULL, actor TEXT NOT NULL,"
    " request_id TEXT NOT NULL, reason TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, before BLOB, after BLOB,"
    " PRIMARY KEY (revision, idx)) STRICT, WITHOUT ROWID",
    "CREATE INDEX changes_of_key ON changes (kind, id)",  # ends with revision, idx: the primary key's columns
    "CREATE TABLE requests (request_id TEXT PRIMARY KEY, body_hash BLOB NOT NULL, time REAL NOT NULL,"
    " answer BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE INDEX requests_by_time ON requests (time)",
)


def open_file(path: Path, *, migrations: tuple[Sequence[str], ...] = MIGRATIONS) -> sqlite3.Connection:
    """Return a connection to the store's file, made or migrated where needed."""
    make_private(path)
    _check_header(path)
    with contextlib.ExitStack() as undo:
        connection = connect(path)
        undo.callback(connection.close)
        _prepare(connection, path, migrations)
        undo.pop_all()
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection in autocommit mode: transactions are begun by name. Any thread may use it, under a lock."""
    with contextlib.ExitStack() as undo:
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=5.0, cached_statements=256
        )
        undo.callback(connection.close)
        # FULL: a commit returns when it is on the medium. In WAL that is one fdatasync.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        undo.pop_all()
    return connection


def make_private(path: Path) -> None:
    """Make the file, readable for its owner only; SQLite gives its -wal and -shm the same mode."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_header(path: Path) -> None:
    """Refuse what is not a database before SQLite sees it: a file of few bytes it would take for an empty one."""
    with path.open("rb") as file:
        header = file.read(len(_MAGIC))
    if header not in (b"", _MAGIC):
        raise StoreUnavailable(
            f"{path} is not a database; name another file for the intent store, or restore a backup"
        )


def _prepare(connection: sqlite3.Connection, path: Path, migrations: tuple[Sequence[str], ...]) -> None:
    newest = len(migrations) + 1
    application_id, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application_id == 0 and tables == 0:
        connection.execute("PRAGMA journal_mode = WAL")
        _create(connection)
        version = VERSION
    elif application_id != APPLICATION_ID:
        raise StoreUnavailable(
            f"{path} is a database of another program; name another file for the intent store"
        )
    elif version > newest:
        raise StoreUnavailable(
            f"the intent store {path} has schema version {version}, this netctl reads up to {newest}: start the"
            " netctl that wrote it, or restore the backup made before it was migrated"
        )
    connection.execute("PRAGMA journal_mode = WAL")
    if version < newest:
        _back_up(connection, path, version)
        for number in range(version, newest):
            _transaction(connection, (*migrations[number - 1], f"PRAGMA user_version = {number + 1}"))


def _create(connection: sqlite3.Connection) -> None:
    meta = (
        f"INSERT INTO meta VALUES ('epoch', 0), ('owner', '{uuid.uuid4()}'), ('log_start', 0), ('checks', 0)"
    )
    marks = (f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {VERSION}")
    _transaction(connection, (*_TABLES, meta, *marks))


def _transaction(connection: sqlite3.Connection, statements: Sequence[str]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Copy the file before it is migrated. A copy under its last name is whole: a crash leaves the temporary one."""
    backup = path.with_name(f"{path.name}.v{version}.bak")
    temporary = path.with_name(f"{backup.name}.tmp")
    temporary.unlink(missing_ok=True)
    make_private(temporary)
    with contextlib.closing(sqlite3.connect(temporary)) as copy:
        connection.backup(copy)
    temporary.replace(backup)
    sync_directory(path.parent)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
