"""Wakes from other threads: looked at once for many, never lost, and work that fails is done again."""

from __future__ import annotations

import asyncio
import threading

import pytest

from netctl.server import wakes
from netctl.server.wakes import LoopWake, survived


async def test_many_wakes_are_one_look_and_the_last_one_is_seen() -> None:
    looks: list[int] = []
    count = 0

    async def look() -> None:
        looks.append(count)

    wake = LoopWake(look)

    def tell() -> None:
        nonlocal count
        for _ in range(1000):
            count += 1
            wake()

    thread = threading.Thread(target=tell)
    thread.start()
    await asyncio.to_thread(thread.join)
    async with asyncio.timeout(5):
        while not looks or looks[-1] != 1000:  # noqa: ASYNC110 (what it waits for is a plain value)
            await asyncio.sleep(0.001)
    assert len(looks) < 1000
    wake.close()


async def test_a_wake_during_a_look_asks_for_another() -> None:
    looks = 0
    done = asyncio.Event()

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            wake()
            await asyncio.sleep(0)
        else:
            done.set()

    wake = LoopWake(look)
    wake()
    await asyncio.wait_for(done.wait(), 5)
    wake.close()


async def test_a_look_that_fails_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakes, "_RETRY_S", 0.001)
    looks = 0
    done = asyncio.Event()

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise ValueError("a bug")
        done.set()

    wake = LoopWake(look)
    wake()
    await asyncio.wait_for(done.wait(), 5)
    assert looks == 3
    wake.close()


async def test_a_wake_after_the_loop_has_ended_is_no_error() -> None:
    made: list[LoopWake] = []

    async def look() -> None: ...

    async def make() -> None:
        made.append(LoopWake(look))
        made[0].close()

    await asyncio.to_thread(asyncio.run, make())
    made[0]()


async def test_work_in_the_background_survives_its_bugs() -> None:
    async def good() -> None: ...

    async def bad() -> None:
        raise KeyError("x")

    assert await survived(good())
    assert not await survived(bad())
