"""Admission of Nic: its subnet and host, its addresses and the name of its tap; its VLANs are in admit_trunk.py."""

from __future__ import annotations

from netctl.errors import Exhausted, InvalidIntent
from netctl.model.addresses import Wish, check_mac, decide_address, new_mac
from netctl.model.admit_security import check_categories_exist
from netctl.model.admit_trunk import admit_trunk
from netctl.model.indexes import Space
from netctl.model.keys import Kind, Uid
from netctl.model.nic import Nic, NicMode
from netctl.model.nic_users import check_addresses_unused
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, replace_unchecked, stamp
from netctl.model.subnet import Subnet, SubnetKind

# Linux: an interface name has at most 15 bytes (IFNAMSIZ less the NUL); "tap" and 11 digits are 14, as in Neutron.
_TAP_DIGITS = 11


def admit_nic(asked: Nic, before: Nic | None, draft: Draft, context: Context) -> Nic:
    """Return the NIC to store.

    A new NIC gets a MAC address and, of each family that the subnet manages, an address. Later an empty field keeps
    what is stored, also nothing: giving `ipv4` to a subnet does not give addresses to the NICs that it has.
    """
    if before is not None:
        check_kept("subnet", before.subnet, asked.subnet)
        check_kept("mode", before.mode.value, asked.mode.value)
    subnet = draft.subnet(asked.subnet)
    if subnet is None:
        raise absent((Kind.SUBNET, asked.subnet), "subnet")
    if subnet.kind is SubnetKind.EXTERNAL:
        raise InvalidIntent(
            "subnet",
            f"subnets/{subnet.id} is EXTERNAL, for routers and floating IPs: use a VLAN or OVERLAY subnet",
        )
    if asked.host and (before is None or asked.host != before.host):
        _check_host(asked, subnet, draft)
    check_categories_exist(asked.categories, draft)
    meta = stamp(asked.meta, before, context)
    mac = _mac(asked, before, subnet, draft)
    nic = replace_unchecked(
        asked,
        meta=meta,
        mac_address=mac,
        ipv4_address=decide_address(draft, subnet, 4, _wish(asked, before, mac, 4)),
        ipv6_address=decide_address(draft, subnet, 6, _wish(asked, before, mac, 6)),
        tap_name=before.tap_name if before is not None else _tap(meta.uid, draft),
    )
    if nic.mode is NicMode.TRUNK:
        nic = admit_trunk(nic, before, subnet, draft)
    if before is not None:
        check_addresses_unused(before, nic, draft)
    return nic


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
        return before.mac_address if before is not None else new_mac(draft, subnet)
    if before is None or asked.mac_address != before.mac_address:
        check_mac(draft, asked.mac_address, (Kind.NIC, asked.id))
    return asked.mac_address


def _wish(asked: Nic, before: Nic | None, mac: str, version: int) -> Wish:
    stored = None if before is None else before.ipv4_address if version == 4 else before.ipv6_address
    text = asked.ipv4_address if version == 4 else asked.ipv6_address
    return Wish(text, stored, mac, f"ipv{version}_address", (Kind.NIC, asked.id))


def _tap(uid: Uid, draft: Draft) -> str:
    """Return "tap" and the first digits of the uid that no other tap has."""
    digits = uid.replace("-", "")
    for i in range(max(len(digits) - _TAP_DIGITS, 0) + 1):
        name = f"tap{digits[i : i + _TAP_DIGITS]}"
        if draft.owner(((Space.TAP, ""), name)) is None:
            return name
    raise Exhausted(f"no tap name is free for uid {uid}: try again", field="tap_name")
