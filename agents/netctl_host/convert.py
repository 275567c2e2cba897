"""Protobuf <-> the agent's own values; nothing else in the agent sees a message."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from netctl.errors import InvalidIntent
from netctl.v1 import agent_pb2
from netctl_host.acl_log import AclLogs
from netctl_host.assignment import Assignment, UplinkBridge
from netctl_host.flow_counts import FlowCounts, FlowKey
from netctl_host.inspection import Inspected, Inspection, Question
from netctl_host.reported import HostReport
from netctl_host.wire import fill_message, read_message


def assignment_from_proto(message: agent_pb2.Assignment) -> Assignment:
    """Return the assignment; raise InvalidIntent where acting on it would damage the host."""
    for name in ("host_id", "chassis.system_id"):
        value = message.host_id if name == "host_id" else message.chassis.system_id
        if not value:
            raise InvalidIntent(name, "must not be empty")
    assignment = read_message(Assignment, message)
    for uplink in assignment.uplink_bridges:
        _check_uplink(uplink)
    for port in assignment.internal_ports:
        _check_link_names("internal_ports", port.name, port.bridge)
        _check_addresses("internal_ports.addresses", port.addresses)
    if assignment.internal_bridge is not None:
        _check_link_names("internal_bridge", assignment.internal_bridge.name)
        _check_addresses("internal_bridge.addresses", assignment.internal_bridge.addresses)
    for nic in assignment.nics:
        if not (nic.tap_name and nic.iface_id):
            raise InvalidIntent("nics", "tap_name and iface_id must not be empty")
    return assignment


def _check_uplink(uplink: UplinkBridge) -> None:
    if not (uplink.bridge and uplink.bond and uplink.physnet):
        raise InvalidIntent("uplink_bridges", "bridge, bond and physnet must not be empty")
    _check_addresses("uplink_bridges.address", (uplink.address,) if uplink.address else ())
    _check_addresses("uplink_bridges.host_addresses", uplink.host_addresses)


def _check_addresses(field: str, addresses: Iterable[str]) -> None:
    for address in addresses:
        try:
            ipaddress.ip_interface(address)
        except ValueError as error:
            raise InvalidIntent(field, str(error)) from error


def _check_link_names(field: str, *names: str) -> None:
    for name in names:
        # linux/if.h: IFNAMSIZ with its zero
        if not 0 < len(name.encode()) < 16 or "/" in name or not name.isprintable() or " " in name:
            raise InvalidIntent(field, f"{name!r} is no name of a Linux interface")


def report_to_proto(report: HostReport, *, agent_version: str, time: Timestamp) -> agent_pb2.HostReport:
    """Return the message for `report`."""
    message = agent_pb2.HostReport(agent_version=agent_version, time=time)
    fill_message(message, report)
    return message


def logs_to_proto(logs: AclLogs) -> agent_pb2.AclLogs:
    """Return the message of what ACLs logged."""
    message = agent_pb2.AclLogs()
    fill_message(message, logs)
    return message


def keys_from_proto(message: agent_pb2.CountFlows) -> tuple[FlowKey, ...]:
    """Return whose counters are asked for."""
    return tuple(FlowKey(key.cookie, key.datapath) for key in message.flows)


def question_from_proto(message: agent_pb2.Inspect) -> Question:
    """Return what is to be looked at; a kind that this agent does not know are bonds."""
    is_macs = message.inspected == agent_pb2.INSPECTED_MAC_TABLE
    return Question(
        id=message.id, inspected=Inspected.MAC_TABLE if is_macs else Inspected.BONDS, bridge=message.bridge
    )


def inspection_to_proto(inspection: Inspection) -> agent_pb2.Inspection:
    """Return the answer's message."""
    message = agent_pb2.Inspection()
    fill_message(message, inspection)
    return message


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
