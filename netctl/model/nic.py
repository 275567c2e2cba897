"""Nic: one guest interface on a subnet."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.category_ids import check_categories
from netctl.model.infra import Meta
from netctl.model.keys import CategoryId, HostId, NicId, SubnetId, VmId, check_id

VLAN_TAG_MAX = 4094  # IEEE 802.1Q: 4095 is reserved, 0 is "no VLAN"
TRUNK_VLANS_MAX = 256
QUEUES_MAX = 16


class NicKind(enum.StrEnum):
    """What a NIC is for; NETWORK_FUNCTION and SPAN_DESTINATION have no subnet and no addresses."""

    NORMAL = "normal"
    DIRECT = "direct"
    NETWORK_FUNCTION = "network-function"
    SPAN_DESTINATION = "span-destination"


class FunctionSide(enum.StrEnum):
    """Which side of a network function a NIC is: towards the guests, towards the network, or for copies."""

    NONE = ""
    INGRESS = "ingress"
    EGRESS = "egress"
    TAP = "tap"


class NicModel(enum.StrEnum):
    """The device that the guest sees."""

    VIRTIO = "virtio"
    E1000 = "e1000"


class NicMode(enum.StrEnum):
    """How a NIC carries VLANs."""

    ACCESS = "access"
    TRUNK = "trunk"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkVlan:
    """One VLAN of a trunk NIC: the tag that the guest uses, and what is behind it.

    `subnet` "" in a request is, on a VLAN or VLAN_BASIC subnet's NIC, the subnet of this VLAN id on the same virtual
    switch; stored it is "" on a basic NIC where there is none.
    """

    vlan_id: int
    subnet: SubnetId = SubnetId("")
    ipv4_address: str = ""
    ipv6_address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """One guest interface. `host` "" is a floating NIC; addresses are "" in a request that leaves them to admission.

    `tap_name` is what the host agent plugs; it is set at admission. So is `basic`: plugged without OVN, into the uplink
    bridge. It follows the subnet's kind NIC by NIC (`Restack`). `subnet` is "" where `has_subnet` is false.
    The `host` of a virtual machine's NIC (`vm`) is that machine's.
    """

    id: NicId
    meta: Meta = Meta()
    subnet: SubnetId = SubnetId("")
    host: HostId = HostId("")
    mac_address: str = ""
    ipv4_address: str = ""
    ipv6_address: str = ""
    connected: bool = True
    port_security: bool = True
    allow_unknown_macs: bool = False
    tap_name: str = ""
    mode: NicMode = NicMode.ACCESS
    trunk_vlans: tuple[TrunkVlan, ...] = ()
    categories: tuple[CategoryId, ...] = ()
    kind: NicKind = NicKind.NORMAL
    function_side: FunctionSide = FunctionSide.NONE
    model: NicModel = NicModel.VIRTIO
    queues: int = 1
    basic: bool = False
    vm: VmId = VmId("")

    def __post_init__(self) -> None:
        check_id("name", self.id)
        if self.has_subnet:
            check_id("subnet", self.subnet)
        self._check_kind()
        if self.host:
            check_id("host", self.host)
        if self.vm:
            check_id("vm", self.vm)
        if self.mac_address:
            object.__setattr__(self, "mac_address", shape.canonical_mac("mac_address", self.mac_address))
        if self.ipv4_address:
            address = shape.canonical_address("ipv4_address", self.ipv4_address, 4)
            shape.check_unicast("ipv4_address", address)
            object.__setattr__(self, "ipv4_address", address)
        if self.ipv6_address:
            address = shape.canonical_address("ipv6_address", self.ipv6_address, 6)
            shape.check_unicast("ipv6_address", address)
            object.__setattr__(self, "ipv6_address", address)
        if self.allow_unknown_macs and self.port_security:
            raise InvalidIntent(
                "allow_unknown_macs",
                "needs port_security false: port security drops frames from unknown MACs",
            )
        if self.categories:
            check_categories(self.categories)
        if self.trunk_vlans:
            object.__setattr__(self, "trunk_vlans", self._checked_vlans())

    @property
    def has_subnet(self) -> bool:
        """Is it a guest's interface on a subnet?"""
        return self.kind in (NicKind.NORMAL, NicKind.DIRECT)

    @property
    def has_port(self) -> bool:
        """Has it a logical switch port in OVN, as a guest's interface?"""
        return self.kind is NicKind.NORMAL and not self.basic

    @property
    def trunks_all(self) -> bool:
        """Does the guest use any VLAN tag it likes?"""
        return self.mode is NicMode.TRUNK and not self.trunk_vlans

    def _check_kind(self) -> None:
        if (self.kind is NicKind.NETWORK_FUNCTION) != (self.function_side is not FunctionSide.NONE):
            raise InvalidIntent(
                "network_function_side",
                "goes with kind NETWORK_FUNCTION"
                if self.function_side is not FunctionSide.NONE
                else "is not set; say which side of the function it is: INGRESS, EGRESS or TAP",
            )
        if not self.has_subnet:
            for field in ("subnet", "ipv4_address", "ipv6_address", "categories", "trunk_vlans"):
                if getattr(self, field):
                    raise InvalidIntent(field, f"a NIC of kind {self.kind.name} has none; leave it empty")
            if self.mode is NicMode.TRUNK:
                raise InvalidIntent(
                    "mode",
                    f"a NIC of kind {self.kind.name} has no subnet: it gets frames as they are, with their tags",
                )
        if self.queues != 1:
            shape.check_range("queues", self.queues, low=1, high=QUEUES_MAX)
            if self.model is not NicModel.VIRTIO:
                raise InvalidIntent("queues", f"{self.queues} need model VIRTIO; {self.model.name} has one")

    def _checked_vlans(self) -> tuple[TrunkVlan, ...]:
        if self.mode is not NicMode.TRUNK:
            raise InvalidIntent("trunk_vlans", "needs mode TRUNK")
        if len(self.trunk_vlans) > TRUNK_VLANS_MAX:
            raise InvalidIntent(
                "trunk_vlans", f"has {len(self.trunk_vlans)} VLANs; at most {TRUNK_VLANS_MAX} are allowed"
            )
        seen: set[int] = set()
        checked = []
        for i, vlan in enumerate(self.trunk_vlans):
            field = f"trunk_vlans[{i}]"
            shape.check_range(f"{field}.vlan_id", vlan.vlan_id, low=1, high=VLAN_TAG_MAX)
            if vlan.vlan_id in seen:
                raise InvalidIntent(f"{field}.vlan_id", f"{vlan.vlan_id} is listed twice; list it once")
            seen.add(vlan.vlan_id)
            if vlan.subnet:
                check_id(f"{field}.subnet", vlan.subnet)
            v4, v6 = vlan.ipv4_address, vlan.ipv6_address
            checked.append(
                TrunkVlan(
                    vlan_id=vlan.vlan_id,
                    subnet=vlan.subnet,
                    ipv4_address=shape.canonical_address(f"{field}.ipv4_address", v4, 4) if v4 else "",
                    ipv6_address=shape.canonical_address(f"{field}.ipv6_address", v6, 6) if v6 else "",
                )
            )
        return tuple(checked)
