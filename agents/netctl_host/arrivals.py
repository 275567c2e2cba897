"""Guests that a migration brings: where their arrival is told, as what, and how often. Pure.

In: assignment and state. Out: `Arrival`s, and the packets of a round. A switch that learned the guest's MAC address
elsewhere must learn it here, br0 included, so each VLAN gets a RARP as coming from where the guest's frames come from:
the patch port of the VLAN's localnet port, or the tap. (What the bridge's own port sends would be learned there.)

A balance-slb bond drops a broadcast of a MAC address that it knows behind another port, as its own come back, unless it
is a gratuitous ARP (bond.c: BV_DROP_IF_MOVED). So there is an ARP request too, by nobody for nobody: who has 0.0.0.0?
Neither routers nor guests learn from it. It comes from the controller's port: from the guest's, this br0 would learn
from no such request of a bond for 5 s, and a guest that goes back at once would not be found. For the same reason
one that our own bond gets back would be believed, and the last word is always a RARP.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from netctl_host import openflow
from netctl_host.assignment import Assignment, NicAssignment
from netctl_host.plan_function_bridge import FUNCTION_BRIDGE, patch_name
from netctl_host.plan_taps import home
from netctl_host.settings import Settings
from netctl_host.state import HostState, OpenVSwitchState

# Seconds after the first frame, and whether the ARP request is sent, too. QEMU's own are as many.
ROUNDS = (
    (0.0, True),
    (0.01, False),
    (0.05, True),
    (0.06, False),
    (0.15, False),
    (0.35, False),
    (0.75, False),
)
# While OVN binds a port to two hosts, its guest's frames go through the source's switch, too, and are learned there: so
# it is told once more when that ends, and until the last host has the flows.
SETTLED_ROUNDS = (*ROUNDS, (1.5, True), (1.51, False), (3.0, True), (3.01, False))
_BROADCAST = b"\xff" * 6
_ETHERTYPE_RARP, _ETHERTYPE_ARP, _ETHERTYPE_VLAN = 0x8035, 0x0806, 0x8100
_ETHERNET, _IPV4, _ARP_REQUEST, _RARP_REQUEST = 1, 0x0800, 1, 3
_NOBODY = bytes(4)
TapKey = tuple[str, int]  # iface-id, and the index of its tap: that of an earlier one is another
_MINIMUM_BYTES = 60  # of an Ethernet frame without its checksum


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A VLAN to tell it in, on `bridge`: `vlan_id` on the wire, `guest_vlan_id` at `in_port`; 0 is untagged.

    `in_port` 0: where the guest's frames come from is not there yet.
    """

    bridge: str
    vlan_id: int
    guest_vlan_id: int
    in_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A NIC whose guest is to come.

    `gate` is the tap's port in the integration bridge `gate_bridge`, closed by OVN until the guest is here; or 0.
    """

    iface_id: str
    tap: str
    index: int
    mac_address: str
    places: tuple[Place, ...] = ()
    gate_bridge: str = ""
    gate: int = 0

    @property
    def key(self) -> TapKey:
        """What tells it from others."""
        return self.iface_id, self.index


def find_arrivals(assignment: Assignment, state: HostState, settings: Settings) -> frozenset[Arrival]:
    """Return the NICs whose guests a migration brings."""
    return frozenset(
        _arrival(nic, state, settings)
        for nic in assignment.nics
        if nic.incoming and nic.tap_name in state.links and not nic.disconnected
    )


def find_staying(assignment: Assignment, state: HostState) -> frozenset[TapKey]:
    """Return the taps of all NICs: a guest that came stays while its tap does."""
    return frozenset(
        (nic.iface_id, state.links[nic.tap_name].index)
        for nic in assignment.nics
        if nic.tap_name in state.links
    )


def _arrival(nic: NicAssignment, state: HostState, settings: Settings) -> Arrival:
    interface = state.switch.interfaces.get(nic.tap_name)
    ofport = interface.ofport if interface is not None else 0
    is_gated = home(nic, settings) == settings.integration_bridge
    return Arrival(
        iface_id=nic.iface_id,
        tap=nic.tap_name,
        index=state.links[nic.tap_name].index,
        mac_address=nic.mac_address,
        places=tuple(_places(nic, state.switch, settings)) if nic.announce_bridge else (),
        gate_bridge=settings.integration_bridge if is_gated else "",
        gate=ofport if is_gated else 0,
    )


def _places(nic: NicAssignment, switch: OpenVSwitchState, settings: Settings) -> Iterator[Place]:
    bridge = nic.announce_bridge
    for at, vlan_id in enumerate(nic.announce_vlan_ids):
        if nic.bridge == bridge:
            port, guest_vlan_id = nic.tap_name, 0 if vlan_id == nic.vlan_id else vlan_id
        else:
            localnet = nic.announce_localnets[at] if at < len(nic.announce_localnets) else nic.localnet
            port, guest_vlan_id = f"patch-{localnet}-to-{settings.integration_bridge}", vlan_id
            if not _has_port(switch, bridge, port):  # behind network functions, in br.nf
                port = patch_name(bridge, FUNCTION_BRIDGE)
        ofport = switch.interfaces[port].ofport if _has_port(switch, bridge, port) else 0
        yield Place(bridge=bridge, vlan_id=vlan_id, guest_vlan_id=guest_vlan_id, in_port=ofport)


def _has_port(switch: OpenVSwitchState, bridge: str, port: str) -> bool:
    return bridge in switch.bridges and port in switch.bridges[bridge].ports and port in switch.interfaces


def render_round(arrival: Arrival, *, with_arp: bool, with_gate: bool) -> dict[str, bytes]:
    """Return the messages to each bridge, with a barrier (xid 1) at the end.

    `with_gate`: OVN is told, too, in case that QEMU's own RARP was lost.
    """
    messages: dict[str, bytes] = {}
    for place in arrival.places:
        told = render_rarp(arrival.mac_address, place.guest_vlan_id if place.in_port else place.vlan_id)
        sent = openflow.render_packet_out(1, place.in_port or openflow.CONTROLLER, openflow.NORMAL, told)
        if with_arp:
            asked = render_question(arrival.mac_address, place.vlan_id)
            # ahead of the RARP, which has the last word
            sent = openflow.render_packet_out(1, openflow.CONTROLLER, openflow.NORMAL, asked) + sent
        messages[place.bridge] = messages.get(place.bridge, b"") + sent
    if with_gate and arrival.gate:
        told = render_rarp(arrival.mac_address, 0)
        sent = openflow.render_packet_out(1, arrival.gate, openflow.TABLE, told)
        messages[arrival.gate_bridge] = messages.get(arrival.gate_bridge, b"") + sent
    return {bridge: sent + openflow.render_barrier(1) for bridge, sent in messages.items()}


def render_rarp(mac_address: str, vlan_id: int) -> bytes:
    """Return the RARP request (RFC 903) that QEMU sends of a guest that went on: who am I?"""
    mac = _packed(mac_address)
    return _render(mac, vlan_id, _ETHERTYPE_RARP, _RARP_REQUEST, (mac + _NOBODY) * 2)


def render_question(mac_address: str, vlan_id: int) -> bytes:
    """Return the ARP request: who has 0.0.0.0, tell nobody. Open vSwitch takes it for a gratuitous one."""
    mac = _packed(mac_address)
    return _render(mac, vlan_id, _ETHERTYPE_ARP, _ARP_REQUEST, mac + _NOBODY + bytes(6) + _NOBODY)


def _render(mac: bytes, vlan_id: int, ethertype: int, operation: int, addresses: bytes) -> bytes:
    tag = struct.pack("!HH", _ETHERTYPE_VLAN, vlan_id) if vlan_id else b""
    head = _BROADCAST + mac + tag + struct.pack("!H", ethertype)
    asked = struct.pack("!HHBBH", _ETHERNET, _IPV4, len(mac), len(_NOBODY), operation)
    return (head + asked + addresses).ljust(_MINIMUM_BYTES, b"\0")


def _packed(mac_address: str) -> bytes:
    return bytes.fromhex(mac_address.replace(":", ""))
