"""One controller for one store: an exclusive lock on a file beside it.

The lock is flock(2) on `{store}.lock`: the kernel lets go of it however the process ends. It is not on the database
file, where closing any descriptor would drop SQLite's own POSIX locks, and it is not SQLite's
`locking_mode=EXCLUSIVE`, which would also keep `sqlite3` and backup programs from reading a live store.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from netctl.errors import StoreUnavailable


class StoreLock:
    """The right to write one store, held until `release()` or the end of the process."""

    def __init__(self, store: Path) -> None:
        """Take the lock; StoreUnavailable names the process that has it."""
        self.path = store.with_name(store.name + ".lock")
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise StoreUnavailable(
                f"the intent store {store} is in use by another controller (process {holder}); stop it first,"
                " or give this one a store of its own"
            ) from None
        with contextlib.suppress(
            OSError
        ):  # a courtesy to whom we refuse; a full disk must not keep us from reading
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another controller have the store. The file stays: removing it would race with who waits for it."""
        os.close(self._file)
