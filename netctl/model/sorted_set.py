"""SortedSet: an immutable sorted set whose copies share all but what changed.

`immutables.Map` has no order. Pages of a list need ids in order, and the overlap check needs the neighbours of an
address range; both in O(log n), at any revision. The set is a tuple of sorted chunks: a change copies one chunk and
the outer tuple, some 2 us at 100,000 members.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

CHUNK = 256  # members of a chunk when built; split at twice as many


class Ordered(Protocol):
    """What can be sorted."""

    def __lt__(self, other: Any, /) -> bool: ...


T = TypeVar("T", bound=Ordered)


class SortedSet(Generic[T]):
    """Members in ascending order."""

    __slots__ = ("_chunks", "_firsts", "_size")

    def __init__(self) -> None:
        self._chunks: tuple[tuple[T, ...], ...] = ()
        self._firsts: tuple[T, ...] = ()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[T]:
        for chunk in self._chunks:
            yield from chunk

    def __contains__(self, member: T) -> bool:
        """Tell whether a member is there; O(log n)."""
        return self.floor(member) == member

    def floor(self, bound: T) -> T | None:
        """Return the greatest member that is not above `bound`."""
        at = bisect_right(self._firsts, bound) - 1
        if at < 0:
            return None
        chunk = self._chunks[at]
        return chunk[bisect_right(chunk, bound) - 1]

    def after(self, bound: T) -> Iterator[T]:
        """Yield the members above `bound`."""
        at = max(bisect_right(self._firsts, bound) - 1, 0)
        for chunk in self._chunks[at : at + 1]:
            yield from chunk[bisect_right(chunk, bound) :]
        for chunk in self._chunks[at + 1 :]:
            yield from chunk

    def changed(self, added: Iterable[T], removed: Iterable[T]) -> SortedSet[T]:
        """Return a set with `added`, which are not in this one, and without `removed`, which are."""
        come: dict[int, list[T]] = {}  # by chunk
        for member in added:
            come.setdefault(self._chunk_of(member), []).append(member)
        gone = set(removed)
        touched = {self._chunk_of(member) for member in gone}.union(come)
        chunks, firsts = list(self._chunks) or [()], list(self._firsts)
        for at in sorted(touched, reverse=True):
            stay = [m for m in chunks[at] if m not in gone] if gone else chunks[at]
            parts = _split(sorted([*stay, *come.get(at, ())]))
            chunks[at : at + 1] = parts
            firsts[at : at + 1] = [part[0] for part in parts]
        copy: SortedSet[T] = SortedSet()
        copy._chunks, copy._firsts = tuple(chunks), tuple(firsts)
        copy._size = self._size + sum(map(len, come.values())) - len(gone)
        return copy

    def _chunk_of(self, member: T) -> int:
        return max(bisect_right(self._firsts, member) - 1, 0)


def _split(members: list[T]) -> list[tuple[T, ...]]:
    """Cut members into chunks; one of up to twice the size stays whole, so that the next ones fit."""
    size = CHUNK if len(members) > 2 * CHUNK else 2 * CHUNK
    return [tuple(members[i : i + size]) for i in range(0, len(members), size)]
