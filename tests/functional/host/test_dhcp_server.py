"""DHCP on real taps: a trunk's native VLAN alone, whatever becomes of the tap, and at a small price."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from netctl_host import tap_socket
from netctl_host.dhcp_server import BUDGET
from netctl_host.state import HostState

from netctl.loop import wait_until
from tests.functional.host.chained import ChainedHost, chained, function
from tests.functional.host.namespace import NamespaceHost
from tests.functional.host.test_basic_taps import LEASE, SERVED, with_nics
from tests.functional.host.test_contract import SETTINGS
from tests.unit.host.frames import MAC, OFFER, dhcp
from tests.unit.host.test_dhcp_message import ask

DISCOVER = 1


@pytest.fixture
def site(host: NamespaceHost) -> ChainedHost:
    """A host with a guest and a wire."""
    return ChainedHost(host)


def replies(site: ChainedHost, frame: bytes, count: int = 1) -> list[bytes]:
    """Send a request so many times, then one more until it is answered; return all that the guest got."""
    with site.host.inside():
        guest = tap_socket.open_on("x-tap1", tap_socket.assemble((tap_socket.LOAD_HALF, 34, 67)))
    got: list[bytes] = []

    def take() -> bool:
        with suppress(BlockingIOError):
            while True:
                heard = tap_socket.receive(guest)
                if not heard.to_guest:
                    got.append(heard.data)
        return bool(got)

    try:
        for _ in range(count):
            site.send("x-tap1", frame)

        def is_answered() -> bool:
            site.send("x-tap1", ask(DISCOVER, mac=MAC))
            return take() and any(one[46:50] == bytes.fromhex("00001234") for one in got)

        wait_until(is_answered, timeout_s=5, what="an answer")
    finally:
        guest.close()
    return got


def test_of_a_trunk_the_native_vlan_alone_is_served(site: ChainedHost) -> None:
    site.look(with_nics(replace(SERVED, trunk_vlan_ids=(20,))))
    tagged = dhcp(DISCOVER, id=0x77, tags=(20,))
    with site.ear("x-eth1") as wire:
        assert all(one[46:50] != bytes.fromhex("00000077") for one in replies(site, tagged, 5))
        wait_until(lambda: wire(b"\0\0\0\x77"), timeout_s=5, what="the tagged request is somebody else's")
        assert not wire(b"\0\0\x12\x34")


def test_a_guest_that_plays_the_server_or_another_guest_gets_nothing(site: ChainedHost) -> None:
    site.look(with_nics(SERVED))
    for frame in (dhcp(OFFER, id=0x77), dhcp(DISCOVER, id=0x77, mac=bytes.fromhex("020000000001"))):
        assert all(one[46:50] != bytes.fromhex("00000077") for one in replies(site, frame, 5))


def test_a_tap_that_comes_again_is_served_and_a_new_lease_counts(site: ChainedHost) -> None:
    site.look(with_nics(SERVED))
    assert replies(site, ask(DISCOVER, mac=MAC))[0][58:62] == socket.inet_aton("192.0.2.7")
    site.look(with_nics(replace(SERVED, dhcp=replace(LEASE, address="192.0.2.8"))))

    def has_new_lease() -> bool:
        return replies(site, ask(DISCOVER, mac=MAC))[-1][58:62] == socket.inet_aton("192.0.2.8")

    wait_until(has_new_lease, timeout_s=5, what="the new lease")
    site.host.remove_link("tap1")
    site.add("tap1")
    site.look(with_nics(SERVED))
    assert replies(site, ask(DISCOVER, mac=MAC))
    site.host.restart_agent()
    site.look(with_nics(SERVED))
    assert replies(site, ask(DISCOVER, mac=MAC))


def test_a_guest_that_shouts_is_answered_now_and_then(site: ChainedHost) -> None:
    site.look(with_nics(SERVED))
    began = time.monotonic()
    answers = len(replies(site, ask(DISCOVER, mac=MAC), 500))
    assert answers <= BUDGET * (2 + time.monotonic() - began)
    assert answers < 400


def test_no_thread_and_no_socket_is_left(site: ChainedHost) -> None:
    def open_sockets() -> int:
        """Count this process' packet sockets: ovs-vswitchd has its own."""
        with site.host.inside():
            lines = Path("/proc/thread-self/net/packet").read_text().splitlines()[1:]
            own = {link.readlink().name for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}
        return sum(f"socket:[{line.split()[-1]}]" in own for line in lines)

    site.add_bridge("f1")
    site.look(with_nics())
    before = open_sockets()
    chain = chained(function("f"))
    nics = tuple(replace(one, dhcp=LEASE) if one.tap_name == "tap1" else one for one in chain.nics)
    site.look(replace(chain, nics=nics))
    wait_until(lambda: open_sockets() == before + 3, timeout_s=5, what="one for DHCP, two for probes")
    for _ in range(2):
        site.host.restart_agent()
        site.look(site.assignment)
    wait_until(lambda: open_sockets() == before + 3, timeout_s=5, what="as before")
    state: HostState = site.host.read_state()
    site.host.serve(with_nics(), state, SETTINGS)
    wait_until(lambda: open_sockets() == before, timeout_s=5, what="none")
    names = [one.name for one in threading.enumerate()]
    assert [names.count(name) for name in ("dhcp", "probes", "flows")] == [1, 1, 1]
