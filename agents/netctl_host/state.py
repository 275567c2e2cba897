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
    peer: str = ""
    bfd_enabled: bool = False
    bfd_state: str = ""
    lacp_current: bool = False

    @property
    def is_ours(self) -> bool:
        return self.external_ids.get(OWNER_KEY) == OWNER


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One OVS Port; `interfaces` sorted; `active_mac` of the bond's active member.

    `tag` None, `vlan_mode` and `lacp_time` "" are unset; `lacp` "" is off.
    """

    name: str
    interfaces: tuple[str, ...]
    bond_mode: str = ""
    bond_primary: str = ""
    active_mac: str = ""
    tag: int | None = None
    trunks: tuple[int, ...] = ()
    vlan_mode: str = ""
    lacp: str = ""
    lacp_time: str = ""
    lacp_fallback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchMirror:
    """One OVS Mirror; ports by name, sorted."""

    name: str
    from_ports: tuple[str, ...] = ()
    to_ports: tuple[str, ...] = ()
    output_port: str = ""
    is_ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """One OVS Bridge with its ports, by name; `datapath_type` is "system" where the column is empty."""

    name: str
    datapath_type: str
    fail_mode: str = ""
    external_ids: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, Port] = field(default_factory=dict)
    mirrors: Mapping[str, SwitchMirror] = field(default_factory=dict)
    mcast_snooping: bool = False
    mcast_timeout_s: int = 0

    @property
    def is_ours(self) -> bool:
        return self.external_ids.get(OWNER_KEY) == OWNER


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVSwitchState:
    """What the local Open_vSwitch database holds; `is_applied`: ovs-vswitchd has done what it says."""

    external_ids: Mapping[str, str] = field(default_factory=dict)
    other_config: Mapping[str, str] = field(default_factory=dict)
    bridges: Mapping[str, Bridge] = field(default_factory=dict)
    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    is_applied: bool = True


class Xdp(enum.Enum):
    """What looks at a link's frames ahead of everything else: our guard of this version or of another, or others'."""

    NONE = enum.auto()
    GUARD = enum.auto()
    OLD_GUARD = enum.auto()
    FOREIGN = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route that somebody set: its destination (`0.0.0.0/0`), the gateway or "" on the link, its metric."""

    destination: str
    gateway: str = ""
    metric: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ethernet:
    """What a network card says of itself; `speed_mbps` 0 is unknown."""

    speed_mbps: int = 0
    full_duplex: bool = False
    driver: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One Linux interface; `addresses` sorted, with prefix length, without the kernel's own fe80:: ones.

    `index` tells it from an earlier one of the same name. `kind` as in `ip link add type`, "" for a network card;
    `master` has it as a port, `parent` is what a VLAN device is on. `routes`: those over it that somebody set, of
    links that have addresses. `ethernet` None: it could be no uplink.
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
    kind: str = ""
    master: str = ""
    parent: str = ""
    alias: str = ""
    routes: tuple[Route, ...] = ()
    ethernet: Ethernet | None = None


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
class PairReport:
    """A pair of a network function; `reason` says why it is not healthy, `undecided` that it may be soon."""

    ingress_tap: str
    healthy: bool
    reason: str = ""
    undecided: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionReport:
    """A network function here; `active_ingress_tap` "": none of its pairs works."""

    function_id: str
    active_ingress_tap: str = ""
    pairs: tuple[PairReport, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """Everything that this host has; `kernel_datapath`: the kernel can do OVS bridges of datapath type `system`.

    `ovn_controller_connected`: to the southbound database. `flowing_patches`: brAtlas' patch ports whose packets
    brAtlas has a flow for; `flows_problem`: why that cannot be known of some, or "". `guard_problem`: why the kernel
    does not take the guard, or "". `learned`: what guests use, by iface-id, sorted. `controller_way`: the address
    of this host that leads to the controller, or "". `neighbors`: what switches announce, by the link. `lacp`:
    `configured` or `negotiated`, by the port.
    `functions`: as they are served; `steering_problems`: why flows are not as they should be. `arrived`: guests
    that a migration brought, by iface-id, and after how many milliseconds their frames passed.
    """

    switch: OpenVSwitchState = OpenVSwitchState()
    links: Mapping[str, Link] = field(default_factory=dict)
    kernel_datapath: bool = False
    ovn_controller_connected: bool = False
    flowing_patches: frozenset[str] = frozenset()
    flows_problem: str = ""
    guard_problem: str = ""
    learned: Mapping[str, tuple[LearnedAddress, ...]] = field(default_factory=dict)
    controller_way: str = ""
    neighbors: Mapping[str, LldpNeighbor] = field(default_factory=dict)
    lacp: Mapping[str, str] = field(default_factory=dict)
    functions: tuple[FunctionReport, ...] = ()
    steering_problems: tuple[str, ...] = ()
    arrived: Mapping[str, int] = field(default_factory=dict)


def port_holders(state: HostState) -> Mapping[str, tuple[Bridge, Port]]:
    """Return bridge and port of every OVS interface that is in a bridge, by the interface's name."""
    return {interface: (bridge, port) for bridge, port, interface in _walk(state)}


def _walk(state: HostState) -> Iterator[tuple[Bridge, Port, str]]:
    for bridge in state.switch.bridges.values():
        for port in bridge.ports.values():
            for interface in port.interfaces:
                yield bridge, port, interface
