"""VLAN basic: guests beside OVN, with addresses from their own host, next to guests of a controller VLAN."""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from netctl.lab import namespaces
from netctl.loop import wait_until
from netctl.v1 import chain_pb2, infra_pb2, network_pb2
from tests.e2e import vpcs
from tests.e2e.bonded import Nic, change_switch, get_switch
from tests.e2e.figures import note
from tests.e2e.raw import BROADCAST, ethernet, send_frame, tapped
from tests.e2e.site import PROGRAMMED, Site

BASIC, OTHER, PLAIN = "basic10", "basic30", "plain20"
ROUTER, OUTSIDE = "10.10.0.1", "203.0.113.80"
GROUP = "239.1.2.3"


@pytest.fixture(scope="module")
def trio(bonded: Site) -> Iterator[dict[str, Nic]]:
    """Two guests on h1 and one on h2, with addresses by DHCP."""
    found = {}
    for name, host in (("b1", "h1"), ("b2", "h1"), ("b3", "h2")):
        found[name] = bonded.add_leased(vpcs.nic(name, BASIC, host))
    yield found
    bonded.discard(*found.values())


@pytest.fixture
def made(bonded: Site, trio: dict[str, Nic]) -> Iterator[list[str]]:
    """Names of NICs and guests of one test, removed after it."""
    names: list[str] = []
    yield names
    guests = {guest.name for guest in bonded.lab.guests()}
    for name in reversed(names):
        if name.rpartition("/")[2] in guests:
            bonded.lab.remove_guest(name.rpartition("/")[2])
        bonded.remove(name)


def test_the_host_answers_dhcp_with_what_the_subnet_says(bonded: Site, trio: dict[str, Nic]) -> None:
    nic = trio["b1"]
    lease = bonded.lease(nic)
    assert lease.address == f"{nic.ipv4_address}/24"
    assert (lease.router, lease.lease_s) == (ROUTER, 3600)
    assert lease.dns_servers == ("10.10.0.3", "10.10.0.4")
    assert lease.options["domain"] == "basic.example"
    assert lease.options["ntpsrv"] == "10.10.0.5"
    assert "198.18.0.0/24 10.10.0.9" in lease.options["staticroutes"]
    assert lease.mtu_bytes == bonded.get_subnet(f"subnets/{BASIC}").mtu_bytes


def test_basic_guests_reach_each_other_and_beyond(
    bonded: Site, trio: dict[str, Nic], made: list[str]
) -> None:
    """The same host, the other host, the router, the outside, and a guest of a controller VLAN behind the router."""
    one, two, three = trio.values()
    plain = bonded.add_leased(vpcs.nic("plain", PLAIN, "h2"))
    made.append(plain.name)
    assert (one.basic, plain.basic) == (True, False)
    for address in (two.ipv4_address, three.ipv4_address, ROUTER, OUTSIDE, plain.ipv4_address):
        bonded.wait_ping(one, address, timeout_s=5)
    bonded.wait_ping(plain, three.ipv4_address, timeout_s=5)
    rows = bonded.nbctl("--bare", "--columns=name", "find", "Logical_Switch_Port", f"name={one.uid}")
    assert not rows, "a basic NIC is not OVN's"
    assert bonded.nbctl("--bare", "--columns=name", "find", "Logical_Switch_Port", f"name={plain.uid}")


def dhcp_frames(frames: list[bytes]) -> list[bytes]:
    """Return those from or to the ports of DHCP."""
    return [
        f
        for f in frames
        if f[12:14] == b"\x08\x00" and f[23] == 17 and f[36:38] in (b"\x00\x43", b"\x00\x44")
    ]


def test_a_request_by_dhcp_does_not_leave_the_host_and_foreign_answers_do_not_reach_the_guest(
    bonded: Site, trio: dict[str, Nic]
) -> None:
    one, two, three = trio.values()
    with tapped(bonded.namespace(two)) as beside, tapped(bonded.namespace(three)) as across:
        bonded.lease(one)
        witness = ethernet(one.mac_address, BROADCAST, 0x88B5, b"the broadcast after the requests")
        send_frame(bonded.namespace(one), witness)
        for heard in (beside, across):
            heard.wait_for(witness)
            assert not dhcp_frames(heard.frames)
    offer = forged_offer(three.mac_address, one.mac_address)
    with tapped(bonded.namespace(one)) as heard:
        witness = ethernet(three.mac_address, one.mac_address, 0x88B5, b"after the offer")
        send_frame(bonded.namespace(three), offer)
        send_frame(bonded.namespace(three), witness)
        heard.wait_for(witness)
        assert heard.count(offer) == 0


def forged_offer(source: str, target: str) -> bytes:
    """Return a DHCP answer of a server that is none."""
    udp = struct.pack("!HHHH", 67, 68, 8 + 240, 0) + b"\x02\x01\x06\x00" + bytes(236)
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x0a\x0a\x00\x63", b"\xff" * 4
    )
    return ethernet(source, target, 0x0800, head + udp)


def test_a_trunk_guest_is_in_its_vlans_and_in_no_other(
    bonded: Site, trio: dict[str, Nic], made: list[str]
) -> None:
    far = bonded.add_leased(vpcs.nic("far30", OTHER, "h2"))
    made.append(far.name)
    nic = Nic(
        name="nics/trunk",
        subnet=f"subnets/{BASIC}",
        host="hosts/h1",
        mode=network_pb2.NIC_MODE_TRUNK,
        trunk_vlans=[network_pb2.TrunkVlan(vlan_id=30)],
    )
    trunk = bonded.add_leased(nic)
    made.append(trunk.name)
    bonded.lab.add_guest_vlans("trunk", (30, 20))
    bonded.lab.exec(
        "trunk", ["ip", "addr", "add", f"{trunk.trunk_vlans[0].ipv4_address}/24", "dev", "eth0.30"]
    )
    bonded.lab.exec("trunk", ["ip", "addr", "add", "10.20.0.77/24", "dev", "eth0.20"])
    bonded.wait_ping(trunk, trio["b3"].ipv4_address, timeout_s=5)
    bonded.wait_ping(trunk, far.ipv4_address, timeout_s=5)
    assert not vpcs.ping(bonded, "trunk", "10.20.0.1", "-I", "10.20.0.77"), "a tag that the NIC does not have"
    assert bonded.ping_once(trunk, far.ipv4_address)


def test_a_disconnected_nic_is_silent_and_comes_back(bonded: Site, trio: dict[str, Nic]) -> None:
    one, two, three = trio.values()
    off = bonded.update_nic(Nic(name=two.name, connected=False), "connected")
    wait_until(lambda: not bonded.ping_once(one, two.ipv4_address), timeout_s=5, what=f"{off.name} is silent")
    assert bonded.ping_once(one, three.ipv4_address)
    bonded.update_nic(Nic(name=two.name, connected=True), "connected")
    bonded.wait_ping(one, two.ipv4_address, timeout_s=5)
    bonded.wait_status(two.name, "")


def test_a_direct_nic_is_on_the_bridge_itself(bonded: Site, trio: dict[str, Nic], made: list[str]) -> None:
    """On a VLAN of the controller: without OVN, without DHCP, with the VLAN of its subnet."""
    nic = bonded.create_nic(
        Nic(name="nics/direct", subnet=f"subnets/{PLAIN}", host="hosts/h1", kind=network_pb2.NIC_KIND_DIRECT)
    )
    made.append(nic.name)
    bonded.plug(nic, address=False)
    bonded.lab.set_address("direct", f"{nic.ipv4_address or '10.20.0.99'}/24")
    bonded.wait_status(nic.name, "")
    bonded.wait_ping(nic, "10.20.0.1", timeout_s=5)
    assert bonded.vsctl("h1", "port-to-br", nic.tap_name).strip() == "br0"
    assert bonded.vsctl("h1", "get", "Port", nic.tap_name, "tag").strip() == "20"


def test_a_mirror_copies_both_ways_and_its_destination_cannot_speak(
    bonded: Site, trio: dict[str, Nic], made: list[str]
) -> None:
    one, two, three = trio.values()
    span = bonded.create_nic(
        Nic(name="nics/span", host="hosts/h1", kind=network_pb2.NIC_KIND_SPAN_DESTINATION)
    )
    made.append(span.name)
    bonded.plug(span, address=False)
    mirror = chain_pb2.TrafficMirror(
        name="trafficMirrors/m1",
        host="hosts/h1",
        sources=[chain_pb2.MirrorSource(nic=one.name)],
        destinations=[span.name],
    )
    bonded.apply(mirror)
    made.append(mirror.name)
    bonded.wait_status(span.name, "")
    there, back = (
        ethernet(a.mac_address, b.mac_address, 0x88B5, b"mirrored") for a, b in ((one, three), (three, one))
    )
    aside = ethernet(two.mac_address, three.mac_address, 0x88B5, b"not mirrored")
    with tapped(bonded.namespace(span)) as copies, tapped(bonded.namespace(three)) as arrived:
        wait_until(lambda: copied(bonded, one, there, copies.frames), timeout_s=5, what="the mirror is there")
        send_frame(bonded.namespace(two), aside)
        send_frame(bonded.namespace(three), back)
        arrived.wait_for(aside)
        copies.wait_for(back)
        assert copies.count(aside) == 0
        spoken = ethernet(span.mac_address, three.mac_address, 0x88B5, b"out of the mirror")
        last = ethernet(one.mac_address, three.mac_address, 0x88B5, b"last")
        send_frame(bonded.namespace(span), spoken)
        send_frame(bonded.namespace(one), last)
        arrived.wait_for(last)
        assert arrived.count(spoken) == 0


def copied(here: Site, nic: Nic, frame: bytes, seen: list[bytes]) -> bool:
    """Send once more, and look."""
    send_frame(here.namespace(nic), frame)
    return any(one.startswith(frame) for one in tuple(seen))


def test_multicast_goes_to_members_alone_and_the_querier_keeps_them(
    bonded: Site, trio: dict[str, Nic], made: list[str]
) -> None:
    """Two guests on h2, one of them a member: it alone gets the group's packets, asked again by the host."""
    one, _two, member = trio.values()
    idle = bonded.add_leased(vpcs.nic("idle", BASIC, "h2"))
    made.append(idle.name)
    snooping = infra_pb2.IgmpSnooping(enabled=True, timeout_s=60, querier=True, querier_vlan_ids=[10])
    quick = infra_pb2.VirtualSwitch(igmp_snooping=snooping, rollout=infra_pb2.ROLLOUT_QUICK)
    change_switch(bonded, quick, "igmp_snooping", "rollout")
    wait_until(lambda: get_switch(bonded).status.phase == PROGRAMMED, timeout_s=15, what="snooping")
    with tapped(bonded.namespace(idle)) as silent, joined(bonded, member) as group:
        began = time.monotonic()
        wait_until(lambda: membership_age(bonded) >= 0, timeout_s=5, what="h2 knows the member")
        packet = multicast(one, b"to the group")
        send_frame(bonded.namespace(one), packet)
        assert group.recv(2000) == b"to the group"
        witness = ethernet(one.mac_address, BROADCAST, 0x88B5, b"to all")
        send_frame(bonded.namespace(one), witness)
        silent.wait_for(witness)
        assert silent.count(packet) == 0
        # Its own report is older by now: who renewed it was asked.
        wait_until(
            lambda: 0 <= membership_age(bonded) < time.monotonic() - began - 2,
            timeout_s=40,
            what="the querier asked",
        )
        note("IGMP / asked again after", f"{time.monotonic() - began:.1f} s")
    change_switch(bonded, infra_pb2.VirtualSwitch(rollout=infra_pb2.ROLLOUT_QUICK), "igmp_snooping")


def joined(here: Site, nic: Nic) -> socket.socket:
    """Open a socket of a guest that is a member of the group."""

    def join() -> socket.socket:
        member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        member.bind((GROUP, 5000))
        request = socket.inet_aton(GROUP) + socket.inet_aton(nic.ipv4_address)
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        member.settimeout(5)
        return member

    return namespaces.run_in(here.namespace(nic), join)


def membership_age(here: Site) -> int:
    """Return how many seconds ago h2 heard of a member of the group, -1 when it knows none."""
    found = re.search(
        rf"^\s*\S+\s+10\s+{re.escape(GROUP)}\s+(\d+)", here.appctl("h2", "mdb/show", "br0"), re.M
    )
    return int(found[1]) if found else -1


def multicast(source: Nic, payload: bytes) -> bytes:
    """Return a datagram to the group."""
    udp = struct.pack("!HHHH", 5000, 5000, 8 + len(payload), 0) + payload
    addresses = socket.inet_aton(source.ipv4_address) + socket.inet_aton(GROUP)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0x4000, 1, 17, 0) + addresses
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", 0xFFFF - ((total & 0xFFFF) + (total >> 16))) + head[12:]
    return ethernet(source.mac_address, "01:00:5e:01:02:03", 0x0800, head + udp)
