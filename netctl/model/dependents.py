"""What needs an intent that is to be removed: each kind's dependents by index."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from netctl.model.disk import DiskKind
from netctl.model.image import Image
from netctl.model.indexes import Relation
from netctl.model.infra import Host
from netctl.model.intent import Intent, key_of
from netctl.model.keys import ImageId, Key, Kind, VmId, resource_name
from netctl.model.networks import users_inside
from netctl.model.nic import Nic
from netctl.model.nic_users import held_by, users_of
from netctl.model.snapshot import Draft
from netctl.model.subnet import Subnet
from netctl.model.vm import Vm

# A gateway host is not here: its VPCs choose another one, see gateways.py.
_DEPENDENTS: dict[Kind, tuple[tuple[Relation, Kind], ...]] = {
    Kind.CLUSTER: (
        (Relation.HOSTS_OF_CLUSTER, Kind.HOST),
        (Relation.VIRTUAL_SWITCHES_OF_CLUSTER, Kind.VIRTUAL_SWITCH),
        (Relation.OVERLAYS_OF_CLUSTER, Kind.SUBNET),
        (Relation.VMS_OF_CLUSTER, Kind.VM),
    ),
    Kind.VIRTUAL_SWITCH: (
        (Relation.SUBNETS_OF_VIRTUAL_SWITCH, Kind.SUBNET),
        (Relation.HOSTS_OF_VIRTUAL_SWITCH, Kind.HOST),
        (Relation.MIRRORS_OF_VIRTUAL_SWITCH, Kind.TRAFFIC_MIRROR),
    ),
    Kind.HOST: (
        (Relation.NICS_OF_HOST, Kind.NIC),
        (Relation.MIRRORS_OF_HOST, Kind.TRAFFIC_MIRROR),
        (Relation.VMS_FOR_HOST, Kind.VM),
        (Relation.AFFINITIES_OF_HOST, Kind.AFFINITY_POLICY),
        (Relation.ACTIVE_MIGRATIONS_OF_HOST, Kind.VM_MIGRATION),
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
        (Relation.HOSTS_OF_CATEGORY, Kind.HOST),
        (Relation.VMS_OF_CATEGORY, Kind.VM),
        (Relation.AFFINITIES_OF_CATEGORY, Kind.AFFINITY_POLICY),
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
    Kind.IMAGE: ((Relation.TEMPLATES_OF_IMAGE, Kind.VM_TEMPLATE),),
    Kind.VM: ((Relation.AFFINITIES_OF_VM, Kind.AFFINITY_POLICY),),
    Kind.VM_TEMPLATE: (),
    Kind.AFFINITY_POLICY: (),
    Kind.VM_MIGRATION: (),
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
        more += _moving(intent.vm, draft) if intent.vm else ()
    elif isinstance(intent, Vm | Image | Host):
        more += _machines_of(intent, draft)
    return tuple(dict.fromkeys((*found, *more)))


def _machines_of(intent: Vm | Image | Host, draft: Draft) -> Iterator[Key]:
    """Yield the virtual machines, and what moves them or is made of them, that need an intent."""
    match intent:
        case Host():
            # What is being deleted there goes with its host.
            yield from ((Kind.VM, vm.id) for vm in draft.vms_of_host(intent.id) if not vm.deleting)
        case Image():
            yield from ((Kind.VM, vm.id) for vm in draft.vms_of_image(intent.id) if _shows(vm, intent.id))
        case Vm():
            yield from _moving(intent.id, draft)
            yield from copies_ahead(intent, draft)


def _moving(vm: VmId, draft: Draft) -> list[Key]:
    migration = draft.active_migration_of(vm)
    return [(Kind.VM_MIGRATION, migration.id)] if migration is not None else []


def _shows(vm: Vm, image: ImageId) -> bool:
    """Does a machine need an image: has it not copied it yet, or is it in its drive?"""
    disks = (disk for disk in vm.disks if disk.image == image)
    return not vm.deleting and any(disk.kind is DiskKind.CDROM or not vm.host for disk in disks)


def copies_ahead(vm: Vm, draft: Draft) -> list[Key]:
    """Return what is still to be made of the disks of a machine."""
    found: list[Key] = [(Kind.VM, other.id) for other in draft.copies_of_vm(vm.id) if not other.host]
    found += ((Kind.IMAGE, image.id) for image in draft.images_of_vm(vm.id))
    return found
