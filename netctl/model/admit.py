"""Gate 2: does an edit fit what is stored? In goes an edit, out come the intents to store; the draft has them already.

Everything that is allocated or random is decided here, once (rule 5 of the house): compiling later is a function of
what is stored. Every check is a look into an index; none walks all intents.
"""

from __future__ import annotations

from netctl.errors import AlreadyExists, Conflict, InvalidIntent, NotFound
from netctl.model import gateways, mtu, vm_moves
from netctl.model.admit_affinity import admit_affinity_policy
from netctl.model.admit_chain import admit_network_function, admit_service_chain
from netctl.model.admit_floating_ip import admit_floating_ip
from netctl.model.admit_image import admit_image, stored
from netctl.model.admit_infra import admit_cluster, admit_host, admit_virtual_switch
from netctl.model.admit_mirror import admit_traffic_mirror, check_mirrors
from netctl.model.admit_nic import admit_nic, released, restacked
from netctl.model.admit_reservation import admit_reservation
from netctl.model.admit_route import admit_route
from netctl.model.admit_routing_policy import admit_routing_policy
from netctl.model.admit_security import (
    admit_address_group,
    admit_category,
    admit_entity_group,
    admit_service_group,
)
from netctl.model.admit_security_policy import admit_security_policy
from netctl.model.admit_subnet import admit_subnet
from netctl.model.admit_template import admit_vm_template
from netctl.model.admit_vm import admit_vm
from netctl.model.admit_vm_migration import admit_vm_migration, advance, check_ended, given_up, prune
from netctl.model.admit_vpc import admit_vpc
from netctl.model.affinity import AffinityPolicy
from netctl.model.category import Category
from netctl.model.chain import NetworkFunction, ServiceChain
from netctl.model.chaining import check_chaining
from netctl.model.dependents import dependents_of
from netctl.model.floating_ip import FloatingIp
from netctl.model.groups import AddressGroup, EntityGroup
from netctl.model.image import Image
from netctl.model.infra import Cluster, Host, VirtualSwitch
from netctl.model.intent import (
    Advance,
    Create,
    Edit,
    Intent,
    Place,
    Purge,
    Remove,
    Replace,
    Restack,
    StoreImage,
    key_of,
    target_of,
)
from netctl.model.keys import Key, Kind, resource_name
from netctl.model.mirror import TrafficMirror
from netctl.model.nic import Nic
from netctl.model.reservation import AddressReservation
from netctl.model.route import Route
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.security_policy import SecurityPolicy
from netctl.model.service import ServiceGroup
from netctl.model.snapshot import Draft
from netctl.model.stacks import check_stacks
from netctl.model.stamp import Admitted, Context, in_use, updated
from netctl.model.subnet import Subnet
from netctl.model.template import VmTemplate
from netctl.model.vm import Vm
from netctl.model.vm_migration import VmMigration
from netctl.model.vpc import Vpc

__all__ = ["Admitted", "Context", "admit"]


def admit(edit: Edit, draft: Draft, context: Context) -> tuple[Admitted, ...]:
    """Check an edit, decide what it leaves open and put the result into the draft.

    The first answer is the intent asked for. After it come others that follow: subnets whose MTU a network below
    limits, VPCs whose gateway was the host that goes. An edit that changes nothing answers the stored intent as both
    before and after. On any error the draft is as before.
    """
    mark = draft.mark()
    admitted: tuple[Admitted, ...] = ()
    try:
        if isinstance(edit, Remove):
            admitted = _remove(edit, draft, context)
        elif isinstance(edit, Restack):
            admitted = _restack(edit, draft, context)
        elif isinstance(edit, Create | Replace):
            admitted = _store(edit, draft, context)
        else:
            admitted = _do(edit, draft, context)
    finally:
        if not admitted:
            draft.rollback(mark)
    return admitted


def _store(edit: Create | Replace, draft: Draft, context: Context) -> tuple[Admitted, ...]:
    key = key_of(edit.intent)
    before = draft.get(key)
    _check_present(edit, key, before)
    after = _decide(edit.intent, before, draft, context)
    if isinstance(edit, Replace) and edit.release and isinstance(after, Nic):
        after = released(after, edit.intent, draft)
    if before is not None:
        if after == before:
            return (Admitted(key=key, before=before, after=before),)
        after = updated(after, context)
    draft.put(after)
    check_stacks(before, after, draft)
    check_mirrors(before, after, draft)
    check_chaining(before, after, draft, context)
    return _with_followers(Admitted(key=key, before=before, after=after), draft, context)


def _remove(edit: Remove, draft: Draft, context: Context) -> tuple[Admitted, ...]:
    before = _present(edit.key, edit.if_revision, draft)
    if isinstance(before, Vm):
        return vm_moves.removed(before, draft, context)
    if isinstance(before, VmMigration):
        check_ended(before)
    dependents = dependents_of(before, draft)
    if dependents:
        raise in_use(f"{resource_name(edit.key)} is in use", dependents, field="name")
    draft.remove(edit.key)
    return _with_followers(Admitted(key=edit.key, before=before, after=None), draft, context)


def _restack(edit: Restack, draft: Draft, context: Context) -> tuple[Admitted, ...]:
    key: Key = (Kind.NIC, edit.nic)
    before = _present(key, edit.if_revision, draft)
    assert isinstance(before, Nic)
    after: Intent = restacked(before, basic=edit.basic, draft=draft)
    if after == before:
        return (Admitted(key=key, before=before, after=before),)
    after = updated(after, context)
    draft.put(after)
    check_mirrors(before, after, draft)
    return (Admitted(key=key, before=before, after=after),)


def _do(edit: Place | Purge | StoreImage | Advance, draft: Draft, context: Context) -> tuple[Admitted, ...]:
    """Do what our own loops ask for."""
    key = target_of(edit)
    before = _present(key, edit.if_revision if isinstance(edit, Place) else 0, draft)
    match edit, before:
        case Place(), Vm():
            return vm_moves.place(edit, before, draft, context)
        case Purge(), Vm():
            if not before.deleting:
                raise InvalidIntent("vm", f"vms/{before.id} is not being deleted: remove it first")
            return vm_moves.purged(before, draft)
        case Advance(), VmMigration():
            return advance(edit, before, draft, context)
        case StoreImage(), Image():
            after: Intent = stored(before, edit)
            if after is not before:
                after = updated(after, context)
                draft.put(after)
            return (Admitted(key=key, before=before, after=after),)
    raise TypeError(f"{type(edit).__name__} of {type(before).__name__}")


def _present(key: Key, if_revision: int, draft: Draft) -> Intent:
    before = draft.get(key)
    if before is None:
        raise NotFound(f"{resource_name(key)[:100]} does not exist", field="name")
    _check_revision(if_revision, key, before)
    return before


def _with_followers(first: Admitted, draft: Draft, context: Context) -> tuple[Admitted, ...]:
    """Return a change with those that it brings: MTUs that follow, gateways that move."""
    moved = gateways.follow(draft, first.before, first.after, context)
    if isinstance(first.before, Host) and first.after is None:
        moved += vm_moves.remains_of(first.before.id, draft)
    elif isinstance(first.after, VmMigration) and first.before is None:
        moved += prune(first.after, draft)
    elif isinstance(first.before, Vm) and isinstance(first.after, Vm):
        moved += given_up(first.before, first.after, draft, context)
    if mtu.needs_refit(draft, first.before, first.after):
        return (first, *moved, *mtu.refit(draft, first.before, first.after, context))
    return (first, *moved)


def _check_present(edit: Create | Replace, key: Key, before: Intent | None) -> None:
    if isinstance(edit, Create):
        if before is not None:
            raise AlreadyExists(f"{resource_name(key)} exists: use another name or change it", field="name")
    elif before is not None:
        _check_revision(edit.if_revision, key, before)
    elif edit.if_revision or not edit.or_create:
        raise NotFound(f"{resource_name(key)} does not exist: create it first", field="name")


def _check_revision(if_revision: int, key: Key, before: Intent) -> None:
    if if_revision and if_revision != before.meta.revision:
        raise Conflict(
            f"{resource_name(key)} is at revision {before.meta.revision}, not {if_revision}: read it again and retry",
            field="if_revision",
        )


def _decide(asked: Intent, before: Intent | None, draft: Draft, context: Context) -> Intent:
    """Return `asked` with all that admission decides; what its predecessor has of that is kept."""
    match asked, before:
        case Nic(), Nic() | None:
            return admit_nic(asked, before, draft, context)
        case Subnet(), Subnet() | None:
            return admit_subnet(asked, before, draft, context)
        case Host(), Host() | None:
            return admit_host(asked, before, draft, context)
        case VirtualSwitch(), VirtualSwitch() | None:
            return admit_virtual_switch(asked, before, draft, context)
        case Cluster(), Cluster() | None:
            return admit_cluster(asked, before, draft, context)
    return _decide_routing(asked, before, draft, context)


def _decide_routing(asked: Intent, before: Intent | None, draft: Draft, context: Context) -> Intent:
    match asked, before:
        case FloatingIp(), FloatingIp() | None:
            return admit_floating_ip(asked, before, draft, context)
        case Vpc(), Vpc() | None:
            return admit_vpc(asked, before, draft, context)
        case Route(), Route() | None:
            return admit_route(asked, before, draft, context)
        case RoutingPolicy(), RoutingPolicy() | None:
            return admit_routing_policy(asked, before, draft, context)
        case AddressReservation(), AddressReservation() | None:
            return admit_reservation(asked, before, draft, context)
    return _decide_security(asked, before, draft, context)


def _decide_security(asked: Intent, before: Intent | None, draft: Draft, context: Context) -> Intent:
    match asked, before:
        case SecurityPolicy(), SecurityPolicy() | None:
            return admit_security_policy(asked, before, draft, context)
        case Category(), Category() | None:
            return admit_category(asked, before, draft, context)
        case EntityGroup(), EntityGroup() | None:
            return admit_entity_group(asked, before, draft, context)
        case AddressGroup(), AddressGroup() | None:
            return admit_address_group(asked, before, draft, context)
        case ServiceGroup(), ServiceGroup() | None:
            return admit_service_group(asked, before, draft, context)
    return _decide_chaining(asked, before, draft, context)


def _decide_chaining(asked: Intent, before: Intent | None, draft: Draft, context: Context) -> Intent:
    match asked, before:
        case NetworkFunction(), NetworkFunction() | None:
            return admit_network_function(asked, before, draft, context)
        case ServiceChain(), ServiceChain() | None:
            return admit_service_chain(asked, before, draft, context)
        case TrafficMirror(), TrafficMirror() | None:
            return admit_traffic_mirror(asked, before, draft, context)
    return _decide_compute(asked, before, draft, context)


def _decide_compute(asked: Intent, before: Intent | None, draft: Draft, context: Context) -> Intent:
    match asked, before:
        case Vm(), Vm() | None:
            return admit_vm(asked, before, draft, context)
        case Image(), Image() | None:
            return admit_image(asked, before, draft, context)
        case VmTemplate(), VmTemplate() | None:
            return admit_vm_template(asked, before, draft, context)
        case AffinityPolicy(), AffinityPolicy() | None:
            return admit_affinity_policy(asked, before, draft, context)
        case VmMigration(), VmMigration() | None:
            return admit_vm_migration(asked, before, draft, context)
    raise TypeError(f"{type(asked).__name__} under the key of {type(before).__name__}")
