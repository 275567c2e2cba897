"""Round trips to other hosts: the median of five TCP connects to where a migration would go.

In: migration addresses by host (`measure`). Out: microseconds, as far as they are known. Owns a thread while there is
something to measure; what was measured counts for `FRESH_S`.
"""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Callable, Mapping

import structlog

from netctl.errors import InvalidIntent
from netctl_compute.migration_watch import peer_of

log = structlog.get_logger()

CONNECTS, CONNECT_S, FRESH_S = 5, 1.0, 60.0


class RoundTrips:
    """`measure` in one thread; `wake` is called on another when something is known anew."""

    def __init__(self, wake: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._wake = wake
        self._clock = clock
        self._lock = threading.Lock()  # guards what follows
        self._known: dict[str, tuple[str, int, float]] = {}  # address, microseconds (0: not reached), when
        self._busy = False

    def measure(self, hosts: Mapping[str, str]) -> Mapping[str, int]:
        """Return what is known, and begin to measure what is not, or is old."""
        now = self._clock()
        with self._lock:
            self._known = {host: known for host, known in self._known.items() if hosts.get(host) == known[0]}
            due = {
                host: address
                for host, address in hosts.items()
                if host not in self._known or now - self._known[host][2] > FRESH_S
            }
            starts = bool(due) and not self._busy
            self._busy |= starts
            known = {host: known[1] for host, known in self._known.items() if known[1]}
        if starts:
            threading.Thread(target=self._run, args=(due,), name="round-trips", daemon=True).start()
        return known

    def _run(self, due: Mapping[str, str]) -> None:
        for host, address in due.items():
            took_us = measure_us(address)
            with self._lock:
                self._known[host] = address, took_us, self._clock()
        with self._lock:
            self._busy = False
        self._wake()


def measure_us(address: str) -> int:
    """Return the median of the connects, 0 when one fails."""
    try:
        host, port = peer_of(address)
        times = [_connect_us(host, port) for _ in range(CONNECTS)]
    except (OSError, InvalidIntent) as error:
        log.info("round trip not measured", address=address, error=str(error))
        return 0
    return max(1, round(statistics.median(times)))


def _connect_us(host: str, port: int) -> float:
    begun_s = time.perf_counter()
    with socket.create_connection((host, port), timeout=CONNECT_S):
        return (time.perf_counter() - begun_s) * 1_000_000
