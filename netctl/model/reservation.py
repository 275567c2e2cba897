"""AddressReservation: addresses of a subnet that are kept from automatic allocation for somebody else."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.infra import Meta
from netctl.model.keys import AddressReservationId, SubnetId, check_id
from netctl.model.subnet import RANGES_MAX, AddressRange

COUNT_MAX = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressReservation:
    """A reservation: `count` free addresses or the `ranges` named; `reserved` is what admission decided."""

    id: AddressReservationId
    meta: Meta = Meta()
    subnet: SubnetId
    ip_version: int = 4
    count: int = 0
    ranges: tuple[AddressRange, ...] = ()
    reserved: tuple[AddressRange, ...] = ()
    client_context: str = ""

    def __post_init__(self) -> None:
        check_id("name", self.id)
        check_id("subnet", self.subnet)
        if self.ip_version not in (4, 6):
            raise InvalidIntent("ip_version", f"{self.ip_version} is not an IP version; use 4 or 6")
        if bool(self.count) == bool(self.ranges):
            raise InvalidIntent("count", "exactly one of count and ranges is needed")
        if self.count:
            shape.check_range("count", self.count, low=1, high=COUNT_MAX)
        if len(self.ranges) > RANGES_MAX:
            raise InvalidIntent("ranges", f"has {len(self.ranges)} ranges; at most {RANGES_MAX} are allowed")
        shape.check_text("client_context", self.client_context, shape.DISPLAY_NAME_MAX)
        ranges = tuple(
            AddressRange(
                start=shape.canonical_address(f"ranges[{i}].start", r.start, self.ip_version),
                end=shape.canonical_address(f"ranges[{i}].end", r.end or r.start, self.ip_version),
            )
            for i, r in enumerate(self.ranges)
        )
        object.__setattr__(self, "ranges", ranges)
