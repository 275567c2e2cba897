"""Admission of trunk NICs: the subnet and addresses of each VLAN, and where the NIC may be."""

from dataclasses import replace
from typing import Any

import pytest

from netctl.errors import AlreadyExists, Exhausted, InvalidIntent, NotFound
from netctl.model.intent import Create, Remove, Replace
from netctl.model.keys import HostId, Kind, SubnetId, VirtualSwitchId, VpcId
from netctl.model.nic import NicMode, TrunkVlan
from netctl.model.subnet import DhcpOptions, SubnetKind
from tests.unit.model.world import World, cluster, host, ipv4, ipv6, nic, on, over, switch, vlan, vpc

N1 = "50:6b:8d:00:00:aa"


def trunk(*vlans: TrunkVlan, subnet: str = "web", **fields: Any) -> Any:
    return nic("t1", subnet, mode=NicMode.TRUNK, trunk_vlans=vlans, **fields)


@pytest.fixture
def trunked() -> World:
    world = World(
        cluster(),
        cluster("c2"),
        switch("vs0"),
        switch("far", "c2"),
        host("h1", "192.0.2.1/24", "c1", "vs0"),
        host("h2", "192.0.2.2/24", "c2", "far"),
        vpc("v1"),
    )
    for id, number, net in (("web", 0, 0), ("v20", 20, 1), ("v30", 30, 2)):
        world.create(
            replace(on("vs0", "far", vlan_id=number), id=SubnetId(id), ipv4=ipv4(f"10.0.{net}.0/24"))
        )
    world.create(vlan("here", 40))
    world.create(over("c1", vpc=VpcId("v1"), ipv6=ipv6()))
    return world


def test_vlans_of_a_trunk_are_those_of_its_virtual_switch(trunked: World) -> None:
    asked = trunk(TrunkVlan(vlan_id=20), TrunkVlan(vlan_id=30, ipv4_address="10.0.2.77"), host=HostId("h1"))
    stored = trunked.create(asked)
    assert [(x.subnet, x.ipv4_address) for x in stored.trunk_vlans] == [
        ("v20", "10.0.1.1"),
        ("v30", "10.0.2.77"),
    ]
    admitted = trunked.admit(Replace(intent=asked))
    assert admitted[0].before is admitted[0].after
    trunked.refuse(
        Create(intent=nic("n2", "v20", ipv4_address="10.0.1.1")),
        AlreadyExists,
        "ipv4_address",
        "is held by nics/t1",
    )
    less = trunked.replace(trunk(TrunkVlan(vlan_id=30), host=HostId("h1")))
    assert less.trunk_vlans == stored.trunk_vlans[1:]
    trunked.create(nic("n2", "v20", ipv4_address="10.0.1.1"))
    more = trunk(TrunkVlan(vlan_id=20, ipv4_address="10.0.1.1"), TrunkVlan(vlan_id=30), host=HostId("h1"))
    trunked.refuse(
        Replace(intent=more), AlreadyExists, "trunk_vlans[0].ipv4_address", "10.0.1.1 is held by nics/n2"
    )
    trunked.refuse_in_use(Remove(key=(Kind.SUBNET, "v30")), "name", "nics/t1")


def test_a_vlan_may_be_any_subnet_that_is_named(trunked: World) -> None:
    stored = trunked.create(trunk(TrunkVlan(vlan_id=99, subnet=SubnetId("app")), mac_address=N1))
    assert stored.trunk_vlans[0].ipv6_address == "fd00::526b:8dff:fe00:aa"
    moved = trunked.replace(stored, mac_address="50:6b:8d:00:00:bb")
    assert moved.trunk_vlans[0].ipv6_address == "fd00::526b:8dff:fe00:bb"


@pytest.mark.parametrize(
    ("asked", "error", "field", "text"),
    [
        (trunk(TrunkVlan(vlan_id=21)), InvalidIntent, "trunk_vlans[0].subnet", "no subnet has VLAN 21 of"),
        (trunk(TrunkVlan(vlan_id=5, subnet=SubnetId("no"))), NotFound, "trunk_vlans[0].subnet", "subnets/no"),
        (
            trunk(TrunkVlan(vlan_id=20), subnet="app"),
            InvalidIntent,
            "trunk_vlans[0].subnet",
            "is needed: subnets/app is no VLAN subnet",
        ),
        (
            trunk(TrunkVlan(vlan_id=20), TrunkVlan(vlan_id=21, subnet=SubnetId("v20"))),
            InvalidIntent,
            "trunk_vlans[1].subnet",
            "subnets/v20 is that of VLAN 20",
        ),
        (
            trunk(TrunkVlan(vlan_id=21, subnet=SubnetId("web"))),
            InvalidIntent,
            "trunk_vlans[0].subnet",
            "is that of the NIC itself",
        ),
        (
            trunk(TrunkVlan(vlan_id=20), TrunkVlan(vlan_id=40), host=HostId("h2")),
            InvalidIntent,
            "trunk_vlans[1].subnet",
            "no subnet has VLAN 40 of virtualSwitches/far",
        ),
        (
            trunk(TrunkVlan(vlan_id=40, subnet=SubnetId("here")), host=HostId("h2")),
            InvalidIntent,
            "trunk_vlans[0].subnet",
            "does not span clusters/c2 of hosts/h2",
        ),
        (trunk(subnet="v20"), InvalidIntent, "trunk_vlans", "needs an untagged VLAN subnet"),
        (trunk(subnet="app"), InvalidIntent, "trunk_vlans", "needs an untagged VLAN subnet"),
        (
            trunk(TrunkVlan(vlan_id=20, ipv4_address="10.9.9.9")),
            InvalidIntent,
            "trunk_vlans[0].ipv4_address",
            "is not in 10.0.1.0/24",
        ),
    ],
)
def test_what_no_trunk_can_be(trunked: World, asked: Any, error: Any, field: str, text: str) -> None:
    trunked.refuse(Create(intent=asked), error, field, text)


def test_a_trunk_moves_only_where_all_its_vlans_are(trunked: World) -> None:
    stored = trunked.create(trunk(TrunkVlan(vlan_id=20), TrunkVlan(vlan_id=40), host=HostId("h1")))
    trunked.refuse(
        Replace(intent=replace(stored, host=HostId("h2"))),
        InvalidIntent,
        "trunk_vlans[1].subnet",
        "subnets/here does not span clusters/c2",
    )
    less = trunked.replace(stored, host=HostId("h2"), trunk_vlans=stored.trunk_vlans[:1])
    assert less.host == "h2"
    narrow = replace(trunked.stored(Kind.SUBNET, "v20"), virtual_switches=(VirtualSwitchId("vs0"),))
    trunked.refuse_in_use(Replace(intent=narrow), "virtual_switches", "nics/t1")
    without = host("h2", "192.0.2.2/24", "c2")
    trunked.refuse_in_use(Replace(intent=without), "uplinks", "nics/t1")


def test_all_vlans_need_the_untagged_one(trunked: World) -> None:
    stored = trunked.create(trunk())
    tagged = replace(trunked.stored(Kind.SUBNET, "web"), vlan_id=7)
    trunked.refuse_in_use(Replace(intent=tagged), "vlan_id", "nics/t1")
    trunked.refuse(
        Replace(intent=replace(stored, mode=NicMode.ACCESS)), InvalidIntent, "mode", "cannot change"
    )
    trunked.replace(stored, trunk_vlans=(TrunkVlan(vlan_id=20),))
    trunked.replace(tagged)


def test_addresses_of_a_trunk_run_out(trunked: World) -> None:
    small = replace(
        on("vs0", vlan_id=50), id=SubnetId("tiny"), ipv4=ipv4("10.5.0.0/30"), dhcp=DhcpOptions(disabled=True)
    )
    trunked.create(small)
    trunked.create(nic("a", "tiny"))
    trunked.create(nic("b", "tiny"))
    trunked.refuse(
        Create(intent=trunk(TrunkVlan(vlan_id=20), TrunkVlan(vlan_id=50))),
        Exhausted,
        "trunk_vlans[1].ipv4_address",
        "subnets/tiny",
    )
    assert trunked.stored(Kind.SUBNET, "tiny").kind is SubnetKind.VLAN
