"""Pause Python's cycle collector around bulk work that makes no cycles.

Building 100,000 rows makes a million containers. The collector looks at all of them again and again while they are
made, finds nothing, and takes two thirds of the time (`bench/resync.py`).
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

BULK_BYTES = 1 << 14
BULK_ROWS = 50

LOAD_BYTES = 1 << 23

_lock = threading.Lock()
_pauses = 0
_was_enabled = False


@contextmanager
def without_collector(bulk: bool) -> Iterator[None]:
    """Run the block with the collector off when it is `bulk`; blocks of several threads may overlap."""
    if not bulk:
        yield
        return
    global _pauses, _was_enabled
    with _lock:
        if _pauses == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _lock:
            _pauses -= 1
            if _pauses == 0 and _was_enabled:
                gc.enable()


def settle() -> None:
    """Tell the collector that everything there is now stays: it joins the oldest generation without being looked at.

    For the end of a load, within its pause: else the collector would look at a million new objects as soon as the pause
    ends. Not for what happens often: what is garbage by now waits for a collection of everything.
    """
    gc.freeze()
    gc.unfreeze()
