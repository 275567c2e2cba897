"""Lookups: what a Snapshot and a Draft have in common: finding intents by key, relation, order and unique value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar

from immutables import Map, MapMutation

from netctl.model.indexes import Claim, Relation, Span, SpanKey
from netctl.model.infra import Cluster, Host, VirtualSwitch
from netctl.model.intent import Intent
from netctl.model.keys import ClusterId, HostId, Key, Kind, NicId, SubnetId, VirtualSwitchId
from netctl.model.nic import Nic
from netctl.model.sorted_set import SortedSet
from netctl.model.subnet import Subnet

K = TypeVar("K")
V = TypeVar("V")
Readable = Map[K, V] | MapMutation[K, V]


class Lookups(ABC):
    """Read access by indexes. Sets of intents come in no particular order; `ids` is sorted."""

    __slots__ = ("_spans", "_tables")

    _tables: Mapping[Kind, Readable[str, Any]]  # each table holds one kind; the accessors say which
    _spans: Readable[SpanKey, SortedSet[Span]]

    @abstractmethod
    def table(self, kind: Kind) -> Mapping[str, Any]:
        """Return the intents of a kind by id."""

    @abstractmethod
    def related(self, relation: Relation, id: str) -> Collection[str]:
        """Return the ids in a set, e.g. of the NICs of a host."""

    @abstractmethod
    def order(self, kind: Kind) -> SortedSet[str]:
        """Return all ids of a kind, sorted."""

    def get(self, key: Key) -> Intent | None:
        """Return an intent, None when there is none."""
        found: Intent | None = self._tables[key[0]].get(key[1])
        return found

    def cluster(self, id: ClusterId) -> Cluster | None:
        """Return a cluster, None when there is none."""
        found: Cluster | None = self._tables[Kind.CLUSTER].get(id)
        return found

    def host(self, id: HostId) -> Host | None:
        """Return a host, None when there is none."""
        found: Host | None = self._tables[Kind.HOST].get(id)
        return found

    def virtual_switch(self, id: VirtualSwitchId) -> VirtualSwitch | None:
        """Return a virtual switch, None when there is none."""
        found: VirtualSwitch | None = self._tables[Kind.VIRTUAL_SWITCH].get(id)
        return found

    def subnet(self, id: SubnetId) -> Subnet | None:
        """Return a subnet, None when there is none."""
        found: Subnet | None = self._tables[Kind.SUBNET].get(id)
        return found

    def nic(self, id: NicId) -> Nic | None:
        """Return a NIC, None when there is none."""
        found: Nic | None = self._tables[Kind.NIC].get(id)
        return found

    def of_kind(self, kind: Kind) -> Collection[Intent]:
        """Return all intents of a kind."""
        return self.table(kind).values()

    def keys(self) -> Iterator[Key]:
        """Yield the keys of all intents, kinds in the order in which they refer to each other."""
        for kind in Kind:
            for id in self.table(kind):
                yield kind, id

    def count(self, kind: Kind) -> int:
        """Return how many intents of a kind there are."""
        return len(self._tables[kind])

    def ids(self, kind: Kind, after: str = "") -> Iterator[str]:
        """Yield ids in ascending order, those above `after`: a page starts in O(log n)."""
        return self.order(kind).after(after)

    def hosts_of_cluster(self, id: ClusterId) -> Iterator[Host]:
        """Yield the hosts of a cluster."""
        return self._related(Relation.HOSTS_OF_CLUSTER, id, Kind.HOST)

    def virtual_switches_of_cluster(self, id: ClusterId) -> Iterator[VirtualSwitch]:
        """Yield the virtual switches of a cluster."""
        return self._related(Relation.VIRTUAL_SWITCHES_OF_CLUSTER, id, Kind.VIRTUAL_SWITCH)

    def subnets_of_cluster(self, id: ClusterId) -> Iterator[Subnet]:
        """Yield the subnets of a cluster, of both kinds."""
        return self._related(Relation.SUBNETS_OF_CLUSTER, id, Kind.SUBNET)

    def overlays_of_cluster(self, id: ClusterId) -> Iterator[Subnet]:
        """Yield the overlay subnets of a cluster."""
        return self._related(Relation.OVERLAYS_OF_CLUSTER, id, Kind.SUBNET)

    def subnets_of_virtual_switch(self, id: VirtualSwitchId) -> Iterator[Subnet]:
        """Yield the VLAN subnets of a virtual switch."""
        return self._related(Relation.SUBNETS_OF_VIRTUAL_SWITCH, id, Kind.SUBNET)

    def hosts_of_virtual_switch(self, id: VirtualSwitchId) -> Iterator[Host]:
        """Yield the hosts with an uplink of a virtual switch."""
        return self._related(Relation.HOSTS_OF_VIRTUAL_SWITCH, id, Kind.HOST)

    def nics_of_subnet(self, id: SubnetId) -> Iterator[Nic]:
        """Yield the NICs of a subnet."""
        return self._related(Relation.NICS_OF_SUBNET, id, Kind.NIC)

    def nics_of_host(self, id: HostId) -> Iterator[Nic]:
        """Yield the NICs of a host."""
        return self._related(Relation.NICS_OF_HOST, id, Kind.NIC)

    @abstractmethod
    def owner(self, claim: Claim) -> Key | None:
        """Return whose a unique value is, None when it is free."""

    def spans(self, key: SpanKey) -> SortedSet[Span]:
        """Return the address ranges of a VPC, which do not overlap."""
        return self._spans.get(key, _NO_SPANS)

    def _related(self, relation: Relation, id: str, kind: Kind) -> Iterator[Any]:
        table = self.table(kind)
        return (table[member] for member in self.related(relation, id))


_NO_SPANS: SortedSet[Span] = SortedSet()
