"""Nic: one guest interface on a subnet."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.infra import Meta
from netctl.model.keys import HostId, NicId, SubnetId, check_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """One guest interface. `host` "" is a floating NIC; addresses are "" in a request that leaves them to admission.

    `tap_name` is what the host agent plugs; it is set at admission.
    """

    id: NicId
    meta: Meta = Meta()
    subnet: SubnetId
    host: HostId = HostId("")
    mac_address: str = ""
    ipv4_address: str = ""
    ipv6_address: str = ""
    connected: bool = True
    port_security: bool = True
    allow_unknown_macs: bool = False
    tap_name: str = ""

    def __post_init__(self) -> None:
        check_id("name", self.id)
        check_id("subnet", self.subnet)
        if self.host:
            check_id("host", self.host)
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
