"""SortedSet: an immutable sorted set whose copies share all but what changed.

`immutables.Map` has no order. Pages of a list need ids in order, and the overlap check needs the neighbours of an
address range; both in O(log n), at any revision. The set is a tuple of sorted chunks: a change copies one chunk and
the outer tuple, some 2 us at 100,000 members.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

CHUNK = 256  # members of a chunk when built; split at twice as many
_REBUILD_RATIO = 128  # sorting anew costs about 1/128 of a change per member (measured)


class Ordered(Protocol):
    """What can be sorted."""

    def __lt__(self, other: Any, /) -> bool: ...


T = TypeVar("T", bound=Ordered)


class SortedSet(Generic[T]):
    """Members in ascending order."""

    __slots__ = ("_chunks", "_firsts", "_size")

    def __init__(self, members: Iterable[T] = ()) -> None:
        ordered = sorted(set(members))
        self._chunks = tuple(tuple(ordered[i : i + CHUNK]) for i in range(0, len(ordered), CHUNK))
        self._firsts = tuple(chunk[0] for chunk in self._chunks)
        self._size = len(ordered)

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

    def changed(self, added: Collection[T], removed: Collection[T]) -> SortedSet[T]:
        """Return a set with `added`, which are not in this one, and without `removed`, which are."""
        if (len(added) + len(removed)) * _REBUILD_RATIO > self._size:
            gone = set(removed)
            return SortedSet([*(member for member in self if member not in gone), *added])
        chunks = list(self._chunks)
        firsts = list(self._firsts)
        for member in added:
            _insert(chunks, firsts, member)
        for member in removed:
            _delete(chunks, firsts, member)
        copy: SortedSet[T] = SortedSet()
        copy._chunks, copy._firsts = tuple(chunks), tuple(firsts)
        copy._size = self._size + len(added) - len(removed)
        return copy


def _insert(chunks: list[tuple[T, ...]], firsts: list[T], member: T) -> None:
    at = max(bisect_right(firsts, member) - 1, 0)
    chunk = chunks[at]
    i = bisect_left(chunk, member)
    chunk = (*chunk[:i], member, *chunk[i:])
    parts = [chunk] if len(chunk) < 2 * CHUNK else [chunk[:CHUNK], chunk[CHUNK:]]
    chunks[at : at + 1] = parts
    firsts[at : at + 1] = [part[0] for part in parts]


def _delete(chunks: list[tuple[T, ...]], firsts: list[T], member: T) -> None:
    at = bisect_right(firsts, member) - 1
    chunk = chunks[at]
    i = bisect_left(chunk, member)
    chunk = (*chunk[:i], *chunk[i + 1 :])
    chunks[at : at + 1] = [chunk] if chunk else []
    firsts[at : at + 1] = [chunk[0]] if chunk else []
