"""Queries go out of a real bridge in each VLAN, and a real querier silences us."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
from netctl_host.igmp_querier import IgmpQuerier
from netctl_host.igmp_query import find_places, parse_source, render_queries
from netctl_host.tap_socket import open_on, receive

from netctl.loop import wait_until
from tests.functional.host.namespace import NamespaceHost
from tests.functional.host.test_contract import converge
from tests.unit.host.samples import assign, uplink

ASKING = assign(
    replace(
        uplink(0, "eth1"), mcast_snooping=True, mcast_timeout_s=3, querier_vlan_ids=(0, 5), mtu_bytes=1500
    )
)
ALL = bytes.fromhex("0600000000080000")  # takes every frame: return 2048


@pytest.fixture
def querier() -> Iterator[IgmpQuerier]:
    made = IgmpQuerier()
    yield made
    made.close()


def hear(wire: socket.socket) -> set[tuple[int, int]]:
    """Return VLAN and IP version of the queries that wait at the wire's other end."""
    found: set[tuple[int, int]] = set()
    while True:
        try:
            frame = receive(wire)
        except BlockingIOError:
            return found
        source = parse_source(frame.data)
        if source is not None and not frame.to_guest:
            found.add(((frame.tag or 0) & 0xFFF, source.version))


def test_queries_leave_in_each_vlan_until_a_real_querier_speaks(
    host: NamespaceHost, querier: IgmpQuerier
) -> None:
    host.add_link("eth1")
    converge(host, ASKING)
    wait_until(lambda: "br0" in host.read_state().links, timeout_s=10, what="br0 is there")
    wait_until(lambda: host.read_state().switch.is_applied, timeout_s=10, what="ovs-vswitchd is done")
    converge(host, ASKING)
    with host.inside():
        wire = open_on("x-eth1", ALL)
        places = find_places(ASKING, host.read_state())
        assert querier.follow(places) == ()
    heard: set[tuple[int, int]] = set()

    def all_heard() -> bool:
        heard.update(hear(wire))
        return heard == {(0, 4), (0, 6), (5, 4), (5, 6)}

    wait_until(all_heard, timeout_s=10, what="queries for IPv4 and IPv6 in both VLANs")

    # a router asks in VLAN 5: there it is silent, elsewhere not
    (place,) = places
    router = render_queries(replace(place, mac_address="02:00:00:00:00:99"), 5)[0]
    at = 18 + 12
    router = router[:at] + bytes([192, 0, 2, 1]) + router[at + 4 :]
    wire.send(router)

    def only_others() -> bool:
        hear(wire)
        seen: set[tuple[int, int]] = set()

        def others_go_on() -> bool:
            seen.update(hear(wire))
            return {(0, 4), (5, 6)} <= seen

        wait_until(others_go_on, timeout_s=5, what="the others go on")
        return (5, 4) not in seen

    wait_until(only_others, timeout_s=10, what="silence in VLAN 5")
    wire.close()
