"""Vpc: one distributed router, its ways out and the networks that the outside routes to it."""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.category_ids import check_categories
from netctl.model.infra import Meta
from netctl.model.keys import CategoryId, HostId, SubnetId, VpcId, check_id

DEFAULT_GATEWAY_HOSTS = 2
GATEWAY_HOSTS_MAX = 5
CONNECTIONS_MAX = 16
PREFIXES_MAX = 256
DNS_SERVERS_MAX = 16


class VpcKind(enum.StrEnum):
    """What a VPC is for: a tenant, or a hub that other VPCs connect to."""

    REGULAR = "regular"
    TRANSIT = "transit"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalConnection:
    """The connection of a VPC's router to an external subnet.

    `gateway_hosts` are asked for, empty leaves them to admission; `gateways` are decided, the most preferred first,
    and empty on an external subnet inside a transit VPC, which needs none.
    """

    subnet: SubnetId
    ipv4_address: str = ""
    ipv6_address: str = ""
    gateway_hosts: tuple[HostId, ...] = ()
    gateway_host_count: int = DEFAULT_GATEWAY_HOSTS
    gateways: tuple[HostId, ...] = ()
    mac_address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vpc:
    """A tenant's routed network. `vni` and what is "" in the connections is decided at admission."""

    id: VpcId
    meta: Meta = Meta()
    kind: VpcKind = VpcKind.REGULAR
    dns_servers: tuple[str, ...] = ()
    external_connections: tuple[ExternalConnection, ...] = ()
    externally_routable_prefixes: tuple[str, ...] = ()
    vni: int = 0
    categories: tuple[CategoryId, ...] = ()

    def __post_init__(self) -> None:
        check_id("name", self.id)
        check_categories(self.categories)
        if len(self.dns_servers) > DNS_SERVERS_MAX:
            raise InvalidIntent(
                "dns_servers",
                f"has {len(self.dns_servers)} servers; at most {DNS_SERVERS_MAX} are allowed",
            )
        servers = tuple(
            shape.canonical_any_address(f"dns_servers[{i}]", v) for i, v in enumerate(self.dns_servers)
        )
        object.__setattr__(self, "dns_servers", servers)
        object.__setattr__(self, "external_connections", self._connections())
        object.__setattr__(self, "externally_routable_prefixes", self._prefixes())

    def connection(self, subnet: str) -> ExternalConnection | None:
        """Return the connection to an external subnet, None when there is none."""
        return next((found for found in self.external_connections if found.subnet == subnet), None)

    def _connections(self) -> tuple[ExternalConnection, ...]:
        if len(self.external_connections) > CONNECTIONS_MAX:
            raise InvalidIntent(
                "external_connections",
                f"has {len(self.external_connections)} connections; at most {CONNECTIONS_MAX} are allowed",
            )
        seen: set[str] = set()
        checked = []
        for i, connection in enumerate(self.external_connections):
            field = f"external_connections[{i}]"
            if connection.subnet in seen:
                raise InvalidIntent(f"{field}.subnet", f"{connection.subnet} is listed twice; connect once")
            seen.add(connection.subnet)
            checked.append(_checked(field, connection))
        return tuple(checked)

    def _prefixes(self) -> tuple[str, ...]:
        field = "externally_routable_prefixes"
        if len(self.externally_routable_prefixes) > PREFIXES_MAX:
            raise InvalidIntent(
                field,
                f"has {len(self.externally_routable_prefixes)} prefixes; at most {PREFIXES_MAX} are allowed",
            )
        networks: list[str] = []
        for i, text in enumerate(self.externally_routable_prefixes):
            network = shape.canonical_any_cidr(f"{field}[{i}]", text)
            for other in networks:
                if _overlap(network, other):
                    raise InvalidIntent(f"{field}[{i}]", f"{network} overlaps with {other}; list one of them")
            networks.append(network)
        return tuple(networks)


def _checked(field: str, connection: ExternalConnection) -> ExternalConnection:
    check_id(f"{field}.subnet", connection.subnet)
    v4, v6 = connection.ipv4_address, connection.ipv6_address
    hosts = connection.gateway_hosts
    for i, host in enumerate(hosts):
        check_id(f"{field}.gateway_hosts[{i}]", host)
        if host in hosts[:i]:
            raise InvalidIntent(f"{field}.gateway_hosts[{i}]", f"{host} is listed twice; list it once")
    if len(hosts) > GATEWAY_HOSTS_MAX:
        raise InvalidIntent(
            f"{field}.gateway_hosts", f"has {len(hosts)} hosts; at most {GATEWAY_HOSTS_MAX} are allowed"
        )
    count = connection.gateway_host_count
    shape.check_range(f"{field}.gateway_host_count", count, low=1, high=GATEWAY_HOSTS_MAX)
    return ExternalConnection(
        subnet=connection.subnet,
        ipv4_address=shape.canonical_address(f"{field}.ipv4_address", v4, 4) if v4 else "",
        ipv6_address=shape.canonical_address(f"{field}.ipv6_address", v6, 6) if v6 else "",
        gateway_hosts=hosts,
        gateway_host_count=count,
        gateways=connection.gateways,
        mac_address=connection.mac_address,
    )


def _overlap(one: str, other: str) -> bool:
    first, second = ipaddress.ip_network(one), ipaddress.ip_network(other)
    return first.version == second.version and first.overlaps(second)
