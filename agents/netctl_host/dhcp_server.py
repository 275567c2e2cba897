"""Answers guests' DHCP requests on their taps, on a thread of its own.

In: the guests to serve (`serve`). Out: replies, sent out of the tap towards the guest alone. Owns a packet socket for
each tap. The assignment is the source of truth: there is nothing to remember. What a guest can cost is bounded: beyond
`BUDGET` frames a second of one tap nothing of it is answered until the next second.
"""

from __future__ import annotations

import errno
import selectors
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress

import structlog

from netctl_host import tap_socket
from netctl_host.dhcp_message import CLIENT_PORT, SERVER_PORT, Kind, make_reply, parse_request
from netctl_host.guest_flows import Client

log = structlog.get_logger()

BUDGET = 20
_SECOND_S = 1.0
_GONE = {errno.ENODEV, errno.ENXIO}
_FILTER = tap_socket.assemble(
    (tap_socket.LOAD_HALF, 12, 0x0800),
    (tap_socket.LOAD_BYTE, 23, 17),
    (tap_socket.X_IS_HEADER, 14, 0),
    (tap_socket.LOAD_HALF_AT_X, 14, CLIENT_PORT),
    (tap_socket.LOAD_HALF_AT_X, 16, SERVER_PORT),
)

_Sockets = Mapping[str, tuple[Client, socket.socket]]


class DhcpServer:
    """Serves between the first `serve` and `close`."""

    def __init__(self) -> None:
        self._wanted: dict[str, tuple[Client, socket.socket]] = {}
        self._orders: deque[_Sockets] = deque()
        self._closing = threading.Event()
        self._here, self._there = socket.socketpair()
        self._thread: threading.Thread | None = None

    def serve(self, clients: frozenset[Client]) -> tuple[str, ...]:
        """Serve these guests and no others, as far as their taps are there; return what could not be done.

        In the thread whose network namespace has them.
        """
        wanted: dict[str, tuple[Client, socket.socket]] = {}
        problems = []
        for client in sorted(clients, key=lambda client: client.tap):
            there = self._wanted.get(client.tap)
            if there is not None and there[0].index == client.index:
                wanted[client.tap] = (client, there[1])
                continue
            try:
                wanted[client.tap] = (client, tap_socket.open_on(client.tap, _FILTER))
            except OSError as error:
                if error.errno not in _GONE:  # its coming back wakes the loop
                    problems.append(f"tap {client.tap} gets no DHCP: {error}")
        if wanted != self._wanted:
            self._wanted = wanted
            self._orders.append(wanted)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="dhcp", daemon=True)
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
            ears = _Ears(selector)
            while True:
                ready = [key for key, _ in selector.select(_SECOND_S if ears.are_closed else None)]
                if any(key.fileobj is self._there for key in ready):
                    self._there.recv(4096)
                    while self._orders:
                        ears.follow(self._orders.popleft())
                    if self._closing.is_set():
                        ears.follow({})
                        return
                ears.hear([key.data for key in ready if key.data is not None])


class _Ears:
    """The sockets of the serving thread, and what guests cost in this second."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._serving: _Sockets = {}
        self._second_s = 0.0
        self._spent: Counter[str] = Counter()
        self._deaf: set[str] = set()

    @property
    def are_closed(self) -> bool:
        """Is there a tap that is listened to again in the next second?"""
        return bool(self._deaf)

    def follow(self, wanted: _Sockets) -> None:
        """Have these sockets and no others."""
        for tap, (_client, opened) in self._serving.items():
            if tap not in wanted or wanted[tap][1] is not opened:
                if tap not in self._deaf:
                    self._selector.unregister(opened)
                self._deaf.discard(tap)
                opened.close()
        for tap, (_client, opened) in wanted.items():
            if tap not in self._serving or self._serving[tap][1] is not opened:
                self._selector.register(opened, selectors.EVENT_READ, tap)
        self._serving = wanted

    def hear(self, taps: list[str]) -> None:
        """Answer one frame of each of these."""
        if time.monotonic() - self._second_s >= _SECOND_S:
            self._second_s = time.monotonic()
            self._spent.clear()
            for tap in self._deaf:
                self._selector.register(self._serving[tap][1], selectors.EVENT_READ, tap)
            self._deaf.clear()
        for tap in taps:
            if tap not in self._serving or tap in self._deaf:
                continue
            self._spent[tap] += 1
            if self._spent[tap] > BUDGET:
                self._selector.unregister(self._serving[tap][1])
                self._deaf.add(tap)
                continue
            with suppress(OSError):  # the link went down, or away: the socket says so once
                _answer(*self._serving[tap])


def _answer(client: Client, opened: socket.socket) -> None:
    frame = tap_socket.receive(opened)
    if frame.to_guest or (frame.tag or 0) & 0xFFF:
        return
    request = parse_request(frame.data, bytes.fromhex(client.mac_address.replace(":", "")))
    if request is None:
        return
    if request.kind is Kind.DECLINE:
        log.warning(
            "a guest declines its address: somebody else uses it",
            tap=client.tap,
            address=client.lease.address,
        )
    reply = make_reply(request, client.lease)
    if reply is not None:
        opened.send(reply)
