"""Ranks: no two ACLs of a realm and direction share a priority, in the order of the policies, and edits move few."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings

from netctl.compiler.clause import Realm
from netctl.compiler.clauses import clauses_of
from netctl.compiler.compile import compile_rows
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.compiler.priority import ACL_BANDS
from netctl.compiler.ranks import FRONTS_MAX, block_of, blocks_of
from netctl.compiler.security_policy import Acl, acls_of
from netctl.model.intent import Intent
from netctl.model.keys import Kind
from netctl.model.security_policy import (
    CLAUSES_MAX,
    Direction,
    PolicyKind,
    PolicyMode,
    RuleAction,
    SecurityPolicy,
    SecurityRule,
)
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import SubnetKind
from netctl.nb.rows import Member, Row, collect
from tests.intents import OWNER, snapshot
from tests.security import entity_group, policy, rule, small_world
from tests.security_worlds import security_observations, security_worlds


def every_acl(world: Snapshot, observed: Observed = NOTHING_OBSERVED) -> list[Acl]:
    policies = (one for one in world.of_kind(Kind.SECURITY_POLICY) if isinstance(one, SecurityPolicy))
    return [acl for one in policies for acl in acls_of(world, observed, one)]


def priorities(world: Snapshot, *but: str) -> dict[str, int]:
    return {acl.uuid: acl.priority for acl in every_acl(world) if acl.clause.policy not in but}


def world_of(*policies: Intent) -> Snapshot:
    return snapshot(small_world(*policies))


def rules(number: int, **more: object) -> tuple[SecurityRule, ...]:
    return tuple(rule(f"r{i}", "app", services=(f"tcp/{i}",), **more) for i in range(number))


@settings(max_examples=80, deadline=None)
@given(world=security_worlds(), observed=security_observations())
def test_priorities_are_unique_and_in_the_order_of_clauses(world: Snapshot, observed: Observed) -> None:
    found: defaultdict[tuple[Realm, Direction], dict[int, Acl]] = defaultdict(dict)
    for acl in every_acl(world, observed):
        same = found[acl.realm, acl.clause.direction].setdefault(acl.priority, acl)
        assert same is acl, f"two ACLs have priority {acl.priority}"
    for (realm, direction), ranked in found.items():
        order = {clause: at for at, clause in enumerate(clauses_of(world, observed, realm, direction))}
        down = [ranked[priority].clause for priority in sorted(ranked, reverse=True)]
        for monitored in (False, True):
            places = [order[clause] for clause in down if clause.monitored is monitored]
            assert places == sorted(places)


@settings(max_examples=50, deadline=None)
@given(world=security_worlds(), observed=security_observations())
def test_rows_refer_to_rows_and_no_fact_is_compiled_twice(world: Snapshot, observed: Observed) -> None:
    rows = compile_rows(world, OWNER, observed)  # raises for a fact that is compiled twice
    assert len(collect(rows.values())) == len(rows)
    there = {key[1] for key in rows if len(key) == 2}
    names = {
        str(fact.columns["name"])
        for fact in rows.values()
        if isinstance(fact, Row) and "name" in fact.columns
    }
    held = {fact.member for fact in rows.values() if isinstance(fact, Member)}
    for fact in rows.values():
        if isinstance(fact, Member):
            assert fact.member in there
            assert fact.parent in there or fact.table == "Logical_Switch"  # whose subnet is gone
            continue
        if fact.table == "Meter":
            assert set(fact.columns["bands"]) <= there  # type: ignore[arg-type]
        if fact.table == "ACL":
            assert fact.uuid in held
            text = str(fact.columns["match"])
            for word in (
                part.strip("@${},() ") for part in text.replace(",", " ").split() if part[0] in "@${"
            ):
                if word.startswith("sg_"):
                    assert word.removesuffix("_ip4").removesuffix("_ip6") in names
                elif word.startswith("as_"):
                    assert word in names


@settings(max_examples=30, deadline=None)
@given(world=security_worlds())
def test_rows_do_not_grow_with_nics(world: Snapshot) -> None:
    """A NIC more is its port and its memberships; no ACL, no group. Its subnet is one of OVN's without it."""
    draft = world.draft()
    for subnet in list(world.table(Kind.SUBNET).values()):
        if subnet.kind is SubnetKind.VLAN_BASIC:
            draft.put(replace(subnet, kind=SubnetKind.VLAN))
    world = draft.freeze(world.revision + 1)
    for id in list(world.table(Kind.NIC)):
        draft.remove((Kind.NIC, id))
    bare = compile_rows(draft.freeze(world.revision + 1), OWNER)
    counted = ("ACL", "Port_Group", "Address_Set", "Meter", "Meter_Band")
    rows = compile_rows(world, OWNER)
    assert {key: fact for key, fact in rows.items() if key[0] in counted and "ports" not in key} == {
        key: fact for key, fact in bare.items() if key[0] in counted
    }


def test_an_edit_inside_moves_nobody_else() -> None:
    others = (policy("a", "web", rules=rules(2)), policy("z", "app", rules=rules(2)))
    shop = policy("m", "db", rules=rules(5))
    before = priorities(world_of(*others, shop), "m")
    for number in (6, 7, 8):
        world = world_of(*others, replace(shop, rules=rules(number)))
        assert priorities(world, "m") == before
        inward = [acl.priority for acl in every_acl(world) if acl.clause.direction is Direction.IN]
        assert len(inward) == len(set(inward)), "a full block reaches into the next"
    assert priorities(world_of(*others, replace(shop, mode=PolicyMode.SAVE)), "m") == before
    watched = priorities(world_of(*others, replace(shop, mode=PolicyMode.MONITOR)), "m", "z")
    assert watched.items() <= before.items(), "what comes before it stays"
    assert priorities(world_of(*others, replace(shop, rules=rules(9))), "m") != before


def test_policies_that_fill_a_band_get_what_they_need() -> None:
    """So much that blocks with room to spare do not fit; what admission lets in has a place, and no more."""
    limit = CLAUSES_MAX[PolicyKind.ISOLATION, 1]
    terms = [f"entityGroups/g{i}" for i in range(16)]
    groups = [entity_group(f"g{i}") for i in range(16)]
    many = [policy(f"i{i:03}", *terms[:9], kind=PolicyKind.ISOLATION) for i in range(limit // 9)]
    world = world_of(*groups, *many)
    found = [acl.priority for acl in every_acl(world) if acl.clause.direction is Direction.IN]
    band = ACL_BANDS[many[0].kind, next(iter(every_acl(world))).clause.phase]
    assert len(found) == len(set(found)) == 9 * len(many)
    assert max(found) == band.first
    assert min(found) >= band.last
    more = [policy(f"j{i:03}", *terms, kind=PolicyKind.ISOLATION) for i in range(100)]
    over = [acl.priority for acl in every_acl(world_of(*groups, *many, *more))]
    assert min(over) == band.last, "a store edited by hand does not reach into another band"


def test_priority_then_name_decide_between_policies() -> None:
    world = world_of(
        policy("b", "web", rules=rules(1)),
        policy("c", "web", rules=rules(1), priority=7),
        policy("a", "web", rules=rules(1)),
    )
    found = sorted(every_acl(world), key=lambda acl: -acl.priority)
    assert [acl.clause.policy for acl in found if acl.clause.rule] == ["c", "a", "b"]


def test_a_flipped_rule_is_one_row() -> None:
    shop = policy("shop", "web", rules=rules(3))
    flipped = replace(
        shop, rules=(shop.rules[0], replace(shop.rules[1], action=RuleAction.DENY), shop.rules[2])
    )
    before, after = (compile_rows(world_of(one), OWNER) for one in (shop, flipped))
    assert before.keys() == after.keys()
    assert len([key for key in before if before[key] != after[key]]) == 1


@pytest.mark.parametrize("number", [40, 50])
def test_too_many_pairs_are_left_out_and_said(number: int) -> None:
    watched = policy("a", "web", rules=rules(number, log=True), mode=PolicyMode.MONITOR)
    shop = policy("b", "web", rules=tuple(rule(f"r{i}", "db") for i in range(50)))
    world = world_of(watched, shop)
    pairs = [acl for acl in every_acl(world) if acl.clause.policy == "b" and acl.would_drop_of is None]
    assert block_of(world, shop).is_complete is (number == 40)
    fronts = sum(map(len, block_of(world, shop).fronts.values()))
    assert fronts == min(number * 50, FRONTS_MAX)
    assert len(pairs) == fronts + 50 + 2


def test_blocks_are_kept_while_nobody_edits_a_policy() -> None:
    world = world_of(policy("a", "web"))
    draft = world.draft()
    draft.put(small_world()[-1])
    assert blocks_of(draft.freeze(2)) is blocks_of(world)
