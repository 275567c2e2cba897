"""Hears switches announce themselves on cards that are or could be uplinks, on a thread of its own.

In: the links (`hear`). Out: neighbours by link, and a call when they changed, at most once a second. Owns a packet
socket for each card, ahead of OVS, with a filter in the kernel, and the thread. Whoever sends more than `BATCH` frames
in `PAUSE_S` is not heard in whole.
"""

from __future__ import annotations

import errno
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping

import structlog

from netctl_host.lldp import ETHERTYPE, NeighborTable, parse_frame
from netctl_host.state import Link, LldpNeighbor
from netctl_host.tap_socket import LOAD_HALF, assemble, open_on, receive

log = structlog.get_logger()

BATCH, PAUSE_S = 16, 0.1
SECOND_S = 1.0
_FILTER = assemble((LOAD_HALF, 12, ETHERTYPE))
_GROUP = bytes.fromhex("0180c200000e")  # nearest bridge
# linux/if_packet.h: struct packet_mreq: index, type, length of the address, address
_SOL_PACKET, _ADD_MEMBERSHIP, _MULTICAST = 263, 1, 0
_MEMBERSHIP = struct.Struct("=iHH8s")
_GONE = {errno.ENODEV, errno.ENXIO}


class LldpListener:
    """Listens between the first `hear` and `close`; `changed` is called on its thread."""

    def __init__(self, changed: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._changed = changed
        self._clock = clock
        self._lock = threading.Lock()  # guards what follows
        self._table = NeighborTable()
        self._sockets: dict[tuple[str, int], socket.socket] = {}
        self._closing = threading.Event()
        self._here, self._there = socket.socketpair()
        self._thread: threading.Thread | None = None

    def hear(self, links: Iterable[Link]) -> Mapping[str, LldpNeighbor]:
        """Listen on the cards among these links alone; return who is known there now."""
        cards = {(link.name, link.index) for link in links if link.ethernet is not None}
        with self._lock:
            stale = self._sockets.keys() - cards
            for card in stale:
                # The thread forgets it when it looks again; a closed one is never read.
                self._sockets.pop(card).close()
            fresh = cards - self._sockets.keys()
            for name, index in sorted(fresh):
                try:
                    self._sockets[name, index] = _open(name, index)
                except OSError as error:
                    if error.errno not in _GONE:
                        log.warning("LLDP cannot be heard", link=name, error=str(error))
            self._table.keep(frozenset(name for name, _ in self._sockets))
            known = self._table.read(self._clock())
        if stale or fresh:
            if self._thread is None and self._sockets:
                self._thread = threading.Thread(target=self._run, name="lldp", daemon=True)
                self._thread.start()
            self._here.send(b"!")
        return known

    def close(self) -> None:
        """End the thread and close the sockets."""
        self._closing.set()
        self._here.send(b"!")
        if self._thread is not None:
            self._thread.join()
        for opened in self._sockets.values():
            opened.close()
        self._here.close()
        self._there.close()

    def _run(self) -> None:
        told: Mapping[str, LldpNeighbor] = {}
        told_s = -SECOND_S
        while not self._closing.is_set():
            self._wait()
            with self._lock:
                for (name, _), opened in self._sockets.items():
                    self._read(name, opened)
                now = self._clock()
                known = self._table.read(now)
            if known != told and now - told_s >= SECOND_S:
                told, told_s = known, now
                self._changed()
            self._closing.wait(PAUSE_S)

    def _wait(self) -> None:
        """Wait until there is something to read, or a while: somebody may be no neighbour any more."""
        with selectors.DefaultSelector() as selector:
            with self._lock:
                selector.register(self._there, selectors.EVENT_READ)
                for opened in self._sockets.values():
                    selector.register(opened, selectors.EVENT_READ)
            ready = selector.select(SECOND_S)
        if any(key.fileobj is self._there for key, _ in ready):
            self._there.recv(4096)

    def _read(self, name: str, opened: socket.socket) -> None:
        for _ in range(BATCH):
            try:
                frame = receive(opened)
            except OSError:  # nothing more; or the link went down, or away
                return
            said = None if frame.to_guest else parse_frame(frame.data)
            if said is not None:
                self._table.note(name, said, self._clock())


def _open(name: str, index: int) -> socket.socket:
    opened = open_on(name, _FILTER)
    try:
        membership = _MEMBERSHIP.pack(index, _MULTICAST, len(_GROUP), _GROUP)
        opened.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
    except OSError:
        opened.close()
        raise
    return opened
