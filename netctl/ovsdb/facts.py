"""Our facts, written by one thread and read by another without either waiting for the other's work.

The I/O thread puts changes aside (coalesced by key, so never more than the database holds); the reader merges them
when it says so, and what it holds does not move while it looks. Every method is called under the owner's lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from netctl.nb.rows import Fact, FactKey, Rows


class OwnedFacts:
    """`rows()` as of the last `merge()`, and which keys merges have changed since `take_changed()`."""

    def __init__(self) -> None:
        self._rows: dict[FactKey, Fact] = {}
        self._fresh: dict[FactKey, Fact] | None = None  # all facts anew after a resync, seen by no reader yet
        self._aside: dict[FactKey, Fact | None] = {}
        self._changed: set[FactKey] | None = None  # None: any may have

    def replace(self, rows: dict[FactKey, Fact]) -> None:
        """Forget everything; these are the facts now."""
        self._fresh = rows
        self._aside = {}

    def put_aside(self, changes: Mapping[FactKey, Fact | None]) -> bool:
        """Take changes (None: gone); say whether there were any."""
        changed = False
        for key, fact in changes.items():
            if self._fresh is not None:
                changed |= _store(self._fresh, key, fact)
            elif fact is None and key not in self._rows:  # came and went between two looks, or never ours
                changed |= self._aside.pop(key, None) is not None
            else:
                self._aside[key] = fact
                changed = True
        return changed

    def forget_changes(self) -> None:
        """From now until `take_changed` any fact may have changed."""
        self._changed = None

    def merge(self) -> None:
        """Make what was put aside visible."""
        if self._fresh is not None:
            self._rows, self._fresh = self._fresh, None
            self._changed = None
        for key, fact in self._aside.items():
            _store(self._rows, key, fact)
        if self._changed is not None:
            self._changed.update(self._aside)
        self._aside = {}

    def take_changed(self) -> frozenset[FactKey] | None:
        """Return the keys that merges have changed since the last call, or None when any may have."""
        changed, self._changed = self._changed, set()
        return None if changed is None else frozenset(changed)

    def rows(self) -> Rows:
        """Return the facts; live and read-only."""
        if self._fresh is not None:
            self.merge()
        return MappingProxyType(self._rows)


def _store(rows: dict[FactKey, Fact], key: FactKey, fact: Fact | None) -> bool:
    if fact is None:
        return rows.pop(key, None) is not None
    rows[key] = fact
    return True
