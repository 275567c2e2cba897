"""Where taps are on a host. Pure; a part of `assignment.py`."""

from __future__ import annotations

from netctl.compiler.identity import localnet_name
from netctl.compiler.observed import Observed
from netctl.compiler.steering_attached import passes_chains
from netctl.model.infra import Host
from netctl.model.nic import Nic
from netctl.model.places import bridge_of_guest, switch_in
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet

FUNCTIONS_BRIDGE = "br.nf"


def bridge_of_nic(snapshot: Snapshot, host: Host, nic: Nic) -> str | None:
    """Return the bridge that a guest's NIC is on, "" for brAtlas; None when the host has no uplink for it."""
    if nic.has_port:
        return ""
    subnet = snapshot.subnet(nic.subnet)
    switch = switch_in(snapshot, subnet, host.cluster) if subnet is not None else None
    if switch is None or all(uplink.virtual_switch != switch.id for uplink in host.uplinks):
        return None
    return bridge_of_guest(snapshot, nic, host.cluster)


def localnet_of(snapshot: Snapshot, host: Host, subnet: Subnet, observed: Observed) -> str:
    """Return the name of the subnet's localnet port on the virtual switch of this host's cluster, if it has one."""
    switch = switch_in(snapshot, subnet, host.cluster)
    if switch is None:
        return ""
    return localnet_name(subnet.meta.uid, switch.id, chained=passes_chains(snapshot, subnet, observed))
