"""Texts into fields and back, what changed, and what became of it."""

from __future__ import annotations

import pytest

from netctl.cli.kinds import KINDS, find_kind, parse_name, resource_name
from netctl.cli.messages import changed_fields, flatten, new_message, unwrap, wrap
from netctl.cli.outcome import compare, summarise
from netctl.cli.values import set_path
from netctl.v1 import infra_pb2, network_pb2


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
