"""Assignment: everything that one host must have, as sent to its agent."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.model.assignment_chains import Mirror, ServiceChains
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
    """An uplink bridge (`br0`) with its bond (`br0-up`); `address` "" leaves the internal port's addresses alone.

    `bond_mode` "" is no bond, `primary` what active-backup prefers, `lacp` as OVS spells it. `settings_id` names all
    other fields but `held`: it is not this host's turn, and the bridge keeps the settings that it has.
    """

    bridge: str
    physnet: str
    bond: str
    interfaces: tuple[str, ...]
    bond_mode: str
    mtu_bytes: int
    address: str
    primary: str = ""
    lacp: str = "off"
    lacp_fast: bool = True
    lacp_fallback: bool = True
    host_addresses: tuple[str, ...] = ()
    mcast_snooping: bool = False
    mcast_timeout_s: int = 300
    querier_vlan_ids: tuple[int, ...] = ()
    settings_id: str = ""
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalPort:
    """An internal port of an uplink bridge; `vlan_id` 0 is untagged."""

    name: str
    bridge: str
    vlan_id: int = 0
    addresses: tuple[str, ...] = ()
    mtu_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalBridge:
    """A Linux bridge without uplinks."""

    name: str
    addresses: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticRoute:
    """A route told by DHCP."""

    destination: str
    next_hop: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DhcpLease:
    """What the host's DHCP server tells one guest; `router` "" is none."""

    address: str
    prefix_length: int
    server_address: str
    server_mac_address: str
    router: str = ""
    lease_s: int
    dns_servers: tuple[str, ...] = ()
    domain_name: str = ""
    domain_search: tuple[str, ...] = ()
    ntp_servers: tuple[str, ...] = ()
    tftp_server: str = ""
    bootfile_name: str = ""
    static_routes: tuple[StaticRoute, ...] = ()
    mtu_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NicAssignment:
    """A NIC whose tap is on this host; `localnet` names its VLAN's localnet port, "" on an overlay subnet.

    `learn_addresses`: its guest may use addresses that the controller does not know. `guard_ipv6`: stop what no ACL can
    (router advertisements, forged neighbour solicitations). `trunk_vlan_ids`: the tags that the guest may use.

    `bridge` "" is brAtlas, with `iface_id`; else the tap is a port of that bridge without one: untagged in the guest is
    `vlan_id` (0 untagged), `trunks_all` lets it use any tag. `disconnected`: not plugged. `mirror_destination`: it only
    gets copies. `incoming`: a migration brings its guest; its MAC is announced on `announce_bridge` ("" nowhere) in
    each of `announce_vlan_ids` as soon as the guest goes on here, as coming from `announce_localnets` (one each, or
    none: from the tap).
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
    bridge: str = ""
    vlan_id: int = 0
    trunks_all: bool = False
    disconnected: bool = False
    dhcp: DhcpLease | None = None
    mirror_destination: bool = False
    incoming: bool = False
    announce_vlan_ids: tuple[int, ...] = ()
    announce_bridge: str = ""
    announce_localnets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The whole assignment of a host, compiled from the intents at `revision` by the controller of `epoch`."""

    host: HostId
    revision: int
    epoch: int
    chassis: Chassis
    uplink_bridges: tuple[UplinkBridge, ...]
    nics: tuple[NicAssignment, ...]
    internal_ports: tuple[InternalPort, ...] = ()
    internal_bridge: InternalBridge | None = None
    service_chains: ServiceChains = ServiceChains()
    mirrors: tuple[Mirror, ...] = ()
