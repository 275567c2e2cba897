"""How many addresses a subnet has and how many are taken, as lines for `netctl describe subnet`."""

from __future__ import annotations

from netctl.v1 import network_pb2

_COUNT_MAX = 2**63 - 1  # where the API stops counting


def describe_usage(usage: network_pb2.GetSubnetUsageResponse) -> list[tuple[str, str]]:
    """Return a line for each family that the subnet manages."""
    families = [(name, getattr(usage, name)) for name in ("ipv4", "ipv6") if usage.HasField(name)]
    return [(name, _render(family)) for name, family in families]


def _render(usage: network_pb2.AddressUsage) -> str:
    taken = f"{_count(usage.used)} used, {_count(usage.reserved)} reserved"
    of = f" of {usage.total}" if usage.total < _COUNT_MAX else ""  # "of 2^63 or more" says nothing
    return f"{_count(usage.free)} free{of}: {taken}"


def _count(number: int) -> str:
    return str(number) if number < _COUNT_MAX else "2^63 or more"
