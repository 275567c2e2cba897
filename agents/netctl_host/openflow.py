"""OpenFlow 1.5.1 over a bridge's management socket: requests out, multipart and barrier replies in.

In: the socket's path and the requests, each with an xid of its own. Out: the bodies of the replies by xid. Owns the
connection for one exchange. ovs-vswitchd is the source of truth; one that does not answer in time is an OSError.
Version 1.5 is what ovn-controller itself speaks to this socket. A request here is for statistics of flows, or sends
packets and asks to be told when they are sent.
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
_PACKET_OUT, _BARRIER_REQUEST, _BARRIER_REPLY = 13, 20, 21
_MULTIPART = struct.Struct("!HH4x")  # type, flags
_MORE = 1
_ANY = 0xFFFFFFFF
ALL_TABLES = 0xFF
FLOW_DESC = 1  # 7.3.5.2: the flows themselves
# table_id, out_port, out_group, cookie, cookie_mask, then the match, one OXM field padded to a multiple of 8
_FLOWS = struct.Struct("!B3xII4xQQ")
_OXM = 1

# OpenFlow 1.5.1, 7.3.6 and 7.2.6.1: buffer_id, actions_len, padding; output: type, length, port, max_len, padding
_PACKET = struct.Struct("!IH2x")
_OUTPUT = struct.Struct("!HHIH6x")
_NO_BUFFER = 0xFFFFFFFF
_OXM_IN_PORT = struct.Struct("!II")
_IN_PORT = 0x80000004
# 7.2.1: as the bridge forwards by itself; as its flows say; where a controller's own packets come from
NORMAL, TABLE, CONTROLLER = 0xFFFFFFFA, 0xFFFFFFF9, 0xFFFFFFFD


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
    mask = 0 if cookie is None else 2**64 - 1
    body = _FLOWS.pack(table, _ANY, _ANY, cookie or 0, mask) + _pad(match)
    size = _HEADER.size + _MULTIPART.size + len(body)
    return _HEADER.pack(_VERSION, _MULTIPART_REQUEST, size, xid) + _MULTIPART.pack(kind, 0) + body


def render_packet_out(xid: int, in_port: int, port: int, frame: bytes) -> bytes:
    """Return the message that has the bridge send a frame to `port`, as one that came from `in_port`."""
    match = _pad(_OXM_IN_PORT.pack(_IN_PORT, in_port))
    action = _OUTPUT.pack(0, _OUTPUT.size, port, 0)
    body = _PACKET.pack(_NO_BUFFER, len(action)) + match + action + frame
    return _HEADER.pack(_VERSION, _PACKET_OUT, _HEADER.size + len(body), xid) + body


def render_barrier(xid: int) -> bytes:
    """Return the request that is answered when everything before it is done."""
    return _HEADER.pack(_VERSION, _BARRIER_REQUEST, _HEADER.size, xid)


def in_port_match(ofport: int) -> bytes:
    """Return the match of what comes from one port."""
    return _OXM_IN_PORT.pack(_IN_PORT, ofport)


def _pad(match: bytes) -> bytes:
    length = 4 + len(match)
    return struct.pack("!HH", _OXM, length) + match + bytes(-length % 8)


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
                    raise ConnectionRefusedError("refuses a message of OpenFlow 1.5")
                if message.type == _ECHO_REQUEST:
                    control.sendall(_HEADER.pack(_VERSION, _ECHO_REPLY, _HEADER.size, message.xid))
                if message.type == _BARRIER_REPLY:
                    waiting.discard(message.xid)
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
