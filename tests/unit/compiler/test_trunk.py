"""compile: a trunk's VLANs are ports of their own, which follow it in everything."""

from __future__ import annotations

from dataclasses import replace

from netctl.compiler import identity
from netctl.model.keys import SubnetId
from netctl.model.nic import Nic, NicMode, TrunkVlan
from tests.intents import nic, uid_of, vlan
from tests.unit.compiler.rows import columns, marks, rows_of
from tests.vpcs import routed, vpc

N1 = uid_of("n1")
MAC = "50:6b:8d:00:00:05"


def trunk(host: str = "h1", **change: object) -> Nic:
    vlans = (
        TrunkVlan(vlan_id=20, subnet=SubnetId("v20"), ipv4_address="10.0.20.5"),
        TrunkVlan(vlan_id=30, subnet=SubnetId("web"), ipv4_address="10.0.1.5"),
    )
    return replace(nic("n1", host=host), mode=NicMode.TRUNK, trunk_vlans=vlans, **change)  # type: ignore[arg-type]


WORLD = (vlan(), vlan("v20", 20), vpc("blue"), routed("web"))


def test_each_vlan_is_a_port_of_its_subnets_switch() -> None:
    rows = rows_of(*WORLD, trunk())
    port = identity.child_uuid(N1, 20)
    assert columns(rows, "Logical_Switch_Port", port) == {
        "name": f"{N1}-20",
        "type": "",
        "addresses": {f"{MAC} 10.0.20.5"},
        "port_security": {f"{MAC} 10.0.20.5"},
        "enabled": {True},
        "dhcpv4_options": {identity.dhcpv4_uuid(uid_of("v20"))},
        "dhcpv6_options": frozenset(),
        "options": {"requested-chassis": "h1"},
        "parent_name": {N1},
        "tag_request": {20},
        "external_ids": marks("nics", "n1"),
    }
    assert ("Logical_Switch", identity.switch_uuid(uid_of("v20")), "ports", port) in rows
    other = identity.child_uuid(N1, 30)
    assert ("Logical_Switch", identity.switch_uuid(uid_of("web")), "ports", other) in rows
    parent = columns(rows, "Logical_Switch_Port", identity.port_uuid(N1))
    assert "parent_name" not in parent
    assert "tag_request" not in parent


def test_children_follow_their_parent() -> None:
    for change, column, value in (
        ({"host": "h2"}, "options", {"requested-chassis": "h2"}),
        ({"host": ""}, "options", {}),
        ({"connected": False}, "enabled", frozenset({False})),
        ({"port_security": False}, "port_security", frozenset()),
    ):
        rows = rows_of(*WORLD, trunk(**change))
        for port in (identity.port_uuid(N1), *(identity.child_uuid(N1, tag) for tag in (20, 30))):
            assert columns(rows, "Logical_Switch_Port", port)[column] == value


def test_a_trunk_without_a_list_lets_all_tags_pass() -> None:
    every = replace(nic("n1", "v0"), mode=NicMode.TRUNK, ipv4_address="10.0.0.5")
    switch = identity.switch_uuid(uid_of("v0"))
    rows = rows_of(vlan("v0", 0), every)
    config = columns(rows, "Logical_Switch", switch)["other_config"]
    assert config == {"requested-tnl-key": "1000", "vlan-passthru": "true"}
    # By MAC address alone: OVN looks for addresses below the tag as well.
    assert columns(rows, "Logical_Switch_Port", identity.port_uuid(N1))["port_security"] == {MAC}
    plain = rows_of(vlan("v0", 0), replace(every, mode=NicMode.ACCESS))
    assert columns(plain, "Logical_Switch", switch)["other_config"] == {"requested-tnl-key": "1000"}
