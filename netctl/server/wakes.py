"""Wakes from other threads, brought to the event loop: coalesced, and paced so that looking again never takes over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine

import structlog

log = structlog.get_logger()

# A look that took t seconds is followed by a rest of at least so many t: looks take a quarter of the loop at most.
_REST = 3.0
_RETRY_S = 1.0


class LoopWake:
    """Calls `look` on the event loop after any number of calls from any thread."""

    def __init__(self, look: Callable[[], Coroutine[None, None, None]]) -> None:
        """Begin; needs the running event loop."""
        self._look = look
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._told = False
        self._task = self._loop.create_task(self._run())

    def __call__(self) -> None:
        """Ask for a look; any thread."""
        if self._told:
            return
        self._told = True
        # A loop that has ended has nobody left to wake.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._event.set)

    def close(self) -> None:
        """End; a look under way is given up."""
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            await self._event.wait()
            self._event.clear()
            # From here on a wake asks for another look: what it speaks of may come too late for this one.
            self._told = False
            begun = self._loop.time()
            if await survived(self._look()):
                await asyncio.sleep(_REST * (self._loop.time() - begun))
            else:
                self._event.set()
                await asyncio.sleep(_RETRY_S)


async def survived(work: Coroutine[None, None, None]) -> bool:
    """Do some work; log what goes wrong in it and say so: whoever works in the background must not end by a bug."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait((task,))
    finally:
        task.cancel()
    error = task.exception()
    if error is not None:
        log.error("work in the background failed", exc_info=error)
    return error is None
