"""Admission of categories and groups: what they name exists, no circles, and what is used stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.errors import AlreadyExists, Conflict, InUse, InvalidIntent, NotFound
from netctl.model.groups import DEPTH_MAX
from netctl.model.intent import Create, Remove, Replace
from netctl.model.keys import Kind
from tests.security import (
    address_group,
    category,
    entity_group,
    in_categories,
    policy,
    rule,
    service_group,
)
from tests.unit.model.world import World, cluster, contents, ipv4, nic, overlay, vpc


@pytest.fixture
def world() -> World:
    return World(
        category("web"),
        category("app"),
        category("prod", "environment"),
        cluster(),
        vpc("v1"),
        overlay("s1", vpc="v1", ipv4=ipv4()),
        nic("n1", "s1"),
    )


def test_a_key_and_value_are_one_category(world: World) -> None:
    again = category("web2", value="web")
    world.refuse(Create(intent=again), AlreadyExists, "value", "tier:web is categories/web")
    assert world.create(category("web3", "Tier", "web"))  # keys are told apart as they are written
    assert world.create(category("x", "tie", "r\u00a0web"))
    world.remove(Kind.CATEGORY, "web")
    assert world.create(again)


def test_key_and_value_do_not_run_into_each_other(world: World) -> None:
    world.create(category("one", "a", "bc"))
    assert world.create(category("two", "ab", "c"))


def test_a_category_keeps_its_key_and_value(world: World) -> None:
    web = world.stored(Kind.CATEGORY, "web")
    world.refuse(Replace(intent=replace(web, key="layer")), InvalidIntent, "key", "cannot change")
    world.refuse(Replace(intent=replace(web, value="www")), InvalidIntent, "value", "from web to www")
    named = world.replace(web, meta=replace(web.meta, display_name="Web servers"))
    assert (named.meta.display_name, named.meta.uid) == ("Web servers", web.meta.uid)
    world.refuse(Replace(intent=named, if_revision=web.meta.revision), Conflict, "if_revision")


@pytest.mark.parametrize("kind", [Kind.NIC, Kind.SUBNET, Kind.VPC])
def test_what_is_in_a_category_needs_it_to_be_there(world: World, kind: Kind) -> None:
    id = {Kind.NIC: "n1", Kind.SUBNET: "s1", Kind.VPC: "v1"}[kind]
    stored = world.stored(kind, id)
    bad = in_categories(stored, "web", "nobody")
    world.refuse(
        Replace(intent=bad), NotFound, "categories[1]", "categories/nobody does not exist: create it"
    )
    world.refuse(Create(intent=replace(bad, id=f"{id}x")), NotFound, "categories[1]")
    changed = world.replace(in_categories(stored, "web", "prod"))
    assert changed.categories == ("web", "prod")
    for view in (world.draft, world.draft.freeze(9)):
        found: Any = {
            Kind.NIC: view.nics_of_category,
            Kind.SUBNET: view.subnets_of_category,
            Kind.VPC: view.vpcs_of_category,
        }[kind]
        assert [one.id for one in found(category().id)] == [id]
    name = f"{kind.value}/{id}"
    world.refuse_in_use(Remove(key=(Kind.CATEGORY, "web")), "name", name)
    world.replace(in_categories(changed, "prod"))
    world.remove(Kind.CATEGORY, "web")


def test_a_nic_leaves_a_category_that_policies_use(world: World) -> None:
    nic1 = world.replace(in_categories(world.stored(Kind.NIC, "n1"), "web"))
    world.create(policy("p", "web", rules=(rule("r", "web"),)))
    world.create(entity_group("g", "web"))
    assert world.replace(in_categories(nic1)).categories == ()
    world.refuse_in_use(Remove(key=(Kind.CATEGORY, "web")), "name", "entityGroups/g", "securityPolicies/p")


def test_a_group_names_what_is_there(world: World) -> None:
    everything = entity_group("g", "web,subnets/s1", "vpcs/v1,nics/n1", without=("app",))
    assert world.create(everything).include == everything.include
    for bad in ("nobody", "entityGroups/nobody", "subnets/x", "vpcs/x", "nics/x"):
        name = bad if "/" in bad else f"categories/{bad}"
        for group, field in (
            (entity_group("h", "web", f"app,{bad}"), "include[1].all_of[1]"),
            (entity_group("h", without=(bad,)), "except[0].all_of[0]"),
        ):
            world.refuse(Create(intent=group), NotFound, field, f"{name} does not exist: create it first")


@pytest.mark.parametrize(
    ("key", "dependents"),
    [
        ((Kind.CATEGORY, "web"), ("entityGroups/g",)),
        ((Kind.CATEGORY, "app"), ("entityGroups/g",)),
        ((Kind.SUBNET, "s1"), ("entityGroups/g", "nics/n1")),
        ((Kind.VPC, "v1"), ("entityGroups/g", "subnets/s1")),
        ((Kind.NIC, "n1"), ("entityGroups/g",)),
        ((Kind.ENTITY_GROUP, "inner"), ("entityGroups/g",)),
    ],
)
def test_what_a_group_names_stays(world: World, key: tuple[Kind, str], dependents: tuple[str, ...]) -> None:
    world.create(entity_group("inner"))
    group = world.create(
        entity_group("g", "web,subnets/s1", "vpcs/v1,entityGroups/inner", without=("nics/n1,app",))
    )
    world.refuse_in_use(Remove(key=key), "name", *dependents)
    world.replace(group, include=(), except_=())
    assert "entityGroups/g" not in _dependents(world, key)


def _dependents(world: World, key: tuple[Kind, str]) -> tuple[str, ...]:
    mark = world.draft.mark()
    try:
        world.remove(*key)
    except InUse as error:
        return error.dependents
    world.draft.rollback(mark)
    return ()


def test_a_circle_is_refused_with_the_way_round(world: World) -> None:
    own = entity_group("a", "web", "app,entityGroups/a")
    words = "entityGroups/a names entityGroups/a"
    world.refuse(Create(intent=own), InvalidIntent, "include[1].all_of[1]", words)
    world.create(entity_group("a"))
    world.create(entity_group("b", "entityGroups/a"))
    world.create(entity_group("c", without=("web,entityGroups/b",)))
    world.create(entity_group("side", "entityGroups/b", "entityGroups/a"))
    back = Replace(intent=entity_group("a", "web", without=("entityGroups/c",)))
    way = "circle: entityGroups/a names entityGroups/c names entityGroups/b names entityGroups/a"
    world.refuse(back, InvalidIntent, "except[0].all_of[0]", way)
    two = "circle: entityGroups/a names entityGroups/b names entityGroups/a"
    world.refuse(
        Replace(intent=entity_group("a", "entityGroups/b")), InvalidIntent, "include[0].all_of[0]", two
    )
    world.replace(world.stored(Kind.ENTITY_GROUP, "c"), except_=())
    assert world.admit(back)  # no circle any more


def test_a_group_that_is_named_twice_is_no_circle(world: World) -> None:
    world.create(entity_group("a", "web"))
    world.create(entity_group("b", "entityGroups/a"))
    world.create(entity_group("c", "entityGroups/a", "entityGroups/b", without=("entityGroups/a",)))
    assert [one.id for one in world.draft.groups_naming("entityGroups/b")] == ["c"]


def test_groups_are_not_too_deep(world: World) -> None:
    world.create(entity_group("g1", "web"))
    for i in range(2, DEPTH_MAX + 1):
        world.create(entity_group(f"g{i}", "app", f"entityGroups/g{i - 1}"))
    deeper = f"groups {DEPTH_MAX + 1} deep; at most {DEPTH_MAX} are allowed"
    top = f"entityGroups/g{DEPTH_MAX}"
    world.refuse(Create(intent=entity_group("top", top)), InvalidIntent, "include", deeper)
    # nor by what is put under the lowest one
    world.create(entity_group("g0", "web"))
    lowest = Replace(intent=entity_group("g1", without=("entityGroups/g0",)))
    world.refuse(lowest, InvalidIntent, "include", deeper)
    assert world.create(entity_group("beside", f"entityGroups/g{DEPTH_MAX - 1}"))


def test_many_ways_to_one_group_are_quick(world: World) -> None:
    """Each names all below it: 2^14 ways, each group looked at once."""
    for i in range(DEPTH_MAX):
        world.create(entity_group(f"g{i}", *(f"entityGroups/g{j}" for j in range(i))))
    world.refuse(
        Replace(intent=entity_group("g0", "entityGroups/g15")),
        InvalidIntent,
        "include[0].all_of[0]",
        "circle",
    )


def test_a_group_that_is_used_stays(world: World) -> None:
    world.create(address_group("office", "10.0.0.0/8"))
    world.create(service_group("http"))
    world.create(entity_group("shop", "web"))
    world.create(
        policy("p", "web", rules=(rule("r", "addressGroups/office", services=("serviceGroups/http",)),))
    )
    world.create(policy("q", "entityGroups/shop", vpcs=("v1",)))
    for key, user in (
        ((Kind.ADDRESS_GROUP, "office"), "securityPolicies/p"),
        ((Kind.SERVICE_GROUP, "http"), "securityPolicies/p"),
        ((Kind.ENTITY_GROUP, "shop"), "securityPolicies/q"),
    ):
        world.refuse_in_use(Remove(key=key), "name", user)
    world.remove(Kind.NIC, "n1")
    world.remove(Kind.SUBNET, "s1")
    world.refuse_in_use(Remove(key=(Kind.VPC, "v1")), "name", "securityPolicies/q")
    world.remove(Kind.SECURITY_POLICY, "p")
    world.remove(Kind.SECURITY_POLICY, "q")
    for kind, id in (
        (Kind.ADDRESS_GROUP, "office"),
        (Kind.SERVICE_GROUP, "http"),
        (Kind.ENTITY_GROUP, "shop"),
        (Kind.VPC, "v1"),
    ):
        world.remove(kind, id)


def test_an_edit_that_changes_nothing_changes_nothing(world: World) -> None:
    made: list[Any] = [
        world.create(one)
        for one in (
            address_group("a", "10.0.0.1-10.0.0.9"),
            service_group("s", "tcp/80"),
            entity_group("e", "web"),
            policy("p", "web"),
        )
    ]
    before = contents(world.draft)
    for one in made:
        first, *more = world.admit(Replace(intent=one))
        assert first.before is first.after
        assert not more
    assert contents(world.draft) == before
