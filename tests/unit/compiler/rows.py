"""What tests of the compiler ask of rows."""

from __future__ import annotations

from typing import Any

from netctl.compiler.compile import compile_rows
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.intent import Intent
from netctl.nb.rows import Fact, FactKey, Row
from tests.intents import OWNER, infra, snapshot


def marks(kind: str, name: str) -> dict[str, str]:
    """Return the external_ids of an intent's rows."""
    return {"netctl:owner": OWNER, "netctl:kind": kind, "netctl:id": name}


def rows_of(*intents: Intent, observed: Observed = NOTHING_OBSERVED) -> dict[FactKey, Fact]:
    """Compile two hosts and these intents."""
    return compile_rows(snapshot([*infra(), *intents]), OWNER, observed)


def columns(rows: dict[FactKey, Fact], table: str, uuid: str) -> dict[str, Any]:
    """Return the columns of one row."""
    fact = rows[table, uuid]
    assert isinstance(fact, Row)
    return dict(fact.columns)


def tables(rows: dict[FactKey, Fact], table: str) -> list[dict[str, Any]]:
    """Return the columns of all rows of a table."""
    return [dict(fact.columns) for fact in rows.values() if isinstance(fact, Row) and fact.table == table]
