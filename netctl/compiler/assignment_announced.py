"""Where a guest that a migration brings is announced: the VLANs of its NIC on the uplink bridge. Pure; a part of
`assignment.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netctl.compiler.assignment_places import localnet_of
from netctl.compiler.assignment_uplinks import uplinks_of
from netctl.compiler.observed import Observed
from netctl.model.assignment import NicAssignment
from netctl.model.infra import Host, VirtualSwitch
from netctl.model.nic import Nic
from netctl.model.places import switch_in
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet


def announced(
    snapshot: Snapshot, host: Host, nic: Nic, observed: Observed, assigned: NicAssignment
) -> NicAssignment:
    """Return a NIC whose guest comes, with its VLANs on the uplink; none where it is reached by tunnels alone.

    A tap has one uplink bridge: VLANs of a trunk that leave by another one are not announced.
    """
    found = list(_vlans(snapshot, host, nic, observed))
    switch = found[0][0] if found else None
    vlans = dict.fromkeys((vlan_id, localnet) for on, vlan_id, localnet in found if on is switch)
    return replace(
        assigned,
        incoming=True,
        announce_bridge=switch.bridge if switch is not None else "",
        announce_vlan_ids=tuple(vlan_id for vlan_id, _ in vlans),
        announce_localnets=tuple(localnet for _, localnet in vlans) if nic.has_port else (),
    )


def _vlans(
    snapshot: Snapshot, host: Host, nic: Nic, observed: Observed
) -> Iterator[tuple[VirtualSwitch, int, str]]:
    """Yield (virtual switch, VLAN id on the wire, localnet port) of the NIC itself, then of each VLAN of a trunk."""
    own = snapshot.subnet(nic.subnet)
    yield from _at_uplink(snapshot, host, own, observed)
    for vlan in nic.trunk_vlans:
        subnet = snapshot.subnet(vlan.subnet) if vlan.subnet else None
        if nic.basic:  # as its guest tags it
            yield from (
                (switch, vlan.vlan_id, "") for switch, _, _ in _at_uplink(snapshot, host, own, observed)
            )
        else:
            yield from _at_uplink(snapshot, host, subnet, observed)


def _at_uplink(
    snapshot: Snapshot, host: Host, subnet: Subnet | None, observed: Observed
) -> Iterator[tuple[VirtualSwitch, int, str]]:
    switch = switch_in(snapshot, subnet, host.cluster) if subnet is not None and subnet.has_vlan else None
    if subnet is None or switch is None or all(one is not switch for _, one in uplinks_of(snapshot, host)):
        return
    yield switch, subnet.vlan_id, localnet_of(snapshot, host, subnet, observed)
