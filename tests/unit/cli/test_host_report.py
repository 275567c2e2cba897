"""What a host said, in lines for people."""

from __future__ import annotations

from netctl.cli.host_report import describe_report
from netctl.v1 import agent_pb2, infra_pb2


def test_silence_is_said() -> None:
    assert describe_report(infra_pb2.GetHostReportResponse()) == [
        ("agent", "has said nothing since the controller started")
    ]


def test_everything_that_is_up_or_down_is_shown() -> None:
    report = agent_pb2.HostReport(
        agent_version="0.1.0",
        nb_cfg=7,
        ovn_controller_connected=True,
        bridges=[agent_pb2.BridgeReport(bridge="br0", physnet="physnet-vs0", up=True)],
        bonds=[agent_pb2.BondReport(bond="br0-up", active_interface="eth1", up_interfaces=["eth1"])],
        links=[
            agent_pb2.LinkReport(interface="eth1", present=True, up=True, mtu_bytes=9000, uplink=True),
            agent_pb2.LinkReport(interface="eth2"),
        ],
        tunnels=[
            agent_pb2.TunnelReport(remote_ip="192.0.2.12"),
            agent_pb2.TunnelReport(remote_ip="192.0.2.13", up=True, bfd=True),
        ],
        nics=[agent_pb2.NicReport(plugged=True, ovn_installed=True), agent_pb2.NicReport(plugged=True)],
        problems=["eth2 is missing"],
    )
    assert describe_report(infra_pb2.GetHostReportResponse(connected=True, report=report)) == [
        ("agent", "0.1.0, connected"),
        ("ovn-controller", "connected, flows up to nb_cfg 7"),
        ("bridge", "br0  physnet-vs0  up"),
        ("bond", "br0-up  active eth1  up eth1"),
        ("link", "eth1  up  mtu 9000"),
        ("link", "eth2  missing"),
        ("tunnel", "to 192.0.2.12  down"),
        ("tunnel", "to 192.0.2.13  up  BFD down"),
        ("NICs", "2 of 2 plugged, 1 with OVN's flows"),
        ("problem", "eth2 is missing"),
    ]
