"""What agents say of NICs, and what they are told of them, survives the wire; what is no address is left out."""

from __future__ import annotations

from dataclasses import replace

from netctl.model.assignment import Assignment, Chassis, NicAssignment
from netctl.model.keys import HostId, NicId
from netctl.model.status import HostReport, NicReport
from netctl.server.convert_agent import report_from_proto, report_to_proto
from netctl.server.convert_assignment import assignment_to_proto
from netctl.v1 import agent_pb2

NIC = NicAssignment(
    nic=NicId("n1"),
    iface_id="u",
    tap_name="tap1",
    mac_address="50:6b:8d:00:00:01",
    mtu_bytes=1442,
    localnet="l",
    learn_addresses=True,
    guard_ipv6=True,
    trunk_vlan_ids=(7, 8),
)
CHASSIS = Chassis(system_id="h1", ovn_remote="tcp:192.0.2.1:6642", encap_type="geneve", encap_ip="192.0.2.11")


def test_an_agent_hears_what_to_learn_and_what_to_guard() -> None:
    other = replace(NIC, nic=NicId("n2"), learn_addresses=False, guard_ipv6=False, trunk_vlan_ids=())
    assignment = Assignment(
        host=HostId("h1"), revision=1, epoch=1, chassis=CHASSIS, uplink_bridges=(), nics=(NIC, other)
    )
    first, second = assignment_to_proto(assignment).nics
    assert (first.learn_addresses, first.guard_ipv6, list(first.trunk_vlan_ids)) == (True, True, [7, 8])
    assert (second.learn_addresses, second.guard_ipv6, list(second.trunk_vlan_ids)) == (False, False, [])


def test_what_a_guest_uses_is_read_and_told() -> None:
    learned = ((0, "192.0.2.7"), (7, "2001:db8::7"))
    nic = NicReport(
        iface_id="u",
        tap_present=True,
        plugged=True,
        ovn_installed=True,
        learned_addresses=learned,
        guarded=True,
    )
    report = HostReport(host=HostId("h1"), nics=(nic,))
    assert report_from_proto(report_to_proto(report)).nics == (nic,)


def test_an_agent_cannot_spoil_what_is_learned() -> None:
    said = [
        *((0, "2001:DB8:0::7"), (0, "2001:db8::7"), (0, ""), (0, "192.0.2.300"), (0, "fe80::1%eth0")),
        *((-1, "192.0.2.1"), (4095, "192.0.2.1"), (0, "192.0.2.7")),
    ]
    nic = agent_pb2.NicReport(
        iface_id="u",
        learned_addresses=[
            agent_pb2.LearnedAddress(vlan_id=vlan_id, address=address) for vlan_id, address in said
        ],
    )
    (read,) = report_from_proto(agent_pb2.HostReport(host_id="h1", nics=[nic])).nics
    assert read.learned_addresses == ((0, "192.0.2.7"), (0, "2001:db8::7"))
    assert not read.guarded
    nic.ClearField("learned_addresses")
    nic.learned_addresses.extend(
        agent_pb2.LearnedAddress(address=f"10.0.{n // 256}.{n % 256}") for n in range(5000)
    )
    (read,) = report_from_proto(agent_pb2.HostReport(host_id="h1", nics=[nic])).nics
    assert len(read.learned_addresses) == 8 * 257
