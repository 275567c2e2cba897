"""A physical router that speaks BFD (RFC 5880, 5881): enough to be heard, and to fall silent.

A thread answers whoever speaks to it on UDP port 3784: asynchronous mode, no echo, no authentication.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from netctl.lab import namespaces

_PORT, _SOURCE_PORT = 3784, 49160
_CONTROL = struct.Struct("!BBBBIIIII")  # RFC 5880, 4.1
_DOWN, _INIT, _UP = 1, 2, 3
_POLL, _FINAL = 0x20, 0x10
_INTERVAL_S = 0.1
_OUR_NUMBER = 7
# By our state and the peer's, our next state (RFC 5880, 6.8.6).
_NEXT = {
    (_DOWN, _DOWN): _INIT,
    (_DOWN, _INIT): _UP,
    (_INIT, _INIT): _UP,
    (_INIT, _UP): _UP,
    (_UP, _DOWN): _DOWN,
}


@contextmanager
def speaking(namespace: str, address: str) -> Iterator[None]:
    """Answer BFD at an address of a namespace during a block."""
    ending = threading.Event()
    receiver, sender = namespaces.run_in(namespace, lambda: _sockets(address))
    speaker = threading.Thread(target=_speak, args=(receiver, sender, ending))
    speaker.start()
    try:
        yield
    finally:
        ending.set()
        speaker.join()
        receiver.close()
        sender.close()


def _sockets(address: str) -> tuple[socket.socket, socket.socket]:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind((address, _PORT))
    receiver.setblocking(False)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)  # RFC 5881, 5: others are not believed
    sender.bind((address, _SOURCE_PORT))
    return receiver, sender


def _speak(receiver: socket.socket, sender: socket.socket, ending: threading.Event) -> None:
    state, theirs, peer, due = _DOWN, 0, "", 0.0
    selector = selectors.DefaultSelector()
    selector.register(receiver, selectors.EVENT_READ)
    while not ending.is_set():
        if selector.select(0.02):
            packet, source = receiver.recvfrom(256)
            _version, flags, _mult, _length, theirs, *_rest = _CONTROL.unpack_from(packet)
            peer = source[0]
            state = _NEXT.get((state, flags >> 6), state)
            if flags & _POLL:
                sender.sendto(_packet(state, _FINAL, theirs), (peer, _PORT))
        if peer and time.monotonic() >= due:
            due = time.monotonic() + _INTERVAL_S
            sender.sendto(_packet(state, 0, theirs), (peer, _PORT))


def _packet(state: int, flags: int, theirs: int) -> bytes:
    interval_us = int(_INTERVAL_S * 1e6)
    return _CONTROL.pack(
        1 << 5, state << 6 | flags, 3, _CONTROL.size, _OUR_NUMBER, theirs, interval_us, interval_us, 0
    )
