"""Persistent maps while they are changed: Nested, a map of maps, and Overlay, a map of small numbers.

Both are dictionaries of what was touched over a persistent map of the rest: touching again is a dictionary's
look-up, and `finish` is O(touched).
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from immutables import Map, MapMutation

K = TypeVar("K", bound=Hashable)
M = TypeVar("M", bound=Hashable)
V = TypeVar("V")


class Nested(dict[K, MapMutation[M, V]], Generic[K, M, V]):
    """A map of maps: `nested[key]` is an inner map to change, open until it is read or all is finished."""

    __slots__ = ("_outer",)

    def __init__(self, base: Map[K, Map[M, V]]) -> None:
        super().__init__()
        self._outer = base.mutate()

    def __missing__(self, key: K) -> MapMutation[M, V]:
        inner = self[key] = self._outer.get(key, Map()).mutate()
        return inner

    def read(self, key: K) -> Map[M, V]:
        """Return an inner map as it is now, to iterate over."""
        changed = self.pop(key, None)
        if changed is None:
            return self._outer.get(key, Map())
        inner = changed.finish()
        if inner:
            self._outer[key] = inner
        else:
            self._outer.pop(key, None)
        return inner

    def finish(self) -> Map[K, Map[M, V]]:
        """Return all as it is now; inner maps without members are not in it."""
        for key in tuple(self):
            self.read(key)
        outer = self._outer.finish()
        self._outer = outer.mutate()
        return outer


class Overlay(dict[K, int], Generic[K]):
    """A map of numbers, 0 where there is none: a batch of NICs changes the same few thousands of times."""

    __slots__ = ("_base",)

    def __init__(self, base: Map[K, int]) -> None:
        super().__init__()
        self._base = base

    def __missing__(self, key: K) -> int:
        return self._base.get(key, 0)

    def finish(self) -> Map[K, int]:
        """Return all as it is now."""
        if self:
            changing = self._base.mutate()
            for key, number in self.items():
                if number:
                    changing[key] = number
                else:
                    changing.pop(key, 0)
            self._base = changing.finish()
            self.clear()
        return self._base
