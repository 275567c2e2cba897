"""Bugs of the store."""

from __future__ import annotations

from tests.planted.bug import Bug

BUGS = (
    Bug(
        "the log holds only the first change of a revision",
        "netctl/store/sqlite.py",
        "statements.append_changes(writer, entries)",
        "statements.append_changes(writer, entries[:1])",
        "tests/functional/store/test_contract.py",
    ),
    Bug(
        "answers are committed after their changes",
        "netctl/store/sqlite.py",
        "            statements.remember(writer, remembered)",
        "        with self._writing() as writer:\n            statements.remember(writer, remembered)",
        "tests/functional/store/test_crash.py",
    ),
    Bug(
        "every start has the same epoch",
        "netctl/store/sqlite.py",
        "SET value = value + 1 WHERE key = 'epoch'",
        "SET value = 1 WHERE key = 'epoch'",
        "tests/functional/store/test_contract.py",
    ),
    Bug(
        "a newer schema is read",
        "netctl/store/schema.py",
        "    elif version > newest:",
        "    elif version > newest + 1:",
        "tests/functional/store/test_file.py",
    ),
    Bug(
        "a commit does not wait for the medium",
        "netctl/store/schema.py",
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = NORMAL",
        "tests/functional/store/test_file.py",
    ),
    Bug(
        "a store is migrated without a copy",
        "netctl/store/schema.py",
        "_back_up(connection, path, version)",
        "pass",
        "tests/functional/store/test_file.py",
    ),
    Bug(
        "two controllers open one store",
        "netctl/store/lock.py",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        "tests/functional/store/test_file.py",
    ),
)
