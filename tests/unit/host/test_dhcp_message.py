"""DHCP: every message of RFC 2131 to one guest, and whatever else a guest may send."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netctl_host.assignment import DhcpLease, StaticRoute
from netctl_host.dhcp_message import Kind, make_reply, parse_request

MAC, OTHER_MAC = bytes.fromhex("506b8d000001"), bytes.fromhex("506b8d000002")
LEASE = DhcpLease(
    address="192.0.2.7",
    prefix_length=24,
    server_address="192.0.2.2",
    server_mac_address="50:6b:8d:ff:00:02",
    router="192.0.2.1",
    lease_s=3600,
    dns_servers=("192.0.2.53", "2001:db8::53"),
    domain_name="example.com",
    domain_search=("a.example.com", "example.org"),
    ntp_servers=("192.0.2.123",),
    tftp_server="tftp.example.com",
    bootfile_name="boot/pxelinux.0",
    static_routes=(StaticRoute(destination="10.0.0.0/8", next_hop="192.0.2.9"),),
    mtu_bytes=1442,
)


def ask(
    kind: int,
    *,
    client: str = "0.0.0.0",
    requested: str = "",
    server: str = "",
    flags: int = 0,
    wanted: bytes = b"",
    mac: bytes = MAC,
    relay: str = "0.0.0.0",
    size: int = 1500,
    source: bytes | None = None,
) -> bytes:
    """Return a request as a frame."""
    options = bytes((53, 1, kind, 57, 2)) + struct.pack("!H", size)
    for number, address in ((50, requested), (54, server)):
        if address:
            options += bytes((number, 4)) + ipaddress.IPv4Address(address).packed
    if wanted:
        options += bytes((55, len(wanted))) + wanted
    addresses = b"".join(ipaddress.IPv4Address(a).packed for a in (client, "0.0.0.0", "0.0.0.0", relay))
    head = struct.pack("!BBBBIHH", 1, 1, 6, 0, 0x1234, 0, flags) + addresses + mac + b"\0" * 202
    message = head + b"\x63\x82\x53\x63" + options + b"\xff"
    udp = struct.pack("!HHHH", 68, 67, 8 + len(message), 0) + message
    packet = struct.pack("!BBHIBBH", 0x45, 0, 20 + len(udp), 0, 64, 17, 0) + b"\0\0\0\0\xff\xff\xff\xff" + udp
    return b"\xff" * 6 + (source or mac) + b"\x08\0" + packet


def reply_to(frame: bytes, lease: DhcpLease = LEASE) -> bytes | None:
    request = parse_request(frame, MAC)
    return make_reply(request, lease) if request else None


def options_of(reply: bytes) -> dict[int, bytes]:
    assert reply[278:282] == b"\x63\x82\x53\x63"
    found: dict[int, bytes] = {}
    at = 282
    while reply[at] != 255:
        found[reply[at]] = found.get(reply[at], b"") + reply[at + 2 : at + 2 + reply[at + 1]]
        at += 2 + reply[at + 1]
    return found


def kind_of(frame: bytes, lease: DhcpLease = LEASE) -> int | None:
    reply = reply_to(frame, lease)
    return options_of(reply)[53][0] if reply is not None else None


def test_everything_of_the_lease_is_told() -> None:
    reply = reply_to(ask(Kind.DISCOVER))
    assert reply is not None
    assert (reply[:6], reply[6:12]) == (MAC, bytes.fromhex("506b8dff0002"))
    assert (reply[26:30], reply[30:34]) == (bytes((192, 0, 2, 2)), bytes((192, 0, 2, 7)))
    assert reply[58:62] == bytes((192, 0, 2, 7)), "yiaddr"
    assert options_of(reply) == {
        53: b"\2",
        54: bytes((192, 0, 2, 2)),
        51: struct.pack("!I", 3600),
        58: struct.pack("!I", 1800),
        59: struct.pack("!I", 3150),
        1: bytes((255, 255, 255, 0)),
        3: bytes((192, 0, 2, 1)),
        6: bytes((192, 0, 2, 53)),
        15: b"example.com",
        26: struct.pack("!H", 1442),
        42: bytes((192, 0, 2, 123)),
        66: b"tftp.example.com",
        67: b"boot/pxelinux.0",
        119: b"\1a\7example\3com\0\7example\3org\0",
        121: bytes((8, 10, 192, 0, 2, 9, 0, 192, 0, 2, 1)),
    }


def test_the_checksums_are_right() -> None:
    reply = reply_to(ask(Kind.DISCOVER))
    assert reply is not None
    udp = reply[34:]
    pseudo = reply[26:34] + struct.pack("!HH", 17, len(udp))
    for data in (reply[14:34], pseudo + udp + b"\0" * (len(udp) % 2)):
        total = sum(struct.unpack(f"!{len(data) // 2}H", data))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        assert total == 0xFFFF


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (ask(Kind.DISCOVER), Kind.OFFER),
        (ask(Kind.REQUEST, requested="192.0.2.7", server="192.0.2.2"), Kind.ACK),
        (ask(Kind.REQUEST, requested="192.0.2.8", server="192.0.2.2"), Kind.NAK),
        (ask(Kind.REQUEST, requested="192.0.2.7", server="192.0.2.3"), None),  # another server's
        (ask(Kind.REQUEST, requested="192.0.2.7"), Kind.ACK),  # INIT-REBOOT
        (ask(Kind.REQUEST, requested="10.0.0.7"), Kind.NAK),
        (ask(Kind.REQUEST, client="192.0.2.7"), Kind.ACK),  # renews
        (ask(Kind.REQUEST, client="192.0.2.8"), Kind.NAK),
        (ask(Kind.REQUEST), Kind.NAK),
        (ask(Kind.INFORM, client="192.0.2.7"), Kind.ACK),
        (ask(Kind.INFORM, client="192.0.2.8"), None),
        (ask(Kind.DECLINE, requested="192.0.2.7", server="192.0.2.2"), None),
        (ask(Kind.RELEASE, client="192.0.2.7", server="192.0.2.2"), None),
        (ask(Kind.OFFER), None),
        (ask(9), None),
        (ask(Kind.DISCOVER, mac=OTHER_MAC), None),
        (ask(Kind.DISCOVER, mac=OTHER_MAC, source=MAC), None),
        (ask(Kind.DISCOVER, mac=MAC, source=OTHER_MAC), None),
        (ask(Kind.DISCOVER, relay="192.0.2.9"), None),
    ],
)
def test_what_is_answered(frame: bytes, kind: Kind | None) -> None:
    assert kind_of(frame) == kind


def test_who_gets_the_answer() -> None:
    def target(frame: bytes) -> tuple[bytes, str]:
        reply = reply_to(frame)
        assert reply is not None
        return reply[:6], str(ipaddress.IPv4Address(reply[30:34]))

    assert target(ask(Kind.DISCOVER)) == (MAC, "192.0.2.7")
    assert target(ask(Kind.DISCOVER, flags=0x8000)) == (b"\xff" * 6, "255.255.255.255")
    assert target(ask(Kind.REQUEST, client="192.0.2.7", flags=0x8000)) == (MAC, "192.0.2.7")
    assert target(ask(Kind.REQUEST, client="192.0.2.8")) == (b"\xff" * 6, "255.255.255.255")


def test_inform_says_nothing_of_a_lease_and_nak_nothing_at_all() -> None:
    informed = reply_to(ask(Kind.INFORM, client="192.0.2.7"))
    assert informed is not None
    assert informed[58:62] == b"\0" * 4
    assert not {51, 58, 59} & options_of(informed).keys()
    refused = reply_to(ask(Kind.REQUEST, requested="10.0.0.1"))
    assert refused is not None
    assert options_of(refused) == {53: b"\6", 54: bytes((192, 0, 2, 2))}
    assert refused[58:62] == b"\0" * 4


def test_a_small_client_gets_what_it_asked_for_first() -> None:
    many = replace(LEASE, mtu_bytes=1442, domain_search=tuple(f"s{n}.example.com" for n in range(40)))
    small = reply_to(ask(Kind.DISCOVER, size=576, wanted=bytes((1, 3, 6, 119))), many)
    large = reply_to(ask(Kind.DISCOVER, size=1500, wanted=bytes((1, 3, 6, 119))), many)
    assert small is not None
    assert large is not None
    assert len(small) - 14 <= 576 < len(large) - 14 <= 1442
    assert {1, 3, 6, 51, 53, 54} <= options_of(small).keys()
    assert len(options_of(large)[119]) > 255, "in two parts"


def test_a_lease_of_the_least() -> None:
    least = DhcpLease(
        address="192.0.2.7",
        prefix_length=24,
        server_address="192.0.2.2",
        server_mac_address="50:6b:8d:ff:00:02",
        lease_s=60,
    )
    reply = reply_to(ask(Kind.DISCOVER), least)
    assert reply is not None
    assert options_of(reply).keys() == {53, 54, 51, 58, 59, 1}
    assert len(reply) >= 14 + 20 + 8 + 300


@given(st.binary(max_size=700), st.integers(0, 400), st.integers(0, 60))
def test_hostile_frames_hurt_nobody(noise: bytes, at: int, cut: int) -> None:
    good = ask(Kind.REQUEST, requested="192.0.2.7", wanted=b"\1\3\6")
    for frame in (
        noise,
        good[:12] + noise,
        good[: at + 1] + noise,
        good[: len(good) - cut],
        good[:at] + noise + good[at:],
    ):
        request = parse_request(frame, MAC)
        if request is not None:
            reply = make_reply(request, LEASE)
            assert reply is None or reply[:6] in (MAC, b"\xff" * 6)


@given(st.binary(max_size=300))
def test_hostile_options_hurt_nobody(options: bytes) -> None:
    frame = ask(Kind.DISCOVER)
    start = 14 + 20 + 8 + 240
    body = frame[start - 240 : start] + options
    udp = struct.pack("!HHHH", 68, 67, 8 + len(body), 0) + body
    packet = frame[14:16] + struct.pack("!H", 20 + len(udp)) + frame[18:34] + udp
    request = parse_request(frame[:14] + packet, MAC)
    if request is not None:
        reply = make_reply(request, LEASE)
        assert reply is None or len(reply) <= 1514
