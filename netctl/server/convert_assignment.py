"""What hosts must have, out."""

from __future__ import annotations

from netctl.model.assignment import Assignment, NicAssignment
from netctl.model.assignment_chains import ServiceChains
from netctl.server.convert import fill
from netctl.v1 import agent_pb2


def assignment_to_proto(assignment: Assignment) -> agent_pb2.Assignment:
    """Return the message of an assignment."""
    message = agent_pb2.Assignment()
    message.host_id = assignment.host
    message.revision = assignment.revision
    message.epoch = assignment.epoch
    fill(message.chassis, assignment.chassis)
    for bridge in assignment.uplink_bridges:
        fill(message.uplink_bridges.add(), bridge)
    for nic in assignment.nics:
        _nic(message.nics.add(), nic)
    for port in assignment.internal_ports:
        fill(message.internal_ports.add(), port)
    if assignment.internal_bridge is not None:
        fill(message.internal_bridge, assignment.internal_bridge)
    if assignment.service_chains != ServiceChains():
        fill(message.service_chains, assignment.service_chains)
    for mirror in assignment.mirrors:
        fill(message.mirrors.add(), mirror)
    return message


def _nic(message: agent_pb2.NicAssignment, nic: NicAssignment) -> None:
    """Write a NIC: a host has up to thousands, most of them with little to say."""
    message.nic_id = nic.nic
    message.iface_id = nic.iface_id
    message.tap_name = nic.tap_name
    message.mac_address = nic.mac_address
    message.mtu_bytes = nic.mtu_bytes
    message.localnet = nic.localnet
    message.learn_addresses = nic.learn_addresses
    message.guard_ipv6 = nic.guard_ipv6
    if nic.trunk_vlan_ids:
        message.trunk_vlan_ids.extend(nic.trunk_vlan_ids)
    if nic.bridge:
        message.bridge = nic.bridge
    if nic.vlan_id:
        message.vlan_id = nic.vlan_id
    message.trunks_all = nic.trunks_all
    message.disconnected = nic.disconnected
    if nic.dhcp is not None:
        fill(message.dhcp, nic.dhcp)
    message.mirror_destination = nic.mirror_destination
    if nic.incoming:
        message.incoming = True
        message.announce_vlan_ids.extend(nic.announce_vlan_ids)
        message.announce_bridge = nic.announce_bridge
        message.announce_localnets.extend(nic.announce_localnets)
