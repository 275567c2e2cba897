"""Probes of a guest from several places at once: one small process that sends and listens in all their namespaces.

    python -m tests.e2e.prober '{"period_ms": 10, "stations": {"h1": ["netctl.lab.g.tap1", "10.10.0.5", "10.10.0.9"]}}'

A station is a namespace, its own address and the guest's. To the guest's echo port 7 it sends a numbered datagram each
period, and a numbered line over one TCP connection that is opened once and never again. Standard input takes one word a
line, each answered with one line of JSON: `mark` begins to count anew, `report` tells of the time since; its end ends
the process. A silence is the time between two answers. `starved_ms` is the longest that this process itself did not
come to run: silence that is nobody else's.
"""

from __future__ import annotations

import json
import selectors
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from netctl.lab import namespaces

ECHO_PORT = 7
TCP_EVERY = 5  # periods between two lines
CONNECT_S = 5.0
_NUMBER = struct.Struct("!Q")


@dataclass(slots=True)
class Silence:
    """Answers of one kind to one station since the mark."""

    sent: int = 0
    answered: int = 0
    last_s: float = 0.0
    longest_s: float = 0.0

    def hear(self, now_s: float) -> None:
        """Count an answer."""
        self.answered += 1
        self.end(now_s)
        self.last_s = now_s

    def end(self, now_s: float) -> None:
        """Count the silence so far."""
        if self.last_s:
            self.longest_s = max(self.longest_s, now_s - self.last_s)

    def mark(self, now_s: float) -> None:
        """Begin anew."""
        self.sent, self.answered, self.last_s, self.longest_s = 0, 0, now_s, 0.0

    def told(self) -> dict[str, float]:
        """Return what is told of it."""
        return {
            "sent": self.sent,
            "answered": self.answered,
            "longest_ms": self.longest_s * 1e3,
        }


@dataclass(slots=True)
class Station:
    """One place: its two sockets, what each of them heard."""

    name: str
    udp: socket.socket
    tcp: socket.socket
    datagrams: Silence = field(default_factory=Silence)
    lines: Silence = field(default_factory=Silence)
    said: int = 0  # lines, in all
    heard: int = 0
    rest: bytes = b""
    broken: str = ""

    def send(self, number: int) -> None:
        """Send a datagram; whether it can leave is not the guest's affair."""
        self.datagrams.sent += 1
        try:
            self.udp.send(_NUMBER.pack(number))
        except OSError:  # ECONNREFUSED of a former one, ENOBUFS
            return

    def say(self) -> None:
        """Send a line, as long as the connection stands."""
        if self.broken:
            return
        try:
            self.tcp.send(_NUMBER.pack(self.said))
        except BlockingIOError:  # TCP waits for the guest
            return
        except OSError as error:
            self.broken = str(error)
            return
        self.said += 1
        self.lines.sent += 1

    def receive_datagram(self) -> None:
        """Take one answer."""
        try:
            self.udp.recv(64)
        except OSError:
            return
        self.datagrams.hear(time.monotonic())

    def receive_lines(self) -> None:
        """Take answers, each of which must be the next."""
        try:
            got = self.tcp.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            self.broken = str(error)
            return
        self.rest += got
        if not got:
            self.broken = "closed by the guest"
        while len(self.rest) >= _NUMBER.size and not self.broken:
            (number,) = _NUMBER.unpack_from(self.rest)
            self.rest = self.rest[_NUMBER.size :]
            if number != self.heard:
                self.broken = f"line {number} came for line {self.heard}"
            self.heard += 1
            self.lines.hear(time.monotonic())


def _station(name: str, namespace: str, own: str, guest: str) -> Station:
    def open_both() -> tuple[socket.socket, socket.socket]:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((own, 0))
        udp.connect((guest, ECHO_PORT))
        tcp = socket.create_connection((guest, ECHO_PORT), timeout=CONNECT_S, source_address=(own, 0))
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return udp, tcp

    udp, tcp = namespaces.run_in(namespace, open_both)
    udp.setblocking(False)
    tcp.setblocking(False)
    return Station(name, udp, tcp)


class Prober:
    """The process."""

    def __init__(self, period_s: float, stations: list[Station]) -> None:
        self._period_s = period_s
        self._stations = stations
        self._starved_s = 0.0
        self._alive = True
        self._selector = selectors.DefaultSelector()
        for station in stations:
            self._selector.register(station.udp, selectors.EVENT_READ, station.receive_datagram)
            self._selector.register(station.tcp, selectors.EVENT_READ, station.receive_lines)
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self._obey)

    def run(self) -> None:
        """Send, receive and obey until standard input ends."""
        self._mark()
        _say({"ready": True})
        number, due_s = 0, time.monotonic()
        while self._alive:
            now_s = time.monotonic()
            if now_s >= due_s:
                self._starved_s = max(self._starved_s, now_s - due_s)
                for station in self._stations:
                    station.send(number)
                    if number % TCP_EVERY == 0:
                        station.say()
                number += 1
                due_s = max(due_s + self._period_s, now_s)  # never two at once to catch up
            for key, _events in self._selector.select(max(0.0, due_s - time.monotonic())):
                receive: Callable[[], None] = key.data
                receive()
            for station in self._stations:
                if station.broken and station.tcp.fileno() >= 0:
                    self._selector.unregister(station.tcp)
                    station.tcp.close()

    def _obey(self) -> None:
        word = sys.stdin.readline().strip()
        if word == "mark":
            self._mark()
            _say({"marked": True})
        elif word == "report":
            _say(self._report())
        else:
            self._alive = False

    def _mark(self) -> None:
        now_s = time.monotonic()
        self._starved_s = 0.0
        for station in self._stations:
            station.datagrams.mark(now_s)
            station.lines.mark(now_s)

    def _report(self) -> dict[str, object]:
        now_s = time.monotonic()
        for station in self._stations:
            station.datagrams.end(now_s)
            station.lines.end(now_s)
        told = {
            station.name: {
                "datagrams": station.datagrams.told(),
                "lines": station.lines.told(),
                "broken": station.broken,
                "unheard_lines": station.said - station.heard,
            }
            for station in self._stations
        }
        return {"stations": told, "starved_ms": self._starved_s * 1e3}


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Open what the plan names, and probe."""
    plan = json.loads(sys.argv[1])
    stations = [_station(name, *where) for name, where in plan["stations"].items()]
    Prober(plan["period_ms"] / 1e3, stations).run()


if __name__ == "__main__":
    main()
