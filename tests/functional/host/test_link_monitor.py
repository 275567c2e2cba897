"""Changes of links wake, also when there are more of them than the kernel keeps for us."""

from __future__ import annotations

import threading
from pathlib import Path

from netctl_host.link_monitor import LinkMonitor

from netctl.loop import Wake, wait_until
from tests.functional.host.namespace import NamespaceHost


def dropped_messages(host: NamespaceHost) -> int:
    """Return how many messages the kernel could not put into the netlink sockets of the namespace."""
    with host.inside():
        lines = Path("/proc/thread-self/net/netlink").read_text().splitlines()
    column = lines[0].split().index("Drops")
    return sum(int(line.split()[column]) for line in lines[1:])


def test_a_new_link_wakes_and_silence_does_not(host: NamespaceHost) -> None:
    wake = Wake()
    with host.inside():
        monitor = LinkMonitor(wake)
    monitor.start()
    try:
        assert not wake.wait(0.3)
        host.add_link("tap1")
        assert wake.wait(5)
        host.remove_link("tap1")
        assert wake.wait(5)
    finally:
        monitor.close()


def test_an_overflow_wakes_like_any_change(host: NamespaceHost) -> None:
    blocked, go_on = threading.Event(), threading.Event()
    wakes: list[int] = []

    def slow_wake() -> None:
        wakes.append(1)
        blocked.set()
        go_on.wait(30)

    with host.inside():
        monitor = LinkMonitor(slow_wake)
    monitor.start()
    try:
        host.add_link("tap0")
        assert blocked.wait(5)
        host.flap_link("tap0", 300)
        assert dropped_messages(host) > 0
        go_on.set()
        wait_until(lambda: len(wakes) > 1, timeout_s=5, what="woken after the overflow")
        seen = len(wakes)
        host.remove_link("tap0")
        wait_until(lambda: len(wakes) > seen, timeout_s=5, what="still watching")
    finally:
        go_on.set()
        monitor.close()
