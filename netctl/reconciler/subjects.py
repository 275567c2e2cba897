"""Subjects: whose life liveness watches, read from a snapshot.

A pass asks after each change of whatever kind. What it asks for is kept while the intents that it is made from are the
same, so that a change of one NIC does not look at every route, policy and VPC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from netctl.model.indexes import Claim, Space
from netctl.model.keys import Kind, VpcId
from netctl.model.networks import subnet_at
from netctl.model.nic import Nic
from netctl.model.numbers import address_number
from netctl.model.route import Route
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.vpc import ExternalConnection, Vpc

Subject = tuple[VpcId, str]
T = TypeVar("T")
_CLAIMS = 65_536


class Kept(Generic[T]):
    """A value that is made again only when a table of intents that it is made from is another."""

    def __init__(self, make: Callable[[Snapshot], T], *kinds: Kind) -> None:
        self._make = make
        self._kinds = kinds
        self._tables: list[Mapping[str, Any]] = []
        self._value: list[T] = []

    def of(self, snapshot: Snapshot) -> T:
        """Return the value for a snapshot."""
        tables = [snapshot.table(kind) for kind in self._kinds]
        if not self._value or any(a is not b for a, b in zip(tables, self._tables, strict=True)):
            self._tables, self._value = tables, [self._make(snapshot)]
        return self._value[0]


class Subjects:
    """Owns: what it read from the last snapshot. One thread."""

    def __init__(self) -> None:
        self._service_ips = Kept(_service_ips, Kind.ROUTING_POLICY)
        self._next_hops = Kept(_next_hops, Kind.ROUTE)
        self._claims: Kept[dict[Subject, Claim | None]] = Kept(lambda snapshot: {}, Kind.SUBNET)
        self._connections = Kept(_connections, Kind.VPC)

    def nics(self, snapshot: Snapshot) -> dict[Subject, Nic]:
        """Return service IPs and next hops with their NICs; of one that is no NIC's nobody reports anything."""
        claims = self._claims.of(snapshot)
        if len(claims) > _CLAIMS:  # of next hops long gone
            claims.clear()
        found: dict[Subject, Nic] = {}
        for subject in {**self._service_ips.of(snapshot), **self._next_hops.of(snapshot)}:
            if subject not in claims:
                claims[subject] = _claim_of(snapshot, *subject)
            nic = _holder(snapshot, claims[subject])
            if nic is not None:
                found[subject] = nic
        return found

    def connections(self, snapshot: Snapshot) -> Mapping[Subject, ExternalConnection]:
        """Return the external connections with gateways."""
        return self._connections.of(snapshot)


def _holder(snapshot: Snapshot, claim: Claim | None) -> Nic | None:
    key = snapshot.owner(claim) if claim is not None else None
    found = snapshot.get(key) if key is not None else None
    return found if isinstance(found, Nic) else None


def _claim_of(snapshot: Snapshot, vpc: VpcId, address: str) -> Claim | None:
    """Return what the holder of an address in a VPC claims, None when the address is in no subnet of it."""
    version, space = (6, Space.IPV6) if ":" in address else (4, Space.IPV4)
    number = address_number(version, address)
    subnet = subnet_at(snapshot, vpc, version, number)
    return ((space, subnet.id), number) if subnet is not None else None


def _service_ips(snapshot: Snapshot) -> dict[Subject, None]:
    return {
        (policy.vpc, address): None
        for policy in _all(snapshot, Kind.ROUTING_POLICY, RoutingPolicy)
        for address in policy.service_ips
    }


def _next_hops(snapshot: Snapshot) -> dict[Subject, None]:
    return {
        (route.vpc, hop.ip_address): None
        for route in _all(snapshot, Kind.ROUTE, Route)
        for hop in route.next_hops
        if hop.ip_address
    }


def _connections(snapshot: Snapshot) -> dict[Subject, ExternalConnection]:
    return {
        (vpc.id, connection.subnet): connection
        for vpc in _all(snapshot, Kind.VPC, Vpc)
        for connection in vpc.external_connections
        if connection.gateways
    }


def _all(snapshot: Snapshot, kind: Kind, noun: type[T]) -> Iterator[T]:
    return (intent for intent in snapshot.of_kind(kind) if isinstance(intent, noun))
