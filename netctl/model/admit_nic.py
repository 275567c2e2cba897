"""Admission of Nic: its subnet and host, its addresses and the name of its tap; its VLANs are in admit_trunk.py."""

from __future__ import annotations

from dataclasses import replace

from netctl.errors import Exhausted, InvalidIntent
from netctl.model.addresses import Wish, check_mac, decide_address, new_mac
from netctl.model.admit_security import check_categories_exist
from netctl.model.admit_trunk import admit_trunk, needs_basic
from netctl.model.indexes import Relation, Space
from netctl.model.infra import Host
from netctl.model.intent import Intent
from netctl.model.ipam import allocate_mac
from netctl.model.keys import ClusterId, Kind, Uid
from netctl.model.nic import Nic, NicKind, NicMode
from netctl.model.nic_users import check_addresses_unused
from netctl.model.places import subnets_of
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, in_motion, replace_unchecked, stamp
from netctl.model.subnet import Subnet, SubnetKind
from netctl.model.vm import NICS_MAX, Vm

# Linux: an interface name has at most 15 bytes (IFNAMSIZ less the NUL); "tap" and 11 digits are 14, as in Neutron.
_TAP_DIGITS = 11


def admit_nic(asked: Nic, before: Nic | None, draft: Draft, context: Context) -> Nic:
    """Return the NIC to store.

    A new NIC gets a MAC address and, of each family that the subnet manages, an address. Later an empty field keeps
    what is stored, also nothing: giving `ipv4` to a subnet does not give addresses to the NICs that it has.
    """
    if before is not None:
        _check_unchanged(asked, before)
    if asked.vm:
        asked = _with_vm(asked, before, draft)
    if not asked.has_subnet:
        return _admit_bare(asked, before, draft, context)
    subnet = _subnet(asked, draft)
    if asked.vm and before is None:
        _check_reaches_vm(asked, subnet, draft)
    elif asked.host and not asked.vm and (before is None or asked.host != before.host):
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
        basic=before.basic if before is not None else _starts_basic(asked, subnet),
    )
    if nic.mode is NicMode.TRUNK:
        nic = admit_trunk(nic, before, subnet, draft)
    if before is not None:
        check_addresses_unused(before, nic, draft)
    return nic


def restacked(nic: Nic, *, basic: bool, draft: Draft) -> Nic:
    """Return a NIC on the other side of its subnet's migration; both ways, so that one can be put back."""
    if nic.kind is not NicKind.NORMAL:
        raise InvalidIntent("nic", f"nics/{nic.id} is of kind {nic.kind.name}, which does not move")
    for subnet in subnets_of(draft, nic):
        if subnet.kind not in (SubnetKind.VLAN, SubnetKind.VLAN_BASIC):
            raise InvalidIntent(
                "nic",
                f"nics/{nic.id} has a VLAN on subnets/{subnet.id}, which is {subnet.kind.name} and OVN's alone",
            )
    subnet = _subnet(nic, draft)
    if not basic and needs_basic(nic, subnet):
        raise InvalidIntent("nic", f"nics/{nic.id} uses VLANs without a subnet, which OVN cannot carry")
    return replace_unchecked(nic, basic=basic)


def released(nic: Nic, asked: Intent, draft: Draft) -> Nic:
    """Return an admitted NIC with the addresses that were asked for, and none else: its guest chooses them."""
    assert isinstance(asked, Nic)
    texts = {vlan.vlan_id: vlan for vlan in asked.trunk_vlans}
    vlans = tuple(
        replace(
            vlan,
            ipv4_address=texts[vlan.vlan_id].ipv4_address,
            ipv6_address=texts[vlan.vlan_id].ipv6_address,
        )
        for vlan in nic.trunk_vlans
    )
    after = replace_unchecked(
        nic, ipv4_address=asked.ipv4_address, ipv6_address=asked.ipv6_address, trunk_vlans=vlans
    )
    check_addresses_unused(nic, after, draft)
    return after


def _check_unchanged(asked: Nic, before: Nic) -> None:
    check_kept("kind", before.kind.value, asked.kind.value)
    check_kept("network_function_side", before.function_side.value, asked.function_side.value)
    check_kept("subnet", before.subnet, asked.subnet)
    check_kept("mode", before.mode.value, asked.mode.value)
    check_kept("vm", before.vm, asked.vm)


def _with_vm(asked: Nic, before: Nic | None, draft: Draft) -> Nic:
    """Return a NIC of a virtual machine where that is."""
    vm = draft.vm(asked.vm)
    if vm is None:
        raise absent((Kind.VM, asked.vm), "vm")
    if vm.deleting:
        raise InvalidIntent("vm", f"vms/{vm.id} is being deleted: name another one")
    if asked.host not in ("", vm.host):
        raise InvalidIntent("host", f"is that of vms/{vm.id}, {vm.host or 'none yet'}: leave it empty")
    if before is None:
        count = len(draft.related(Relation.NICS_OF_VM, vm.id))
        if count >= NICS_MAX:
            raise InvalidIntent("vm", f"vms/{vm.id} has {count} NICs; at most {NICS_MAX} are allowed")
        migration = draft.active_migration_of(vm.id)
        if migration is not None:
            raise in_motion(vm.id, migration.id, "vm")
    return replace_unchecked(asked, host=vm.host)


def _check_reaches_vm(nic: Nic, subnet: Subnet, draft: Draft) -> None:
    vm = draft.vm(nic.vm)
    if vm is not None and vm.cluster not in subnet.clusters:
        spanned = ", ".join(f"clusters/{id}" for id in subnet.clusters)
        raise InvalidIntent(
            "vm",
            f"vms/{vm.id} is in clusters/{vm.cluster}, subnets/{subnet.id} in {spanned}: use a subnet of the same"
            " cluster",
        )


def _subnet(nic: Nic, draft: Draft) -> Subnet:
    subnet = draft.subnet(nic.subnet)
    if subnet is None:
        raise absent((Kind.SUBNET, nic.subnet), "subnet")
    if subnet.kind is SubnetKind.EXTERNAL:
        raise InvalidIntent(
            "subnet",
            f"subnets/{subnet.id} is EXTERNAL, for routers and floating IPs: use a VLAN or OVERLAY subnet",
        )
    if nic.kind is NicKind.DIRECT and not subnet.has_vlan:
        raise InvalidIntent(
            "subnet",
            f"subnets/{subnet.id} is {subnet.kind.name}, and a DIRECT NIC is on the uplink bridge of a VLAN: use a VLAN"
            " or VLAN_BASIC subnet, or a NORMAL NIC",
        )
    return subnet


def _starts_basic(nic: Nic, subnet: Subnet) -> bool:
    return nic.kind is NicKind.DIRECT or subnet.kind is SubnetKind.VLAN_BASIC


def _admit_bare(asked: Nic, before: Nic | None, draft: Draft, context: Context) -> Nic:
    """Return a NIC without a subnet to store."""
    host = draft.host(asked.host) if asked.host else None
    if asked.host and host is None:
        raise absent((Kind.HOST, asked.host), "host")
    meta = stamp(asked.meta, before, context)
    mac = asked.mac_address
    if mac and (before is None or mac != before.mac_address):
        check_mac(draft, mac, (Kind.NIC, asked.id))
    elif not mac:
        mac = before.mac_address if before is not None else _mac_of_bare(host or draft.vm(asked.vm), draft)
    return replace_unchecked(
        asked,
        meta=meta,
        mac_address=mac,
        tap_name=before.tap_name if before is not None else _tap(meta.uid, draft),
        basic=False,
    )


def _mac_of_bare(place: Host | Vm | None, draft: Draft) -> str:
    """Return a free MAC address with the prefix of where it is; that of a floating NIC is the first cluster's."""
    id = place.cluster if place is not None else next(draft.ids(Kind.CLUSTER), "")
    cluster = draft.cluster(ClusterId(id))
    if cluster is None:
        raise InvalidIntent(
            "mac_address", "is empty, and there is no cluster to choose one of: create a cluster first"
        )
    return allocate_mac(draft, cluster.id, cluster.mac_prefix)


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
