"""The wake: asked for at once, or within a time for what nobody announces."""

from __future__ import annotations

import time

from netctl.loop import Wake


def took_s(wake: Wake, timeout_s: float) -> float:
    start = time.monotonic()
    wake.wait(timeout_s)
    return time.monotonic() - start


def test_a_wake_ends_the_wait_and_is_used_up() -> None:
    wake = Wake()
    wake()
    wake()
    assert wake.wait(10.0)
    assert not wake.wait(0.0)


def test_the_soonest_look_asked_for_shortens_the_next_wait_only() -> None:
    wake = Wake()
    wake.within(30.0)
    wake.within(0.0)
    wake.within(20.0)
    assert took_s(wake, 10.0) < 5.0
    assert took_s(wake, 0.05) >= 0.04


def test_a_look_asked_for_never_lengthens_a_wait() -> None:
    wake = Wake()
    wake.within(30.0)
    assert took_s(wake, 0.0) < 5.0
