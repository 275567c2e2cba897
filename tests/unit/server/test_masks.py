"""Field masks: what is named changes, nothing else does, and what cannot be named is refused."""

from __future__ import annotations

import pytest
from hypothesis import given

from netctl.errors import InvalidIntent
from netctl.model.subnet import Subnet
from netctl.server import masks
from netctl.server.nouns import NIC, SUBNET
from netctl.v1 import network_pb2
from tests.unit.server import nouns


def stored() -> network_pb2.Subnet:
    message = network_pb2.Subnet(
        name="subnets/web",
        display_name="Web",
        labels={"tier": "web", "a.b/c": "x"},
        kind=network_pb2.SUBNET_KIND_VLAN,
        vlan_id=10,
        mtu_bytes=1400,
    )
    message.ipv4.cidr, message.ipv4.gateway = "10.0.0.0/24", "10.0.0.1"
    message.ipv4.pools.add(start="10.0.0.10", end="10.0.0.20")
    message.dhcp.dns_servers.extend(["192.0.2.1", "192.0.2.2"])
    return message


def merged(request: network_pb2.Subnet, *paths: str) -> network_pb2.Subnet:
    message = stored()
    masks.merge(message, request, paths, SUBNET.output_only)
    return message


def test_named_fields_change_and_others_stay() -> None:
    request = network_pb2.Subnet(display_name="New", vlan_id=77, mtu_bytes=9000)
    request.ipv4.gateway = "10.0.0.254"
    request.dhcp.dns_servers.append("192.0.2.9")
    after = merged(request, "display_name", "ipv4.gateway", "dhcp.dns_servers")
    expected = stored()
    expected.display_name, expected.ipv4.gateway = "New", "10.0.0.254"
    expected.dhcp.dns_servers[:] = ["192.0.2.9"]
    assert after == expected


def test_a_field_that_the_request_leaves_empty_is_emptied() -> None:
    after = merged(
        network_pb2.Subnet(), "display_name", "ipv4.pools", "ipv4.gateway", "labels", "mtu_bytes", "dhcp"
    )
    assert (after.display_name, after.mtu_bytes, after.ipv4.gateway) == ("", 0, "")
    assert not after.labels
    assert not after.ipv4.pools
    assert after.ipv4.cidr == "10.0.0.0/24"
    assert not after.HasField("dhcp")


def test_a_group_can_be_replaced_whole() -> None:
    request = network_pb2.Subnet()
    request.ipv4.cidr = "10.9.0.0/24"
    assert merged(request, "ipv4").ipv4 == request.ipv4


def test_a_path_into_a_group_that_neither_has_changes_nothing() -> None:
    after = merged(network_pb2.Subnet(), "ipv6.gateway")
    assert not after.HasField("ipv6")


def test_one_label_can_be_set_and_removed() -> None:
    request = network_pb2.Subnet(labels={"tier": "db", "new": "1"})
    assert dict(merged(request, "labels.tier", "labels.a.b/c").labels) == {"tier": "db"}


def test_unset_booleans_of_a_nic_stay_unset() -> None:
    message = network_pb2.Nic(connected=False)
    masks.merge(message, network_pb2.Nic(), ["connected"], NIC.output_only)
    assert not message.HasField("connected")
    masks.merge(message, network_pb2.Nic(connected=False), ["connected"], NIC.output_only)
    assert message.HasField("connected")


@pytest.mark.parametrize(
    "path",
    [
        *("", ".", "nonsense", "name", "uid", "revision", "status", "status.phase", "create_time", "vni"),
        *(
            "create_time.seconds",
            "dhcp.server_mac_address",
            "ipv4.pools.start",
            "ipv4.",
            "ipv4..cidr",
            "kind.x",
        ),
        *("labels.", "display_name.x", "displayName", "*", "ipv4.*", "x" * 70000),
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    before = stored()
    with pytest.raises(InvalidIntent) as caught:
        merged(network_pb2.Subnet(), "display_name", path)
    assert caught.value.field == "update_mask"
    assert len(caught.value.message) < 500
    assert stored() == before


def test_too_many_paths_are_refused() -> None:
    with pytest.raises(InvalidIntent, match="at most 100"):
        merged(network_pb2.Subnet(), *["labels"] * 101)


@pytest.mark.parametrize(
    ("paths", "all_"), [([], True), (["*"], True), (["labels"], False), (["*", "labels"], False)]
)
def test_unset_and_star_mean_everything(paths: list[str], all_: bool) -> None:
    assert masks.replaces_all(paths) is all_


@given(nouns.subnets(), nouns.subnets())
def test_naming_every_field_is_replacing(before: Subnet, after: Subnet) -> None:
    """Output-only fields aside, a mask of all fields gives what the request has."""
    paths = [name for name in network_pb2.Subnet.DESCRIPTOR.fields_by_name if name not in SUBNET.output_only]
    message, request = SUBNET.to_request(before), SUBNET.to_request(after)
    masks.merge(message, request, paths, SUBNET.output_only)
    message.name = request.name
    assert SUBNET.from_proto(message) == after
