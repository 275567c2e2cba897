"""How many addresses a subnet has, and how many are taken. Exact for both families, without a walk over addresses."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from netctl.model.indexes import Space
from netctl.model.ipam import Range, exclusions_of, make_plan, reserved_in, subtract
from netctl.model.lookups import Lookups
from netctl.model.subnet import IpConfig, Subnet

COUNT_MAX = 2**63 - 1  # the API's numbers have 63 bits; an IPv6 /64 has more addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressUsage:
    """Addresses of the pools less the exclusions: `total` = `used` + `reserved` (and not used) + `free`."""

    total: int
    used: int
    reserved: int
    free: int


def usage(lookups: Lookups, subnet: Subnet) -> tuple[AddressUsage | None, AddressUsage | None]:
    """Return the usage of IPv4 and of IPv6; None where the subnet manages none."""
    four, six = (_usage(lookups, subnet, config) for config in (subnet.ipv4, subnet.ipv6))
    return four, six


def _usage(lookups: Lookups, subnet: Subnet, config: IpConfig | None) -> AddressUsage | None:
    if config is None:
        return None
    spans = [(low, high) for low, high, _ in reserved_in(lookups, subnet, config.version)]
    ranges = subtract(make_plan(config).pools, exclusions_of(config))
    unreserved = subtract(ranges, spans)
    space = Space.IPV4 if config.version == 4 else Space.IPV6
    taken = sorted(number for number in lookups.claimed((space, subnet.id)) if isinstance(number, int))
    total, used = _size(ranges), _count(taken, ranges)
    free = _size(unreserved) - _count(taken, unreserved)
    counts = {"total": total, "used": used, "reserved": total - used - free, "free": free}
    return AddressUsage(**{name: min(count, COUNT_MAX) for name, count in counts.items()})


def _size(ranges: Sequence[Range]) -> int:
    return sum(high - low + 1 for low, high in ranges)


def _count(numbers: Sequence[int], ranges: Sequence[Range]) -> int:
    return sum(bisect_right(numbers, high) - bisect_left(numbers, low) for low, high in ranges)
