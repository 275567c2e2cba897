"""Gate 3: is an intent in the network? Pure: snapshot, what the passes did, what hosts report -> Status."""

from __future__ import annotations

from netctl.model.affinity import AffinityPolicy
from netctl.model.chain import NetworkFunction, ServiceChain
from netctl.model.floating_ip import FloatingIp
from netctl.model.image import Image
from netctl.model.infra import Cluster, Host, VirtualSwitch
from netctl.model.intent import Intent
from netctl.model.keys import Key
from netctl.model.mirror import TrafficMirror
from netctl.model.nic import Nic
from netctl.model.reservation import AddressReservation
from netctl.model.route import Route
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.security_policy import SecurityPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.status import Phase, Status
from netctl.model.subnet import Subnet
from netctl.model.template import VmTemplate
from netctl.model.vm import Vm
from netctl.model.vm_migration import VmMigration
from netctl.model.vpc import Vpc
from netctl.reconciler.status_affinity import affinity_verdict
from netctl.reconciler.status_chain import chain_verdict, function_verdict
from netctl.reconciler.status_host import host_verdict, virtual_switch_verdict
from netctl.reconciler.status_image import image_verdict
from netctl.reconciler.status_migration import migration_verdict
from netctl.reconciler.status_nic import mirror_verdict, nic_verdict
from netctl.reconciler.status_security import security_policy_verdict
from netctl.reconciler.status_template import template_verdict
from netctl.reconciler.status_vm import vm_verdict
from netctl.reconciler.status_vpc import (
    PROGRAMMED,
    Verdict,
    floating_ip_verdict,
    policy_verdict,
    route_verdict,
    subnet_verdict,
    vpc_verdict,
)
from netctl.reconciler.world import World

__all__ = ["World", "status_of"]


def status_of(key: Key, snapshot: Snapshot, world: World) -> Status | None:
    """Return the status of an intent; None when it does not exist."""
    intent = snapshot.get(key)
    if intent is None:
        return None
    phase, reason, message = _verdict(key, intent, snapshot, world)
    return Status(phase=phase, reason=reason, message=message, revision=intent.meta.revision)


def _verdict(key: Key, intent: Intent, snapshot: Snapshot, world: World) -> Verdict:
    if isinstance(intent, (Cluster, AddressReservation)):
        return PROGRAMMED
    if isinstance(intent, VirtualSwitch):
        return virtual_switch_verdict(intent, snapshot, world)
    if isinstance(intent, Host):
        return host_verdict(intent, snapshot, world)
    if isinstance(intent, (Vm, Image, VmTemplate, AffinityPolicy, VmMigration)):
        return _of_compute(intent, snapshot, world)
    if isinstance(intent, TrafficMirror):
        return mirror_verdict(intent, snapshot, world)
    if isinstance(intent, Nic) and not intent.has_port and intent.has_subnet:
        return nic_verdict(intent, snapshot, world)  # OVN has no part in it
    poison = world.poison.get(key)
    if poison is not None:
        return Phase.FAILED, "REJECTED_BY_OVN", f"{poison.message}; its rows are left as they were"
    if world.northbound_revision < intent.meta.revision:
        return Phase.PENDING, "WAITING_FOR_NORTHBOUND", world.held or "the next pass writes it"
    if isinstance(intent, Nic):
        return nic_verdict(intent, snapshot, world)
    if world.sb_cfg < world.required_cfg(intent.meta.revision):
        return Phase.PENDING, "WAITING_FOR_NORTHD", "ovn-northd has not worked it off yet; is it running?"
    return _routed(intent, snapshot, world)


def _of_compute(
    intent: Vm | Image | VmTemplate | AffinityPolicy | VmMigration, snapshot: Snapshot, world: World
) -> Verdict:
    """Say how far what OVN has no part in is."""
    match intent:
        case Vm():
            return vm_verdict(intent, snapshot, world)
        case Image():
            return image_verdict(intent, snapshot, world)
        case VmTemplate():
            return template_verdict(intent, snapshot)
        case AffinityPolicy():
            return affinity_verdict(intent, snapshot)
    return migration_verdict(intent, world)


def _routed(intent: Intent, snapshot: Snapshot, world: World) -> Verdict:
    match intent:
        case Subnet():
            return subnet_verdict(intent, world.observed)
        case Vpc():
            return vpc_verdict(snapshot, intent, world.observed, world.heard)
        case FloatingIp():
            return floating_ip_verdict(snapshot, intent, world.observed)
        case Route():
            return route_verdict(snapshot, intent, world.observed)
        case RoutingPolicy():
            return policy_verdict(intent, world.observed)
        case SecurityPolicy():
            behind = world.behind(world.required_cfg(intent.meta.revision))
            return security_policy_verdict(snapshot, intent, world.observed, behind)
        case NetworkFunction():
            return function_verdict(intent, snapshot, world)
        case ServiceChain():
            return chain_verdict(intent, snapshot, world)
    return PROGRAMMED
