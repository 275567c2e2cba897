"""Small worlds of intents for tests: complete, as admission would store them, with readable uids."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace

from netctl.model.infra import Cluster, Host, Meta, Uplink, VirtualSwitch
from netctl.model.intent import Intent
from netctl.model.keys import (
    ClusterId,
    HostId,
    Key,
    NicId,
    SubnetId,
    Uid,
    VirtualSwitchId,
    VpcId,
)
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import DhcpOptions, IpConfig, Ipv6Mode, Subnet, SubnetKind
from netctl.model.vpc import Vpc

OWNER = "test-owner"


def uid_of(name: str) -> Uid:
    """Return a uid that a test can predict."""
    return Uid(str(uuid.uuid5(uuid.NAMESPACE_DNS, name)))


def meta(name: str, revision: int = 1, *, updated: bool = False) -> Meta:
    """Return the Meta of a stored intent."""
    return Meta(uid=uid_of(name), revision=revision, create_time_s=1.0, update_time_s=2.0 if updated else 1.0)


def cluster(name: str = "c1") -> Cluster:
    """Return a stored cluster."""
    return Cluster(id=ClusterId(name), meta=meta(name))


def switch(name: str = "vs0", bridge: str = "br0") -> VirtualSwitch:
    """Return a stored virtual switch of c1."""
    return VirtualSwitch(id=VirtualSwitchId(name), meta=meta(name), cluster=ClusterId("c1"), bridge=bridge)


def host(name: str = "h1", *, number: int = 1, uplink: str = "vs0") -> Host:
    """Return a stored host of c1; `uplink` "" is a host without any."""
    uplinks = (Uplink(virtual_switch=VirtualSwitchId(uplink), interfaces=("eth1", "eth2")),) if uplink else ()
    return Host(
        id=HostId(name),
        meta=meta(name),
        cluster=ClusterId("c1"),
        tunnel_address=f"192.0.2.{number}/24",
        tunnel_virtual_switch=VirtualSwitchId(uplink),
        uplinks=uplinks,
    )


def vlan(name: str = "v10", vlan_id: int = 10, *, dhcp: bool = True, revision: int = 1) -> Subnet:
    """Return a stored VLAN subnet of vs0; its network is 10.0.10.0/24 for VLAN 10."""
    network = f"10.{vlan_id >> 8}.{vlan_id & 255}"
    return Subnet(
        id=SubnetId(name),
        meta=meta(name, revision),
        kind=SubnetKind.VLAN,
        virtual_switches=(VirtualSwitchId("vs0"),),
        vlan_id=vlan_id,
        clusters=(ClusterId("c1"),),
        vni=1000 + vlan_id,
        mtu_bytes=1500,
        ipv4=IpConfig(version=4, cidr=f"{network}.0/24", gateway=f"{network}.1"),
        dhcp=DhcpOptions(
            disabled=not dhcp, server_address=f"{network}.254", server_mac_address="50:6b:8d:ff:ff:01"
        ),
    )


def overlay(name: str = "o1", *, vni: int = 5000) -> Subnet:
    """Return a stored overlay subnet of c1 without address management."""
    return Subnet(
        id=SubnetId(name),
        meta=meta(name),
        kind=SubnetKind.OVERLAY,
        clusters=(ClusterId("c1"),),
        vni=vni,
        mtu_bytes=1442,
    )


def nic(
    name: str = "n1", subnet: str = "v10", *, number: int = 5, host: str = "h1", revision: int = 1
) -> Nic:
    """Return a stored NIC."""
    return Nic(
        id=NicId(name),
        meta=meta(name, revision, updated=revision > 1),
        subnet=SubnetId(subnet),
        host=HostId(host),
        mac_address=f"50:6b:8d:00:00:{number:02x}",
        ipv4_address=f"10.0.10.{number}" if subnet.startswith("v") else "",
        tap_name=f"tap{uid_of(name).replace('-', '')[:11]}",
    )


def vpc(name: str = "p1") -> Vpc:
    """Return a stored VPC without connections; those with them are made by tests/vpcs.py."""
    return Vpc(id=VpcId(name), meta=meta(name), vni=9000 + int(uid_of(name)[:2], 16))


def routed(name: str = "s1", vpc: str = "p1", *, number: int = 1, ipv6: bool = False) -> Subnet:
    """Return a stored subnet of a VPC: 10.1.{number}.0/24, and fd00:{number}::/64 with SLAAC."""
    network, six = f"10.1.{number}", f"fd00:{number:x}:"
    return Subnet(
        id=SubnetId(name),
        meta=meta(name),
        kind=SubnetKind.OVERLAY,
        clusters=(ClusterId("c1"),),
        vni=6000 + number,
        vpc=VpcId(vpc),
        mtu_bytes=1442,
        ipv4=IpConfig(version=4, cidr=f"{network}.0/24", gateway=f"{network}.1"),
        ipv6=IpConfig(version=6, cidr=f"{six}:/64", gateway=f"{six}:1") if ipv6 else None,
        ipv6_mode=Ipv6Mode.SLAAC if ipv6 else Ipv6Mode.AUTO,
        dhcp=DhcpOptions(server_address=f"{network}.254", server_mac_address=f"50:6b:8d:03:00:{number:02x}"),
        gateway_mac_address=f"50:6b:8d:04:00:{number:02x}",
    )


def routed_nic(name: str, subnet: str = "s1", *, number: int = 5, network: int = 1, host: str = "h1") -> Nic:
    """Return a stored NIC of a subnet made by `routed`: 10.1.{network}.{number}."""
    return replace(
        nic(name, subnet, number=number, host=host),
        mac_address=f"50:6b:8d:05:{network:02x}:{number:02x}",
        ipv4_address=f"10.1.{network}.{number}",
    )


def infra() -> tuple[Intent, ...]:
    """Return c1, vs0, h1 and h2."""
    return cluster(), switch(), host("h1", number=1), host("h2", number=2)


def snapshot(intents: Iterable[Intent], revision: int = 1) -> Snapshot:
    """Return a snapshot that holds exactly these."""
    draft = Snapshot.empty().draft()
    for intent in intents:
        draft.put(intent)
    return draft.freeze(revision)


class FakeSource:
    """An IntentSource whose snapshots the test sets."""

    def __init__(self) -> None:
        self._current = Snapshot.empty()
        self._log: list[tuple[int, frozenset[Key]]] = []
        self.forgetful = False

    def set(self, snapshot: Snapshot) -> None:
        """Make `snapshot`'s content current, as one new revision."""
        before, revision = self._current, self._current.revision + 1
        keys = frozenset(before.keys()) | frozenset(snapshot.keys())
        self._log.append((revision, frozenset(k for k in keys if before.get(k) != snapshot.get(k))))
        self._current = snapshot.draft().freeze(revision)

    def snapshot(self) -> Snapshot:
        """Return the current one."""
        return self._current

    def changed_since(self, revision: int) -> frozenset[Key] | None:
        """Return the keys changed after `revision`; None when told to forget."""
        if self.forgetful:
            return None
        return frozenset(key for at, keys in self._log if at > revision for key in keys)
