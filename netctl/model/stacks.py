"""Subnets with OVN and without it, VLAN and VLAN_BASIC: can the trunk NICs of one be where it is to be?"""

from __future__ import annotations

from netctl.model.admit_trunk import needs_basic, translates
from netctl.model.intent import Intent
from netctl.model.keys import Key, Kind
from netctl.model.nic import Nic, NicKind
from netctl.model.snapshot import Draft
from netctl.model.stamp import in_use
from netctl.model.subnet import Subnet, SubnetKind


def check_stacks(before: Intent | None, after: Intent | None, draft: Draft) -> None:
    """Refuse a change of a subnet, already in the draft, that its trunk NICs could not follow."""
    if not isinstance(before, Subnet) or not isinstance(after, Subnet):
        return
    turned = before.kind is not after.kind
    if not turned and (before.vlan_id, before.virtual_switches) == (after.vlan_id, after.virtual_switches):
        return
    nics = {nic.id: nic for nic in (*draft.nics_of_subnet(after.id), *draft.trunks_of_subnet(after.id))}
    to_basic = turned and after.kind is SubnetKind.VLAN_BASIC
    field = "kind" if turned else "vlan_id" if before.vlan_id != after.vlan_id else "virtual_switches"
    bound = [nic for nic in nics.values() if (nic.basic or to_basic) and _translates(nic, draft)]
    if bound:
        raise in_use(
            "VLANs that only OVN can carry (of another virtual switch, with another tag, OVERLAY) are used",
            _keys(bound),
            field=field,
        )
    if turned and not to_basic:
        free = [nic for nic in nics.values() if nic.kind is NicKind.NORMAL and _needs_basic(nic, draft)]
        if free:
            raise in_use("VLANs without a subnet, which OVN cannot carry, are used", _keys(free), field=field)


def _translates(nic: Nic, draft: Draft) -> bool:
    parent = draft.subnet(nic.subnet)
    return parent is not None and translates(nic, parent, draft)


def _needs_basic(nic: Nic, draft: Draft) -> bool:
    parent = draft.subnet(nic.subnet)
    return parent is not None and needs_basic(nic, parent)


def _keys(nics: list[Nic]) -> list[Key]:
    return [(Kind.NIC, nic.id) for nic in nics]
