"""The guard on taps of a real host: what a guest sends reaches OVS' userspace datapath, or does not."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from netctl_host import bpf
from netctl_host.agent import Agent, Controller, Memory
from netctl_host.guard_program import NAME, NAME_PREFIX, PROGRAM
from netctl_host.reported import HostReport
from netctl_host.saved_assignment import SavedAssignment
from netctl_host.saved_uplinks import SavedUplinks
from netctl_host.state import Xdp
from netctl_host.uplinks import Clock, Probing, Uplinks
from pyroute2 import IPRoute

from netctl.loop import wait_until
from tests.functional.host.namespace import NamespaceHost
from tests.functional.host.test_contract import SETTINGS, converge
from tests.unit.host.frames import (
    MAC,
    NA,
    NS,
    OTHER_MAC,
    RA,
    REDIRECT,
    RS,
    SOURCE,
    TARGET,
    ethernet,
    ipv6,
    nd,
    option,
    with_checksum,
)
from tests.unit.host.samples import assign, nic, uplink

# linux/if_link.h, linux/if_ether.h
SKB_MODE = 2
ETH_P_ALL = 3
# linux/if_packet.h
SOL_PACKET, PACKET_AUXDATA = 263, 8
AUXDATA = struct.Struct("=I12xHH")
VLAN_VALID = 1 << 4
# linux/if_tun.h
TUNSETIFF, IFF_TAP_NO_PI = 0x400454CA, 0x1002
# r0 = XDP_PASS; exit
PASS_ALL = bytes.fromhex("b700000002000000" + "9500000000000000")
MINE = replace(nic(1), guard_ipv6=True)
GUARDED = assign(uplink(0, "eth1"), nics=(MINE, nic(2)))
BARE = assign(uplink(0, "eth1"), nics=(nic(1), nic(2)))

STOPPED = {
    "RA": ethernet(ipv6(nd(RA))),
    "RA, tagged": ethernet(ipv6(nd(RA)), tags=(30,)),
    "redirect": ethernet(with_checksum(ipv6(nd(REDIRECT)))),
    "NS of another MAC": ethernet(with_checksum(ipv6(nd(NS, option(SOURCE, OTHER_MAC))))),
    "NA of another MAC": ethernet(with_checksum(ipv6(nd(NA, option(TARGET, OTHER_MAC))))),
    "RS of another MAC": ethernet(with_checksum(ipv6(nd(RS, option(SOURCE, OTHER_MAC))))),
}
LET_GO = {
    "NS": ethernet(with_checksum(ipv6(nd(NS, option(SOURCE, MAC))))),
    "NA": ethernet(with_checksum(ipv6(nd(NA, option(TARGET, MAC))))),
    "echo": ethernet(ipv6(b"\x80\0\0\0\0\1\0\1")),
    "UDP": ethernet(ipv6(b"\0\x35\0\x35\0\x0c\0\0data", 17), tags=(30,)),
    "a large frame": ethernet(ipv6(b"\0" * 1400, 17)),
}


class Tap:
    """The guest's end of tap1, a veth or what QEMU has open; brAtlas sends to tap2 all that comes in there."""

    def __init__(self, host: NamespaceHost, qemu: int | None = None) -> None:
        self._qemu = qemu
        interfaces = host.read_state().switch.interfaces
        flow = f"in_port={interfaces['tap1'].ofport},actions=output:{interfaces['tap2'].ofport}"
        assert host.popen("ovs-ofctl", "-O", "OpenFlow15", "add-flow", "brAtlas", flow).wait(timeout=10) == 0
        self._number = 0
        with host.inside():
            self._here = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            if qemu is None:
                self._here.bind(("x-tap1", 0))
            self._there = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self._there.bind(("x-tap2", ETH_P_ALL))
        self._there.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        wait_until(self._begins, timeout_s=5, what="frames arrive at all")
        self._there.settimeout(5)

    def _begins(self) -> bool:
        # A link that has just come up throws away what it is given to send, for a moment.
        self.send(ethernet(b"\0" * 50, ethertype=0x88B5))
        return bool(select.select([self._there], [], [], 0.1)[0])

    def send(self, frame: bytes) -> None:
        """Send as the guest."""
        if self._qemu is None:
            self._here.send(frame)
        else:
            os.write(self._qemu, frame)

    def arrived(self) -> list[bytes]:
        """Return what has arrived since the last look; a frame that always does is sent behind it and waited for."""
        self._number += 1
        control = ethernet(self._number.to_bytes(50, "big"), ethertype=0x88B5)
        self.send(control)
        found = []
        while (frame := self._receive()) != control:
            found.append(frame)
        return found

    def _receive(self) -> bytes:
        """Return the next frame, with its tag back in its place: the kernel takes it out."""
        frame, beside, _, _ = self._there.recvmsg(2048, socket.CMSG_SPACE(AUXDATA.size))
        ((_, _, data),) = beside
        status, tag, kind = AUXDATA.unpack(data)
        return frame[:12] + struct.pack("!HH", kind, tag) + frame[12:] if status & VLAN_VALID else frame

    def lets_through(self, frame: bytes) -> bool:
        """Say whether a frame arrives."""
        self.arrived()
        self.send(frame)
        return frame in self.arrived()

    def close(self) -> None:
        self._here.close()
        self._there.close()


@pytest.fixture
def tap(host: NamespaceHost) -> Iterator[Tap]:
    for link in ("eth1", "tap1", "tap2"):
        host.add_link(link)
    plug(host)
    made = Tap(host)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def qemu_tap(host: NamespaceHost) -> Iterator[Tap]:
    for link in ("eth1", "tap2"):
        host.add_link(link)
    with host.inside():
        qemu = os.open("/dev/net/tun", os.O_RDWR)
    try:
        with host.inside():
            fcntl.ioctl(qemu, TUNSETIFF, struct.pack("16sH14x", b"tap1", IFF_TAP_NO_PI))
        plug(host)
        made = Tap(host, qemu)
        try:
            yield made
        finally:
            made.close()
    finally:
        os.close(qemu)


def plug(host: NamespaceHost) -> None:
    converge(host, GUARDED)

    def is_plugged() -> bool:
        interfaces = host.read_state().switch.interfaces
        return all(name in interfaces and interfaces[name].ofport > 0 for name in ("tap1", "tap2"))

    wait_until(is_plugged, timeout_s=5, what="both are in brAtlas")


@contextmanager
def netlink(host: NamespaceHost) -> Iterator[IPRoute]:
    with host.inside(), IPRoute() as ip:
        yield ip


def attach(host: NamespaceHost, program: bytes | None, name: str = "") -> None:
    """Do as an operator does: put a program on tap1, or nothing."""
    descriptor = bpf.load_xdp(program, name) if program else -1
    with netlink(host) as ip:
        attributes = [("IFLA_XDP_FD", descriptor), ("IFLA_XDP_FLAGS", SKB_MODE)]
        ip.link("set", index=ip.link_lookup(ifname="tap1")[0], IFLA_XDP={"attrs": attributes})
    if program:
        os.close(descriptor)


def xdp(host: NamespaceHost) -> Xdp:
    return host.read_state().links["tap1"].xdp


def programs(host: NamespaceHost) -> tuple[int, ...]:
    with netlink(host) as ip:
        (link,) = ip.get_links(ifname="tap1")
        found = link.get_attr("IFLA_XDP").get_attr("IFLA_XDP_PROG_ID")
    return (found,) if found else ()


def test_what_a_guest_may_not_send_does_not_reach_ovs(host: NamespaceHost, tap: Tap) -> None:
    assert xdp(host) is Xdp.GUARD
    assert not [name for name, frame in STOPPED.items() if tap.lets_through(frame)]
    assert [name for name, frame in LET_GO.items() if tap.lets_through(frame)] == list(LET_GO)
    converge(host, BARE)
    assert xdp(host) is Xdp.NONE
    assert [name for name, frame in STOPPED.items() if tap.lets_through(frame)] == list(STOPPED)
    converge(host, GUARDED)
    assert not [name for name, frame in STOPPED.items() if tap.lets_through(frame)]


def test_it_is_the_same_on_a_tap_of_qemu(host: NamespaceHost, qemu_tap: Tap) -> None:
    assert xdp(host) is Xdp.GUARD
    assert not [name for name, frame in STOPPED.items() if qemu_tap.lets_through(frame)]
    assert [name for name, frame in LET_GO.items() if qemu_tap.lets_through(frame)] == list(LET_GO)
    attach(host, None)
    assert [name for name, frame in STOPPED.items() if qemu_tap.lets_through(frame)] == list(STOPPED)


def test_a_guard_that_stands_is_left_alone_and_outlives_its_agent(host: NamespaceHost, tap: Tap) -> None:
    before = programs(host)
    assert len(before) == 1
    converge(host, GUARDED)
    host.restart_agent()
    assert not tap.lets_through(STOPPED["RA"])
    assert xdp(host) is Xdp.GUARD
    converge(host, GUARDED)
    assert programs(host) == before


def test_a_tap_is_guarded_before_it_is_plugged(host: NamespaceHost) -> None:
    for link in ("eth1", "tap1"):
        host.add_link(link)
    converge(host, assign(uplink(0, "eth1")))
    wait_until(lambda: "br0" in host.read_state().links, timeout_s=5, what="br0 is made")
    converge(host, assign(uplink(0, "eth1")))
    seen: list[tuple[int, ...]] = []

    def look() -> None:
        if "tap1" in host.vsctl("list-ports", "brAtlas").split():
            seen.append(programs(host))

    host.at_wake = look
    converge(host, assign(uplink(0, "eth1"), nics=(MINE,)))
    wait_until(lambda: seen, timeout_s=5, what="the database tells of tap1")
    host.at_wake = bool
    assert () not in seen


def test_one_that_somebody_took_away_comes_back(host: NamespaceHost, tap: Tap) -> None:
    attach(host, None)
    assert xdp(host) is Xdp.NONE
    assert tap.lets_through(STOPPED["RA"])
    converge(host, GUARDED)
    assert not tap.lets_through(STOPPED["RA"])


def test_another_version_is_replaced_and_nothing_slips_through_meanwhile(
    host: NamespaceHost, tap: Tap
) -> None:
    for _ in range(20):
        attach(host, PROGRAM, NAME_PREFIX + "00000000")
        assert xdp(host) is Xdp.OLD_GUARD
        with always_sending(tap, STOPPED["RA"]):
            converge(host, GUARDED)
        assert xdp(host) is Xdp.GUARD
        assert STOPPED["RA"] not in tap.arrived()


def test_a_foreign_program_is_not_touched_and_reported(host: NamespaceHost, tap: Tap, tmp_path: Path) -> None:
    reports = run_agent(host, tmp_path)
    assert (reports[-1].nics[0].guarded, reports[-1].problems) == (True, ())
    attach(host, PASS_ALL, "mine")
    before = programs(host)
    (report,) = run_agent(host, tmp_path)
    assert programs(host) == before
    assert (report.nics[0].plugged, report.nics[0].guarded) == (True, False)
    assert report.assignment_revision == GUARDED.revision
    assert "tap1 of nics/n1 has an XDP program that is not ours" in report.problems[0]
    converge(host, BARE)
    assert programs(host) == before


def test_a_guard_on_no_tap_of_ours_is_taken_away(host: NamespaceHost, tap: Tap) -> None:
    converge(host, assign(uplink(0, "eth1")))
    assert xdp(host) is Xdp.NONE


@contextmanager
def always_sending(tap: Tap, frame: bytes) -> Iterator[None]:
    """Send a frame again and again for the block."""
    stopping = threading.Event()

    def send() -> None:
        while not stopping.is_set():
            tap.send(frame)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def run_agent(host: NamespaceHost, directory: Path) -> list[HostReport]:
    """Make one pass of an agent; return what it reports."""
    reports: list[HostReport] = []
    controller = Controller(latest=lambda: GUARDED, offer=reports.append)
    probing = Probing(probe=lambda _: None, echoed=lambda: 0, heard=lambda: False)
    uplinks = Uplinks(SavedUplinks(directory / "state"), probing, lambda _: None, Clock())
    memory = Memory(assignment=SavedAssignment(directory / "state"), uplinks=uplinks)
    Agent("h1", host, controller, memory, SETTINGS).step()
    return reports


def test_the_kernel_says_why_it_refuses_a_program() -> None:
    read_behind_the_end = bytes.fromhex("6110000000000000" + "7100000000000000" + "9500000000000000")
    with pytest.raises(OSError, match="outside of the packet") as refused:
        bpf.load_xdp(read_behind_the_end, NAME)
    assert refused.value.errno == errno.EACCES
