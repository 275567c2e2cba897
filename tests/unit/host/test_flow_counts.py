"""Counters of flows: the question as bytes, the answer as sums."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from netctl_host.flow_counts import FlowCounter, FlowKey, parse_answer, render_question

# What ovs-vswitchd 3.1 answered to the question below: 5 packets of 490 bytes in 2 flows.
ANSWER = bytes.fromhex(
    "00000024" + "80020808" + f"{5:016x}" + "80020a08" + f"{490:016x}" + "8002060400000002" + "00000000"
)


def test_the_question_is_what_ovs_ofctl_sends() -> None:
    """As `ovs-ofctl -O OpenFlow15 dump-aggregate brAtlas cookie=0x1234abcd/-1,metadata=0x2bc`, but for the xid."""
    assert render_question(7, FlowKey(0x1234ABCD, 700)).hex() == (
        "0612004000000007"
        + "0002000000000000"
        + "ff000000ffffffffffffffff00000000"
        + "000000001234abcdffffffffffffffff"
        + "0001001080000408"
        + "00000000000002bc"
    )


def test_the_answer_is_packets_bytes_and_flows() -> None:
    assert parse_answer(ANSWER) == {4: 5, 5: 490, 3: 2}


def test_an_answer_cut_short_is_no_answer() -> None:
    with pytest.raises(struct.error):
        parse_answer(b"")


def test_nobody_there_is_a_problem(tmp_path: Path) -> None:
    counts = FlowCounter(tmp_path, "brAtlas").count([FlowKey(1, 2)])
    assert counts.counts == ()
    assert "brAtlas.mgmt" in counts.problem


def test_nothing_asked_needs_nobody(tmp_path: Path) -> None:
    assert FlowCounter(tmp_path, "brAtlas").count([]).problem == ""
