"""Allocation of numbers: addresses, MACs, VNIs and bridges.

Next-fit: the search goes on where the last one ended, so that a number that was freed stays unused for as long as
possible (ARP caches and DHCP clients remember it). Taken numbers stand in blocks of 1024 bits (snapshot.py), so that
the search is a few integer operations at any fill level: to find that a /24 is full takes one block, a /16 64.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from netctl.errors import Exhausted
from netctl.model.indexes import Scope, Space, Span
from netctl.model.lookups import Lookups
from netctl.model.numbers import address_number, address_text, mac_text, network_numbers
from netctl.model.snapshot import BLOCK_BITS, Draft
from netctl.model.sorted_set import SortedSet
from netctl.model.subnet import AddressRange, IpConfig, Subnet, SubnetKind

VNI_MAX = 2**24 - 1  # RFC 8926: Geneve has 24 bits; 0 is none
BRIDGE_MAX = 99
# Automatic IPv6 addresses start at ::1000 of the CIDR: people give the low ones to routers and servers by hand.
IPV6_FIRST = 0x1000
_BLOCK_SIZE = 1 << BLOCK_BITS
_NOTHING: SortedSet[Span] = SortedSet()

Range = tuple[int, int]  # both included


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An IpConfig in numbers: `low` to `high` is the CIDR, `pools` less the exclusions and what is `reserved` are
    `ranges`; they are allocated from, at first from `start`."""

    config: IpConfig
    reserved: SortedSet[Span]
    low: int
    high: int
    pools: tuple[Range, ...]
    ranges: tuple[Range, ...]
    start: int


def plan_of(draft: Draft, subnet: Subnet, config: IpConfig) -> Plan:
    """Return the plan of a subnet's family; it is made once for a configuration and its reservations."""
    key = (subnet.id, config.version)
    plan: Plan | None = draft.plans.get(key)
    reserved = reserved_in(draft, subnet, config.version)
    if plan is None or plan.config is not config or plan.reserved is not reserved:
        plan = draft.plans[key] = make_plan(config, reserved)
    return plan


def reserved_in(lookups: Lookups, subnet: Subnet, version: int) -> SortedSet[Span]:
    """Return what the reservations of a subnet keep; the same object until one of them changes."""
    return lookups.spans((f"reserved/{subnet.id}", version))


def make_plan(config: IpConfig, reserved: SortedSet[Span] = _NOTHING) -> Plan:
    """Turn pools minus exclusions and reservations into numbers."""
    _, low, high = network_numbers(config.cidr)
    # The first address is the network's (IPv4) or the subnet-router anycast address (RFC 4291, 2.6.1); IPv6 has
    # no broadcast address.
    usable = (low + 1, high - 1 if config.version == 4 else high)
    pools = _numbers(config, config.pools) or [usable]
    ranges = subtract(pools, exclusions_of(config))
    free = subtract(ranges, [(first, last) for first, last, _ in reserved]) if reserved else ranges
    start = low + IPV6_FIRST if config.version == 6 and not config.pools and high - low >= IPV6_FIRST else 0
    return Plan(
        config=config,
        reserved=reserved,
        low=low,
        high=high,
        pools=tuple(pools),
        ranges=tuple(free),
        start=start,
    )


def exclusions_of(config: IpConfig) -> list[Range]:
    """Return what is never allocated automatically, in order."""
    return _numbers(config, config.exclusions)


def allocate_address(draft: Draft, subnet: Subnet, config: IpConfig, *, field: str = "") -> str:
    """Return a free address of a subnet; Exhausted, of `field`, when there is none."""
    plan = plan_of(draft, subnet, config)
    scope = (Space.IPV4 if config.version == 4 else Space.IPV6, subnet.id)
    number = _allocate(draft, scope, plan.ranges, plan.start)
    passed: set[int | None] = set()
    while number is not None and _is_exposed(draft, subnet, address_text(config.version, number)):
        passed.add(number)
        number = _allocate(draft, scope, plan.ranges, plan.start)
        number = None if number in passed else number
    if number is None:
        family = f"ipv{config.version}"
        users = "floating IPs" if subnet.kind is SubnetKind.EXTERNAL else "NICs"
        raise Exhausted(
            f"subnets/{subnet.id} has no free {family} address, all {_capacity(subnet, plan)} addresses of its"
            f" pools are taken: enlarge {family}.pools or remove {users} or reservations",
            field=field or f"{family}_address",
        )
    return address_text(config.version, number)


def _is_exposed(draft: Draft, subnet: Subnet, text: str) -> bool:
    """Tell whether an address has a floating IP: whoever got it by chance would be in the open."""
    return bool(subnet.vpc) and draft.owner(((Space.FLOATING, subnet.vpc), text)) is not None


def free_addresses(draft: Draft, subnet: Subnet, config: IpConfig, count: int) -> list[Range]:
    """Return `count` free addresses of a subnet as ranges; fewer when there are no more."""
    plan = plan_of(draft, subnet, config)
    scope = (Space.IPV4 if config.version == 4 else Space.IPV6, subnet.id)
    cursor = draft.cursors[scope] or plan.start
    above = [(max(low, cursor), high) for low, high in plan.ranges if high >= cursor]
    below = [(low, min(high, cursor - 1)) for low, high in plan.ranges if low < cursor]
    found: list[Range] = []
    for low, high in (*above, *below):
        number = low
        while len(found) < count and (free := first_free(draft, scope, (number, high))) is not None:
            found.append((free, free))
            number = free + 1
    if found:
        draft.set_cursor(scope, found[-1][1] + 1)
    return merged(found)


def merged(ranges: Iterable[Range]) -> list[Range]:
    """Return ranges without overlaps in order, those that follow on each other as one."""
    result: list[Range] = []
    for low, high in sorted(ranges):
        if result and result[-1][1] == low - 1:
            result[-1] = (result[-1][0], high)
        else:
            result.append((low, high))
    return result


def allocate_mac(draft: Draft, cluster: str, prefix: str) -> str:
    """Return a free MAC address with the prefix of a cluster."""
    # Not prefix:00:00:00 itself: with prefix 00:00:00 that is no address.
    low = int(prefix.replace(":", ""), 16) << 24
    number = _allocate(draft, (Space.MAC, ""), ((low + 1, low + 0xFFFFFF),), low, (Space.MAC, cluster))
    if number is None:
        raise Exhausted(
            f"clusters/{cluster} has no free MAC address, all 16777215 of prefix {prefix} are taken:"
            " give it another mac_prefix",
            field="mac_address",
        )
    return mac_text(number)


def allocate_vni(draft: Draft) -> int:
    """Return a free VNI."""
    number = _allocate(draft, (Space.VNI, ""), ((1, VNI_MAX),), 1)
    if number is None:
        raise Exhausted(f"no VNI is free, all {VNI_MAX} are taken: remove subnets", field="vni")
    return number


def lowest_bridge(draft: Draft, cluster: str) -> str:
    """Return the lowest free uplink bridge of a cluster."""
    number = first_free(draft, (Space.BRIDGE, cluster), (0, BRIDGE_MAX))
    if number is None:
        raise Exhausted(
            f"clusters/{cluster} has no free uplink bridge, br0 to br{BRIDGE_MAX} are taken", field="bridge"
        )
    return f"br{number}"


def first_free(draft: Draft, scope: Scope, within: Range) -> int | None:
    """Return the lowest number of a range that nobody has."""
    number, high = within
    space, whose = scope
    blocks = draft.blocks
    while number <= high:
        offset = number & (_BLOCK_SIZE - 1)
        free = ~(blocks[space, whose, number >> BLOCK_BITS] >> offset)
        skip = (free & -free).bit_length() - 1  # how many taken ones stand before the first free one
        if offset + skip < _BLOCK_SIZE:
            return number + skip if number + skip <= high else None
        number += _BLOCK_SIZE - offset
    return None


def _allocate(
    draft: Draft, scope: Scope, ranges: Sequence[Range], start: int, cursor: Scope | None = None
) -> int | None:
    """Return a free number; `cursor` is whose cursor it moves when several allocate from one scope."""
    cursor = cursor or scope
    found = _next_free(draft, scope, ranges, draft.cursors[cursor] or start)
    if found is not None:
        draft.set_cursor(cursor, found + 1)
    return found


def _next_free(draft: Draft, scope: Scope, ranges: Sequence[Range], cursor: int) -> int | None:
    for low, high in ranges:
        if high >= cursor:
            found = first_free(draft, scope, (max(low, cursor), high))
            if found is not None:
                return found
    for low, high in ranges:
        if low < cursor:
            found = first_free(draft, scope, (low, min(high, cursor - 1)))
            if found is not None:
                return found
    return None


def _numbers(config: IpConfig, ranges: Sequence[AddressRange]) -> list[Range]:
    version = config.version
    return sorted((address_number(version, r.start), address_number(version, r.end)) for r in ranges)


def subtract(pools: Sequence[Range], exclusions: Sequence[Range]) -> list[Range]:
    """Return what of `pools` is not in `exclusions`; both are sorted and without overlaps."""
    left: list[Range] = []
    for low, high in pools:
        for out_low, out_high in exclusions:
            if out_high < low:
                continue
            if out_low > high:
                break
            if low < out_low:
                left.append((low, out_low - 1))
            low = out_high + 1
        if low <= high:
            left.append((low, high))
    return left


def _capacity(subnet: Subnet, plan: Plan) -> int:
    """Return how many addresses NICs can have: the pools without the gateway's and the DHCP server's."""
    reserved = {plan.config.gateway}
    if plan.config.version == 4 and subnet.dhcp is not None:
        reserved.add(subnet.dhcp.server_address)
    numbers = [address_number(plan.config.version, text) for text in reserved if text]
    inside = sum(low <= number <= high for number in numbers for low, high in plan.ranges)
    return sum(high - low + 1 for low, high in plan.ranges) - inside
