"""Listens to guests whose addresses the controller does not know, on a thread of its own.

In: which taps to listen on (`listen`). Out: addresses in a `LearnedTable`, and a call when they changed, at most once a
second. Owns a packet socket for each tap, with a filter in the kernel, and the thread. A guest in the middle of a long
connection asks nobody for addresses: one that is silent for half its time is awaited in all that the guest sends,
until it is heard. What a guest can cost is bounded: beyond `PORT_BUDGET` frames a second of one tap, or `BUDGET` of
all, nothing is read until the next second.
"""

from __future__ import annotations

import errno
import ipaddress
import selectors
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from netctl_host import tap_socket
from netctl_host.learn_filter import assemble_filter
from netctl_host.learn_frames import Frame, look_at
from netctl_host.learned import LearnedTable, Tap
from netctl_host.state import LearnedAddress

PORT_BUDGET, BUDGET = 50, 1000
SECOND_S = 1.0
LOOK_S = 10.0
REQUEST_S = 60.0
REQUESTS_MAX = 8
_BUFFER_BYTES = 1 << 16

_GONE = {errno.ENODEV, errno.ENXIO}


class Learner:
    """Listens between the first `listen` and `close`; `changed` is called on its thread."""

    def __init__(
        self,
        table: LearnedTable,
        changed: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
        *,
        look_s: float = LOOK_S,
    ) -> None:
        self._table = table
        self._changed = changed
        self._clock = clock
        self._look_s = look_s
        self._wanted: dict[Tap, socket.socket] = {}  # the thread's, which closes what is no longer wanted
        self._orders: deque[dict[Tap, socket.socket]] = deque()
        self._closing = threading.Event()
        self._here, self._there = socket.socketpair()
        self._thread: threading.Thread | None = None

    def listen(self, taps: frozenset[Tap]) -> tuple[str, ...]:
        """Listen on these taps and no others, as far as they are there; return what could not be done.

        In the thread whose network namespace has them.
        """
        wanted = {tap: self._wanted[tap] for tap in taps & self._wanted.keys()}
        problems = []
        for tap in sorted(taps - self._wanted.keys(), key=lambda tap: tap.name):
            try:
                wanted[tap] = open_tap(tap)
            except OSError as error:
                if error.errno not in _GONE:  # its coming back wakes the loop
                    problems.append(f"tap {tap.name} cannot be listened to: {error}")
        if wanted.keys() != self._wanted.keys():
            self._wanted = wanted
            self._orders.append(wanted)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="learn", daemon=True)
                self._thread.start()
            self._here.send(b"!")
        return tuple(problems)

    def close(self) -> None:
        """End the thread and close the sockets."""
        self._closing.set()
        if self._thread is not None:
            self._here.send(b"!")
            self._thread.join()
        self._here.close()
        self._there.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._there, selectors.EVENT_READ)
            ears = _Ears(selector, self._table, self._clock)
            told_s, looked_s, is_news = 0.0, 0.0, False
            while True:
                now = self._clock()
                if is_news and now - told_s >= SECOND_S:
                    told_s, is_news = now, False
                    self._changed()
                ready = selector.select(SECOND_S if is_news or ears.are_closed else self._look_s)
                if any(key.fileobj is self._there for key, _ in ready):
                    self._there.recv(4096)
                    while self._orders:
                        ears.follow(self._orders.popleft())
                    if self._closing.is_set():
                        ears.follow({})
                        return
                is_news |= ears.hear([key.data for key, _ in ready if key.data is not None])
                if not ready or now - looked_s >= SECOND_S:
                    looked_s = now
                    ears.await_silent()


class _Ears:
    """The sockets of the listening thread, what they may cost, and who asked for an address."""

    def __init__(
        self, selector: selectors.BaseSelector, table: LearnedTable, clock: Callable[[], float]
    ) -> None:
        self._selector = selector
        self._table = table
        self._clock = clock
        self._sockets: dict[Tap, socket.socket] = {}
        self._second_s = 0.0
        self._spent: Counter[Tap] = Counter()
        self._deaf: set[Tap] = set()
        self._requests: dict[Tap, dict[int, float]] = {}
        self._awaited: dict[Tap, tuple[LearnedAddress, ...]] = {}

    @property
    def are_closed(self) -> bool:
        """Is there a tap that is listened to again in the next second?"""
        return bool(self._deaf)

    def follow(self, wanted: Mapping[Tap, socket.socket]) -> None:
        """Have these sockets and no others."""
        for tap in self._sockets.keys() - wanted.keys():
            if tap not in self._deaf:
                self._selector.unregister(self._sockets[tap])
            self._deaf.discard(tap)
            self._requests.pop(tap, None)
            self._awaited.pop(tap, None)
            self._sockets.pop(tap).close()
        for tap in wanted.keys() - self._sockets.keys():
            self._sockets[tap] = wanted[tap]
            self._selector.register(wanted[tap], selectors.EVENT_READ, tap)

    def hear(self, taps: list[Tap]) -> bool:
        """Read one frame of each of these; say whether anything is new."""
        now = self._clock()
        if now - self._second_s >= SECOND_S:
            self._second_s = now
            self._spent.clear()
            for tap in self._deaf:
                self._selector.register(self._sockets[tap], selectors.EVENT_READ, tap)
            self._deaf.clear()
        is_new = False
        for tap in taps:
            if tap not in self._sockets or tap in self._deaf:
                continue
            if self._spent[tap] >= PORT_BUDGET or self._spent.total() >= BUDGET:
                self._selector.unregister(self._sockets[tap])
                self._deaf.add(tap)
                continue
            self._spent[tap] += 1
            with suppress(OSError):  # the link went down, or away: the socket says so once
                is_new |= self._learn(tap, tap_socket.receive(self._sockets[tap]))
        return is_new

    def await_silent(self) -> None:
        """Have the kernel hand on a sign of life of addresses that were silent for long, and no more than one."""
        for tap, opened in self._sockets.items():
            silent = self._table.silent(tap.owner)
            if silent != self._awaited.get(tap, ()):
                with suppress(OSError):
                    tap_socket.attach_filter(opened, _filter(tap, silent))
                    self._awaited[tap] = silent

    def _learn(self, tap: Tap, frame: Frame) -> bool:
        now = self._clock()
        waiting = {id: time for id, time in self._requests.get(tap, {}).items() if now - time < REQUEST_S}
        mac = bytes.fromhex(tap.owner.mac_address.replace(":", ""))
        found = look_at(frame, mac, frozenset(waiting))
        if found.request is not None:
            waiting[found.request] = now
            for oldest in sorted(waiting, key=lambda id: waiting[id])[:-REQUESTS_MAX]:
                del waiting[oldest]
        self._requests[tap] = waiting
        if found.vlan_id and found.vlan_id not in tap.vlan_ids:
            return False
        if found.source:
            life = LearnedAddress(vlan_id=found.vlan_id, address=found.source)
            self._table.note_life(tap.owner, life)
        learned = [LearnedAddress(vlan_id=found.vlan_id, address=address) for address in found.addresses]
        return self._table.note(tap.owner, learned)


def open_tap(tap: Tap) -> socket.socket:
    """Return a socket that gets the guest's frames of interest from now on; raise OSError."""
    return tap_socket.open_on(tap.name, _filter(tap), buffer_bytes=_BUFFER_BYTES)


def _filter(tap: Tap, awaited: tuple[LearnedAddress, ...] = ()) -> bytes:
    addresses = dict.fromkeys(ipaddress.ip_address(one.address).packed for one in awaited)
    return assemble_filter(tap.owner.mac_address, addresses)
