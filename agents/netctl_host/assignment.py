"""Everything that this host must have, as the agent uses it.

The same shape as the controller's `model/assignment.py` (the packages share only the wire, `agent.proto`).
`convert.py` makes these from protobuf, `saved_assignment.py` from disk. The controller is the source of truth.
"""

from __future__ import annotations

from dataclasses import dataclass

from netctl_host.assignment_chains import Mirror, ServiceChains


@dataclass(frozen=True, slots=True, kw_only=True)
class Chassis:
    """Settings of the host's Open_vSwitch record for ovn-controller."""

    system_id: str
    ovn_remote: str
    encap_type: str
    encap_ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkBridge:
    """An uplink bridge with its bond; `address` (with prefix length) "" leaves the internal port's addresses alone,
    `mtu_bytes` 0 the MTU."""

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

    `learn_addresses`: report what its guest uses, of the tagged traffic that of `trunk_vlan_ids`. `guard_ipv6`: its tap
    gets the guard. `incoming`: a migration brings its guest, and `arrivals.py` tells it. What has a default may
    be missing in a saved assignment that an older agent wrote.
    """

    nic_id: str
    iface_id: str
    tap_name: str
    mac_address: str
    mtu_bytes: int
    localnet: str = ""
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
    """The whole assignment, compiled from the intents at `revision` by the controller of `epoch`."""

    host_id: str
    revision: int
    epoch: int
    chassis: Chassis
    uplink_bridges: tuple[UplinkBridge, ...] = ()
    nics: tuple[NicAssignment, ...] = ()
    internal_ports: tuple[InternalPort, ...] = ()
    internal_bridge: InternalBridge | None = None
    service_chains: ServiceChains = ServiceChains()
    mirrors: tuple[Mirror, ...] = ()
