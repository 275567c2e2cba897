"""Snapshot: all intents at one revision, with indexes; Draft: the next one, while its only writer makes it.

Both are persistent hash maps (package immutables): a snapshot is O(changes) to make and shares the rest with the
one before. Many threads may read a snapshot; a draft belongs to one thread. The store is the source of truth; the
cursors of allocation are the one thing here that it does not have, and starting them anew costs nothing but order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NewType, cast

from immutables import Map, MapMutation

from netctl.errors import NotFound
from netctl.model.bands import Band, acl_counts, clause_counts
from netctl.model.indexes import (
    Claim,
    Relation,
    Scope,
    Space,
    Span,
    SpanKey,
    claims_of,
    spans_of,
)
from netctl.model.intent import Intent, key_of
from netctl.model.keys import Key, Kind, resource_name
from netctl.model.lookups import Lookups
from netctl.model.nested import Nested, Overlay
from netctl.model.relations import relations_of
from netctl.model.security_policy import SecurityPolicy
from netctl.model.sorted_set import SortedSet

# A place in the undo log of a draft.
Mark = NewType("Mark", int)

# A claim of a number stands in a block of 1024 bits as well: a free number is found by a few integer operations
# at any fill level. (space, whose, number >> BLOCK_BITS)
BLOCK_BITS = 10
Block = tuple[str, str, int]
_BLOCK_MASK = (1 << BLOCK_BITS) - 1
_POOLED = {Kind.CLUSTER: (Space.MAC,), Kind.SUBNET: (Space.IPV4, Space.IPV6)}
_SPANNED = frozenset(
    {
        Kind.SUBNET,
        Kind.VPC,
        Kind.ADDRESS_RESERVATION,
        Kind.ROUTE,
        Kind.ROUTING_POLICY,
        Kind.FLOATING_IP,
    }
)
_Members = Map[str, None]
_NOBODY: _Members = Map()
_NO_OWNERS: Map[int | str, Key] = Map()


class Snapshot(Lookups):
    """All intents at `revision`; immutable."""

    __slots__ = ("_blocks", "_claims", "_clauses", "_cursors", "_members", "_orders", "plans", "revision")

    _tables: dict[Kind, Map[str, Any]]
    _spans: Map[SpanKey, SortedSet[Span]]

    def __init__(self) -> None:
        self.revision = 0
        self._tables = {kind: Map() for kind in Kind}
        self._members: Map[tuple[Relation, str], _Members] = Map()
        self._claims: Map[Scope, Map[int | str, Key]] = Map()
        self._spans = Map()
        self._blocks: Map[Block, int] = Map()
        self._cursors: Map[Scope, int] = Map()
        self._clauses: Map[Band, int] = Map()
        self._orders: dict[Kind, SortedSet[str]] = {kind: SortedSet() for kind in Kind}
        # Allocation's own, see ipam.py: what is derived of a subnet, valid for exactly the object it was made of.
        self.plans: dict[tuple[str, int], Any] = {}

    @classmethod
    def empty(cls) -> Snapshot:
        """Return a snapshot without intents, at revision 0."""
        return cls()

    @classmethod
    def load(cls, revision: int, intents: Iterable[Intent]) -> Snapshot:
        """Return a snapshot of stored intents, given in any order."""
        by_kind: dict[Kind, list[Intent]] = {kind: [] for kind in Kind}
        for intent in intents:
            by_kind[key_of(intent)[0]].append(intent)
        draft = cls().draft()
        for kind in Kind:
            for intent in by_kind[kind]:
                draft.put(intent)
        return draft.freeze(revision)

    def draft(self) -> Draft:
        """Return a draft that starts equal to this snapshot, in O(1)."""
        return Draft(self)

    def table(self, kind: Kind) -> Mapping[str, Any]:
        """Return the intents of a kind by id."""
        return self._tables[kind]

    def related(self, relation: Relation, id: str) -> Collection[str]:
        """Return the ids in a set, e.g. of the NICs of a host."""
        return self._members.get((relation, id), _NOBODY)

    def order(self, kind: Kind) -> SortedSet[str]:
        """Return all ids of a kind, sorted."""
        return self._orders[kind]

    def owner(self, claim: Claim) -> Key | None:
        """Return whose a unique value is, None when it is free."""
        return self._claims.get(claim[0], _NO_OWNERS).get(claim[1])

    def clause_count(self, band: Band) -> int:
        """Return how many clauses all security policies have in a band."""
        return self._clauses.get(band, 0)

    def claimed(self, scope: Scope) -> Collection[int | str]:
        """Return all values that have an owner."""
        return self._claims.get(scope, _NO_OWNERS)


class Draft(Lookups):
    """Intents while they change: `put` and `remove` keep the indexes, `rollback` undoes.

    Neither checks relations; admission does (admit.py). What is iterated over stays as it was when the iteration began.
    """

    __slots__ = (
        "_claims",
        "_clauses",
        "_closed",
        "_members",
        "_orders",
        "_touched",
        "_undo",
        "_undo_start",
        "blocks",
        "cursors",
        "plans",
    )

    _tables: dict[Kind, MapMutation[str, Any]]
    _spans: MapMutation[SpanKey, SortedSet[Span]]

    def __init__(self, base: Snapshot) -> None:
        self._tables = {kind: base._tables[kind].mutate() for kind in Kind}
        # Those that are as they were: a table that nobody changed stays the same object.
        self._closed = dict(base._tables)
        self._claims, self._members = Nested(base._claims), Nested(base._members)
        # Allocation reads both and writes the second by set_cursor, see ipam.py.
        self.blocks, self.cursors = Overlay(base._blocks), Overlay(base._cursors)
        self._clauses = Overlay(base._clauses)
        self._spans = base._spans.mutate()
        self._orders = dict(base._orders)
        # ids that are not yet in _orders, and whether they were before
        self._touched: dict[Kind, dict[str, bool]] = {kind: {} for kind in Kind}
        # (key, intent before) or (scope, cursor before)
        self._undo: list[tuple[Key, Intent | None] | tuple[Scope, int]] = []
        self._undo_start = 0
        self.plans = base.plans

    def put(self, intent: Intent) -> None:
        """Store an intent, in place of one with its key; what it refers to is stored already."""
        key = key_of(intent)
        self._undo.append((key, self._put(key, intent)))

    def remove(self, key: Key) -> None:
        """Remove an intent; NotFound when there is none."""
        if key[1] not in self._tables[key[0]]:
            raise NotFound(f"{resource_name(key)[:100]} does not exist", field="name")
        self._undo.append((key, self._put(key, None)))

    def mark(self) -> Mark:
        """Return the place to which `rollback` returns; it is valid until `freeze`."""
        return Mark(self._undo_start + len(self._undo))

    def rollback(self, mark: Mark) -> None:
        """Undo everything since `mark`, cursors of allocation included."""
        if mark < self._undo_start:
            raise ValueError("the mark is older than the last freeze")
        while self._undo_start + len(self._undo) > mark:
            name, before = self._undo.pop()
            if isinstance(before, int):
                self.cursors[name] = before
            else:
                self._put(cast(Key, name), before)

    def freeze(self, revision: int) -> Snapshot:
        """Return what the draft holds as a snapshot, in O(changes); the draft goes on from it."""
        frozen = Snapshot()
        frozen.revision, frozen.plans = revision, self.plans
        frozen._tables = {kind: self._closed_table(kind) for kind in Kind}
        frozen._members, frozen._claims = self._members.finish(), self._claims.finish()
        frozen._blocks, frozen._cursors = self.blocks.finish(), self.cursors.finish()
        frozen._clauses = self._clauses.finish()
        frozen._spans = self._spans.finish()
        self._spans = frozen._spans.mutate()
        frozen._orders = {kind: self.order(kind) for kind in Kind}
        self._undo_start += len(self._undo)
        self._undo = []
        return frozen

    def table(self, kind: Kind) -> Mapping[str, Any]:
        """Return the intents of a kind by id, as they are now."""
        return self._closed_table(kind)

    def related(self, relation: Relation, id: str) -> Collection[str]:
        """Return the ids in a set, as they are now."""
        return self._members.read((relation, id))

    def order(self, kind: Kind) -> SortedSet[str]:
        """Return all ids of a kind, sorted, as they are now."""
        order, touched, table = self._orders[kind], self._touched[kind], self._tables[kind]
        if touched:
            added = [id for id, was in touched.items() if not was and id in table]
            removed = [id for id, was in touched.items() if was and id not in table]
            self._orders[kind] = order = order.changed(added, removed)
            self._touched[kind] = {}
        return order

    def owner(self, claim: Claim) -> Key | None:
        """Return whose a unique value is now, None when it is free."""
        return self._claims[claim[0]].get(claim[1])

    def clause_count(self, band: Band) -> int:
        """Return how many clauses all security policies have in a band now."""
        return self._clauses[band]

    def claimed(self, scope: Scope) -> Collection[int | str]:
        """Return all values that have an owner now."""
        return self._claims.read(scope)

    def set_cursor(self, scope: Scope, number: int) -> None:
        """Say where to look for the next number."""
        self._undo.append((scope, self.cursors[scope]))
        self.cursors[scope] = number

    def _closed_table(self, kind: Kind) -> Map[str, Any]:
        table = self._closed.get(kind)
        if table is None:
            table = self._closed[kind] = self._tables[kind].finish()
            self._tables[kind] = table.mutate()
        return table

    def _put(self, key: Key, after: Intent | None) -> Intent | None:
        kind, id = key
        table = self._tables[kind]
        self._closed.pop(kind, None)
        before: Intent | None = table.get(id)
        if after is not None:
            self._index(key, before, after)
            table[id] = after
        elif before is not None:
            self._index(key, before, None)
            del table[id]
        if before is None or after is None:
            self._touched[kind].setdefault(id, before is not None)
        return before

    def _index(self, key: Key, before: Intent | None, after: Intent | None) -> None:
        claimed = claims_of(before) if before is not None else ()
        claims = claims_of(after) if after is not None else ()
        if claimed != claims:
            self._unclaim(claimed if not claims else [claim for claim in claimed if claim not in claims])
            self._claim(claims if not claimed else [claim for claim in claims if claim not in claimed], key)
        self._relate(key[1], before, after)
        if key[0] in _POOLED and after is None:
            self._forget_pools(key)
        if key[0] in _SPANNED:
            self._index_spans(before, after)
        elif key[0] is Kind.SECURITY_POLICY:
            self._count_clauses(before, after)

    def _claim(self, claims: Iterable[Claim], key: Key) -> None:
        for scope, value in claims:
            self._claims[scope][value] = key
            if isinstance(value, int):
                self.blocks[scope[0], scope[1], value >> BLOCK_BITS] |= 1 << (value & _BLOCK_MASK)

    def _unclaim(self, claims: Iterable[Claim]) -> None:
        for scope, value in claims:
            del self._claims[scope][value]
            if isinstance(value, int):
                self.blocks[scope[0], scope[1], value >> BLOCK_BITS] &= ~(1 << (value & _BLOCK_MASK))

    def _relate(self, id: str, before: Intent | None, after: Intent | None) -> None:
        related = relations_of(before) if before is not None else ()
        relations = relations_of(after) if after is not None else ()
        if related == relations:
            return
        for relation in related:
            if relation not in relations:
                del self._members[relation][id]
        for relation in relations:
            if relation not in related:
                self._members[relation][id] = None

    def _forget_pools(self, key: Key) -> None:
        """Forget what allocation remembers of a removed cluster or subnet."""
        for space in _POOLED[key[0]]:
            self.set_cursor((space, key[1]), 0)
        self.plans.pop((key[1], 4), None)
        self.plans.pop((key[1], 6), None)

    def _count_clauses(self, before: Intent | None, after: Intent | None) -> None:
        for policy, sign in ((before, -1), (after, 1)):
            if isinstance(policy, SecurityPolicy):
                for band, number in (*clause_counts(policy).items(), *acl_counts(policy).items()):
                    self._clauses[band] += sign * number

    def _index_spans(self, before: Intent | None, after: Intent | None) -> None:
        gone = spans_of(before) if before is not None else ()
        come = spans_of(after) if after is not None else ()
        if gone == come:
            return
        for within, span in gone:
            spans = self.spans(within).changed((), (span,))
            if spans:
                self._spans[within] = spans
            else:
                del self._spans[within]
        for within, span in come:
            self._spans[within] = self.spans(within).changed((span,), ())
