"""Assignment: everything that one host must have, as sent to its agent."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.model.keys import HostId, NicId


@dataclass(frozen=True, slots=True, kw_only=True)
class Chassis:
    """Settings of the host's Open_vSwitch record for ovn-controller; `ovn_remote` e.g. `tcp:192.0.2.1:6642`."""

    system_id: str
    ovn_remote: str
    encap_type: str
    encap_ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkBridge:
    """An uplink bridge (`br0`) with its bond (`br0-up`); `address` "" leaves the internal port's addresses alone."""

    bridge: str
    physnet: str
    bond: str
    interfaces: tuple[str, ...]
    bond_mode: str
    mtu_bytes: int
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NicAssignment:
    """A NIC whose tap is on this host; `localnet` names its VLAN's localnet port, "" on an overlay subnet.

    `learn_addresses`: its guest may use addresses that the controller does not know. `guard_ipv6`: stop what no ACL can
    (router advertisements, forged neighbour solicitations). `trunk_vlan_ids`: the tags that the guest may use.
    """

    nic: NicId
    iface_id: str
    tap_name: str
    mac_address: str
    mtu_bytes: int
    localnet: str
    learn_addresses: bool = False
    guard_ipv6: bool = False
    trunk_vlan_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The whole assignment of a host, compiled from the intents at `revision` by the controller of `epoch`."""

    host: HostId
    revision: int
    epoch: int
    chassis: Chassis
    uplink_bridges: tuple[UplinkBridge, ...]
    nics: tuple[NicAssignment, ...]
