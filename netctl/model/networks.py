"""Which networks a VPC's router is connected to, and what of the VPC points into one of them.

Connected are the VPC's own subnets, the external subnets that it is connected to and, in a transit VPC, the externally
routable prefixes of the VPCs that are connected to external subnets inside it. None may overlap with another.
"""

from __future__ import annotations

from collections.abc import Iterator

from netctl.errors import InvalidIntent
from netctl.model.indexes import Span
from netctl.model.keys import Key, Kind, SubnetId, VpcId, resource_name
from netctl.model.lookups import Lookups
from netctl.model.numbers import network_numbers
from netctl.model.snapshot import Draft
from netctl.model.sorted_set import SortedSet
from netctl.model.subnet import Subnet, SubnetKind
from netctl.model.vpc import Vpc, VpcKind

# Above every address and id.
_END = (1 << 128, "~")


def overlapping(spans: SortedSet[Span], low: int, high: int) -> Iterator[Span]:
    """Yield the ranges that overlap with one; `spans` do not overlap with each other."""
    first = spans.floor((low, *_END))
    if first is not None and first[1] >= low:
        yield first
    for span in spans.after((low, *_END)):
        if span[0] > high:
            return
        yield span


def inside(spans: SortedSet[Span], low: int, high: int) -> Iterator[Span]:
    """Yield the ranges that lie within one; `spans` may overlap with each other but do not cross its ends."""
    for span in spans.after((low, -1, "")):
        if span[0] > high:
            return
        if span[1] <= high:
            yield span


def subnet_at(lookups: Lookups, vpc: VpcId, version: int, number: int) -> Subnet | None:
    """Return the subnet in a VPC that an address is of."""
    for _, _, id in overlapping(lookups.spans((vpc, version)), number, number):
        return lookups.subnet(SubnetId(id))
    return None


def connected(draft: Draft, vpc: Vpc, version: int, low: int, high: int) -> Iterator[tuple[str, int, Key]]:
    """Yield the connected networks of a VPC that overlap with a range: (network or prefix, last address, whose).

    `vpc` may be one that is yet to be stored. A transit VPC's external subnets are among its own.
    """
    for _, last, id in overlapping(draft.spans((vpc.id, version)), low, high):
        subnet = draft.subnet(SubnetId(id))
        config = subnet.config(version) if subnet is not None else None
        yield (config.cidr if config is not None else ""), last, (Kind.SUBNET, id)
    for connection in vpc.external_connections:
        subnet = draft.subnet(connection.subnet)
        config = subnet.config(version) if subnet is not None else None
        if config is not None:
            _, first, last = network_numbers(config.cidr)
            if first <= high and last >= low:
                yield config.cidr, last, (Kind.SUBNET, connection.subnet)
    yield from _routed(draft, vpc, version, (low, high))


def _routed(draft: Draft, vpc: Vpc, version: int, within: tuple[int, int]) -> Iterator[tuple[str, int, Key]]:
    if vpc.kind is not VpcKind.TRANSIT:
        return
    for subnet in draft.subnets_of_vpc(vpc.id):
        if subnet.kind is SubnetKind.EXTERNAL:
            for _, last, id in overlapping(draft.spans((f"prefixes/{subnet.id}", version)), *within):
                yield "a prefix", last, (Kind.VPC, id)


def check_apart(draft: Draft, vpc: Vpc, cidr: str, field: str, mine: Key) -> None:
    """Refuse a network of `mine`, to be connected to a VPC, that overlaps with another or swallows a route."""
    version, low, high = network_numbers(cidr)
    for network, _, whose in connected(draft, vpc, version, low, high):
        if whose != mine:
            raise InvalidIntent(
                field,
                f"{cidr} overlaps with {network} of {resource_name(whose)} in vpcs/{vpc.id}: use another network",
            )
    for _, _, id in inside(draft.spans((f"destinations/{vpc.id}", version)), low, high):
        raise InvalidIntent(
            field,
            f"{cidr} contains the destination of routes/{id} of vpcs/{vpc.id}, which would draw its traffic away:"
            " use another network or remove the route",
        )


def check_unrouted(draft: Draft, external: str, cidr: str, field: str) -> None:
    """Refuse a network for an external subnet of which a part is routed to a VPC behind it."""
    version, low, high = network_numbers(cidr)
    for _, _, id in overlapping(draft.spans((f"prefixes/{external}", version)), low, high):
        raise InvalidIntent(
            field, f"{cidr} overlaps with a prefix that is routed to vpcs/{id}: use another network"
        )


def users_inside(draft: Draft, vpc: VpcId, cidr: str) -> list[Key]:
    """Return the routes with next hops in a network of a VPC, and the floating IPs of its private addresses."""
    version, low, high = network_numbers(cidr)
    routes = {id for _, _, id in inside(draft.spans((f"hops/{vpc}", version)), low, high)}
    floating = {id for _, _, id in inside(draft.spans((f"private/{vpc}", version)), low, high)}
    return [*((Kind.ROUTE, id) for id in routes), *((Kind.FLOATING_IP, id) for id in floating)]


def routes_at(draft: Draft, vpc: VpcId, address: str) -> list[Key]:
    """Return the routes of a VPC with an address as next hop."""
    version, number, _ = network_numbers(address)
    found = inside(draft.spans((f"hops/{vpc}", version)), number, number)
    return [(Kind.ROUTE, id) for _, _, id in found]


def policies_at(draft: Draft, vpc: VpcId, address: str) -> list[Key]:
    """Return the policies of a VPC that reroute to an address."""
    version, number, _ = network_numbers(address)
    found = inside(draft.spans((f"services/{vpc}", version)), number, number)
    return [(Kind.ROUTING_POLICY, id) for _, _, id in found]
