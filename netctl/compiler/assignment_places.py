"""Where taps are on a host. Pure; a part of `assignment.py`."""

from __future__ import annotations

from netctl.model.infra import Host
from netctl.model.nic import Nic
from netctl.model.places import bridge_of_guest, switch_in
from netctl.model.snapshot import Snapshot

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
