"""Many rows are few statements: each one is a turn to wait for beside a busy thread."""

import contextlib
import sqlite3
from collections.abc import Iterator

import pytest

from netctl.model.keys import Kind
from netctl.store import statements


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def connection(seen: list[str]) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as one:
        one.execute("CREATE TABLE intents (kind, id, revision, body, PRIMARY KEY (kind, id)) WITHOUT ROWID")
        one.set_trace_callback(lambda text: seen.append(text[:20]))
        yield one


def rows(count: int, *, revision: int = 1) -> list[statements.Row]:
    return [("nics", f"n-{i}", revision, b"body") for i in range(count)]


def left(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT id, revision FROM intents"))


@pytest.mark.parametrize("count", [0, 1, 249, 250, 251, 5000])
def test_many_rows_are_few_statements(connection: sqlite3.Connection, seen: list[str], count: int) -> None:
    statements.put_intents(connection, rows(count))
    assert len(seen) == -(-count // 250)
    assert len(left(connection)) == count


def test_a_put_replaces(connection: sqlite3.Connection) -> None:
    statements.put_intents(connection, rows(3))
    statements.put_intents(connection, rows(2, revision=2))
    assert left(connection) == {"n-0": 2, "n-1": 2, "n-2": 1}


def test_removing_takes_what_was_named(connection: sqlite3.Connection, seen: list[str]) -> None:
    statements.put_intents(connection, [*rows(600), ("hosts", "n-5", 7, b"body")])
    seen.clear()
    keys = [(kind, f"n-{i}") for kind in (Kind.NIC, Kind.SUBNET) for i in range(600) if i != 9]
    statements.remove_intents(connection, keys)
    assert len(seen) == 6  # three for each kind
    assert left(connection) == {"n-9": 1, "n-5": 7}


def test_removing_does_not_scan(connection: sqlite3.Connection) -> None:
    """SQLite would walk all intents for `(kind, id) IN (VALUES ...)`."""
    plans: list[str] = []
    connection.set_trace_callback(plans.append)
    statements.remove_intents(connection, [(Kind.NIC, "a"), (Kind.NIC, "b")])
    connection.set_trace_callback(None)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {plans[0]}").fetchall()
    assert "SEARCH intents USING PRIMARY KEY (kind=? AND id=?)" in str(plan)
