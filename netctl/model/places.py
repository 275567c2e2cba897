"""Where a NIC's tap is: which bridge of its host."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.model.infra import VirtualSwitch
from netctl.model.keys import ClusterId
from netctl.model.lookups import Lookups
from netctl.model.nic import Nic, NicKind
from netctl.model.subnet import Subnet, SubnetKind


def switch_in(lookups: Lookups, subnet: Subnet, cluster: ClusterId) -> VirtualSwitch | None:
    """Return the virtual switch by which a subnet reaches the hosts of a cluster."""
    for id in subnet.virtual_switches:
        switch = lookups.virtual_switch(id)
        if switch is not None and switch.cluster == cluster:
            return switch
    return None


def local_bridge(switch: VirtualSwitch) -> str:
    """Return the bridge of taps of chained VLAN basic subnets of a virtual switch."""
    return f"{switch.bridge}.local"


def subnets_of(lookups: Lookups, nic: Nic) -> Iterator[Subnet]:
    """Yield the subnets of a NIC and its VLANs, as far as they exist."""
    for id in (nic.subnet, *(vlan.subnet for vlan in nic.trunk_vlans)):
        subnet = lookups.subnet(id) if id else None
        if subnet is not None:
            yield subnet


def is_moving(lookups: Lookups, nic: Nic) -> bool:
    """Tell whether a guest's NIC is on another side than one of its subnets: it moves when all are of that kind."""
    if nic.kind is not NicKind.NORMAL:
        return False
    return any((one.kind is SubnetKind.VLAN_BASIC) is not nic.basic for one in subnets_of(lookups, nic))


def bridge_of_guest(lookups: Lookups, nic: Nic, cluster: ClusterId) -> str:
    """Return the bridge on the hosts of a cluster that a guest's tap is on: "" is brAtlas."""
    if nic.has_port:
        return ""
    subnet = lookups.subnet(nic.subnet)
    switch = switch_in(lookups, subnet, cluster) if subnet is not None else None
    if switch is None:
        return ""
    chained = nic.kind is NicKind.NORMAL and any(one.service_chain for one in subnets_of(lookups, nic))
    return local_bridge(switch) if chained else switch.bridge
