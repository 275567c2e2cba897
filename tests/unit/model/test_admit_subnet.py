"""Admission of subnets: VLANs, overlaps, VNIs, MTU, DHCP server, addresses that NICs have."""

from dataclasses import replace
from typing import Any

import pytest

from netctl.errors import AlreadyExists, InvalidIntent, NotFound
from netctl.model import ipam
from netctl.model.intent import Create, Replace
from netctl.model.keys import ClusterId, Kind, VirtualSwitchId, VpcId
from netctl.model.subnet import DhcpOptions, Subnet, SubnetKind
from tests.unit.model.world import World, cluster, ipv4, ipv6, nic, overlay, switch, vlan, vpc


@pytest.fixture
def world() -> World:
    return World(cluster(), cluster("c2"), switch("vs0"), switch("vs1"), vpc("v1"), vpc("v2"))


def test_a_vlan_is_one_subnet_of_a_virtual_switch(world: World) -> None:
    world.create(vlan("web", 10))
    world.create(vlan("other", 10, "vs1"))
    world.create(vlan("untagged", 0))
    world.create(vlan("last", 4094))
    for vlan_id, other in ((10, "web"), (0, "untagged"), (4094, "last")):
        world.refuse(
            Create(intent=vlan("dup", vlan_id)),
            AlreadyExists,
            "vlan_id",
            f"VLAN {vlan_id} of virtualSwitches/vs0 is subnets/{other}",
        )
    world.refuse(Replace(intent=vlan("web", 0)), AlreadyExists, "vlan_id", "subnets/untagged")
    assert world.replace(vlan("web", 11)).vlan_id == 11
    world.create(vlan("ten", 10))


def test_references_are_named_when_unknown(world: World) -> None:
    world.refuse(
        Create(intent=vlan("web", 10, "vsx")),
        NotFound,
        "virtual_switches[0]",
        "virtualSwitches/vsx does not exist",
    )
    world.refuse(Create(intent=overlay("app", "cx")), NotFound, "clusters[0]", "clusters/cx does not exist")


def test_a_vlan_subnet_is_in_its_switchs_cluster(world: World) -> None:
    asked = vlan("web", clusters=(ClusterId("c2"),))
    assert world.create(asked).clusters == ("c1",)
    assert world.replace(asked).clusters == ("c1",)


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        (vlan(), overlay("web"), "kind"),
        (overlay(), overlay(vpc="v1", ipv4=ipv4()), "vpc"),
        (overlay(vpc="v1", ipv4=ipv4()), overlay(ipv4=ipv4()), "vpc"),
        (overlay(ipv4=ipv4()), overlay(ipv4=ipv4("10.0.0.0/25")), "ipv4.cidr"),
        (overlay(ipv6=ipv6()), overlay(ipv6=ipv6("fd00:1::/64")), "ipv6.cidr"),
    ],
)
def test_what_cannot_change(world: World, before: Subnet, after: Subnet, field: str) -> None:
    world.create(before)
    world.refuse(Replace(intent=after), InvalidIntent, field, "cannot change from")


def test_vnis_are_unique_over_all_and_reused_late(world: World) -> None:
    assert [world.create(s).vni for s in (vlan("web"), overlay("a"), overlay("b", "c2"))] == [3, 4, 5]
    world.remove(Kind.SUBNET, "a")
    assert world.create(overlay("c")).vni == 6
    assert world.replace(overlay("b", "c2", vni=9)).vni == 5


def test_vnis_wrap_around(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipam, "VNI_MAX", 5)
    assert [world.create(overlay(f"s{i}")).vni for i in range(3)] == [3, 4, 5]
    world.remove(Kind.SUBNET, "s1")
    assert world.create(overlay("again")).vni == 4


@pytest.mark.parametrize(
    ("cidr", "overlaps"),
    [
        ("10.0.0.0/21", "10.0.1.0/24"),
        ("10.0.0.0/16", "10.0.1.0/24"),
        ("10.0.1.0/24", "10.0.1.0/24"),
        ("10.0.1.128/25", "10.0.1.0/24"),
        ("10.0.8.0/21", "10.0.8.0/22"),
        ("10.0.0.0/8", "10.0.1.0/24"),
        ("10.0.0.0/24", ""),
        ("10.0.2.0/24", ""),
        ("10.0.12.0/22", ""),
        ("9.0.0.0/8", ""),
    ],
)
def test_subnets_of_a_vpc_do_not_overlap(world: World, cidr: str, overlaps: str) -> None:
    world.create(overlay("a", vpc="v1", ipv4=ipv4("10.0.1.0/24")))
    world.create(overlay("b", vpc="v1", ipv4=ipv4("10.0.8.0/22")))
    asked = overlay("c", vpc="v1", ipv4=ipv4(cidr))
    if not overlaps:
        world.create(asked)
        return
    world.refuse(
        Create(intent=asked),
        InvalidIntent,
        "ipv4.cidr",
        f"{cidr} overlaps with {overlaps} of subnets/",
        "vpcs/v1",
    )
    world.create(replace(asked, vpc=VpcId("v2")))
    world.create(overlay("alone", ipv4=ipv4(cidr)))


def test_ipv6_overlaps_are_seen_and_a_removed_subnet_leaves_room(world: World) -> None:
    world.create(overlay("a", vpc="v1", ipv4=ipv4("10.0.0.0/24"), ipv6=ipv6("fd00::/64")))
    inside = overlay("b", vpc="v1", ipv6=ipv6("fd00::/120"))
    world.refuse(
        Create(intent=inside), InvalidIntent, "ipv6.cidr", "fd00::/120 overlaps with fd00::/64 of subnets/a"
    )
    world.replace(overlay("a", vpc="v1", ipv4=ipv4("10.0.0.0/24", "10.0.0.1")))
    world.create(inside)
    world.refuse(
        Replace(intent=overlay("a", vpc="v1", ipv6=ipv6("fd00::/64"))),
        InvalidIntent,
        "ipv6.cidr",
        "subnets/b",
    )
    world.remove(Kind.SUBNET, "b")
    world.replace(overlay("a", vpc="v1", ipv6=ipv6("fd00::/64")))


@pytest.mark.parametrize(
    ("asked", "mtu_bytes", "auto"),
    [
        (overlay(), 1442, True),
        (overlay(mtu_bytes=1442), 1442, False),
        (overlay(mtu_bytes=576), 576, False),
        (overlay(auto_mtu=True, mtu_bytes=1300), 1300, False),
        (vlan(), 1500, True),
        (vlan(mtu_bytes=1500), 1500, False),
    ],
)
def test_mtu_defaults_to_the_largest(world: World, asked: Subnet, mtu_bytes: int, auto: bool) -> None:
    stored = world.create(asked)
    assert (stored.mtu_bytes, stored.auto_mtu) == (mtu_bytes, auto)


def test_mtu_above_the_limit_is_refused_with_the_numbers(world: World) -> None:
    world.refuse(
        Create(intent=overlay(mtu_bytes=1443)),
        InvalidIntent,
        "mtu_bytes",
        "1443 is above 1442",
        "clusters/c1 carries 1500 bytes, less 58 for Geneve over IPv4 leaves 1442",
    )
    world.refuse(
        Create(intent=vlan(mtu_bytes=1501)),
        InvalidIntent,
        "mtu_bytes",
        "1501 is above 1500",
        "virtualSwitches/vs0",
    )


def test_mtu_below_what_ipv6_needs_is_refused() -> None:
    world = World(cluster(underlay_mtu_bytes=1300))
    world.create(overlay("plain"))
    world.refuse(
        Create(intent=overlay(ipv6=ipv6())),
        InvalidIntent,
        "mtu_bytes",
        "1280 that subnets/app needs for IPv6",
    )
    world.refuse(Replace(intent=overlay("plain", ipv6=ipv6())), InvalidIntent, "mtu_bytes", "leaves 1242")


def test_an_automatic_mtu_survives_being_written_back(world: World) -> None:
    stored = world.create(overlay())
    assert world.replace(replace(stored, auto_mtu=False), vpc="") is stored
    fixed = world.replace(stored, mtu_bytes=1400)
    assert (fixed.mtu_bytes, fixed.auto_mtu) == (1400, False)
    auto = world.replace(fixed, mtu_bytes=0)
    assert (auto.mtu_bytes, auto.auto_mtu) == (1442, True)


def server(subnet: Any) -> tuple[str, str]:
    return subnet.dhcp.server_address, subnet.dhcp.server_mac_address


@pytest.mark.parametrize(
    ("cidr", "gateway", "address"),
    [
        ("10.0.0.0/24", "", "10.0.0.254"),
        ("10.0.0.0/24", "10.0.0.1", "10.0.0.254"),
        ("10.0.0.0/24", "10.0.0.254", "10.0.0.253"),
        ("10.0.0.0/30", "10.0.0.1", "10.0.0.2"),
        ("10.0.0.0/30", "10.0.0.2", "10.0.0.1"),
        ("10.0.0.0/16", "10.0.0.1", "10.0.255.254"),
    ],
)
def test_the_dhcp_server_has_the_last_address(world: World, cidr: str, gateway: str, address: str) -> None:
    stored = world.create(overlay(ipv4=ipv4(cidr, gateway)))
    assert server(stored) == (address, "50:6b:8d:00:00:01")
    assert replace(stored.dhcp, server_address="", server_mac_address="") == DhcpOptions()


def test_there_is_no_dhcp_server_without_ipv4_or_when_disabled(world: World) -> None:
    assert world.create(overlay("a")).dhcp is None
    assert world.create(overlay("b", ipv6=ipv6())).dhcp is None
    asked = overlay("c", ipv4=ipv4(), dhcp=DhcpOptions(disabled=True, server_address="10.0.0.9"))
    assert world.create(asked).dhcp == DhcpOptions(disabled=True)
    assert world.create(nic("n1", "c", ipv4_address="10.0.0.9")).mac_address == "50:6b:8d:00:00:01"


def test_the_dhcp_server_stays_where_it_is(world: World) -> None:
    stored = world.create(
        overlay(ipv4=ipv4(), dhcp=DhcpOptions(server_address="10.0.0.9", domain_name="a.example"))
    )
    mac = stored.dhcp.server_mac_address
    assert server(world.replace(overlay(ipv4=ipv4("10.0.0.0/24", "10.0.0.1")))) == ("10.0.0.9", mac)
    moved = overlay(
        ipv4=ipv4(), dhcp=DhcpOptions(server_address="10.0.0.8", server_mac_address="02:00:00:00:00:09")
    )
    assert server(world.replace(moved)) == ("10.0.0.8", mac)
    assert server(world.replace(overlay(ipv4=ipv4("10.0.0.0/24", "10.0.0.8")))) == ("10.0.0.254", mac)
    assert world.replace(overlay(ipv4=ipv4(), dhcp=DhcpOptions(disabled=True))).dhcp == DhcpOptions(
        disabled=True
    )
    assert server(world.replace(overlay(ipv4=ipv4())))[0] == "10.0.0.254"


def test_the_dhcp_server_may_be_the_gateway(world: World) -> None:
    asked = overlay(ipv4=ipv4("10.0.0.0/30", "10.0.0.1"), dhcp=DhcpOptions(server_address="10.0.0.1"))
    assert server(world.create(asked))[0] == "10.0.0.1"
    assert world.create(nic("n1")).ipv4_address == "10.0.0.2"
    world.remove(Kind.NIC, "n1")
    world.remove(Kind.SUBNET, "app")


def test_a_new_gateway_or_dhcp_server_does_not_take_a_nics_address(world: World) -> None:
    world.create(overlay(ipv4=ipv4(), ipv6=ipv6()))
    world.create(nic("n1", ipv4_address="10.0.0.7", ipv6_address="fd00::7"))
    for asked, field in (
        (overlay(ipv4=ipv4("10.0.0.0/24", "10.0.0.7"), ipv6=ipv6()), "ipv4.gateway"),
        (overlay(ipv4=ipv4(), ipv6=ipv6("fd00::/64", "fd00::7")), "ipv6.gateway"),
        (
            overlay(ipv4=ipv4(), ipv6=ipv6(), dhcp=DhcpOptions(server_address="10.0.0.7")),
            "dhcp.server_address",
        ),
    ):
        world.refuse_in_use(Replace(intent=asked), field, "nics/n1")


def test_enabling_dhcp_where_a_nic_has_the_default_address_asks_for_another(world: World) -> None:
    world.create(overlay(ipv4=ipv4(), dhcp=DhcpOptions(disabled=True)))
    world.create(nic("n1", ipv4_address="10.0.0.254"))
    world.refuse_in_use(Replace(intent=overlay(ipv4=ipv4())), "dhcp.server_address", "nics/n1")
    world.replace(overlay(ipv4=ipv4(), dhcp=DhcpOptions(server_address="10.0.0.253")))


def test_pools_may_change_around_the_addresses_that_nics_have(world: World) -> None:
    world.create(overlay(ipv4=ipv4()))
    first = world.create(nic("n1"))
    world.replace(overlay(ipv4=ipv4(pools="10.0.0.100-10.0.0.110", exclusions="10.0.0.1-10.0.0.9")))
    assert world.stored(Kind.NIC, "n1") is first
    assert world.create(nic("n2")).ipv4_address == "10.0.0.100"


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_addresses_go_before_their_family(world: World, family: str) -> None:
    world.create(overlay(ipv4=ipv4(), ipv6=ipv6()))
    world.create(nic("n1"))
    left = overlay(ipv6=ipv6()) if family == "ipv4" else overlay(ipv4=ipv4())
    world.refuse_in_use(Replace(intent=left), family, "nics/n1")
    world.remove(Kind.NIC, "n1")
    world.replace(left)


def test_a_family_can_come_later(world: World) -> None:
    world.create(overlay())
    bare = world.create(nic("n1"))
    world.create(nic("n2", ipv4_address="10.0.0.5"))
    world.replace(overlay(ipv4=ipv4("10.0.0.0/29")))
    assert world.replace(world.stored(Kind.NIC, "n1")) is bare
    assert world.replace(nic("n1"), connected=False).ipv4_address == ""
    assert world.replace(nic("n1", ipv4_address="10.0.0.1")).ipv4_address == "10.0.0.1"
    world.refuse(Create(intent=nic("n3", ipv4_address="10.0.0.5")), AlreadyExists, "ipv4_address", "nics/n2")


@pytest.mark.parametrize("outside", ["10.0.1.5", "10.0.0.0", "10.0.0.255"])
def test_a_family_that_does_not_hold_the_addresses_there_are_is_refused(world: World, outside: str) -> None:
    world.create(overlay())
    world.create(nic("n1", ipv4_address=outside))
    world.refuse_in_use(Replace(intent=overlay(ipv4=ipv4())), "ipv4.cidr", "nics/n1")


def test_a_later_family_does_not_take_a_nics_address_for_itself(world: World) -> None:
    world.create(overlay())
    world.create(nic("n1", ipv4_address="10.0.0.1"))
    world.refuse_in_use(
        Replace(intent=overlay(ipv4=ipv4("10.0.0.0/24", "10.0.0.1"))), "ipv4.gateway", "nics/n1"
    )


def test_a_subnet_kind_is_either(world: World) -> None:
    with pytest.raises(InvalidIntent):
        Subnet(
            id=vlan().id,
            kind=SubnetKind.OVERLAY,
            clusters=(ClusterId("c1"),),
            virtual_switches=(VirtualSwitchId("vs0"),),
        )
