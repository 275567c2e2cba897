"""Host to Assignment: everything that the agent of one host must build."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.compiler.identity import localnet_name
from netctl.model.assignment import Assignment, Chassis, NicAssignment, UplinkBridge
from netctl.model.infra import Host
from netctl.model.keys import HostId
from netctl.model.nic import Nic, TrunkVlan
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentSettings:
    """What the controller adds to the intents: the southbound's address and its own epoch."""

    ovn_remote: str
    epoch: int


def compile_assignment(
    snapshot: Snapshot, host_id: HostId, settings: AssignmentSettings
) -> Assignment | None:
    """Return the assignment of a host, or None when there is no such host. Its NICs are ordered by id."""
    host = snapshot.host(host_id)
    if host is None:
        return None
    chassis = Chassis(
        system_id=host.id, ovn_remote=settings.ovn_remote, encap_type="geneve", encap_ip=host.tunnel_ip
    )
    return Assignment(
        host=host.id,
        revision=snapshot.revision,
        epoch=settings.epoch,
        chassis=chassis,
        uplink_bridges=_uplink_bridges(snapshot, host),
        nics=_nics(snapshot, host),
    )


def _uplink_bridges(snapshot: Snapshot, host: Host) -> tuple[UplinkBridge, ...]:
    bridges = []
    for uplink in host.uplinks:
        switch = snapshot.virtual_switch(uplink.virtual_switch)
        if switch is None:
            continue
        bridges.append(
            UplinkBridge(
                bridge=switch.bridge,
                physnet=switch.physnet,
                bond=f"{switch.bridge}-up",
                interfaces=uplink.interfaces,
                bond_mode=switch.bond_mode.value,
                mtu_bytes=switch.mtu_bytes,
                address=host.tunnel_address if uplink.virtual_switch == host.tunnel_virtual_switch else "",
            )
        )
    return tuple(bridges)


def _nics(snapshot: Snapshot, host: Host) -> tuple[NicAssignment, ...]:
    nics = []
    for nic in sorted(snapshot.nics_of_host(host.id), key=lambda nic: nic.id):
        subnet = snapshot.subnet(nic.subnet)
        nics.append(
            NicAssignment(
                nic=nic.id,
                iface_id=nic.meta.uid,
                tap_name=nic.tap_name,
                mac_address=nic.mac_address,
                mtu_bytes=subnet.mtu_bytes if subnet else 0,
                localnet=_localnet(snapshot, host, subnet),
                learn_addresses=_chooses_addresses(nic),
                guard_ipv6=nic.port_security,
                trunk_vlan_ids=tuple(sorted(vlan.vlan_id for vlan in nic.trunk_vlans)),
            )
        )
    return tuple(nics)


def _chooses_addresses(nic: Nic) -> bool:
    """Return whether the guest may use addresses that we did not give, in any VLAN of the NIC."""
    ports: tuple[Nic | TrunkVlan, ...] = (nic, *nic.trunk_vlans)
    return not nic.port_security or any(not (port.ipv4_address or port.ipv6_address) for port in ports)


def _localnet(snapshot: Snapshot, host: Host, subnet: Subnet | None) -> str:
    """Return the name of the subnet's localnet port on the virtual switch of this host's cluster, if it has one."""
    for id in subnet.virtual_switches if subnet is not None else ():
        switch = snapshot.virtual_switch(id)
        if subnet is not None and switch is not None and switch.cluster == host.cluster:
            return localnet_name(subnet.meta.uid, switch.id)
    return ""
