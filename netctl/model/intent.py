"""Intent: any noun, and what is done to it: edits and changes."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.model.affinity import AffinityPolicy
from netctl.model.category import Category
from netctl.model.chain import NetworkFunction, ServiceChain
from netctl.model.floating_ip import FloatingIp
from netctl.model.groups import AddressGroup, EntityGroup
from netctl.model.image import Image, ImageFormat
from netctl.model.infra import Cluster, Host, VirtualSwitch
from netctl.model.keys import HostId, ImageId, Key, Kind, NicId, VmId, VmMigrationId
from netctl.model.mirror import TrafficMirror
from netctl.model.nic import Nic
from netctl.model.reservation import AddressReservation
from netctl.model.route import Route
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.security_policy import SecurityPolicy
from netctl.model.service import ServiceGroup
from netctl.model.subnet import Subnet
from netctl.model.template import VmTemplate
from netctl.model.vm import Vm
from netctl.model.vm_migration import Evidence, Stage, VmMigration
from netctl.model.vpc import Vpc

Intent = (
    Cluster
    | VirtualSwitch
    | Host
    | Vpc
    | Subnet
    | Nic
    | FloatingIp
    | Route
    | RoutingPolicy
    | AddressReservation
    | Category
    | AddressGroup
    | ServiceGroup
    | EntityGroup
    | SecurityPolicy
    | NetworkFunction
    | ServiceChain
    | TrafficMirror
    | Vm
    | Image
    | VmTemplate
    | AffinityPolicy
    | VmMigration
)

KIND_OF: dict[type, Kind] = {
    Cluster: Kind.CLUSTER,
    VirtualSwitch: Kind.VIRTUAL_SWITCH,
    Host: Kind.HOST,
    Vpc: Kind.VPC,
    Subnet: Kind.SUBNET,
    Nic: Kind.NIC,
    FloatingIp: Kind.FLOATING_IP,
    Route: Kind.ROUTE,
    RoutingPolicy: Kind.ROUTING_POLICY,
    AddressReservation: Kind.ADDRESS_RESERVATION,
    Category: Kind.CATEGORY,
    AddressGroup: Kind.ADDRESS_GROUP,
    ServiceGroup: Kind.SERVICE_GROUP,
    EntityGroup: Kind.ENTITY_GROUP,
    SecurityPolicy: Kind.SECURITY_POLICY,
    NetworkFunction: Kind.NETWORK_FUNCTION,
    ServiceChain: Kind.SERVICE_CHAIN,
    TrafficMirror: Kind.TRAFFIC_MIRROR,
    Vm: Kind.VM,
    Image: Kind.IMAGE,
    VmTemplate: Kind.VM_TEMPLATE,
    AffinityPolicy: Kind.AFFINITY_POLICY,
    VmMigration: Kind.VM_MIGRATION,
}


def key_of(intent: Intent) -> Key:
    """Return (kind, id) of an intent."""
    return KIND_OF[type(intent)], intent.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Store a new intent; AlreadyExists when there is one."""

    intent: Intent


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Store an intent in the place of an existing one; fields that admission allocates keep their value when unset.

    `if_revision` 0 asks nothing. With `or_create`, one that does not exist is created (declarative apply). With
    `release`, addresses of a NIC that are unset are given up (not for clients: MigrateSubnets asks for it).
    """

    intent: Intent
    if_revision: int = 0
    or_create: bool = False
    release: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Remove an intent that nothing depends on."""

    key: Key
    if_revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Restack:
    """Move a NIC to the other side of its subnet's migration: `basic` without OVN, or a port of OVN.

    Not for clients: `reconciler/migration.py` asks for it, one NIC after the other. `if_revision` is the NIC's.
    """

    nic: NicId
    basic: bool
    if_revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Put a virtual machine on a host, to be started there with a CPU model. Not for clients: the placement loop asks.

    `if_revision` is the machine's.
    """

    vm: VmId
    host: HostId
    cpu_model: str
    if_revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """Remove a virtual machine that is `deleting`, after its host removed it. Not for clients."""

    vm: VmId


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreImage:
    """Say what the bytes of an image are, now that they are there. Not for clients."""

    image: ImageId
    format: ImageFormat
    sha256: str
    size_bytes: int
    stored_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Let a migration enter `stage`, from `if_stage`; entering SETTLING moves machine and NICs to its destination.

    Not for clients: the migration engine asks. `destination` is set when it leaves QUEUED without one.
    """

    migration: VmMigrationId
    if_stage: Stage
    stage: Stage
    message: str = ""
    failure: str = ""
    evidence: Evidence | None = None
    destination: HostId = HostId("")


Edit = Create | Replace | Remove | Restack | Place | Purge | StoreImage | Advance


def target_of(edit: Edit) -> Key:
    """Return the key of what an edit is done to."""
    match edit:
        case Remove():
            return edit.key
        case Restack():
            return Kind.NIC, edit.nic
        case Place() | Purge():
            return Kind.VM, edit.vm
        case StoreImage():
            return Kind.IMAGE, edit.image
        case Advance():
            return Kind.VM_MIGRATION, edit.migration
    return key_of(edit.intent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of the change log: what one edit did to one intent. `before` or `after` is None at its ends."""

    revision: int
    index: int
    time_s: float
    actor: str
    request_id: str
    reason: str
    key: Key
    before: Intent | None
    after: Intent | None
