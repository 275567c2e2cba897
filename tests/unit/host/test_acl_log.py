"""Lines of ovn-controller 23.03 as it wrote them, and what becomes of a file that is followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netctl_host.acl_log import AclLog, AclLogs, parse_line
from netctl_host.acl_log_file import BYTES_MAX, LINES_PER_S, AclLogFile
from netctl_host.convert import logs_to_proto

HEAD = (
    '2026-11-23T00:53:56.886Z|00008|acl_log(ovn_pinctrl0)|INFO|name="a-1", verdict=drop, severity=info,'
    " direction=to-lport: "
)
MACS = "vlan_tci=0x0000,dl_src=50:6b:8d:00:00:01,dl_dst=50:6b:8d:00:00:02,"
V4 = MACS + "nw_src=192.0.2.7,nw_dst=192.0.2.8,"
V6 = MACS + "ipv6_src=2001:db8::7,ipv6_dst=ff02::1,ipv6_label=0x00000,"
TAIL = "nw_tos=0,nw_ecn=0,nw_ttl=64,nw_frag=no"
FOUR, SIX = ("192.0.2.7", "192.0.2.8"), ("2001:db8::7", "ff02::1")


@pytest.mark.parametrize(
    ("packet", "ends", "protocol", "numbers"),
    [
        (f"tcp,{V4}{TAIL},tp_src=4000,tp_dst=443,tcp_flags=syn", FOUR, "tcp", (4000, 443, 0, 0)),
        (f"udp,{V4}{TAIL},tp_src=4000,tp_dst=53", FOUR, "udp", (4000, 53, 0, 0)),
        (f"icmp,{V4}{TAIL},icmp_type=8,icmp_code=3", FOUR, "icmp", (0, 0, 8, 3)),
        (f"sctp,{V4}{TAIL},tp_src=4000,tp_dst=5000", FOUR, "132", (4000, 5000, 0, 0)),
        (f"ip,{V4}nw_proto=47,{TAIL}", FOUR, "47", (0, 0, 0, 0)),
        (f"ip,{V4}nw_proto=2,{TAIL},tp_src=22,tp_dst=0", FOUR, "2", (0, 0, 0, 0)),
        (f"tcp6,{V6}{TAIL},tp_src=4000,tp_dst=443,tcp_flags=syn", SIX, "tcp", (4000, 443, 0, 0)),
        (f"udp6,{V6}{TAIL},tp_src=4000,tp_dst=53", SIX, "udp", (4000, 53, 0, 0)),
        (f"icmp6,{V6}{TAIL},icmp_type=128,icmp_code=0", SIX, "icmp6", (0, 0, 128, 0)),
        (f"ipv6,{V6}nw_proto=50,{TAIL}", SIX, "50", (0, 0, 0, 0)),
        (f"ipv6,{V6}nw_proto=44,nw_tos=0,nw_ecn=0,nw_ttl=255,nw_frag=later", SIX, "44", (0, 0, 0, 0)),
        (f"ipv6,{V6}nw_proto=17,{TAIL}", SIX, "udp", (0, 0, 0, 0)),  # a later fragment of UDP
        (f"tcp,{V4}{TAIL},tp_src=99999,tp_dst=x", FOUR, "tcp", (0, 0, 0, 0)),
    ],
)
def test_a_line_is_read(packet: str, ends: tuple[str, str], protocol: str, numbers: tuple[int, ...]) -> None:
    source_port, destination_port, icmp_type, icmp_code = numbers
    assert parse_line((HEAD + packet + "\n").encode()) == AclLog(
        time=datetime(2026, 11, 23, 0, 53, 56, 886000, tzinfo=UTC),
        acl_name="a-1",
        verdict="drop",
        direction="to-lport",
        source_mac_address="50:6b:8d:00:00:01",
        destination_mac_address="50:6b:8d:00:00:02",
        source_address=ends[0],
        destination_address=ends[1],
        protocol=protocol,
        source_port=source_port,
        destination_port=destination_port,
        icmp_type=icmp_type,
        icmp_code=icmp_code,
    )


def test_odd_lines() -> None:
    unnamed = parse_line(HEAD.replace("a-1", "<unnamed>").encode() + b"tcp,")
    assert unnamed is not None
    assert unnamed.acl_name == ""
    quoted = parse_line(HEAD.replace("a-1", 'b", verdict=allow, severity=x: ').encode() + b"tcp,")
    assert quoted is not None
    assert quoted.verdict == "drop"
    for line in (
        b"",
        b"\xff",
        b"2026-11-23T00:53:56.886Z|00008|main|INFO|acl_log",
        HEAD.encode()[20:],
        b"x" + HEAD.encode(),
    ):
        assert parse_line(line) is None


@given(st.binary(max_size=200), st.integers(0, 150))
def test_any_line_is_read_in_peace(more: bytes, keep: int) -> None:
    log = parse_line(HEAD.encode()[:keep] + more)
    if (log := log or parse_line(HEAD.encode() + more.replace(b"\n", b""))) is not None:
        logs_to_proto(AclLogs(logs=(log,)))


def line(name: str) -> str:
    return f"{HEAD.replace('a-1', name)}tcp,{V4}{TAIL},tp_src=4000,tp_dst=443\n"


class World:
    """A log file, who follows it, and the time."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "ovn-controller.log"
        self.now = 100.0
        self.file = AclLogFile(self.path, lambda: self.now)

    def write(self, *names: str, to: Path | None = None) -> None:
        """An ovn-controller writes these, and something else."""
        with (to or self.path).open("a") as file:
            file.write("".join(f"{line(name)}2026-11-23T00:53:56.886Z|9|main|INFO|other\n" for name in names))

    def read(self) -> list[str]:
        """Return the names in what is new."""
        self.now += 1
        found = self.file.read()
        assert found.dropped == 0
        return [log.acl_name for log in found.logs]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.file.close()


def test_what_was_there_is_old_and_what_comes_is_told_once(world: World) -> None:
    world.write("old")
    assert world.read() == []
    world.write("a", "b")
    assert world.read() == ["a", "b"]
    assert world.read() == []


def test_a_line_is_told_when_it_is_whole(world: World) -> None:
    world.path.write_text(line("old")[:80])
    assert world.read() == []
    with world.path.open("a") as file:
        file.write(line("old")[80:])
    world.write("a")
    assert world.read() == ["a"]
    for part in (line("b")[:50], line("b")[50:90]):
        with world.path.open("a") as file:
            file.write(part)
        assert world.read() == []
    with world.path.open("a") as file:
        file.write(line("b")[90:])
    assert world.read() == ["b"]


def test_a_file_that_comes_later_is_read_whole(world: World) -> None:
    assert world.read() == []
    world.write("a")
    assert world.read() == ["a"]


def test_a_rotated_file_loses_nothing(world: World) -> None:
    world.write("old")
    assert world.read() == []
    moved = world.path.with_suffix(".1")
    world.write("a")
    world.path.rename(moved)
    world.write("b", to=moved)
    assert world.read() == ["a", "b"]
    world.path.touch()  # logrotate makes it; ovn-controller has the other one open still
    world.write("c", to=moved)
    assert world.read() == ["c"]
    world.write("d", to=moved)
    world.write("e")
    assert world.read() == ["d", "e"]
    moved.unlink()
    world.write("f")
    assert world.read() == ["f"]


def test_a_file_that_was_cut_off_is_begun_anew(world: World) -> None:
    world.write("old", "older")
    assert world.read() == []
    os.truncate(world.path, 0)
    world.write("a")
    assert world.read() == ["a"]


def test_a_file_that_cannot_be_read_is_an_error_and_then_read_from_its_end(world: World) -> None:
    world.path.mkdir()
    with pytest.raises(OSError, match="directory"):
        world.read()
    world.path.rmdir()
    world.write("old")
    assert world.read() == []
    world.write("a")
    assert world.read() == ["a"]


def test_too_many_lines_are_counted(world: World) -> None:
    world.file.read()
    world.write(*("a" for _ in range(LINES_PER_S - 1)))
    first = world.file.read()
    world.write("b", "c", "d")
    second = world.file.read()
    world.write(*("e" for _ in range(5000)))
    third = world.file.read()
    assert (len(first.logs), first.dropped) == (LINES_PER_S - 1, 0)
    assert ([log.acl_name for log in second.logs], second.dropped) == (["b"], 2)
    assert third == AclLogs(dropped=5000)
    world.now += 1
    world.write("f")
    assert world.read() == ["f"]


def test_a_look_is_short_whatever_there_is(world: World) -> None:
    world.file.read()
    size = len(line("a"))
    count = BYTES_MAX // size + 1000
    with world.path.open("w") as file:
        file.write(line("a") * count)
    first = world.file.read()
    told = len(first.logs) + first.dropped
    assert BYTES_MAX // size - 1 <= told < count
    second = world.file.read()
    assert told + second.dropped == count
    with world.path.open("a") as file:
        file.write("x" * 3_000_000 + "|acl_log\n" + line("b"))
    world.now += 1
    assert [log.acl_name for log in world.file.read().logs] == ["b"]
