"""Addresses asked for by name: may this one be had in this subnet, and by whom is it held?"""

from __future__ import annotations

from dataclasses import dataclass

from netctl.errors import AlreadyExists, InvalidIntent
from netctl.model.indexes import Space
from netctl.model.ipam import Plan, allocate_address, allocate_mac, plan_of
from netctl.model.keys import Key, Kind, SubnetId, resource_name
from netctl.model.numbers import (
    address_number,
    address_text,
    eui64_number,
    mac_number,
    network_numbers,
    version_of,
)
from netctl.model.snapshot import Draft
from netctl.model.stamp import absent
from netctl.model.subnet import IpConfig, Subnet


def check_address(draft: Draft, subnet: Subnet, text: str, field: str, whose: Key) -> None:
    """Refuse an address that cannot be that of `whose` in a subnet. Pools and exclusions bind automatic ones only.

    A subnet without addresses of its own manages none: there the address serves port security, and must be unique.
    """
    version = version_of(text)
    config = subnet.config(version)
    number = address_number(version, text)
    if config is not None:
        _check_inside(plan_of(draft, subnet, config), number, text, field)
    owner = draft.owner(((f"ipv{version}", subnet.id), number))
    if owner is None or owner == whose:
        return
    if owner[0] is Kind.SUBNET:
        role = "gateway" if config is not None and text == config.gateway else "DHCP server"
        raise InvalidIntent(field, f"{text} is the {role} of subnets/{subnet.id}: use another address")
    raise AlreadyExists(f"{text} is held by {resource_name(owner)}: use another address", field=field)


def check_external_address(draft: Draft, subnet: Subnet, text: str, field: str, whose: Key) -> None:
    """Refuse an address that a router or floating IP cannot have: as for a NIC, and of the pools."""
    version = version_of(text)
    config = subnet.config(version)
    if config is None:
        raise InvalidIntent(
            field, f"subnets/{subnet.id} has no ipv{version} addresses: use another address or leave it empty"
        )
    check_address(draft, subnet, text, field, whose)
    number = address_number(version, text)
    plan = plan_of(draft, subnet, config)
    if not any(low <= number <= high for low, high in plan.pools):
        pools = ", ".join(f"{pool.start}-{pool.end}" for pool in config.pools[:3])
        raise InvalidIntent(
            field,
            f"{text} is outside the pools of subnets/{subnet.id} ({pools}): use an address of the pools or enlarge"
            " them",
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """An address to decide: what is asked for, what is `stored` (None: its holder is new), the MAC address with it."""

    asked: str
    stored: str | None
    mac: str
    field: str
    whose: Key


def decide_address(draft: Draft, subnet: Subnet, version: int, wish: Wish) -> str:
    """Return the address of an interface in a subnet; what is stored, also nothing, stays if no other is asked for."""
    config = subnet.config(version)
    kept = wish.stored is not None and wish.asked in ("", wish.stored)
    if version == 6 and config is not None and subnet.ipv6_mode.from_mac and wish.stored != "":
        return _from_mac(draft, subnet, config, wish)
    if kept:
        return wish.stored or ""
    if wish.asked:
        check_address(draft, subnet, wish.asked, wish.field, wish.whose)
    elif config is not None:
        return allocate_address(draft, subnet, config, field=wish.field)
    return wish.asked


def _from_mac(draft: Draft, subnet: Subnet, config: IpConfig, wish: Wish) -> str:
    """Return the address that the guest will give itself; it follows the MAC address."""
    text = address_text(6, eui64_number(network_numbers(config.cidr)[1], wish.mac))
    if wish.asked not in ("", wish.stored, text):
        raise InvalidIntent(
            wish.field,
            f"{wish.asked} cannot be had: in subnets/{subnet.id} ({subnet.ipv6_mode.value}) the guest with"
            f" {wish.mac} makes {text} of it; leave it empty",
        )
    if text != wish.stored:
        check_address(draft, subnet, text, wish.field, wish.whose)
    return text


def _check_inside(plan: Plan, number: int, text: str, field: str) -> None:
    version, cidr = plan.config.version, plan.config.cidr
    if not plan.low <= number <= plan.high:
        raise InvalidIntent(field, f"{text} is not in {cidr}: use an address of the subnet")
    if number == plan.low:
        what = "network address" if version == 4 else "subnet-router anycast address"
        raise InvalidIntent(field, f"{text} is the {what} of {cidr}: use another address")
    if version == 4 and number == plan.high:
        raise InvalidIntent(field, f"{text} is the broadcast address of {cidr}: use another address")


def check_mac(draft: Draft, mac: str, whose: Key) -> None:
    """Refuse a MAC address that somebody else has."""
    owner = draft.owner(((Space.MAC, ""), mac_number(mac)))
    if owner in (None, whose):
        return
    subnet = draft.subnet(SubnetId(owner[1])) if owner[0] is Kind.SUBNET else None
    role = ""
    if subnet is not None:
        role = "the router in " if subnet.gateway_mac_address == mac else "the DHCP server of "
    raise AlreadyExists(
        f"{mac} is the address of {role}{resource_name(owner)}: MAC addresses are unique: use another one",
        field="mac_address",
    )


def new_mac(draft: Draft, subnet: Subnet) -> str:
    """Return a free MAC address with the prefix of the first cluster that a subnet spans."""
    cluster = draft.cluster(subnet.clusters[0])
    if cluster is None:
        raise absent((Kind.CLUSTER, subnet.clusters[0]), "subnet")
    return allocate_mac(draft, cluster.id, cluster.mac_prefix)
