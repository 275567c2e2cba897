"""Service: a protocol with its ports or types; ServiceGroup: services by name."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.infra import Meta
from netctl.model.keys import ServiceGroupId, check_id
from netctl.model.routing_policy import PortRange, check_ports

SERVICES_MAX = 64
# Of all services of a group or rule together: they are one match of OVN's.
ALL_RANGES_MAX = 256


class ServiceProtocol(enum.StrEnum):
    """What a service is recognised by; NUMBER is the one in `protocol_number`."""

    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"
    ICMPV6 = "icmpv6"
    NUMBER = "number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service; empty port ranges are any port, a type or code of None is any."""

    protocol: ServiceProtocol
    ports: tuple[PortRange, ...] = ()
    source_ports: tuple[PortRange, ...] = ()
    icmp_type: int | None = None
    icmp_code: int | None = None
    protocol_number: int = 0

    @property
    def version(self) -> int | None:
        """The IP version that it is of, None for both."""
        return {ServiceProtocol.ICMP: 4, ServiceProtocol.ICMPV6: 6}.get(self.protocol)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceGroup:
    """Any of `services`."""

    id: ServiceGroupId
    meta: Meta = Meta()
    services: tuple[Service, ...]

    def __post_init__(self) -> None:
        check_id("name", self.id)
        if not self.services:
            raise InvalidIntent("services", "is empty; name at least one")
        check_services("services", self.services)


def check_services(field: str, services: tuple[Service, ...]) -> None:
    """Raise InvalidIntent unless each service is well formed and there are not too many."""
    if len(services) > SERVICES_MAX:
        raise InvalidIntent(field, f"has {len(services)} services; at most {SERVICES_MAX} are allowed")
    for i, service in enumerate(services):
        check_service(f"{field}[{i}]", service)
    ranges = sum(len(service.ports) + len(service.source_ports) for service in services)
    if ranges > ALL_RANGES_MAX:
        raise InvalidIntent(field, f"has {ranges} port ranges; at most {ALL_RANGES_MAX} are allowed together")


def check_service(field: str, service: Service) -> None:
    """Raise InvalidIntent unless a service is well formed."""
    protocol = service.protocol
    for name in ("ports", "source_ports"):
        ranges: tuple[PortRange, ...] = getattr(service, name)
        if ranges and protocol not in (ServiceProtocol.TCP, ServiceProtocol.UDP):
            raise InvalidIntent(f"{field}.{name}", "needs protocol TCP or UDP")
        check_ports(f"{field}.{name}", ranges)
    for name in ("icmp_type", "icmp_code"):
        number: int | None = getattr(service, name)
        if number is None:
            continue
        if service.version is None:
            raise InvalidIntent(f"{field}.{name}", "needs protocol ICMP or ICMPV6")
        shape.check_range(f"{field}.{name}", number, low=0, high=255)
    if service.icmp_code is not None and service.icmp_type is None:
        raise InvalidIntent(f"{field}.icmp_code", "needs icmp_type")
    if protocol is ServiceProtocol.NUMBER:
        shape.check_range(f"{field}.protocol_number", service.protocol_number, low=0, high=255)
    elif service.protocol_number:
        raise InvalidIntent(f"{field}.protocol_number", "goes with protocol NUMBER only")
