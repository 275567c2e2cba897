"""A thread that wakes the loop whenever a link or an address of this network namespace changes.

Nothing that the kernel says is parsed: the loop reads the links itself. So a plain netlink socket is enough, and an
overflow (ENOBUFS: the kernel dropped messages, and the socket goes on) is a wake like any other.
"""

from __future__ import annotations

import errno
import select
import socket
import threading
from collections.abc import Callable

# linux/rtnetlink.h
RTMGRP_LINK = 0x1
RTMGRP_IPV4_IFADDR = 0x10
RTMGRP_IPV6_IFADDR = 0x100


class LinkMonitor:
    """Calls `wake` from its own thread between `start` and `close`."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._netlink.bind((0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
        self._stop_here, self._stop_there = socket.socketpair()
        self._thread = threading.Thread(target=self._watch, name="links", daemon=True)

    def start(self) -> None:
        """Begin to watch; changes since the constructor are seen."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop_here.close()
        if self._thread.is_alive():
            self._thread.join()
        self._stop_there.close()
        self._netlink.close()

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._netlink, select.POLLIN)
        poll.register(self._stop_there, select.POLLIN | select.POLLHUP)
        while True:
            ready = {descriptor for descriptor, _event in poll.poll()}
            if self._stop_there.fileno() in ready:
                return
            try:
                self._netlink.recv(65536)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
            self._wake()
