"""One end of the loss meter: a small process inside a guest that sends two streams and counts two.

    python -m tests.lossmeter.endpoint '{"side": "a", "own": ["50:6b:8d:..", "10.0.0.1"], ...}'

Sends: an allowed datagram through the kernel's own stack and a denied frame, `pps` times a second each. Counts, by
sequence number: datagrams that its socket got, and denied frames that reached its interface at all. Standard input
takes one word a line, each answered with one line of JSON: `go`, `count`, `stop`, `report`; its end ends the process.
An end whose peer is behind NAT sends once it has heard the peer, to where that came from last.
Never sends two at once to catch up: a starved sender sends less, so that its burst is not called a drop of the network.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lossmeter.frames import (
    ALLOWED_PORT,
    ETHERTYPES,
    Address,
    Mark,
    forge,
    parse_forged,
    parse_mark,
    version_of,
)

_BUFFER_BYTES = 8 << 20
_QUIET_S = 0.3
_MOST_RUNS = 20


@dataclass(slots=True)
class Arrivals:
    """What came in of the allowed stream."""

    seen: dict[int, int] = field(default_factory=dict)
    duplicates: int = 0
    last_ns: int = 0
    longest_gap_ns: int = 0

    def add(self, sequence: int, now_ns: int) -> None:
        """Count one datagram."""
        if sequence in self.seen:
            self.duplicates += 1
            return
        self.seen[sequence] = now_ns
        if self.last_ns:
            self.longest_gap_ns = max(self.longest_gap_ns, now_ns - self.last_ns)
        self.last_ns = now_ns

    def missing_runs(self, sent: int) -> list[list[int]]:
        """Return [first, count] of each run of lost sequence numbers."""
        runs: list[list[int]] = []
        for sequence in range(sent):
            if sequence in self.seen:
                continue
            if runs and sum(runs[-1]) == sequence:
                runs[-1][1] += 1
            else:
                runs.append([sequence, 1])
        return runs


class Endpoint:
    """The process."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._run = bytes.fromhex(plan["run"])
        self._side = plan["side"].encode()
        self._peer = Address(*plan["peer"])
        self._learns = bool(plan["learn"])
        self._target = None if self._learns else (self._peer.ip, ALLOWED_PORT)
        self._sources = [Address(*source) for source in plan["spoofed"]]
        self._interface = plan["interface"]
        self._period_ns = 1_000_000_000 // plan["pps"]
        self._arrivals = Arrivals()
        self._leaked: dict[int, int] = {}
        self._sent = self._denied_sent = self._errors = 0
        self._first_left = 0
        self._due_ns = 0  # 0: not sending
        self._quiet_at_ns = 0
        self._alive = True
        self._udp = _udp_socket(plan["own"][1])
        self._raw = _raw_socket(self._interface, ETHERTYPES[version_of(self._peer.ip)])
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._udp, selectors.EVENT_READ, self._receive_allowed)
        self._selector.register(self._raw, selectors.EVENT_READ, self._receive_forged)
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self._obey)

    def run(self) -> None:
        """Send, receive and obey until standard input ends."""
        _say({"ready": True})
        while self._alive:
            now_ns = time.monotonic_ns()
            if self._due_ns and now_ns >= self._due_ns:
                self._send(now_ns)
                self._due_ns = max(self._due_ns + self._period_ns, now_ns)
            waiting = [at for at in (self._due_ns, self._quiet_at_ns) if at]
            timeout = max(0.0, (min(waiting) - time.monotonic_ns()) / 1e9) if waiting else None
            for key, _events in self._selector.select(timeout):
                key.data()
            if self._quiet_at_ns and time.monotonic_ns() >= self._quiet_at_ns:
                self._quiet_at_ns = 0
                _say(self._report())

    def _send(self, now_ns: int) -> None:
        if self._target is None:  # the other end is behind NAT and has not been heard yet
            return
        allowed = Mark(self._run, self._side, 0, self._sent, now_ns)
        try:
            self._udp.sendto(allowed.render(), self._target)
        except OSError:
            self._errors += 1  # sent all the same: the guest wanted it to arrive
        self._sent += 1
        if not self._sources:
            return
        variant = self._denied_sent % len(self._sources)
        forged = Mark(self._run, self._side, variant, self._denied_sent, now_ns)
        try:
            self._raw.send(forge(self._sources[variant], self._peer, forged.render()))
        except OSError:
            self._errors += 1  # it never left: not counted as denied
        else:
            self._denied_sent += 1

    def _receive_allowed(self) -> None:
        payload, source = self._udp.recvfrom(2048)
        mark = parse_mark(payload)
        if mark is not None and mark.run == self._run and mark.sender != self._side:
            if self._learns:
                self._target = source[:2]
            self._arrivals.add(mark.sequence, time.monotonic_ns())
            self._postpone()

    def _receive_forged(self) -> None:
        try:
            mark = parse_forged(self._raw.recv(2048))
        except OSError:  # ENETDOWN, once each time that the interface goes down
            return
        if mark is not None and mark.run == self._run and mark.sender != self._side:
            self._leaked[mark.variant] = self._leaked.get(mark.variant, 0) + 1
            self._postpone()

    def _postpone(self) -> None:
        if self._quiet_at_ns:
            self._quiet_at_ns = time.monotonic_ns() + int(_QUIET_S * 1e9)

    def _obey(self) -> None:
        words = os.read(sys.stdin.fileno(), 4096).decode().split()
        self._alive = bool(words)
        for word in words:
            self._do(word)

    def _do(self, word: str) -> None:
        if word == "go":
            self._first_left = self._frames_left()
            self._due_ns = time.monotonic_ns()
            _say({})
        elif word == "count":
            _say(self._counts())
        elif word == "stop":
            self._due_ns = 0
            _say({})
        else:  # report: answered when nothing has come in for a while
            self._quiet_at_ns = time.monotonic_ns() + int(_QUIET_S * 1e9)

    def _counts(self) -> dict[str, Any]:
        return {
            "sent": self._sent,
            "denied_sent": self._denied_sent,
            "received": len(self._arrivals.seen),
            "leaked": sum(self._leaked.values()),
        }

    def _report(self) -> dict[str, Any]:
        highest = max(self._arrivals.seen, default=-1) + 1
        return self._counts() | {
            "errors": self._errors,
            "left_guest": self._frames_left() - self._first_left,
            "duplicates": self._arrivals.duplicates,
            "longest_gap_ms": round(self._arrivals.longest_gap_ns / 1e6, 1),
            "lost_runs": self._arrivals.missing_runs(highest)[:_MOST_RUNS],
            "leaked_by_variant": {str(key): count for key, count in self._leaked.items()},
        }

    def _frames_left(self) -> int:
        # `ip netns exec` mounts the namespace's own /sys
        return int(Path(f"/sys/class/net/{self._interface}/statistics/tx_packets").read_text())


def _udp_socket(own_ip: str) -> socket.socket:
    family = socket.AF_INET6 if version_of(own_ip) == 6 else socket.AF_INET
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    udp.setsockopt(socket.SOL_SOCKET, 33, _BUFFER_BYTES)  # SO_RCVBUFFORCE
    udp.bind((own_ip, ALLOWED_PORT))
    return udp


def _raw_socket(interface: str, ethertype: int) -> socket.socket:
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
    raw.setsockopt(socket.SOL_SOCKET, 33, _BUFFER_BYTES)
    raw.bind((interface, ethertype))
    return raw


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    Endpoint(json.loads(sys.argv[1])).run()
