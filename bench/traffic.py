"""Echo requests between two namespaces: how many packets a second a way carries, and how long one takes.

In: two ends. Out: figures of one way at one moment. The far end's kernel answers, so that one process does all; it
sends and reads by packet, in Python, which costs it 5 to 10 us a packet whatever the way. A window of `WINDOW` echoes
is always under way: as many are sent as come back, so that nothing is dropped by too much of it.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from netctl.lab import namespaces
from tests.lossmeter.frames import checksum

WINDOW = 32
_LOST_S, _CLOSED_PORT = 0.2, 9
_ICMP = struct.Struct("!BBHHH")
_REQUEST, _REPLY, _IP_BYTES = 8, 0, 20
_SOL_RAW, _ICMP_FILTER = 255, 1  # linux/icmp.h


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end: a network namespace and its address."""

    namespace: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What a way carried in `seconds`: packets of both directions, and echoes that did not come back."""

    packets: int
    lost: int
    seconds: float


class Echoes:
    """Echo requests from one end to the other, of so many bytes each behind the IP header's end."""

    def __init__(self, near: End, far: End, size: int) -> None:
        self._id = os.getpid() & 0xFFFF
        self._packets = [self._packet(number, size) for number in range(256)]
        self._next = 0
        self._socket = namespaces.run_in(near.namespace, lambda: _open(far.address))

    def flow(self, seconds: float) -> Flow:
        """Keep a window of echoes under way."""
        sent = came = lost = 0
        began = time.perf_counter()
        while True:
            while sent - came - lost < WINDOW:
                self._send()
                sent += 1
            if self._answered(None):
                came += 1
            else:
                lost += sent - came - lost
            elapsed_s = time.perf_counter() - began
            if elapsed_s >= seconds:
                break
        while sent - came - lost > 0:  # not in the next one's way
            if self._answered(None):
                came += 1
            else:
                lost += sent - came - lost
        return Flow(packets=2 * came, lost=lost, seconds=time.perf_counter() - began)

    def times_s(self, count: int) -> list[float]:
        """Return how long each of so many echoes took, one after the other; one that is lost took `_LOST_S`."""
        found = []
        for _ in range(count):
            began = time.perf_counter()
            self._answered(self._send())
            found.append(time.perf_counter() - began)
        return found

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _send(self) -> int:
        number = self._next
        self._next = (number + 1) % len(self._packets)
        self._socket.send(self._packets[number])
        return number

    def _answered(self, number: int | None) -> bool:
        """Wait for an answer, to this request when one is named."""
        while True:
            try:
                answer = self._socket.recv(65535)
            except TimeoutError:
                return False
            _type, _code, _sum, id, sequence = _ICMP.unpack_from(answer, _IP_BYTES)
            if id == self._id and number in (None, sequence):
                return True

    def _packet(self, number: int, size: int) -> bytes:
        body = bytes(size - _ICMP.size)
        summed = checksum(_ICMP.pack(_REQUEST, 0, 0, self._id, number) + body)
        return _ICMP.pack(_REQUEST, 0, summed, self._id, number) + body


def _open(address: str) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    opened.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", 0xFFFFFFFF & ~(1 << _REPLY)))
    opened.settimeout(_LOST_S)
    opened.connect((address, 0))
    return opened


def answers(near: End, far: End) -> bool:
    """Does a port on which nobody listens say so? Not when somebody between the ends drops the question."""
    with namespaces.run_in(
        near.namespace, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    ) as asking:
        asking.settimeout(_LOST_S)
        try:
            asking.connect((far.address, _CLOSED_PORT))
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            return False
    return True


def measured(work: Callable[[], Flow], cpu_s: Callable[[], float]) -> tuple[Flow, float]:
    """Return what was carried, and the CPU time that it took somebody else, a packet."""
    before = cpu_s()
    flow = work()
    return flow, (cpu_s() - before) / max(1, flow.packets)
