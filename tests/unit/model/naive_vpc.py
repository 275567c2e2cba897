"""What must hold of VPCs, floating IPs, routes, policies and reservations, said by walking all; part of naive.py."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Any

from netctl.model.keys import NicId
from netctl.model.nic import Nic
from netctl.model.subnet import Subnet, SubnetKind
from netctl.model.vpc import Vpc, VpcKind

if TYPE_CHECKING:
    from tests.unit.model.naive import World


def check(world: World) -> None:
    """Assert everything that admission promises of routing."""
    for subnet in world.subnets.values():
        _check_subnet(world, subnet)
    for vpc in world.vpcs.values():
        _check_vpc(world, vpc)
    for floating in world.floating_ips.values():
        _check_floating_ip(world, floating)
    for route in world.routes.values():
        _check_route(world, route)
    for policy in world.policies.values():
        assert policy.vpc in world.vpcs
        for service in policy.service_ips:
            holder = holder_in_vpc(world, policy.vpc, service)
            assert holder is not None
            assert not holder.port_security
    _check_reservations(world)


def references(world: World, kind: str, id: str) -> Iterator[str]:
    """Yield the names of the kinds of VPCs that need a resource."""
    for subnet in world.subnets.values():
        if kind == "vpcs" and subnet.vpc == id:
            yield f"subnets/{subnet.id}"
    for vpc in world.vpcs.values():
        if kind == "subnets" and any(one.subnet == id for one in vpc.external_connections):
            yield f"vpcs/{vpc.id}"
    for floating in world.floating_ips.values():
        private = floating.vpc and _subnet_of(world, floating.vpc, floating.private_address)
        nic = world.nics.get(NicId(id)) if kind == "nics" else None
        held = nic is not None and private and floating.private_address in _held(nic, private.id)
        if (
            (kind == "subnets" and (floating.external_subnet == id or (private and private.id == id)))
            or (kind == "nics" and floating.nic == id)
            or (kind == "vpcs" and floating.vpc == id)
            or held
        ):
            yield f"floatingIps/{floating.id}"
    for route in world.routes.values():
        subnets = [hop.external_subnet for hop in route.next_hops]
        inside = [_subnet_of(world, route.vpc, hop.ip_address) for hop in route.next_hops if hop.ip_address]
        if (kind == "vpcs" and route.vpc == id) or (
            kind == "subnets" and (id in subnets or any(found and found.id == id for found in inside))
        ):
            yield f"routes/{route.id}"
    for policy in world.policies.values():
        holders = [holder_in_vpc(world, policy.vpc, service) for service in policy.service_ips]
        if (kind == "vpcs" and policy.vpc == id) or (
            kind == "nics" and any(holder is not None and holder.id == id for holder in holders)
        ):
            yield f"routingPolicies/{policy.id}"
    for kept in world.reservations.values():
        if kind == "subnets" and kept.subnet == id:
            yield f"addressReservations/{kept.id}"


def unique_values(world: World) -> Iterator[tuple[object, ...]]:
    """Yield what only one may have."""
    for vpc in world.vpcs.values():
        yield "vni", vpc.vni
        yield from (("mac", one.mac_address) for one in vpc.external_connections)
    for route in world.routes.values():
        yield "route", route.vpc, route.destination, route.priority
    for policy in world.policies.values():
        yield "policy", policy.vpc, policy.priority
    for floating in world.floating_ips.values():
        yield "mac", floating.mac_address
        version = 6 if ":" in floating.address else 4
        if floating.nic:
            nic = world.nics[floating.nic]
            private = nic.ipv4_address if version == 4 else nic.ipv6_address
            yield "floating", world.subnets[nic.subnet].vpc, private
        elif floating.vpc:
            yield "floating", floating.vpc, floating.private_address


def addresses(world: World) -> Iterator[tuple[str, str, str]]:
    """Yield (subnet, address, "") of routers and floating IPs."""
    for vpc in world.vpcs.values():
        for one in vpc.external_connections:
            yield from ((one.subnet, a, "") for a in (one.ipv4_address, one.ipv6_address) if a)
    for floating in world.floating_ips.values():
        yield floating.external_subnet, floating.address, ""


def holder_in_vpc(world: World, vpc: str, address: str) -> Nic | None:
    """Return the NIC in a VPC that has an address, also as that of a VLAN."""
    for nic in world.nics.values():
        for subnet in world.subnets.values():
            if subnet.vpc == vpc and address in _held(nic, subnet.id):
                return nic
    return None


def _held(nic: Nic, subnet: str) -> set[str]:
    """Return what a NIC has in a subnet."""
    found = {nic.ipv4_address, nic.ipv6_address} if nic.subnet == subnet else set()
    for vlan in nic.trunk_vlans:
        if vlan.subnet == subnet:
            found |= {vlan.ipv4_address, vlan.ipv6_address}
    return found - {""}


def _subnet_of(world: World, vpc: str, address: str) -> Subnet | None:
    ip = ipaddress.ip_address(address)
    for subnet in world.subnets.values():
        if subnet.vpc == vpc and any(ip in network for network in networks_of(subnet)):
            return subnet
    return None


def networks_of(subnet: Subnet) -> list[Any]:
    """Return the networks of a subnet, of both families."""
    return [ipaddress.ip_network(config.cidr) for config in (subnet.ipv4, subnet.ipv6) if config is not None]


def connected(world: World, vpc: Vpc) -> list[tuple[Any, str]]:
    """Return the networks that a VPC's router is connected to, with whose each is."""
    inside = [subnet for subnet in world.subnets.values() if subnet.vpc == vpc.id]
    outside = [world.subnets[one.subnet] for one in vpc.external_connections]
    found: list[tuple[Any, str]] = [
        (network, subnet.id) for subnet in (*inside, *outside) for network in networks_of(subnet)
    ]
    for other in world.vpcs.values():
        if any(world.subnets[one.subnet].vpc == vpc.id for one in other.external_connections):
            prefixes = other.externally_routable_prefixes
            found += [(ipaddress.ip_network(prefix), other.id) for prefix in prefixes]
    return found


def _check_subnet(world: World, subnet: Subnet) -> None:
    if subnet.vpc:
        assert subnet.vpc in world.vpcs
        assert networks_of(subnet)
        for config in (subnet.ipv4, subnet.ipv6):
            assert config is None or config.gateway
    if subnet.kind is SubnetKind.EXTERNAL:
        assert not subnet.vpc or world.vpcs[subnet.vpc].kind is VpcKind.TRANSIT
        users = [vpc for vpc in world.vpcs.values() if vpc.connection(subnet.id) is not None]
        for one, other in combinations(users, 2):
            for a in one.externally_routable_prefixes:
                for b in other.externally_routable_prefixes:
                    assert not _overlap(ipaddress.ip_network(a), ipaddress.ip_network(b))


def _overlap(one: Any, other: Any) -> bool:
    return bool(one.version == other.version and one.overlaps(other))


def _check_vpc(world: World, vpc: Vpc) -> None:
    for (one, mine), (other, whose) in combinations(connected(world, vpc), 2):
        assert mine == whose or not _overlap(one, other), (vpc.id, one, other)
    for connection in vpc.external_connections:
        subnet = world.subnets[connection.subnet]
        assert subnet.kind is SubnetKind.EXTERNAL
        able = {
            host.id
            for host in world.hosts.values()
            if any(up.virtual_switch in subnet.virtual_switches for up in host.uplinks)
            or (not subnet.virtual_switches and host.cluster in subnet.clusters)
        }
        if not subnet.virtual_switches and not subnet.nat:
            assert connection.gateways == connection.gateway_hosts == ()
            continue
        assert connection.gateways
        assert len(set(connection.gateways)) == len(connection.gateways)
        assert set(connection.gateways) <= able
        if connection.gateway_hosts:
            assert connection.gateways == connection.gateway_hosts
        else:
            assert len(connection.gateways) <= connection.gateway_host_count
        for config, address in (
            (subnet.ipv4, connection.ipv4_address),
            (subnet.ipv6, connection.ipv6_address),
        ):
            assert config is not None or not address
    seen, ahead = set(), [vpc.id]
    while ahead:
        for connection in world.vpcs[ahead.pop()].external_connections:
            beyond = world.subnets[connection.subnet].vpc
            assert beyond != vpc.id
            if beyond and beyond not in seen:
                seen.add(beyond)
                ahead.append(beyond)


def _check_floating_ip(world: World, floating: Any) -> None:
    external = world.subnets[floating.external_subnet]
    assert external.kind is SubnetKind.EXTERNAL
    assert external.nat
    vpc = floating.vpc
    if floating.nic:
        nic = world.nics[floating.nic]
        vpc = world.subnets[nic.subnet].vpc
        assert nic.ipv6_address if ":" in floating.address else nic.ipv4_address
    if vpc:
        connection = world.vpcs[vpc].connection(external.id)
        assert connection is not None
        assert connection.ipv6_address if ":" in floating.address else connection.ipv4_address
    if floating.private_address:
        subnet = _subnet_of(world, vpc, floating.private_address)
        assert subnet is not None
        assert subnet.kind is SubnetKind.OVERLAY
        own = {config.gateway for config in (subnet.ipv4, subnet.ipv6) if config is not None}
        own |= {subnet.dhcp.server_address} if subnet.dhcp is not None else set()
        assert floating.private_address not in own


def _check_route(world: World, route: Any) -> None:
    vpc = world.vpcs[route.vpc]
    destination: Any = ipaddress.ip_network(route.destination)
    for network, _ in connected(world, vpc):
        assert network.version != destination.version or not destination.subnet_of(network)
    outside = [world.subnets[one.subnet] for one in vpc.external_connections]
    inside = [subnet for subnet in world.subnets.values() if subnet.vpc == vpc.id]
    for hop in route.next_hops:
        if hop.external_subnet:
            assert hop.external_subnet in [subnet.id for subnet in outside]
            continue
        ip = ipaddress.ip_address(hop.ip_address)
        reach = outside if route.bfd is not None else [*outside, *inside]
        assert any(ip in network for subnet in reach for network in networks_of(subnet))
        assert hop.ip_address not in [
            config.gateway for subnet in inside for config in (subnet.ipv4, subnet.ipv6) if config is not None
        ]
        assert hop.ip_address not in [
            address for one in vpc.external_connections for address in (one.ipv4_address, one.ipv6_address)
        ]


def _check_reservations(world: World) -> None:
    taken: set[tuple[str, Any]] = set()
    for kept in world.reservations.values():
        subnet = world.subnets[kept.subnet]
        config = subnet.ipv4 if kept.ip_version == 4 else subnet.ipv6
        assert config is not None
        network: Any = ipaddress.ip_network(config.cidr)
        addresses = []
        for one in kept.reserved:
            low, high = int(ipaddress.ip_address(one.start)), int(ipaddress.ip_address(one.end))
            addresses += [ipaddress.ip_address(number) for number in range(low, high + 1)]
        assert all(address in network and address != network[0] for address in addresses)
        assert not kept.count or len(addresses) == kept.count
        for address in addresses:
            assert (subnet.id, address) not in taken
            taken.add((subnet.id, address))
