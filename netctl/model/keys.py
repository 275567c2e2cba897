"""Identity of intents: kinds, ids and keys. Source of truth for the collection names of the API."""

from __future__ import annotations

import enum
import re
from typing import NewType

from netctl.errors import InvalidIntent

ClusterId = NewType("ClusterId", str)
HostId = NewType("HostId", str)
VirtualSwitchId = NewType("VirtualSwitchId", str)
SubnetId = NewType("SubnetId", str)
NicId = NewType("NicId", str)
VpcId = NewType("VpcId", str)
FloatingIpId = NewType("FloatingIpId", str)
RouteId = NewType("RouteId", str)
RoutingPolicyId = NewType("RoutingPolicyId", str)
AddressReservationId = NewType("AddressReservationId", str)
CategoryId = NewType("CategoryId", str)
AddressGroupId = NewType("AddressGroupId", str)
ServiceGroupId = NewType("ServiceGroupId", str)
EntityGroupId = NewType("EntityGroupId", str)
SecurityPolicyId = NewType("SecurityPolicyId", str)
NetworkFunctionId = NewType("NetworkFunctionId", str)
ServiceChainId = NewType("ServiceChainId", str)
TrafficMirrorId = NewType("TrafficMirrorId", str)
VmId = NewType("VmId", str)
ImageId = NewType("ImageId", str)
VmTemplateId = NewType("VmTemplateId", str)
AffinityPolicyId = NewType("AffinityPolicyId", str)
VmMigrationId = NewType("VmMigrationId", str)
Uid = NewType("Uid", str)

_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")


class Kind(enum.StrEnum):
    """The kinds of intents; the value is the collection in resource names, `subnets/{id}`."""

    CATEGORY = "categories"
    CLUSTER = "clusters"
    VIRTUAL_SWITCH = "virtualSwitches"
    HOST = "hosts"
    VPC = "vpcs"
    SUBNET = "subnets"
    IMAGE = "images"
    VM = "vms"
    NIC = "nics"
    FLOATING_IP = "floatingIps"
    ROUTE = "routes"
    ROUTING_POLICY = "routingPolicies"
    ADDRESS_RESERVATION = "addressReservations"
    ADDRESS_GROUP = "addressGroups"
    SERVICE_GROUP = "serviceGroups"
    ENTITY_GROUP = "entityGroups"
    SECURITY_POLICY = "securityPolicies"
    NETWORK_FUNCTION = "networkFunctions"
    SERVICE_CHAIN = "serviceChains"
    TRAFFIC_MIRROR = "trafficMirrors"
    VM_TEMPLATE = "vmTemplates"
    AFFINITY_POLICY = "affinityPolicies"
    VM_MIGRATION = "vmMigrations"


# (kind, id): how every room names an intent.
Key = tuple[Kind, str]


def check_id(field: str, value: str) -> None:
    """Raise InvalidIntent unless `value` is a resource id (AIP-122: a DNS label, at most 63 characters)."""
    if not _ID.match(value):
        raise InvalidIntent(
            field,
            f"{value[:80]!r} is not an id: use 1 to 63 characters a-z, 0-9 and '-', starting with a letter"
            " and not ending with '-' (free text goes to display_name)",
        )


def resource_name(key: Key) -> str:
    """Return the API's name of a key, `subnets/web`."""
    return f"{key[0].value}/{key[1]}"
