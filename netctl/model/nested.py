"""Nested: a persistent map of persistent maps while it is changed.

The indexes need it: a set of ids, or the numbers of one space, is found by one key and then read, counted and
changed on its own. Opened inner maps are changed in place; `finish` closes those and touches no other.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from immutables import Map, MapMutation

K = TypeVar("K")
M = TypeVar("M")
V = TypeVar("V")
D = TypeVar("D")


class Nested(Generic[K, M, V]):
    """A map of maps; an inner map exists while it has members."""

    __slots__ = ("_open", "_outer")

    def __init__(self, base: Map[K, Map[M, V]]) -> None:
        self._outer = base.mutate()
        self._open: dict[K, MapMutation[M, V]] = {}  # inner maps being changed: newer than those in _outer

    def get(self, key: K, default: D) -> Map[M, V] | MapMutation[M, V] | D:
        """Return an inner map to look things up in."""
        inner = self._open.get(key)
        return inner if inner is not None else self._outer.get(key, default)

    def edit(self, key: K) -> MapMutation[M, V]:
        """Return an inner map to change."""
        inner = self._open.get(key)
        if inner is None:
            inner = self._open[key] = self._outer.get(key, Map()).mutate()
        return inner

    def read(self, key: K) -> Map[M, V]:
        """Return an inner map as it is now, to iterate over."""
        inner = self._open.pop(key, None)
        if inner is not None:
            if len(inner):
                self._outer[key] = inner.finish()
            elif key in self._outer:
                del self._outer[key]
        return self._outer.get(key, Map())

    def finish(self) -> Map[K, Map[M, V]]:
        """Return all as it is now, in O(changes)."""
        for key in tuple(self._open):
            self.read(key)
        outer = self._outer.finish()
        self._outer = outer.mutate()
        return outer
