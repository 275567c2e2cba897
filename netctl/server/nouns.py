"""All nouns as the generic services see them: one descriptor each, in a plain tuple."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from netctl.errors import InvalidIntent
from netctl.model.category import Category
from netctl.model.chain import NetworkFunction, ServiceChain
from netctl.model.floating_ip import FloatingIp
from netctl.model.groups import PEERS, SECURABLE, SELECTABLE, AddressGroup, EntityGroup
from netctl.model.infra import Cluster, Host, VirtualSwitch
from netctl.model.intent import Intent
from netctl.model.keys import Key, Kind
from netctl.model.mirror import TrafficMirror
from netctl.model.nic import Nic
from netctl.model.reservation import AddressReservation
from netctl.model.route import Route
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.security_policy import SecurityPolicy
from netctl.model.service import ServiceGroup
from netctl.model.status import Status
from netctl.model.subnet import Subnet
from netctl.model.vpc import Vpc
from netctl.server import (
    convert_chain,
    convert_infra,
    convert_network,
    convert_policy,
    convert_security,
    convert_security_policy,
    convert_vpc,
)
from netctl.server.convert import AnyResource
from netctl.server.noun import OUTPUT_ONLY, Noun
from netctl.server.nouns_compute import AFFINITY_POLICY, IMAGE, VM, VM_MIGRATION, VM_TEMPLATE
from netctl.v1 import chain_pb2, infra_pb2, network_pb2, operations_pb2, security_pb2, vpc_pb2

_CATEGORIES = {"categories": "categories/"}
_SERVICE_CHAIN = {"service_chain": "serviceChains/"}


def _collections(kinds: Iterable[Kind]) -> tuple[str, ...]:
    return tuple(f"{kind.value}/" for kind in kinds)


CLUSTER = Noun(
    kind=Kind.CLUSTER,
    field="cluster",
    message=infra_pb2.Cluster,
    intent=Cluster,
    from_proto=convert_infra.cluster_from_proto,
    to_proto=convert_infra.cluster_to_proto,
    to_request=lambda cluster: convert_infra.cluster_to_proto(cluster, None),
    references={},
    output_only=OUTPUT_ONLY | {"cpu_baseline"},
    derived=frozenset({"cpu_baseline"}),
)
HOST = Noun(
    kind=Kind.HOST,
    field="host",
    message=infra_pb2.Host,
    intent=Host,
    from_proto=convert_infra.host_from_proto,
    to_proto=convert_infra.host_to_proto,
    to_request=lambda host: convert_infra.host_to_proto(host, None),
    references={
        "cluster": "clusters/",
        "tunnel_virtual_switch": "virtualSwitches/",
        "uplinks.virtual_switch": "virtualSwitches/",
        "internal_ports.virtual_switch": "virtualSwitches/",
        **_CATEGORIES,
    },
    output_only=OUTPUT_ONLY | {"remaining_vms"},
    derived=frozenset({"remaining_vms"}),
)
VIRTUAL_SWITCH = Noun(
    kind=Kind.VIRTUAL_SWITCH,
    field="virtual_switch",
    message=infra_pb2.VirtualSwitch,
    intent=VirtualSwitch,
    from_proto=convert_infra.virtual_switch_from_proto,
    to_proto=convert_infra.virtual_switch_to_proto,
    to_request=convert_infra.virtual_switch_to_request,
    references={"cluster": "clusters/"},
    output_only=OUTPUT_ONLY | {"pending_hosts"},
    derived=frozenset({"pending_hosts"}),
)
SUBNET = Noun(
    kind=Kind.SUBNET,
    field="subnet",
    message=network_pb2.Subnet,
    intent=Subnet,
    from_proto=convert_network.subnet_from_proto,
    to_proto=convert_network.subnet_to_proto,
    to_request=convert_network.subnet_to_request,
    references={
        "virtual_switches": "virtualSwitches/",
        "clusters": "clusters/",
        "vpc": "vpcs/",
        **_CATEGORIES,
        **_SERVICE_CHAIN,
    },
    output_only=OUTPUT_ONLY | {"vni", "dhcp.server_mac_address", "gateway_mac_address", "migration"},
    derived=frozenset({"migration"}),
)
NIC = Noun(
    kind=Kind.NIC,
    field="nic",
    message=network_pb2.Nic,
    intent=Nic,
    from_proto=convert_network.nic_from_proto,
    to_proto=convert_network.nic_to_proto,
    to_request=convert_network.nic_to_request,
    references={
        "subnet": "subnets/",
        "host": "hosts/",
        "trunk_vlans.subnet": "subnets/",
        "vm": "vms/",
        **_CATEGORIES,
    },
    output_only=OUTPUT_ONLY | {"tap_name", "basic"},
)
VPC = Noun(
    kind=Kind.VPC,
    field="vpc",
    message=vpc_pb2.Vpc,
    intent=Vpc,
    from_proto=convert_vpc.vpc_from_proto,
    to_proto=convert_vpc.vpc_to_proto,
    to_request=lambda vpc: convert_vpc.vpc_to_proto(vpc, None),
    references={
        "external_connections.subnet": "subnets/",
        "external_connections.gateway_hosts": "hosts/",
        "external_connections.gateways": "hosts/",
        **_CATEGORIES,
    },
    output_only=OUTPUT_ONLY | {"vni"},
)
FLOATING_IP = Noun(
    kind=Kind.FLOATING_IP,
    field="floating_ip",
    message=vpc_pb2.FloatingIp,
    intent=FloatingIp,
    from_proto=convert_vpc.floating_ip_from_proto,
    to_proto=convert_vpc.floating_ip_to_proto,
    to_request=lambda floating: convert_vpc.floating_ip_to_proto(floating, None),
    references={"external_subnet": "subnets/", "nic": "nics/", "vpc": "vpcs/"},
    output_only=OUTPUT_ONLY | {"mac_address"},
)
ROUTE = Noun(
    kind=Kind.ROUTE,
    field="route",
    message=vpc_pb2.Route,
    intent=Route,
    from_proto=convert_vpc.route_from_proto,
    to_proto=convert_vpc.route_to_proto,
    to_request=lambda route: convert_vpc.route_to_proto(route, None),
    references={"vpc": "vpcs/", "next_hops.external_subnet": "subnets/"},
)
ROUTING_POLICY = Noun(
    kind=Kind.ROUTING_POLICY,
    field="routing_policy",
    message=vpc_pb2.RoutingPolicy,
    intent=RoutingPolicy,
    from_proto=convert_policy.routing_policy_from_proto,
    to_proto=convert_policy.routing_policy_to_proto,
    to_request=lambda policy: convert_policy.routing_policy_to_proto(policy, None),
    references={"vpc": "vpcs/", **_SERVICE_CHAIN},
)
ADDRESS_RESERVATION = Noun(
    kind=Kind.ADDRESS_RESERVATION,
    field="address_reservation",
    message=vpc_pb2.AddressReservation,
    intent=AddressReservation,
    from_proto=convert_policy.reservation_from_proto,
    to_proto=convert_policy.reservation_to_proto,
    to_request=lambda reservation: convert_policy.reservation_to_proto(reservation, None),
    references={"subnet": "subnets/"},
    output_only=OUTPUT_ONLY | {"reserved"},
)
CATEGORY = Noun(
    kind=Kind.CATEGORY,
    field="category",
    message=security_pb2.Category,
    intent=Category,
    from_proto=convert_security.category_from_proto,
    to_proto=convert_security.category_to_proto,
    to_request=lambda category: convert_security.category_to_proto(category, None),
    references={},
)
ADDRESS_GROUP = Noun(
    kind=Kind.ADDRESS_GROUP,
    field="address_group",
    message=security_pb2.AddressGroup,
    intent=AddressGroup,
    from_proto=convert_security.address_group_from_proto,
    to_proto=convert_security.address_group_to_proto,
    to_request=lambda group: convert_security.address_group_to_proto(group, None),
    references={},
)
SERVICE_GROUP = Noun(
    kind=Kind.SERVICE_GROUP,
    field="service_group",
    message=security_pb2.ServiceGroup,
    intent=ServiceGroup,
    from_proto=convert_security.service_group_from_proto,
    to_proto=convert_security.service_group_to_proto,
    to_request=lambda group: convert_security.service_group_to_proto(group, None),
    references={},
)
ENTITY_GROUP = Noun(
    kind=Kind.ENTITY_GROUP,
    field="entity_group",
    message=security_pb2.EntityGroup,
    intent=EntityGroup,
    from_proto=convert_security.entity_group_from_proto,
    to_proto=convert_security.entity_group_to_proto,
    to_request=lambda group: convert_security.entity_group_to_proto(group, None),
    references={},
    terms={f"{field}.all_of": _collections(SELECTABLE) for field in ("include", "except")},
)
SECURITY_POLICY = Noun(
    kind=Kind.SECURITY_POLICY,
    field="security_policy",
    message=security_pb2.SecurityPolicy,
    intent=SecurityPolicy,
    from_proto=convert_security_policy.security_policy_from_proto,
    to_proto=convert_security_policy.security_policy_to_proto,
    to_request=lambda policy: convert_security_policy.security_policy_to_proto(policy, None),
    references={
        "vpcs": "vpcs/",
        "rules.service_groups": "serviceGroups/",
        "rules.service_chain": "serviceChains/",
    },
    terms={
        "secured": _collections(SECURABLE),
        "rules.applied_to": _collections(SECURABLE),
        "rules.peers": _collections(PEERS),
    },
)
NETWORK_FUNCTION = Noun(
    kind=Kind.NETWORK_FUNCTION,
    field="network_function",
    message=chain_pb2.NetworkFunction,
    intent=NetworkFunction,
    from_proto=convert_chain.network_function_from_proto,
    to_proto=convert_chain.network_function_to_proto,
    to_request=lambda function: convert_chain.network_function_to_proto(function, None),
    references={"nic_pairs.ingress_nic": "nics/", "nic_pairs.egress_nic": "nics/"},
)
SERVICE_CHAIN = Noun(
    kind=Kind.SERVICE_CHAIN,
    field="service_chain",
    message=chain_pb2.ServiceChain,
    intent=ServiceChain,
    from_proto=convert_chain.service_chain_from_proto,
    to_proto=convert_chain.service_chain_to_proto,
    to_request=lambda chain: convert_chain.service_chain_to_proto(chain, None),
    references={"network_functions": "networkFunctions/"},
)
TRAFFIC_MIRROR = Noun(
    kind=Kind.TRAFFIC_MIRROR,
    field="traffic_mirror",
    message=chain_pb2.TrafficMirror,
    intent=TrafficMirror,
    from_proto=convert_chain.traffic_mirror_from_proto,
    to_proto=convert_chain.traffic_mirror_to_proto,
    to_request=lambda mirror: convert_chain.traffic_mirror_to_proto(mirror, None),
    references={
        "host": "hosts/",
        "sources.nic": "nics/",
        "sources.virtual_switch": "virtualSwitches/",
        "destinations": "nics/",
    },
)

AnyNoun = Noun[AnyResource, Intent]
# A noun takes and gives only its own types; that a tuple of different ones is used rightly is looked up by kind.
NOUNS: tuple[AnyNoun, ...] = cast(
    "tuple[AnyNoun, ...]",
    (
        CLUSTER,
        HOST,
        VIRTUAL_SWITCH,
        VPC,
        SUBNET,
        NIC,
        FLOATING_IP,
        ROUTE,
        ROUTING_POLICY,
        ADDRESS_RESERVATION,
        CATEGORY,
        ADDRESS_GROUP,
        SERVICE_GROUP,
        ENTITY_GROUP,
        SECURITY_POLICY,
        NETWORK_FUNCTION,
        SERVICE_CHAIN,
        TRAFFIC_MIRROR,
        VM,
        IMAGE,
        VM_TEMPLATE,
        AFFINITY_POLICY,
        VM_MIGRATION,
    ),
)
BY_KIND: Mapping[Kind, AnyNoun] = {noun.kind: noun for noun in NOUNS}
_BY_FIELD: Mapping[str, AnyNoun] = {noun.field: noun for noun in NOUNS}


def opened(resource: operations_pb2.Resource, field: str) -> tuple[AnyNoun, AnyResource]:
    """Return the noun and message in a `Resource`; `field` is its path, for the error when it is empty."""
    which = resource.WhichOneof("resource")
    if which is None:
        raise InvalidIntent(field, f"holds no resource; set one of {', '.join(_BY_FIELD)}")
    return _BY_FIELD[which], getattr(resource, which)


def wrapped(key: Key, intent: Intent, status: Status | None = None) -> operations_pb2.Resource:
    """Return a `Resource` that holds an intent."""
    noun = BY_KIND[key[0]]
    resource = operations_pb2.Resource()
    getattr(resource, noun.field).CopyFrom(noun.to_proto(intent, status))
    return resource
