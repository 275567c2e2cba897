"""Route: a static route of a VPC."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.infra import Meta
from netctl.model.keys import RouteId, SubnetId, VpcId, check_id

DEFAULT_PRIORITY = 100
PRIORITY_MAX = 1000
NEXT_HOPS_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class NextHop:
    """Where a route goes: an address, or the gateway of an external subnet. Exactly one is set."""

    ip_address: str = ""
    external_subnet: SubnetId = SubnetId("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bfd:
    """Bidirectional forwarding detection of next hops (RFC 5880)."""

    min_rx_ms: int = 1000
    min_tx_ms: int = 1000
    multiplier: int = 3

    def __post_init__(self) -> None:
        shape.check_range("bfd.min_rx_ms", self.min_rx_ms, low=100, high=60_000, unit="ms")
        shape.check_range("bfd.min_tx_ms", self.min_tx_ms, low=100, high=60_000, unit="ms")
        shape.check_range("bfd.multiplier", self.multiplier, low=1, high=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A static route. Of those to one destination the one with the highest `priority` that works is used."""

    id: RouteId
    meta: Meta = Meta()
    vpc: VpcId
    destination: str
    next_hops: tuple[NextHop, ...]
    priority: int = DEFAULT_PRIORITY
    bfd: Bfd | None = None

    def __post_init__(self) -> None:
        check_id("name", self.id)
        check_id("vpc", self.vpc)
        object.__setattr__(self, "destination", shape.canonical_any_cidr("destination", self.destination))
        shape.check_routable("destination", self.destination)
        shape.check_range("priority", self.priority, low=1, high=PRIORITY_MAX)
        if not 1 <= len(self.next_hops) <= NEXT_HOPS_MAX:
            raise InvalidIntent(
                "next_hops", f"has {len(self.next_hops)} next hops; name 1 to {NEXT_HOPS_MAX}"
            )
        hops = tuple(self._checked(f"next_hops[{i}]", hop) for i, hop in enumerate(self.next_hops))
        for i, hop in enumerate(hops):
            if hop in hops[:i]:
                raise InvalidIntent(f"next_hops[{i}]", "is listed twice; list it once")
        object.__setattr__(self, "next_hops", hops)

    @property
    def version(self) -> int:
        """The IP version, 4 or 6."""
        return 6 if ":" in self.destination else 4

    def _checked(self, field: str, hop: NextHop) -> NextHop:
        if bool(hop.ip_address) == bool(hop.external_subnet):
            raise InvalidIntent(field, "needs exactly one of ip_address and external_subnet")
        if hop.external_subnet:
            check_id(f"{field}.external_subnet", hop.external_subnet)
            return hop
        address = shape.canonical_address(f"{field}.ip_address", hop.ip_address, self.version)
        return NextHop(ip_address=address)
