"""Desired facts, kept current by recompiling only the intents that changed and those that read them.

`DesiredFacts` after any path of updates equals `compile_rows(snapshot, owner, observed)`: a property test holds it to
that. It keeps the snapshot before: what read an intent that is gone now (the next route to its destination) is found
there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netctl.bulk import BULK_ROWS, settle, without_collector
from netctl.compiler.compile import COMPILED, compile_intent
from netctl.compiler.dependents import readers_between, readers_of_observed
from netctl.compiler.identity import port_uuid_of
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.keys import Key
from netctl.model.snapshot import Snapshot
from netctl.nb.rows import Fact, FactKey


class DesiredFacts:
    """Owns: the facts of every intent, which intent each fact comes from, and what they were compiled from."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._facts: dict[FactKey, Fact] = {}
        self._of_intent: dict[Key, tuple[FactKey, ...]] = {}
        self._snapshot = Snapshot.empty()
        self.observed = NOTHING_OBSERVED
        self.intent_of: dict[FactKey, Key] = {}
        self.recompiled: set[Key] = set()  # by the last update
        self.everything = True  # was recompiled by it, whatever changed

    @property
    def revision(self) -> int:
        """The revision that the facts are compiled from."""
        return self._snapshot.revision

    @property
    def facts(self) -> Mapping[FactKey, Fact]:
        """The desired facts, live."""
        return self._facts

    def facts_of(self, key: Key) -> tuple[FactKey, ...]:
        """Return the keys of an intent's facts."""
        return self._of_intent.get(key, ())

    def update(
        self, snapshot: Snapshot, changed: frozenset[Key] | None, observed: Observed = NOTHING_OBSERVED
    ) -> set[FactKey]:
        """Recompile what `changed` (None: everything) asks for; return the fact keys that may differ now."""
        readers = self._readers(snapshot, changed, observed)
        everything = readers is None
        if readers is None:
            readers = {
                *self._of_intent,
                *((kind, one.id) for kind in COMPILED for one in snapshot.of_kind(kind)),
            }
        with without_collector(len(readers) > BULK_ROWS):
            touched = self._recompile(snapshot, readers, observed)
            if everything:
                settle()
        self._snapshot, self.observed = snapshot, observed
        self.recompiled, self.everything = readers, everything
        return touched

    def _readers(
        self, snapshot: Snapshot, changed: frozenset[Key] | None, observed: Observed
    ) -> set[Key] | None:
        """Return the intents to compile again, None for all."""
        if changed is None:
            return None
        readers = readers_between(self._snapshot, snapshot, changed)
        if observed != self.observed:
            blind = readers_of_observed(snapshot, self.observed, observed)
            if blind is None:
                return None
            readers.update(blind)
            readers.update(self._learning(observed))
        return readers

    def _learning(self, observed: Observed) -> Iterator[Key]:
        """Yield the NICs whose guests use other addresses now; of one that is compiled for the first time we know."""
        before, after = self.observed.learned, observed.learned
        if before is after:
            return
        for name in before.keys() | after.keys():
            if before.get(name) != after.get(name):
                holder = self.intent_of.get(("Logical_Switch_Port", port_uuid_of(name)))
                if holder is not None:
                    yield holder

    def _recompile(self, snapshot: Snapshot, keys: set[Key], observed: Observed) -> set[FactKey]:
        """Compile intents again; nothing has changed when that raises.

        All of them are taken out before any is put in: a fact may pass from one to another.
        """
        fresh = [(key, tuple(compile_intent(snapshot, key, self._owner, observed))) for key in keys]
        old: dict[FactKey, Fact] = {}
        for key in keys:
            for gone in self._of_intent.pop(key, ()):
                old[gone] = self._facts.pop(gone)
                del self.intent_of[gone]
        touched: set[FactKey] = set()
        for key, facts in fresh:
            if facts:
                self._of_intent[key] = tuple(fact.key for fact in facts)
            for fact in facts:
                holder = self.intent_of.setdefault(fact.key, key)
                if fact.key in self._facts:
                    raise ValueError(f"{key} and {holder} both compile {fact.key}")
                before = old.pop(fact.key, None)
                if before != fact:
                    touched.add(fact.key)
                self._facts[fact.key] = fact if before is None or before != fact else before
        return touched | old.keys()
