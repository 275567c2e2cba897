"""Admission of AddressReservation: which addresses it keeps."""

from __future__ import annotations

from netctl.errors import AlreadyExists, Exhausted, InvalidIntent
from netctl.model.ipam import Range, free_addresses, make_plan, merged, reserved_in
from netctl.model.keys import Kind
from netctl.model.networks import overlapping
from netctl.model.numbers import address_number, address_text
from netctl.model.reservation import AddressReservation
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, replace_unchecked, stamp
from netctl.model.subnet import AddressRange, IpConfig, Subnet


def admit_reservation(
    asked: AddressReservation, before: AddressReservation | None, draft: Draft, context: Context
) -> AddressReservation:
    """Return the reservation to store; once made, the same addresses stay reserved."""
    subnet = draft.subnet(asked.subnet)
    if subnet is None:
        raise absent((Kind.SUBNET, asked.subnet), "subnet")
    if before is not None:
        check_kept("subnet", before.subnet, asked.subnet)
        check_kept("ip_version", before.ip_version, asked.ip_version)
        check_kept("count", before.count, asked.count)
        check_kept("ranges", _text(before.ranges), _text(asked.ranges))
        reserved = before.reserved
    else:
        config = subnet.config(asked.ip_version)
        if config is None:
            raise InvalidIntent(
                "ip_version",
                f"subnets/{subnet.id} has no IPv{asked.ip_version} addresses: use the other version or another subnet",
            )
        ranges = _any(asked, subnet, config, draft) if asked.count else _named(asked, subnet, config, draft)
        version = asked.ip_version
        reserved = tuple(
            AddressRange(start=address_text(version, low), end=address_text(version, high))
            for low, high in ranges
        )
    return replace_unchecked(asked, meta=stamp(asked.meta, before, context), reserved=reserved)


def _text(ranges: tuple[AddressRange, ...]) -> str:
    return ", ".join(f"{range.start}-{range.end}" for range in ranges)


def _any(asked: AddressReservation, subnet: Subnet, config: IpConfig, draft: Draft) -> list[Range]:
    found = free_addresses(draft, subnet, config, asked.count)
    number = sum(high - low + 1 for low, high in found)
    if number < asked.count:
        raise Exhausted(
            f"subnets/{subnet.id} has {number} free ipv{asked.ip_version} addresses, {asked.count} are asked for:"
            f" enlarge ipv{asked.ip_version}.pools or ask for fewer",
            field="count",
        )
    return found


def _named(asked: AddressReservation, subnet: Subnet, config: IpConfig, draft: Draft) -> list[Range]:
    plan = make_plan(config)
    others = reserved_in(draft, subnet, asked.ip_version)
    last = plan.high - (asked.ip_version == 4)
    found: list[Range] = []
    for i, one in enumerate(asked.ranges):
        field = f"ranges[{i}]"
        low, high = (address_number(asked.ip_version, text) for text in (one.start, one.end))
        if low > high:
            raise InvalidIntent(field, f"start {one.start} is above end {one.end}; swap them")
        if low <= plan.low or high > last:
            raise InvalidIntent(
                field, f"{one.start}-{one.end} is not within the host addresses of {config.cidr}; use others"
            )
        if any(low <= there and high >= here for here, there in found):
            raise InvalidIntent(field, f"{one.start}-{one.end} overlaps with another range; list it once")
        for _, _, id in overlapping(others, low, high):
            raise AlreadyExists(
                f"{one.start}-{one.end} overlaps with addressReservations/{id}: use other addresses",
                field=field,
            )
        found.append((low, high))
    return merged(found)
