"""Asks who wants multicast in the VLANs of snooping bridges, on a thread of its own, while nobody else does.

In: where (`follow`). Out: general queries from the bridges' internal ports. Owns two packet sockets for each bridge,
with filters in the kernel, and the thread. Without a querier hosts report once, OVS forgets them after its aging time,
and their multicast stops or is flooded.
"""

from __future__ import annotations

import errno
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from netctl_host.igmp_query import QuerierPlace, outranks, parse_source, render_queries, silence_s
from netctl_host.tap_socket import LOAD_BYTE, LOAD_HALF, assemble, open_on, receive

BATCH, PAUSE_S, LOOK_S = 16, 0.1, 1.0
_IGMP = assemble((LOAD_HALF, 12, 0x0800), (LOAD_BYTE, 23, 2))
_MLD = assemble((LOAD_HALF, 12, 0x86DD), (LOAD_BYTE, 20, 0), (LOAD_BYTE, 54, 58), (LOAD_BYTE, 62, 130))
_GONE = {errno.ENODEV, errno.ENXIO}
_VLAN_MASK = 0xFFF
_Sockets = tuple[socket.socket, socket.socket]


class IgmpQuerier:
    """Asks between the first `follow` and `close`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # guards what follows
        self._places: dict[QuerierPlace, _Sockets] = {}
        self._next_s: dict[QuerierPlace, float] = {}
        self._silent_until_s: dict[tuple[QuerierPlace, int, bool], float] = {}
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, places: Iterable[QuerierPlace]) -> tuple[str, ...]:
        """Ask there and nowhere else; return what could not be done. In the thread whose namespace has them."""
        wanted = frozenset(places)
        problems = []
        with self._lock:
            for place in self._places.keys() - wanted:
                for opened in self._places.pop(place):
                    opened.close()
                self._next_s.pop(place)
            for place in sorted(wanted - self._places.keys(), key=lambda place: place.bridge):
                try:
                    self._places[place] = _open(place.bridge)
                    self._next_s[place] = self._clock()
                except OSError as error:
                    if error.errno not in _GONE:
                        problems.append(f"{place.bridge}: no multicast querier: {error}")
        if self._places and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="igmp", daemon=True)
            self._thread.start()
        return tuple(problems)

    def close(self) -> None:
        """End the thread and close the sockets."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        for sockets in self._places.values():
            for opened in sockets:
                opened.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            with selectors.DefaultSelector() as selector:
                with self._lock:
                    for sockets in self._places.values():
                        for opened in sockets:
                            selector.register(opened, selectors.EVENT_READ)
                selector.select(LOOK_S)
            with self._lock:
                self._hear()
                self._ask()
            self._closing.wait(PAUSE_S)

    def _hear(self) -> None:
        for place, sockets in self._places.items():
            for opened in sockets:
                for _ in range(BATCH):
                    try:
                        frame = receive(opened)
                    except OSError:  # nothing more; or the bridge is gone
                        break
                    source = None if frame.to_guest else parse_source(frame.data)
                    if source is not None and outranks(source, place):
                        key = (place, (frame.tag or 0) & _VLAN_MASK, source.version == 6)
                        self._silent_until_s[key] = self._clock() + silence_s(place)

    def _ask(self) -> None:
        now = self._clock()
        self._silent_until_s = {
            key: until
            for key, until in self._silent_until_s.items()
            if until > now and key[0] in self._places
        }
        for place, sockets in self._places.items():
            if now < self._next_s[place]:
                continue
            self._next_s[place] = now + place.interval_s
            for vlan_id in place.vlan_ids:
                for is_ipv6, query in enumerate(render_queries(place, vlan_id)):
                    if (place, vlan_id, bool(is_ipv6)) not in self._silent_until_s:
                        with suppress(OSError):  # the bridge is gone or down: its coming back wakes the loop
                            sockets[is_ipv6].send(query)


def _open(bridge: str) -> _Sockets:
    igmp = open_on(bridge, _IGMP)
    try:
        return igmp, open_on(bridge, _MLD)
    except OSError:
        igmp.close()
        raise
