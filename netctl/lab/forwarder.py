"""A network function: a small process that carries frames between two interfaces, drops some, and counts.

    python -m netctl.lab.forwarder COUNTS.json 0,23 eth0 eth1      drops TCP and UDP from or to port 23

eth0 is its side towards the guests, eth1 towards the network. Frames leave as they came, tags included. What it counts
stands in a file that is replaced whole, at most 20 times a second. Killed, it forwards nothing, and its interfaces keep
their carrier: a function that hangs.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import struct
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from netctl.lab.vlans import open_wire, receive, tagged

_WRITE_S = 0.05
_IPV4, _IPV6 = 0x0800, 0x86DD
_TCP, _UDP = 6, 17
SIDES = ("ingress", "egress")


def serve(counts_file: Path, drop_ports: frozenset[int], interfaces: tuple[str, str]) -> None:
    """Carry frames until killed."""
    wires = [open_wire(interface) for interface in interfaces]
    selector = selectors.DefaultSelector()
    for side, wire in enumerate(wires):
        wire.setblocking(False)
        selector.register(wire, selectors.EVENT_READ, side)
    counts: Counter[str] = Counter()
    written: Counter[str] | None = None
    last_s = 0.0
    while True:
        for key, _events in selector.select(_WRITE_S):
            # An interface is down, or its queue is full: the frame is lost, as on a wire.
            with suppress(OSError):
                _carry(wires, key.data, drop_ports, counts)
        if counts != written and time.monotonic() - last_s >= _WRITE_S:
            written, last_s = counts.copy(), time.monotonic()
            _write(counts_file, written)


def ports_of(frame: bytes) -> tuple[int, int]:
    """Return source and destination port of an untagged frame with TCP or UDP, else (0, 0)."""
    ethertype = int.from_bytes(frame[12:14], "big")
    if ethertype == _IPV4 and len(frame) >= 34:
        protocol, at = frame[23], 14 + (frame[14] & 15) * 4
        later_fragment = int.from_bytes(frame[20:22], "big") & 0x1FFF
    elif ethertype == _IPV6 and len(frame) >= 54:
        protocol, at, later_fragment = frame[20], 54, 0
    else:
        return 0, 0
    if protocol not in (_TCP, _UDP) or later_fragment or len(frame) < at + 4:
        return 0, 0
    source, destination = struct.unpack_from("!HH", frame, at)
    return source, destination


def _carry(wires: list[socket.socket], side: int, drop_ports: frozenset[int], counts: Counter[str]) -> None:
    for _ in range(64):  # then the file gets its turn
        try:
            frame, vlan_id, outgoing = receive(wires[side])
        except BlockingIOError:
            return
        if outgoing:
            continue
        ports = ports_of(frame)
        dropped = bool(drop_ports & set(ports))
        verdict = "dropped" if dropped else "passed"
        for port in {port for port in ports if port} or {0}:
            counts[f"{SIDES[side]} {verdict} vlan {vlan_id} port {port}"] += 1
        counts[f"{SIDES[side]} {verdict}"] += 1
        if not dropped:
            wires[1 - side].send(tagged(frame, vlan_id) if vlan_id else frame)


def _write(path: Path, counts: Counter[str]) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(counts))
    os.replace(new, path)


if __name__ == "__main__":
    ports = frozenset(int(word) for word in sys.argv[2].split(",") if word)
    serve(Path(sys.argv[1]), ports, (sys.argv[3], sys.argv[4]))
