"""The life of a NIC: connected and not, guarded and not, moved, floating, without tap, without host, gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netctl.loop import wait_until
from netctl.v1 import infra_pb2, network_pb2, status_pb2
from tests.e2e.raw import arp_reply, ethernet, send_frame, tapped
from tests.e2e.site import Site, site
from tests.lossmeter.frames import Address, forge
from tests.lossmeter.meter import FOREIGN_MAC

Nic = network_pb2.Nic


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    with site("nics") as running:
        yield running


@pytest.fixture(scope="module")
def peer(here: Site) -> Nic:
    """A NIC that stays: whom the others ping."""
    made, first = here.add("peer", "overlay", "h2"), here.add("first", "overlay", "h1")
    here.wait_ping(first, made.ipv4_address)  # a userspace tunnel drops its first packet while ARP asks
    here.discard(first)
    return made


@pytest.fixture
def nic(here: Site, peer: Nic) -> Iterator[Nic]:
    """A NIC of the test's own, on the other host than the peer, PROGRAMMED."""
    made = here.add("guest", "overlay", "h1")
    yield made
    here.discard(made)


def test_a_disconnected_nic_is_silent_until_it_is_connected_again(here: Site, nic: Nic, peer: Nic) -> None:
    with here.measure((nic, peer)) as [meter]:
        off = here.update_nic(Nic(name=nic.name, connected=False), "connected")
        here.wait_status(nic.name, "", revision=off.revision)
        assert not here.ping_once(nic, peer.ipv4_address)
        assert not here.ping_once(peer, nic.ipv4_address)
        on = here.update_nic(Nic(name=nic.name, connected=True), "connected")
        here.wait_status(nic.name, "", revision=on.revision)
        assert here.ping_once(nic, peer.ipv4_address)
        meter.wait_for_arrivals(20)
    assert meter.report.lost > 100, f"the loss meter did not see it: {meter.report}"
    assert meter.report.leaked == 0, str(meter.report)


def test_the_loss_meter_sees_a_leak_when_port_security_is_off(here: Site, nic: Nic, peer: Nic) -> None:
    with here.measure((nic, peer)) as [meter]:
        meter.wait_for_more(50)
        assert meter.leaked_now() == 0
        set_port_security(here, nic, False)
        before = meter.leaked_now()
        meter.wait_for_more(50)
        assert meter.leaked_now() >= before + 40
        set_port_security(here, nic, True)
        settled = meter.leaked_now()
        meter.wait_for_more(50)
        assert meter.leaked_now() - settled <= 2, "what was on its way may arrive, no more"
    guarded, open_door = meter.report.directions[1], meter.report.directions[0]
    assert open_door.leaked > 0
    assert set(open_door.leaked_by_variant) == {"0", "1", "2"}, "foreign IP, foreign MAC, both"
    assert (guarded.leaked, meter.report.lost) == (0, 0), str(meter.report)


@pytest.mark.parametrize("kind", ["overlay", "vlan"])
def test_forged_sources_are_dropped_at_the_door(here: Site, kind: str) -> None:
    """Each forged frame arrives without port security and does not with it; a true one arrives right behind it."""
    victim, liar = here.add("victim", kind, "h2"), here.add("liar", kind, "h1")
    here.wait_ping(liar, victim.ipv4_address)
    own, target = (
        Address(liar.mac_address, liar.ipv4_address),
        Address(victim.mac_address, victim.ipv4_address),
    )
    foreign = Address(FOREIGN_MAC, liar.ipv4_address.rpartition(".")[0] + ".77")
    honest = arp_reply(own.mac, own, target)
    forged = {
        "foreign IP": forge(Address(own.mac, foreign.ip), target, b"1"),
        "foreign MAC": forge(Address(foreign.mac, own.ip), target, b"2"),
        "foreign both": forge(foreign, target, b"3"),
        "ARP for a foreign IP": arp_reply(own.mac, Address(own.mac, foreign.ip), target),
        "ARP with a foreign MAC inside": arp_reply(own.mac, Address(foreign.mac, own.ip), target),
        "ARP from a foreign MAC": arp_reply(foreign.mac, foreign, target),
        "the victim's own IP": arp_reply(own.mac, Address(own.mac, target.ip), target),
        "unknown ethertype, foreign MAC": ethernet(foreign.mac, target.mac, 0x88B5, bytes(46)),
    }
    for secured in (False, True):
        set_port_security(here, liar, secured)
        with tapped(here.namespace(victim)) as arrived:
            for frame in forged.values():
                send_frame(here.namespace(liar), frame)
            send_frame(here.namespace(liar), honest)
            arrived.wait_for(honest)  # one path, one order: what was sent before it is here or dropped
            seen = {name for name, frame in forged.items() if arrived.count(frame)}
        assert seen == (set() if secured else set(forged)), f"port security {secured}"
    here.discard(victim, liar)


def test_frames_for_unknown_macs_reach_those_who_asked_for_them(here: Site, peer: Nic, nic: Nic) -> None:
    bridge = here.add("bridge", "overlay", "h2")
    here.update_nic(
        Nic(name=bridge.name, port_security=False, allow_unknown_macs=True),
        "port_security",
        "allow_unknown_macs",
    )
    wait_revision(here, bridge.name)
    stray = forge(
        Address(nic.mac_address, nic.ipv4_address), Address("50:6b:8d:77:77:77", "10.20.0.200"), b"stray"
    )
    with tapped(here.namespace(bridge)) as wanted, tapped(here.namespace(peer)) as unwanted:
        send_frame(here.namespace(nic), stray)
        wanted.wait_for(stray)
        known = forge(
            Address(nic.mac_address, nic.ipv4_address), Address(peer.mac_address, peer.ipv4_address), b"known"
        )
        send_frame(here.namespace(nic), known)
        unwanted.wait_for(known)
        assert unwanted.count(stray) == 0
    here.discard(bridge)


def test_deleting_removes_port_and_plug_but_not_the_guests_tap(here: Site, peer: Nic) -> None:
    nic = here.add("gone", "overlay", "h1")
    assert nic.tap_name in here.vsctl("h1", "list-ports", "brAtlas").split()
    here.remove(nic.name)
    wait_until(
        lambda: nic.tap_name not in here.vsctl("h1", "list-ports", "brAtlas").split(),
        timeout_s=10,
        what="tap unplugged",
    )
    wait_until(
        lambda: nic.uid not in here.nbctl("list", "Logical_Switch_Port"), timeout_s=10, what="port gone"
    )
    assert not here.ping_once(nic, peer.ipv4_address)
    here.lab.remove_guest("gone")


def test_a_moved_nic_keeps_its_addresses_and_answers_on_the_other_host(here: Site, peer: Nic) -> None:
    nic = here.add("mover", "overlay", "h1")
    here.lab.remove_guest("mover")
    moved = here.update_nic(Nic(name=nic.name, host="hosts/h2"), "host")
    assert (moved.ipv4_address, moved.mac_address, moved.uid) == (nic.ipv4_address, nic.mac_address, nic.uid)
    here.plug(moved)
    here.wait_status(nic.name, "", revision=moved.revision)
    assert here.ping_once(moved, peer.ipv4_address)
    assert moved.tap_name in here.vsctl("h2", "list-ports", "brAtlas").split()
    assert nic.tap_name not in here.vsctl("h1", "list-ports", "brAtlas").split()
    here.discard(moved)


def test_a_floating_nic_waits_to_be_attached_and_can_be_detached(here: Site, peer: Nic) -> None:
    nic = here.create_nic(Nic(name="nics/float", subnet="subnets/overlay"))
    assert here.wait_status(nic.name, "NOT_ATTACHED").status.phase == status_pb2.PHASE_PENDING
    attached = here.update_nic(Nic(name=nic.name, host="hosts/h1"), "host")
    here.plug(attached)
    here.wait_status(nic.name, "", revision=attached.revision)
    assert here.ping_once(attached, peer.ipv4_address)
    detached = here.update_nic(Nic(name=nic.name), "host")
    here.wait_status(nic.name, "NOT_ATTACHED", revision=detached.revision)
    wait_until(lambda: not here.ping_once(attached, peer.ipv4_address), timeout_s=10, what="unreachable")
    here.discard(attached)


def test_a_missing_tap_is_said_and_heals_when_the_guest_starts(here: Site, peer: Nic) -> None:
    nic = here.create_nic(Nic(name="nics/late", subnet="subnets/overlay", host="hosts/h1"))
    failed = here.wait_status(nic.name, "TAP_MISSING")
    assert failed.status.phase == status_pb2.PHASE_FAILED
    assert nic.tap_name in failed.status.message
    here.plug(nic)
    here.wait_status(nic.name, "")
    assert here.ping_once(nic, peer.ipv4_address)
    here.lab.remove_guest("late")
    here.wait_status(nic.name, "TAP_MISSING")
    here.remove(nic.name)


def test_a_host_without_its_agent_is_down_and_its_guests_go_on(here: Site, nic: Nic, peer: Nic) -> None:
    agent = here.lab.process("h1", "agent")
    agent.kill()
    failed = here.wait_status(nic.name, "HOST_DOWN")
    assert failed.status.phase == status_pb2.PHASE_FAILED
    assert "h1" in failed.status.message
    assert here.ping_once(nic, peer.ipv4_address)
    agent.start()
    here.wait_status(nic.name, "")


def test_peers_learn_the_new_mac_of_a_tunnel_address(here: Site, nic: Nic, peer: Nic) -> None:
    """As after a card was replaced: the peer's tunnel would send to the old MAC for a quarter of an hour."""
    here.wait_ping(peer, nic.ipv4_address)

    def peer_knows(mac: str) -> bool:
        return mac in here.appctl("h2", "tnl/neigh/show")

    burnt_in = here.vsctl("h1", "get", "Interface", "br0", "mac_in_use").strip().strip('"')
    assert peer_knows(burnt_in)
    here.vsctl("h1", "set", "Bridge", "br0", 'other_config:hwaddr="02:00:00:00:00:51"')
    wait_until(lambda: peer_knows("02:00:00:00:00:51"), timeout_s=5, what="h2 knows the new MAC")
    assert here.ping_once(peer, nic.ipv4_address)
    here.vsctl("h1", "remove", "Bridge", "br0", "other_config", "hwaddr")
    # h2 may still have a flow for the announcement of this one; see PAUSES_S of announce.py
    wait_until(lambda: peer_knows(burnt_in), timeout_s=20, what="h2 knows the old MAC again")
    assert here.ping_once(peer, nic.ipv4_address)


def test_a_subnet_without_an_uplink_on_the_host_is_said(here: Site) -> None:
    here.apply(
        infra_pb2.VirtualSwitch(name="virtualSwitches/nowhere", cluster="clusters/lab"),
        network_pb2.Subnet(
            name="subnets/nowhere",
            kind=network_pb2.SUBNET_KIND_VLAN,
            virtual_switches=("virtualSwitches/nowhere",),
            vlan_id=10,
        ),
    )
    nic = here.create_nic(Nic(name="nics/nowhere", subnet="subnets/nowhere", host="hosts/h1"))
    failed = here.wait_status(nic.name, "NO_UPLINK")
    assert failed.status.phase == status_pb2.PHASE_FAILED
    assert "nowhere" in failed.status.message
    here.remove(nic.name, "subnets/nowhere", "virtualSwitches/nowhere")


def test_one_vlan_id_on_two_virtual_switches_is_two_networks(here: Site) -> None:
    """Same VLAN id, same addresses, other virtual switch: each guest reaches its own namesake's peer only."""
    here.apply(
        network_pb2.Subnet(
            name="subnets/vlan-vs1",
            kind=network_pb2.SUBNET_KIND_VLAN,
            virtual_switches=("virtualSwitches/vs1",),
            vlan_id=10,
            ipv4=network_pb2.IpConfig(cidr="10.10.0.0/24", gateway="10.10.0.1"),
        )
    )
    on_vs0 = [here.add(f"vs0-{host}", "vlan", host) for host in ("h1", "h2")]
    far = here.create_nic(
        Nic(name="nics/vs1-h2", subnet="subnets/vlan-vs1", host="hosts/h2", ipv4_address="10.10.0.99")
    )
    here.plug(far)
    near = here.add("vs1-h1", "vlan-vs1", "h1")
    here.wait_programmed(far.name)
    here.wait_ping(near, far.ipv4_address)
    here.wait_ping(on_vs0[0], on_vs0[1].ipv4_address)
    assert not here.ping_once(on_vs0[0], far.ipv4_address)
    here.discard(*on_vs0, near, far)
    here.remove("subnets/vlan-vs1")


def set_port_security(here: Site, nic: Nic, on: bool) -> None:
    """Change it and return when the flows of the change are there."""
    changed = here.update_nic(Nic(name=nic.name, port_security=on), "port_security")
    here.wait_status(nic.name, "", revision=changed.revision)


def wait_revision(here: Site, name: str) -> None:
    """Return when the NIC's current revision is PROGRAMMED."""
    here.wait_status(name, "", revision=here.get_nic(name).revision)
