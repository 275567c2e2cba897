"""One question and one answer by TCP or UDP between two namespaces: was it heard, and whom did the other end see? And
connections that stay open.

The client's question must come back from the server within `timeout_s`; a question is asked once and never again, so
that a silence is the network's at that moment (TCP's own second SYN comes after one second).
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from netctl.lab import namespaces
from netctl.loop import wait_until

ANSWER_S = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end: a network namespace and the address that it listens on."""

    namespace: str
    address: str


def tcp(client: End, server: End, address: str, port: int, *, timeout_s: float = ANSWER_S) -> str:
    """Connect to `address`, which `server` stands behind; return the client's address as seen there, "" for silence."""
    return _ask(client, server, (address, port), socket.SOCK_STREAM, timeout_s)


def udp(client: End, server: End, address: str, port: int, *, timeout_s: float = ANSWER_S) -> str:
    """Send one datagram and expect one back; return the client's address as seen there, "" for silence."""
    return _ask(client, server, (address, port), socket.SOCK_DGRAM, timeout_s)


def wait_tcp(client: End, server: End, address: str, port: int, *, timeout_s: float = 10) -> str:
    """Return the client's address as seen by the server when a connection is there, at last."""
    seen = [""]

    def heard() -> bool:
        seen[0] = tcp(client, server, address, port)
        return bool(seen[0])

    wait_until(heard, timeout_s=timeout_s, what=f"TCP from {client.address} to {address}:{port}")
    return seen[0]


@dataclass
class Conversation:
    """An open TCP connection; whichever side speaks, the other one hears it or not."""

    opener: socket.socket
    answerer: socket.socket

    def heard(self, *, by_opener: bool = False, timeout_s: float = ANSWER_S) -> bool:
        """Say a word: to the side that did not open the connection, or `by_opener`; is it heard in time?

        What was not heard is sent again by TCP, and heard before the next word when it can be.
        """
        hearing, saying = (self.opener, self.answerer) if by_opener else (self.answerer, self.opener)
        word, so_far = secrets.token_hex(8).encode(), b""
        saying.sendall(word)
        until_s = time.monotonic() + timeout_s
        while (left_s := until_s - time.monotonic()) > 0 and word not in so_far:
            hearing.settimeout(left_s)
            try:
                so_far += hearing.recv(1024)
            except TimeoutError:
                break
        return word in so_far


@contextmanager
def conversation(client: End, server: End, port: int) -> Iterator[Conversation]:
    """Keep a TCP connection open during a block."""
    family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
    with ExitStack() as stack:

        def listen() -> socket.socket:
            listener = socket.create_server((server.address, port), family=family)
            listener.settimeout(ANSWER_S)
            return listener

        listener = stack.enter_context(namespaces.run_in(server.namespace, listen))
        opener = stack.enter_context(
            namespaces.run_in(
                client.namespace,
                lambda: socket.create_connection(
                    (server.address, port), timeout=ANSWER_S, source_address=(client.address, 0)
                ),
            )
        )
        answerer, _peer = listener.accept()
        yield Conversation(opener, stack.enter_context(answerer))


def _ask(client: End, server: End, target: tuple[str, int], kind: socket.SocketKind, timeout_s: float) -> str:
    family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
    word = secrets.token_bytes(16)
    seen = [""]
    ready = threading.Event()

    def listen() -> socket.socket:
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.settimeout(timeout_s)
        listener.bind((server.address, target[1]))
        if kind is socket.SOCK_STREAM:
            listener.listen()
        return listener

    with namespaces.run_in(server.namespace, listen) as listener:

        def serve() -> None:
            ready.set()
            try:
                seen[0] = (
                    _echo_stream(listener) if kind is socket.SOCK_STREAM else _echo_datagram(listener, word)
                )
            except OSError:  # nobody came in time
                return

        server_thread = threading.Thread(target=serve)
        server_thread.start()
        ready.wait()
        try:
            answered = namespaces.run_in(
                client.namespace, lambda: _question(client, target, (family, kind), (word, timeout_s))
            )
        finally:
            server_thread.join()
    return seen[0] if answered else ""


def _question(
    client: End,
    target: tuple[str, int],
    sort: tuple[socket.AddressFamily, socket.SocketKind],
    content: tuple[bytes, float],
) -> bool:
    word, timeout_s = content
    with socket.socket(*sort) as asking:
        asking.settimeout(timeout_s)
        try:
            asking.bind((client.address, 0))
            asking.connect(target)
            asking.send(word)
            return asking.recv(64) == word
        except OSError:
            return False


def _echo_stream(listener: socket.socket) -> str:
    connection, peer = listener.accept()
    with connection:
        connection.settimeout(listener.gettimeout())
        connection.sendall(connection.recv(64))
        return str(peer[0])


def _echo_datagram(listener: socket.socket, word: bytes) -> str:
    while True:
        heard, peer = listener.recvfrom(64)
        if heard == word:
            listener.sendto(heard, peer)
            return str(peer[0])
