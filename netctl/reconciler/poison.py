"""Poison intents: when OVN refuses a transaction, find the intents that it refuses and write the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from netctl.errors import Rejected
from netctl.model.keys import Key
from netctl.nb.rows import Delta, FactKey, Member, Row, RowKey, Update


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison:
    """Why an intent is set aside, and at which revision."""

    revision: int
    message: str


@dataclass(slots=True)
class _Part:
    insert: list[Row] = field(default_factory=list)
    update: list[Update] = field(default_factory=list)
    delete: list[RowKey] = field(default_factory=list)
    add: list[Member] = field(default_factory=list)
    remove: list[Member] = field(default_factory=list)

    def freeze(self) -> Delta:
        return Delta(
            insert=tuple(self.insert),
            update=tuple(self.update),
            delete=tuple(self.delete),
            add=tuple(self.add),
            remove=tuple(self.remove),
        )


def group_by_intent(delta: Delta, intent_of: Mapping[FactKey, Key]) -> dict[Key | None, Delta]:
    """Split a delta by intent; facts of no intent (those to go) are together under None."""
    parts: defaultdict[Key | None, _Part] = defaultdict(_Part)
    for row in delta.insert:
        parts[intent_of.get(row.key)].insert.append(row)
    for update in delta.update:
        parts[intent_of.get((update.table, update.uuid))].update.append(update)
    for key in delta.delete:
        parts[intent_of.get(key)].delete.append(key)
    for member in delta.add:
        parts[intent_of.get(member.key)].add.append(member)
    for member in delta.remove:
        parts[intent_of.get(member.key)].remove.append(member)
    return {key: part.freeze() for key, part in parts.items()}


def isolate(
    parts: Mapping[Key | None, Delta], apply: Callable[[Delta], int], order: Callable[[Key | None], int]
) -> tuple[int, dict[Key | None, str]]:
    """Apply the parts in as few transactions as halving needs; return the last nb_cfg and who was refused, why.

    `order` sorts parts so that what others refer to comes first.
    """
    refused: dict[Key | None, str] = {}
    nb_cfg = 0
    queue = [sorted(parts, key=order)]
    while queue:
        keys = queue.pop(0)
        try:
            nb_cfg = max(nb_cfg, apply(merge(parts[key] for key in keys)))
        except Rejected as error:
            if len(keys) == 1:
                refused[keys[0]] = error.message
            else:
                middle = len(keys) // 2
                queue[:0] = [keys[:middle], keys[middle:]]
    return nb_cfg, refused


def merge(deltas: Iterable[Delta]) -> Delta:
    """Return one delta that does what all do."""
    parts = list(deltas)
    return Delta(
        insert=tuple(row for part in parts for row in part.insert),
        update=tuple(row for part in parts for row in part.update),
        delete=tuple(key for part in parts for key in part.delete),
        add=tuple(member for part in parts for member in part.add),
        remove=tuple(member for part in parts for member in part.remove),
    )
