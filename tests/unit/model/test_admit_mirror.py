"""Mirrors: sources on one bridge of a host, destinations of their own, and what they use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.errors import AlreadyExists, InUse, InvalidIntent, NotFound
from netctl.model.intent import Create, Remove, Replace, Restack
from netctl.model.keys import HostId, Kind, NicId, ServiceChainId, VirtualSwitchId
from netctl.model.mirror import TrafficMirror
from netctl.model.subnet import SubnetKind
from tests.unit.model.chains import basic, chain, direct, function, mirror, side, span, trunk
from tests.unit.model.world import World, cluster, host, nic, overlay, switch, vlan

H1 = HostId("h1")


@pytest.fixture
def world() -> World:
    world = World(
        cluster(),
        switch("vs0"),
        switch("vs1"),
        host("h1", "192.0.2.1/24", "c1", "vs0", "vs1"),
        host("h2", "192.0.2.2/24", "c1", "vs0"),
        vlan(),
        overlay(),
        basic(),
    )
    for made in (
        nic("web1", "web", host=H1),
        nic("app1", "app", host=H1),
        nic("plain1", "plain", host=H1),
        nic("floating", "web"),
        nic("away", "web", host=HostId("h2")),
        direct("direct1", "web", host=H1),
        side("fw-in"),
        span("sniffer"),
        span("second"),
        span("other", "h2"),
    ):
        world.create(made)
    return world


@pytest.mark.parametrize(
    "sources",
    [("web1", "app1", "floating"), ("plain1", "direct1", "vs0"), ("vs1",), ("direct1",)],
    ids=" ".join,
)
def test_sources_on_one_bridge(world: World, sources: tuple[str, ...]) -> None:
    made = world.create(mirror("m1", *sources))
    assert [one.id for one in world.draft.mirrors_of_host(H1)] == ["m1"]
    assert world.draft.traffic_mirror(made.id) is made


@pytest.mark.parametrize(
    ("made", "error", "field", "text"),
    [
        (mirror("m1", "no"), NotFound, "sources[0].nic", "nics/no does not exist"),
        (
            mirror("m1", "web1", "away"),
            InvalidIntent,
            "sources[1].nic",
            "nics/away is on hosts/h2, this mirror on",
        ),
        (
            mirror("m1", "fw-in"),
            InvalidIntent,
            "sources[0].nic",
            "is of kind NETWORK_FUNCTION: name a guest's",
        ),
        (
            mirror("m1", "second"),
            InvalidIntent,
            "sources[0].nic",
            "is of kind SPAN_DESTINATION: name a guest's",
        ),
        (mirror("m1", "vs7"), NotFound, "sources[0].virtual_switch", "virtualSwitches/vs7 does not exist"),
        (
            mirror("m1", "vs1", host="h2", to=("other",)),
            InvalidIntent,
            "sources[0].virtual_switch",
            "hosts/h2 has no uplink of virtualSwitches/vs1",
        ),
        (mirror("m1", "web1", host="h7"), NotFound, "host", "hosts/h7 does not exist"),
        (mirror("m1", "web1", to=("no",)), NotFound, "destinations[0]", "nics/no does not exist"),
        (
            mirror("m1", "web1", to=("app1",)),
            InvalidIntent,
            "destinations[0]",
            "not of kind SPAN_DESTINATION",
        ),
        (
            mirror("m1", "web1", to=("sniffer", "other")),
            InvalidIntent,
            "destinations[1]",
            "nics/other is on hosts/h2",
        ),
        (
            mirror("m1", "web1", "plain1"),
            InvalidIntent,
            "sources",
            "are on several bridges (nics/web1 on brAtlas, nics/plain1 on br0)",
        ),
        (mirror("m1", "web1", "vs0"), InvalidIntent, "sources", "virtualSwitches/vs0 on br0"),
        (mirror("m1", "vs0", "vs1"), InvalidIntent, "sources", "virtualSwitches/vs1 on br1"),
    ],
)
def test_what_is_no_mirror(world: World, made: TrafficMirror, error: Any, field: str, text: str) -> None:
    world.refuse(Create(intent=made), error, field, text)


def test_a_destination_is_of_one_mirror(world: World) -> None:
    made = world.create(mirror("m1", "web1", to=("sniffer", "second")))
    text = "nics/second gets the copies of trafficMirrors/m1"
    world.refuse(Create(intent=mirror("m2", "app1", to=("second",))), AlreadyExists, "destinations[0]", text)
    world.replace(made, destinations=(NicId("sniffer"),))
    world.create(mirror("m2", "web1", to=("second",)))


def test_a_mirror_stays_on_its_host_and_guests_move(world: World) -> None:
    made = world.create(mirror("m1", "web1"))
    asked = mirror("m1", "away", host="h2", to=("other",))
    world.refuse(Replace(intent=asked), InvalidIntent, "host", "cannot change from h1 to h2")
    world.replace(nic("web1", "web", host=HostId("h2")))
    world.replace(span("sniffer", "h2"))
    assert world.replace(made, disabled=True).disabled
    text = "nics/away is on hosts/h2"
    world.refuse(Replace(intent=mirror("m1", "web1", "away")), InvalidIntent, "sources[1].nic", text)


def test_what_a_mirror_uses_stays(world: World) -> None:
    world.create(mirror("m1", "vs0", "plain1"))
    for kind, id in (
        (Kind.NIC, "plain1"),
        (Kind.NIC, "sniffer"),
        (Kind.HOST, "h1"),
        (Kind.VIRTUAL_SWITCH, "vs0"),
    ):
        error = world.refuse(Remove(key=(kind, id)), InUse, "name", "is in use by ")
        assert isinstance(error, InUse)
        assert "trafficMirrors/m1" in error.dependents
    world.remove(Kind.TRAFFIC_MIRROR, "m1")
    world.remove(Kind.NIC, "sniffer")


def test_a_mirrored_uplink_stays(world: World) -> None:
    world.create(mirror("m1", "vs1"))
    without = host("h1", "192.0.2.1/24", "c1", "vs0")
    world.refuse_in_use(Replace(intent=without), "uplinks", "trafficMirrors/m1")


def test_a_chain_takes_basic_nics_from_the_bridge_of_the_uplink(world: World) -> None:
    world.create(function())
    world.create(chain())
    world.create(mirror("m1", "plain1"))
    plain = world.stored(Kind.SUBNET, "plain")
    attached = world.replace(plain, service_chain=ServiceChainId("c"))
    text = "nics/plain1 on br0.local, virtualSwitches/vs0 on br0"
    world.refuse(Replace(intent=mirror("m1", "plain1", "vs0")), InvalidIntent, "sources", text)
    world.replace(attached, service_chain=ServiceChainId(""))
    world.replace(mirror("m1", "plain1", "vs0"))
    asked = Replace(intent=replace(plain, service_chain=ServiceChainId("c")))
    world.refuse_in_use(asked, "service_chain", "trafficMirrors/m1")


def test_a_nic_that_is_to_move_has_a_mirror_of_its_own(world: World) -> None:
    plain = world.stored(Kind.SUBNET, "plain")
    world.admit(Replace(intent=replace(plain, kind=SubnetKind.VLAN)))
    text = "nics/plain1 is still to move between VLAN_BASIC and VLAN, to another bridge"
    world.refuse(Create(intent=mirror("m1", "vs0", "plain1")), InvalidIntent, "sources[1].nic", text)
    world.create(mirror("m1", "plain1"))
    world.admit(Restack(nic=NicId("plain1"), basic=False))
    world.replace(mirror("m1", "plain1", "web1"))
    world.refuse_in_use(Restack(nic=NicId("plain1"), basic=True), "nic", "trafficMirrors/m1")


def test_nothing_takes_one_source_from_the_others(world: World) -> None:
    world.create(function())
    world.create(chain())
    world.create(replace(basic("chained", 30), service_chain=ServiceChainId("c")))
    world.create(trunk("trunk1", "plain", 40, host=H1))
    world.create(mirror("m1", "trunk1", "vs0"))
    asked = trunk("trunk1", "plain", 40, 30, host=H1)
    world.refuse_in_use(Replace(intent=asked), "trunk_vlans", "trafficMirrors/m1")
    moved = replace(world.stored(Kind.SUBNET, "plain"), virtual_switches=(VirtualSwitchId("vs1"),))
    for id in ("plain1", "trunk1"):
        world.replace(world.stored(Kind.NIC, id), host=HostId(""))
    world.refuse_in_use(Replace(intent=moved), "virtual_switches", "trafficMirrors/m1")
    world.remove(Kind.TRAFFIC_MIRROR, "m1")
    world.admit(Replace(intent=moved))
