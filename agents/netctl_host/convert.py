"""Protobuf <-> the agent's own values; nothing else in the agent sees a message."""

from __future__ import annotations

import dataclasses
import ipaddress

from google.protobuf.timestamp_pb2 import Timestamp

from netctl.errors import InvalidIntent
from netctl.v1 import agent_pb2
from netctl_host.acl_log import AclLogs
from netctl_host.assignment import Assignment, Chassis, NicAssignment, UplinkBridge
from netctl_host.flow_counts import FlowCounts, FlowKey
from netctl_host.report import HostReport, NicReport


def assignment_from_proto(message: agent_pb2.Assignment) -> Assignment:
    """Return the assignment; raise InvalidIntent where acting on it would damage the host."""
    for name in ("host_id", "chassis.system_id"):
        value = message.host_id if name == "host_id" else message.chassis.system_id
        if not value:
            raise InvalidIntent(name, "must not be empty")
    return Assignment(
        host_id=message.host_id,
        revision=message.revision,
        epoch=message.epoch,
        chassis=Chassis(
            system_id=message.chassis.system_id,
            ovn_remote=message.chassis.ovn_remote,
            encap_type=message.chassis.encap_type,
            encap_ip=message.chassis.encap_ip,
        ),
        uplink_bridges=tuple(_uplink_from_proto(uplink) for uplink in message.uplink_bridges),
        nics=tuple(_nic_from_proto(nic) for nic in message.nics),
    )


def _uplink_from_proto(message: agent_pb2.UplinkBridge) -> UplinkBridge:
    if not (message.bridge and message.bond and message.physnet):
        raise InvalidIntent("uplink_bridges", "bridge, bond and physnet must not be empty")
    if message.address:
        try:
            ipaddress.ip_interface(message.address)
        except ValueError as error:
            raise InvalidIntent("uplink_bridges.address", str(error)) from error
    return UplinkBridge(
        bridge=message.bridge,
        physnet=message.physnet,
        bond=message.bond,
        interfaces=tuple(message.interfaces),
        bond_mode=message.bond_mode,
        mtu_bytes=message.mtu_bytes,
        address=message.address,
    )


def _nic_from_proto(message: agent_pb2.NicAssignment) -> NicAssignment:
    if not (message.tap_name and message.iface_id):
        raise InvalidIntent("nics", "tap_name and iface_id must not be empty")
    return NicAssignment(
        nic_id=message.nic_id,
        iface_id=message.iface_id,
        tap_name=message.tap_name,
        mac_address=message.mac_address,
        mtu_bytes=message.mtu_bytes,
        localnet=message.localnet,
        learn_addresses=message.learn_addresses,
        guard_ipv6=message.guard_ipv6,
        trunk_vlan_ids=tuple(message.trunk_vlan_ids),
    )


def report_to_proto(report: HostReport, *, agent_version: str, time: Timestamp) -> agent_pb2.HostReport:
    """Return the message for `report`."""
    return agent_pb2.HostReport(
        host_id=report.host_id,
        agent_version=agent_version,
        assignment_revision=report.assignment_revision,
        time=time,
        nb_cfg=report.nb_cfg,
        ovn_controller_connected=report.ovn_controller_connected,
        nics=[_nic_to_proto(nic) for nic in report.nics],
        links=[
            agent_pb2.LinkReport(
                interface=link.interface, present=link.present, up=link.up, mtu_bytes=link.mtu_bytes
            )
            for link in report.links
        ],
        bonds=[
            agent_pb2.BondReport(
                bond=bond.bond, active_interface=bond.active_interface, up_interfaces=bond.up_interfaces
            )
            for bond in report.bonds
        ],
        tunnels=[
            agent_pb2.TunnelReport(remote_ip=t.remote_ip, up=t.up, bfd=t.bfd, bfd_up=t.bfd_up)
            for t in report.tunnels
        ],
        problems=report.problems,
        bridges=[
            agent_pb2.BridgeReport(bridge=bridge.bridge, physnet=bridge.physnet, up=bridge.up)
            for bridge in report.bridges
        ],
    )


def _nic_to_proto(nic: NicReport) -> agent_pb2.NicReport:
    return agent_pb2.NicReport(
        iface_id=nic.iface_id,
        tap_present=nic.tap_present,
        plugged=nic.plugged,
        ovn_installed=nic.ovn_installed,
        learned_addresses=[
            agent_pb2.LearnedAddress(vlan_id=learned.vlan_id, address=learned.address)
            for learned in nic.learned_addresses
        ],
        guarded=nic.guarded,
    )


def logs_to_proto(logs: AclLogs) -> agent_pb2.AclLogs:
    """Return the message of what ACLs logged: its fields are spelled as ours."""
    message = agent_pb2.AclLogs(dropped=logs.dropped)
    for log in logs.logs:
        time = Timestamp()
        time.FromDatetime(log.time)
        fields = {field.name: getattr(log, field.name) for field in dataclasses.fields(log)}
        message.logs.add(**fields | {"time": time})
    return message


def keys_from_proto(message: agent_pb2.CountFlows) -> tuple[FlowKey, ...]:
    """Return whose counters are asked for."""
    return tuple(FlowKey(key.cookie, key.datapath) for key in message.flows)


def counts_to_proto(id: int, counts: FlowCounts) -> agent_pb2.FlowCounts:
    """Return the answer to question `id`."""
    return agent_pb2.FlowCounts(
        id=id,
        problem=counts.problem,
        counts=[
            agent_pb2.FlowCount(
                key=agent_pb2.FlowKey(cookie=count.key.cookie, datapath=count.key.datapath),
                packets=count.packets,
                bytes=count.bytes,
            )
            for count in counts.counts
        ],
    )
