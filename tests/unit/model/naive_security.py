"""What must hold of categories, groups and security policies, said by walking all; part of naive.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from netctl.model.category import Category
from netctl.model.groups import EntityGroup
from netctl.model.intent import KIND_OF, Intent
from netctl.model.nic import Nic
from netctl.model.security_policy import SecurityPolicy
from netctl.model.subnet import Subnet
from netctl.model.vpc import Vpc

if TYPE_CHECKING:
    from tests.unit.model.naive import World

DEEPEST = 16


def check(world: World) -> None:
    """Assert everything that admission promises of security intents."""
    there = {name_of(intent) for intent in world.intents}
    for intent in world.intents:
        assert set(named_by(intent)) <= there
    words = Counter((x.key, x.value) for x in world.intents if isinstance(x, Category))
    assert not [word for word, count in words.items() if count > 1]
    layers = peel(world)
    assert layers is not None, "groups name each other in a circle"
    assert layers <= DEEPEST


def references(world: World, kind: str, id: str) -> Iterator[str]:
    """Yield the names of what has or names a category, group, service group, subnet, VPC or NIC."""
    for intent in world.intents:
        if f"{kind}/{id}" in named_by(intent):
            yield name_of(intent)


def name_of(intent: Intent) -> str:
    """Return the resource name of an intent."""
    return f"{KIND_OF[type(intent)].value}/{intent.id}"


def named_by(intent: Intent) -> list[str]:
    """Return what an intent is in or names."""
    if isinstance(intent, Nic | Subnet | Vpc):
        return [f"categories/{id}" for id in intent.categories]
    if isinstance(intent, EntityGroup):
        return [term for selector in intent.include + intent.except_ for term in selector.all_of]
    if isinstance(intent, SecurityPolicy):
        names = [*intent.secured, *(f"vpcs/{id}" for id in intent.vpcs)]
        for rule in intent.rules:
            names += [*rule.applied_to, *rule.peers, *(f"serviceGroups/{id}" for id in rule.service_groups)]
        return names
    return []


def peel(world: World) -> int | None:
    """Return how often one can take away all groups that name none of those left; None when that ends early."""
    left = {name_of(group): set(named_by(group)) for group in world.intents if isinstance(group, EntityGroup)}
    layers = 0
    while left:
        outer = {name for name, named in left.items() if not named & left.keys()}
        if not outer:
            return None
        left = {name: named for name, named in left.items() if name not in outer}
        layers += 1
    return layers


def clauses(policy: SecurityPolicy) -> Iterator[tuple[str, int, str]]:
    """Yield (kind, phase, direction) of each line that a policy is lowered to, as docs/design/security.md has them."""
    kind, ways = policy.kind.value, ("in", "out")
    for rule in policy.rules:
        for way in ways:
            if rule.disabled or (rule.direction.value != way and rule.direction.value != "in and out"):
                continue
            yield from ((kind, 1, way) for _ in rule.applied_to or policy.secured)
            for peer in rule.peers if kind == "shared service" else ():
                if not peer.startswith("addressGroups/"):
                    yield kind, 1, "out" if way == "in" else "in"
    for _ in policy.secured:
        for way in ways:
            if kind == "quarantine" and not policy.rules:
                yield kind, 0, way
            if kind == "isolation":
                yield kind, 1, way
            if kind in ("application", "vdi") and policy.intra_group.value != "rules":
                yield kind, 1, way
            if kind in ("application", "vdi") or (kind == "quarantine" and policy.rules):
                yield kind, 2, way


def counted(world: World) -> dict[tuple[str, int, str], int]:
    """Return how many clauses are in each band (those of all policies in MONITOR in one), and ACLs in realms."""
    found: Counter[tuple[str, int, str]] = Counter()
    for policy in world.intents:
        if isinstance(policy, SecurityPolicy) and policy.mode.value != "save":
            for kind, phase, way in clauses(policy):
                found[("monitor", 0, way) if policy.mode.value == "monitor" else (kind, phase, way)] += 1
                if policy.scope.value == "all vpc":
                    found["every VPC", 0, ""] += 1
                else:
                    found["some realms", 0, ""] += len(policy.vpcs or "1")
    return dict(found)
