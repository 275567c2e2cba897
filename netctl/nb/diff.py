"""diff: what to write so that actual equals desired. Pure; a dictionary comparison over the keys asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netctl.nb.rows import Delta, FactKey, MapEdit, Member, Row, RowKey, Rows, Update, Value
from netctl.nb.schema import MANAGED_KEYS

_NONE: frozenset[str] = frozenset()


def diff(desired: Rows, actual: Rows, keys: Iterable[FactKey] | None = None) -> Delta:
    """Return the delta over `keys`, or over everything when None. Facts in `actual` are all ours."""
    if keys is None:
        keys = [*desired, *(key for key in actual if key not in desired)]
    insert: list[Row] = []
    update: list[Update] = []
    add: list[Member] = []
    gone: list[Row | Member] = []
    for key in keys:
        want, have = desired.get(key), actual.get(key)
        if want is None:
            if have is not None:
                gone.append(have)
        elif have is None:
            if isinstance(want, Row):
                insert.append(want)
            else:
                add.append(want)
        elif isinstance(want, Row) and isinstance(have, Row) and want is not have:
            change = diff_row(want, have)
            if change is not None:
                update.append(change)
    delete, remove = _split_gone(gone)
    return Delta(tuple(insert), tuple(update), delete, tuple(add), remove)


def diff_row(want: Row, have: Row) -> Update | None:
    """Return the columns and map keys in which a row differs, or None."""
    if want.columns == have.columns:  # almost always, and ten times as fast as looking at each
        return None
    columns: dict[str, Value] = {}
    maps: dict[str, MapEdit] = {}
    for column, value in want.columns.items():
        present = have.columns.get(column)
        if value == present:
            continue
        if isinstance(value, Mapping):
            edit = _diff_map(value, present, MANAGED_KEYS.get((want.table, column), _NONE))
            if edit is not None:
                maps[column] = edit
        else:
            columns[column] = value
    if not columns and not maps:
        return None
    return Update(want.table, want.uuid, columns, maps)


def _diff_map(want: Mapping[str, str], present: Value | None, managed: frozenset[str]) -> MapEdit | None:
    have = present if isinstance(present, Mapping) else {}
    put = {key: value for key, value in want.items() if have.get(key) != value}
    remove = frozenset(key for key in have if key in managed and key not in want)
    return MapEdit(put, remove) if put or remove else None


def _split_gone(gone: Iterable[Row | Member]) -> tuple[tuple[RowKey, ...], tuple[Member, ...]]:
    """Return rows to delete and members to remove; a deleted parent takes its members with it."""
    rows = [fact for fact in gone if isinstance(fact, Row)]
    deleted = {row.uuid for row in rows}
    members = tuple(fact for fact in gone if isinstance(fact, Member) and fact.parent not in deleted)
    return tuple(row.key for row in rows), members
