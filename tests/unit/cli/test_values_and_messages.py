"""Texts into fields and back, what changed, and what became of it."""

from __future__ import annotations

from typing import Any

import pytest

from netctl.cli.kinds import KINDS, find_kind, parse_name, resource_name
from netctl.cli.messages import changed_fields, flatten, new_message, references_of, unwrap, wrap
from netctl.cli.outcome import compare, summarise
from netctl.cli.values import set_path
from netctl.v1 import infra_pb2, network_pb2, vpc_pb2


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.word)
def test_words_of_a_kind(kind: object) -> None:
    found = next(it for it in KINDS if it is kind)
    spellings = (found.word, found.plural, found.collection, found.field, found.message, *found.shorts)
    assert all(find_kind(spelling) is found for spelling in spellings)
    assert (
        resource_name(found, "a")
        == resource_name(found, f"{found.word}/a")
        == parse_name(f"{found.plural}/a")
    )
    message = new_message(found, f"{found.collection}/a")
    assert unwrap(wrap(message)) == message


def test_the_one_line_forms_read_what_they_print() -> None:
    host = infra_pb2.Host(name="hosts/h1")
    set_path(host, "uplinks", ["vs0=eth1,eth2", "vs1=eth3"])
    printed = dict(flatten(host))["uplinks"]
    assert printed == "virtualSwitches/vs0=eth1,eth2, virtualSwitches/vs1=eth3"
    again = infra_pb2.Host(name="hosts/h1")
    set_path(again, "uplinks", printed.split(", "))
    assert again == host
    subnet = network_pb2.Subnet()
    set_path(subnet, "dhcp.static_routes", ["10.9.0.0/16=10.0.0.1,fd00::/8=fd00::1"])
    assert dict(flatten(subnet))["dhcp.static_routes"] == "10.9.0.0/16=10.0.0.1, fd00::/8=fd00::1"
    set_path(subnet, "ipv6.pools", ["2001:db8::1-2001:db8::9"])
    assert dict(flatten(subnet))["ipv6.pools"] == "2001:db8::1-2001:db8::9"


@pytest.mark.parametrize(
    ("message", "path", "given", "printed"),
    [
        (vpc_pb2.Route(), "next_hops", ["10.0.0.1,internet"], "10.0.0.1, subnets/internet"),
        (vpc_pb2.Route(), "next_hops", ["2001:db8::1"], "2001:db8::1"),
        (vpc_pb2.Route(), "bfd", ["300x3"], "300x3"),
        (vpc_pb2.RoutingPolicy(), "source", ["any"], "any"),
        (vpc_pb2.RoutingPolicy(), "source", ["external"], "external"),
        (vpc_pb2.RoutingPolicy(), "source", ["10.0.0.0/24"], "10.0.0.0/24"),
        (vpc_pb2.RoutingPolicy(), "source_ports", ["0-99,443"], "0-99, 443"),
        (vpc_pb2.RoutingPolicy(), "source_ports", ["0"], "0"),
        (
            vpc_pb2.AddressReservation(),
            "ranges",
            ["10.0.0.1", "10.0.0.5-10.0.0.9"],
            "10.0.0.1, 10.0.0.5-10.0.0.9",
        ),
        (network_pb2.Nic(), "trunk_vlans", ["20", "30=db"], "20, 30=subnets/db"),
    ],
    ids=str,
)
def test_the_one_line_forms_of_vpcs_read_what_they_print(
    message: Any, path: str, given: list[str], printed: str
) -> None:
    set_path(message, path, given)
    assert dict(flatten(message))[path] == printed
    again = type(message)()
    set_path(again, path, [printed])
    assert again == message


def test_a_connection_is_read_from_one_line_and_printed_field_by_field() -> None:
    vpc = vpc_pb2.Vpc()
    set_path(vpc, "external_connections", ["internet=h1,h2", "backbone"])
    assert dict(flatten(vpc)) == {
        "external_connections[0].subnet": "subnets/internet",
        "external_connections[0].gateway_hosts": "hosts/h1, hosts/h2",
        "external_connections[1].subnet": "subnets/backbone",
    }
    assert list(references_of(vpc)) == ["subnets/internet", "hosts/h1", "hosts/h2", "subnets/backbone"]


def test_a_single_message_is_unset_by_off_and_set_by_on() -> None:
    route = vpc_pb2.Route()
    set_path(route, "bfd", ["on"])
    assert route.HasField("bfd")
    set_path(route, "bfd", ["off"])
    assert not route.HasField("bfd")
    with pytest.raises(ValueError, match="MILLISECONDSxMULTIPLIER"):
        set_path(route, "bfd", ["fast"])


def test_what_is_allocated_to_the_vlans_of_a_trunk_is_printed() -> None:
    nic = network_pb2.Nic(
        trunk_vlans=[network_pb2.TrunkVlan(vlan_id=20, subnet="subnets/db", ipv4_address="10.0.0.5")]
    )
    assert dict(flatten(nic)) == {"trunk_vlans": "20=subnets/db (10.0.0.5)"}


def test_an_empty_text_clears_but_names_the_group() -> None:
    subnet = network_pb2.Subnet()
    set_path(subnet, "dhcp.dns_servers", [""])
    assert subnet.HasField("dhcp")
    assert not subnet.dhcp.dns_servers


def test_what_changed_is_told_and_what_the_server_alone_writes_is_not() -> None:
    before = network_pb2.Nic(name="nics/a", revision=1, host="hosts/h1", connected=True, labels={"a": "1"})
    after = network_pb2.Nic(name="nics/a", revision=2, host="", connected=False, labels={"b": "2"})
    assert changed_fields(before, after) == {
        "labels.a": ("1", ""),
        "labels.b": ("", "2"),
        "host": ("hosts/h1", ""),
        "connected": ("true", "false"),
    }
    outcomes = [compare(None, before), compare(before, after), compare(before, before)]
    assert summarise(outcomes) == "1 created, 1 updated, 1 unchanged"
    assert "host: hosts/h1 -> (unset)" in outcomes[1].render_text()
