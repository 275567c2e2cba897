"""Taps of VLAN basic on a real br0: VLANs as said, DHCP from the host alone, moved with little loss, copied."""

from __future__ import annotations

import itertools
import shutil
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from netctl_host import ofctl, tap_socket
from netctl_host.assignment import Assignment, DhcpLease, NicAssignment
from netctl_host.assignment_chains import Mirror
from netctl_host.guest_flows import COOKIE
from netctl_host.learn_frames import Frame
from pyroute2 import IPRoute

from netctl.loop import wait_until
from tests.functional.host.chained import GUEST_MAC, WIRE_MAC, ChainedHost, udp
from tests.functional.host.namespace import NamespaceHost
from tests.unit.host.frames import REQUEST, dhcp
from tests.unit.host.samples import assign, nic, uplink

BASIC = replace(nic(1), bridge="br0", vlan_id=10)
LEASE = DhcpLease(
    address="192.0.2.7",
    prefix_length=24,
    server_address="192.0.2.2",
    server_mac_address="50:6b:8d:ff:00:02",
    router="192.0.2.1",
    lease_s=3600,
    dns_servers=("192.0.2.53",),
    domain_name="example.com",
    mtu_bytes=1442,
)
SERVED = replace(BASIC, dhcp=LEASE)


@pytest.fixture
def site(host: NamespaceHost) -> ChainedHost:
    """A host with a guest and a wire."""
    return ChainedHost(host)


def with_nics(*nics: NicAssignment, mirrors: tuple[Mirror, ...] = ()) -> Assignment:
    return replace(assign(uplink(0, "eth1"), nics=nics), mirrors=mirrors)


def tagged_out(tag: int) -> tuple[str, str, bytes, bytes]:
    """Return from, to, frame and mark of a tagged frame of the guest."""
    return "x-tap1", "x-eth1", *udp(GUEST_MAC, WIRE_MAC, 80, vlan=tag)


def seen_tag(site: ChainedHost, frame: bytes, mark: bytes) -> int | None:
    """Send as the guest until it is on the wire; return the tag that it has there."""
    with site.host.inside():
        wire = tap_socket.open_on("x-eth1", tap_socket.assemble())
    found: list[Frame] = []

    def is_there() -> bool:
        site.send("x-tap1", frame)
        try:
            while True:
                got = tap_socket.receive(wire)
                if mark in got.data:
                    found.append(got)
        except BlockingIOError:
            return bool(found)

    try:
        wait_until(is_there, timeout_s=5, what="it is on the wire")
    finally:
        wire.close()
    return found[0].tag


def test_an_access_port_has_its_vlan_and_no_other(site: ChainedHost) -> None:
    site.look(with_nics(BASIC))
    assert seen_tag(site, *udp(GUEST_MAC, WIRE_MAC, 80)) == 10
    site.arrives(site.back)
    frame, mark = udp(GUEST_MAC, WIRE_MAC, 80, vlan=20)
    with site.ear("x-eth1") as has:
        site.send("x-tap1", frame)
        site.arrives(site.out)
        assert not has(mark), "an access port's guest may not tag"
    site.look(with_nics(replace(BASIC, vlan_id=0)))
    wait_until(lambda: seen_tag(site, *udp(GUEST_MAC, WIRE_MAC, 80)) is None, timeout_s=5, what="untagged")


def test_a_trunk_port_has_its_native_vlan_and_its_tags(site: ChainedHost) -> None:
    site.look(with_nics(replace(BASIC, trunk_vlan_ids=(20, 30))))
    assert seen_tag(site, *udp(GUEST_MAC, WIRE_MAC, 80)) == 10
    assert seen_tag(site, *udp(GUEST_MAC, WIRE_MAC, 80, vlan=20)) == 20
    frame, mark = udp(GUEST_MAC, WIRE_MAC, 80, vlan=40)
    with site.ear("x-eth1") as has:
        site.send("x-tap1", frame)
        site.arrives(lambda: tagged_out(30))
        assert not has(mark), "a tag that it has not"
    site.look(with_nics(replace(BASIC, trunks_all=True)))
    site.arrives(lambda: tagged_out(40))


def run_client(site: ChainedHost, tmp_path: Path) -> dict[str, str]:
    """Run a real DHCP client in the guest; return what it was told."""
    told, script = tmp_path / "told", tmp_path / "script"
    told.unlink(missing_ok=True)
    script.write_text(f'#!/bin/sh\n[ "$1" = bound ] && env > {told}.new && mv {told}.new {told}\nexit 0\n')
    script.chmod(0o755)
    busybox = shutil.which("busybox")
    assert busybox is not None
    options = ("-i", "x-tap1", "-s", str(script), "-n", "-q", "-f", "-t", "5", "-T", "1", "-O", "mtu")
    client = site.host.popen(busybox, "udhcpc", *options)
    try:
        client.wait(timeout=15)
    finally:
        client.kill()
        client.wait()
    return dict(line.split("=", 1) for line in told.read_text().splitlines()) if told.exists() else {}


def set_guest_mac(site: ChainedHost) -> None:
    with site.host.inside(), IPRoute() as ip:
        ip.link("set", index=ip.link_lookup(ifname="x-tap1")[0], address=GUEST_MAC)


def test_a_real_client_gets_its_address_and_nobody_else_hears_it_ask(
    site: ChainedHost, tmp_path: Path
) -> None:
    set_guest_mac(site)
    site.look(with_nics(SERVED))
    wait_until(lambda: own_flows(site), timeout_s=5, what="flows for the guest")
    with site.host.inside():
        wire = tap_socket.open_on("x-eth1", dhcp_filter())
    try:
        told = run_client(site, tmp_path)
        assert (told["ip"], told["mask"], told["router"]) == ("192.0.2.7", "24", "192.0.2.1")
        assert (told["dns"], told["domain"], told["mtu"], told["lease"]) == (
            *("192.0.2.53", "example.com", "1442", "3600"),
        )
        site.arrives(site.out)
        with pytest.raises(BlockingIOError):
            wire.recv(2048)
        # The control: without a lease the request is anybody's.
        site.look(with_nics(BASIC))
        wait_until(lambda: not own_flows(site), timeout_s=5, what="no flow is left")

        def is_heard() -> bool:
            site.send("x-tap1", dhcp(REQUEST))
            try:
                return bool(wire.recv(2048))
            except BlockingIOError:
                return False

        wait_until(is_heard, timeout_s=5, what="it is heard")
    finally:
        wire.close()
    assert run_client(site, tmp_path) == {}


def dhcp_filter() -> bytes:
    return tap_socket.assemble(
        *((tap_socket.LOAD_HALF, 12, 0x0800), (tap_socket.LOAD_BYTE, 23, 17)),
        *((tap_socket.X_IS_HEADER, 14, 0), (tap_socket.LOAD_HALF_AT_X, 16, 67)),
    )


def own_flows(site: ChainedHost) -> tuple[str, ...]:
    return ofctl.read(site.host.directory / "br0.mgmt", COOKIE)


def test_what_another_server_says_does_not_reach_the_guest(site: ChainedHost) -> None:
    site.look(with_nics(SERVED))
    wait_until(lambda: own_flows(site), timeout_s=5, what="flows for the guest")
    frame, mark = udp(WIRE_MAC, GUEST_MAC, 68, vlan=10)
    foreign = frame[:38] + (67).to_bytes(2, "big") + frame[40:]  # source port
    with site.ear("x-tap1") as has:
        for _ in range(5):
            site.send("x-eth1", foreign)
        site.arrives(site.back)
        assert not has(mark)
        site.look(with_nics(BASIC))

        def is_heard() -> bool:
            site.send("x-eth1", foreign)
            return has(mark)

        wait_until(is_heard, timeout_s=5, what="the control: it arrives at one that is not served")


def test_our_flows_come_back_after_a_restart_and_an_edit_and_others_stay(site: ChainedHost) -> None:
    site.look(with_nics(SERVED))
    wait_until(lambda: own_flows(site), timeout_s=5, what="flows for the guest")
    flows = own_flows(site)
    program = site.host.popen("ovs-ofctl", "add-flow", "br0", "priority=7,udp,tp_dst=9,actions=drop")
    assert program.wait(timeout=10) == 0
    site.look(with_nics(replace(SERVED, dhcp=replace(LEASE, lease_s=60)), replace(SERVED, tap_name="tap9")))
    assert any("tp_dst=9" in flow for flow in ofctl.read(site.host.directory / "br0.mgmt"))
    site.host.stop_vswitchd()
    site.host.start_vswitchd()
    site.look(with_nics(SERVED))
    # ovs-vswitchd answers before it has its bridges, and their sockets, again.
    wait_until((site.host.directory / "br0.mgmt").exists, timeout_s=5, what="br0 is there again")
    wait_until(lambda: own_flows(site) == flows, timeout_s=5, what="the flows are there again")


def test_a_move_to_the_controller_and_back_loses_little(site: ChainedHost) -> None:
    """What OVN's flows do is written by hand."""
    site.look(with_nics(BASIC))
    site.arrives(site.out)
    wire_flows(site)
    lost: list[float] = []
    for assignment in (with_nics(nic(1)), with_nics(BASIC), with_nics(nic(1)), with_nics(BASIC)):
        lost.append(longest_gap(site, assignment))
        state = site.host.read_state()
        assert state.switch.interfaces["tap1"].external_ids.get("iface-id", "") == (
            "" if assignment.nics[0].bridge else nic(1).iface_id
        )
    assert max(lost) < 1.0, lost


def wire_flows(site: ChainedHost) -> None:
    """Have brAtlas send what comes from tap1 as VLAN 10 to br0, as ovn-controller does."""
    for here, there in (("brAtlas", "br0"), ("br0", "brAtlas")):
        port, peer = f"patch-{here}", f"patch-{there}"
        options = ("type=patch", f"options:peer={peer}")
        site.host.vsctl("add-port", here, port, "--", "set", "Interface", port, *options)
    ofport = wait_until(
        lambda: site.host.read_state().switch.interfaces["patch-brAtlas"].ofport, timeout_s=5, what="a number"
    )
    flow = f"priority=1,actions=push_vlan:0x8100,set_field:4106->vlan_vid,output:{ofport}"
    program = site.host.popen("ovs-ofctl", "-O", "OpenFlow15", "add-flow", "brAtlas", flow)
    assert program.wait(timeout=10) == 0


def longest_gap(site: ChainedHost, assignment: Assignment) -> float:
    """Change the assignment while the guest talks; return the longest time that nothing arrived."""
    stopping = threading.Event()

    def talk() -> None:
        while not stopping.wait(0.005):
            link, _, frame, _ = site.out()
            site.send(link, frame)

    talking = threading.Thread(target=talk)
    with site.host.inside():
        wire = tap_socket.open_on("x-eth1", tap_socket.assemble((tap_socket.LOAD_HALF, 36, 80)))
    arrived: list[float] = []
    listening = threading.Thread(target=listen, args=(wire, arrived, stopping))
    talking.start()
    listening.start()
    try:
        wait_until(lambda: len(arrived) > 20, timeout_s=5, what="it talks")
        site.look(assignment)
        before = len(arrived)
        wait_until(lambda: len(arrived) > before + 20, timeout_s=5, what="it talks on")
    finally:
        stopping.set()
        talking.join()
        listening.join()
        wire.close()
    return max(later - earlier for earlier, later in itertools.pairwise(arrived))


def listen(wire: socket.socket, arrived: list[float], stopping: threading.Event) -> None:
    while not stopping.wait(0.002):
        try:
            while True:
                tap_socket.receive(wire)
                arrived.append(time.monotonic())
        except BlockingIOError:
            pass


def test_a_disconnected_nic_is_cut_and_comes_back(site: ChainedHost) -> None:
    site.look(with_nics(BASIC))
    site.arrives(site.back)
    site.look(with_nics(replace(BASIC, disconnected=True)))
    assert "tap1" not in site.host.read_state().switch.interfaces
    frame, mark = udp(WIRE_MAC, GUEST_MAC, 80, vlan=10)
    with site.ear("x-tap1") as has:
        site.send("x-eth1", frame)
        site.look(with_nics(BASIC))
        site.arrives(site.back)
        assert not has(mark)


def test_copies_go_to_the_destination_which_says_nothing(site: ChainedHost) -> None:
    site.add("tap2")
    span = replace(nic(2), bridge="br0", mirror_destination=True)
    mirror = Mirror(
        mirror_id="m", bridge="br0", from_ports=("tap1",), to_ports=("tap1",), destination_taps=("tap2",)
    )
    site.look(with_nics(BASIC, span, mirrors=(mirror,)))
    site.arrives(lambda: ("x-tap1", "x-tap2", *site.out()[2:]))
    site.arrives(lambda: ("x-eth1", "x-tap2", *site.back()[2:]))
    frame, mark = udp(WIRE_MAC, GUEST_MAC, 80)
    with site.ear("x-tap1") as guest, site.ear("x-eth1") as wire:
        site.send("x-tap2", frame)
        site.arrives(site.back)
        site.arrives(site.out)
        assert not guest(mark)
        assert not wire(mark)
    site.look(with_nics(BASIC, span))
    with site.ear("x-tap2") as copied, site.ear("x-eth1") as wire:

        def is_flooded_to_others_alone() -> bool:
            frame, mark = udp(GUEST_MAC, "ff:ff:ff:ff:ff:ff", 80)
            site.send("x-tap1", frame)
            wait_until(lambda: wire(mark), timeout_s=5, what="it is flooded")
            return not copied(mark)

        wait_until(is_flooded_to_others_alone, timeout_s=5, what="no copies, and no floods")
        assert all(is_flooded_to_others_alone() for _ in range(10))
