"""Addresses are learned from real frames on real taps, whatever becomes of the taps; a noisy guest costs little."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from netctl_host import learn
from netctl_host.assignment import Assignment
from netctl_host.learned import SILENCE_S, LearnedTable, Owner, find_taps
from netctl_host.state import LearnedAddress

from netctl.loop import wait_until
from tests.functional.host.namespace import NamespaceHost
from tests.unit.host.frames import ACK, MAC, NA, NS, OTHER_MAC, REQUEST, arp, dhcp, ethernet, ipv6, nd
from tests.unit.host.samples import assign, nic

LEARNING = replace(nic(1), learn_addresses=True, trunk_vlan_ids=(30,))
ASSIGNMENT = assign(nics=(LEARNING,))


class Guest:
    """A guest at the far end of tap1."""

    def __init__(self, host: NamespaceHost) -> None:
        self.host = host
        self._sockets: list[socket.socket] = []
        self.appear()

    def appear(self) -> None:
        """Its tap comes, up, and the agent looks at it."""
        self.host.add_link("tap1")
        self.host.set_link("tap1", "up")
        with self.host.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as arrived:
            arrived.bind(("tap1", 3))
            arrived.setblocking(False)
            wait_until(
                lambda: self._arrives(arrived),
                timeout_s=5,
                what="the kernel has begun to send on the new link",
            )
        self.look()

    def _arrives(self, arrived: socket.socket) -> bytes:
        self.send(arp("0.0.0.0"))
        with suppress(BlockingIOError):
            return arrived.recv(2048)
        return b""

    def look(self, assignment: Assignment = ASSIGNMENT) -> None:
        """Do what a pass of the agent does."""
        assert self.host.listen(find_taps(assignment, self.host.read_state())) == ()

    def send(self, frame: bytes, link: str = "x-tap1") -> None:
        """Send as the guest; on `tap1` as OVS does, to the guest."""
        with self.host.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind((link, 0))
            sender.send(frame)

    def learned(self) -> list[tuple[int, str]]:
        """Return what is known of it."""
        found: tuple[LearnedAddress, ...] = self.host.read_state().learned.get(LEARNING.iface_id, ())
        return [(address.vlan_id, address.address) for address in found]

    def knows(self, *addresses: tuple[int, str]) -> None:
        """Wait until exactly this is known."""
        expected = sorted(addresses)
        wait_until(lambda: self.learned() == expected, timeout_s=5, what=f"learned {expected}")


@pytest.fixture
def guest(host: NamespaceHost) -> Guest:
    assert MAC.hex(":") == LEARNING.mac_address
    return Guest(host)


def test_what_a_guest_uses_is_learned_and_what_others_use_is_not(guest: Guest) -> None:
    for frame in (
        arp("192.0.2.66", mac=OTHER_MAC),
        ethernet(ipv6(nd(NA, target="2001:db8::66")), source=OTHER_MAC),
        ethernet(ipv6(nd(NS), source="::")),
        arp("0.0.0.0", target="192.0.2.66"),
        arp("192.0.2.66", tags=(31,)),
        dhcp(ACK, yours="192.0.2.66"),
    ):
        guest.send(frame)
    guest.send(arp("192.0.2.66", mac=OTHER_MAC), "tap1")
    guest.send(dhcp(ACK, yours="192.0.2.66"), "tap1")
    guest.send(arp("192.0.2.7"))
    guest.send(arp("192.0.2.8", tags=(30,)))
    guest.send(ethernet(ipv6(nd(NA, target="2001:db8::8"))))
    guest.send(ethernet(ipv6(nd(NA, target="2001:db8::9"), source="fe80::7"), tags=(30,)))
    expected = [(0, "192.0.2.7"), (0, "2001:db8::7"), (0, "2001:db8::8")]
    tagged = [(30, "192.0.2.8"), (30, "2001:db8::9"), (30, "fe80::7")]
    guest.knows(*expected, *tagged)


def test_what_the_dhcp_server_gives_is_learned(guest: Guest) -> None:
    guest.send(dhcp(REQUEST, id=1))
    guest.send(dhcp(REQUEST, id=2, tags=(30,)))
    guest.send(dhcp(ACK, id=1, yours="192.0.2.7"), "tap1")
    guest.send(dhcp(ACK, id=2, yours="192.0.2.8", tags=(30,)), "tap1")
    guest.send(dhcp(ACK, id=3, yours="192.0.2.66"), "tap1")
    guest.send(dhcp(ACK, id=1, yours="192.0.2.67", mac=OTHER_MAC), "tap1")
    guest.knows((0, "192.0.2.7"), (30, "192.0.2.8"))


def test_a_tap_that_comes_again_is_listened_to(guest: Guest) -> None:
    guest.send(arp("192.0.2.7"))
    guest.knows((0, "192.0.2.7"))
    guest.host.set_link("tap1", "down")
    guest.host.set_link("tap1", "up")
    guest.send(arp("192.0.2.8"))
    guest.knows((0, "192.0.2.7"), (0, "192.0.2.8"))
    guest.host.remove_link("tap1")
    guest.look()
    guest.knows((0, "192.0.2.7"), (0, "192.0.2.8"))  # a guest that starts again has not gone
    guest.appear()
    guest.host.remove_link("tap1")
    guest.appear()  # without a pass in between
    guest.send(arp("192.0.2.9"))
    guest.knows((0, "192.0.2.7"), (0, "192.0.2.8"), (0, "192.0.2.9"))


def test_a_restarted_agent_knows_what_it_knew(guest: Guest) -> None:
    guest.send(arp("192.0.2.7"))
    guest.knows((0, "192.0.2.7"))
    guest.look()
    guest.host.restart_agent()
    guest.knows((0, "192.0.2.7"))
    guest.look()
    guest.send(arp("192.0.2.8"))
    guest.knows((0, "192.0.2.7"), (0, "192.0.2.8"))
    guest.look(assign(nics=(nic(1),)))
    guest.knows()


def test_a_guest_that_only_talks_is_not_silent(guest: Guest) -> None:
    now, owner = [1000.0], Owner(LEARNING.iface_id, LEARNING.mac_address)
    table = LearnedTable(lambda: now[0])
    table.keep({owner})
    learner = learn.Learner(table, bool, lambda: now[0], look_s=0.02)

    def known() -> list[str]:
        return [address.address for address in table.read().get(owner, ())]

    def wait_for(*addresses: str) -> None:
        wait_until(lambda: known() == list(addresses), timeout_s=5, what=f"known: {addresses}")

    speech = {
        "192.0.2.7": udp4("192.0.2.7"),
        "192.0.2.8": udp4("192.0.2.8", tags=(30,)),
        "2001:db8::7": ethernet(ipv6(b"data", 17)),
    }
    try:
        with guest.host.inside():
            assert learner.listen(find_taps(ASSIGNMENT, guest.host.read_state())) == ()
        for frame in (*speech.values(), udp4("192.0.2.66")):
            guest.send(frame)  # alone it says nothing
        guest.send(arp("192.0.2.7"))
        guest.send(arp("192.0.2.8", tags=(30,)))
        guest.send(ethernet(ipv6(nd(NS))))
        guest.send(arp("192.0.2.9"))
        wait_for("192.0.2.7", "192.0.2.9", "2001:db8::7", "192.0.2.8")
        now[0] += SILENCE_S - 1

        def is_heard(*left: str) -> bool:
            for frame in (*speech.values(), udp4("192.0.2.66"), udp4("192.0.2.9", tags=(30,))):
                guest.send(frame)
            return [one.address for one in table.silent(owner)] == list(left)

        wait_until(lambda: is_heard("192.0.2.9"), timeout_s=5, what="all but one have given a sign of life")
        now[0] += 1
        wait_for("192.0.2.7", "2001:db8::7", "192.0.2.8")
    finally:
        learner.close()


def udp4(source: str, tags: tuple[int, ...] = ()) -> bytes:
    """Return a frame of UDP over IPv4."""
    head = struct.pack("!BBHIBBH", 0x45, 0, 32, 0, 64, 17, 0)
    packet = head + socket.inet_aton(source) + bytes((192, 0, 2, 1)) + struct.pack("!HHHH", 4000, 53, 12, 0)
    return ethernet(packet + b"data", ethertype=0x0800, tags=tags)


def test_the_loop_is_woken_once_a_second_at_most(guest: Guest) -> None:
    before, began = guest.host.wakes, time.monotonic()
    for number in range(1, 7):
        guest.send(arp(f"192.0.2.{number}"))
        guest.knows(*((0, f"192.0.2.{heard}") for heard in range(1, number + 1)))
    wait_until(lambda: guest.host.wakes > before, timeout_s=5, what="woken")
    wait_until(lambda: guest.host.wakes > before + 1, timeout_s=5, what="woken again, for the later ones")
    assert guest.host.wakes - before <= 2 + (time.monotonic() - began)


def test_a_guest_that_shouts_costs_little_and_hides_nobody(guest: Guest) -> None:
    other = replace(nic(2), mac_address=OTHER_MAC.hex(":"), learn_addresses=True)
    guest.host.add_link("tap2")
    guest.host.set_link("tap2", "up")
    both = assign(nics=(LEARNING, other))
    guest.look(both)
    stopping = threading.Event()

    def shout() -> None:
        with guest.host.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind(("x-tap1", 0))
            number = 0
            while not stopping.is_set():
                number += 1
                sender.send(arp(f"10.1.{number // 256 % 256}.{number % 256}"))

    shouting = threading.Thread(target=shout)
    shouting.start()
    try:
        wait_until(lambda: len(guest.learned()) == 8, timeout_s=5, what="eight, and no more")
        guest.send(arp("192.0.2.9", mac=OTHER_MAC), "x-tap2")
        wait_until(
            lambda: guest.host.read_state().learned.get(other.iface_id),
            timeout_s=5,
            what="the other is heard",
        )
        busy = seconds_of("learn")
        waited = threading.Event()
        assert not waited.wait(2)
        assert seconds_of("learn") - busy < 0.5, "of two seconds"
        assert len(guest.learned()) == 8
    finally:
        stopping.set()
        shouting.join()


def seconds_of(thread: str) -> float:
    """Return the processor time of this process' threads of a name."""
    ids = [one.native_id for one in threading.enumerate() if one.name == thread]
    assert len(ids) == 1
    fields = Path(f"/proc/self/task/{ids[0]}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_no_thread_and_no_socket_is_left(guest: Guest) -> None:
    def open_sockets() -> int:
        with guest.host.inside():
            return len(Path("/proc/thread-self/net/packet").read_text().splitlines()) - 1

    listening = open_sockets()
    guest.look(assign(nics=()))
    wait_until(lambda: open_sockets() == listening - 1, timeout_s=5, what="its socket is closed")
    guest.look()
    for _ in range(3):
        guest.host.restart_agent()
        guest.look()
    assert [one.name for one in threading.enumerate()].count("learn") == 1
    wait_until(lambda: open_sockets() == listening, timeout_s=5, what="one socket")
    assert learn.PORT_BUDGET < learn.BUDGET
