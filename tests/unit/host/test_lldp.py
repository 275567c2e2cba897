"""What switches announce is read, whatever comes over the cable."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netctl_host.lldp import NEIGHBORS_MAX, TEXT_MAX, Announcement, NeighborTable, parse_frame
from netctl_host.state import LldpNeighbor


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!H", kind << 9 | len(value)) + value


def lldp(*tlvs: bytes) -> bytes:
    """Return a frame."""
    return bytes.fromhex("0180c200000e02000000000288cc") + b"".join(tlvs)


CHASSIS = tlv(1, b"\x04\x02\x00\x00\x00\x00\x02")
PORT = tlv(2, b"\x05Ethernet7")
TTL = tlv(3, struct.pack("!H", 120))
WHOLE = lldp(
    CHASSIS,
    PORT,
    TTL,
    tlv(4, b"to h1"),
    tlv(5, b"tor1"),
    tlv(6, b"a switch\n of ours"),
    tlv(8, b"\x05\x01\xc0\x00\x02\xc8" + b"\x02\x00\x00\x00\x07\x00"),
    tlv(127, b"\x00\x80\xc2\x01" + struct.pack("!H", 7)),
    tlv(0, b""),
    b"trailing",
)
NEIGHBOR = LldpNeighbor(
    chassis_id="02:00:00:00:00:02",
    port_id="Ethernet7",
    port_description="to h1",
    system_name="tor1",
    system_description="a switch  of ours",
    port_vlan_id=7,
    management_address="192.0.2.200",
)


def test_everything_that_a_switch_says() -> None:
    assert parse_frame(WHOLE) == Announcement(neighbor=NEIGHBOR, ttl_s=120)


@pytest.mark.parametrize(
    ("chassis", "port", "ids"),
    [
        (b"\x05\x01\xc0\x00\x02\x01", b"\x03\x02\x00\x00\x00\x00\x09", ("192.0.2.1", "02:00:00:00:00:09")),
        (b"\x07spine", b"\x04\x02" + bytes(15) + b"\x01", ("spine", "::1")),
        (b"\x06\xffx\x00", b"\x01a\tb", ("\ufffdx", "a b")),
    ],
)
def test_ids_of_all_sorts(chassis: bytes, port: bytes, ids: tuple[str, str]) -> None:
    said = parse_frame(lldp(tlv(1, chassis), tlv(2, port), TTL))
    assert said is not None
    assert (said.neighbor.chassis_id, said.neighbor.port_id) == ids


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        WHOLE[:14],
        lldp(PORT, CHASSIS, TTL),
        lldp(CHASSIS, PORT),
        lldp(CHASSIS, PORT, tlv(3, b"\x01")),
        lldp(tlv(1, b"\x04\x02\x00"), PORT, TTL),
        lldp(tlv(1, b"\x04"), PORT, TTL),
        WHOLE.replace(b"\x88\xcc", b"\x08\x00", 1),
    ],
)
def test_what_is_no_whole_announcement_is_none(frame: bytes) -> None:
    assert parse_frame(frame) is None


def test_a_text_is_bounded_and_a_tlv_that_is_cut_ends_it() -> None:
    said = parse_frame(lldp(CHASSIS, PORT, TTL, tlv(5, b"n" * 511), struct.pack("!H", 6 << 9 | 99) + b"x"))
    assert said is not None
    assert said.neighbor.system_name == "n" * TEXT_MAX
    assert said.neighbor.system_description == ""


@given(st.binary(max_size=300), st.integers(0, 300), st.binary(max_size=20))
def test_hostile_frames_do_no_harm(tail: bytes, at: int, damage: bytes) -> None:
    damaged = WHOLE[:at] + damage + WHOLE[at + len(damage) :]
    for frame in (lldp() + tail, lldp(CHASSIS, PORT, TTL) + tail, damaged):
        said = parse_frame(frame)
        if said is not None:
            texts = [
                getattr(said.neighbor, name) for name in LldpNeighbor.__slots__ if name != "port_vlan_id"
            ]
            assert all(len(text) <= 2 * TEXT_MAX and text.isprintable() for text in texts)
            assert 0 <= said.neighbor.port_vlan_id <= 4095
            assert 0 <= said.ttl_s <= 65535


def announce(number: int, ttl_s: int = 120) -> Announcement:
    return Announcement(neighbor=LldpNeighbor(chassis_id=f"c{number}", port_id="p"), ttl_s=ttl_s)


def test_a_neighbor_is_one_for_its_time_or_until_it_takes_it_back() -> None:
    table = NeighborTable()
    table.note("eth1", announce(1), 0.0)
    assert table.read(119.9) == {"eth1": announce(1).neighbor}
    table.note("eth1", announce(1), 100.0)
    assert table.read(219.9) == {"eth1": announce(1).neighbor}
    assert table.read(220.0) == {}
    table.note("eth1", announce(1), 300.0)
    table.note("eth1", announce(1, ttl_s=0), 301.0)
    assert table.read(301.0) == {}


def test_of_several_it_is_always_the_same_and_there_are_not_many() -> None:
    table = NeighborTable()
    for number in (3, 1, 2, 1, 3):
        table.note("eth1", announce(number), 0.0)
        known = table.read(0.0)
    assert known == {"eth1": announce(1).neighbor}
    for number in range(100):
        table.note("eth1", announce(number, ttl_s=number + 1), 0.0)
    assert table.read(99.5) == {"eth1": announce(99).neighbor}
    assert NEIGHBORS_MAX < 100
    table.keep(frozenset())
    assert table.read(0.0) == {}
