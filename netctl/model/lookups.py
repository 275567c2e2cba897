"""Lookups: what a Snapshot and a Draft have in common: finding intents by key, relation, order and unique value."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator

from netctl.model.bands import IN_EVERY_VPC, IN_SOME_REALMS, Band
from netctl.model.category import Category
from netctl.model.chain import NetworkFunction, ServiceChain
from netctl.model.floating_ip import FloatingIp
from netctl.model.groups import AddressGroup, EntityGroup, Term
from netctl.model.indexes import Claim, Relation, Scope, Span, SpanKey
from netctl.model.infra import Cluster, Host, VirtualSwitch
from netctl.model.intent import Intent
from netctl.model.keys import (
    AddressGroupId,
    CategoryId,
    ClusterId,
    EntityGroupId,
    HostId,
    Key,
    Kind,
    NetworkFunctionId,
    NicId,
    SecurityPolicyId,
    ServiceChainId,
    ServiceGroupId,
    SubnetId,
    TrafficMirrorId,
    VirtualSwitchId,
    VpcId,
)
from netctl.model.lookups_compute import ComputeLookups, Readable
from netctl.model.mirror import TrafficMirror
from netctl.model.nic import Nic
from netctl.model.relations import route_set
from netctl.model.reservation import AddressReservation
from netctl.model.route import Route
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.security_policy import PolicyScope, SecurityPolicy
from netctl.model.service import ServiceGroup
from netctl.model.sorted_set import SortedSet
from netctl.model.subnet import Subnet
from netctl.model.vpc import Vpc


class Lookups(ComputeLookups):
    """Read access by indexes. Sets of intents come in no particular order; `ids` is sorted."""

    __slots__ = ("_spans",)

    _spans: Readable[SpanKey, SortedSet[Span]]

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

    def vpc(self, id: VpcId) -> Vpc | None:
        """Return a VPC, None when there is none."""
        found: Vpc | None = self._tables[Kind.VPC].get(id)
        return found

    def category(self, id: CategoryId) -> Category | None:
        """Return a category, None when there is none."""
        found: Category | None = self._tables[Kind.CATEGORY].get(id)
        return found

    def address_group(self, id: AddressGroupId) -> AddressGroup | None:
        """Return an address group, None when there is none."""
        found: AddressGroup | None = self._tables[Kind.ADDRESS_GROUP].get(id)
        return found

    def service_group(self, id: ServiceGroupId) -> ServiceGroup | None:
        """Return a service group, None when there is none."""
        found: ServiceGroup | None = self._tables[Kind.SERVICE_GROUP].get(id)
        return found

    def entity_group(self, id: EntityGroupId) -> EntityGroup | None:
        """Return an entity group, None when there is none."""
        found: EntityGroup | None = self._tables[Kind.ENTITY_GROUP].get(id)
        return found

    def security_policy(self, id: SecurityPolicyId) -> SecurityPolicy | None:
        """Return a security policy, None when there is none."""
        found: SecurityPolicy | None = self._tables[Kind.SECURITY_POLICY].get(id)
        return found

    def network_function(self, id: NetworkFunctionId) -> NetworkFunction | None:
        """Return a network function, None when there is none."""
        found: NetworkFunction | None = self._tables[Kind.NETWORK_FUNCTION].get(id)
        return found

    def service_chain(self, id: ServiceChainId) -> ServiceChain | None:
        """Return a service chain, None when there is none."""
        found: ServiceChain | None = self._tables[Kind.SERVICE_CHAIN].get(id)
        return found

    def traffic_mirror(self, id: TrafficMirrorId) -> TrafficMirror | None:
        """Return a traffic mirror, None when there is none."""
        found: TrafficMirror | None = self._tables[Kind.TRAFFIC_MIRROR].get(id)
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
        """Yield the subnets of a cluster, of every kind."""
        return self._related(Relation.SUBNETS_OF_CLUSTER, id, Kind.SUBNET)

    def tunnels_of_virtual_switch(self, id: VirtualSwitchId) -> Iterator[Host]:
        """Yield the hosts whose tunnels go through a virtual switch."""
        return self._related(Relation.TUNNELS_OF_VIRTUAL_SWITCH, id, Kind.HOST)

    def overlays_of_cluster(self, id: ClusterId) -> Iterator[Subnet]:
        """Yield the subnets of a cluster that go through tunnels."""
        return self._related(Relation.OVERLAYS_OF_CLUSTER, id, Kind.SUBNET)

    def subnets_of_virtual_switch(self, id: VirtualSwitchId) -> Iterator[Subnet]:
        """Yield the VLAN and external subnets of a virtual switch."""
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

    def trunks_of_subnet(self, id: SubnetId) -> Iterator[Nic]:
        """Yield the trunk NICs with a VLAN on a subnet."""
        return self._related(Relation.TRUNKS_OF_SUBNET, id, Kind.NIC)

    def basic_nics_of_subnet(self, id: SubnetId) -> Iterator[Nic]:
        """Yield the NICs of a subnet, and the trunk NICs with a VLAN on it, that are plugged without OVN."""
        return self._related(Relation.BASIC_NICS_OF_SUBNET, id, Kind.NIC)

    def reservations_of_subnet(self, id: SubnetId) -> Iterator[AddressReservation]:
        """Yield the address reservations of a subnet."""
        return self._related(Relation.RESERVATIONS_OF_SUBNET, id, Kind.ADDRESS_RESERVATION)

    def subnets_of_vpc(self, id: VpcId) -> Iterator[Subnet]:
        """Yield the subnets in a VPC, on a transit VPC its external ones as well."""
        return self._related(Relation.SUBNETS_OF_VPC, id, Kind.SUBNET)

    def vpcs_of_subnet(self, id: SubnetId) -> Iterator[Vpc]:
        """Yield the VPCs that are connected to an external subnet."""
        return self._related(Relation.VPCS_OF_SUBNET, id, Kind.VPC)

    def vpcs_of_gateway(self, id: HostId) -> Iterator[Vpc]:
        """Yield the VPCs that a host may be the gateway of."""
        return self._related(Relation.VPCS_OF_GATEWAY, id, Kind.VPC)

    def floating_ips_of_subnet(self, id: SubnetId) -> Iterator[FloatingIp]:
        """Yield the floating IPs of an external subnet."""
        return self._related(Relation.FLOATING_IPS_OF_SUBNET, id, Kind.FLOATING_IP)

    def floating_ips_of_nic(self, id: NicId) -> Iterator[FloatingIp]:
        """Yield the floating IPs of a NIC."""
        return self._related(Relation.FLOATING_IPS_OF_NIC, id, Kind.FLOATING_IP)

    def floating_ips_of_vpc(self, id: VpcId) -> Iterator[FloatingIp]:
        """Yield the floating IPs of private addresses of a VPC."""
        return self._related(Relation.FLOATING_IPS_OF_VPC, id, Kind.FLOATING_IP)

    def routes_of_vpc(self, id: VpcId) -> Iterator[Route]:
        """Yield the static routes of a VPC."""
        return self._related(Relation.ROUTES_OF_VPC, id, Kind.ROUTE)

    def routes_via_subnet(self, id: SubnetId) -> Iterator[Route]:
        """Yield the routes by the gateway of an external subnet."""
        return self._related(Relation.ROUTES_VIA_SUBNET, id, Kind.ROUTE)

    def policies_of_vpc(self, id: VpcId) -> Iterator[RoutingPolicy]:
        """Yield the routing policies of a VPC."""
        return self._related(Relation.POLICIES_OF_VPC, id, Kind.ROUTING_POLICY)

    def routes_to(self, vpc: VpcId, destination: str) -> Iterator[Route]:
        """Yield the routes of a VPC to one destination."""
        return self._related(Relation.ROUTES_TO, route_set(vpc, destination), Kind.ROUTE)

    def nics_of_category(self, id: CategoryId) -> Iterator[Nic]:
        """Yield the NICs that have a category of their own, not by their subnet or VPC."""
        return self._related(Relation.NICS_OF_CATEGORY, id, Kind.NIC)

    def subnets_of_category(self, id: CategoryId) -> Iterator[Subnet]:
        """Yield the subnets that have a category of their own."""
        return self._related(Relation.SUBNETS_OF_CATEGORY, id, Kind.SUBNET)

    def vpcs_of_category(self, id: CategoryId) -> Iterator[Vpc]:
        """Yield the VPCs that have a category."""
        return self._related(Relation.VPCS_OF_CATEGORY, id, Kind.VPC)

    def groups_naming(self, term: Term) -> Iterator[EntityGroup]:
        """Yield the entity groups one of whose selectors names a term."""
        return self._related(Relation.GROUPS_NAMING, term, Kind.ENTITY_GROUP)

    def security_policies_naming(self, name: str) -> Iterator[SecurityPolicy]:
        """Yield the security policies that name a category, group, VPC or service chain by its resource name."""
        return self._related(Relation.SECURITY_POLICIES_NAMING, name, Kind.SECURITY_POLICY)

    def security_policies_of_scope(self, scope: PolicyScope) -> Iterator[SecurityPolicy]:
        """Yield the security policies of a scope."""
        return self._related(Relation.SECURITY_POLICIES_OF_SCOPE, scope.value, Kind.SECURITY_POLICY)

    def functions_of_nic(self, id: NicId) -> Iterator[NetworkFunction]:
        """Yield the network function that a NIC is a side of, if any."""
        return self._related(Relation.FUNCTIONS_OF_NIC, id, Kind.NETWORK_FUNCTION)

    def chains_of_function(self, id: NetworkFunctionId) -> Iterator[ServiceChain]:
        """Yield the service chains that a network function is in."""
        return self._related(Relation.CHAINS_OF_FUNCTION, id, Kind.SERVICE_CHAIN)

    def subnets_of_chain(self, id: ServiceChainId) -> Iterator[Subnet]:
        """Yield the subnets that a service chain is attached to."""
        return self._related(Relation.SUBNETS_OF_CHAIN, id, Kind.SUBNET)

    def policies_of_chain(self, id: ServiceChainId) -> Iterator[RoutingPolicy]:
        """Yield the routing policies that a service chain is attached to."""
        return self._related(Relation.POLICIES_OF_CHAIN, id, Kind.ROUTING_POLICY)

    def mirrors_of_host(self, id: HostId) -> Iterator[TrafficMirror]:
        """Yield the traffic mirrors on a host."""
        return self._related(Relation.MIRRORS_OF_HOST, id, Kind.TRAFFIC_MIRROR)

    def mirrors_of_nic(self, id: NicId) -> Iterator[TrafficMirror]:
        """Yield the traffic mirrors that a NIC is a source or a destination of."""
        return self._related(Relation.MIRRORS_OF_NIC, id, Kind.TRAFFIC_MIRROR)

    def mirrors_of_virtual_switch(self, id: VirtualSwitchId) -> Iterator[TrafficMirror]:
        """Yield the traffic mirrors of uplinks of a virtual switch."""
        return self._related(Relation.MIRRORS_OF_VIRTUAL_SWITCH, id, Kind.TRAFFIC_MIRROR)

    @abstractmethod
    def owner(self, claim: Claim) -> Key | None:
        """Return whose a unique value is, None when it is free."""

    @abstractmethod
    def claimed(self, scope: Scope) -> Collection[int | str]:
        """Return all values of one space that have an owner, e.g. the addresses taken in a subnet."""

    @abstractmethod
    def clause_count(self, band: Band) -> int:
        """Return how many clauses all security policies have in a band of priorities."""

    def acl_count(self, vpcs: int) -> int:
        """Return how many ACLs all security policies have when there are so many VPCs."""
        return self.clause_count(IN_EVERY_VPC) * vpcs + self.clause_count(IN_SOME_REALMS)

    def spans(self, key: SpanKey) -> SortedSet[Span]:
        """Return the address ranges of one key, which do not overlap."""
        return self._spans.get(key, _NO_SPANS)


_NO_SPANS: SortedSet[Span] = SortedSet()
