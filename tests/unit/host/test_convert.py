"""From the wire and back; what would damage a host is refused at the door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from netctl_host.convert import assignment_from_proto, counts_to_proto, keys_from_proto, report_to_proto
from netctl_host.flow_counts import FlowCount, FlowCounts, FlowKey
from netctl_host.report import BondReport, BridgeReport, HostReport, LinkReport, NicReport, TunnelReport
from netctl_host.state import LearnedAddress

from netctl.errors import InvalidIntent
from netctl.v1 import agent_pb2
from tests.unit.host.messages import to_proto
from tests.unit.host.samples import assign, nic, uplink

ASSIGNMENT = assign(
    uplink(0, "eth1", "eth2", address="192.0.2.11/24"),
    nics=(replace(nic(1, localnet="l"), learn_addresses=True, guard_ipv6=True, trunk_vlan_ids=(7, 8)),),
    revision=7,
    epoch=3,
)
NIC_REPORT = NicReport(
    iface_id="i",
    tap_present=True,
    plugged=True,
    ovn_installed=True,
    learned_addresses=(LearnedAddress(vlan_id=7, address="192.0.2.7"),),
    guarded=True,
)


def test_every_field_of_an_assignment_arrives() -> None:
    assert assignment_from_proto(to_proto(ASSIGNMENT)) == ASSIGNMENT


@pytest.mark.parametrize(
    ("damage", "field"),
    [
        (lambda message: message.ClearField("host_id"), "host_id"),
        (lambda message: message.ClearField("chassis"), "chassis.system_id"),
        (lambda message: message.uplink_bridges[0].ClearField("bond"), "uplink_bridges"),
        (
            lambda message: setattr(message.uplink_bridges[0], "address", "192.0.2.300/24"),
            "uplink_bridges.address",
        ),
        (lambda message: message.nics[0].ClearField("tap_name"), "nics"),
        (lambda message: message.nics[0].ClearField("iface_id"), "nics"),
    ],
)
def test_half_an_assignment_is_refused(damage: Callable[[agent_pb2.Assignment], None], field: str) -> None:
    message = to_proto(ASSIGNMENT)
    damage(message)
    with pytest.raises(InvalidIntent) as refused:
        assignment_from_proto(message)
    assert refused.value.field == field


def test_every_field_of_a_report_leaves() -> None:
    report = HostReport(
        host_id="h1",
        assignment_revision=7,
        nb_cfg=9,
        ovn_controller_connected=True,
        nics=(NIC_REPORT,),
        links=(LinkReport(interface="eth1", present=True, up=True, mtu_bytes=9000),),
        bonds=(BondReport(bond="br0-up", active_interface="eth1", up_interfaces=("eth1",)),),
        bridges=(BridgeReport(bridge="br0", physnet="physnet-vs0", up=True),),
        tunnels=(TunnelReport(remote_ip="192.0.2.12", up=True, bfd=True, bfd_up=True),),
        problems=("none",),
    )
    message = report_to_proto(report, agent_version="1", time=Timestamp(seconds=5))
    unset = [field.name for field in message.DESCRIPTOR.fields if not getattr(message, field.name)]
    assert unset == []
    for field in ("nics", "links", "bonds", "bridges", "tunnels"):
        part = getattr(message, field)[0]
        assert [f.name for f in part.DESCRIPTOR.fields if not getattr(part, f.name)] == [], field
    assert [(learned.vlan_id, learned.address) for learned in message.nics[0].learned_addresses] == [
        (7, "192.0.2.7")
    ]


def test_a_question_for_counters_and_its_answer() -> None:
    asked = agent_pb2.CountFlows(id=3, flows=[agent_pb2.FlowKey(cookie=0xFFFFFFFF, datapath=700)])
    assert keys_from_proto(asked) == (FlowKey(0xFFFFFFFF, 700),)
    counts = FlowCounts(
        counts=(FlowCount(key=FlowKey(0xFFFFFFFF, 700), packets=2**40, bytes=2**50),), problem="none"
    )
    told = counts_to_proto(3, counts)
    assert (told.id, told.problem) == (3, "none")
    (count,) = told.counts
    assert (count.key, count.packets, count.bytes) == (asked.flows[0], 2**40, 2**50)
