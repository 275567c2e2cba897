"""Nic to Logical_Switch_Port."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from functools import lru_cache

from netctl.compiler.identity import dhcpv4_reference, external_ids, port_uuid, switch_uuid
from netctl.compiler.subnet import serves_dhcp
from netctl.model.intent import key_of
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.nb.rows import Fact, Member, Row

_EMPTY: frozenset[str] = frozenset()
_UP, _DOWN = frozenset({True}), frozenset({False})
_HOSTS = 4096


def compile_nic(snapshot: Snapshot, nic: Nic, owner: str) -> Iterator[Fact]:
    """Yield the rows of one NIC."""
    subnet = snapshot.subnet(nic.subnet)
    if subnet is None:  # admission refuses this; a store edited by hand must not stop the others
        return
    port = port_uuid(nic.meta.uid)
    own = " ".join(part for part in (nic.mac_address, nic.ipv4_address, nic.ipv6_address) if part)
    held = frozenset({own})
    own_only = frozenset({f"{own} {local}"}) if (local := _link_local(nic)) else held
    leased = bool(nic.ipv4_address) and serves_dhcp(subnet)
    yield Row(
        "Logical_Switch_Port",
        port,
        {
            "name": nic.meta.uid,
            "type": "",
            "addresses": frozenset({own, "unknown"}) if nic.allow_unknown_macs else held,
            "port_security": own_only if nic.port_security else _EMPTY,
            "enabled": _UP if nic.connected else _DOWN,
            "dhcpv4_options": dhcpv4_reference(subnet.meta.uid) if leased else _EMPTY,
            # Binding guard: without it any chassis with this iface-id may claim the port.
            "options": _requested_chassis(nic.host) if nic.host else {},
            "external_ids": external_ids(owner, key_of(nic)),
        },
    )
    yield Member("Logical_Switch", switch_uuid(subnet.meta.uid), "ports", port)


def _link_local(nic: Nic) -> str:
    """Return the link-local address that a guest with IPv6 makes of its MAC (RFC 4291, appendix A), else "".

    OVN knows it too, but ovn-controller 23.03 lets its neighbour advertisements pass only with hop limit 225, and they
    have 255: guests would not find each other by link-local address. Named outright, it passes.
    """
    if not nic.ipv6_address:
        return ""
    raw = bytes.fromhex(nic.mac_address.replace(":", ""))
    low = bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:]
    local = str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + low))
    return "" if local == nic.ipv6_address else local


@lru_cache(maxsize=_HOSTS)
def _requested_chassis(host: str) -> Mapping[str, str]:
    """Return the options of a NIC; those of one host share the value, for a dictionary each is 232 bytes a NIC."""
    return {"requested-chassis": host}
