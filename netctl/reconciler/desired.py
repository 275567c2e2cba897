"""Desired facts, kept current by recompiling only the intents that changed and those that read them.

`DesiredFacts` after any path of updates equals `compile_rows(snapshot)`: a property test holds it to that.
"""

from __future__ import annotations

from collections.abc import Mapping

from netctl.bulk import BULK_ROWS, settle, without_collector
from netctl.compiler.compile import compile_intent, dependents
from netctl.model.keys import Key, Kind
from netctl.model.snapshot import Snapshot
from netctl.nb.rows import Fact, FactKey


class DesiredFacts:
    """Owns: the facts of every intent, and which intent each fact comes from."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._facts: dict[FactKey, Fact] = {}
        self._of_intent: dict[Key, tuple[FactKey, ...]] = {}
        self.intent_of: dict[FactKey, Key] = {}
        self.revision = 0

    @property
    def facts(self) -> Mapping[FactKey, Fact]:
        """The desired facts, live."""
        return self._facts

    def facts_of(self, key: Key) -> tuple[FactKey, ...]:
        """Return the keys of an intent's facts."""
        return self._of_intent.get(key, ())

    def update(self, snapshot: Snapshot, changed: frozenset[Key] | None) -> set[FactKey]:
        """Recompile what `changed` (None: everything) asks for; return the fact keys that may differ now."""
        everything = changed is None
        if changed is None:
            changed = frozenset(key for key in self._of_intent) | frozenset(
                (kind, intent.id) for kind in (Kind.SUBNET, Kind.NIC) for intent in snapshot.of_kind(kind)
            )
        touched: set[FactKey] = set()
        with without_collector(len(changed) > BULK_ROWS):
            for intent in {reader for key in changed for reader in dependents(snapshot, key)}:
                touched |= self._recompile(snapshot, intent)
            if everything:
                settle()
        self.revision = snapshot.revision
        return touched

    def _recompile(self, snapshot: Snapshot, key: Key) -> set[FactKey]:
        fresh = {fact.key: fact for fact in compile_intent(snapshot, key, self._owner)}
        old = self._of_intent.get(key, ())
        touched = {k for k, fact in fresh.items() if self._facts.get(k) != fact}
        for gone in old:
            if gone not in fresh:
                touched.add(gone)
                del self._facts[gone]
                del self.intent_of[gone]
        for k, fact in fresh.items():
            holder = self.intent_of.setdefault(k, key)
            if holder != key:
                raise ValueError(f"{key} and {holder} both compile {k}")
            self._facts[k] = fact
        if fresh:
            self._of_intent[key] = tuple(fresh)
        else:
            self._of_intent.pop(key, None)
        return touched
