"""Admission of Vpc: its connections, the addresses and gateways on them, and what may not overlap."""

from __future__ import annotations

from dataclasses import replace

from netctl.errors import InvalidIntent
from netctl.model import gateways
from netctl.model.addresses import check_external_address, new_mac
from netctl.model.admit_security import check_categories_exist
from netctl.model.admit_security_policy import check_acls_of_vpcs
from netctl.model.ipam import allocate_address, allocate_vni
from netctl.model.keys import HostId, Key, Kind, SubnetId, VpcId
from netctl.model.networks import check_apart, inside, overlapping
from netctl.model.numbers import address_number, network_numbers
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, in_use, stamp
from netctl.model.subnet import Subnet, SubnetKind
from netctl.model.vpc import ExternalConnection, Vpc


def admit_vpc(asked: Vpc, before: Vpc | None, draft: Draft, context: Context) -> Vpc:
    """Return the VPC to store, each connection with its addresses and gateways."""
    if before is not None:
        check_kept("kind", before.kind.value, asked.kind.value)
    else:
        check_acls_of_vpcs(draft.count(Kind.VPC) + 1, draft)
    check_categories_exist(asked.categories, draft)
    connections = tuple(_connect(i, asked, before, draft) for i in range(len(asked.external_connections)))
    vpc = replace(
        asked,
        meta=stamp(asked.meta, before, context),
        vni=before.vni if before is not None else allocate_vni(draft),
        external_connections=connections,
    )
    _check_networks(vpc, before, draft)
    if before is not None:
        _check_disconnected(vpc, before, draft)
        _check_own_addresses(vpc, before, draft)
    return vpc


def _connect(i: int, asked: Vpc, before: Vpc | None, draft: Draft) -> ExternalConnection:
    connection, field = asked.external_connections[i], f"external_connections[{i}]"
    subnet = draft.subnet(connection.subnet)
    if subnet is None:
        raise absent((Kind.SUBNET, connection.subnet), f"{field}.subnet")
    if subnet.kind is not SubnetKind.EXTERNAL:
        raise InvalidIntent(f"{field}.subnet", f"subnets/{subnet.id} is not EXTERNAL: name one that is")
    _check_no_loop(asked, subnet, f"{field}.subnet", draft)
    old = before.connection(subnet.id) if before is not None else None
    kept = old or ExternalConnection(subnet=subnet.id)
    whose = (Kind.VPC, asked.id)
    made = replace(
        connection,
        ipv4_address=_address(draft, subnet, (connection.ipv4_address, kept.ipv4_address, 4), field, whose),
        ipv6_address=_address(draft, subnet, (connection.ipv6_address, kept.ipv6_address, 6), field, whose),
        gateways=kept.gateways,
        mac_address=kept.mac_address or new_mac(draft, subnet),
    )
    return replace(made, gateways=_gateways(draft, asked, made, subnet, field))


def _address(
    draft: Draft, subnet: Subnet, asked_kept_version: tuple[str, str, int], field: str, whose: Key
) -> str:
    asked, kept, version = asked_kept_version
    field = f"{field}.ipv{version}_address"
    config = subnet.config(version)
    if not asked and not kept:
        return allocate_address(draft, subnet, config, field=field) if config is not None else ""
    if asked and asked != kept:
        check_external_address(draft, subnet, asked, field, whose)
    return asked or kept


def _gateways(
    draft: Draft, vpc: Vpc, connection: ExternalConnection, subnet: Subnet, field: str
) -> tuple[HostId, ...]:
    gateways.check_named(draft, subnet, connection, field)
    if connection.gateway_hosts or not subnet.has_vlan:
        return connection.gateway_hosts
    chosen = gateways.choose(draft, vpc.id, connection, gateways.candidates(draft, subnet))
    if not chosen:
        raise gateways.none_possible(subnet, field)
    return chosen


def _check_no_loop(vpc: Vpc, subnet: Subnet, field: str, draft: Draft) -> None:
    """Refuse to connect to a transit VPC from which, over others, the way leads back here."""
    ahead: list[tuple[VpcId, str]] = [(subnet.vpc, f"vpcs/{subnet.vpc}")] if subnet.vpc else []
    seen: set[VpcId] = set()
    while ahead:
        id, path = ahead.pop()
        if id == vpc.id:
            raise InvalidIntent(
                field,
                f"subnets/{subnet.id} leads back to this VPC (over {path}): transit VPCs may not form a loop",
            )
        transit = draft.vpc(id)
        if id in seen or transit is None:
            continue
        seen.add(id)
        for connection in transit.external_connections:
            beyond = draft.subnet(connection.subnet)
            if beyond is not None and beyond.vpc:
                ahead.append((beyond.vpc, f"{path}, vpcs/{beyond.vpc}"))


def _check_networks(vpc: Vpc, before: Vpc | None, draft: Draft) -> None:
    """Keep all that the router is connected to apart, and what others route to it."""
    was = {one.subnet for one in before.external_connections} if before is not None else set()
    prefixes = before.externally_routable_prefixes if before is not None else ()
    for i, connection in enumerate(vpc.external_connections):
        subnet = draft.subnet(connection.subnet)
        if subnet is None:
            continue
        new = subnet.id not in was
        if new:
            _check_connection(vpc, subnet, f"external_connections[{i}].subnet", draft)
        for j, prefix in enumerate(vpc.externally_routable_prefixes):
            if new or prefix not in prefixes:
                _check_prefix(vpc, subnet, (f"externally_routable_prefixes[{j}]", prefix), draft)


def _check_connection(vpc: Vpc, subnet: Subnet, field: str, draft: Draft) -> None:
    for config in (subnet.ipv4, subnet.ipv6):
        if config is not None:
            check_apart(draft, vpc, config.cidr, field, (Kind.SUBNET, subnet.id))


def _check_prefix(vpc: Vpc, subnet: Subnet, field_prefix: tuple[str, str], draft: Draft) -> None:
    """Refuse a prefix that the other side of an external subnet routes elsewhere."""
    field, prefix = field_prefix
    mine = (Kind.VPC, vpc.id)
    transit = draft.vpc(subnet.vpc) if subnet.vpc else None
    if transit is not None:
        check_apart(draft, transit, prefix, field, mine)
        return
    version, low, high = network_numbers(prefix)
    config = subnet.config(version)
    if config is not None:
        _, first, last = network_numbers(config.cidr)
        if first <= high and last >= low:
            raise InvalidIntent(
                field, f"{prefix} overlaps with {config.cidr} of subnets/{subnet.id}: use another prefix"
            )
    for _, _, id in overlapping(draft.spans((f"prefixes/{subnet.id}", version)), low, high):
        if id != vpc.id:
            raise InvalidIntent(
                field,
                f"{prefix} overlaps with a prefix of vpcs/{id}, which is connected to subnets/{subnet.id} too:"
                " use another prefix",
            )


def _check_disconnected(vpc: Vpc, before: Vpc, draft: Draft) -> None:
    """Refuse to disconnect an external subnet that floating IPs or routes of this VPC use."""
    for connection in before.external_connections:
        if vpc.connection(connection.subnet) is not None:
            continue
        users = [(Kind.FLOATING_IP, id) for id in _floating_ips(draft, vpc.id, connection.subnet)]
        users += [(Kind.ROUTE, id) for id in _routes(draft, vpc.id, connection.subnet)]
        if users:
            raise in_use(
                f"the connection to subnets/{connection.subnet} is used", users, field="external_connections"
            )


def _floating_ips(draft: Draft, vpc: VpcId, external: SubnetId) -> list[str]:
    found: list[str] = []
    for floating in draft.floating_ips_of_subnet(external):
        nic = draft.nic(floating.nic) if floating.nic else None
        subnet = draft.subnet(nic.subnet) if nic is not None else None
        if floating.vpc == vpc or (subnet is not None and subnet.vpc == vpc):
            found.append(floating.id)
    return found


def _routes(draft: Draft, vpc: VpcId, external: SubnetId) -> set[str]:
    found = {str(route.id) for route in draft.routes_via_subnet(external) if route.vpc == vpc}
    subnet = draft.subnet(external)
    for config in (subnet.ipv4, subnet.ipv6) if subnet is not None else ():
        if config is not None:
            version, low, high = network_numbers(config.cidr)
            found.update(id for _, _, id in inside(draft.spans((f"hops/{vpc}", version)), low, high))
    return found


def _check_own_addresses(vpc: Vpc, before: Vpc, draft: Draft) -> None:
    """Refuse an address for the router that one of its routes leads to."""
    for i, connection in enumerate(vpc.external_connections):
        old = before.connection(connection.subnet)
        for version, text in ((4, connection.ipv4_address), (6, connection.ipv6_address)):
            if not text or (old is not None and text in (old.ipv4_address, old.ipv6_address)):
                continue
            number = address_number(version, text)
            routes = [
                (Kind.ROUTE, id)
                for _, _, id in inside(draft.spans((f"hops/{vpc.id}", version)), number, number)
            ]
            if routes:
                field = f"external_connections[{i}].ipv{version}_address"
                raise in_use(f"{text} is used as a next hop", routes, field=field)
