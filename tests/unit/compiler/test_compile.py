"""compile: exact rows from small worlds, and the properties that hold for all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.compiler.assignment import AssignmentSettings, compile_assignment
from netctl.compiler.compile import compile_rows
from netctl.compiler.identity import dhcpv4_uuid, localnet_uuid, port_uuid, switch_uuid
from netctl.model.assignment import NicAssignment, UplinkBridge
from netctl.model.infra import Uplink
from netctl.model.keys import HostId, VirtualSwitchId
from netctl.model.subnet import DhcpOptions, StaticRoute
from netctl.nb.rows import Fact, FactKey, Member, Row
from tests.intents import OWNER, host, infra, meta, nic, overlay, snapshot, switch, uid_of, vlan

MARKS = {"netctl:owner": OWNER, "netctl:kind": "subnets", "netctl:id": "v10"}


def rows_of(*intents: object) -> dict[FactKey, Fact]:
    return compile_rows(snapshot([*infra(), *intents]), OWNER)  # type: ignore[list-item]


def row(rows: dict[FactKey, Fact], table: str, uuid: str) -> Row:
    fact = rows[table, uuid]
    assert isinstance(fact, Row)
    return fact


def test_infra_has_no_rows() -> None:
    assert rows_of() == {}


def test_a_vlan_subnet_is_a_switch_with_a_localnet_port() -> None:
    rows = rows_of(vlan(dhcp=False))
    switch, localnet = switch_uuid(uid_of("v10")), localnet_uuid(uid_of("v10"), "vs0")
    assert set(rows) == {
        ("Logical_Switch", switch),
        ("Logical_Switch_Port", localnet),
        ("Logical_Switch", switch, "ports", localnet),
    }
    assert row(rows, "Logical_Switch", switch).columns == {
        "name": "v10",
        "other_config": {"requested-tnl-key": "1010"},
        "external_ids": MARKS,
    }
    assert row(rows, "Logical_Switch_Port", localnet).columns == {
        "name": f"localnet-{uid_of('v10')}-vs0",
        "type": "localnet",
        "addresses": {"unknown"},
        "tag": {10},
        "options": {"network_name": "physnet-vs0"},
        "external_ids": MARKS,
    }


def test_vlan_0_is_untagged() -> None:
    rows = rows_of(vlan("v0", 0, dhcp=False))
    assert row(rows, "Logical_Switch_Port", localnet_uuid(uid_of("v0"), "vs0")).columns["tag"] == frozenset()


def test_an_overlay_subnet_has_no_localnet_port() -> None:
    assert {key[0] for key in rows_of(overlay())} == {"Logical_Switch"}


def test_dhcp_options_are_spelled_as_ovn_reads_them() -> None:
    dhcp = DhcpOptions(
        server_address="10.0.10.254",
        server_mac_address="50:6b:8d:ff:ff:01",
        lease_s=600,
        dns_servers=("10.0.10.2", "10.0.10.3"),
        domain_name="example.com",
        domain_search=("a.example.com", "b.example.com"),
        ntp_servers=("10.0.10.4",),
        tftp_server="10.0.10.9",
        bootfile_name="pxelinux.0",
        static_routes=(StaticRoute(destination="10.9.0.0/16", next_hop="10.0.10.7"),),
    )
    rows = rows_of(replace(vlan(), dhcp=dhcp))
    options = row(rows, "DHCP_Options", dhcpv4_uuid(uid_of("v10"))).columns
    assert options["cidr"] == "10.0.10.0/24"
    assert options["options"] == {
        "server_id": "10.0.10.254",
        "server_mac": "50:6b:8d:ff:ff:01",
        "lease_time": "600",
        "mtu": "1500",
        "router": "10.0.10.1",
        "dns_server": "{10.0.10.2, 10.0.10.3}",
        "ntp_server": "{10.0.10.4}",
        "domain_name": '"example.com"',
        "domain_search_list": '"a.example.com,b.example.com"',
        "tftp_server": '"10.0.10.9"',
        "bootfile_name": '"pxelinux.0"',
        "classless_static_route": "{10.9.0.0/16,10.0.10.7, 0.0.0.0/0,10.0.10.1}",
    }


def test_a_nic_is_a_port_of_its_switch() -> None:
    rows = rows_of(vlan(), nic())
    port = port_uuid(uid_of("n1"))
    own = "50:6b:8d:00:00:05 10.0.10.5"
    assert ("Logical_Switch", switch_uuid(uid_of("v10")), "ports", port) in rows
    assert row(rows, "Logical_Switch_Port", port).columns == {
        "name": uid_of("n1"),
        "type": "",
        "addresses": {own},
        "port_security": {own},
        "enabled": {True},
        "dhcpv4_options": {dhcpv4_uuid(uid_of("v10"))},
        "dhcpv6_options": frozenset(),
        "options": {"requested-chassis": "h1"},
        "external_ids": {"netctl:owner": OWNER, "netctl:kind": "nics", "netctl:id": "n1"},
    }


@pytest.mark.parametrize(
    ("change", "column", "value"),
    [
        ({"connected": False}, "enabled", {False}),
        ({"port_security": False}, "port_security", frozenset()),
        ({"host": ""}, "options", {}),
        (
            {"port_security": False, "allow_unknown_macs": True},
            "addresses",
            {"50:6b:8d:00:00:05 10.0.10.5", "unknown"},
        ),
        ({"ipv4_address": ""}, "dhcpv4_options", frozenset()),
        (
            {"ipv6_address": "fd00::5"},
            "addresses",
            {"50:6b:8d:00:00:05 10.0.10.5 fd00::5 fe80::526b:8dff:fe00:5"},
        ),
        (
            {"ipv6_address": "fd00::5"},
            "port_security",
            {"50:6b:8d:00:00:05 10.0.10.5 fd00::5 fe80::526b:8dff:fe00:5"},
        ),
        (
            {"ipv6_address": "fe80::526b:8dff:fe00:5"},
            "port_security",
            {"50:6b:8d:00:00:05 10.0.10.5 fe80::526b:8dff:fe00:5"},
        ),
    ],
)
def test_what_a_nic_says_is_in_its_row(change: dict[str, Any], column: str, value: object) -> None:
    rows = rows_of(vlan(), replace(nic(), **change))
    assert row(rows, "Logical_Switch_Port", port_uuid(uid_of("n1"))).columns[column] == value


def test_every_reference_exists_and_rows_tell_their_subnet_apart() -> None:
    rows = rows_of(
        vlan(), vlan("v20", 20), overlay(), nic(), nic("n2", "o1", number=6), nic("n3", "v20", number=7)
    )
    uuids = {key[1] for key, fact in rows.items() if isinstance(fact, Row)}
    for fact in rows.values():
        if isinstance(fact, Member):
            assert {fact.parent, fact.member} <= uuids
        else:
            assert set(fact.columns.get("dhcpv4_options", ())) <= uuids  # type: ignore[arg-type]
            assert fact.columns["external_ids"]["netctl:owner"] == OWNER  # type: ignore[index]


def test_an_assignment_has_the_bridges_and_nics_of_its_host_alone() -> None:
    world = snapshot(
        [*infra(), vlan(), nic("b"), nic("a", number=6), nic("other", number=7, host="h2")], revision=9
    )
    settings = AssignmentSettings(ovn_remote="tcp:192.0.2.100:6642", epoch=3)
    found = compile_assignment(world, HostId("h1"), settings)
    assert found is not None
    assert (found.host, found.revision, found.epoch) == ("h1", 9, 3)
    assert (found.chassis.system_id, found.chassis.encap_ip) == ("h1", "192.0.2.1")
    assert found.chassis.ovn_remote == "tcp:192.0.2.100:6642"
    assert found.uplink_bridges == (
        UplinkBridge(
            bridge="br0",
            physnet="physnet-vs0",
            bond="br0-up",
            interfaces=("eth1", "eth2"),
            bond_mode="active-backup",
            mtu_bytes=1500,
            address="192.0.2.1/24",
            primary="eth1",
            settings_id=found.uplink_bridges[0].settings_id,
        ),
    )
    assert [n.nic for n in found.nics] == ["a", "b"]
    assert found.nics[1] == NicAssignment(
        nic=nic("b").id,
        iface_id=uid_of("b"),
        tap_name=nic("b").tap_name,
        mac_address="50:6b:8d:00:00:05",
        mtu_bytes=1500,
        localnet=f"localnet-{uid_of('v10')}-vs0",
        guard_ipv6=True,
    )


def test_an_unknown_host_has_no_assignment() -> None:
    settings = AssignmentSettings(ovn_remote="tcp:192.0.2.100:6642", epoch=1)
    assert compile_assignment(snapshot(infra()), HostId("h9"), settings) is None


def test_only_the_bridge_of_the_tunnel_gets_the_address() -> None:
    second = Uplink(virtual_switch=VirtualSwitchId("vs1"), interfaces=("eth3",))
    both = replace(host("h3", number=3), uplinks=(*host().uplinks, second), meta=meta("h3"))
    settings = AssignmentSettings(ovn_remote="x", epoch=1)
    for tunnel, addresses in (("vs0", ["192.0.2.3/24", ""]), ("vs1", ["", "192.0.2.3/24"])):
        changed = replace(both, tunnel_virtual_switch=VirtualSwitchId(tunnel))
        world = snapshot([*infra(), switch("vs1", "br1"), changed])
        found = compile_assignment(world, HostId("h3"), settings)
        assert found is not None
        assert [bridge.address for bridge in found.uplink_bridges] == addresses
