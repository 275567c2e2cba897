"""Multicast queries: who asks where, and what the frames say, by another reading of the standards."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netctl_host.igmp_query import (
    QuerierPlace,
    find_places,
    link_local,
    outranks,
    parse_source,
    render_queries,
    silence_s,
)
from netctl_host.state import HostState, Link

from tests.unit.host.samples import assign, uplink

PLACE = QuerierPlace(bridge="br0", index=7, mac_address="02:00:00:00:00:01", vlan_ids=(0, 5), interval_s=60.0)
SNOOPING = replace(uplink(0, "eth1"), mcast_snooping=True, querier_vlan_ids=(0, 5))
BR0 = Link(name="br0", index=7, up=True, mac_address="02:00:00:00:00:01")


def folded(data: bytes) -> int:
    """Add 16-bit words with end-around carry: 0xFFFF over data with a right checksum."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_an_igmp_query_has_no_source_and_whole_checksums() -> None:
    frame, _ = render_queries(PLACE, 5)
    assert frame[:18].hex() == "01005e000001" + "020000000001" + "81000005" + "0800"
    packet = frame[18:]
    assert (packet[0], packet[8], packet[9]) == (0x46, 1, 2)  # a router alert, one hop, IGMP
    assert int.from_bytes(packet[2:4], "big") == len(packet) == 36
    assert (packet[12:16], packet[16:20]) == (bytes(4), bytes([224, 0, 0, 1]))
    assert folded(packet[:24]) == folded(packet[24:]) == 0xFFFF
    assert packet[24:26] == bytes([0x11, 100])


def test_an_mld_query_is_link_local_and_has_a_whole_checksum() -> None:
    _, frame = render_queries(PLACE, 0)
    assert frame[:14].hex() == "333300000001" + "020000000001" + "86dd"
    packet = frame[14:]
    source, to = packet[8:24], packet[24:40]
    assert ipaddress.IPv6Address(source) == ipaddress.IPv6Address("fe80::ff:fe00:1")
    assert (packet[6], packet[7], packet[40], packet[42:46]) == (0, 1, 58, bytes([5, 2, 0, 0]))
    body = packet[48:]
    assert int.from_bytes(packet[4:6], "big") == len(packet) - 40
    assert folded(source + to + len(body).to_bytes(4, "big") + (58).to_bytes(4, "big") + body) == 0xFFFF
    assert body[0] == 130


def test_our_own_queries_are_understood_and_do_not_silence_us() -> None:
    igmp, mld = render_queries(PLACE, 0)
    for frame in (igmp, mld):
        source = parse_source(frame)
        assert source is not None
        assert not outranks(source, PLACE)


@pytest.mark.parametrize(
    ("source", "silences"),
    [
        ("192.0.2.1", True),
        ("0.0.0.0", False),
        ("fe80::1", True),
        ("fe80::ffff:ffff:ffff:ffff", False),
        ("2001:db8::1", False),
    ],
)
def test_who_makes_us_silent(source: str, silences: bool) -> None:
    assert outranks(ipaddress.ip_address(source), PLACE) is silences
    assert link_local(PLACE.mac_address) > ipaddress.IPv6Address("fe80::1")


@given(st.binary(max_size=100), st.sampled_from(("0800", "86dd")))
def test_hostile_frames_do_no_harm(tail: bytes, kind: str) -> None:
    parse_source(bytes(12) + bytes.fromhex(kind) + tail)


def test_where_a_host_asks() -> None:
    state = HostState(links={"br0": BR0})
    assert find_places(assign(SNOOPING), state) == {PLACE}
    short = replace(SNOOPING, mcast_timeout_s=30)
    assert [place.interval_s for place in find_places(assign(short), state)] == [10.0]
    for other in (replace(SNOOPING, mcast_snooping=False), replace(SNOOPING, querier_vlan_ids=())):
        assert not find_places(assign(other), state)
    assert not find_places(assign(SNOOPING), HostState())
    assert not find_places(assign(SNOOPING), HostState(links={"br0": replace(BR0, up=False)}))
    assert silence_s(PLACE) == 125.0
