"""SQLite's errors in our words: what is wrong with the store and what an operator does about it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from netctl.errors import StoreUnavailable

# By the beginning of SQLite's extended result code, https://www.sqlite.org/rescode.html
_ADVICE = (
    ("SQLITE_FULL", "the disk is full; free space there, nothing was half-written"),
    ("SQLITE_READONLY", "it cannot be written; make the file and its directory writable for this user"),
    ("SQLITE_IOERR", "the disk reports an I/O error; see the kernel log, check space and the medium"),
    ("SQLITE_CORRUPT", "the file is damaged; stop the controller and restore a backup"),
    ("SQLITE_NOTADB", "it is not a database; name another file, or restore a backup"),
    ("SQLITE_BUSY", "another program holds a lock on it; end that program"),
    ("SQLITE_LOCKED", "another program holds a lock on it; end that program"),
    ("SQLITE_CANTOPEN", "it cannot be opened; does the directory exist, and may this user write in it?"),
)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's and the file system's errors into StoreUnavailable."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the intent store {path}: {_advice(error)} ({error})") from error
    except OSError as error:
        raise StoreUnavailable(
            f"the intent store {path}: {error.strerror or error}; check the path, its owner and free space"
        ) from error


def _advice(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")  # absent where Python itself refused the call
    for prefix, text in _ADVICE:
        if name.startswith(prefix):
            return text
    return f"SQLite refused, {name or type(error).__name__}"
