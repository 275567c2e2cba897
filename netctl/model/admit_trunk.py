"""Admission of the VLANs of a trunk NIC: the subnet of each, and its addresses there."""

from __future__ import annotations

from netctl.errors import InvalidIntent
from netctl.model.addresses import Wish, decide_address
from netctl.model.indexes import Space
from netctl.model.keys import Kind, SubnetId
from netctl.model.nic import Nic, TrunkVlan
from netctl.model.snapshot import Draft
from netctl.model.stamp import absent, replace_unchecked
from netctl.model.subnet import Subnet, SubnetKind


def admit_trunk(nic: Nic, before: Nic | None, subnet: Subnet, draft: Draft) -> Nic:
    """Return a trunk NIC, whose own addresses are decided, with its VLANs decided as well."""
    if nic.trunks_all and not nic.basic and (not subnet.has_vlan or subnet.vlan_id):
        raise InvalidIntent(
            "trunk_vlans",
            f"is empty, which is all VLANs and needs an untagged VLAN subnet, or none of OVN's; subnets/{subnet.id} is"
            " none: list them",
        )
    stored = {vlan.vlan_id: vlan for vlan in before.trunk_vlans} if before is not None else {}
    used: dict[str, str] = {subnet.id: "the NIC itself"}
    vlans = []
    for i, asked in enumerate(nic.trunk_vlans):
        field = f"trunk_vlans[{i}]"
        old = stored.get(asked.vlan_id)
        child = _subnet(asked, old, subnet, (nic, field, draft))
        if child is None:
            vlans.append(_without_subnet(asked, field))
            continue
        if child.id in used:
            raise InvalidIntent(
                f"{field}.subnet",
                f"subnets/{child.id} is that of {used[child.id]}: one MAC address can be in a subnet once",
            )
        used[child.id] = f"VLAN {asked.vlan_id}"
        vlans.append(_decided(asked, old, child, (nic, field, draft)))
    return replace_unchecked(nic, trunk_vlans=tuple(vlans))


def needs_basic(nic: Nic, parent: Subnet) -> bool:
    """Tell whether a trunk NIC uses VLAN tags that OVN could not carry: tags without a subnet of their own."""
    if nic.trunks_all:
        return parent.vlan_id != 0
    return any(not vlan.subnet for vlan in nic.trunk_vlans)


def translates(nic: Nic, parent: Subnet, draft: Draft) -> bool:
    """Tell whether a trunk NIC has a VLAN that is not that VLAN on the wire beside its parent: OVN alone can do so."""
    children = ((vlan, draft.subnet(vlan.subnet)) for vlan in nic.trunk_vlans if vlan.subnet)
    return any(child is not None and not _is_on_wire(vlan, child, parent) for vlan, child in children)


def _is_on_wire(vlan: TrunkVlan, child: Subnet, parent: Subnet) -> bool:
    shared = set(child.virtual_switches) & set(parent.virtual_switches)
    return child.vlan_id == vlan.vlan_id and bool(shared)


def _without_subnet(asked: TrunkVlan, field: str) -> TrunkVlan:
    for name in ("ipv4_address", "ipv6_address"):
        if getattr(asked, name):
            raise InvalidIntent(
                f"{field}.{name}",
                f"needs a subnet, and no subnet has VLAN {asked.vlan_id} there: leave it empty",
            )
    return TrunkVlan(vlan_id=asked.vlan_id)


def _check_stack(
    vlan: TrunkVlan, old: TrunkVlan | None, child: Subnet, parent: Subnet, place: tuple[Nic, str]
) -> None:
    """Refuse a VLAN that is to be on the other side of OVN than its NIC; one that came there by migration may stay."""
    nic, field = place
    if old is not None and old.subnet == child.id:
        return
    if not nic.basic and child.kind is SubnetKind.VLAN_BASIC:
        raise InvalidIntent(
            f"{field}.subnet",
            f"subnets/{child.id} is VLAN_BASIC, and this NIC is one of OVN: name a VLAN or OVERLAY subnet",
        )
    if nic.basic and not _is_on_wire(vlan, child, parent):
        raise InvalidIntent(
            f"{field}.subnet",
            f"subnets/{child.id} is not VLAN {vlan.vlan_id} of the virtual switch of subnets/{parent.id}, and without"
            " OVN nobody translates: leave it empty or name the subnet of that VLAN",
        )


def _subnet(
    asked: TrunkVlan, old: TrunkVlan | None, parent: Subnet, place: tuple[Nic, str, Draft]
) -> Subnet | None:
    """Return the subnet of a VLAN; it spans the cluster of the NIC's host. A basic NIC's need not have one."""
    nic, field, draft = place
    id = asked.subnet or (old.subnet if old is not None else _same_vlan(asked, parent, place))
    if not id:
        return None
    child = draft.subnet(id)
    if child is None:
        raise absent((Kind.SUBNET, id), f"{field}.subnet")
    if child.kind is SubnetKind.EXTERNAL:
        raise InvalidIntent(
            f"{field}.subnet", f"subnets/{id} is EXTERNAL, for routers and floating IPs: name another subnet"
        )
    _check_stack(asked, old, child, parent, (nic, field))
    host = draft.host(nic.host) if nic.host else None
    if host is not None and host.cluster not in child.clusters:
        raise InvalidIntent(
            f"{field}.subnet",
            f"subnets/{id} does not span clusters/{host.cluster} of hosts/{host.id}: name a subnet that does, or move"
            " the NIC to another host",
        )
    return child


def _same_vlan(asked: TrunkVlan, parent: Subnet, place: tuple[Nic, str, Draft]) -> SubnetId:
    """Return the subnet of a VLAN id on the parent's virtual switch, that of the NIC's host before others."""
    nic, field, draft = place
    if not parent.has_vlan:
        raise InvalidIntent(
            f"{field}.subnet",
            f"is needed: subnets/{parent.id} is no VLAN subnet, where the VLAN id would tell",
        )
    host = draft.host(nic.host) if nic.host else None
    pairs = zip(parent.clusters, parent.virtual_switches, strict=True)
    switches = [id for cluster, id in pairs if host is None or cluster == host.cluster]
    for switch in switches:
        owner = draft.owner(((Space.VLAN, switch), asked.vlan_id))
        if owner is not None:
            found = draft.subnet(SubnetId(owner[1]))
            if found is not None and (not nic.basic or found.kind is not SubnetKind.EXTERNAL):
                return found.id
    if nic.basic:
        return SubnetId("")
    names = " or ".join(f"virtualSwitches/{id}" for id in switches)
    raise InvalidIntent(
        f"{field}.subnet",
        f"no subnet has VLAN {asked.vlan_id} of {names}: create it first or name another subnet",
    )


def _decided(
    asked: TrunkVlan, old: TrunkVlan | None, child: Subnet, place: tuple[Nic, str, Draft]
) -> TrunkVlan:
    nic, field, draft = place
    kept = old if old is not None and old.subnet == child.id else None

    def address(version: int) -> str:
        text = asked.ipv4_address if version == 4 else asked.ipv6_address
        stored = None if kept is None else kept.ipv4_address if version == 4 else kept.ipv6_address
        wish = Wish(text, stored, nic.mac_address, f"{field}.ipv{version}_address", (Kind.NIC, nic.id))
        return decide_address(draft, child, version, wish)

    return TrunkVlan(vlan_id=asked.vlan_id, subnet=child.id, ipv4_address=address(4), ipv6_address=address(6))
