"""Boxes of services: covering and overlapping, against packets one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netctl.analysis.services import ANY_PROTOCOL, Box, boxes_of, covers, overlap
from netctl.model.routing_policy import PortRange
from netctl.model.service import Service, ServiceProtocol
from tests.security import service


def boxes(*texts: str, version: int = 0) -> tuple[Box, ...]:
    return boxes_of(tuple(map(service, texts)), version)


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ((), ("tcp/80",), True),
        (("tcp/80",), (), False),
        (("tcp",), ("tcp/80",), True),
        (("tcp",), ("udp/80",), False),
        (("6",), ("tcp/80",), True),
        (("tcp",), ("6",), True),
        (("tcp/80-90",), ("tcp/85",), True),
        (("tcp/80-90",), ("tcp/85-91",), False),
        (("tcp/80-84,85-90",), ("tcp/82-88",), True),
        (("tcp/80-84,86-90",), ("tcp/82-88",), False),
        (("tcp/80", "udp/53"), ("udp/53", "tcp/80"), True),
        (("tcp/80",), ("tcp/80", "udp/53"), False),
        (("icmp",), ("icmp/8",), True),
        (("icmp/8",), ("icmp",), False),
        (("icmp/3",), ("icmp/3/4",), True),
        (("icmp/3/4",), ("icmp/3",), False),
        (("icmp",), ("icmpv6",), False),
        (("1",), ("icmp",), True),
        (("icmp",), ("1",), False),
    ],
)
def test_covering(wide: tuple[str, ...], narrow: tuple[str, ...], expected: bool) -> None:
    assert covers(boxes(*wide), boxes(*narrow)) is expected


def test_versions_are_apart() -> None:
    assert covers(boxes("tcp"), boxes("tcp", version=6))
    assert not covers(boxes("tcp", version=6), boxes("tcp"))
    assert not overlap(boxes("tcp", version=4), boxes("tcp", version=6))
    assert boxes("icmp", version=6) == ()


def test_source_ports_are_the_other_side() -> None:
    narrow = replace(service("tcp/80"), source_ports=(PortRange(first=1000, last=1999),))
    assert covers(boxes("tcp/80"), boxes_of((narrow,)))
    assert not covers(boxes_of((narrow,)), boxes("tcp/80"))
    halves = [
        replace(narrow, source_ports=(PortRange(first=a, last=b),)) for a, b in ((0, 1499), (1500, 65535))
    ]
    assert covers(boxes_of(tuple(halves)), boxes("tcp/80"))
    assert not covers(boxes_of(tuple(halves)), boxes("tcp/79-80"))


RANGES = st.tuples(st.integers(0, 6), st.integers(0, 3)).map(
    lambda pair: PortRange(first=pair[0], last=pair[0] + pair[1])
)
SERVICES = st.lists(
    st.builds(
        Service,
        protocol=st.sampled_from((ServiceProtocol.TCP, ServiceProtocol.UDP)),
        ports=st.lists(RANGES, max_size=3).map(tuple),
        source_ports=st.lists(RANGES, max_size=2).map(tuple),
    ),
    min_size=1,
    max_size=4,
).map(tuple)


@given(wide=SERVICES, narrow=SERVICES)
def test_covering_and_overlapping_are_what_they_are_of_each_packet(
    wide: tuple[Service, ...], narrow: tuple[Service, ...]
) -> None:
    """Beyond port 9 all are alike; 10 stands for those."""
    one, other = packets(wide), packets(narrow)
    assert covers(boxes_of(wide, 4), boxes_of(narrow, 4)) is (other <= one)
    assert overlap(boxes_of(wide, 4), boxes_of(narrow, 4)) is bool(one & other)


def packets(services: tuple[Service, ...]) -> set[tuple[int, int, int]]:
    return {
        (box.protocol, source, target)
        for box in boxes_of(services, 4)
        for source in range(11)
        for target in range(11)
        if box.first[0] <= source <= box.first[1] and box.second[0] <= target <= box.second[1]
    }


def test_everything_is_every_protocol() -> None:
    assert [box.protocol for box in boxes_of(())] == [ANY_PROTOCOL, ANY_PROTOCOL]
    assert covers(boxes_of(()), boxes("47", "icmpv6", "tcp/80"))
    assert overlap(boxes_of(()), boxes("47"))
