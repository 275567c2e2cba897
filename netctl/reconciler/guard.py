"""The mass-delete guard: an emptied or replaced store must not wipe the network."""

from __future__ import annotations

from collections.abc import Container

from netctl.model.keys import Key, Kind
from netctl.nb.rows import ID_KEY, KIND_KEY, Delta, Row, RowKey, Rows

FLOOR_ROWS = 50
SHARE = 0.20


def unexplained_deletes(delta: Delta, actual: Rows, explained: Container[Key]) -> int:
    """Count rows that would go although the change log does not say that their intent changed.

    A user who removes a thousand NICs is answered; rows that go because intents are missing without a removal are not.
    """
    return sum(1 for key in delta.delete if intent_key(actual, key) not in explained)


def refusal(unexplained: int, owned: int) -> str:
    """Return why a delta is refused, or ""."""
    limit = max(FLOOR_ROWS, int(owned * SHARE))
    if unexplained <= limit:
        return ""
    return (
        f"mass-delete guard: this pass would delete {unexplained} of our {owned} rows (limit {limit}) that nobody"
        " asked to remove; is this the right store? If so: netctl allow-mass-delete"
    )


def intent_key(actual: Rows, key: RowKey) -> Key | None:
    """Return the intent that a row of ours says it belongs to, or None."""
    row = actual.get(key)
    marks = row.columns.get("external_ids") if isinstance(row, Row) else None
    if not isinstance(marks, dict):
        return None
    try:
        return Kind(marks.get(KIND_KEY, "")), marks.get(ID_KEY, "")
    except ValueError:
        return None
