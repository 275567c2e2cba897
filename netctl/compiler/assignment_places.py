"""Where taps are: which bridge a guest's NIC is on. Pure; a part of `assignment.py`."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler.assignment_uplinks import bridge_of
from netctl.compiler.steering_attached import local_bridge
from netctl.model.infra import Host
from netctl.model.nic import Nic, NicKind
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet

FUNCTIONS_BRIDGE = "br.nf"


def bridge_of_nic(snapshot: Snapshot, host: Host, nic: Nic) -> str | None:
    """Return the bridge that a guest's NIC is on, "" for brAtlas; None when the host has no uplink for it."""
    if nic.has_port:
        return ""
    subnet = snapshot.subnet(nic.subnet)
    switch = bridge_of(snapshot, host, subnet.virtual_switches) if subnet is not None else None
    if switch is None:
        return None
    chained = nic.kind is NicKind.NORMAL and any(one.service_chain for one in subnets_of(snapshot, nic))
    return local_bridge(switch) if chained else switch.bridge


def subnets_of(snapshot: Snapshot, nic: Nic) -> Iterator[Subnet]:
    """Yield the subnets of a NIC and its VLANs, as far as they exist."""
    for id in (nic.subnet, *(vlan.subnet for vlan in nic.trunk_vlans)):
        subnet = snapshot.subnet(id) if id else None
        if subnet is not None:
            yield subnet
