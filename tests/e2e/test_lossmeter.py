"""The loss meter can see: run on a bare cable, where what is lost and what leaks is known beforehand."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lossmeter.meter import Guest, measure, own_address


@pytest.fixture
def cable() -> Iterator[tuple[Guest, Guest]]:
    """Two namespaces of the test's own with a veth pair between them."""
    a, b = (
        Guest(
            namespace=f"netctl-meter-{os.getpid()}-{n}",
            interface="eth0",
            mac=f"50:6b:8d:00:00:0{n}",
            ip=f"10.9.0.{n}",
        )
        for n in (1, 2)
    )
    try:
        for guest in (a, b):
            ip("netns", "add", guest.namespace)
        peer = ("peer", "name", "eth0", "netns", b.namespace, "address", b.mac)
        ip("-n", a.namespace, "link", "add", "eth0", "address", a.mac, "type", "veth", *peer)
        for guest in (a, b):
            ip("-n", guest.namespace, "addr", "add", f"{guest.ip}/24", "dev", "eth0")
            ip("-n", guest.namespace, "link", "set", "eth0", "up")
        yield a, b
    finally:
        for guest in (a, b):
            if Path("/run/netns", guest.namespace).exists():
                ip("netns", "del", guest.namespace)


def test_a_whole_cable_loses_nothing_and_leaks_every_forged_frame(cable: tuple[Guest, Guest]) -> None:
    with measure(*cable, pps=500) as meter:
        meter.wait_for_more(300)
    report = meter.report
    assert (report.lost, report.sent >= 600) == (0, True), str(report)
    for direction in report.directions:
        assert direction.leaked == direction.denied_sent == direction.sent, str(report)
        assert set(direction.leaked_by_variant) == {"0", "1", "2"}
        assert direction.left_guest >= direction.sent + direction.denied_sent
        assert direction.duplicates == direction.errors == 0


def test_ipv6_and_frames_from_a_guests_own_address_are_counted_as_well(cable: tuple[Guest, Guest]) -> None:
    a, b = (replace(guest, ip=f"2001:db8:9::{number}") for number, guest in enumerate(cable, 1))
    for guest in (a, b):
        ip("-n", guest.namespace, "addr", "add", f"{guest.ip}/64", "dev", "eth0", "nodad")
    with measure(a, b, pps=200, denied=own_address) as meter:
        meter.wait_for_more(50)
    report = meter.report
    assert (report.lost, report.sent >= 100) == (0, True), str(report)
    assert report.leaked == report.denied_sent == report.sent, str(report)


def test_a_cut_of_a_fifth_of_a_second_is_seen(cable: tuple[Guest, Guest]) -> None:
    a, b = cable
    with measure(a, b, pps=200) as meter:
        ip("-n", b.namespace, "link", "set", "eth0", "down")
        meter.wait_for_more(40)
        ip("-n", b.namespace, "link", "set", "eth0", "up")
        meter.wait_for_arrivals(20)
    for direction in meter.report.directions:
        assert direction.lost >= 30, str(meter.report)
        assert direction.longest_gap_ms >= 180, str(meter.report)
        assert sum(count for _first, count in direction.lost_runs) == direction.lost


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
