"""Sees a migrated guest's first frame, and tells the network at once, on a thread of its own.

In: whose guests are to come (`follow`). Out: packets into bridges (`arrivals.py`), and after how many milliseconds
frames passed (`read`); `changed` is called then. Owns a packet socket on each tap until its guest is there, and the
thread. The first frame is QEMU's own RARP: it comes when the guest's state is there, a moment before its CPUs run.

OVN lets nothing pass before it has seen that RARP (`activation-strategy`): its flows for that port stand above all
others of table 0, and frames pass when they are gone. No database of this host says so; ovs-vswitchd is asked.
"""

from __future__ import annotations

import errno
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from netctl_host import openflow, tap_socket
from netctl_host.arrivals import ROUNDS, SETTLED_ROUNDS, Arrival, TapKey, render_round

log = structlog.get_logger()

LONGEST_S = 2.0
LOOK_S = 0.005
_PRIORITY = struct.Struct("!HHBxH")  # OpenFlow 1.5.1, 7.3.5.2: length, padding, table_id, priority
_GATE_PRIORITY = 1000  # ovn-controller's physical.c, of 1000 and 1010; what lets pass has 100 and 150
_GONE = {errno.ENODEV, errno.ENXIO}


@dataclass(slots=True)
class _Guest:
    """One that is to come, or came at `first_s`. Its socket is closed late: the kernel takes 20 ms for it.

    It is told of in `rounds` since `told_s`: when it came, and again from when it is `settled`.
    """

    arrival: Arrival
    opened: socket.socket
    first_s: float | None = None
    settled: bool = False
    told_s: float = 0.0
    rounds: deque[tuple[float, bool]] = field(default_factory=lambda: deque(ROUNDS))
    told: bool = False
    passes_after_ms: int | None = None


class ArrivalWatch:
    """Watches between the first `follow` and `close`; `changed` is called on its thread."""

    def __init__(
        self,
        rundir: Path,
        changed: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rundir = rundir
        self._changed = changed
        self._clock = clock
        self._lock = threading.Lock()  # guards what follows
        self._guests: dict[TapKey, _Guest] = {}
        self._closing = False
        self._here, self._there = socket.socketpair()
        for end in (self._here, self._there):
            end.setblocking(False)
        self._thread: threading.Thread | None = None

    def follow(self, arrivals: frozenset[Arrival], staying: frozenset[TapKey]) -> tuple[str, ...]:
        """Await these guests and no others, and know of those that came as long as they stay.

        Return what could not be done. In the thread whose namespace has the taps.
        """
        wanted = {arrival.key: arrival for arrival in arrivals}
        problems = []
        with self._lock:
            for key, guest in list(self._guests.items()):
                if key not in staying or (guest.first_s is None and key not in wanted):
                    self._guests.pop(key).opened.close()
                elif key not in wanted and not guest.settled:
                    guest.settled, guest.told_s = True, self._clock()
                    guest.rounds = deque(SETTLED_ROUNDS)
            for key, arrival in sorted(wanted.items()):
                if key in self._guests:
                    self._guests[key].arrival = arrival
                    continue
                try:
                    opened = tap_socket.open_on(arrival.tap, tap_socket.assemble_sent())
                    self._guests[key] = _Guest(arrival, opened)
                except OSError as error:
                    if error.errno not in _GONE:  # its coming back wakes the loop
                        problems.append(f"tap {arrival.tap} cannot be listened to: {error}")
        if wanted and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="arrivals", daemon=True)
            self._thread.start()
        if self._thread is not None:
            with suppress(BlockingIOError):  # it has not yet looked at what was sent before
                self._here.send(b"!")
        return tuple(problems)

    def read(self) -> Mapping[str, int]:
        """Return by iface-id the guests that are here, and after how many milliseconds their frames passed."""
        with self._lock:
            return {
                guest.arrival.iface_id: guest.passes_after_ms
                for guest in self._guests.values()
                if guest.passes_after_ms is not None
            }

    def close(self) -> None:
        """End the thread and close the sockets."""
        with self._lock:
            self._closing = True
        if self._thread is not None:
            with suppress(BlockingIOError):
                self._here.send(b"!")
            self._thread.join()
        for guest in self._guests.values():
            guest.opened.close()
        self._here.close()
        self._there.close()

    def _run(self) -> None:
        wait_s: float | None = None
        while True:
            with selectors.DefaultSelector() as selector:
                selector.register(self._there, selectors.EVENT_READ)
                with self._lock:
                    for guest in self._guests.values():
                        if guest.first_s is None:
                            selector.register(guest.opened, selectors.EVENT_READ, guest)
                ready = [key.data for key, _ in selector.select(wait_s)]
            now = self._clock()
            with suppress(BlockingIOError):
                self._there.recv(4096)
            with self._lock:
                if self._closing:
                    return
                for guest in ready:
                    if guest is not None:
                        _hear(guest, now)
                here = [(guest, guest.first_s) for guest in self._guests.values()]
            waits = [self._serve(guest, first_s) for guest, first_s in here if first_s is not None]
            wait_s = min((one for one in waits if one is not None), default=None)

    def _serve(self, guest: _Guest, first_s: float) -> float | None:
        """Do what is due for a guest that is here; return after how many seconds to look again."""
        arrival = guest.arrival
        with self._lock:
            rounds, told_s = guest.rounds, guest.told_s
        if rounds and self._clock() - told_s >= rounds[0][0]:
            self._tell(guest, arrival, with_arp=rounds.popleft()[1])
        if guest.passes_after_ms is None:
            self._look(guest, arrival, first_s)
        waits = [rounds[0][0] - (self._clock() - told_s)] if rounds else []
        if guest.passes_after_ms is None:
            waits.append(LOOK_S)
        return max(0.0, min(waits)) if waits else None

    def _tell(self, guest: _Guest, arrival: Arrival, *, with_arp: bool) -> None:
        messages = render_round(arrival, with_arp=with_arp, with_gate=guest.passes_after_ms is None)
        try:
            for bridge, sent in messages.items():
                openflow.exchange(self._rundir / f"{bridge}.mgmt", {1: sent})
        except OSError as error:
            log.warning("arrival not told", tap=arrival.tap, error=str(error))
        else:
            guest.told = True

    def _look(self, guest: _Guest, arrival: Arrival, first_s: float) -> None:
        passes = guest.told and not (arrival.gate and self._is_closed(arrival))
        age_s = self._clock() - first_s
        if not passes and age_s < LONGEST_S:
            return
        with self._lock:
            guest.passes_after_ms = round(age_s * 1000)
        log.info("guest arrived", tap=arrival.tap, passes=passes, after_ms=guest.passes_after_ms)
        self._changed()
        guest.opened.close()

    def _is_closed(self, arrival: Arrival) -> bool:
        path = self._rundir / f"{arrival.gate_bridge}.mgmt"
        try:
            return is_closed(path, arrival.gate)
        except OSError:
            return True  # not known; the guest is told of after LONGEST_S in any case


def is_closed(path: Path, ofport: int) -> bool:
    """Does OVN keep a port's frames until it has seen a RARP? Raise OSError when ovs-vswitchd does not say."""
    question = openflow.render_request(openflow.FLOW_DESC, 1, 0, openflow.in_port_match(ofport))
    return any(
        priority >= _GATE_PRIORITY
        for body in openflow.exchange(path, {1: question})[1]
        for priority in _priorities(body)
    )


def _priorities(body: bytes) -> list[int]:
    found, at = [], 0
    while at + _PRIORITY.size <= len(body):
        length, _, _, priority = _PRIORITY.unpack_from(body, at)
        found.append(priority)
        if not length:
            break
        at += length
    return found


def _hear(guest: _Guest, now: float) -> None:
    """Take the first frame, if there is one."""
    with suppress(OSError):  # nothing yet; or the tap went down, or away
        tap_socket.receive(guest.opened)
        guest.first_s = guest.told_s = now
