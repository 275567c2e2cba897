"""VLAN_BASIC subnets, their NICs, and the way between them and VLAN subnets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netctl.errors import AlreadyExists, Conflict, InvalidIntent, NotFound
from netctl.model.intent import Create, Remove, Replace, Restack
from netctl.model.keys import HostId, Kind, NicId, ServiceChainId, SubnetId, VirtualSwitchId
from netctl.model.nic import FunctionSide, NicMode, TrunkVlan
from netctl.model.subnet import Ipv6Mode, Subnet, SubnetKind
from tests.unit.model.chains import basic, chain, direct, function, mirror, side, span, trunk
from tests.unit.model.world import (
    World,
    cluster,
    external,
    host,
    ipv4,
    ipv6,
    nic,
    overlay,
    switch,
    vlan,
)


@pytest.fixture
def world() -> World:
    return World(
        cluster(),
        switch("vs0"),
        switch("vs1"),
        host("h1", "192.0.2.1/24", "c1", "vs0", "vs1"),
        host("h2", "192.0.2.2/24", "c1", "vs0"),
        basic(ipv4=ipv4("10.0.20.0/24", "10.0.20.1"), ipv6=ipv6()),
        vlan("web", 10, ipv4=ipv4("10.0.10.0/24", "10.0.10.1")),
    )


def turned(subnet: Subnet, kind: SubnetKind) -> Replace:
    return Replace(intent=replace(subnet, kind=kind))


def turn(world: World, id: str, kind: SubnetKind) -> Subnet:
    made = world.admit(turned(world.stored(Kind.SUBNET, id), kind))[0].after
    assert isinstance(made, Subnet)
    return made


def restack(world: World, id: str, *, basic: bool) -> None:
    world.admit(Restack(nic=NicId(id), basic=basic))


def test_it_is_a_vlan_with_addresses_and_a_dhcp_server(world: World) -> None:
    plain = world.stored(Kind.SUBNET, "plain")
    assert (plain.clusters, plain.mtu_bytes, plain.auto_mtu) == (("c1",), 1500, True)
    assert plain.ipv6_mode is Ipv6Mode.STATIC
    assert plain.dhcp.server_address == "10.0.20.254"
    assert plain.dhcp.server_mac_address.startswith("50:6b:8d:")
    assert plain.vni
    for taken in (basic("other"), vlan("other", 20), external("other", 20)):
        world.refuse(
            Create(intent=taken), AlreadyExists, "vlan_id", "VLAN 20 of virtualSwitches/vs0", "subnets/plain"
        )
    world.create(basic("elsewhere", 20, "vs1"))


def test_its_mtu_is_that_of_the_virtual_switch(world: World) -> None:
    text = "9000 is above 1500: virtualSwitches/vs0 carries 1500 bytes"
    world.refuse(Create(intent=basic("big", 21, mtu_bytes=9000)), InvalidIntent, "mtu_bytes", text)
    world.create(basic("small", 21, mtu_bytes=1450))
    small = replace(world.stored(Kind.VIRTUAL_SWITCH, "vs0"), mtu_bytes=1400)
    lowered = World(cluster(underlay_mtu_bytes=1400), switch(), basic("small", 21, mtu_bytes=1450))
    lowered.refuse(
        Replace(intent=replace(small, meta=lowered.stored(Kind.VIRTUAL_SWITCH, "vs0").meta)),
        InvalidIntent,
        "mtu_bytes",
        "subnets/small has an MTU of 1450 bytes: virtualSwitches/vs0 carries 1400 bytes",
    )
    lowered.remove(Kind.SUBNET, "small")
    lowered.create(basic())
    lowered.replace(small)
    assert lowered.stored(Kind.SUBNET, "plain").mtu_bytes == 1400


def test_nics_are_basic_where_ovn_is_not(world: World) -> None:
    made = world.create(nic("n1", "plain", host=HostId("h1")))
    assert (made.basic, made.has_port, made.ipv4_address, made.ipv6_address) == (
        True,
        False,
        "10.0.20.2",
        "fd00::1000",
    )
    assert world.create(direct("d1", "web")).basic
    assert world.create(direct("d2", "plain")).basic
    ported = world.create(nic("n2", "web"))
    assert (ported.basic, ported.has_port) == (False, True)
    assert not world.create(replace(nic("n3", "web"), basic=True)).basic
    assert not world.create(side("f")).basic
    basics = [one.id for one in world.draft.basic_nics_of_subnet(SubnetId("plain"))]
    assert sorted(basics) == ["d2", "n1"]


def test_a_direct_nic_is_on_a_vlan(world: World) -> None:
    world.create(overlay("app"))
    text = "subnets/app is OVERLAY, and a DIRECT NIC is on the uplink bridge of a VLAN"
    world.refuse(Create(intent=direct("d1", "app")), InvalidIntent, "subnet", text)
    world.create(external())
    world.refuse(Create(intent=direct("d1", "ext")), InvalidIntent, "subnet", "is EXTERNAL")


def test_what_a_nic_is_for_stays(world: World) -> None:
    made = world.create(nic("n1", "web"))
    text = "cannot change from normal to direct"
    world.refuse(Replace(intent=replace(direct("n1", "web"), meta=made.meta)), InvalidIntent, "kind", text)
    world.create(side("f"))
    other = side("f", FunctionSide.TAP)
    text = "cannot change from ingress to tap"
    world.refuse(Replace(intent=other), InvalidIntent, "network_function_side", text)


def test_nics_without_a_subnet_get_a_mac_and_a_tap(world: World) -> None:
    world.create(cluster("c2", mac_prefix="02:00:00"))
    world.create(host("h9", "192.0.2.9/24", "c2"))
    here = world.create(side("f1"))
    assert here.mac_address.startswith("50:6b:8d:")
    assert here.tap_name.startswith("tap")
    assert world.create(side("f2", host="h9")).mac_address.startswith("02:00:00:")
    assert world.create(span("s1", host="")).mac_address.startswith("50:6b:8d:")
    given = world.create(span("s2", mac_address="02:00:00:00:00:77"))
    assert world.replace(replace(given, mac_address="")).mac_address == "02:00:00:00:00:77"
    taken = replace(span("s3"), mac_address=here.mac_address)
    world.refuse(Create(intent=taken), AlreadyExists, "mac_address", "nics/f1")
    world.refuse(Create(intent=side("f3", host="h7")), NotFound, "host", "hosts/h7")
    world.refuse_in_use(Remove(key=(Kind.HOST, "h9")), "name", "nics/f2")
    World().refuse(Create(intent=span(host="")), InvalidIntent, "mac_address", "create a cluster first")


def test_a_vlan_becomes_basic_nic_by_nic_and_back(world: World) -> None:
    for id in ("n1", "n2"):
        world.create(nic(id, "web"))
    addresses = [world.stored(Kind.NIC, id).ipv4_address for id in ("n1", "n2")]
    web = turn(world, "web", SubnetKind.VLAN_BASIC)
    assert web.kind is SubnetKind.VLAN_BASIC
    assert not world.stored(Kind.NIC, "n1").basic
    restack(world, "n1", basic=True)
    moved = world.stored(Kind.NIC, "n1")
    assert (moved.basic, moved.meta.revision) == (True, world.revision)
    assert world.create(nic("n3", "web")).basic
    # A change by a client keeps it, either way.
    assert world.replace(nic("n1", "web", connected=False)).basic
    assert not world.replace(nic("n2", "web", connected=False)).basic
    # Put back, and the other way round.
    restack(world, "n1", basic=False)
    assert not world.stored(Kind.NIC, "n1").basic
    turn(world, "web", SubnetKind.VLAN)
    restack(world, "n3", basic=False)
    assert [world.stored(Kind.NIC, id).ipv4_address for id in ("n1", "n2")] == addresses
    assert not list(world.draft.basic_nics_of_subnet(SubnetId("web")))


def test_a_move_of_a_nic_is_an_edit_like_others(world: World) -> None:
    made = world.create(nic("n1", "web"))
    edit = Restack(nic=NicId("n1"), basic=True, if_revision=made.meta.revision + 1)
    world.refuse(edit, Conflict, "if_revision", f"is at revision {made.meta.revision}")
    world.refuse(Restack(nic=NicId("nx"), basic=True), NotFound, "name", "nics/nx does not exist")
    revision = made.meta.revision
    same = world.admit(Restack(nic=NicId("n1"), basic=False))
    assert same[0].before is same[0].after is world.stored(Kind.NIC, "n1")
    world.admit(Restack(nic=NicId("n1"), basic=True, if_revision=revision))


def test_what_cannot_move(world: World) -> None:
    world.create(overlay("app"))
    world.create(nic("n1", "app"))
    for id, text in (("d1", "kind DIRECT"), ("f1", "kind NETWORK_FUNCTION")):
        world.create(direct(id, "web") if id == "d1" else side(id))
        world.refuse(Restack(nic=NicId(id), basic=False), InvalidIntent, "nic", text)
    text = "subnets/app, which is OVERLAY and OVN's alone"
    world.refuse(Restack(nic=NicId("n1"), basic=True), InvalidIntent, "nic", text)
    world.create(trunk("t1", "plain", 77))
    text = "VLANs without a subnet"
    world.refuse(Restack(nic=NicId("t1"), basic=False), InvalidIntent, "nic", text)


@pytest.mark.parametrize("kind", [SubnetKind.OVERLAY, SubnetKind.EXTERNAL])
def test_other_kinds_stay(world: World, kind: SubnetKind) -> None:
    made = overlay("web") if kind is SubnetKind.OVERLAY else external("web", 10)
    for old in ("web", "plain"):
        asked = replace(made, id=SubnetId(old))
        world.refuse(Replace(intent=asked), InvalidIntent, "kind", "cannot change from vlan")
    world.create(overlay("app"))
    world.refuse(
        Replace(intent=basic("app", 30)), InvalidIntent, "kind", "cannot change from overlay to vlan-basic"
    )


def test_a_subnet_with_a_chain_does_not_turn(world: World) -> None:
    world.create(function())
    world.create(chain())
    for id, other in (("web", SubnetKind.VLAN_BASIC), ("plain", SubnetKind.VLAN)):
        plain = world.stored(Kind.SUBNET, id)
        with_chain = world.replace(plain, service_chain=ServiceChainId("c"))
        text = "cannot change with serviceChains/c"
        world.refuse(turned(with_chain, other), InvalidIntent, "kind", text, "detach it first")
        world.refuse(turned(replace(with_chain, service_chain=""), other), InvalidIntent, "kind", text)
        world.replace(with_chain, service_chain=ServiceChainId(""))
        world.refuse(turned(with_chain, other), InvalidIntent, "kind", text)
        turn(world, id, other)


def test_a_chain_waits_for_the_nics(world: World) -> None:
    world.create(function())
    world.create(chain())
    world.create(nic("n1", "web"))
    web = turn(world, "web", SubnetKind.VLAN_BASIC)
    text = "1 NICs of subnets/web are still to move to VLAN_BASIC"
    asked = Replace(intent=replace(web, service_chain=ServiceChainId("c")))
    world.refuse(asked, InvalidIntent, "service_chain", text)
    restack(world, "n1", basic=True)
    world.admit(asked)


def test_a_chain_does_not_wait_for_a_trunk_that_another_subnet_holds(world: World) -> None:
    world.create(function())
    world.create(chain())
    web = world.stored(Kind.SUBNET, "web")
    world.create(trunk("t1", "plain", web.vlan_id))
    asked = Replace(intent=replace(web, service_chain=ServiceChainId("c")))
    text = "nics/t1, a trunk, is on VLAN_BASIC as long as subnets/plain is"
    world.refuse(asked, InvalidIntent, "service_chain", text, "migrate that to VLAN")
    turn(world, "plain", SubnetKind.VLAN)
    world.refuse(asked, InvalidIntent, "service_chain", "1 NICs of subnets/web are still to move to VLAN")


def test_a_mode_of_ovn_must_go_first(world: World) -> None:
    six = world.create(vlan("six", 60, ipv6=ipv6(), ipv6_mode=Ipv6Mode.SLAAC))
    asked = replace(six, kind=SubnetKind.VLAN_BASIC, ipv6_mode=Ipv6Mode.AUTO)
    text = "slaac is OVN's to tell guests"
    world.refuse(Replace(intent=asked), InvalidIntent, "ipv6_mode", text, "set it to static")
    world.admit(Replace(intent=replace(asked, ipv6_mode=Ipv6Mode.STATIC)))


def test_tags_of_a_basic_trunk_need_no_subnet(world: World) -> None:
    made = world.create(trunk("t1", "plain", 10, 77))
    assert made.basic
    assert [(one.vlan_id, one.subnet, one.ipv4_address) for one in made.trunk_vlans] == [
        (10, "web", "10.0.10.2"),
        (77, "", ""),
    ]
    world.refuse_in_use(Remove(key=(Kind.SUBNET, "web")), "name", "nics/t1")
    # What is stored stays, also nothing; a subnet made later is named.
    world.create(basic("late", 77, ipv4=ipv4("10.0.77.0/24")))
    same = world.admit(Replace(intent=trunk("t1", "plain", 10, 77)))
    assert same[0].before is same[0].after
    bound = world.replace(trunk("t1", "plain", 10, TrunkVlan(vlan_id=77, subnet=SubnetId("late"))))
    assert bound.trunk_vlans[1].ipv4_address == "10.0.77.1"
    assert world.create(trunk("t2", "plain")).trunks_all
    asked = trunk("t3", "plain", TrunkVlan(vlan_id=78, ipv4_address="10.0.0.1"))
    text = "needs a subnet, and no subnet has VLAN 78"
    world.refuse(Create(intent=asked), InvalidIntent, "trunk_vlans[0].ipv4_address", text)


def test_tags_of_a_basic_trunk_are_those_of_the_wire(world: World) -> None:
    world.create(overlay("app"))
    world.create(vlan("far", 10, "vs1"))
    for tag, subnet in ((11, "web"), (10, "far"), (10, "app")):
        asked = trunk("t1", "plain", TrunkVlan(vlan_id=tag, subnet=SubnetId(subnet)))
        text = f"subnets/{subnet} is not VLAN {tag} of the virtual switch of subnets/plain"
        world.refuse(Create(intent=asked), InvalidIntent, "trunk_vlans[0].subnet", text)
    world.create(external("ext", 100))
    assert world.create(trunk("t1", "plain", 100)).trunk_vlans[0].subnet == ""


def test_a_port_of_ovn_has_no_basic_vlans(world: World) -> None:
    text = "subnets/plain is VLAN_BASIC, and this NIC is one of OVN"
    world.refuse(Create(intent=trunk("t1", "web", 20)), InvalidIntent, "trunk_vlans[0].subnet", text)
    world.create(vlan("v30", 30))
    world.create(trunk("t1", "web", 30))
    turn(world, "v30", SubnetKind.VLAN_BASIC)
    # It came there by migration and may stay, until its other subnet follows.
    assert not world.replace(trunk("t1", "web", 30, connected=False)).basic
    world.refuse(Replace(intent=trunk("t1", "web", 30, 20)), InvalidIntent, "trunk_vlans[1].subnet", text)
    turn(world, "web", SubnetKind.VLAN_BASIC)
    restack(world, "t1", basic=True)
    assert {one.id for one in world.draft.basic_nics_of_subnet(SubnetId("v30"))} == {"t1"}


def test_all_vlans_of_ovn_are_of_an_untagged_subnet(world: World) -> None:
    text = "is empty, which is all VLANs and needs an untagged VLAN subnet"
    world.refuse(Create(intent=trunk("t1", "web")), InvalidIntent, "trunk_vlans", text)
    world.create(vlan("native", 0))
    world.create(trunk("t1", "native"))
    turn(world, "native", SubnetKind.VLAN_BASIC)
    world.replace(trunk("t1", "native", connected=False))
    restack(world, "t1", basic=True)
    # Without OVN it may be any VLAN; then it cannot go back.
    native = world.replace(world.stored(Kind.SUBNET, "native"), vlan_id=9)
    world.refuse_in_use(turned(native, SubnetKind.VLAN), "kind", "nics/t1")
    assert world.stored(Kind.NIC, "t1").mode is NicMode.TRUNK


def test_what_only_ovn_can_carry_stays_with_it(world: World) -> None:
    world.create(overlay("app"))
    world.create(vlan("far", 11, "vs1"))
    for id, tag, child in (("t1", 99, "web"), ("t2", 98, "app"), ("t3", 11, "far")):
        parent = "other" if id == "t1" else "web"
        if id == "t1":
            world.create(vlan("other", 12))
        world.create(trunk(id, parent, TrunkVlan(vlan_id=tag, subnet=SubnetId(child))))
    web = world.stored(Kind.SUBNET, "web")
    world.refuse_in_use(turned(web, SubnetKind.VLAN_BASIC), "kind", "nics/t1", "nics/t2", "nics/t3")
    world.refuse_in_use(turned(world.stored(Kind.SUBNET, "far"), SubnetKind.VLAN_BASIC), "kind", "nics/t3")
    for id in ("t1", "t2", "t3"):
        world.remove(Kind.NIC, id)
    turn(world, "web", SubnetKind.VLAN_BASIC)


def test_tags_without_a_subnet_keep_a_subnet_basic(world: World) -> None:
    world.create(trunk("t1", "plain", 10, 77))
    world.refuse_in_use(turned(world.stored(Kind.SUBNET, "plain"), SubnetKind.VLAN), "kind", "nics/t1")
    world.replace(trunk("t1", "plain", 10))
    turn(world, "plain", SubnetKind.VLAN)


def test_a_vlan_stays_where_basic_trunks_use_it(world: World) -> None:
    world.create(trunk("t1", "plain", 10))
    web = world.stored(Kind.SUBNET, "web")
    world.refuse_in_use(Replace(intent=replace(web, vlan_id=11)), "vlan_id", "nics/t1")
    asked = replace(web, virtual_switches=(VirtualSwitchId("vs1"),))
    world.refuse_in_use(Replace(intent=asked), "virtual_switches", "nics/t1")
    world.remove(Kind.NIC, "t1")
    world.replace(web, vlan_id=11)


def test_several_sources_of_a_mirror_do_not_part(world: World) -> None:
    for id in ("n1", "n2"):
        world.create(nic(id, "web", host=HostId("h1")))
    for made in (
        span("s1"),
        span("s2"),
        mirror("m1", "n1", to=("s1",)),
        mirror("m2", "n1", "n2", to=("s2",)),
    ):
        world.create(made)
    web = world.stored(Kind.SUBNET, "web")
    world.refuse_in_use(turned(web, SubnetKind.VLAN_BASIC), "kind", "trafficMirrors/m2")
    world.remove(Kind.TRAFFIC_MIRROR, "m2")
    turn(world, "web", SubnetKind.VLAN_BASIC)


def test_an_uplink_that_basic_nics_need_stays(world: World) -> None:
    world.create(basic("far", 30, "vs1"))
    world.create(nic("n1", "far", host=HostId("h1")))
    world.create(direct("d1", "far", host=HostId("h1")))
    world.create(trunk("t1", "far", 5, host=HostId("h1")))
    without = host("h1", "192.0.2.1/24", "c1", "vs0")
    world.refuse_in_use(Replace(intent=without), "uplinks", "nics/d1", "nics/n1", "nics/t1")
