"""Nic to Logical_Switch_Port, and a trunk's VLANs to one each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from netctl.compiler import identity
from netctl.compiler.dhcp import serves_dhcp, serves_dhcpv6
from netctl.compiler.identity import external_ids, switch_uuid
from netctl.compiler.membership import given_to
from netctl.compiler.migrating import second_host
from netctl.compiler.observed import Observed
from netctl.compiler.term import compile_memberships
from netctl.model.intent import key_of
from netctl.model.keys import Kind
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet
from netctl.nb.rows import Fact, Member, Row, Value

_EMPTY: frozenset[str] = frozenset()
_UP, _DOWN = frozenset({True}), frozenset({False})
_HOSTS = 4096


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one port of a NIC is, and the addresses that it has there."""

    subnet: Subnet
    ipv4_address: str
    ipv6_address: str


def compile_nic(snapshot: Snapshot, nic: Nic, owner: str, observed: Observed) -> Iterator[Fact]:
    """Yield the rows of one NIC; one beside OVN has none."""
    subnet = snapshot.subnet(nic.subnet) if nic.has_port else None
    if subnet is None:  # admission refuses this; a store edited by hand must not stop the others
        return
    marks = external_ids(owner, key_of(nic))
    port = identity.port_uuid(nic.meta.uid)
    columns = _columns(nic, _Place(subnet, nic.ipv4_address, nic.ipv6_address), observed)
    columns["name"] = nic.meta.uid
    other = second_host(snapshot, nic)
    if other:
        columns["options"] = {**_on_both(nic.host, other), "activation-strategy": "rarp"}
    if observed.learned:
        _learn(columns, nic.meta.uid, observed)
    columns["external_ids"] = marks
    yield Row("Logical_Switch_Port", port, columns)
    yield Member("Logical_Switch", switch_uuid(subnet.meta.uid), "ports", port)
    if nic.trunk_vlans:
        yield from _children(snapshot, nic, marks, observed)
    if snapshot.count(Kind.SECURITY_POLICY):
        yield from compile_memberships(snapshot, nic)


def _children(snapshot: Snapshot, nic: Nic, marks: dict[str, str], observed: Observed) -> Iterator[Fact]:
    other = second_host(snapshot, nic)
    for vlan in nic.trunk_vlans:
        subnet = snapshot.subnet(vlan.subnet)
        if subnet is None:
            continue
        port = identity.child_uuid(nic.meta.uid, vlan.vlan_id)
        columns = _columns(nic, _Place(subnet, vlan.ipv4_address, vlan.ipv6_address), observed)
        columns["name"] = name = identity.child_name(nic.meta.uid, vlan.vlan_id)
        if observed.learned:
            _learn(columns, name, observed)
        columns["external_ids"] = marks
        columns["parent_name"] = frozenset({str(nic.meta.uid)})
        if other:
            columns["options"] = _on_both(nic.host, other)
        columns["tag_request"] = frozenset({vlan.vlan_id})  # northd copies it to `tag`, which is not ours
        yield Row("Logical_Switch_Port", port, columns)
        yield Member("Logical_Switch", switch_uuid(subnet.meta.uid), "ports", port)


def _columns(nic: Nic, place: _Place, observed: Observed) -> dict[str, Value]:
    """Return what ports of NICs have in common; a child follows its parent in everything but its place."""
    subnet = place.subnet
    # The link-local address is named in both columns. In `addresses`, for a peer is known by what stands there. In port
    # security, for though OVN makes it of the MAC itself, ovn-controller 23.03 lets its neighbour advertisements
    # pass only with hop limit 225, and they have 255: guests would not find each other.
    own = " ".join((nic.mac_address, *given_to(nic, place.ipv4_address, place.ipv6_address)))
    held = frozenset({own})
    leased = bool(place.ipv4_address) and serves_dhcp(subnet)
    leased_ipv6 = bool(place.ipv6_address) and serves_dhcpv6(subnet, observed)
    return {
        "type": "",
        "addresses": frozenset({own, "unknown"}) if nic.allow_unknown_macs else held,
        "port_security": _port_security(nic, held) if nic.port_security else _EMPTY,
        "enabled": _UP if nic.connected else _DOWN,
        "dhcpv4_options": identity.dhcpv4_reference(subnet.meta.uid) if leased else _EMPTY,
        "dhcpv6_options": identity.dhcpv6_reference(subnet.meta.uid) if leased_ipv6 else _EMPTY,
        # Binding guard: without it any chassis with this iface-id may claim the port. A child's chassis must be
        # its parent's, or a trunk that moves leaves its VLANs behind.
        "options": _requested_chassis(nic.host) if nic.host else {},
    }


def _learn(columns: dict[str, Value], name: str, observed: Observed) -> None:
    """Add to a port's addresses, and so to those of its groups, what its guest uses; never to its port security."""
    learned = observed.learned.get(name)
    given = columns["addresses"]
    if learned and isinstance(given, frozenset):
        columns["addresses"] = frozenset(
            text if text == "unknown" else " ".join((str(text), *sorted(learned))) for text in given
        )


def _port_security(nic: Nic, held: frozenset[str]) -> frozenset[str]:
    if (
        nic.trunks_all
    ):  # OVN looks below the tags that it lets pass: addresses of other VLANs would be forged ones
        return frozenset({nic.mac_address})
    return held


@lru_cache(maxsize=_HOSTS)
def _requested_chassis(host: str) -> Mapping[str, str]:
    """Return the options of a NIC; those of one host share the value, for a dictionary each is 232 bytes a NIC."""
    return {"requested-chassis": host}


def _on_both(host: str, other: str) -> dict[str, str]:
    """Return the options of a NIC whose guest migrates: the first is the main chassis.

    Without `activation-strategy` on a trunk's VLANs: for the parent ovn-controller blocks all of the tap, their frames
    as well, until the guest's RARP, which comes by the parent.
    """
    return {"requested-chassis": f"{host},{other}"}
