"""Flows of patch ports: the question as bytes, the answer as messages, and what is asked of whom."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from netctl_host.openflow import Message, parse_messages, render_hello
from netctl_host.patch_flows import patch_ports, render_questions
from netctl_host.state import Interface

from tests.unit.host.samples import bridge_with, plain_port, switch_with


def header(kind: int, xid: int, body: bytes = b"") -> bytes:
    return struct.pack("!BBHI", 6, kind, 8 + len(body), xid) + body


def test_the_question_is_what_ovs_ofctl_sends() -> None:
    """As `ovs-ofctl -O OpenFlow15 dump-flows brAtlas table=0,in_port=3`, the same bytes but for the xid."""
    assert render_hello().hex() == "0600000800000000"
    assert render_questions(frozenset({3}))[3].hex() == (
        "0612004000000003"
        + "0001000000000000"
        + "00000000ffffffffffffffff00000000"
        + "00" * 16
        # OXM match of 12 bytes, in_port = 3, padded to a multiple of 8
        + "0001000c80000004"
        + "0000000300000000"
    )


def test_each_port_is_a_question() -> None:
    questions = render_questions(frozenset({3, 4, 5}))
    assert sorted(questions) == [3, 4, 5]
    assert {len(question) for question in questions.values()} == {64}


@pytest.mark.parametrize("cut", range(25))
def test_half_a_message_waits_for_the_rest(cut: int) -> None:
    whole = header(0, 7) + header(19, 3, bytes(8))
    found = list(parse_messages(whole[:cut]))
    expected = [Message(type=0, xid=7, size=8), Message(type=19, xid=3, size=16)]
    assert found == expected[: (cut >= 8) + (cut >= 24)]


def test_another_protocol_is_no_answer() -> None:
    with pytest.raises(OSError, match="speaks no OpenFlow"):
        list(parse_messages(bytes(16)))


def test_only_numbered_patch_ports_of_the_bridge_are_asked_for() -> None:
    patch = Interface(name="p1", type="patch", ofport=3)
    unnumbered, tap = replace(patch, name="p2", ofport=0), Interface(name="tap1", ofport=4)
    here = bridge_with("brAtlas", *(plain_port(name) for name in ("p1", "p2", "tap1")))
    there = bridge_with("br0", plain_port("p3"))
    switch = switch_with(here, there, interfaces=(patch, unnumbered, tap, replace(patch, name="p3")))
    assert patch_ports(switch, "brAtlas") == {"p1": 3}
    assert patch_ports(switch, "gone") == {}
