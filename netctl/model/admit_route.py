"""Admission of Route: where it may lead, and that its next hops can be reached."""

from __future__ import annotations

from dataclasses import replace

from netctl.errors import AlreadyExists, InvalidIntent
from netctl.model.indexes import Space
from netctl.model.keys import Kind, resource_name
from netctl.model.networks import connected
from netctl.model.nic import Nic
from netctl.model.numbers import address_number, network_numbers
from netctl.model.route import NextHop, Route
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, stamp
from netctl.model.subnet import Subnet
from netctl.model.vpc import Vpc


def admit_route(asked: Route, before: Route | None, draft: Draft, context: Context) -> Route:
    """Return the route to store; nothing in it is left to admission."""
    if before is not None:
        check_kept("vpc", before.vpc, asked.vpc)
        check_kept("destination", before.destination, asked.destination)
    vpc = draft.vpc(asked.vpc)
    if vpc is None:
        raise absent((Kind.VPC, asked.vpc), "vpc")
    owner = draft.owner(((Space.ROUTE, asked.vpc), f"{asked.destination} {asked.priority}"))
    if owner not in (None, (Kind.ROUTE, asked.id)):
        raise AlreadyExists(
            f"{resource_name(owner)} leads to {asked.destination} with priority {asked.priority}: use another"
            " priority, or give that route more next hops",
            field="priority",
        )
    _check_destination(asked, vpc, draft)
    addresses: list[str] = []
    for i in range(len(asked.next_hops)):
        address = _check_hop(asked, i, vpc, draft)
        if address in addresses:
            raise InvalidIntent(f"next_hops[{i}]", f"{address} is a next hop already; list it once")
        addresses.append(address)
    return replace(asked, meta=stamp(asked.meta, before, context))


def _check_destination(asked: Route, vpc: Vpc, draft: Draft) -> None:
    """Refuse to route a part of a network that the router is connected to: its hosts would be unreachable."""
    version, low, high = network_numbers(asked.destination)
    for network, last, whose in connected(draft, vpc, version, low, low):
        if last >= high:
            raise InvalidIntent(
                "destination",
                f"{asked.destination} is inside {network} of {resource_name(whose)}, to which vpcs/{vpc.id} is"
                " connected: use another destination",
            )


def _check_hop(asked: Route, i: int, vpc: Vpc, draft: Draft) -> str:
    """Return the address of a next hop; refuse one that the router cannot reach."""
    hop, field = asked.next_hops[i], f"next_hops[{i}]"
    if hop.external_subnet:
        return _check_external(asked, hop, vpc, (field, draft))
    number = address_number(asked.version, hop.ip_address)
    found = connected(draft, vpc, asked.version, number, number)
    subnet = next((draft.get(key) for _, _, key in found if key[0] is Kind.SUBNET), None)
    if not isinstance(subnet, Subnet):
        raise InvalidIntent(
            f"{field}.ip_address",
            f"{hop.ip_address} is in no network of vpcs/{vpc.id}: use an address in one of its subnets or in an"
            " external subnet that it is connected to",
        )
    config = subnet.config(asked.version)
    if config is not None:
        config.check_inside(f"{field}.ip_address", hop.ip_address)
    external = vpc.connection(subnet.id) is not None
    owner = draft.owner(((f"ipv{asked.version}", subnet.id), number))
    router = not external and config is not None and hop.ip_address == config.gateway
    if owner == (Kind.VPC, vpc.id) or router:
        raise InvalidIntent(
            f"{field}.ip_address",
            f"{hop.ip_address} is the router's own address: use that of another machine",
        )
    nic = draft.get(owner) if owner is not None else None
    if isinstance(nic, Nic) and nic.port_security:
        raise InvalidIntent(
            f"{field}.ip_address",
            f"{hop.ip_address} is of nics/{nic.id}, whose port security drops what is not for its own addresses: set"
            " its port_security to false first",
        )
    if asked.bfd is not None and not external:
        raise InvalidIntent(
            "bfd",
            f"{hop.ip_address} is in subnets/{subnet.id}, and BFD watches next hops on external subnets only:"
            " remove bfd or use another next hop",
        )
    return hop.ip_address


def _check_external(asked: Route, hop: NextHop, vpc: Vpc, place: tuple[str, Draft]) -> str:
    field, draft = place
    field = f"{field}.external_subnet"
    subnet = draft.subnet(hop.external_subnet)
    if subnet is None:
        raise absent((Kind.SUBNET, hop.external_subnet), field)
    if vpc.connection(subnet.id) is None:
        raise InvalidIntent(
            field,
            f"vpcs/{vpc.id} is not connected to subnets/{subnet.id}: connect it or use another next hop",
        )
    config = subnet.config(asked.version)
    if config is None or not config.gateway:
        raise InvalidIntent(
            field, f"subnets/{subnet.id} has no IPv{asked.version} gateway: use another next hop"
        )
    return config.gateway
