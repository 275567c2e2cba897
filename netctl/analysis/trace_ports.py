"""Ports of ovn-trace's pipelines and what is behind them: NICs, VLANs. Pure."""

from __future__ import annotations

import re

from netctl.analysis.trace_text import Stage
from netctl.compiler import identity
from netctl.model.keys import Kind, resource_name
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet

_TARGET = re.compile(r"eth\.dst == ([0-9a-f:]{17})")


def find_nic(snapshot: Snapshot, subnet: Subnet, port: str) -> Nic | None:
    """Return the NIC whose port on a subnet, its own or that of a trunk's VLAN, has this name."""
    for nic in snapshot.nics_of_subnet(subnet.id):
        if nic.meta.uid == port:
            return nic
    for nic in snapshot.trunks_of_subnet(subnet.id):
        if port in (identity.child_name(nic.meta.uid, vlan.vlan_id) for vlan in nic.trunk_vlans):
            return nic
    return None


def find_deaf(snapshot: Snapshot, subnet: Subnet, stage: Stage) -> Nic | None:
    """Return the disconnected NIC to whose MAC address a switch forwards nothing."""
    found = _TARGET.search(stage.match) if stage.name == "ls_in_l2_lkup" else None
    nics = snapshot.nics_of_subnet(subnet.id) if found is not None else ()
    known = (nic for nic in nics if found and nic.mac_address == found[1] and nic.has_port)
    return next((nic for nic in known if not nic.connected), None)


def vlan_of(subnet: Subnet) -> str:
    """Return how a subnet leaves a host, in words."""
    switches = " and ".join(
        resource_name((Kind.VIRTUAL_SWITCH, switch)) for switch in subnet.virtual_switches
    )
    return f"{f'VLAN {subnet.vlan_id}' if subnet.vlan_id else 'untagged frames'} of {switches}"
