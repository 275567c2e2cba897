"""Admission of subnets in several clusters and in VPCs: lists, routers, IPv6 modes, MTUs of tunnels; trunk NICs."""

from dataclasses import replace
from typing import Any

import pytest

from netctl.errors import AlreadyExists, InvalidIntent, NotFound, Unsupported
from netctl.model.admit import Context
from netctl.model.intent import Create, Remove, Replace
from netctl.model.keys import HostId, Kind, SubnetId, VirtualSwitchId, VpcId
from netctl.model.nic import NicMode, TrunkVlan
from netctl.model.subnet import DhcpOptions, Ipv6Mode
from tests.unit.model.world import (
    World,
    cluster,
    external,
    host,
    ipv4,
    ipv6,
    nic,
    on,
    over,
    overlay,
    switch,
    vlan,
    vpc,
)

V1, SLAAC, STATIC = VpcId("v1"), Ipv6Mode.SLAAC, Ipv6Mode.STATIC
STATEFUL, STATELESS = Ipv6Mode.DHCPV6_STATEFUL, Ipv6Mode.DHCPV6_STATELESS
TRUNK = NicMode.TRUNK
N1 = "50:6b:8d:00:00:aa"


@pytest.fixture
def world() -> World:
    return World(
        cluster(),
        cluster("c2"),
        switch("vs0"),
        switch("far", "c2"),
        host("h1", "192.0.2.1/24", "c1", "vs0"),
        host("h2", "192.0.2.2/24", "c2", "far"),
        vpc("v1"),
    )


def test_a_cluster_may_be_added_and_taken_away_while_nobody_needs_it(world: World) -> None:
    world.create(over("c1"))
    world.refuse(Create(intent=nic("n2", host=HostId("h2"))), InvalidIntent, "host", "clusters/c2")
    assert world.replace(over("c1", "c2")).clusters == ("c1", "c2")
    world.create(nic("n1", host=HostId("h1")))
    world.create(nic("n2", host=HostId("h2")))
    world.create(nic("floating"))
    world.refuse_in_use(Replace(intent=over("c1")), "clusters", "nics/n2")
    world.refuse_in_use(Replace(intent=over("c2")), "clusters", "nics/n1")
    world.remove(Kind.NIC, "n1")
    world.replace(over("c2"))
    world.refuse(Replace(intent=over("c2", "cx")), NotFound, "clusters[1]", "clusters/cx does not exist")
    world.refuse_in_use(
        Remove(key=(Kind.CLUSTER, "c2")), "name", "hosts/h2", "subnets/app", "virtualSwitches/far"
    )


def test_a_virtual_switch_may_be_added_and_taken_away_while_nobody_needs_it(world: World) -> None:
    world.create(on("vs0"))
    stored = world.replace(on("vs0", "far"))
    assert (stored.virtual_switches, stored.clusters) == (("vs0", "far"), ("c1", "c2"))
    world.refuse(
        Create(intent=vlan("other", 10, "far")), AlreadyExists, "vlan_id", "VLAN 10 of virtualSwitches/far"
    )
    world.create(switch("vs1"))
    world.refuse(
        Replace(intent=on("vs0", "vs1")), InvalidIntent, "virtual_switches[1]", "of clusters/c1 like another"
    )
    world.create(nic("n2", "web", host=HostId("h2")))
    world.refuse_in_use(Replace(intent=on("vs0")), "virtual_switches", "nics/n2")
    world.refuse_in_use(Remove(key=(Kind.VIRTUAL_SWITCH, "far")), "name", "hosts/h2", "subnets/web")
    world.remove(Kind.NIC, "n2")
    assert world.replace(on("vs0")).clusters == ("c1",)
    world.create(vlan("other", 10, "far"))


def test_a_gateway_keeps_the_virtual_switch_of_its_external_subnet(world: World) -> None:
    both = external("ext", 100, "vs0", "far")
    world.create(both)
    world.create(vpc("v2", "ext"))
    assert set(world.stored(Kind.VPC, "v2").external_connections[0].gateways) == {"h1", "h2"}
    world.refuse_in_use(Replace(intent=external("ext", 100, "vs0")), "virtual_switches", "vpcs/v2")
    world.create(vpc("v3"))
    world.remove(Kind.VPC, "v2")
    world.replace(external("ext", 100, "vs0"))


def test_the_mtu_is_the_least_of_all(world: World) -> None:
    world.replace(cluster("c2", underlay_mtu_bytes=1400))
    world.replace(switch("far", "c2", mtu_bytes=1450))
    assert world.create(over("c1", "c2")).mtu_bytes == 1342
    assert world.create(on("vs0", "far")).mtu_bytes == 1450
    assert world.replace(over("c1")).mtu_bytes == 1442
    world.replace(over("c1", mtu_bytes=1400))
    world.refuse(
        Replace(intent=over("c1", "c2", mtu_bytes=1400)),
        InvalidIntent,
        "mtu_bytes",
        "1400 is above 1342: clusters/c2 carries 1400 bytes, less 58",
    )


def test_tunnels_and_their_virtual_switch_carry_the_underlay(world: World) -> None:
    numbers = "carry 1400 bytes, less than the underlay_mtu_bytes 1500 of clusters/c1"
    world.refuse(Replace(intent=switch("vs0", mtu_bytes=1400)), InvalidIntent, "mtu_bytes", numbers)
    world.refuse(
        Replace(intent=cluster(underlay_mtu_bytes=9000)),
        InvalidIntent,
        "underlay_mtu_bytes",
        "would carry 1500 bytes, less than the underlay_mtu_bytes 9000 of clusters/c1",
    )
    world.create(switch("thin", mtu_bytes=1400))  # nobody's tunnels go through it
    world.refuse(
        Create(intent=host("h9", "192.0.2.9/24", "c1", "thin")),
        InvalidIntent,
        "tunnel_virtual_switch",
        numbers,
    )
    both = host("h9", "192.0.2.9/24", "c1", "thin", "vs0", tunnel_virtual_switch=VirtualSwitchId("vs0"))
    world.create(both)
    world.refuse(
        Replace(intent=replace(both, tunnel_virtual_switch=VirtualSwitchId("thin"))),
        InvalidIntent,
        "tunnel_virtual_switch",
        numbers,
    )
    world.replace(switch("vs0", mtu_bytes=9000))
    world.replace(cluster(underlay_mtu_bytes=9000))
    world.replace(cluster(underlay_mtu_bytes=1300))
    world.replace(switch("vs0", mtu_bytes=1400))


def test_a_router_has_the_first_address_of_each_family(world: World) -> None:
    stored = world.create(over("c1", vpc=V1, ipv4=ipv4(), ipv6=ipv6()))
    assert (stored.ipv4.gateway, stored.ipv6.gateway) == ("10.0.0.1", "fd00::1")
    assert stored.gateway_mac_address == "50:6b:8d:00:00:01"
    assert stored.dhcp.server_mac_address == "50:6b:8d:00:00:02"
    admitted = world.admit(Replace(intent=over("c1", vpc=V1, ipv4=ipv4(), ipv6=ipv6())))
    assert admitted[0].before is admitted[0].after
    world.refuse(
        Create(intent=nic("n1", mac_address="50:6b:8d:00:00:01")),
        AlreadyExists,
        "mac_address",
        "is the address of the router in subnets/app",
    )
    moved = world.replace(over("c1", vpc=V1, ipv4=ipv4(gateway="10.0.0.9"), ipv6=ipv6()))
    assert moved.ipv4.gateway == "10.0.0.9"
    assert world.replace(over("c1", vpc=V1, ipv4=ipv4(), ipv6=ipv6())).ipv4.gateway == "10.0.0.9"
    alone = world.create(overlay("alone", ipv4=ipv4(), ipv6=ipv6()))
    assert (alone.ipv4.gateway, alone.gateway_mac_address, alone.ipv6_mode) == ("", "", STATIC)


def test_a_vpc_must_be_there_and_its_subnets_need_addresses(world: World) -> None:
    world.refuse(
        Create(intent=overlay(vpc=VpcId("v9"), ipv4=ipv4())), NotFound, "vpc", "vpcs/v9 does not exist"
    )
    with pytest.raises(InvalidIntent, match="is routed and needs addresses"):
        overlay(vpc=V1)


def test_an_external_subnet_has_no_dhcp_and_no_nics_and_a_gateway(world: World) -> None:
    stored = world.create(external(ipv4=ipv4("203.0.113.0/24", "203.0.113.1"), ipv6=ipv6(gateway="fd00::1")))
    assert (stored.dhcp, stored.ipv6_mode, stored.gateway_mac_address) == (None, Ipv6Mode.AUTO, "")
    world.refuse(Create(intent=nic("n1", "ext")), InvalidIntent, "subnet", "subnets/ext is EXTERNAL")
    child = (TrunkVlan(vlan_id=5, subnet=SubnetId("ext")),)
    world.create(overlay())
    world.refuse(
        Create(intent=nic("n1", mode=TRUNK, trunk_vlans=child)),
        InvalidIntent,
        "trunk_vlans[0].subnet",
        "is EXTERNAL",
    )
    world.refuse(Replace(intent=replace(stored, nat=False)), InvalidIntent, "nat", "cannot change from true")
    with pytest.raises(InvalidIntent, match="the address of the physical router"):
        external(ipv4=ipv4("203.0.113.0/24"))


@pytest.mark.parametrize(
    ("asked", "mode"),
    [
        ({"vpc": V1, "ipv6": ipv6()}, SLAAC),
        ({"vpc": V1, "ipv6": ipv6("fd00::/80")}, STATEFUL),
        ({"vpc": V1, "ipv6": ipv6("fd00::/80"), "dhcp": DhcpOptions(disabled=True)}, STATIC),
        ({"vpc": V1, "ipv6": ipv6(), "ipv6_mode": STATELESS}, STATELESS),
        ({"vpc": V1, "ipv6": ipv6(), "ipv6_mode": STATIC}, STATIC),
        ({"ipv6": ipv6()}, STATIC),
        ({"ipv6": ipv6(), "ipv6_mode": SLAAC}, SLAAC),
        ({"vpc": V1, "ipv4": ipv4()}, Ipv6Mode.AUTO),
    ],
)
def test_how_guests_learn_their_addresses(world: World, asked: dict[str, Any], mode: Ipv6Mode) -> None:
    stored = world.create(overlay(**asked))
    assert stored.ipv6_mode is mode
    assert bool(stored.dhcp and stored.dhcp.server_mac_address) == (mode.by_dhcp or stored.ipv4 is not None)
    assert world.replace(overlay(**asked)) == stored


class Unsafe(World):
    """An OVN that is not to be asked to answer DHCPv6."""

    def context(self) -> Context:
        return replace(super().context(), dhcpv6=False)


def test_an_ovn_that_leaks_its_memory_answers_no_dhcpv6() -> None:
    world = Unsafe(cluster(), vpc("v1"))
    for mode in (STATEFUL, STATELESS):
        world.refuse(
            Create(intent=overlay(ipv6=ipv6(), ipv6_mode=mode)),
            Unsupported,
            "ipv6_mode",
            "CVE-2026-5367",
            "OVN 24.03.8, 25.03.3, 25.09.3 or 26.03.1",
            "--trust-dhcpv6",
        )
    assert world.create(overlay("a", vpc=V1, ipv6=ipv6("fd00:1::/80"))).ipv6_mode is STATIC
    assert world.create(overlay("b", vpc=V1, ipv6=ipv6("fd00:2::/64"))).ipv6_mode is SLAAC


def test_what_an_older_ovn_was_asked_stays(world: World) -> None:
    stored = world.create(overlay(ipv6=ipv6(), ipv6_mode=STATEFUL))
    unsafe = Unsafe()
    unsafe.draft = world.draft
    assert unsafe.replace(stored, mtu_bytes=1300).ipv6_mode is STATEFUL
    unsafe.refuse(Replace(intent=replace(stored, ipv6_mode=STATELESS)), Unsupported, "ipv6_mode")


@pytest.mark.parametrize("mode", [SLAAC, STATELESS])
def test_guests_that_make_their_addresses_get_no_other(world: World, mode: Ipv6Mode) -> None:
    world.create(overlay(ipv6=ipv6(), ipv6_mode=mode))
    stored = world.create(nic("n1", mac_address=N1))
    assert stored.ipv6_address == "fd00::526b:8dff:fe00:aa"
    world.refuse(
        Create(intent=nic("n2", ipv6_address="fd00::5")),
        InvalidIntent,
        "ipv6_address",
        "fd00::5 cannot be had",
        "leave it empty",
    )
    moved = world.replace(stored, mac_address="50:6b:8d:00:00:bb")
    assert moved.ipv6_address == "fd00::526b:8dff:fe00:bb"
    world.create(nic("n3", mac_address=N1, ipv6_address="fd00::526b:8dff:fe00:aa"))
    with pytest.raises(InvalidIntent, match="needs a /64"):
        overlay(ipv6=ipv6("fd00::/65"), ipv6_mode=mode)


def test_a_mode_that_makes_addresses_comes_only_where_no_others_are(world: World) -> None:
    static = world.create(overlay(ipv6=ipv6()))
    one = world.create(nic("n1"))
    world.refuse_in_use(Replace(intent=replace(static, ipv6_mode=SLAAC)), "ipv6_mode", "nics/n1")
    world.replace(one, ipv6_address="fd00::526b:8dff:fe00:1")
    assert world.replace(static, ipv6_mode=SLAAC).ipv6_mode is SLAAC
    assert world.replace(static, ipv6_mode=STATIC).ipv6_mode is STATIC


def test_families_go_with_what_was_decided_for_them(world: World) -> None:
    stored = world.create(overlay(ipv4=ipv4(), ipv6=ipv6("fd00::/80"), ipv6_mode=STATEFUL))
    six = world.replace(stored, ipv4=None)
    assert (six.dhcp.server_address, six.dhcp.server_mac_address) == ("", stored.dhcp.server_mac_address)
    four = world.replace(six, ipv4=ipv4(), ipv6=None)
    assert (four.ipv6_mode, four.dhcp.server_address) == (Ipv6Mode.AUTO, "10.0.0.254")
    world.refuse(
        Create(intent=overlay("x", ipv4=ipv4(), ipv6_mode=SLAAC)),
        InvalidIntent,
        "ipv6_mode",
        "with ipv6 only",
    )
    world.refuse(
        Create(intent=overlay("x", ipv6=ipv6(), dhcp=DhcpOptions(server_address="10.0.0.2"))),
        InvalidIntent,
        "dhcp.server_address",
        "goes with ipv4 only",
    )
    quiet = replace(stored, id=SubnetId("y"), dhcp=DhcpOptions(disabled=True), ipv6_mode=Ipv6Mode.AUTO)
    assert world.create(quiet).ipv6_mode is STATIC
