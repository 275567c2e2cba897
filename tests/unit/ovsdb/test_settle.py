"""What a load made is not looked at by the collector when its pause ends; what comes later is collected as ever."""

from __future__ import annotations

import gc
import weakref

from netctl.bulk import settle, without_collector


class _Node:
    def __init__(self) -> None:
        self.itself = self


def test_what_was_loaded_is_in_the_oldest_generation() -> None:
    with without_collector(True):
        loaded = [[number] for number in range(1000)]
        settle()
    assert gc.get_freeze_count() == 0
    oldest = {id(thing) for thing in gc.get_objects(generation=2)}
    assert all(id(thing) in oldest for thing in loaded)


def test_cycles_are_still_found() -> None:
    settle()
    node = _Node()
    gone = weakref.ref(node)
    del node
    gc.collect(0)
    assert gone() is None
