"""Syslog export: each line of the policy log to a syslog server, RFC 5424 with structured data.

In: LogEntries, which never wait. Out: datagrams to UDP (RFC 5426) or a Unix socket, or octet-counted frames over TCP
(RFC 6587). Owns: a bounded queue, of which the oldest lines are lost when the server is slow or away, and the
connection, which is made again for as long as it takes. What was lost is counted; over TCP, a server that goes away may
take with it what it had not read yet.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from netctl.model.keys import Kind, resource_name
from netctl.model.policy_log import LogEntry
from netctl.model.security_policy import RuleAction
from netctl.reconciler.metrics import Metrics

log = structlog.get_logger()

QUEUE_MAX = 10_000
RETRY_S = 1.0
SEND_S = 10.0
DEFAULT_PORT = 514  # RFC 5426, RFC 6587
# RFC 5424: facility local0; severity notice for what is or would be dropped, informational for the rest.
_FACILITY = 16
_NOTICE, _INFORMATIONAL = 5, 6
# A name of nobody's in the IANA's registry: 32473 is the number for examples (RFC 5612).
_SD_ID = "netctl@32473"


@dataclass(frozen=True, slots=True)
class SyslogTarget:
    """Where a syslog server is: `udp` or `tcp` with host and port, or `unix` with a path as host."""

    transport: str
    host: str
    port: int = 0

    @property
    def text(self) -> str:
        """How it is written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport}:{host}" + (f":{self.port}" if self.port else "")


def parse_target(text: str) -> SyslogTarget:
    """Return what `udp:HOST[:PORT]`, `tcp:HOST[:PORT]` or `unix:PATH` says; ValueError says what is wrong."""
    transport, _, rest = text.partition(":")
    if transport == "unix" and rest.startswith("/"):
        return SyslogTarget("unix", rest)
    if rest.startswith("["):
        host, _, port = rest[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = rest.partition(":")
    if transport not in ("udp", "tcp") or not host:
        raise ValueError(f"{text!r} is none of udp:HOST:PORT, tcp:HOST:PORT and unix:PATH")
    if port and not (port.isdecimal() and 1 <= int(port) <= 65_535):
        raise ValueError(f"{text!r} has no port from 1 to 65535; write an IPv6 address as udp:[fd00::5]:514")
    return SyslogTarget(transport, host, int(port or DEFAULT_PORT))


class SyslogExport:
    """Sends lines as fast as the server takes them; on the event loop."""

    def __init__(self, target: SyslogTarget, metrics: Metrics) -> None:
        """Begin; needs the running event loop."""
        self._target, self._metrics = target, metrics
        self._queue: deque[LogEntry] = deque()
        self._flag = asyncio.Event()
        self.is_failing = False  # as of the last line
        self._task = asyncio.create_task(self._run())

    def close(self) -> None:
        """End; what waits is lost."""
        self._task.cancel()

    def put(self, entries: Iterable[LogEntry]) -> None:
        """Queue lines; never waits."""
        self._queue.extend(entries)
        while len(self._queue) > QUEUE_MAX:
            self._queue.popleft()
            self._metrics.syslog_lost.inc()
        self._flag.set()

    async def _run(self) -> None:
        while True:
            await self._flag.wait()
            try:
                async with asyncio.timeout(SEND_S):
                    connection = await _connect(self._target)
            except (OSError, TimeoutError) as error:
                await self._rest(error)
                continue
            try:
                await self._send_all(connection)
            except (OSError, TimeoutError) as error:
                if isinstance(error, ConnectionRefusedError):  # of a datagram: the one before did not arrive
                    self._metrics.syslog_lost.inc()
                await self._rest(error)
            finally:
                connection.close()
                self._flag.set()

    async def _send_all(self, connection: socket.socket) -> None:
        """Send what is there and what comes; raise OSError or TimeoutError when the connection is no more."""
        loop = asyncio.get_running_loop()
        while True:
            await self._flag.wait()
            self._flag.clear()
            while self._queue:
                _check_open(connection)
                entry = self._queue.popleft()
                try:
                    async with asyncio.timeout(SEND_S):
                        await loop.sock_sendall(connection, _frame(self._target, render_syslog(entry)))
                except (OSError, TimeoutError):
                    self._queue.appendleft(entry)
                    raise
                self._metrics.syslog_sent.inc()
                if self.is_failing:
                    log.info("syslog takes lines again", target=self._target.text)
                    self.is_failing = False

    async def _rest(self, error: Exception) -> None:
        """Say once what is wrong, and wait a moment."""
        if not self.is_failing:
            log.warning("syslog does not take lines; trying on", target=self._target.text, error=repr(error))
            self.is_failing = True
        await asyncio.sleep(RETRY_S)


async def _connect(target: SyslogTarget) -> socket.socket:
    loop = asyncio.get_running_loop()
    if target.transport == "unix":
        return await _open(socket.AF_UNIX, socket.SOCK_DGRAM, target.host)
    kind = socket.SOCK_DGRAM if target.transport == "udp" else socket.SOCK_STREAM
    failure: OSError | None = None
    for family, _, _, _, address in await loop.getaddrinfo(target.host, target.port, type=kind):
        try:
            return await _open(family, kind, address)
        except OSError as error:
            failure = error
    raise failure or OSError(f"{target.host} has no address")


async def _open(family: int, kind: int, address: tuple[object, ...] | str) -> socket.socket:
    with ExitStack() as undone:
        made = undone.enter_context(socket.socket(family, kind))
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, address)
        undone.pop_all()
    return made


def _check_open(connection: socket.socket) -> None:
    """Raise OSError when the server has closed a TCP connection: the next bytes would be lost without an error."""
    if connection.type != socket.SOCK_STREAM:
        return
    try:
        if connection.recv(4096) == b"":
            raise ConnectionResetError("the server has closed the connection")
    except BlockingIOError:
        return


def _frame(target: SyslogTarget, message: bytes) -> bytes:
    return b"%d %s" % (len(message), message) if target.transport == "tcp" else message


def render_syslog(entry: LogEntry) -> bytes:
    """Return a line as a message of RFC 5424: names and addresses as structured data, and a sentence."""
    verdict = "WOULD-DROP" if entry.would_drop else entry.action.name
    severity = _INFORMATIONAL if verdict == RuleAction.ALLOW.name else _NOTICE
    time = datetime.fromtimestamp(entry.time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    data = " ".join(f'{name}="{_escape(value)}"' for name, value in _parameters(entry) if value)
    text = (
        f"{verdict} {entry.direction.name} {entry.policy}/{entry.rule or '-'}: {entry.protocol or 'ip'} "
        f"{_end(entry.source_nic, entry.source_address, entry.source_port)} -> "
        f"{_end(entry.destination_nic, entry.destination_address, entry.destination_port)}"
    )
    return f"<{_FACILITY * 8 + severity}>1 {time} {entry.host} netctl - {verdict} [{_SD_ID} {data}] {text}".encode()


def _parameters(entry: LogEntry) -> Iterator[tuple[str, str]]:
    yield "policy", resource_name((Kind.SECURITY_POLICY, entry.policy))
    yield "rule", entry.rule
    yield "direction", entry.direction.name
    yield "action", entry.action.name
    yield "would_drop", "yes" if entry.would_drop else ""
    yield "source_nic", resource_name((Kind.NIC, entry.source_nic)) if entry.source_nic else ""
    yield "destination_nic", resource_name((Kind.NIC, entry.destination_nic)) if entry.destination_nic else ""
    yield "source_address", entry.source_address
    yield "destination_address", entry.destination_address
    yield "protocol", entry.protocol
    yield "source_port", str(entry.source_port or "")
    yield "destination_port", str(entry.destination_port or "")
    yield "lost_before", str(entry.lost_before or "")


def _escape(text: str) -> str:
    """RFC 5424, 6.3.3."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _end(nic: str, address: str, port: int) -> str:
    place = f"[{address}]:{port}" if port and ":" in address else f"{address}:{port}" if port else address
    return " ".join(part for part in (nic, place) if part) or "-"
