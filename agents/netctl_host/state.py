"""HostState: everything that this host has, as plain values.

`openvswitch.py` reads the bridges, `links.py` the links; `plan.py` and `report.py` use them. The host is the source
of truth; nothing here is remembered from one pass to the next.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

OWNER_KEY = "netctl:owner"
OWNER = "netctl-host-agent"
"""In external_ids: this agent made the row, and may remove it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One OVS Interface; `ofport` 0 where ovs-vswitchd has given none (or could not)."""

    name: str
    type: str = ""
    ofport: int = 0
    error: str = ""
    external_ids: Mapping[str, str] = field(default_factory=dict)
    mtu_request: int = 0
    remote_ip: str = ""
    bfd_enabled: bool = False
    bfd_state: str = ""

    @property
    def is_ours(self) -> bool:
        return self.external_ids.get(OWNER_KEY) == OWNER


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One OVS Port; `interfaces` sorted; `active_mac` of the bond's active member."""

    name: str
    interfaces: tuple[str, ...]
    bond_mode: str = ""
    bond_primary: str = ""
    active_mac: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """One OVS Bridge with its ports, by name; `datapath_type` is "system" where the column is empty."""

    name: str
    datapath_type: str
    fail_mode: str = ""
    external_ids: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, Port] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        return self.external_ids.get(OWNER_KEY) == OWNER


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVSwitchState:
    """What the local Open_vSwitch database holds."""

    external_ids: Mapping[str, str] = field(default_factory=dict)
    other_config: Mapping[str, str] = field(default_factory=dict)
    bridges: Mapping[str, Bridge] = field(default_factory=dict)
    interfaces: Mapping[str, Interface] = field(default_factory=dict)


class Xdp(enum.Enum):
    """What looks at a link's frames ahead of everything else: our guard of this version or of another, or others'."""

    NONE = enum.auto()
    GUARD = enum.auto()
    OLD_GUARD = enum.auto()
    FOREIGN = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One Linux interface; `addresses` sorted, with prefix length, without the kernel's own fe80:: ones.

    `index` tells it from an earlier one of the same name.
    """

    name: str
    index: int = 0
    mac_address: str = ""
    up: bool = False
    carrier: bool = False
    mtu_bytes: int = 1500
    addresses: tuple[str, ...] = ()
    tx_checksum_offload: bool = False
    xdp: Xdp = Xdp.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class LldpNeighbor:
    """A switch at the other end of a cable, as it announces itself; `port_vlan_id` 0 is unknown."""

    chassis_id: str
    port_id: str
    port_description: str = ""
    system_name: str = ""
    system_description: str = ""
    port_vlan_id: int = 0
    management_address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LearnedAddress:
    """An address that a guest uses; `vlan_id` 0 is untagged."""

    vlan_id: int
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """Everything that this host has; `kernel_datapath`: the kernel can do OVS bridges of datapath type `system`.

    `ovn_controller_connected`: to the southbound database. `flowing_patches`: brAtlas' patch ports whose packets
    brAtlas has a flow for; `flows_problem`: why that cannot be known of some, or "". `guard_problem`: why the kernel
    does not take the guard, or "". `learned`: what guests use, by iface-id, sorted.
    """

    switch: OpenVSwitchState = OpenVSwitchState()
    links: Mapping[str, Link] = field(default_factory=dict)
    kernel_datapath: bool = False
    ovn_controller_connected: bool = False
    flowing_patches: frozenset[str] = frozenset()
    flows_problem: str = ""
    guard_problem: str = ""
    learned: Mapping[str, tuple[LearnedAddress, ...]] = field(default_factory=dict)


def port_holders(state: HostState) -> Mapping[str, tuple[Bridge, Port]]:
    """Return bridge and port of every OVS interface that is in a bridge, by the interface's name."""
    return {interface: (bridge, port) for bridge, port, interface in _walk(state)}


def _walk(state: HostState) -> Iterator[tuple[Bridge, Port, str]]:
    for bridge in state.switch.bridges.values():
        for port in bridge.ports.values():
            for interface in port.interfaces:
                yield bridge, port, interface
