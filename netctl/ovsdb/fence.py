"""The epoch fence: a transaction is refused by the server once a newer controller has written. Pure.

`NB_Global.external_ids["netctl:epoch:<owner>"]` holds the newest epoch that has written. Locks and leases cannot do
this: a paused process goes on with what it was about to write. The check must be part of the transaction.
Besides, each transaction counts `NB_Global.nb_cfg` up, by which northd and the hosts say how far they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netctl.errors import Conflict
from netctl.nb.rows import Row
from netctl.ovsdb.wire import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """NB_Global: what was asked for (nb_cfg), worked off by northd (sb_cfg), by all hosts (hv_cfg)."""

    nb_cfg: int = 0
    sb_cfg: int = 0
    hv_cfg: int = 0


def progress_of(row: Row | None) -> Progress:
    """Read NB_Global; zeros while there is none."""
    if row is None:
        return Progress()
    numbers = {name: row.columns.get(name) for name in ("nb_cfg", "sb_cfg", "hv_cfg")}
    return Progress(**{name: value for name, value in numbers.items() if isinstance(value, int)})


def fence(row: Row | None, owner: str, epoch: int) -> list[Json]:
    """Return the operations that begin a transaction of `epoch`; raises Conflict when a newer one is known.

    `row` is NB_Global as last seen. Whoever is overtaken between that and the transaction fails one of the waits.
    """
    key = f"netctl:epoch:{owner}"
    ours = str(epoch)
    if row is None:  # a new database: northd or ovn-nbctl would make the row, we need not wait for them
        absent = {"op": "wait", "table": "NB_Global", "timeout": 0, "where": [], "columns": ["_uuid"]}
        first = {"op": "insert", "table": "NB_Global", "row": {"external_ids": ["map", [[key, ours]]]}}
        return [{**absent, "until": "==", "rows": []}, first]
    marks = row.columns.get("external_ids")
    stored = marks.get(key) if isinstance(marks, Mapping) else None
    if stored is None:
        # `insert` does nothing where the key is there: then the wait fails, unless it is ours.
        return [_mutate(["external_ids", "insert", ["map", [[key, ours]]]]), _holds(key, ours)]
    if stored == ours:
        return [_holds(key, ours)]
    if stored.isdecimal() and int(stored) > epoch:
        raise Conflict(f"epoch {stored} of another controller holds the northbound database; ours is {epoch}")
    return [
        _holds(key, stored),
        _mutate(
            ["external_ids", "delete", ["set", [key]]], ["external_ids", "insert", ["map", [[key, ours]]]]
        ),
    ]


def count_up(steps: int) -> list[Json]:
    """Return the operations that end a transaction; the last one's answer holds the new nb_cfg."""
    select = {"op": "select", "table": "NB_Global", "where": [], "columns": ["nb_cfg"]}
    return [_mutate(["nb_cfg", "+=", steps]), select]


def set_options(row: Row | None, wanted: Mapping[str, str]) -> list[Json]:
    """Return the operations that give NB_Global.options our keys; none where it has them. Other keys stay.

    Northd writes keys of its own there and knows those that are asked for; nobody else's are touched.
    """
    options = row.columns.get("options") if row is not None else None
    present = options if isinstance(options, Mapping) else {}
    put = {key: value for key, value in wanted.items() if present.get(key) != value}
    if not put:
        return []
    pairs = [[key, value] for key, value in sorted(put.items())]
    # `insert` leaves a key that is there as it is, so it is removed first.
    return [
        _mutate(["options", "delete", ["set", sorted(put)]], ["options", "insert", ["map", pairs]]),
    ]


def _holds(key: str, value: str) -> Json:
    """Pass if a row has this pair: what `where` selects is not nothing."""
    where = [["external_ids", "includes", ["map", [[key, value]]]]]
    wait = {"op": "wait", "table": "NB_Global", "timeout": 0, "where": where, "columns": ["_uuid"]}
    return {**wait, "until": "!=", "rows": []}


def _mutate(*mutations: Json) -> Json:
    return {"op": "mutate", "table": "NB_Global", "where": [], "mutations": list(mutations)}
