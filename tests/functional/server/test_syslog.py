"""Syslog export: RFC 5424 as it stands there, over real sockets, through servers that come and go or do not read."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from netctl.model.keys import HostId, NicId, SecurityPolicyId, Uid
from netctl.model.policy_log import LogEntry
from netctl.model.security_policy import Direction, RuleAction
from netctl.reconciler.metrics import Metrics
from netctl.server.syslog import QUEUE_MAX, SyslogExport, SyslogTarget, render_syslog

ENTRY = LogEntry(
    time_s=1_700_000_000.25,
    policy=SecurityPolicyId("shop"),
    policy_uid=Uid("u1"),
    rule="https",
    direction=Direction.OUT,
    action=RuleAction.ALLOW,
    would_drop=False,
    host=HostId("h1"),
    source_nic=NicId("web-1"),
    source_address="fd00::5",
    destination_address="2001:db8::1",
    protocol="tcp",
    source_port=40_000,
    destination_port=443,
)
# RFC 5424, 6: priority and version, time, host, application, process, message id, structured data, text.
MESSAGE = re.compile(
    r"<(\d{1,3})>1 (\S+) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) "
    r'(\[[^ \]=]{1,32}(?: [a-z_]{1,32}="(?:[^"\\\]]|\\.)*")+\]) (.*)'
)


def entry(number: int) -> LogEntry:
    return replace(ENTRY, source_port=number)


def numbers(text: bytes) -> list[int]:
    return [int(port) for port in re.findall(rb'source_port="(\d+)"', text)]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (what it waits for happens behind a socket)
            await asyncio.sleep(0.005)


@asynccontextmanager
async def export(target: SyslogTarget, metrics: Metrics) -> AsyncIterator[SyslogExport]:
    made = SyslogExport(target, metrics)
    try:
        yield made
    finally:
        made.close()


def sample(metrics: Metrics, name: str) -> float:
    return metrics.registry.get_sample_value(f"netctl_syslog_{name}_total") or 0


def test_a_message_is_as_the_rfc_says() -> None:
    said = MESSAGE.fullmatch(render_syslog(ENTRY).decode())
    assert said is not None
    priority, time, *names, data, text = said.groups()
    assert (priority, time) == ("134", "2023-11-14T22:13:20.250Z")
    assert names == ["h1", "netctl", "-", "ALLOW"]
    assert data.startswith(
        '[netctl@32473 policy="securityPolicies/shop" rule="https" direction="OUT" action="ALLOW" '
    )
    assert "would_drop" not in data
    assert text == "ALLOW OUT shop/https: tcp web-1 [fd00::5]:40000 -> [2001:db8::1]:443"


@pytest.mark.parametrize(
    ("changes", "priority", "id"),
    [
        ({"action": RuleAction.DENY}, "133", "DENY"),
        ({"action": RuleAction.REJECT}, "133", "REJECT"),
        ({"action": RuleAction.DENY, "would_drop": True}, "133", "WOULD-DROP"),
    ],
)
def test_what_is_or_would_be_dropped_is_noticed(changes: dict[str, object], priority: str, id: str) -> None:
    said = MESSAGE.fullmatch(render_syslog(replace(ENTRY, **changes)).decode())  # type: ignore[arg-type]
    assert said is not None
    assert (said[1], said[6]) == (priority, id)


def test_values_are_escaped() -> None:
    evil = replace(ENTRY, rule='a"b]c\\d')
    said = MESSAGE.fullmatch(render_syslog(evil).decode())
    assert said is not None
    assert r'rule="a\"b\]c\\d"' in said[7]


def test_what_has_no_ports_and_no_names_is_a_message_too() -> None:
    bare = replace(ENTRY, rule="", source_nic=NicId(""), protocol="icmp", source_port=0, destination_port=0)
    said = MESSAGE.fullmatch(render_syslog(bare).decode())
    assert said is not None
    assert said[8] == "ALLOW OUT shop/-: icmp fd00::5 -> 2001:db8::1"


async def test_a_unix_socket_takes_datagrams_and_one_that_comes_later_too(tmp_path: Path) -> None:
    path, metrics = str(tmp_path / "log"), Metrics()
    async with export(SyslogTarget("unix", path), metrics) as exported:
        exported.put([entry(1)])
        with bound(path) as receiver:
            assert await received(receiver) == [1]
    assert (sample(metrics, "sent"), sample(metrics, "lost")) == (1, 0)


@contextmanager
def bound(path: str) -> Iterator[socket.socket]:
    """A datagram socket at a path, gone after the block."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.setblocking(False)
        receiver.bind(path)
        try:
            yield receiver
        finally:
            os.unlink(path)


async def received(receiver: socket.socket) -> list[int]:
    async with asyncio.timeout(10):
        return numbers(await asyncio.get_running_loop().sock_recv(receiver, 4096))


async def test_a_line_that_was_not_taken_is_sent_again(tmp_path: Path) -> None:
    path, metrics = str(tmp_path / "log"), Metrics()
    async with export(SyslogTarget("unix", path), metrics) as exported:
        with bound(path) as receiver:
            exported.put([entry(1)])
            assert await received(receiver) == [1]
        exported.put([entry(2), entry(3)])
        await until(lambda: exported.is_failing)
        with bound(path) as receiver:
            assert [await received(receiver) for _ in range(2)] == [[2], [3]]


class TcpServer:
    """Takes octet-counted frames; `break_off` closes what is open, `stop` listens no more."""

    def __init__(self, port: int = 0) -> None:
        self.port, self.frames = port, bytearray()
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> TcpServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    @property
    def lines(self) -> list[int]:
        """The numbers of the lines, after a check of the frames' counts (RFC 6587, 3.4.1)."""
        rest, found = bytes(self.frames), []
        while rest:
            length, _, rest = rest.partition(b" ")
            assert length.isdigit()
            frame, rest = rest[: int(length)], rest[int(length) :]
            found += numbers(frame)
        return found

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        while data := await reader.read(65_536):
            self.frames += data


async def test_tcp_goes_on_when_the_server_comes_back() -> None:
    metrics, first = Metrics(), await TcpServer().start()
    async with export(SyslogTarget("tcp", "127.0.0.1", first.port), metrics) as exported:
        exported.put([entry(1), entry(2)])
        await until(lambda: len(first.lines) == 2)
        first.stop()
        await until(lambda: not first._server.is_serving())
        exported.put([entry(3)])
        second = await TcpServer(first.port).start()
        exported.put([entry(4)])
        await until(lambda: 4 in second.lines)
        second.stop()
    assert (first.lines, second.lines) == ([1, 2], [3, 4])
    assert (sample(metrics, "sent"), sample(metrics, "lost")) == (4, 0)


async def test_a_server_that_is_away_costs_the_oldest_lines_and_never_a_wait(tmp_path: Path) -> None:
    metrics = Metrics()
    async with export(SyslogTarget("unix", str(tmp_path / "nobody")), metrics) as exported:
        exported.put([entry(number % 60_000) for number in range(QUEUE_MAX + 7)])
        assert sample(metrics, "lost") == 7
        with bound(str(tmp_path / "nobody")) as receiver:
            assert await received(receiver) == [7]


async def test_a_server_that_does_not_read_holds_nobody_up() -> None:
    metrics = Metrics()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        target = SyslogTarget("tcp", "127.0.0.1", deaf.getsockname()[1])
        async with export(target, metrics) as exported:
            for _ in range(10):
                exported.put([entry(1)] * QUEUE_MAX)
                async with asyncio.timeout(1):
                    await asyncio.sleep(0.01)
            await until(lambda: sample(metrics, "lost"))


async def test_a_datagram_that_nobody_takes_is_counted() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    metrics = Metrics()
    async with export(SyslogTarget("udp", "127.0.0.1", port), metrics) as exported:
        exported.put([entry(1), entry(2), entry(3)])
        await until(lambda: sample(metrics, "lost"))


async def test_it_says_once_that_it_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netctl.server.syslog.RETRY_S", 0.01)
    path = str(tmp_path / "log")
    async with export(SyslogTarget("unix", path), Metrics()) as exported:
        exported.put([entry(1)])
        await until(lambda: exported.is_failing)
        with bound(path) as receiver:
            await received(receiver)
    said = capsys.readouterr().out
    assert said.count("syslog does not take lines") == 1
    assert said.count("syslog takes lines again") == 1
