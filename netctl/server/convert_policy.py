"""RoutingPolicy and AddressReservation between protobuf and model."""

from __future__ import annotations

from collections.abc import Sequence

from netctl.errors import InvalidIntent
from netctl.model.keys import AddressReservationId, Kind, RoutingPolicyId, ServiceChainId, SubnetId, VpcId
from netctl.model.reservation import AddressReservation
from netctl.model.routing_policy import Endpoint, Fallback, PolicyAction, PortRange, Protocol, RoutingPolicy
from netctl.model.status import Status
from netctl.model.subnet import AddressRange
from netctl.server.convert import (
    meta_from_proto,
    meta_to_proto,
    parse_enum,
    parse_name,
    parse_reference,
    render_name,
    status_to_proto,
)
from netctl.v1 import vpc_pb2

_ACTIONS = {
    vpc_pb2.ROUTING_POLICY_ACTION_PERMIT: PolicyAction.PERMIT,
    vpc_pb2.ROUTING_POLICY_ACTION_DENY: PolicyAction.DENY,
    vpc_pb2.ROUTING_POLICY_ACTION_REROUTE: PolicyAction.REROUTE,
}
_ACTION_VALUES = {action: value for value, action in _ACTIONS.items()}
_ACTION_NAMES = {value: name for name, value in vpc_pb2.RoutingPolicyAction.items()}
_FALLBACKS = {
    vpc_pb2.REROUTE_FALLBACK_PASSTHROUGH: Fallback.PASSTHROUGH,
    vpc_pb2.REROUTE_FALLBACK_ALLOW: Fallback.ALLOW,
    vpc_pb2.REROUTE_FALLBACK_DROP: Fallback.DROP,
}
_FALLBACK_VALUES = {fallback: value for value, fallback in _FALLBACKS.items()}
_FALLBACK_NAMES = {value: name for name, value in vpc_pb2.RerouteFallback.items()}
_PROTOCOLS = {
    vpc_pb2.IP_PROTOCOL_ANY: Protocol.ANY,
    vpc_pb2.IP_PROTOCOL_ICMP: Protocol.ICMP,
    vpc_pb2.IP_PROTOCOL_TCP: Protocol.TCP,
    vpc_pb2.IP_PROTOCOL_UDP: Protocol.UDP,
    vpc_pb2.IP_PROTOCOL_NUMBER: Protocol.NUMBER,
}
_PROTOCOL_VALUES = {protocol: value for value, protocol in _PROTOCOLS.items()}
_PROTOCOL_NAMES = {value: name for name, value in vpc_pb2.IpProtocol.items()}
# How filters spell what the model holds.
ACTION_NAMES = {action: _ACTION_NAMES[value] for value, action in _ACTIONS.items()}
FALLBACK_NAMES = {fallback: _FALLBACK_NAMES[value] for value, fallback in _FALLBACKS.items()}
PROTOCOL_NAMES = {protocol: _PROTOCOL_NAMES[value] for value, protocol in _PROTOCOLS.items()}


def routing_policy_from_proto(message: vpc_pb2.RoutingPolicy) -> RoutingPolicy:
    """Return the routing policy that a request asks for."""
    # Unset protocol and fallback are their defaults; what a policy does must be said.
    protocol = message.protocol or vpc_pb2.IP_PROTOCOL_ANY
    fallback = message.fallback or vpc_pb2.REROUTE_FALLBACK_PASSTHROUGH
    return RoutingPolicy(
        id=RoutingPolicyId(parse_name("name", message.name, Kind.ROUTING_POLICY)),
        meta=meta_from_proto(message),
        vpc=VpcId(parse_name("vpc", message.vpc, Kind.VPC)),
        priority=message.priority,
        source=_endpoint_from_proto("source", message.source),
        destination=_endpoint_from_proto("destination", message.destination),
        protocol=parse_enum("protocol", protocol, _PROTOCOLS, _PROTOCOL_NAMES),
        protocol_number=message.protocol_number,
        source_ports=ports_from_proto(message.source_ports),
        destination_ports=ports_from_proto(message.destination_ports),
        action=parse_enum("action", message.action, _ACTIONS, _ACTION_NAMES),
        service_ips=tuple(message.service_ips),
        fallback=parse_enum("fallback", fallback, _FALLBACKS, _FALLBACK_NAMES),
        bidirectional=message.bidirectional,
        service_chain=ServiceChainId(
            parse_reference("service_chain", message.service_chain, Kind.SERVICE_CHAIN)
        ),
    )


def _endpoint_from_proto(field: str, message: vpc_pb2.PolicyEndpoint) -> Endpoint:
    which = message.WhichOneof("endpoint")
    if which is None:
        return Endpoint()
    if not getattr(message, which):
        problem = "is empty; give a network" if which == "cidr" else "is false; set it to true"
        raise InvalidIntent(f"{field}.{which}", f"{problem}, or leave {field} unset for any address")
    return Endpoint(external=message.external, cidr=message.cidr)


def ports_from_proto(messages: Sequence[vpc_pb2.PortRange]) -> tuple[PortRange, ...]:
    """Return port ranges; one without `last` is a single port."""
    return tuple(PortRange(first=ports.first, last=ports.last or ports.first) for ports in messages)


def routing_policy_to_proto(policy: RoutingPolicy, status: Status | None) -> vpc_pb2.RoutingPolicy:
    """Return the message of a routing policy."""
    message = vpc_pb2.RoutingPolicy()
    message.name = f"routingPolicies/{policy.id}"
    meta_to_proto(policy.meta, message)
    message.vpc = f"vpcs/{policy.vpc}"
    message.priority = policy.priority
    _endpoint_to_proto(policy.source, message.source)
    _endpoint_to_proto(policy.destination, message.destination)
    message.protocol = _PROTOCOL_VALUES[policy.protocol]
    message.protocol_number = policy.protocol_number
    for ports in policy.source_ports:
        message.source_ports.add(first=ports.first, last=ports.last)
    for ports in policy.destination_ports:
        message.destination_ports.add(first=ports.first, last=ports.last)
    message.action = _ACTION_VALUES[policy.action]
    message.service_ips.extend(policy.service_ips)
    message.fallback = _FALLBACK_VALUES[policy.fallback]
    message.bidirectional = policy.bidirectional
    message.service_chain = render_name(Kind.SERVICE_CHAIN, policy.service_chain)
    if status is not None:
        status_to_proto(status, message.status)
    return message


def _endpoint_to_proto(endpoint: Endpoint, message: vpc_pb2.PolicyEndpoint) -> None:
    if endpoint.cidr:
        message.cidr = endpoint.cidr
    elif endpoint.external:
        message.external = True
    else:
        message.any = True


def reservation_from_proto(message: vpc_pb2.AddressReservation) -> AddressReservation:
    """Return the address reservation that a request asks for."""
    return AddressReservation(
        id=AddressReservationId(parse_name("name", message.name, Kind.ADDRESS_RESERVATION)),
        meta=meta_from_proto(message),
        subnet=SubnetId(parse_name("subnet", message.subnet, Kind.SUBNET)),
        ip_version=message.ip_version or 4,
        count=message.count,
        ranges=tuple(AddressRange(start=one.start, end=one.end) for one in message.ranges),
        client_context=message.client_context,
    )


def reservation_to_proto(
    reservation: AddressReservation, status: Status | None
) -> vpc_pb2.AddressReservation:
    """Return the message of an address reservation."""
    message = vpc_pb2.AddressReservation()
    message.name = f"addressReservations/{reservation.id}"
    meta_to_proto(reservation.meta, message)
    message.subnet = f"subnets/{reservation.subnet}"
    message.ip_version = reservation.ip_version
    message.count = reservation.count
    for one in reservation.ranges:
        message.ranges.add(start=one.start, end=one.end)
    for one in reservation.reserved:
        message.reserved.add(start=one.start, end=one.end)
    message.client_context = reservation.client_context
    if status is not None:
        status_to_proto(status, message.status)
    return message
