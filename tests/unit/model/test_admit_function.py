"""Network functions: whose NICs they are, and on which hosts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netctl.errors import AlreadyExists, InvalidIntent, NotFound
from netctl.model.chain import FailureHandling
from netctl.model.intent import Create, Replace
from netctl.model.keys import (
    NicId,
)
from netctl.model.nic import FunctionSide
from tests.unit.model.chains import chain, function, pair, side, sides, tap
from tests.unit.model.world import (
    World,
    cluster,
    host,
    nic,
    switch,
    vlan,
)


@pytest.fixture
def world() -> World:
    world = World(
        cluster(),
        switch("vs0"),
        switch("vs1"),
        host("h1", "192.0.2.1/24", "c1", "vs0", "vs1"),
        host("h2", "192.0.2.2/24", "c1", "vs0"),
    )
    for id, where in (("a", "h1"), ("b", "h1"), ("x", "h1"), ("far", "h2")):
        for one in sides(id, where):
            world.create(one)
    world.create(function())
    world.create(chain())
    return world


def test_a_function_is_of_nics_of_its_sides(world: World) -> None:
    made = world.replace(function("fw", "a", pair("b", disabled=True), "far"))
    assert [one.id for one in world.draft.functions_of_nic(NicId("a-in"))] == ["fw"]
    assert made.nic_pairs[1].disabled
    world.create(vlan())
    world.create(nic("n1", "web"))
    world.create(side("copies", FunctionSide.TAP))
    no = "is not of kind NETWORK_FUNCTION"
    for ingress, egress, error, field, text in (
        ("no", "a-out", NotFound, "ingress_nic", "nics/no does not exist"),
        ("x-in", "no", NotFound, "egress_nic", "nics/no does not exist"),
        ("n1", "x-out", InvalidIntent, "ingress_nic", f"nics/n1 {no}"),
        (
            "x-out",
            "x-in",
            InvalidIntent,
            "ingress_nic",
            "nics/x-out is of side EGRESS: name one of side INGRESS",
        ),
        (
            "x-in",
            "b-in",
            InvalidIntent,
            "egress_nic",
            "nics/b-in is of side INGRESS: name one of side EGRESS",
        ),
        ("copies", "x-out", InvalidIntent, "ingress_nic", "is of side TAP: name one of side INGRESS"),
        ("a-in", "x-out", AlreadyExists, "ingress_nic", "nics/a-in is of networkFunctions/fw"),
    ):
        bad = replace(pair("x"), ingress_nic=NicId(ingress), egress_nic=NicId(egress))
        asked = Create(intent=function("other", bad))
        world.refuse(asked, error, f"nic_pairs[0].{field}", text)
    text = "nics/x-in is of side INGRESS: name one of side TAP"
    world.refuse(Create(intent=tap("ids", "copies", "x-in")), InvalidIntent, "nic_pairs[1].ingress_nic", text)
    world.create(tap("ids", "copies"))


def test_the_mode_of_a_function_stays(world: World) -> None:
    asked = Replace(intent=tap("fw"))
    world.refuse(asked, InvalidIntent, "mode", "cannot change from inline to tap")
    world.replace(function(failure_handling=FailureHandling.FAIL_CLOSE))


def test_a_pair_is_on_one_host(world: World) -> None:
    torn = replace(pair("a"), egress_nic=NicId("far-out"))
    text = "nics/a-in is on hosts/h1 and nics/far-out is on hosts/h2"
    world.refuse(Replace(intent=function("fw", "b", torn)), InvalidIntent, "nic_pairs[1]", text)
    world.create(side("away", FunctionSide.EGRESS, ""))
    torn = replace(torn, egress_nic=NicId("away"))
    world.refuse(
        Replace(intent=function("fw", torn)), InvalidIntent, "nic_pairs[0]", "nics/away is on no host"
    )
    world.replace(function("fw", replace(torn, disabled=True)))
    world.refuse(Replace(intent=function("fw", torn)), InvalidIntent, "nic_pairs[0]", "is on no host")


def test_a_host_has_two_pairs_that_work(world: World) -> None:
    text = "hosts/h1 would have 3 enabled pairs of networkFunctions/fw; at most 2"
    world.refuse(Replace(intent=function("fw", "a", "b", "x")), InvalidIntent, "nic_pairs[2]", text)
    world.replace(function("fw", "a", "far", pair("x", disabled=True), "b"))
    for one in sides("new", ""):
        world.create(one)
    world.replace(function("fw", "a", "far", "b", "new"))


def test_a_pair_moves_while_it_is_disabled(world: World) -> None:
    world.replace(function("fw", "a", "b"))
    moved, other = sides("a", "h2")
    text = "nics/a-in is on hosts/h2 and nics/a-out is on hosts/h1: the NICs of an enabled pair"
    world.refuse(Replace(intent=moved), InvalidIntent, "host", text)
    world.replace(function("fw", pair("a", disabled=True), "b"))
    world.replace(moved)
    world.refuse(Replace(intent=function("fw", "a", "b")), InvalidIntent, "nic_pairs[0]", "is on hosts/h2")
    world.replace(other)
    world.replace(function("fw", "a", "b"))
    world.create(tap("ids"))


def test_a_third_pair_does_not_come_to_a_host(world: World) -> None:
    for i in (1, 2, 3):
        world.create(side(f"t{i}", FunctionSide.TAP, "h1" if i < 3 else "h2"))
    world.create(tap("ids", "t1", "t2", "t3"))
    text = "hosts/h1 would have 3 enabled pairs of networkFunctions/ids"
    world.refuse(Replace(intent=side("t3", FunctionSide.TAP, "h1")), InvalidIntent, "host", text)
    world.replace(side("t3", FunctionSide.TAP, ""))
