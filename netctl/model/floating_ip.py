"""FloatingIp: a public address for one NIC or one private address of a VPC."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.infra import Meta
from netctl.model.keys import FloatingIpId, NicId, SubnetId, VpcId, check_id


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatingIp:
    """A public address. Associated with `nic`, or with `private_address` of `vpc`, or with nothing.

    `address` "" in a request leaves it to admission, as does `mac_address` always.
    """

    id: FloatingIpId
    meta: Meta = Meta()
    external_subnet: SubnetId
    address: str = ""
    nic: NicId = NicId("")
    vpc: VpcId = VpcId("")
    private_address: str = ""
    mac_address: str = ""

    def __post_init__(self) -> None:
        check_id("name", self.id)
        check_id("external_subnet", self.external_subnet)
        if self.address:
            address = shape.canonical_any_address("address", self.address)
            object.__setattr__(self, "address", address)
        if self.nic:
            check_id("nic", self.nic)
            if self.vpc or self.private_address:
                field = "private_address" if self.private_address else "vpc"
                raise InvalidIntent(field, "goes without nic: associate with one of the two")
        if bool(self.vpc) != bool(self.private_address):
            missing, given = (
                ("vpc", "private_address") if self.private_address else ("private_address", "vpc")
            )
            raise InvalidIntent(missing, f"is needed together with {given}")
        if self.vpc:
            check_id("vpc", self.vpc)
            private = shape.canonical_any_address("private_address", self.private_address)
            object.__setattr__(self, "private_address", private)
        if self.address and self.private_address and (":" in self.address) != (":" in self.private_address):
            raise InvalidIntent(
                "private_address", f"{self.private_address} is of another IP version than {self.address}"
            )
