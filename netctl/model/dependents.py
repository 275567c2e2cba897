"""What needs an intent that is to be removed: each kind's dependents by index."""

from __future__ import annotations

from itertools import chain

from netctl.model.indexes import Relation
from netctl.model.intent import Intent, key_of
from netctl.model.keys import Key, Kind, resource_name
from netctl.model.networks import users_inside
from netctl.model.nic import Nic
from netctl.model.nic_users import held_by, users_of
from netctl.model.snapshot import Draft
from netctl.model.subnet import Subnet

# A gateway host is not here: its VPCs choose another one, see gateways.py.
_DEPENDENTS: dict[Kind, tuple[tuple[Relation, Kind], ...]] = {
    Kind.CLUSTER: (
        (Relation.HOSTS_OF_CLUSTER, Kind.HOST),
        (Relation.VIRTUAL_SWITCHES_OF_CLUSTER, Kind.VIRTUAL_SWITCH),
        (Relation.OVERLAYS_OF_CLUSTER, Kind.SUBNET),
    ),
    Kind.VIRTUAL_SWITCH: (
        (Relation.SUBNETS_OF_VIRTUAL_SWITCH, Kind.SUBNET),
        (Relation.HOSTS_OF_VIRTUAL_SWITCH, Kind.HOST),
        (Relation.MIRRORS_OF_VIRTUAL_SWITCH, Kind.TRAFFIC_MIRROR),
    ),
    Kind.HOST: (
        (Relation.NICS_OF_HOST, Kind.NIC),
        (Relation.MIRRORS_OF_HOST, Kind.TRAFFIC_MIRROR),
    ),
    Kind.VPC: (
        (Relation.SUBNETS_OF_VPC, Kind.SUBNET),
        (Relation.FLOATING_IPS_OF_VPC, Kind.FLOATING_IP),
        (Relation.ROUTES_OF_VPC, Kind.ROUTE),
        (Relation.POLICIES_OF_VPC, Kind.ROUTING_POLICY),
    ),
    Kind.SUBNET: (
        (Relation.NICS_OF_SUBNET, Kind.NIC),
        (Relation.TRUNKS_OF_SUBNET, Kind.NIC),
        (Relation.VPCS_OF_SUBNET, Kind.VPC),
        (Relation.FLOATING_IPS_OF_SUBNET, Kind.FLOATING_IP),
        (Relation.ROUTES_VIA_SUBNET, Kind.ROUTE),
        (Relation.RESERVATIONS_OF_SUBNET, Kind.ADDRESS_RESERVATION),
    ),
    Kind.NIC: (
        (Relation.FLOATING_IPS_OF_NIC, Kind.FLOATING_IP),
        (Relation.FUNCTIONS_OF_NIC, Kind.NETWORK_FUNCTION),
        (Relation.MIRRORS_OF_NIC, Kind.TRAFFIC_MIRROR),
    ),
    Kind.FLOATING_IP: (),
    Kind.ROUTE: (),
    Kind.ROUTING_POLICY: (),
    Kind.ADDRESS_RESERVATION: (),
    Kind.CATEGORY: (
        (Relation.NICS_OF_CATEGORY, Kind.NIC),
        (Relation.SUBNETS_OF_CATEGORY, Kind.SUBNET),
        (Relation.VPCS_OF_CATEGORY, Kind.VPC),
    ),
    Kind.ADDRESS_GROUP: (),
    Kind.SERVICE_GROUP: (),
    Kind.ENTITY_GROUP: (),
    Kind.SECURITY_POLICY: (),
    Kind.NETWORK_FUNCTION: ((Relation.CHAINS_OF_FUNCTION, Kind.SERVICE_CHAIN),),
    Kind.SERVICE_CHAIN: (
        (Relation.SUBNETS_OF_CHAIN, Kind.SUBNET),
        (Relation.POLICIES_OF_CHAIN, Kind.ROUTING_POLICY),
    ),
    Kind.TRAFFIC_MIRROR: (),
}
# These know what they name by its resource name.
_NAMING = (
    (Relation.GROUPS_NAMING, Kind.ENTITY_GROUP),
    (Relation.SECURITY_POLICIES_NAMING, Kind.SECURITY_POLICY),
)


def dependents_of(intent: Intent, draft: Draft) -> tuple[Key, ...]:
    """Return the keys of what must be changed or removed before an intent can go, each once."""
    kind, id = key_of(intent)
    found = chain.from_iterable(
        ((dependent, other) for other in draft.related(relation, id))
        for relation, dependent in _DEPENDENTS[kind]
    )
    name = resource_name((kind, id))
    more: list[Key] = [
        (dependent, other) for relation, dependent in _NAMING for other in draft.related(relation, name)
    ]
    if isinstance(intent, Subnet) and intent.vpc:
        for config in (intent.ipv4, intent.ipv6):
            more += users_inside(draft, intent.vpc, config.cidr) if config is not None else ()
    elif isinstance(intent, Nic):
        more += users_of(held_by(intent), draft)
    return tuple(dict.fromkeys((*found, *more)))
