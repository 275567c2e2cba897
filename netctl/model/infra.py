"""Cluster, VirtualSwitch and Host: the machines and their uplinks."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.category_ids import check_categories
from netctl.model.host_shape import Parts, check_count
from netctl.model.keys import CategoryId, ClusterId, HostId, Uid, VirtualSwitchId, check_id

DEFAULT_MAC_PREFIX = "50:6b:8d"  # Nutanix's OUI, the product's default
DEFAULT_MTU_BYTES = 1500
QUERIER_VLANS_MAX = 64  # each is asked in by every host, in one breath
DEFAULT_MCAST_TIMEOUT_S = 300  # ovs-vswitchd.conf.db(5), mcast-snooping-aging-time
VLAN_MAX = 4094  # IEEE 802.1Q: 4095 is reserved, 0 is "no VLAN"
DEFAULT_INTERNAL_BRIDGE = "virbr0"
MCAST_TIMEOUT_MAX_S = 3600
# RFC 791: every host takes 576; RFC 8200: IPv6 needs 1280. 9216 is what switches call jumbo at most.
MTU_MIN_BYTES, MTU_MAX_BYTES = 576, 9216
# Of one host: br0 to br99, and more interfaces and guests of its own than any has.
HOSTS_OF_CLUSTER_MAX = 32  # the product's maximum
UPLINKS_MAX, INTERFACES_MAX, INTERNAL_PORTS_MAX, PORTS_MAX = 100, 32, 256, 1024
_BRIDGE = re.compile(r"br([0-9]|[1-9][0-9])\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What every intent carries; `uid`, `revision` and times (seconds since the epoch) are set at admission."""

    uid: Uid = Uid("")
    display_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
    create_time_s: float = 0.0
    update_time_s: float = 0.0

    def __post_init__(self) -> None:
        if self.display_name:
            shape.check_text("display_name", self.display_name, shape.DISPLAY_NAME_MAX)
        if self.labels:
            shape.check_labels("labels", self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A set of hosts that share virtual switches and one tunnel underlay."""

    id: ClusterId
    meta: Meta = Meta()
    mac_prefix: str = DEFAULT_MAC_PREFIX
    underlay_mtu_bytes: int = DEFAULT_MTU_BYTES

    def __post_init__(self) -> None:
        check_id("name", self.id)
        object.__setattr__(self, "mac_prefix", shape.canonical_mac_prefix("mac_prefix", self.mac_prefix))
        shape.check_range(
            "underlay_mtu_bytes", self.underlay_mtu_bytes, low=MTU_MIN_BYTES, high=MTU_MAX_BYTES, unit="bytes"
        )


class BondMode(enum.StrEnum):
    """Load balancing of an uplink bond, spelled as OVS spells `Port.bond_mode`; NONE is no bond at all."""

    ACTIVE_BACKUP = "active-backup"
    BALANCE_SLB = "balance-slb"
    BALANCE_TCP = "balance-tcp"
    NONE = ""


class LacpMode(enum.StrEnum):
    """Is LACP spoken? As OVS spells `Port.lacp`; AUTO in a request is ACTIVE with BALANCE_TCP, else OFF."""

    AUTO = ""
    OFF = "off"
    ACTIVE = "active"


class LacpTimeout(enum.StrEnum):
    """How often LACP partners speak, as OVS spells `other_config:lacp-time`."""

    FAST = "fast"
    SLOW = "slow"


class Rollout(enum.StrEnum):
    """How a change comes to the hosts: one after the other, or all at once."""

    ROLLING = "rolling"
    QUICK = "quick"


@dataclass(frozen=True, slots=True, kw_only=True)
class IgmpSnooping:
    """Multicast only where it is asked for; `querier_vlan_ids` (0 untagged): where hosts ask who wants it."""

    enabled: bool = False
    timeout_s: int = DEFAULT_MCAST_TIMEOUT_S
    querier: bool = False
    querier_vlan_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        where = "igmp_snooping"
        shape.check_range(
            f"{where}.timeout_s", self.timeout_s, low=1, high=MCAST_TIMEOUT_MAX_S, unit="seconds"
        )
        if self.querier and not self.enabled:
            raise InvalidIntent(f"{where}.querier", "needs enabled: nobody would listen to the answers")
        if self.querier and not self.querier_vlan_ids:
            raise InvalidIntent(
                f"{where}.querier_vlan_ids", "is empty; name the VLANs to ask in, 0 is untagged"
            )
        if self.querier_vlan_ids and not self.querier:
            raise InvalidIntent(f"{where}.querier_vlan_ids", "goes with querier only")
        if len(self.querier_vlan_ids) > QUERIER_VLANS_MAX:
            raise InvalidIntent(
                f"{where}.querier_vlan_ids",
                f"has {len(self.querier_vlan_ids)} VLANs; at most {QUERIER_VLANS_MAX} are allowed",
            )
        for i, vlan in enumerate(self.querier_vlan_ids):
            shape.check_range(f"{where}.querier_vlan_ids[{i}]", vlan, low=0, high=VLAN_MAX)
            if vlan in self.querier_vlan_ids[:i]:
                raise InvalidIntent(f"{where}.querier_vlan_ids[{i}]", f"{vlan} is listed twice; list it once")


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualSwitch:
    """A switch over the hosts of a cluster: an uplink bridge (`br0` ...) and a bond (`br0-up`) on each.

    `bridge` is "" in a request that leaves the choice to admission.
    """

    id: VirtualSwitchId
    meta: Meta = Meta()
    cluster: ClusterId
    bridge: str = ""
    mtu_bytes: int = DEFAULT_MTU_BYTES
    bond_mode: BondMode = BondMode.ACTIVE_BACKUP
    lacp_mode: LacpMode = LacpMode.AUTO
    lacp_timeout: LacpTimeout = LacpTimeout.FAST
    lacp_fallback: bool = True
    igmp_snooping: IgmpSnooping = IgmpSnooping()
    rollout: Rollout = Rollout.ROLLING

    def __post_init__(self) -> None:
        check_id("name", self.id)
        check_id("cluster", self.cluster)
        if self.bridge and not _BRIDGE.match(self.bridge):
            raise InvalidIntent("bridge", f"{self.bridge[:40]!r} is not an uplink bridge: use br0 to br99")
        shape.check_range("mtu_bytes", self.mtu_bytes, low=MTU_MIN_BYTES, high=MTU_MAX_BYTES, unit="bytes")
        self._check_lacp()

    def _check_lacp(self) -> None:
        tcp = self.bond_mode is BondMode.BALANCE_TCP
        if tcp and self.lacp_mode is LacpMode.OFF:
            raise InvalidIntent(
                "lacp_mode",
                "OFF does not go with bond_mode BALANCE_TCP: a guest is then seen on several links, which physical"
                " switches take for a loop unless LACP says that they are one; leave lacp_mode unset",
            )
        if not tcp and self.lacp_mode is LacpMode.ACTIVE:
            why = (
                "there is no bond"
                if self.bond_mode is BondMode.NONE
                else f"physical switches then send on all links, and {self.bond_mode.name} does not expect that"
            )
            raise InvalidIntent(
                "lacp_mode",
                f"ACTIVE does not go with bond_mode {self.bond_mode.name}: {why}; leave lacp_mode unset, or use"
                " bond_mode BALANCE_TCP",
            )

    @property
    def physnet(self) -> str:
        """OVN's name of the physical network (`network_name` of localnet ports, `ovn-bridge-mappings`)."""
        return f"physnet-{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """The interfaces of one host that connect one virtual switch; `active_interface` "" is the first.

    `addresses` (with prefix length) are the host's own on the bridge's internal port.
    """

    virtual_switch: VirtualSwitchId
    interfaces: tuple[str, ...]
    active_interface: str = ""
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalPort:
    """An interface of the host on a virtual switch; `vlan_id` 0 is untagged, `mtu_bytes` 0 the virtual switch's."""

    name: str
    virtual_switch: VirtualSwitchId
    vlan_id: int = 0
    addresses: tuple[str, ...] = ()
    mtu_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalBridge:
    """A Linux bridge without uplinks, for the host's own virtual machines."""

    name: str = DEFAULT_INTERNAL_BRIDGE
    addresses: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One machine. `tunnel_address` has a prefix length; `tunnel_virtual_switch` "" is the first uplink's."""

    id: HostId
    meta: Meta = Meta()
    cluster: ClusterId
    tunnel_address: str
    tunnel_virtual_switch: VirtualSwitchId = VirtualSwitchId("")
    uplinks: tuple[Uplink, ...] = ()
    internal_ports: tuple[InternalPort, ...] = ()
    internal_bridge: InternalBridge | None = None
    categories: tuple[CategoryId, ...] = ()
    maintenance: bool = False

    def __post_init__(self) -> None:
        check_id("name", self.id)
        check_id("cluster", self.cluster)
        check_categories(self.categories)
        address = shape.canonical_interface_address("tunnel_address", self.tunnel_address)
        object.__setattr__(self, "tunnel_address", address)
        check_count("uplinks", self.uplinks, UPLINKS_MAX)
        check_count("internal_ports", self.internal_ports, INTERNAL_PORTS_MAX)
        parts = Parts()
        self._check_uplinks(parts)
        self._check_internal_ports(parts)
        self._check_internal_bridge(parts)
        if self.tunnel_virtual_switch and self.tunnel_virtual_switch not in self.switches:
            raise InvalidIntent(
                "tunnel_virtual_switch",
                f"{self.tunnel_virtual_switch[:80]} is not among the uplinks of this host",
            )

    @property
    def switches(self) -> tuple[VirtualSwitchId, ...]:
        """The virtual switches that it has an uplink of."""
        return tuple(uplink.virtual_switch for uplink in self.uplinks)

    def _check_uplinks(self, parts: Parts) -> None:
        checked = []
        for i, uplink in enumerate(self.uplinks):
            where = f"uplinks[{i}]"
            check_id(f"{where}.virtual_switch", uplink.virtual_switch)
            if uplink.virtual_switch in self.switches[:i]:
                raise InvalidIntent(
                    f"{where}.virtual_switch",
                    f"{uplink.virtual_switch} is listed twice; list its interfaces once",
                )
            if not uplink.interfaces:
                raise InvalidIntent(f"{where}.interfaces", "is empty; name at least one interface")
            check_count(f"{where}.interfaces", uplink.interfaces, INTERFACES_MAX)
            for name in uplink.interfaces:
                parts.take_uplink(f"{where}.interfaces", name)
            if uplink.active_interface and uplink.active_interface not in uplink.interfaces:
                raise InvalidIntent(
                    f"{where}.active_interface",
                    f"{uplink.active_interface[:40]} is not among the interfaces: {', '.join(uplink.interfaces)[:80]}",
                )
            addresses = parts.take_addresses(f"{where}.addresses", uplink.addresses)
            checked.append(replace(uplink, addresses=addresses))
        object.__setattr__(self, "uplinks", tuple(checked))

    def _check_internal_ports(self, parts: Parts) -> None:
        checked = []
        for i, port in enumerate(self.internal_ports):
            where = f"internal_ports[{i}]"
            parts.take_name(f"{where}.name", port.name)
            check_id(f"{where}.virtual_switch", port.virtual_switch)
            if port.virtual_switch not in self.switches:
                raise InvalidIntent(
                    f"{where}.virtual_switch", f"{port.virtual_switch} is not among the uplinks of this host"
                )
            shape.check_range(f"{where}.vlan_id", port.vlan_id, low=0, high=VLAN_MAX)
            if port.mtu_bytes:
                shape.check_range(
                    f"{where}.mtu_bytes", port.mtu_bytes, low=MTU_MIN_BYTES, high=MTU_MAX_BYTES, unit="bytes"
                )
            addresses = parts.take_addresses(f"{where}.addresses", port.addresses)
            checked.append(replace(port, addresses=addresses))
        object.__setattr__(self, "internal_ports", tuple(checked))

    def _check_internal_bridge(self, parts: Parts) -> None:
        bridge = self.internal_bridge
        if bridge is None:
            return
        if bridge.name != DEFAULT_INTERNAL_BRIDGE:
            parts.take_name("internal_bridge.name", bridge.name)
        check_count("internal_bridge.interfaces", bridge.interfaces, PORTS_MAX)
        for i, name in enumerate(bridge.interfaces):
            parts.take_name(f"internal_bridge.interfaces[{i}]", name)
        addresses = parts.take_addresses("internal_bridge.addresses", bridge.addresses)
        object.__setattr__(self, "internal_bridge", replace(bridge, addresses=addresses))

    @property
    def tunnel_ip(self) -> str:
        """The tunnel endpoint's address without prefix length (`ovn-encap-ip`)."""
        return self.tunnel_address.partition("/")[0]
