"""Admission of clusters, virtual switches and hosts, and what their MTUs do to subnets."""

from dataclasses import replace

import pytest

from netctl.errors import AlreadyExists, Exhausted, InvalidIntent, NotFound
from netctl.model.infra import Uplink
from netctl.model.intent import Create, Remove, Replace
from netctl.model.keys import ClusterId, HostId, Kind, VirtualSwitchId
from tests.unit.model.world import World, cluster, host, ipv4, ipv6, nic, overlay, switch, vlan


def test_bridges_are_the_lowest_free_of_a_cluster() -> None:
    world = World(cluster(), cluster("c2"))
    assert [world.create(switch(f"vs{i}")).bridge for i in range(3)] == ["br0", "br1", "br2"]
    assert world.create(switch("other", "c2")).bridge == "br0"
    world.create(switch("vs9", bridge="br4"))
    world.remove(Kind.VIRTUAL_SWITCH, "vs1")
    assert [world.create(switch(f"new{i}")).bridge for i in range(3)] == ["br1", "br3", "br5"]


def test_a_bridge_serves_one_virtual_switch() -> None:
    world = World(cluster(), switch("vs0"))
    world.refuse(
        Create(intent=switch("vs1", bridge="br0")),
        AlreadyExists,
        "bridge",
        "br0 of clusters/c1",
        "virtualSwitches/vs0",
    )


def test_a_cluster_has_a_hundred_bridges() -> None:
    world = World(cluster(), *(switch(f"vs{i}") for i in range(100)))
    world.refuse(Create(intent=switch("more")), Exhausted, "bridge", "br0 to br99 are taken")


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"cluster": ClusterId("c2")}, "cluster", "cannot change from c1 to c2"),
        ({"bridge": "br7"}, "bridge", "cannot change from br0 to br7"),
    ],
)
def test_a_virtual_switch_stays_where_it_is(changes: dict[str, str], field: str, text: str) -> None:
    world = World(cluster(), cluster("c2"), switch())
    asked = replace(world.stored(Kind.VIRTUAL_SWITCH, "vs0"), **changes)
    world.refuse(Replace(intent=asked), InvalidIntent, field, text)


def test_unknown_references_are_named() -> None:
    world = World(cluster())
    text = "clusters/cx does not exist: create it first"
    world.refuse(Create(intent=switch("vs0", "cx")), NotFound, "cluster", text)
    world.refuse(Create(intent=host("h1", "192.0.2.1/24", "cx")), NotFound, "cluster", text)
    world.create(switch("vs0"))
    world.refuse(
        Create(intent=host("h1", "192.0.2.1/24", "c1", "vs0", "vsx")),
        NotFound,
        "uplinks[1].virtual_switch",
        "virtualSwitches/vsx does not exist: create it first",
    )


def test_an_uplink_is_of_the_same_cluster() -> None:
    world = World(cluster(), cluster("c2"), switch("vs0", "c2"))
    world.refuse(
        Create(intent=host("h1", "192.0.2.1/24", "c1", "vs0")),
        InvalidIntent,
        "uplinks[0].virtual_switch",
        "virtualSwitches/vs0 is in clusters/c2, this host in clusters/c1",
    )


def test_a_tunnel_address_is_unique_in_a_cluster() -> None:
    world = World(cluster(), cluster("c2"), host("h1", "192.0.2.1/24"), host("h2", "192.0.2.2/24"))
    world.refuse(
        Create(intent=host("h3", "192.0.2.1/16")), AlreadyExists, "tunnel_address", "192.0.2.1", "hosts/h1"
    )
    world.refuse(
        Replace(intent=host("h2", "192.0.2.1/24")), AlreadyExists, "tunnel_address", "192.0.2.1", "hosts/h1"
    )
    world.create(host("h9", "192.0.2.1/24", "c2"))
    world.replace(host("h1", "192.0.2.1/25"))


def test_tunnels_use_the_first_uplink_by_default() -> None:
    world = World(cluster(), switch("vs0"), switch("vs1"))
    assert world.create(host("h0", "192.0.2.9/24")).tunnel_virtual_switch == ""
    stored = world.create(host("h1", "192.0.2.1/24", "c1", "vs1", "vs0"))
    assert stored.tunnel_virtual_switch == "vs1"
    asked = host("h1", "192.0.2.1/24", "c1", "vs1", "vs0", tunnel_virtual_switch=VirtualSwitchId("vs0"))
    assert world.replace(asked).tunnel_virtual_switch == "vs0"


def test_a_host_stays_in_its_cluster() -> None:
    world = World(cluster(), cluster("c2"), host("h1", "192.0.2.1/24"))
    world.refuse(
        Replace(intent=host("h1", "192.0.2.1/24", "c2")),
        InvalidIntent,
        "cluster",
        "cannot change from c1 to c2",
    )


def test_an_uplink_that_nics_need_stays() -> None:
    world = World(
        cluster(),
        switch("vs0"),
        switch("vs1"),
        host("h1", "192.0.2.1/24", "c1", "vs0", "vs1"),
        vlan("web", 10, "vs0"),
        overlay("app"),
        nic("n1", "web", host=HostId("h1")),
        nic("n2", "app", host=HostId("h1")),
        nic("n3", "web"),
    )
    without = host("h1", "192.0.2.1/24", "c1", "vs1")
    world.refuse_in_use(Replace(intent=without), "uplinks", "nics/n1")
    world.replace(host("h1", "192.0.2.1/24", "c1", "vs0"))  # nothing on vs1
    other = (Uplink(virtual_switch=VirtualSwitchId("vs0"), interfaces=("eth9",)),)
    world.replace(world.stored(Kind.HOST, "h1"), uplinks=other)
    world.replace(world.stored(Kind.NIC, "n1"), host=HostId(""))
    world.replace(without)


def test_a_new_mac_prefix_serves_new_nics() -> None:
    world = World(cluster(), overlay("app"))
    assert world.create(nic("n1")).mac_address == "50:6b:8d:00:00:01"
    world.replace(cluster(mac_prefix="02:00:00"))
    assert world.create(nic("n2")).mac_address == "02:00:00:00:00:01"
    assert world.stored(Kind.NIC, "n1").mac_address == "50:6b:8d:00:00:01"


def mtus(world: World) -> dict[str, tuple[int, bool, int]]:
    return {s.id: (s.mtu_bytes, s.auto_mtu, s.meta.revision) for s in world.draft.of_kind(Kind.SUBNET)}  # type: ignore[union-attr]


def test_overlay_mtus_follow_the_underlay() -> None:
    world = World(cluster(), switch(), overlay("app"), overlay("fixed", mtu_bytes=1400), vlan("web"))
    assert mtus(world) == {"app": (1442, True, 3), "fixed": (1400, False, 4), "web": (1500, True, 5)}
    first, *more = world.admit(Replace(intent=cluster(underlay_mtu_bytes=9000)))
    assert first.key == (Kind.CLUSTER, "c1")
    assert [one.key for one in more] == [(Kind.SUBNET, "app")]
    assert mtus(world) == {"app": (8942, True, 6), "fixed": (1400, False, 4), "web": (1500, True, 5)}
    world.refuse(
        Replace(intent=cluster(underlay_mtu_bytes=1457)),
        InvalidIntent,
        "underlay_mtu_bytes",
        "subnets/fixed has an MTU of 1400",
        "carries 1457 bytes, less 58 for Geneve over IPv4 leaves 1399",
    )
    world.replace(cluster(underlay_mtu_bytes=1458))


def test_an_underlay_too_small_for_ipv6_is_refused() -> None:
    world = World(cluster(), overlay("app", ipv6=ipv6()))
    world.replace(cluster(underlay_mtu_bytes=1338))
    assert world.stored(Kind.SUBNET, "app").mtu_bytes == 1280
    world.refuse(
        Replace(intent=cluster(underlay_mtu_bytes=1337)),
        InvalidIntent,
        "underlay_mtu_bytes",
        "leaves 1279",
        "1280 that subnets/app needs for IPv6",
    )


def test_vlan_mtus_follow_the_virtual_switch() -> None:
    world = World(
        cluster(),
        switch(),
        switch("vs1"),
        vlan("web"),
        vlan("fixed", 11, mtu_bytes=1500),
        vlan("x", 10, "vs1"),
    )
    _, *more = world.admit(Replace(intent=switch(mtu_bytes=9000)))
    assert [one.key for one in more] == [(Kind.SUBNET, "web")]
    assert {id: mtu for id, (mtu, *_) in mtus(world).items()} == {"web": 9000, "fixed": 1500, "x": 1500}
    world.refuse(
        Replace(intent=switch(mtu_bytes=1499)),
        InvalidIntent,
        "mtu_bytes",
        "subnets/fixed has an MTU of 1500",
        "virtualSwitches/vs0 carries 1499 bytes",
    )


def test_the_first_and_last_ipv6_tunnel_move_overlay_mtus() -> None:
    world = World(cluster(), host("h1", "192.0.2.1/24"), overlay("app"), overlay("fixed", mtu_bytes=1422))
    _, *more = world.admit(Create(intent=host("h2", "fd00::2/64")))
    assert [one.key for one in more] == [(Kind.SUBNET, "app")]
    assert world.stored(Kind.SUBNET, "app").mtu_bytes == 1422
    assert len(world.admit(Create(intent=host("h3", "fd00::3/64")))) == 1
    assert len(world.admit(Remove(key=(Kind.HOST, "h3")))) == 1
    assert len(world.admit(Replace(intent=host("h2", "192.0.2.2/24")))) == 2
    assert world.stored(Kind.SUBNET, "app").mtu_bytes == 1442
    world.replace(overlay("fixed", mtu_bytes=1423))
    world.refuse(
        Create(intent=host("h4", "fd00::4/64")),
        InvalidIntent,
        "tunnel_address",
        "subnets/fixed has an MTU of 1423",
        "less 78 for Geneve over IPv6 leaves 1422",
    )


def test_a_refit_comes_with_the_removal_of_a_host() -> None:
    world = World(cluster(), host("h1", "fd00::1/64"), overlay("app", ipv4=ipv4()))
    assert world.stored(Kind.SUBNET, "app").mtu_bytes == 1422
    first, second = world.admit(Remove(key=(Kind.HOST, "h1")))
    assert (first.key, first.after) == ((Kind.HOST, "h1"), None)
    assert second.key == (Kind.SUBNET, "app")
    assert world.stored(Kind.SUBNET, "app").mtu_bytes == 1442
