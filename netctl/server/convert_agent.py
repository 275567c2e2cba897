"""What hosts report, in; what hosts must have, out."""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
from collections.abc import Collection, Mapping
from typing import Any

from netctl.errors import InvalidIntent
from netctl.model.assignment import Assignment
from netctl.model.hits import FlowKey, Hits
from netctl.model.keys import HostId, check_id
from netctl.model.nic import TRUNK_VLANS_MAX, VLAN_TAG_MAX
from netctl.model.status import BondReport, BridgeReport, HostReport, LinkReport, NicReport, TunnelReport
from netctl.v1 import agent_pb2

# A report is bounded by its host's size; text in it ends in statuses that people read.
_PROBLEMS_MAX = 20
_PROBLEM_LENGTH_MAX = 500
# Eight for each port, of a NIC with as many VLANs as one may have.
_LEARNED_MAX = 8 * (1 + TRUNK_VLANS_MAX)


def report_from_proto(message: agent_pb2.HostReport) -> HostReport:
    """Return what an agent said."""
    if not message.host_id:
        raise InvalidIntent("report.host_id", "is empty; every message carries a whole report")
    check_id("report.host_id", message.host_id)
    return HostReport(
        host=HostId(message.host_id),
        agent_version=message.agent_version,
        assignment_revision=message.assignment_revision,
        nb_cfg=message.nb_cfg,
        ovn_controller_connected=message.ovn_controller_connected,
        nics=tuple(_nic(nic) for nic in message.nics),
        links=tuple(
            LinkReport(interface=link.interface, present=link.present, up=link.up, mtu_bytes=link.mtu_bytes)
            for link in message.links
        ),
        bonds=tuple(
            BondReport(
                bond=bond.bond,
                active_interface=bond.active_interface,
                up_interfaces=tuple(bond.up_interfaces),
            )
            for bond in message.bonds
        ),
        bridges=tuple(
            BridgeReport(bridge=bridge.bridge, physnet=bridge.physnet, up=bridge.up)
            for bridge in message.bridges
        ),
        tunnels=tuple(
            TunnelReport(remote_ip=tunnel.remote_ip, up=tunnel.up, bfd=tunnel.bfd, bfd_up=tunnel.bfd_up)
            for tunnel in message.tunnels
        ),
        problems=tuple(problem[:_PROBLEM_LENGTH_MAX] for problem in message.problems[:_PROBLEMS_MAX]),
    )


def _nic(message: agent_pb2.NicReport) -> NicReport:
    return NicReport(
        iface_id=message.iface_id,
        tap_present=message.tap_present,
        plugged=message.plugged,
        ovn_installed=message.ovn_installed,
        learned_addresses=tuple(_learned(message.learned_addresses)),
        guarded=message.guarded,
    )


def _learned(messages: Collection[agent_pb2.LearnedAddress]) -> list[tuple[int, str]]:
    """Return the addresses that a guest uses, in the spelling of the model; what is none is left out."""
    found = set()
    for message in itertools.islice(messages, _LEARNED_MAX):
        try:
            address = ipaddress.ip_address(message.address)
        except ValueError:
            continue
        if 0 <= message.vlan_id <= VLAN_TAG_MAX and "%" not in message.address:
            found.add((message.vlan_id, str(address)))
    return sorted(found)


def report_to_proto(report: HostReport) -> agent_pb2.HostReport:
    """Return the message of a report."""
    return agent_pb2.HostReport(
        host_id=report.host,
        agent_version=report.agent_version,
        assignment_revision=report.assignment_revision,
        nb_cfg=report.nb_cfg,
        ovn_controller_connected=report.ovn_controller_connected,
        nics=[_nic_to_proto(nic) for nic in report.nics],
        links=[agent_pb2.LinkReport(**_fields(link)) for link in report.links],
        bonds=[agent_pb2.BondReport(**_fields(bond)) for bond in report.bonds],
        bridges=[agent_pb2.BridgeReport(**_fields(bridge)) for bridge in report.bridges],
        tunnels=[agent_pb2.TunnelReport(**_fields(tunnel)) for tunnel in report.tunnels],
        problems=report.problems,
    )


def _nic_to_proto(nic: NicReport) -> agent_pb2.NicReport:
    learned = [
        agent_pb2.LearnedAddress(vlan_id=vlan_id, address=address)
        for vlan_id, address in nic.learned_addresses
    ]
    return agent_pb2.NicReport(**_fields(nic) | {"learned_addresses": learned})


def _fields(part: NicReport | LinkReport | BondReport | BridgeReport | TunnelReport) -> dict[str, Any]:
    """Return a part's fields: the messages spell them as the model does."""
    return {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}


def assignment_to_proto(assignment: Assignment) -> agent_pb2.Assignment:
    """Return the message of an assignment."""
    message = agent_pb2.Assignment()
    message.host_id = assignment.host
    message.revision = assignment.revision
    message.epoch = assignment.epoch
    chassis = assignment.chassis
    message.chassis.system_id = chassis.system_id
    message.chassis.ovn_remote = chassis.ovn_remote
    message.chassis.encap_type = chassis.encap_type
    message.chassis.encap_ip = chassis.encap_ip
    for bridge in assignment.uplink_bridges:
        message.uplink_bridges.add(
            bridge=bridge.bridge,
            physnet=bridge.physnet,
            bond=bridge.bond,
            interfaces=bridge.interfaces,
            bond_mode=bridge.bond_mode,
            mtu_bytes=bridge.mtu_bytes,
            address=bridge.address,
        )
    for nic in assignment.nics:
        message.nics.add(
            nic_id=nic.nic,
            iface_id=nic.iface_id,
            tap_name=nic.tap_name,
            mac_address=nic.mac_address,
            mtu_bytes=nic.mtu_bytes,
            localnet=nic.localnet,
            learn_addresses=nic.learn_addresses,
            guard_ipv6=nic.guard_ipv6,
            trunk_vlan_ids=nic.trunk_vlan_ids,
        )
    return message


def question_to_proto(number: int, keys: Collection[FlowKey]) -> agent_pb2.CountFlows:
    """Return the message that asks for flow counters."""
    flows = [agent_pb2.FlowKey(cookie=key.cookie, datapath=key.datapath) for key in keys]
    return agent_pb2.CountFlows(id=number, flows=flows)


def counts_from_proto(message: agent_pb2.FlowCounts) -> Mapping[FlowKey, Hits]:
    """Return the counters that an agent read."""
    return {
        FlowKey(count.key.cookie, count.key.datapath): Hits(count.packets, count.bytes)
        for count in message.counts
    }
