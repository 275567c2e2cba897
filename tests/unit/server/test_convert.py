"""Protobuf and model: nothing is lost on the way there and back, output-only fields are ignored, errors name fields."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.errors import InvalidIntent
from netctl.model.infra import Meta
from netctl.model.intent import Intent, key_of
from netctl.model.keys import RoutingPolicyId, SubnetId, Uid, VpcId
from netctl.model.nic import NicMode
from netctl.model.route import Bfd
from netctl.model.routing_policy import Endpoint, Fallback, PolicyAction, PortRange, RoutingPolicy
from netctl.model.status import HostReport, NicReport, Phase, Status, TunnelReport
from netctl.model.subnet import Subnet
from netctl.model.vm import GuestCustomization, Vm
from netctl.model.vpc import ExternalConnection, VpcKind
from netctl.server.convert_agent import report_from_proto, report_to_proto
from netctl.server.convert_policy import routing_policy_from_proto, routing_policy_to_proto
from netctl.server.nouns import (
    ADDRESS_RESERVATION,
    BY_KIND,
    CLUSTER,
    FLOATING_IP,
    NIC,
    ROUTE,
    ROUTING_POLICY,
    SUBNET,
    VIRTUAL_SWITCH,
    VPC,
    opened,
    wrapped,
)
from netctl.v1 import agent_pb2, compute_pb2, infra_pb2, network_pb2, operations_pb2, vpc_pb2
from tests.unit.server import nouns, vpc_nouns

STATUS = Status(phase=Phase.FAILED, reason="HOST_DOWN", message="start it", revision=7)


@settings(max_examples=60)
@given(vpc_nouns.intents)
def test_what_a_client_asks_for_comes_back(intent: Intent) -> None:
    noun = BY_KIND[key_of(intent)[0]]
    message = noun.to_request(intent)
    again = noun.message.FromString(message.SerializeToString())
    assert noun.from_proto(again) == intent


@settings(max_examples=60)
@given(vpc_nouns.intents, st.integers(1, 2**62), st.floats(1, 4e9))
def test_output_only_fields_are_shown_and_ignored(intent: Intent, revision: int, time_s: float) -> None:
    noun = BY_KIND[key_of(intent)[0]]
    meta = dataclasses.replace(
        intent.meta, uid=Uid("u-1"), revision=revision, create_time_s=time_s, update_time_s=time_s
    )
    message = noun.to_proto(dataclasses.replace(intent, meta=meta), STATUS)
    assert (message.uid, message.revision) == ("u-1", revision)
    assert message.create_time.ToMicroseconds() == pytest.approx(time_s * 1e6, abs=1)
    assert message.status.reason == "HOST_DOWN"
    assert message.status.phase == 3
    if isinstance(intent, Vm) and isinstance(message, compute_pb2.Vm):
        secret = intent.customization != GuestCustomization()
        assert message.customization == compute_pb2.GuestCustomization(has_secrets=secret)
        intent = dataclasses.replace(intent, customization=GuestCustomization())
    assert noun.from_proto(message) == intent


@settings(max_examples=60)
@given(nouns.subnets())
def test_an_mtu_that_follows_the_underlay_still_does_after_an_update(subnet: Subnet) -> None:
    stored = dataclasses.replace(subnet, mtu_bytes=1442, auto_mtu=True)
    assert SUBNET.to_proto(stored, None).mtu_bytes == 1442
    assert SUBNET.from_proto(SUBNET.to_request(stored)).mtu_bytes == 0


def test_what_the_server_sets_is_not_taken_from_a_request() -> None:
    message = network_pb2.Subnet(
        name="subnets/web",
        kind=network_pb2.SUBNET_KIND_VLAN,
        virtual_switches=("virtualSwitches/vs0",),
        vlan_id=5,
        clusters=("clusters/other",),
        vni=5,
        gateway_mac_address="02:00:00:00:00:02",
    )
    message.ipv4.cidr = "10.0.0.0/24"
    message.dhcp.server_mac_address = "02:00:00:00:00:01"
    asked = SUBNET.from_proto(message)
    assert (asked.vni, asked.clusters, asked.gateway_mac_address) == (0, (), "")
    assert asked.dhcp is not None
    assert asked.dhcp.server_mac_address == ""
    vpc = vpc_pb2.Vpc(name="vpcs/blue", vni=7)
    vpc.external_connections.add(
        subnet="subnets/internet", gateways=["hosts/h1"], mac_address="02:00:00:00:00:03"
    )
    asked_vpc = VPC.from_proto(vpc)
    assert asked_vpc.vni == 0
    assert asked_vpc.external_connections == (ExternalConnection(subnet=SubnetId("internet")),)
    floating = FLOATING_IP.from_proto(
        vpc_pb2.FloatingIp(
            name="floatingIps/a", external_subnet="subnets/internet", mac_address="02:00:00:00:00:03"
        )
    )
    assert floating.mac_address == ""
    reservation = vpc_pb2.AddressReservation(name="addressReservations/a", subnet="subnets/web", count=1)
    reservation.reserved.add(start="10.0.0.1", end="10.0.0.1")
    assert ADDRESS_RESERVATION.from_proto(reservation).reserved == ()


def test_unset_fields_get_their_defaults() -> None:
    assert CLUSTER.from_proto(infra_pb2.Cluster(name="clusters/c1")).mac_prefix == "50:6b:8d"
    asked = VIRTUAL_SWITCH.from_proto(
        infra_pb2.VirtualSwitch(name="virtualSwitches/vs0", cluster="clusters/c1")
    )
    assert (asked.bond_mode, asked.mtu_bytes, asked.bridge) == ("active-backup", 1500, "")
    nic = NIC.from_proto(network_pb2.Nic(name="nics/a", subnet="subnets/web"))
    assert (nic.connected, nic.port_security, nic.mode, nic.meta) == (True, True, NicMode.ACCESS, Meta())
    external = network_pb2.Subnet(
        name="subnets/x",
        kind=network_pb2.SUBNET_KIND_EXTERNAL,
        virtual_switches=["virtualSwitches/vs0"],
        vlan_id=0,
    )
    external.ipv4.cidr, external.ipv4.gateway = "203.0.113.0/24", "203.0.113.1"
    assert SUBNET.from_proto(external).nat
    external.nat = False
    assert not SUBNET.from_proto(external).nat
    overlay = network_pb2.Subnet(
        name="subnets/x", kind=network_pb2.SUBNET_KIND_OVERLAY, clusters=["clusters/c1"]
    )
    assert not SUBNET.from_proto(overlay).nat
    assert not SUBNET.to_proto(SUBNET.from_proto(overlay), None).HasField("nat")
    overlay.nat = False
    with pytest.raises(InvalidIntent, match="goes with kind EXTERNAL only"):
        SUBNET.from_proto(overlay)
    assert VPC.from_proto(vpc_pb2.Vpc(name="vpcs/blue")).kind is VpcKind.REGULAR
    route = vpc_pb2.Route(name="routes/r", vpc="vpcs/blue", destination="0.0.0.0/0", bfd=vpc_pb2.Bfd())
    route.next_hops.add(ip_address="10.0.0.1")
    assert ROUTE.from_proto(route).priority == 100
    assert ROUTE.from_proto(route).bfd == Bfd(min_rx_ms=1000, min_tx_ms=1000, multiplier=3)
    policy = ROUTING_POLICY.from_proto(
        vpc_pb2.RoutingPolicy(
            name="routingPolicies/p",
            vpc="vpcs/blue",
            priority=10,
            action=vpc_pb2.ROUTING_POLICY_ACTION_DENY,
            protocol=vpc_pb2.IP_PROTOCOL_TCP,
            destination_ports=[vpc_pb2.PortRange(first=443)],
        )
    )
    assert (policy.source, policy.fallback) == (Endpoint(), Fallback.PASSTHROUGH)
    assert policy.destination_ports == (PortRange(first=443, last=443),)
    one = vpc_pb2.AddressReservation(name="addressReservations/a", subnet="subnets/web", count=1)
    assert ADDRESS_RESERVATION.from_proto(one).ip_version == 4


def policy(**fields: Any) -> vpc_pb2.RoutingPolicy:
    deny = vpc_pb2.ROUTING_POLICY_ACTION_DENY
    usual: dict[str, Any] = {"name": "routingPolicies/p", "vpc": "vpcs/blue", "priority": 10, "action": deny}
    return vpc_pb2.RoutingPolicy(**(usual | fields))


def route(**fields: Any) -> vpc_pb2.Route:
    hops = [vpc_pb2.NextHop(ip_address="10.0.0.1")]
    usual: dict[str, Any] = {
        "name": "routes/r",
        "vpc": "vpcs/blue",
        "destination": "0.0.0.0/0",
        "next_hops": hops,
    }
    return vpc_pb2.Route(**(usual | fields))


def vlan(**fields: Any) -> network_pb2.Subnet:
    usual: dict[str, Any] = {
        "name": "subnets/a",
        "kind": network_pb2.SUBNET_KIND_VLAN,
        "virtual_switches": ["virtualSwitches/vs0"],
    }
    return network_pb2.Subnet(**(usual | fields))


@pytest.mark.parametrize(
    ("message", "field", "text"),
    [
        (network_pb2.Nic(name="subnets/a", subnet="subnets/web"), "name", "nics/web-1"),
        (network_pb2.Nic(name="nics/a", subnet="web"), "subnet", "subnets/web"),
        (network_pb2.Nic(name="nics/a"), "subnet", "is empty"),
        (network_pb2.Nic(name="nics/a", subnet="subnets/web", host="h1"), "host", "hosts/h1"),
        (network_pb2.Nic(name="nics/A b", subnet="subnets/web"), "name", "not an id"),
        (network_pb2.Nic(name="nics/", subnet="subnets/web"), "name", "not an id"),
        (network_pb2.Nic(name="", subnet="subnets/web"), "name", "is empty"),
        (network_pb2.Subnet(name="subnets/a"), "kind", "SUBNET_KIND_VLAN or SUBNET_KIND_OVERLAY"),
        (network_pb2.Subnet(name="subnets/a", kind=99), "kind", "99 is unknown"),  # type: ignore[arg-type]
        (
            network_pb2.Subnet(name="subnets/a", kind=network_pb2.SUBNET_KIND_VLAN),
            "virtual_switches",
            "is empty",
        ),
        (vlan(), "vlan_id", "0 for an untagged network"),
        (vlan(virtual_switches=["vs0"], vlan_id=1), "virtual_switches[0]", "virtualSwitches/vs0"),
        (vlan(vlan_id=1, ipv6_mode=9), "ipv6_mode", "IPV6_MODE_SLAAC"),
        (vlan(vlan_id=1, nat=True), "nat", "EXTERNAL only"),
        (network_pb2.Nic(name="nics/a", subnet="subnets/web", mode=9), "mode", "NIC_MODE_TRUNK"),  # type: ignore[arg-type]
        (
            network_pb2.Nic(
                name="nics/a",
                subnet="subnets/web",
                mode=network_pb2.NIC_MODE_TRUNK,
                trunk_vlans=[network_pb2.TrunkVlan(vlan_id=5, subnet="db")],
            ),
            "trunk_vlans[0].subnet",
            "subnets/web",
        ),
        (vpc_pb2.Vpc(name="vpcs/a", kind=9), "kind", "VPC_KIND_REGULAR or VPC_KIND_TRANSIT"),  # type: ignore[arg-type]
        (
            vpc_pb2.Vpc(name="vpcs/a", external_connections=[vpc_pb2.ExternalConnection()]),
            "external_connections[0].subnet",
            "is empty",
        ),
        (
            vpc_pb2.Vpc(
                name="vpcs/a",
                external_connections=[vpc_pb2.ExternalConnection(subnet="subnets/x", gateway_hosts=["h1"])],
            ),
            "external_connections[0].gateway_hosts[0]",
            "hosts/h1",
        ),
        (vpc_pb2.FloatingIp(name="floatingIps/a"), "external_subnet", "is empty"),
        (
            vpc_pb2.FloatingIp(name="floatingIps/a", external_subnet="subnets/x", nic="web-1"),
            "nic",
            "nics/web-1",
        ),
        (route(vpc=""), "vpc", "is empty"),
        (route(next_hops=[]), "next_hops", "1 to 8"),
        (route(next_hops=[vpc_pb2.NextHop()]), "next_hops[0]", "set ip_address, or external_subnet"),
        (route(next_hops=[vpc_pb2.NextHop(ip_address="")]), "next_hops[0]", "is empty"),
        (
            route(next_hops=[vpc_pb2.NextHop(external_subnet="x")]),
            "next_hops[0].external_subnet",
            "write it like subnets/web",
        ),
        (policy(action=0), "action", "is not set; use ROUTING_POLICY_ACTION_PERMIT or"),
        (policy(protocol=99), "protocol", "99 is unknown"),
        (policy(fallback=99), "fallback", "REROUTE_FALLBACK_DROP"),
        (policy(source=vpc_pb2.PolicyEndpoint(any=False)), "source.any", "is false"),
        (policy(destination=vpc_pb2.PolicyEndpoint(external=False)), "destination.external", "is false"),
        (policy(source=vpc_pb2.PolicyEndpoint(cidr="")), "source.cidr", "is empty"),
        (
            vpc_pb2.AddressReservation(name="addressReservations/a", subnet="subnets/web"),
            "count",
            "exactly one",
        ),
        (
            network_pb2.Subnet(
                name="subnets/a", kind=network_pb2.SUBNET_KIND_OVERLAY, clusters=["clusters/c"], vpc="v1"
            ),
            "vpc",
            "vpcs/blue",
        ),
        (
            infra_pb2.VirtualSwitch(name="virtualSwitches/a", cluster="clusters/c", bond_mode=7),  # type: ignore[arg-type]
            "bond_mode",
            "BOND_MODE_ACTIVE_BACKUP",
        ),
        (
            infra_pb2.Host(
                name="hosts/a",
                cluster="clusters/c",
                tunnel_address="192.0.2.1/24",
                uplinks=[infra_pb2.Uplink(virtual_switch="vs0", interfaces=["eth0"])],
            ),
            "uplinks[0].virtual_switch",
            "virtualSwitches/vs0",
        ),
        (infra_pb2.Host(name="hosts/a", cluster="clusters/c"), "tunnel_address", "prefix length"),
    ],
)
def test_an_error_names_the_field_and_what_to_write(message: object, field: str, text: str) -> None:
    noun = next(noun for noun in BY_KIND.values() if isinstance(message, noun.message))
    with pytest.raises(InvalidIntent, match=text) as caught:
        noun.from_proto(message)  # type: ignore[arg-type]
    assert caught.value.field == field


@settings(max_examples=60)
@given(vpc_nouns.intents)
def test_a_resource_of_any_kind_is_wrapped_and_opened(intent: Intent) -> None:
    key = key_of(intent)
    noun, message = opened(wrapped(key, intent, STATUS), "x")
    assert noun is BY_KIND[key[0]]
    assert message == noun.to_proto(intent, STATUS)


def test_an_empty_resource_is_refused() -> None:
    with pytest.raises(InvalidIntent, match="virtual_switch") as caught:
        opened(operations_pb2.Resource(), "edits[1].create")
    assert caught.value.field == "edits[1].create"


def test_a_host_report_is_read() -> None:
    message = agent_pb2.HostReport(host_id="h1", assignment_revision=4, nb_cfg=9, problems=["x" * 900] * 30)
    message.nics.add(iface_id="u", tap_present=True)
    message.bonds.add(bond="br0-up", up_interfaces=["eth1"])
    message.tunnels.add(remote_ip="192.0.2.2", up=True, bfd=True, bfd_up=True)
    report = report_from_proto(message)
    assert isinstance(report, HostReport)
    assert (report.host, report.assignment_revision, report.nb_cfg) == ("h1", 4, 9)
    assert report.nics == (NicReport(iface_id="u", tap_present=True, plugged=False, ovn_installed=False),)
    assert report.bonds[0].up_interfaces == ("eth1",)
    assert report.tunnels == (TunnelReport(remote_ip="192.0.2.2", up=True, bfd=True, bfd_up=True),)
    assert report_from_proto(report_to_proto(report)) == report
    assert [len(problem) for problem in report.problems] == [500] * 20


@pytest.mark.parametrize("host_id", ["", "h 1", "a" * 64])
def test_a_report_without_a_host_is_refused(host_id: str) -> None:
    with pytest.raises(InvalidIntent) as caught:
        report_from_proto(agent_pb2.HostReport(host_id=host_id))
    assert caught.value.field == "report.host_id"


@pytest.mark.parametrize("endpoint", [Endpoint(), Endpoint(external=True), Endpoint(cidr="10.0.0.0/8")])
def test_whom_a_routing_policy_is_about_comes_back(endpoint: Endpoint) -> None:
    policy = RoutingPolicy(
        id=RoutingPolicyId("p"),
        vpc=VpcId("blue"),
        priority=10,
        source=endpoint,
        action=PolicyAction.DENY,
    )
    assert routing_policy_from_proto(routing_policy_to_proto(policy, None)).source == endpoint
