"""Cluster, VirtualSwitch and Host: the machines and their uplinks."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.keys import ClusterId, HostId, Uid, VirtualSwitchId, check_id

DEFAULT_MAC_PREFIX = "50:6b:8d"  # Nutanix's OUI, the product's default
DEFAULT_MTU_BYTES = 1500
DEFAULT_MCAST_TIMEOUT_S = 300  # ovs-vswitchd.conf.db(5), mcast-snooping-aging-time
# RFC 791: every host takes 576; RFC 8200: IPv6 needs 1280. 9216 is what switches call jumbo at most.
MTU_MIN_BYTES, MTU_MAX_BYTES = 576, 9216
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

    name: str = "virbr0"
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

    def __post_init__(self) -> None:
        check_id("name", self.id)
        check_id("cluster", self.cluster)
        address = shape.canonical_interface_address("tunnel_address", self.tunnel_address)
        object.__setattr__(self, "tunnel_address", address)
        self._check_uplinks()

    def _check_uplinks(self) -> None:
        switches: set[str] = set()
        interfaces: set[str] = set()
        for i, uplink in enumerate(self.uplinks):
            where = f"uplinks[{i}]"
            check_id(f"{where}.virtual_switch", uplink.virtual_switch)
            if uplink.virtual_switch in switches:
                raise InvalidIntent(
                    f"{where}.virtual_switch",
                    f"{uplink.virtual_switch} is listed twice; list its interfaces once",
                )
            switches.add(uplink.virtual_switch)
            if not uplink.interfaces:
                raise InvalidIntent(f"{where}.interfaces", "is empty; name at least one interface")
            for name in uplink.interfaces:
                shape.check_interface(f"{where}.interfaces", name)
                if name in interfaces:
                    raise InvalidIntent(
                        f"{where}.interfaces", f"{name} is used twice; an interface serves one bond"
                    )
                interfaces.add(name)
        if self.tunnel_virtual_switch and self.tunnel_virtual_switch not in switches:
            raise InvalidIntent(
                "tunnel_virtual_switch",
                f"{self.tunnel_virtual_switch[:80]} is not among the uplinks of this host",
            )

    @property
    def tunnel_ip(self) -> str:
        """The tunnel endpoint's address without prefix length (`ovn-encap-ip`)."""
        return self.tunnel_address.partition("/")[0]
