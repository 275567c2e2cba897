"""OpenFlow 1.5.1 over a bridge's management socket: requests out, multipart replies in.

In: the socket's path and the requests, each with an xid of its own. Out: the bodies of the replies by xid. Owns the
connection for one exchange. ovs-vswitchd is the source of truth; one that does not answer in time is an OSError.
Version 1.5 is what ovn-controller itself speaks to this socket. A request here is always for statistics of flows.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 1.0

# OpenFlow 1.5.1, sections 7.1 and 7.3.5.
_VERSION = 6
_HEADER = struct.Struct("!BBHI")  # version, type, length, xid
_HELLO, _ERROR, _ECHO_REQUEST, _MULTIPART_REQUEST, _MULTIPART_REPLY = 0, 1, 2, 18, 19
_ECHO_REPLY = 3
_MULTIPART = struct.Struct("!HH4x")  # type, flags
_MORE = 1
_ANY = 0xFFFFFFFF
ALL_TABLES = 0xFF
# table_id, out_port, out_group, cookie, cookie_mask, then the match, one OXM field padded to a multiple of 8
_FLOWS = struct.Struct("!B3xII4xQQ")
_OXM = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One OpenFlow message; `size` of the whole."""

    type: int
    xid: int
    size: int


def render_hello() -> bytes:
    """Return the greeting."""
    return _HEADER.pack(_VERSION, _HELLO, _HEADER.size, 0)


def render_request(kind: int, xid: int, table: int, match: bytes, cookie: int | None = None) -> bytes:
    """Return a multipart request about flows; `match` is one OXM field, `cookie` None is any."""
    length = 4 + len(match)
    padded = struct.pack("!HH", _OXM, length) + match + bytes(-length % 8)
    mask = 0 if cookie is None else 2**64 - 1
    body = _FLOWS.pack(table, _ANY, _ANY, cookie or 0, mask) + padded
    size = _HEADER.size + _MULTIPART.size + len(body)
    return _HEADER.pack(_VERSION, _MULTIPART_REQUEST, size, xid) + _MULTIPART.pack(kind, 0) + body


def exchange(
    path: Path, requests: Mapping[int, bytes], *, timeout_s: float = TIMEOUT_S
) -> dict[int, list[bytes]]:
    """Send the requests, return the replies' bodies by xid; raise OSError when ovs-vswitchd does not say in time."""
    deadline = time.monotonic() + timeout_s
    bodies: dict[int, list[bytes]] = {xid: [] for xid in requests}
    waiting, buffer = set(requests), b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.settimeout(timeout_s)
        control.connect(str(path))
        control.sendall(render_hello() + b"".join(requests.values()))
        while waiting:
            control.settimeout(max(0.001, deadline - time.monotonic()))
            part = control.recv(65536)
            if not part:
                raise ConnectionResetError("closed without an answer")
            buffer += part
            taken = 0
            for message in parse_messages(buffer):
                whole = buffer[taken : taken + message.size]
                taken += message.size
                if message.type == _ERROR:
                    raise ConnectionRefusedError("refuses OpenFlow 1.5")
                if message.type == _ECHO_REQUEST:
                    control.sendall(_HEADER.pack(_VERSION, _ECHO_REPLY, _HEADER.size, message.xid))
                if message.type == _MULTIPART_REPLY and message.xid in waiting:
                    start = _HEADER.size + _MULTIPART.size
                    bodies[message.xid].append(whole[start:])
                    if not _MULTIPART.unpack_from(whole, _HEADER.size)[1] & _MORE:
                        waiting.discard(message.xid)
            buffer = buffer[taken:]
    return bodies


def parse_messages(buffer: bytes) -> Iterator[Message]:
    """Yield the whole messages at the buffer's start."""
    start = 0
    while len(buffer) - start >= _HEADER.size:
        _version, kind, size, xid = _HEADER.unpack_from(buffer, start)
        if size < _HEADER.size:
            raise ConnectionResetError("speaks no OpenFlow")
        if len(buffer) - start < size:
            return
        yield Message(type=kind, xid=xid, size=size)
        start += size
