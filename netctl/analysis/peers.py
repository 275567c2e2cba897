"""Peers of clauses, compared by name and by the addresses of address groups. Pure.

What NICs are in a category or entity group changes all the time: of those only the same name is the same peer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache

from netctl.compiler.same import Same
from netctl.model.address_ranges import Span, spans_without
from netctl.model.groups import AddressGroup, Term
from netctl.model.keys import Kind
from netctl.model.snapshot import Snapshot

_PREFIX = f"{Kind.ADDRESS_GROUP.value}/"
_LAST = {4: 2**32 - 1, 6: 2**128 - 1}
_GROUPS = 16_384


def is_address_group(term: Term) -> bool:
    """Is a peer known by addresses, not by its NICs?"""
    return term.startswith(_PREFIX)


def spans_of(group: AddressGroup, version: int) -> tuple[Span, ...]:
    """Return the addresses of a group: ascending spans, none of which touch."""
    return _spans_of(Same(group), version)


@lru_cache(maxsize=_GROUPS)
def _spans_of(same: Same[AddressGroup], version: int) -> tuple[Span, ...]:
    return tuple(spans_without(same.value.addresses, same.value.except_addresses, version))


def holds(spans: Sequence[Span], number: int) -> bool:
    """Is an address in these spans?"""
    at = bisect_right(spans, (number, _LAST[6])) - 1
    return at >= 0 and spans[at][0] <= number <= spans[at][1]


class Peers:
    """Compares the peers of clauses in one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._spans: dict[tuple[tuple[Term, ...], int], tuple[Span, ...]] = {}

    def cover(self, wide: tuple[Term, ...], narrow: tuple[Term, ...], versions: Iterable[int]) -> bool:
        """Is every peer of `narrow` one of `wide`, whoever is in their groups now or later?"""
        if not wide or wide == narrow:
            return True
        rest = [term for term in narrow if term not in wide]
        if not all(map(is_address_group, rest)):
            return False
        if not narrow:
            return all(_inside([(0, _LAST[v])], self._all(wide, v)) for v in versions)
        return all(_inside(self._all((term,), v), self._all(wide, v)) for term in rest for v in versions)

    def meet(self, some: tuple[Term, ...], others: tuple[Term, ...], versions: Iterable[int]) -> bool:
        """Do they have a peer in common, by name or address?"""
        if not some or not others or not set(some).isdisjoint(others):
            return True
        return any(_touch(self._all(some, v), self._all(others, v)) for v in versions)

    def _all(self, terms: tuple[Term, ...], version: int) -> tuple[Span, ...]:
        """Return the addresses of all address groups among terms together."""
        found = self._spans.get((terms, version))
        if found is None:
            groups = (self._snapshot.get((Kind.ADDRESS_GROUP, t.removeprefix(_PREFIX))) for t in terms)
            spans = [s for g in groups if isinstance(g, AddressGroup) for s in spans_of(g, version)]
            found = self._spans[terms, version] = tuple(_merged(spans))
        return found


def _merged(spans: list[Span]) -> list[Span]:
    found: list[Span] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def _inside(narrow: Iterable[Span], wide: Sequence[Span]) -> bool:
    """Is each span in one of those?"""
    for low, high in narrow:
        at = bisect_right(wide, (low, _LAST[6])) - 1
        if at < 0 or wide[at][1] < high:
            return False
    return True


def _touch(some: Sequence[Span], others: Sequence[Span]) -> bool:
    i = j = 0
    while i < len(some) and j < len(others):
        if some[i][1] < others[j][0]:
            i += 1
        elif others[j][1] < some[i][0]:
            j += 1
        else:
            return True
    return False
