"""Which patch ports of the integration bridge have their flow? Asked of ovs-vswitchd, in OpenFlow.

In: the bridges as the database has them. Out: the names of the patch ports from which table 0 lets packets in, and
with them the rest: ovn-controller installs a port's flows together. No database says this, so nothing wakes the loop:
while a flow is missing we ask to be looked at again. ovs-vswitchd is the source of truth.

`ofproto/trace` would not do: it needs the VLAN, and table 0 ends in a drop that it takes for a match.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from netctl_host.state import OpenVSwitchState

TIMEOUT_S = 1.0
FIRST_LOOK_S = 0.02
LONGEST_LOOK_S = 1.0
_BRIDGE_KEY = "ovn-bridge"

# OpenFlow 1.5.1, sections 7.1 and 7.3.5: the version that ovn-controller itself speaks to this socket.
_VERSION = 6
_HEADER = struct.Struct("!BBHI")  # version, type, length, xid
_HELLO, _ERROR, _MULTIPART_REQUEST, _MULTIPART_REPLY = 0, 1, 18, 19
_FLOW_DESC = struct.Struct("!HH4x")
_FLOW_DESC_TYPE = 1
_ANY = 0xFFFFFFFF
# table_id, out_port, out_group, cookie, cookie_mask, then the match: OXM, of which in_port is the only field
_FLOWS_OF_PORT = struct.Struct("!B3xII4xQQHHII4x")
_OXM, _MATCH_BYTES, _OXM_IN_PORT = 1, 12, 0x80000004


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One OpenFlow message; `size` of the whole."""

    type: int
    xid: int
    size: int


class PatchFlows:
    """The answers of the ovs-vswitchd whose sockets are in `rundir`; one thread.

    Yes is remembered for as long as the port keeps its number and ovs-vswitchd its socket: it gives no number twice.
    """

    def __init__(self, rundir: Path, look_again: Callable[[float], None]) -> None:
        self._rundir = rundir
        self._look_again = look_again
        self._look_s = FIRST_LOOK_S
        self._socket_id: tuple[int, int] | None = None
        self._yes: dict[str, int] = {}
        self._missing: dict[str, int] = {}

    def read(self, switch: OpenVSwitchState) -> tuple[frozenset[str], str]:
        """Return the names of the patch ports whose flow is there, and why the others' is not known, or ""."""
        bridge = switch.external_ids.get(_BRIDGE_KEY, "")
        ports = patch_ports(switch, bridge)
        if not ports:
            return frozenset(), ""
        path = self._rundir / f"{bridge}.mgmt"
        self._forget(path, ports)
        asked = {name: ofport for name, ofport in ports.items() if name not in self._yes}
        problem = ""
        if asked:
            try:
                with_flow = ask(path, frozenset(asked.values()))
            except OSError as error:
                problem = f"ovs-vswitchd cannot be asked for flows: {path}: {error}"
                self._look_again(LONGEST_LOOK_S)
            else:
                self._yes |= {name: ofport for name, ofport in asked.items() if ofport in with_flow}
                self._wait_for({name: ofport for name, ofport in asked.items() if name not in self._yes})
        return frozenset(self._yes), problem

    def _forget(self, path: Path, ports: Mapping[str, int]) -> None:
        try:
            found = path.stat()
            socket_id = (found.st_ino, found.st_ctime_ns)
        except OSError:
            socket_id = None
        same = socket_id is not None and socket_id == self._socket_id
        self._socket_id = socket_id
        self._yes = {name: port for name, port in self._yes.items() if same and ports.get(name) == port}

    def _wait_for(self, missing: dict[str, int]) -> None:
        """Soon at first; an ovn-controller that is away may take hours."""
        self._look_s = min(LONGEST_LOOK_S, self._look_s * 2) if missing == self._missing else FIRST_LOOK_S
        self._missing = missing
        if missing:
            self._look_again(self._look_s)


def patch_ports(switch: OpenVSwitchState, bridge: str) -> dict[str, int]:
    """Return name and number of the bridge's patch ports that have a number."""
    there = switch.bridges[bridge].ports if bridge in switch.bridges else {}
    interfaces = (switch.interfaces[name] for name in there if name in switch.interfaces)
    return {
        interface.name: interface.ofport
        for interface in interfaces
        if interface.type == "patch" and interface.ofport > 0
    }


def ask(path: Path, ofports: frozenset[int]) -> frozenset[int]:
    """Return those ports that a flow of table 0 matches; raise OSError when ovs-vswitchd does not say."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.settimeout(TIMEOUT_S)
        control.connect(str(path))
        control.sendall(render_questions(ofports))
        waiting, with_flow, buffer = set(ofports), set[int](), b""
        while waiting:
            part = control.recv(65536)
            if not part:
                raise ConnectionResetError("closed without an answer")
            buffer += part
            for message in parse_messages(buffer):
                buffer = buffer[message.size :]
                if message.type == _ERROR:
                    raise ConnectionRefusedError("refuses OpenFlow 1.5")
                if message.type == _MULTIPART_REPLY:
                    waiting.discard(message.xid)
                    if message.size > _HEADER.size + _FLOW_DESC.size:  # there is a flow in it
                        with_flow.add(message.xid)
    return frozenset(with_flow)


def render_questions(ofports: frozenset[int]) -> bytes:
    """Return a greeting and, for each port, the request for the flows of table 0 with that in_port; xid is the port."""
    size = _HEADER.size + _FLOW_DESC.size + _FLOWS_OF_PORT.size
    questions = [_HEADER.pack(_VERSION, _HELLO, _HEADER.size, 0)]
    for ofport in sorted(ofports):
        questions.append(_HEADER.pack(_VERSION, _MULTIPART_REQUEST, size, ofport))
        questions.append(_FLOW_DESC.pack(_FLOW_DESC_TYPE, 0))
        questions.append(_FLOWS_OF_PORT.pack(0, _ANY, _ANY, 0, 0, _OXM, _MATCH_BYTES, _OXM_IN_PORT, ofport))
    return b"".join(questions)


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
