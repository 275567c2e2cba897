"""Who counts on an address that a NIC has: floating IPs of private addresses, policies that reroute to it."""

from __future__ import annotations

from netctl.errors import AlreadyExists
from netctl.model.indexes import Claim, Space
from netctl.model.keys import Key, SubnetId, VpcId, resource_name
from netctl.model.networks import policies_at, routes_at
from netctl.model.nic import Nic
from netctl.model.numbers import version_of
from netctl.model.snapshot import Draft
from netctl.model.stamp import in_use

Held = tuple[SubnetId, str]  # an address in a subnet


def nic_claim(nic: str, version: int) -> Claim:
    """Return what a floating IP of a NIC claims: the NIC, for its IP version."""
    return (Space.FLOATING, ""), f"{nic} {version}"


def private_claim(vpc: VpcId, text: str) -> Claim:
    """Return what a floating IP of a private address claims."""
    return (Space.FLOATING, vpc), text


def held_by(nic: Nic) -> list[Held]:
    """Return the addresses of a NIC and its VLANs."""
    found = [(nic.subnet, nic.ipv4_address), (nic.subnet, nic.ipv6_address)]
    for vlan in nic.trunk_vlans:
        found += ((vlan.subnet, vlan.ipv4_address), (vlan.subnet, vlan.ipv6_address))
    return [(subnet, text) for subnet, text in found if text]


def users_of(held: list[Held], draft: Draft) -> list[Key]:
    """Return the policies and floating IPs of private addresses that use addresses."""
    found: list[Key] = []
    for id, text in held:
        subnet = draft.subnet(id)
        if subnet is not None and subnet.vpc:
            found += policies_at(draft, subnet.vpc, text)
            floating = draft.owner(private_claim(subnet.vpc, text))
            found += [floating] if floating is not None else []
    return found


def check_addresses_unused(before: Nic, after: Nic, draft: Draft) -> None:
    """Refuse a change that takes an address, or the way past port security, from who counts on it."""
    was, now = held_by(before), held_by(after)
    if was != now:
        gone = [one for one in was if one not in now]
        users = users_of(gone, draft)
        if users:
            texts = ", ".join(text for _, text in gone)
            raise in_use(f"{texts} of nics/{before.id} is used", users, field=_field(before, after))
        _check_one_floating_ip(before, after, draft)
    if after.port_security and not before.port_security:
        subnets = ((draft.subnet(id), text) for id, text in now)
        senders = [
            key
            for found, text in subnets
            if found is not None and found.vpc
            for key in (*policies_at(draft, found.vpc, text), *routes_at(draft, found.vpc, text))
        ]
        if senders:
            raise in_use(
                f"port security would stop what is sent on by nics/{after.id}",
                senders,
                field="port_security",
            )


def _field(before: Nic, after: Nic) -> str:
    for field in ("ipv4_address", "ipv6_address"):
        if getattr(before, field) != getattr(after, field):
            return field
    return "trunk_vlans"


def _check_one_floating_ip(before: Nic, after: Nic, draft: Draft) -> None:
    """Refuse an address with a floating IP of its own for a NIC that has one."""
    subnet = draft.subnet(after.subnet)
    for old, text in (
        (before.ipv4_address, after.ipv4_address),
        (before.ipv6_address, after.ipv6_address),
    ):
        if old == text or subnet is None or not subnet.vpc:
            continue
        own = draft.owner(nic_claim(after.id, version_of(text)))
        other = draft.owner(private_claim(subnet.vpc, text))
        if own is not None and other is not None:
            raise AlreadyExists(
                f"{text} has {resource_name(other)}, and nics/{after.id} has {resource_name(own)}: use another address",
                field=f"ipv{version_of(text)}_address",
            )
