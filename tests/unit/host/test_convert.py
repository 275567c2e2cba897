"""From the wire and back; what would damage a host is refused at the door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from netctl_host.assignment import DhcpLease, InternalBridge, InternalPort, StaticRoute
from netctl_host.assignment_chains import (
    Chain,
    Function,
    Mirror,
    Pair,
    PortSpan,
    Segment,
    ServiceChains,
    SteeringRule,
)
from netctl_host.convert import assignment_from_proto, counts_to_proto, keys_from_proto, report_to_proto
from netctl_host.flow_counts import FlowCount, FlowCounts, FlowKey
from netctl_host.reported import (
    BondReport,
    BridgeReport,
    FunctionReport,
    HostReport,
    LinkReport,
    NicReport,
    PairReport,
    Reversion,
    TunnelReport,
)
from netctl_host.state import LearnedAddress, LldpNeighbor

from netctl.errors import InvalidIntent
from netctl.v1 import agent_pb2
from tests.unit.host.messages import to_proto
from tests.unit.host.samples import assign, nic, uplink

ASSIGNMENT = replace(
    assign(
        replace(
            uplink(0, "eth1", "eth2", address="192.0.2.11/24"),
            primary="eth2",
            lacp="active",
            lacp_fast=True,
            lacp_fallback=True,
            host_addresses=("198.51.100.7/24", "2001:db8::7/64"),
            mcast_snooping=True,
            querier_vlan_ids=(0, 5),
            settings_id="s1",
            held=True,
        ),
        nics=(
            replace(
                nic(1, localnet="l"),
                learn_addresses=True,
                guard_ipv6=True,
                trunk_vlan_ids=(7, 8),
                bridge="br0",
                vlan_id=5,
                trunks_all=True,
                disconnected=True,
                mirror_destination=True,
                incoming=True,
                announce_vlan_ids=(10, 20),
                announce_bridge="br0",
                announce_localnets=("ln10", "ln20"),
                dhcp=DhcpLease(
                    address="192.0.2.7",
                    prefix_length=24,
                    server_address="192.0.2.254",
                    server_mac_address="50:6b:8d:00:00:fe",
                    router="192.0.2.1",
                    lease_s=3600,
                    dns_servers=("192.0.2.53",),
                    domain_name="example.net",
                    domain_search=("example.org",),
                    ntp_servers=("192.0.2.123",),
                    tftp_server="192.0.2.69",
                    bootfile_name="pxe",
                    static_routes=(StaticRoute(destination="10.0.0.0/8", next_hop="192.0.2.2"),),
                    mtu_bytes=1500,
                ),
            ),
        ),
        revision=7,
        epoch=3,
    ),
    internal_ports=(
        InternalPort(name="stor0", bridge="br0", vlan_id=9, addresses=("10.9.0.1/24",), mtu_bytes=9000),
    ),
    internal_bridge=InternalBridge(name="virbr0", addresses=("192.168.5.1/24",), interfaces=("vnet0",)),
    service_chains=ServiceChains(
        functions=(
            Function(
                function_id="fw",
                tap=True,
                fail_open=True,
                pairs=(Pair(ingress_tap="in0", egress_tap="out0"),),
                interval_ms=100,
                timeout_ms=200,
                success_threshold=2,
                failure_threshold=3,
            ),
        ),
        chains=(Chain(chain_id="c1", function_ids=("fw",)),),
        segments=(
            Segment(
                subnet_id="web",
                localnet="l",
                local_bridge="br0.local",
                uplink_bridge="br0",
                vlan_id=5,
                rules=(
                    SteeringRule(
                        priority=10,
                        chain_id="c1",
                        local_mac_addresses=("50:6b:8d:00:00:01",),
                        local_networks=("10.0.0.0/24",),
                        peer_networks=("10.0.1.0/24",),
                        ip_version=4,
                        protocol=6,
                        local_opens=True,
                        source_ports=(PortSpan(first=1, last=9),),
                        destination_ports=(PortSpan(first=80, last=81),),
                        icmp_type=8,
                        icmp_code=1,
                    ),
                ),
            ),
        ),
    ),
    mirrors=(
        Mirror(
            mirror_id="m",
            bridge="br0",
            from_ports=("tap1",),
            to_ports=("tap2",),
            destination_taps=("span0",),
        ),
    ),
)
NIC_REPORT = NicReport(
    iface_id="i",
    tap_present=True,
    plugged=True,
    ovn_installed=True,
    learned_addresses=(LearnedAddress(vlan_id=7, address="192.0.2.7"),),
    guarded=True,
    resumed=True,
    announce_ms=12,
)


def unset_fields(message: Any, path: str = "") -> list[str]:
    """Return the fields, at any depth, that a message leaves at their default."""
    unset: list[str] = []
    for field in message.DESCRIPTOR.fields:
        value, name = getattr(message, field.name), f"{path}{field.name}"
        if not value:
            unset.append(name)
        elif field.message_type is not None and field.message_type.name != "Timestamp":
            parts = value if field.is_repeated else (value,)
            unset.extend(missing for part in parts for missing in unset_fields(part, f"{name}."))
    return unset


def test_every_field_of_an_assignment_arrives() -> None:
    message = to_proto(ASSIGNMENT)
    assert unset_fields(message) == []  # the sample has everything that the wire has
    assert assignment_from_proto(message) == ASSIGNMENT


def test_what_may_be_unset_is_none() -> None:
    bare = replace(
        assign(nics=(nic(1),)),
        service_chains=ServiceChains(
            segments=(
                Segment(
                    subnet_id="s",
                    uplink_bridge="br0",
                    vlan_id=0,
                    rules=(SteeringRule(priority=1, chain_id="", protocol=0, local_opens=False),),
                ),
            )
        ),
    )
    came = assignment_from_proto(to_proto(bare))
    assert came == bare
    (rule,) = came.service_chains.segments[0].rules
    assert (rule.protocol, rule.icmp_type, came.nics[0].dhcp, came.internal_bridge) == (0, None, None, None)


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
        (
            lambda message: message.uplink_bridges[0].host_addresses.append("x"),
            "uplink_bridges.host_addresses",
        ),
        (lambda message: message.internal_ports[0].ClearField("bridge"), "internal_ports"),
        (lambda message: setattr(message.internal_ports[0], "name", "a" * 16), "internal_ports"),
        (
            lambda message: message.internal_ports[0].addresses.append("10.0.0.1/33"),
            "internal_ports.addresses",
        ),
        (lambda message: setattr(message.internal_bridge, "name", "../x"), "internal_bridge"),
        (lambda message: message.internal_bridge.addresses.append(""), "internal_bridge.addresses"),
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
    link = LinkReport(
        interface="eth1",
        present=True,
        up=True,
        mtu_bytes=9000,
        uplink=True,
        mac_address="02:00:00:00:00:01",
        speed_mbps=10000,
        full_duplex=True,
        driver="veth",
        bridge="br0",
        addresses=("192.0.2.1/24",),
        neighbor=LldpNeighbor(
            chassis_id="02:00:00:00:00:02",
            port_id="Ethernet7",
            port_description="to h1",
            system_name="tor1",
            system_description="a switch",
            port_vlan_id=7,
            management_address="192.0.2.200",
        ),
    )
    bond = BondReport(
        bond="br0-up",
        active_interface="eth1",
        up_interfaces=("eth1",),
        bond_mode="active-backup",
        lacp_status="off",
    )
    bridge = BridgeReport(
        bridge="br0", physnet="physnet-vs0", up=True, settings_id="s1", rolled_back_settings_id="s2"
    )
    function = FunctionReport(
        function_id="fw",
        active_ingress_tap="in0",
        pairs=(PairReport(ingress_tap="in0", healthy=True, reason="none", undecided=True),),
    )
    report = HostReport(
        host_id="h1",
        assignment_revision=7,
        nb_cfg=9,
        ovn_controller_connected=True,
        nics=(NIC_REPORT,),
        links=(link,),
        bonds=(bond,),
        bridges=(bridge,),
        tunnels=(TunnelReport(remote_ip="192.0.2.12", up=True, bfd=True, bfd_up=True),),
        problems=("none",),
        functions=(function,),
        reversions=(Reversion(time=datetime(2026, 1, 2, tzinfo=UTC), message="br0: mtu 1500, now 9000"),),
    )
    message = report_to_proto(report, agent_version="1", time=Timestamp(seconds=5))
    assert unset_fields(message) == []
    assert [(learned.vlan_id, learned.address) for learned in message.nics[0].learned_addresses] == [
        (7, "192.0.2.7")
    ]
    assert message.reversions[0].time.ToJsonString() == "2026-01-02T00:00:00Z"
    assert message.links[0].neighbor.port_vlan_id == 7


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
