"""What a host must have and what it has, over the wire: every field of every part, and no more than is bearable."""

from __future__ import annotations

import dataclasses
from typing import Any

from google.protobuf.message import Message

from netctl.model import assignment as parts
from netctl.model import assignment_chains as chains
from netctl.model.keys import HostId, NicId
from netctl.model.status import (
    BondReport,
    BridgeReport,
    FunctionReport,
    HostReport,
    LinkReport,
    LldpNeighbor,
    NicReport,
    PairReport,
    Reversion,
    TunnelReport,
)
from netctl.server.convert_agent import inspection_from_proto, report_from_proto, report_to_proto
from netctl.server.convert_assignment import assignment_to_proto
from netctl.v1 import agent_pb2

BRIDGE = parts.UplinkBridge(
    bridge="br0",
    physnet="physnet-vs0",
    bond="br0-up",
    interfaces=("eth1", "eth2"),
    bond_mode="balance-tcp",
    mtu_bytes=9000,
    address="192.0.2.1/24",
    primary="eth2",
    lacp="active",
    lacp_fast=True,
    lacp_fallback=True,
    host_addresses=("198.51.100.1/24",),
    mcast_snooping=True,
    mcast_timeout_s=60,
    querier_vlan_ids=(5, 6),
    settings_id="s1",
    held=True,
)
LEASE = parts.DhcpLease(
    address="10.0.0.9",
    prefix_length=24,
    server_address="10.0.0.254",
    server_mac_address="50:6b:8d:00:00:fe",
    router="10.0.0.1",
    lease_s=60,
    dns_servers=("10.0.0.2",),
    domain_name="example.com",
    domain_search=("a.example", "b.example"),
    ntp_servers=("10.0.0.3",),
    tftp_server="10.0.0.4",
    bootfile_name="boot",
    static_routes=(parts.StaticRoute(destination="10.9.0.0/16", next_hop="10.0.0.5"),),
    mtu_bytes=1500,
)
NIC = parts.NicAssignment(
    nic=NicId("a"),
    iface_id="u",
    tap_name="tap1",
    mac_address="50:6b:8d:00:00:01",
    mtu_bytes=1442,
    localnet="localnet-s",
    learn_addresses=True,
    guard_ipv6=True,
    trunk_vlan_ids=(7,),
    bridge="br0",
    vlan_id=5,
    trunks_all=True,
    disconnected=True,
    dhcp=LEASE,
    mirror_destination=True,
    incoming=True,
    announce_vlan_ids=(10, 20),
    announce_bridge="br0",
    announce_localnets=("localnet-a", "localnet-b"),
)
SPAN = chains.PortSpan(first=80, last=81)
RULE = chains.SteeringRule(
    priority=9,
    chain_id="c1",
    local_mac_addresses=("50:6b:8d:00:00:01",),
    local_networks=("10.0.0.0/24",),
    peer_networks=("10.1.0.0/24",),
    ip_version=4,
    protocol=6,
    local_opens=True,
    source_ports=(SPAN,),
    destination_ports=(SPAN,),
    icmp_type=8,
    icmp_code=1,
)
SEGMENT = chains.Segment(
    subnet_id="web", localnet="l", local_bridge="br0.local", uplink_bridge="br0", vlan_id=5, rules=(RULE,)
)
FUNCTION = chains.Function(
    function_id="f1",
    tap=True,
    fail_open=True,
    pairs=(chains.Pair(ingress_tap="tap1", egress_tap="tap2"),),
    interval_ms=250,
    timeout_ms=200,
    success_threshold=3,
    failure_threshold=2,
)
ASSIGNMENT = parts.Assignment(
    host=HostId("h1"),
    revision=5,
    epoch=2,
    chassis=parts.Chassis(
        system_id="h1", ovn_remote="tcp:192.0.2.1:6642", encap_type="geneve", encap_ip="192.0.2.1"
    ),
    uplink_bridges=(BRIDGE,),
    nics=(NIC,),
    internal_ports=(
        parts.InternalPort(
            name="store0", bridge="br0", vlan_id=7, addresses=("192.0.2.9/24",), mtu_bytes=9000
        ),
    ),
    internal_bridge=parts.InternalBridge(name="virbr0", addresses=("192.168.5.1/24",), interfaces=("vnet0",)),
    service_chains=chains.ServiceChains(
        functions=(FUNCTION,),
        chains=(chains.Chain(chain_id="c1", function_ids=("f1", "f2")),),
        segments=(SEGMENT,),
    ),
    mirrors=(
        chains.Mirror(
            mirror_id="m1",
            bridge="br0",
            from_ports=("tap1",),
            to_ports=("tap2", "tap3"),
            destination_taps=("tap4",),
        ),
    ),
)
SPELLED = {"host": "host_id", "nic": "nic_id"}


def as_said(message: Message) -> dict[str, Any]:
    """Return the fields that are set, parts of it likewise."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.message_type is None:
            found[field.name] = list(value) if field.is_repeated else value
        elif field.is_repeated:
            found[field.name] = [as_said(one) for one in value]
        else:
            found[field.name] = as_said(value)
    return found


def as_meant(value: Any) -> Any:
    if isinstance(value, tuple):
        return [as_meant(one) for one in value]
    if not dataclasses.is_dataclass(value):
        return value
    names = [field.name for field in dataclasses.fields(value)]
    return {SPELLED.get(name, name): as_meant(getattr(value, name)) for name in names}


def test_every_field_of_an_assignment_travels() -> None:
    assert as_said(assignment_to_proto(ASSIGNMENT)) == as_meant(ASSIGNMENT)


def test_what_a_host_has_not_is_unset_and_protocol_0_is_one() -> None:
    rule = dataclasses.replace(RULE, protocol=0, icmp_type=None, icmp_code=0)
    segments = (dataclasses.replace(SEGMENT, rules=(rule,)),)
    bare = dataclasses.replace(
        ASSIGNMENT,
        nics=(dataclasses.replace(NIC, dhcp=None),),
        internal_bridge=None,
        service_chains=chains.ServiceChains(segments=segments),
    )
    message = assignment_to_proto(bare)
    assert not message.HasField("internal_bridge")
    assert not message.nics[0].HasField("dhcp")
    (sent,) = message.service_chains.segments[0].rules
    assert (sent.HasField("protocol"), sent.HasField("icmp_type"), sent.HasField("icmp_code")) == (
        True,
        False,
        True,
    )
    none = assignment_to_proto(dataclasses.replace(bare, service_chains=chains.ServiceChains()))
    assert not none.HasField("service_chains")


REPORT = HostReport(
    host=HostId("h1"),
    agent_version="1",
    assignment_revision=4,
    nb_cfg=9,
    ovn_controller_connected=True,
    nics=(
        NicReport(
            iface_id="u",
            tap_present=True,
            plugged=True,
            ovn_installed=True,
            learned_addresses=((7, "192.0.2.7"),),
            guarded=True,
            resumed=True,
            announce_ms=5,
        ),
    ),
    links=(
        LinkReport(
            interface="eth1",
            present=True,
            up=True,
            mtu_bytes=9000,
            uplink=True,
            mac_address="50:6b:8d:00:00:01",
            speed_mbps=25_000,
            full_duplex=True,
            driver="mlx5_core",
            bridge="br0",
            addresses=("192.0.2.1/24",),
            neighbor=LldpNeighbor(
                chassis_id="50:6b:8d:00:00:99",
                port_id="Ethernet1/7",
                port_description="to h1",
                system_name="leaf1",
                system_description="a switch",
                port_vlan_id=5,
                management_address="192.0.2.99",
            ),
        ),
    ),
    bonds=(
        BondReport(
            bond="br0-up",
            active_interface="eth1",
            up_interfaces=("eth1", "eth2"),
            bond_mode="balance-tcp",
            lacp_status="negotiated",
        ),
    ),
    bridges=(
        BridgeReport(
            bridge="br0", physnet="physnet-vs0", up=True, settings_id="s1", rolled_back_settings_id="s2"
        ),
    ),
    tunnels=(TunnelReport(remote_ip="192.0.2.2", up=True, bfd=True, bfd_up=True),),
    problems=("no eth3",),
    functions=(
        FunctionReport(
            function_id="f1",
            active_ingress_tap="tap1",
            pairs=(PairReport(ingress_tap="tap1", healthy=True, reason="probes lost", undecided=True),),
        ),
    ),
    reversions=(Reversion(time_s=1_790_000_000.25, message="eth9 was a port of br0; it is no more"),),
    time_s=1790000001.5,
)


def unset(value: Any, path: str = "report") -> list[str]:
    """Return the paths of fields that are empty: a sample with one says nothing about it."""
    if isinstance(value, tuple):
        return [path] if not value else [name for one in value for name in unset(one, path)]
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return [found for name in names for found in unset(getattr(value, name), f"{path}.{name}")]
    return [] if value else [path]


def test_every_field_of_a_report_travels() -> None:
    assert not unset(REPORT)
    message = report_to_proto(REPORT)
    again = agent_pb2.HostReport.FromString(message.SerializeToString())
    assert report_from_proto(again) == REPORT


def test_what_others_announce_is_bounded_and_printable() -> None:
    message = agent_pb2.HostReport(host_id="h1")
    link = message.links.add(interface="eth1", addresses=[f"10.0.0.{n}/24" for n in range(200)])
    link.neighbor.system_name = "leaf\x1b[31m1\n" + "x" * 900
    for n in range(50):
        message.reversions.add(message=f"{n} " + "y" * 900).time.seconds = 2**62
    for _ in range(1000):
        message.functions.add(function_id="f").pairs.add(reason="z" * 900)
    message.functions[0].pairs.extend(agent_pb2.PairReport() for _ in range(500))
    report = report_from_proto(message)
    neighbor = report.links[0].neighbor
    assert neighbor is not None
    assert neighbor.system_name.startswith("leaf?[31m1?xxx")
    assert len(neighbor.system_name) == 255
    assert len(report.links[0].addresses) == 64
    assert [one.message[:2] for one in report.reversions][-1] == "49"
    assert len(report.reversions) == 20
    assert {len(one.message) for one in report.reversions} == {500}
    assert {one.time_s for one in report.reversions} == {0.0}
    assert len(report.functions[0].pairs) == 64
    assert len(report.functions[1].pairs[0].reason) == 500
    assert report_from_proto(report_to_proto(report)) == report


def test_what_an_agent_sees_fits_into_a_message() -> None:
    seen = agent_pb2.Inspection(id=7)
    seen.bonds.add(bond="br0-up", lacp_status="negotiated")
    seen.mac_entries.extend(
        agent_pb2.MacEntry(bridge="br0", port="br0-up", mac_address="50:6b:8d:00:00:01", age_s=n)
        for n in range(30_000)
    )
    told = inspection_from_proto(seen)
    assert (told.id, told.bonds[0].lacp_status, len(told.mac_entries)) == (0, "negotiated", 20_000)
    assert told.ByteSize() < 2 << 20
