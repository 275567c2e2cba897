"""What is announced, and the frame."""

from __future__ import annotations

from dataclasses import replace

import pytest
from netctl_host.announce import PAUSES_S, Announcement, Announcer, find_announcements, render_garp
from netctl_host.state import HostState, Link

from tests.unit.host.samples import UP_LINK, assign, uplink

ASSIGNMENT = assign(uplink(0, "eth1", address="192.0.2.11/24"), uplink(1, "eth2"))
BRIDGE = Link(name="br0", up=True, mac_address="02:00:00:00:00:05", addresses=("192.0.2.11/24",))


def find(bridge: Link, interface: Link = UP_LINK) -> frozenset[Announcement]:
    other = Link(name="br1", up=True, mac_address="02:00:00:00:00:06", addresses=("192.0.2.12/24",))
    links = {link.name: link for link in (bridge, interface, other)}
    return find_announcements(ASSIGNMENT, HostState(links=links))


def test_the_frame_is_a_gratuitous_reply() -> None:
    assert render_garp("02:00:00:00:00:05", "192.0.2.11").hex() == (
        "ffffffffffff"
        + "020000000005"
        + "0806"
        # Ethernet, IPv4, lengths, reply; sender and target are the same
        + "0001"
        + "0800"
        + "06"
        + "04"
        + "0002"
        + "020000000005c000020b" * 2
        + "00" * 18
    )


def test_the_tunnel_address_is_announced_where_it_is() -> None:
    assert find(BRIDGE) == {Announcement(link="br0", mac_address="02:00:00:00:00:05", ip="192.0.2.11")}


@pytest.mark.parametrize(
    ("bridge", "interface"),
    [
        (replace(BRIDGE, up=False), UP_LINK),
        (replace(BRIDGE, addresses=("192.0.2.99/24",)), UP_LINK),
        (replace(BRIDGE, name="br9"), UP_LINK),
        (BRIDGE, replace(UP_LINK, carrier=False)),
        (BRIDGE, replace(UP_LINK, name="eth9")),
    ],
)
def test_nothing_is_announced_that_would_not_arrive(bridge: Link, interface: Link) -> None:
    assert find(bridge, interface) == frozenset()


def test_an_ipv6_address_is_not_announced() -> None:
    assignment = assign(uplink(0, "eth1", address="2001:db8::1/64"))
    links = {"br0": replace(BRIDGE, addresses=("2001:db8::1/64",)), "eth1": UP_LINK}
    assert find_announcements(assignment, HostState(links=links)) == frozenset()


def test_it_is_said_a_few_times_and_then_no_more() -> None:
    now, sent, looks = [100.0], [], list[float]()
    announcer = Announcer(lambda _announcement: sent.append(now[0]), looks.append, lambda: now[0])
    for _ in range(100):
        announcer.tell(find(BRIDGE))
        now[0] += 0.5
    assert sent == [100.0, 101.0, 103.0, 115.0]
    assert max(looks) == max(PAUSES_S)
    looks.clear()
    announcer.tell(find(BRIDGE))
    assert looks == []


def test_what_ceased_and_came_back_is_said_again() -> None:
    sent: list[Announcement] = []
    announcer = Announcer(sent.append, lambda _delay_s: None, lambda: 100.0)
    for due in (find(BRIDGE), frozenset[Announcement](), find(BRIDGE)):
        announcer.tell(due)
    assert len(sent) == 2
