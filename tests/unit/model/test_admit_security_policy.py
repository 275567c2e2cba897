"""Admission of security policies: what they name, when their rules end, and how many OVN has priorities for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netctl.errors import Exhausted, InvalidIntent, NotFound, Unsupported
from netctl.model.bands import MONITORED, band_limit, clause_counts
from netctl.model.intent import Create, Replace
from netctl.model.keys import Kind
from netctl.model.security_policy import (
    ACLS_MAX,
    CLAUSES_MAX,
    MONITORED_CLAUSES_MAX,
    Direction,
    Established,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    SecurityPolicy,
)
from tests.security import address_group, category, entity_group, policy, rule, service_group
from tests.unit.model.world import World, vpc

IN, OUT = "in", "out"
BOTH = Direction.IN_OUT


@pytest.fixture
def world() -> World:
    return World(
        *(category(name) for name in ("web", "app", "db", "dev")),
        entity_group("shop", "web"),
        address_group("office", "10.0.0.0/8"),
        service_group("http"),
        vpc("v1"),
    )


@pytest.mark.parametrize(
    ("asked", "field", "name"),
    [
        (policy("p", "web", "nobody"), "secured[1]", "categories/nobody"),
        (policy("p", "entityGroups/nobody"), "secured[0]", "entityGroups/nobody"),
        (policy("p", vpcs=("v1", "v2")), "vpcs[1]", "vpcs/v2"),
        (policy(rules=(rule(), rule("r2", "app", "nobody"))), "rules[1].peers[1]", "categories/nobody"),
        (policy(rules=(rule("r", "addressGroups/x"),)), "rules[0].peers[0]", "addressGroups/x"),
        (policy(rules=(rule("r", "entityGroups/x"),)), "rules[0].peers[0]", "entityGroups/x"),
        (
            policy(rules=(rule(services=("serviceGroups/http", "serviceGroups/x")),)),
            "rules[0].service_groups[1]",
            "serviceGroups/x",
        ),
    ],
)
def test_what_a_policy_names_is_there(world: World, asked: SecurityPolicy, field: str, name: str) -> None:
    world.refuse(Create(intent=asked), NotFound, field, f"{name} does not exist: create it first")
    world.create(policy("ok", "web"))
    renamed = replace(asked, id=policy("ok").id)
    world.refuse(Replace(intent=renamed), NotFound, field, name)


def test_a_policy_that_names_what_is_there_is_stored_as_it_is(world: World) -> None:
    asked = policy(
        "p",
        "web",
        "entityGroups/shop",
        vpcs=("v1",),
        rules=(rule("r", "app", "addressGroups/office", services=("tcp/1", "serviceGroups/http")),),
    )
    stored = world.create(asked)
    assert replace(stored, meta=asked.meta) == asked
    for view in (world.draft, world.draft.freeze(9)):
        for name in (
            "categories/web",
            "categories/app",
            "addressGroups/office",
            "serviceGroups/http",
            "vpcs/v1",
        ):
            assert [one.id for one in view.security_policies_naming(name)] == ["p"]
        assert [one.id for one in view.security_policies_of_scope(asked.scope)] == ["p"]


def test_the_kind_is_kept(world: World) -> None:
    stored = world.create(policy("p", "web"))
    world.refuse(
        Replace(intent=replace(stored, kind=PolicyKind.VDI)), InvalidIntent, "kind", "from application to vdi"
    )
    assert world.replace(stored, mode=PolicyMode.SAVE).mode is PolicyMode.SAVE


def test_connections_that_persist_are_not_supported(world: World) -> None:
    asked = policy("p", "web", established=Established.PERSIST)
    world.refuse(Create(intent=asked), Unsupported, "established", "OVN 25.03", "REEVALUATE")


def test_a_rule_that_has_expired_may_stay_but_not_come(world: World) -> None:
    """The world's time is its revision."""
    now = float(world.revision)
    soon, past = rule("soon", expire_time_s=now + 3), rule("past", expire_time_s=now)
    asked = policy("p", "web", rules=(rule(), past))
    world.refuse(Create(intent=asked), InvalidIntent, "rules[1].expire_time", "'past'", "is in the past")
    stored = world.create(policy("p", "web", rules=(soon,)))
    for _ in range(5):
        world.replace(stored, priority=stored.priority + 1)
        stored = world.stored(Kind.SECURITY_POLICY, "p")
    assert soon.expire_time_s < world.revision
    moved = world.replace(stored, rules=(rule("new"), soon))  # in another place, the same
    longer = replace(soon, log=True)
    world.refuse(Replace(intent=replace(moved, rules=(longer,))), InvalidIntent, "rules[0].expire_time")
    again = replace(soon, name="other")
    world.refuse(Replace(intent=replace(moved, rules=(again,))), InvalidIntent, "rules[0].expire_time")
    assert world.replace(moved, rules=(replace(longer, expire_time_s=1e9),))
    assert world.replace(moved, rules=(replace(longer, expire_time_s=0.0),))


@pytest.mark.parametrize(
    ("made", "counts"),
    [
        (policy("p", "web", "app"), {("application", 2, IN): 2, ("application", 2, OUT): 2}),
        (
            policy(
                "p",
                "web",
                "app",
                intra_group=IntraGroup.DENY,
                rules=(
                    rule("a"),
                    rule("b", direction=BOTH, applied_to=("app",)),
                    rule("c", direction=Direction.OUT, disabled=True),
                    rule("d", expire_time_s=1.0),
                ),
            ),
            {
                ("application", 1, IN): 2 + 1 + 2 + 2,
                ("application", 1, OUT): 1 + 2,
                ("application", 2, IN): 2,
                ("application", 2, OUT): 2,
            },
        ),
        (
            policy("p", kind=PolicyKind.VDI, intra_group=IntraGroup.ALLOW),
            {("vdi", phase, way): 1 for phase in (1, 2) for way in (IN, OUT)},
        ),
        (
            policy("p", "web", "app", kind=PolicyKind.QUARANTINE),
            {("quarantine", 0, IN): 2, ("quarantine", 0, OUT): 2},
        ),
        (
            policy("p", kind=PolicyKind.QUARANTINE, rules=(rule(disabled=True),)),
            {("quarantine", 2, IN): 1, ("quarantine", 2, OUT): 1},
        ),
        (
            policy("p", kind=PolicyKind.QUARANTINE, rules=(rule(),)),
            {("quarantine", 1, IN): 1, ("quarantine", 2, IN): 1, ("quarantine", 2, OUT): 1},
        ),
        (
            policy("p", "dev", "web", "app", kind=PolicyKind.ISOLATION),
            {("isolation", 1, IN): 3, ("isolation", 1, OUT): 3},
        ),
        (
            policy(
                "p",
                "web",
                "app",
                kind=PolicyKind.SHARED_SERVICE,
                rules=(
                    rule("a", "db", "entityGroups/shop", "addressGroups/office", direction=Direction.OUT),
                    rule("b", direction=BOTH),
                ),
            ),
            {("shared service", 1, OUT): 2 + 2, ("shared service", 1, IN): 2 + 2},
        ),
        (policy("p", "web", mode=PolicyMode.SAVE, rules=(rule(),)), {}),
        (
            policy("p", "web", mode=PolicyMode.MONITOR, rules=(rule(),)),
            {(MONITORED, 0, IN): 2, (MONITORED, 0, OUT): 1},
        ),
    ],
    ids=range(10),
)
def test_clauses_are_counted_in_their_bands(
    world: World, made: SecurityPolicy, counts: dict[tuple[str, int, str], int]
) -> None:
    assert clause_counts(made) == counts
    world.draft.put(made)
    world.draft.put(replace(made, id=policy("other").id))
    for view in (world.draft, world.draft.freeze(5)):
        assert {band: view.clause_count(band) for band in counts} == {b: 2 * n for b, n in counts.items()}
    world.draft.remove((Kind.SECURITY_POLICY, "other"))
    assert {band: world.draft.clause_count(band) for band in counts} == counts
    world.draft.remove((Kind.SECURITY_POLICY, made.id))
    assert not any(world.draft.clause_count(band) for band in counts)


def test_what_a_band_cannot_hold_is_refused_with_the_numbers(world: World) -> None:
    limit = CLAUSES_MAX[PolicyKind.APPLICATION, 1]
    many = tuple(rule(f"r{i}") for i in range(1000))
    for i in range(limit // 1000):
        world.create(policy(f"p{i}", rules=many))
    left = limit % 1000
    full = (
        f"{left + 1} clauses for connections in are too many beside the {limit - left} of other application"
    )
    for asked in (policy("more", rules=many[: left + 1]), policy("more", "web", "app", rules=many[:left])):
        error = world.refuse(Create(intent=asked), Exhausted, "rules", f"OVN has priorities for {limit}")
        assert f"beside the {limit - left} of other" in error.message
    assert (
        full
        in world.refuse(Create(intent=policy("more", rules=many[: left + 1])), Exhausted, "rules").message
    )
    last = world.create(policy("more", rules=many[:left]))
    assert world.draft.clause_count(("application", 1, IN)) == limit
    # The other direction and the other kinds have room of their own; what does not grow is not refused.
    world.create(policy("out", rules=tuple(replace(one, direction=Direction.OUT) for one in many)))
    world.create(policy("vdi", kind=PolicyKind.VDI, rules=many))
    world.replace(last, log=True)
    grown = Replace(intent=replace(last, rules=many[: left + 1]))
    assert full in world.refuse(grown, Exhausted, "rules").message
    world.replace(world.stored(Kind.SECURITY_POLICY, "p0"), mode=PolicyMode.SAVE)
    assert world.admit(grown)


def test_policies_in_monitor_share_one_band(world: World) -> None:
    many = tuple(rule(f"r{i}") for i in range(1000))
    fit = MONITORED_CLAUSES_MAX // 1001
    for i in range(fit):
        world.create(policy(f"p{i}", mode=PolicyMode.MONITOR, rules=many))
    more = policy("more", kind=PolicyKind.VDI, mode=PolicyMode.MONITOR, rules=many)
    world.refuse(
        Create(intent=more),
        Exhausted,
        "rules",
        "policies in MONITOR",
        f"priorities for {MONITORED_CLAUSES_MAX}",
    )
    saved = world.create(replace(more, mode=PolicyMode.SAVE))
    world.refuse(Replace(intent=replace(saved, mode=PolicyMode.MONITOR)), Exhausted, "rules")
    assert world.replace(saved, mode=PolicyMode.ENFORCE)


def test_so_many_acls_over_all_vpcs_are_refused_with_the_numbers(world: World) -> None:
    for i in range(2, 12):
        world.create(vpc(f"v{i}"))
    many = tuple(rule(f"r{i}", direction=BOTH) for i in range(999))
    assert sum(clause_counts(policy(rules=many)).values()) == 2000
    every = world.create(policy("p", rules=many, scope=PolicyScope.ALL_VPC))
    world.create(policy("q", rules=many, scope=PolicyScope.ALL_VPC))
    world.create(policy("here", rules=many))
    some = tuple(f"v{i}" for i in range(1, 10))
    world.create(policy("some", rules=many, vpcs=some))
    assert world.draft.acl_count(11) == world.draft.freeze(9).acl_count(11) == 2000 * (2 * 11 + 1 + 9)
    world.create(policy("more", rules=many, vpcs=some))
    world.create(policy("rest", rules=many[:499], vpcs=some))  # 91,000 now
    beside = "18000 ACLs, one for each clause in each realm, are too many beside the 91000 of other"
    last = policy("last", rules=many, vpcs=some)
    world.refuse(Create(intent=last), Exhausted, "rules", beside, f"at most {ACLS_MAX}")
    world.create(replace(last, mode=PolicyMode.SAVE))
    world.refuse(Replace(intent=last), Exhausted, "rules", beside)
    for i in range(12, 14):
        world.create(vpc(f"v{i}"))
    too_many = "4000 clauses, which with 14 VPCs would make 103000 ACLs"
    world.refuse(Create(intent=vpc("v14")), Exhausted, "name", too_many, f"at most {ACLS_MAX}")
    world.replace(every, mode=PolicyMode.SAVE)
    world.create(vpc("v14"))
    world.refuse(Replace(intent=every), Exhausted, "rules", "28000 ACLs", "beside the 75000 of other")
    world.remove(Kind.VPC, "v14")
    world.admit(Replace(intent=every))
    world.replace(world.stored(Kind.VPC, "v13"), dns_servers=("192.0.2.53",))


def test_each_band_has_a_limit_and_all_fit_an_acls_priority() -> None:
    """ovn-nb(5): 0 to 32767."""
    made = (
        *(
            policy("p", "web", "app", kind=kind, rules=())
            for kind in PolicyKind
            if kind.value != "shared service"
        ),
        *(policy(kind=kind, rules=(rule(),)) for kind in PolicyKind if kind is not PolicyKind.ISOLATION),
        policy(mode=PolicyMode.MONITOR),
    )
    bands = {band for one in made for band in clause_counts(one)}
    assert {band[:2] for band in bands} == {
        (MONITORED, 0),
        *((kind.value, phase) for kind, phase in CLAUSES_MAX),
    }
    assert all(band_limit(band) >= 1000 for band in bands)
    assert sum(CLAUSES_MAX.values()) + MONITORED_CLAUSES_MAX <= 32_767 - 5_000  # room for what MONITOR adds
