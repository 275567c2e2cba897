"""Gate 1, what strange input meets: names, texts, addresses."""

from collections.abc import Callable

import pytest

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.infra import Cluster, Host, Meta, Uplink, VirtualSwitch
from netctl.model.intent import Intent
from netctl.model.keys import ClusterId, HostId, NicId, SubnetId, VirtualSwitchId
from netctl.model.nic import Nic
from netctl.model.routing_policy import Endpoint
from netctl.model.subnet import DhcpOptions, IpConfig, Subnet, SubnetKind
from tests.unit.model.world import cluster, host, ipv4, nic, overlay, policy, route, vlan

STRANGE = [
    "", "a'b", 'a"b', "a\nb", "a\n", "a$b", "a@b", "🚀", "x" * 65536, "a" * 64, "A", "1a", "-a", "a-", "a b", "a/b",
    "a_b", "ä", "a\x00",
]  # fmt: skip


def bonding(interface: str) -> Host:
    """Make a host whose uplink is this interface."""
    uplink = Uplink(virtual_switch=VirtualSwitchId("vs0"), interfaces=(interface,))
    return Host(id=HostId("h1"), cluster=ClusterId("c1"), tunnel_address="192.0.2.1/24", uplinks=(uplink,))


MAKERS: list[Callable[[str], Intent]] = [
    lambda id: Cluster(id=ClusterId(id)),
    lambda id: VirtualSwitch(id=VirtualSwitchId(id), cluster=ClusterId("c1")),
    lambda id: Host(id=HostId(id), cluster=ClusterId("c1"), tunnel_address="192.0.2.1/24"),
    lambda id: Subnet(id=SubnetId(id), kind=SubnetKind.OVERLAY, clusters=(ClusterId("c1"),)),
    lambda id: Nic(id=NicId(id), subnet=SubnetId("app")),
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("id", STRANGE, ids=range(len(STRANGE)))
def test_an_id_is_a_dns_label(make: Callable[[str], Intent], id: str) -> None:
    with pytest.raises(InvalidIntent, match="is not an id") as caught:
        make(id)
    assert caught.value.field == "name"
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("id", ["a", "web-1", "a" * 63, "a0"])
def test_a_plain_id_passes(id: str) -> None:
    for make in MAKERS:
        assert make(id).id == id


@pytest.mark.parametrize(
    "text", ["🚀 \"quoted\" 'single' $HOME @all \\", "日本語", "👩‍💻", "x" * 256, "é" * 256]
)
def test_a_display_name_takes_any_text(text: str) -> None:
    assert Meta(display_name=text).display_name == text


@pytest.mark.parametrize(
    "text",
    [
        "a\nb",
        "a\rb",
        "\t",
        "\x00",
        "\x1b[31m",
        "\x7f",
        "\x85",
        "\u2028",
        "\u2029",
        "\u202edrawkcab",
        "\u2066",
        "\ud800",
    ],
)
def test_a_display_name_is_one_line(text: str) -> None:
    with pytest.raises(InvalidIntent, match="line break or control character") as caught:
        Meta(display_name=text)
    assert caught.value.field == "display_name"
    with pytest.raises(InvalidIntent) as caught:
        Meta(labels={"tier": text})
    assert caught.value.field == "labels.tier"


def test_a_long_display_name_is_not_echoed() -> None:
    with pytest.raises(InvalidIntent, match="has 65536 characters; at most 256") as caught:
        Meta(display_name="x" * 65536)
    assert len(caught.value.message) < 100


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: cluster(mac_prefix="51:6b:8d"), "mac_prefix"),
        (lambda: cluster(mac_prefix="50:6b"), "mac_prefix"),
        (lambda: cluster(mac_prefix="50:6b:8d:00"), "mac_prefix"),
        (lambda: cluster(underlay_mtu_bytes=575), "underlay_mtu_bytes"),
        (lambda: host("h1", "192.0.2.1"), "tunnel_address"),
        (lambda: host("h1", "224.0.0.1/24"), "tunnel_address"),
        (lambda: host("h1", "fe80::1%eth0/64"), "tunnel_address"),
        (lambda: host("h1", "192.0.2.0/24"), "tunnel_address"),
        (lambda: host("h1", "192.0.2.255/24"), "tunnel_address"),
        (lambda: host("h1", "2001:db8::/64"), "tunnel_address"),
        (lambda: bonding("br0"), "uplinks[0].interfaces"),
        (lambda: bonding("lo"), "uplinks[0].interfaces"),
        (lambda: vlan(vlan_id=4095), "vlan_id"),
        (lambda: vlan(vlan_id=-1), "vlan_id"),
        (lambda: overlay(ipv4=ipv4("10.0.0.1/24")), "ipv4.cidr"),
        (lambda: overlay(ipv4=ipv4("169.254.7.0/24")), "ipv4.cidr"),
        (lambda: overlay(ipv6=IpConfig(version=6, cidr="fe80::/64")), "ipv6.cidr"),
        (lambda: overlay(ipv4=ipv4("10.0.0.0/24", "10.0.0.255")), "ipv4.gateway"),
        (lambda: overlay(ipv4=ipv4("10.0.0.0/24", "10.0.1.1")), "ipv4.gateway"),
        (lambda: overlay(ipv4=ipv4(pools="10.0.0.9-10.0.0.2")), "ipv4.pools[0]"),
        (lambda: overlay(ipv4=ipv4(pools="10.0.0.2-10.0.0.9 10.0.0.9-10.0.0.12")), "ipv4.pools"),
        (lambda: overlay(ipv4=ipv4(), dhcp=DhcpOptions(server_address="10.0.0.255")), "dhcp.server_address"),
        (lambda: overlay(ipv4=ipv4(), dhcp=DhcpOptions(server_address="10.0.1.2")), "dhcp.server_address"),
        (lambda: overlay(dhcp=DhcpOptions()), "dhcp"),
        (lambda: nic(ipv4_address="224.0.0.1"), "ipv4_address"),
        (lambda: nic(ipv4_address="127.0.0.1"), "ipv4_address"),
        (lambda: nic(ipv4_address="0.0.0.0"), "ipv4_address"),
        (lambda: nic(ipv4_address="fd00::1"), "ipv4_address"),
        (lambda: nic(ipv6_address="ff02::1"), "ipv6_address"),
        (lambda: nic(ipv6_address="::"), "ipv6_address"),
        (lambda: nic(ipv6_address="::ffff:10.0.0.5"), "ipv6_address"),
        (lambda: overlay(ipv6=IpConfig(version=6, cidr="::ffff:10.0.0.0/120")), "ipv6.cidr"),
        (lambda: policy("p", "v1", 10, destination=Endpoint(cidr="::ffff:0:0/96")), "destination.cidr"),
        (lambda: route("r", "v1", "::ffff:a00:0/104"), "destination"),
        (lambda: route("r", "v1", "224.0.0.0/4"), "destination"),
        (lambda: route("r", "v1", "127.0.0.0/8"), "destination"),
        (lambda: route("r", "v1", "fe80::/10"), "destination"),
        (lambda: nic(mac_address="01:00:5e:00:00:01"), "mac_address"),
        (lambda: nic(mac_address="x" * 65536), "mac_address"),
        (lambda: nic(allow_unknown_macs=True), "allow_unknown_macs"),
    ],
)
def test_malformed_values_name_their_field(make: Callable[[], Intent], field: str) -> None:
    with pytest.raises(InvalidIntent) as caught:
        make()
    assert caught.value.field == field
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("version", "text", "canonical"),
    [
        (4, "10.0.0.5", "10.0.0.5"),
        (4, "255.255.255.255", "255.255.255.255"),
        (4, "256.0.0.1", None),
        (4, "1.2.3", None),
        (4, "1.2.3.4.5", None),
        (4, "01.2.3.4", None),
        (4, "1.2.3.4\n", None),
        (4, "١.2.3.4", None),
        (4, "::1", None),
        (6, "FD00:0::5", "fd00::5"),
        (6, "fe80::1%eth0", None),
        (6, "10.0.0.5", None),
        (6, "::ffff:10.0.0.5", None),
        (6, "::ffff:0:10.0.0.5", "::ffff:0:a00:5"),
    ],
)
def test_addresses_have_one_form(version: int, text: str, canonical: str | None) -> None:
    if canonical is not None:
        assert shape.canonical_address("f", text, version) == canonical
        return
    with pytest.raises(InvalidIntent):
        shape.canonical_address("f", text, version)
