"""Category, AddressGroup, ServiceGroup and EntityGroup between protobuf and model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netctl.model.category import Category
from netctl.model.groups import AddressGroup, EntityGroup, EntitySelector
from netctl.model.keys import AddressGroupId, CategoryId, EntityGroupId, Kind, ServiceGroupId
from netctl.model.service import Service, ServiceGroup, ServiceProtocol
from netctl.model.status import Status
from netctl.server.convert import meta_from_proto, meta_to_proto, parse_enum, parse_name, status_to_proto
from netctl.server.convert_policy import ports_from_proto
from netctl.v1 import security_pb2 as pb

_PROTOCOLS = {
    pb.SERVICE_PROTOCOL_TCP: ServiceProtocol.TCP,
    pb.SERVICE_PROTOCOL_UDP: ServiceProtocol.UDP,
    pb.SERVICE_PROTOCOL_ICMP: ServiceProtocol.ICMP,
    pb.SERVICE_PROTOCOL_ICMPV6: ServiceProtocol.ICMPV6,
    pb.SERVICE_PROTOCOL_NUMBER: ServiceProtocol.NUMBER,
}
_PROTOCOL_VALUES = {protocol: value for value, protocol in _PROTOCOLS.items()}
_PROTOCOL_NAMES = {value: name for name, value in pb.ServiceProtocol.items()}
# How filters spell what the model holds.
SERVICE_PROTOCOL_NAMES = {protocol: _PROTOCOL_NAMES[value] for value, protocol in _PROTOCOLS.items()}


def category_from_proto(message: pb.Category) -> Category:
    """Return the category that a request asks for."""
    return Category(
        id=CategoryId(parse_name("name", message.name, Kind.CATEGORY)),
        meta=meta_from_proto(message),
        key=message.key,
        value=message.value,
    )


def category_to_proto(category: Category, status: Status | None) -> pb.Category:
    """Return the message of a category."""
    message = pb.Category()
    message.name = f"categories/{category.id}"
    meta_to_proto(category.meta, message)
    message.key, message.value = category.key, category.value
    if status is not None:
        status_to_proto(status, message.status)
    return message


def address_group_from_proto(message: pb.AddressGroup) -> AddressGroup:
    """Return the address group that a request asks for."""
    return AddressGroup(
        id=AddressGroupId(parse_name("name", message.name, Kind.ADDRESS_GROUP)),
        meta=meta_from_proto(message),
        addresses=tuple(message.addresses),
        except_addresses=tuple(message.except_addresses),
    )


def address_group_to_proto(group: AddressGroup, status: Status | None) -> pb.AddressGroup:
    """Return the message of an address group."""
    message = pb.AddressGroup()
    message.name = f"addressGroups/{group.id}"
    meta_to_proto(group.meta, message)
    message.addresses.extend(group.addresses)
    message.except_addresses.extend(group.except_addresses)
    if status is not None:
        status_to_proto(status, message.status)
    return message


def service_group_from_proto(message: pb.ServiceGroup) -> ServiceGroup:
    """Return the service group that a request asks for."""
    return ServiceGroup(
        id=ServiceGroupId(parse_name("name", message.name, Kind.SERVICE_GROUP)),
        meta=meta_from_proto(message),
        services=services_from_proto("services", message.services),
    )


def service_group_to_proto(group: ServiceGroup, status: Status | None) -> pb.ServiceGroup:
    """Return the message of a service group."""
    message = pb.ServiceGroup()
    message.name = f"serviceGroups/{group.id}"
    meta_to_proto(group.meta, message)
    message.services.extend(services_to_proto(group.services))
    if status is not None:
        status_to_proto(status, message.status)
    return message


def services_from_proto(field: str, messages: Sequence[pb.Service]) -> tuple[Service, ...]:
    """Return services; `field` is the path of their list."""
    return tuple(service_from_proto(f"{field}[{i}]", message) for i, message in enumerate(messages))


def service_from_proto(field: str, message: pb.Service) -> Service:
    """Return a service; its protocol must be said."""
    return Service(
        protocol=parse_enum(f"{field}.protocol", message.protocol, _PROTOCOLS, _PROTOCOL_NAMES),
        ports=ports_from_proto(message.ports),
        source_ports=ports_from_proto(message.source_ports),
        icmp_type=message.icmp_type if message.HasField("icmp_type") else None,
        icmp_code=message.icmp_code if message.HasField("icmp_code") else None,
        protocol_number=message.protocol_number,
    )


def services_to_proto(services: Iterable[Service]) -> list[pb.Service]:
    """Return the messages of services."""
    return [service_to_proto(service) for service in services]


def service_to_proto(service: Service) -> pb.Service:
    """Return the message of a service."""
    message = pb.Service()
    message.protocol = _PROTOCOL_VALUES[service.protocol]
    for ports in service.ports:
        message.ports.add(first=ports.first, last=ports.last)
    for ports in service.source_ports:
        message.source_ports.add(first=ports.first, last=ports.last)
    if service.icmp_type is not None:
        message.icmp_type = service.icmp_type
    if service.icmp_code is not None:
        message.icmp_code = service.icmp_code
    message.protocol_number = service.protocol_number
    return message


def entity_group_from_proto(message: pb.EntityGroup) -> EntityGroup:
    """Return the entity group that a request asks for."""
    return EntityGroup(
        id=EntityGroupId(parse_name("name", message.name, Kind.ENTITY_GROUP)),
        meta=meta_from_proto(message),
        include=_selectors_from_proto(message.include),
        except_=_selectors_from_proto(_except_of(message)),
    )


def entity_group_to_proto(group: EntityGroup, status: Status | None) -> pb.EntityGroup:
    """Return the message of an entity group."""
    message = pb.EntityGroup()
    message.name = f"entityGroups/{group.id}"
    meta_to_proto(group.meta, message)
    message.include.extend(pb.EntitySelector(all_of=selector.all_of) for selector in group.include)
    _except_of(message).extend(pb.EntitySelector(all_of=selector.all_of) for selector in group.except_)
    if status is not None:
        status_to_proto(status, message.status)
    return message


def _except_of(message: pb.EntityGroup) -> list[pb.EntitySelector]:
    """Return the field `except`, which Python cannot name: the word is its own."""
    found: list[pb.EntitySelector] = getattr(message, "except")
    return found


def _selectors_from_proto(messages: Sequence[pb.EntitySelector]) -> tuple[EntitySelector, ...]:
    return tuple(EntitySelector(all_of=tuple(message.all_of)) for message in messages)
