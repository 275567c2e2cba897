"""RoutingPolicy: what a VPC's router does with certain traffic; stateless."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.infra import Meta
from netctl.model.keys import RoutingPolicyId, ServiceChainId, VpcId, check_id

PRIORITY_MIN, PRIORITY_MAX = 10, 1000
PORT_RANGES_MAX = 32


class PolicyAction(enum.StrEnum):
    """What happens to a packet that matches."""

    PERMIT = "permit"
    DENY = "deny"
    REROUTE = "reroute"


class Fallback(enum.StrEnum):
    """What happens instead of rerouting while the service does not work."""

    PASSTHROUGH = "passthrough"
    ALLOW = "allow"
    DROP = "drop"


class Protocol(enum.StrEnum):
    """The protocol that is matched; NUMBER is the one in `protocol_number`."""

    ANY = "any"
    ICMP = "icmp"
    TCP = "tcp"
    UDP = "udp"
    NUMBER = "number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Addresses at one end: any, whatever is `external`, or a network."""

    external: bool = False
    cidr: str = ""

    @property
    def any(self) -> bool:
        """Does it match every address?"""
        return not self.external and not self.cidr


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRange:
    """Ports from `first` to `last`, both included."""

    first: int
    last: int


def check_ports(field: str, ranges: tuple[PortRange, ...]) -> None:
    """Raise InvalidIntent unless each range is one of ports, and there are not too many."""
    if len(ranges) > PORT_RANGES_MAX:
        raise InvalidIntent(field, f"has {len(ranges)} ranges; at most {PORT_RANGES_MAX} are allowed")
    for i, item in enumerate(ranges):
        shape.check_range(f"{field}[{i}].first", item.first, low=0, high=65_535)
        shape.check_range(f"{field}[{i}].last", item.last, low=0, high=65_535)
        if item.last < item.first:
            raise InvalidIntent(
                f"{field}[{i}].last",
                f"{item.first}-{item.last} ends before it begins: write {item.last}-{item.first}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingPolicy:
    """A routing policy: the matching one with the highest `priority` decides."""

    id: RoutingPolicyId
    meta: Meta = Meta()
    vpc: VpcId
    priority: int
    source: Endpoint = Endpoint()
    destination: Endpoint = Endpoint()
    protocol: Protocol = Protocol.ANY
    protocol_number: int = 0
    source_ports: tuple[PortRange, ...] = ()
    destination_ports: tuple[PortRange, ...] = ()
    action: PolicyAction
    service_ips: tuple[str, ...] = ()
    fallback: Fallback = Fallback.PASSTHROUGH
    bidirectional: bool = False
    service_chain: ServiceChainId = ServiceChainId("")

    def __post_init__(self) -> None:
        check_id("name", self.id)
        check_id("vpc", self.vpc)
        if self.service_chain:
            check_id("service_chain", self.service_chain)
            if self.action is not PolicyAction.PERMIT:
                raise InvalidIntent("service_chain", "goes with action PERMIT")
        shape.check_range("priority", self.priority, low=PRIORITY_MIN, high=PRIORITY_MAX)
        for name in ("source", "destination"):
            object.__setattr__(self, name, _endpoint(name, getattr(self, name)))
        self._check_protocol()
        object.__setattr__(self, "service_ips", self._services())
        if len(set(self._versions())) > 1:
            raise InvalidIntent(
                "destination.cidr", "source, destination and service_ips are of different IP versions"
            )

    def _versions(self) -> list[int]:
        texts = (self.source.cidr, self.destination.cidr, *self.service_ips)
        return [6 if ":" in text else 4 for text in texts if text]

    @property
    def version(self) -> int | None:
        """The IP version that is matched, 4 or 6; None for both."""
        return next(iter(self._versions()), None)

    def _check_protocol(self) -> None:
        if self.protocol is Protocol.NUMBER:
            shape.check_range("protocol_number", self.protocol_number, low=0, high=255)
        elif self.protocol_number:
            raise InvalidIntent("protocol_number", "goes with protocol IP_PROTOCOL_NUMBER only")
        for name in ("source_ports", "destination_ports"):
            ports: tuple[PortRange, ...] = getattr(self, name)
            if ports and self.protocol not in (Protocol.TCP, Protocol.UDP):
                raise InvalidIntent(name, "needs protocol TCP or UDP")
            check_ports(name, ports)

    def _services(self) -> tuple[str, ...]:
        if self.action is not PolicyAction.REROUTE:
            if self.service_ips:
                raise InvalidIntent("service_ips", "goes with action REROUTE only")
            return ()
        if not 1 <= len(self.service_ips) <= 2:
            raise InvalidIntent("service_ips", f"has {len(self.service_ips)} addresses; name one or two")
        if len(self.service_ips) == 2 and not self.bidirectional:
            raise InvalidIntent(
                "service_ips", "a second one serves the way back: set bidirectional or name one"
            )
        return tuple(
            shape.canonical_any_address(f"service_ips[{i}]", text) for i, text in enumerate(self.service_ips)
        )


def _endpoint(name: str, endpoint: Endpoint) -> Endpoint:
    if not endpoint.cidr:
        return endpoint
    if endpoint.external:
        raise InvalidIntent(f"{name}.cidr", "goes without external")
    return Endpoint(cidr=shape.canonical_any_cidr(f"{name}.cidr", endpoint.cidr))
