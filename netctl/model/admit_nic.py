"""Admission of Nic: its subnet and host, its addresses and the name of its tap."""

from __future__ import annotations

from netctl.errors import AlreadyExists, Exhausted, InvalidIntent
from netctl.model.indexes import Space
from netctl.model.ipam import Plan, allocate_address, allocate_mac, plan_of
from netctl.model.keys import Kind, Uid, resource_name
from netctl.model.nic import Nic
from netctl.model.numbers import address_number, mac_number
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, replace_unchecked, stamp
from netctl.model.subnet import Subnet

# Linux: an interface name has at most 15 bytes (IFNAMSIZ less the NUL); "tap" and 11 digits are 14, as in Neutron.
_TAP_DIGITS = 11


def admit_nic(asked: Nic, before: Nic | None, draft: Draft, context: Context) -> Nic:
    """Return the NIC to store.

    A new NIC gets a MAC address and, of each family that the subnet manages, an address. Later an empty field keeps
    what is stored, also nothing: giving `ipv4` to a subnet does not give addresses to the NICs that it has.
    """
    if before is not None:
        check_kept("subnet", before.subnet, asked.subnet)
    subnet = draft.subnet(asked.subnet)
    if subnet is None:
        raise absent((Kind.SUBNET, asked.subnet), "subnet")
    if asked.host and (before is None or asked.host != before.host):
        _check_host(asked, subnet, draft)
    meta = stamp(asked.meta, before, context)
    return replace_unchecked(
        asked,
        meta=meta,
        mac_address=_mac(asked, before, subnet, draft),
        ipv4_address=_ipv4(asked, before, subnet, draft),
        ipv6_address=_ipv6(asked, before, subnet, draft),
        tap_name=before.tap_name if before is not None else _tap(meta.uid, draft),
    )


def _check_host(nic: Nic, subnet: Subnet, draft: Draft) -> None:
    host = draft.host(nic.host)
    if host is None:
        raise absent((Kind.HOST, nic.host), "host")
    if host.cluster not in subnet.clusters:
        spanned = ", ".join(f"clusters/{id}" for id in subnet.clusters)
        raise InvalidIntent(
            "host",
            f"hosts/{host.id} is in clusters/{host.cluster}, subnets/{subnet.id} in {spanned}:"
            " use a host of the same cluster",
        )


def _mac(asked: Nic, before: Nic | None, subnet: Subnet, draft: Draft) -> str:
    if not asked.mac_address:
        if before is not None:
            return before.mac_address
        cluster = draft.cluster(subnet.clusters[0])
        if cluster is None:
            raise absent((Kind.CLUSTER, subnet.clusters[0]), "subnet")
        return allocate_mac(draft, cluster.id, cluster.mac_prefix)
    if before is None or asked.mac_address != before.mac_address:
        owner = draft.owner(((Space.MAC, ""), mac_number(asked.mac_address)))
        if owner not in (None, (Kind.NIC, asked.id)):
            whose = "the DHCP server of " if owner[0] is Kind.SUBNET else ""
            raise AlreadyExists(
                f"{asked.mac_address} is the address of {whose}{resource_name(owner)}: MAC addresses are unique:"
                " use another one",
                field="mac_address",
            )
    return asked.mac_address


def _ipv4(asked: Nic, before: Nic | None, subnet: Subnet, draft: Draft) -> str:
    if before is not None and asked.ipv4_address in ("", before.ipv4_address):
        return before.ipv4_address
    if asked.ipv4_address:
        _check_address(asked, subnet, draft, 4)
    elif subnet.ipv4 is not None:
        return allocate_address(draft, subnet, subnet.ipv4)
    return asked.ipv4_address


def _ipv6(asked: Nic, before: Nic | None, subnet: Subnet, draft: Draft) -> str:
    if before is not None and asked.ipv6_address in ("", before.ipv6_address):
        return before.ipv6_address
    if asked.ipv6_address:
        _check_address(asked, subnet, draft, 6)
    elif subnet.ipv6 is not None:
        return allocate_address(draft, subnet, subnet.ipv6)
    return asked.ipv6_address


def _check_address(nic: Nic, subnet: Subnet, draft: Draft, version: int) -> None:
    """Refuse an address asked for that cannot be the NIC's. Pools and exclusions bind automatic addresses only.

    A subnet without addresses of its own manages none: there the address serves port security, and must be unique.
    """
    text, config = (nic.ipv4_address, subnet.ipv4) if version == 4 else (nic.ipv6_address, subnet.ipv6)
    field = f"ipv{version}_address"
    number = address_number(version, text)
    if config is not None:
        _check_inside(number, text, plan_of(draft, subnet, config))
    owner = draft.owner(((f"ipv{version}", subnet.id), number))
    if owner is None or owner == (Kind.NIC, nic.id):
        return
    if owner[0] is Kind.SUBNET:
        role = "gateway" if config is not None and text == config.gateway else "DHCP server"
        raise InvalidIntent(field, f"{text} is the {role} of subnets/{subnet.id}: use another address")
    raise AlreadyExists(f"{text} is held by {resource_name(owner)}: use another address", field=field)


def _check_inside(number: int, text: str, plan: Plan) -> None:
    version, cidr = plan.config.version, plan.config.cidr
    field = f"ipv{version}_address"
    if not plan.low <= number <= plan.high:
        raise InvalidIntent(field, f"{text} is not in {cidr}: use an address of the subnet")
    if number == plan.low:
        what = "network address" if version == 4 else "subnet-router anycast address"
        raise InvalidIntent(field, f"{text} is the {what} of {cidr}: use another address")
    if version == 4 and number == plan.high:
        raise InvalidIntent(field, f"{text} is the broadcast address of {cidr}: use another address")


def _tap(uid: Uid, draft: Draft) -> str:
    """Return "tap" and the first digits of the uid that no other tap has."""
    digits = uid.replace("-", "")
    for i in range(max(len(digits) - _TAP_DIGITS, 0) + 1):
        name = f"tap{digits[i : i + _TAP_DIGITS]}"
        if draft.owner(((Space.TAP, ""), name)) is None:
            return name
    raise Exhausted(f"no tap name is free for uid {uid}: try again", field="tap_name")
