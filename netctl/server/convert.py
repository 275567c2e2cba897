"""What all nouns share between protobuf and model: names, metadata, times, enums, status.

Protobuf messages end here and in `convert_*.py`; nothing behind them sees one. Output-only fields of a request are
ignored (AIP-203). Messages are filled field by field: that is twice as fast as the constructor's keywords.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from netctl.errors import InvalidIntent
from netctl.model.infra import Meta
from netctl.model.keys import CategoryId, Key, Kind, check_id
from netctl.model.status import Phase, Status
from netctl.v1 import chain_pb2, compute_pb2, infra_pb2, network_pb2, security_pb2, status_pb2, vpc_pb2

E = TypeVar("E", bound=int)
M = TypeVar("M")
AnyResource = (
    infra_pb2.Cluster
    | infra_pb2.Host
    | infra_pb2.VirtualSwitch
    | network_pb2.Subnet
    | network_pb2.Nic
    | vpc_pb2.Vpc
    | vpc_pb2.FloatingIp
    | vpc_pb2.Route
    | vpc_pb2.RoutingPolicy
    | vpc_pb2.AddressReservation
    | security_pb2.Category
    | security_pb2.AddressGroup
    | security_pb2.ServiceGroup
    | security_pb2.EntityGroup
    | security_pb2.SecurityPolicy
    | chain_pb2.NetworkFunction
    | chain_pb2.ServiceChain
    | chain_pb2.TrafficMirror
    | compute_pb2.Vm
    | compute_pb2.Image
    | compute_pb2.VmTemplate
    | compute_pb2.AffinityPolicy
    | compute_pb2.VmMigration
)

_BARE = Meta()
# 9999-12-31T23:59:59Z, the last that a Timestamp can tell.
_TIME_MAX_S = 253_402_300_799
_PHASES = {
    Phase.PENDING: status_pb2.PHASE_PENDING,
    Phase.PROGRAMMED: status_pb2.PHASE_PROGRAMMED,
    Phase.FAILED: status_pb2.PHASE_FAILED,
}
_EXAMPLES = {
    Kind.CLUSTER: "clusters/c1",
    Kind.VIRTUAL_SWITCH: "virtualSwitches/vs0",
    Kind.HOST: "hosts/h1",
    Kind.SUBNET: "subnets/web",
    Kind.NIC: "nics/web-1",
    Kind.VPC: "vpcs/blue",
    Kind.FLOATING_IP: "floatingIps/web-1",
    Kind.ROUTE: "routes/default",
    Kind.ROUTING_POLICY: "routingPolicies/deny-db",
    Kind.ADDRESS_RESERVATION: "addressReservations/printers",
    Kind.CATEGORY: "categories/web",
    Kind.ADDRESS_GROUP: "addressGroups/offices",
    Kind.SERVICE_GROUP: "serviceGroups/web",
    Kind.ENTITY_GROUP: "entityGroups/shop",
    Kind.SECURITY_POLICY: "securityPolicies/shop",
    Kind.NETWORK_FUNCTION: "networkFunctions/firewall",
    Kind.SERVICE_CHAIN: "serviceChains/inspect",
    Kind.TRAFFIC_MIRROR: "trafficMirrors/web-1",
    Kind.VM: "vms/web-1",
    Kind.IMAGE: "images/debian",
    Kind.VM_TEMPLATE: "vmTemplates/web",
    Kind.AFFINITY_POLICY: "affinityPolicies/apart",
    Kind.VM_MIGRATION: "vmMigrations/web-1",
}
_PREFIXES = {kind: f"{kind.value}/" for kind in Kind}
_KINDS = {kind.value: kind for kind in Kind}


def parse_name(field: str, value: str, kind: Kind) -> str:
    """Return the id in a resource name of `kind`; its form is for the model to check."""
    prefix = _PREFIXES[kind]
    if not value.startswith(prefix):
        problem = f"{value[:80]!r} is not a name in {kind.value}" if value else "is empty"
        raise InvalidIntent(field, f"{problem}; write it like {_EXAMPLES[kind]}")
    return value[len(prefix) :]


def parse_reference(field: str, value: str, kind: Kind) -> str:
    """Return the id in an optional reference, "" for none."""
    return parse_name(field, value, kind) if value else ""


def parse_key(field: str, value: str) -> Key:
    """Return the key of a resource name of any kind, its id well formed."""
    collection, slash, id_ = value.partition("/")
    kind = _KINDS.get(collection)
    if kind is None or not slash:
        problem = f"{value[:80]!r} is not a resource name" if value else "is empty"
        raise InvalidIntent(field, f"{problem}; write it like subnets/web")
    check_id(field, id_)
    return kind, id_


def parse_kind(field: str, value: str) -> Kind:
    """Return the kind of a collection name."""
    kind = _KINDS.get(value)
    if kind is None:
        raise InvalidIntent(field, f"{value[:80]!r} is not a collection; use one of {', '.join(_KINDS)}")
    return kind


def parse_enum(field: str, value: E, known: Mapping[E, M], names: Mapping[E, str]) -> M:
    """Return the model's member for an enum value; 0 and unknown values are refused."""
    member = known.get(value)
    if member is None:
        problem = "is not set" if value == 0 else f"{value} is unknown to this controller"
        raise InvalidIntent(field, f"{problem}; use {' or '.join(names[number] for number in known)}")
    return member


def parse_categories(names: Sequence[str]) -> tuple[CategoryId, ...]:
    """Return the ids of the categories that something has."""
    return parse_category_names("categories", names)


def parse_category_names(field: str, names: Sequence[str]) -> tuple[CategoryId, ...]:
    """Return the ids of categories in a list of the API."""
    return tuple(CategoryId(parse_name(f"{field}[{i}]", name, Kind.CATEGORY)) for i, name in enumerate(names))


def render_categories(ids: Iterable[CategoryId]) -> Iterator[str]:
    """Yield the resource names of categories."""
    return (f"categories/{id}" for id in ids)


def render_name(kind: Kind, id_: str) -> str:
    """Return the resource name of an optional reference, "" for none."""
    return f"{kind.value}/{id_}" if id_ else ""


def meta_from_proto(resource: AnyResource) -> Meta:
    """Take what a client may set."""
    display_name, labels = resource.display_name, resource.labels
    if not labels:
        return Meta(display_name=display_name) if display_name else _BARE
    return Meta(display_name=display_name, labels=dict(labels))


def meta_to_proto(meta: Meta, resource: AnyResource) -> None:
    """Write an intent's metadata into its message."""
    resource.uid = meta.uid
    if meta.display_name:
        resource.display_name = meta.display_name
    if meta.labels:
        resource.labels.update(meta.labels)
    resource.revision = meta.revision
    if meta.create_time_s:
        set_time(resource.create_time, meta.create_time_s)
        set_time(resource.update_time, meta.update_time_s)


def fill(message: Message, part: Any) -> None:
    """Write a part whose message spells its fields as the model does; None is unset, and parts of it likewise."""
    kind: Any = type(part)  # mypy does not see that a type is hashable
    for name in _field_names(kind):
        value = getattr(part, name)
        if isinstance(value, tuple):
            found = getattr(message, name)
            if value and dataclasses.is_dataclass(value[0]):
                for one in value:
                    fill(found.add(), one)
            else:
                found.extend(value)
        elif dataclasses.is_dataclass(value):
            nested = getattr(message, name)
            nested.SetInParent()
            fill(nested, value)
        elif value is not None:
            setattr(message, name, value)


@functools.cache
def _field_names(part: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(part))


def set_time(stamp: Timestamp, seconds: float) -> None:
    """Write seconds since the epoch, to the microsecond that a float can tell."""
    whole, micros = divmod(round(seconds * 1e6), 1_000_000)
    stamp.seconds = whole
    stamp.nanos = micros * 1000


def seconds_from_proto(time: Timestamp) -> float:
    """Return a host's clock in seconds since the epoch, 0 for what is no time."""
    told = 0 <= time.seconds <= _TIME_MAX_S and 0 <= time.nanos < 1_000_000_000
    return time.seconds + time.nanos / 1e9 if told else 0.0


def status_to_proto(status: Status, message: status_pb2.Status) -> None:
    """Write a status into its message."""
    message.phase = _PHASES[status.phase]
    message.revision = status.revision
    if status.reason:
        message.reason = status.reason
    if status.message:
        message.message = status.message
