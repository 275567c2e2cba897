"""Vpc, FloatingIp and Route between protobuf and model."""

from __future__ import annotations

from netctl.errors import InvalidIntent
from netctl.model.floating_ip import FloatingIp
from netctl.model.keys import FloatingIpId, HostId, Kind, NicId, RouteId, SubnetId, VpcId
from netctl.model.route import DEFAULT_PRIORITY, Bfd, NextHop, Route
from netctl.model.status import Status
from netctl.model.vpc import DEFAULT_GATEWAY_HOSTS, ExternalConnection, Vpc, VpcKind
from netctl.server.convert import (
    meta_from_proto,
    meta_to_proto,
    parse_categories,
    parse_enum,
    parse_name,
    parse_reference,
    render_categories,
    render_name,
    status_to_proto,
)
from netctl.v1 import vpc_pb2

_VPC_KINDS = {vpc_pb2.VPC_KIND_REGULAR: VpcKind.REGULAR, vpc_pb2.VPC_KIND_TRANSIT: VpcKind.TRANSIT}
_VPC_KIND_VALUES = {kind: value for value, kind in _VPC_KINDS.items()}
_VPC_KIND_NAMES = {value: name for name, value in vpc_pb2.VpcKind.items()}
# How filters spell what the model holds.
VPC_KIND_NAMES = {kind: _VPC_KIND_NAMES[value] for value, kind in _VPC_KINDS.items()}
_DEFAULT_BFD = Bfd()


def vpc_from_proto(message: vpc_pb2.Vpc) -> Vpc:
    """Return the VPC that a request asks for."""
    kind = message.kind or vpc_pb2.VPC_KIND_REGULAR  # unset is the default
    return Vpc(
        id=VpcId(parse_name("name", message.name, Kind.VPC)),
        meta=meta_from_proto(message),
        kind=parse_enum("kind", kind, _VPC_KINDS, _VPC_KIND_NAMES),
        dns_servers=tuple(message.dns_servers),
        external_connections=tuple(
            _connection_from_proto(f"external_connections[{i}]", connection)
            for i, connection in enumerate(message.external_connections)
        ),
        externally_routable_prefixes=tuple(message.externally_routable_prefixes),
        categories=parse_categories(message.categories),
    )


def _connection_from_proto(field: str, message: vpc_pb2.ExternalConnection) -> ExternalConnection:
    return ExternalConnection(
        subnet=SubnetId(parse_name(f"{field}.subnet", message.subnet, Kind.SUBNET)),
        ipv4_address=message.ipv4_address,
        ipv6_address=message.ipv6_address,
        gateway_hosts=tuple(
            HostId(parse_name(f"{field}.gateway_hosts[{i}]", name, Kind.HOST))
            for i, name in enumerate(message.gateway_hosts)
        ),
        gateway_host_count=message.gateway_host_count or DEFAULT_GATEWAY_HOSTS,
    )


def vpc_to_proto(vpc: Vpc, status: Status | None) -> vpc_pb2.Vpc:
    """Return the message of a VPC."""
    message = vpc_pb2.Vpc()
    message.name = f"vpcs/{vpc.id}"
    meta_to_proto(vpc.meta, message)
    message.kind = _VPC_KIND_VALUES[vpc.kind]
    message.dns_servers.extend(vpc.dns_servers)
    for connection in vpc.external_connections:
        message.external_connections.add(
            subnet=f"subnets/{connection.subnet}",
            ipv4_address=connection.ipv4_address,
            ipv6_address=connection.ipv6_address,
            gateway_hosts=[f"hosts/{host}" for host in connection.gateway_hosts],
            gateway_host_count=connection.gateway_host_count,
            gateways=[f"hosts/{host}" for host in connection.gateways],
            mac_address=connection.mac_address,
        )
    message.externally_routable_prefixes.extend(vpc.externally_routable_prefixes)
    message.vni = vpc.vni
    message.categories.extend(render_categories(vpc.categories))
    if status is not None:
        status_to_proto(status, message.status)
    return message


def floating_ip_from_proto(message: vpc_pb2.FloatingIp) -> FloatingIp:
    """Return the floating IP that a request asks for."""
    return FloatingIp(
        id=FloatingIpId(parse_name("name", message.name, Kind.FLOATING_IP)),
        meta=meta_from_proto(message),
        external_subnet=SubnetId(parse_name("external_subnet", message.external_subnet, Kind.SUBNET)),
        address=message.address,
        nic=NicId(parse_reference("nic", message.nic, Kind.NIC)),
        vpc=VpcId(parse_reference("vpc", message.vpc, Kind.VPC)),
        private_address=message.private_address,
    )


def floating_ip_to_proto(floating: FloatingIp, status: Status | None) -> vpc_pb2.FloatingIp:
    """Return the message of a floating IP."""
    message = vpc_pb2.FloatingIp()
    message.name = f"floatingIps/{floating.id}"
    meta_to_proto(floating.meta, message)
    message.external_subnet = f"subnets/{floating.external_subnet}"
    message.address = floating.address
    message.nic = render_name(Kind.NIC, floating.nic)
    message.vpc = render_name(Kind.VPC, floating.vpc)
    message.private_address = floating.private_address
    message.mac_address = floating.mac_address
    if status is not None:
        status_to_proto(status, message.status)
    return message


def route_from_proto(message: vpc_pb2.Route) -> Route:
    """Return the route that a request asks for."""
    return Route(
        id=RouteId(parse_name("name", message.name, Kind.ROUTE)),
        meta=meta_from_proto(message),
        vpc=VpcId(parse_name("vpc", message.vpc, Kind.VPC)),
        destination=message.destination,
        next_hops=tuple(_hop_from_proto(f"next_hops[{i}]", hop) for i, hop in enumerate(message.next_hops)),
        priority=message.priority or DEFAULT_PRIORITY,
        bfd=_bfd_from_proto(message.bfd) if message.HasField("bfd") else None,
    )


def _hop_from_proto(field: str, message: vpc_pb2.NextHop) -> NextHop:
    match message.WhichOneof("next_hop"):
        case "external_subnet":
            name = parse_name(f"{field}.external_subnet", message.external_subnet, Kind.SUBNET)
            return NextHop(external_subnet=SubnetId(name))
        case "ip_address" if message.ip_address:
            return NextHop(ip_address=message.ip_address)
    raise InvalidIntent(field, "is empty; set ip_address, or external_subnet for the gateway of one")


def _bfd_from_proto(message: vpc_pb2.Bfd) -> Bfd:
    return Bfd(
        min_rx_ms=message.min_rx_ms or _DEFAULT_BFD.min_rx_ms,
        min_tx_ms=message.min_tx_ms or _DEFAULT_BFD.min_tx_ms,
        multiplier=message.multiplier or _DEFAULT_BFD.multiplier,
    )


def route_to_proto(route: Route, status: Status | None) -> vpc_pb2.Route:
    """Return the message of a route."""
    message = vpc_pb2.Route()
    message.name = f"routes/{route.id}"
    meta_to_proto(route.meta, message)
    message.vpc = f"vpcs/{route.vpc}"
    message.destination = route.destination
    for hop in route.next_hops:
        if hop.external_subnet:
            message.next_hops.add(external_subnet=f"subnets/{hop.external_subnet}")
        else:
            message.next_hops.add(ip_address=hop.ip_address)
    message.priority = route.priority
    if route.bfd is not None:
        message.bfd.min_rx_ms = route.bfd.min_rx_ms
        message.bfd.min_tx_ms = route.bfd.min_tx_ms
        message.bfd.multiplier = route.bfd.multiplier
    if status is not None:
        status_to_proto(status, message.status)
    return message
