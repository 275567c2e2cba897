"""Probes survive the wire: what is rendered is parsed back, and the kernel's tools agree about checksums elsewhere."""

from __future__ import annotations

import struct

import pytest

from tests.oracle.wire import Seen, arp_request, is_arp_answer, parse, render
from tests.oracle.words import Packet

MACS = ("50:6b:8d:00:00:01", "50:6b:8d:00:00:02")
PAIRS = (("10.0.0.5", "203.0.113.80"), ("fd00::5", "2001:db8::80"))


@pytest.mark.parametrize("protocol", ["icmp", "tcp", "udp"])
@pytest.mark.parametrize(("source", "destination"), PAIRS)
def test_a_probe_is_found_again(protocol: str, source: str, destination: str) -> None:
    frame = render(Packet(source, destination, protocol, 4000, 80), 517, MACS)
    assert parse(frame) == Seen(517, source, destination, False)
    assert parse(frame + bytes(14)) == Seen(517, source, destination, False), "padding is not the packet's"


def test_an_echo_reply_is_told_from_a_request() -> None:
    frame = bytearray(render(Packet(*PAIRS[0]), 9, MACS))
    frame[34] = 0
    assert parse(bytes(frame)) == Seen(9, *PAIRS[0], True)


@pytest.mark.parametrize("protocol", ["icmp", "tcp"])
@pytest.mark.parametrize(("source", "destination"), PAIRS)
def test_an_answer_is_made_and_found(protocol: str, source: str, destination: str) -> None:
    frame = render(Packet(source, destination, protocol, 80, 4000), 518, MACS, answer=True)
    assert parse(frame) == Seen(518, source, destination, True)


def test_checksums_are_right() -> None:
    """The sum over a header, or over pseudo header and body, is all ones (RFC 1071)."""
    frame = render(Packet(*PAIRS[0], "udp", 4000, 80), 1, MACS)
    header, body = frame[14:34], frame[34:]
    assert _sum(header) == 0xFFFF
    assert _sum(header[12:20] + struct.pack("!HH", 17, len(body)) + body) == 0xFFFF
    assert _sum(render(Packet(*PAIRS[0]), 1, MACS)[34:]) == 0xFFFF
    six = render(Packet(*PAIRS[1], "tcp", 4000, 80), 1, MACS)
    assert _sum(six[22:54] + struct.pack("!HH", 6, len(six[54:])) + six[54:]) == 0xFFFF


def test_what_is_not_a_probe_is_nothing() -> None:
    assert parse(arp_request(MACS[0], "10.0.0.5", "10.0.0.1")) is None
    assert parse(b"") is None
    assert not is_arp_answer(arp_request(MACS[0], "10.0.0.5", "10.0.0.1"), "10.0.0.5")


def _sum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total
