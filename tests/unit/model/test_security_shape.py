"""Gate 1 of security intents: what a category, a group, a service, a policy may look like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from netctl.errors import Exhausted, InvalidIntent
from netctl.model.category import TEXT_MAX, Category
from netctl.model.category_ids import CATEGORIES_MAX
from netctl.model.groups import SELECTORS_MAX, TERMS_MAX, EntityGroup, EntitySelector
from netctl.model.keys import CategoryId, EntityGroupId
from netctl.model.routing_policy import PORT_RANGES_MAX, PortRange
from netctl.model.security_policy import (
    PRIORITY_MAX,
    RULES_MAX,
    SERVICE_GROUPS_MAX,
    VPCS_MAX,
    Direction,
    IntraGroup,
    PolicyKind,
    PolicyScope,
    RuleAction,
    SecurityPolicy,
)
from netctl.model.service import ALL_RANGES_MAX, SERVICES_MAX, ServiceProtocol
from tests.security import (
    category,
    entity_group,
    in_categories,
    policy,
    rule,
    selectors,
    service,
    service_group,
)
from tests.unit.model.test_shape import STRANGE
from tests.unit.model.world import nic, overlay, vpc

STRANGE_TEXTS = ["a\nb", "a\x00b", "\x1b[31m", "\u2028", "\u202e", "\ud800", "x" * (TEXT_MAX + 1)]
FREE_TEXTS = ['"} || ip4 /*', "$as_x", "@pg", "日本語", "שלום", "👩‍💻", "a b", "x" * TEXT_MAX, "a:b", "\\"]


def refused(make: Callable[[], Any], field: str, *texts: str) -> None:
    """Expect gate 1 to refuse a value at exactly this field."""
    with pytest.raises(InvalidIntent) as caught:
        make()
    assert caught.value.field == field, caught.value
    for text in texts:
        assert text in caught.value.message
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("text", FREE_TEXTS)
def test_a_category_takes_any_text(text: str) -> None:
    made = category("c", text, text)
    assert (made.key, made.value) == (text, text)


@pytest.mark.parametrize("text", ["", *STRANGE_TEXTS], ids=range(len(STRANGE_TEXTS) + 1))
def test_a_category_is_not_empty_nor_breaks_a_line(text: str) -> None:
    refused(lambda: Category(id=CategoryId("c"), key=text, value="v"), "key")
    refused(lambda: Category(id=CategoryId("c"), key="k", value=text), "value")


@pytest.mark.parametrize("id", STRANGE, ids=range(len(STRANGE)))
def test_ids_are_dns_labels(id: str) -> None:
    refused(lambda: category(id, value="v"), "name", "is not an id")
    refused(lambda: entity_group(id), "name", "is not an id")
    refused(lambda: service_group(id), "name", "is not an id")
    refused(lambda: policy(id), "name", "is not an id")
    refused(lambda: policy(rules=(rule(id),)), "rules[0].name", "is not an id")
    refused(lambda: policy("p", f"categories/{id}"), "secured[0]")
    refused(lambda: policy(vpcs=(id,)), "vpcs[0]")
    refused(lambda: policy(rules=(rule("r", f"addressGroups/{id}"),)), "rules[0].peers[0]")
    refused(lambda: policy(rules=(rule(services=(f"serviceGroups/{id}",)),)), "rules[0].service_groups[0]")
    made = EntityGroup(id=EntityGroupId("g"))
    refused(lambda: replace(made, except_=selectors(f"web,nics/{id}")), "except[0].all_of[1]")


@pytest.mark.parametrize(
    "make", [lambda: nic(), lambda: overlay(), lambda: vpc()], ids=["nic", "subnet", "vpc"]
)
def test_what_is_in_categories_names_each_once_and_not_too_many(make: Callable[[], Any]) -> None:
    many = tuple(f"c{i}" for i in range(CATEGORIES_MAX + 1))
    assert len(in_categories(make(), *many[1:]).categories) == CATEGORIES_MAX
    refused(lambda: in_categories(make(), *many), "categories", f"at most {CATEGORIES_MAX}")
    refused(lambda: in_categories(make(), "a", "b", "a"), "categories[2]", "categories/a is listed twice")
    refused(lambda: in_categories(make(), "a", "B"), "categories[1]", "is not an id")


def test_a_selector_names_kinds_of_which_ports_can_be() -> None:
    group = entity_group("g", "web,entityGroups/x,subnets/s,vpcs/v,nics/n", without=("nics/n",))
    assert len(group.include[0].all_of) == 5
    for bad in ("hosts/h1", "addressGroups/a", "securityPolicies/p", "category/web", "/x", "nics/"):
        refused(partial(entity_group, "g", "web", bad), "include[1].all_of[0]")
    refused(lambda: replace(group, include=(EntitySelector(all_of=()),)), "include[0].all_of", "is empty")
    refused(lambda: entity_group("g", "web,web"), "include[0].all_of[1]", "listed twice")
    many = ",".join(f"c{i}" for i in range(TERMS_MAX + 1))
    refused(lambda: entity_group("g", many), "include[0].all_of", f"at most {TERMS_MAX}")
    selected = tuple(f"c{i}" for i in range(SELECTORS_MAX + 1))
    refused(lambda: entity_group("g", *selected), "include", f"at most {SELECTORS_MAX}")
    refused(lambda: entity_group("g", without=selected), "except", f"at most {SELECTORS_MAX}")
    assert entity_group("g").include == ()  # nobody is in it


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ports": (PortRange(first=80, last=79),)}, "ports[0].last"),
        ({"ports": (PortRange(first=0, last=0), PortRange(first=0, last=65536))}, "ports[1].last"),
        ({"ports": (PortRange(first=-1, last=3),)}, "ports[0].first"),
        ({"source_ports": (PortRange(first=1, last=1),) * (PORT_RANGES_MAX + 1)}, "source_ports"),
        ({"icmp_type": 8}, "icmp_type"),
        ({"protocol_number": 6}, "protocol_number"),
        ({"protocol": ServiceProtocol.ICMP, "ports": (PortRange(first=1, last=1),)}, "ports"),
        ({"protocol": ServiceProtocol.NUMBER, "source_ports": (PortRange(first=1, last=1),)}, "source_ports"),
        ({"protocol": ServiceProtocol.ICMP, "icmp_type": 256}, "icmp_type"),
        ({"protocol": ServiceProtocol.ICMPV6, "icmp_type": 1, "icmp_code": -1}, "icmp_code"),
        ({"protocol": ServiceProtocol.ICMPV6, "icmp_code": 0}, "icmp_code"),
        ({"protocol": ServiceProtocol.NUMBER, "protocol_number": 256}, "protocol_number"),
    ],
)
def test_a_service_has_what_its_protocol_has(change: dict[str, Any], field: str) -> None:
    bad = replace(service("tcp"), **change)
    refused(lambda: replace(service_group(), services=(service("udp"), bad)), f"services[1].{field}")
    refused(
        lambda: policy(rules=(rule(), replace(rule("r2"), services=(bad,)))), f"rules[1].services[0].{field}"
    )


def test_there_are_not_too_many_services() -> None:
    many = (service("tcp"),) * (SERVICES_MAX + 1)
    refused(lambda: replace(service_group(), services=()), "services", "is empty")
    refused(lambda: replace(service_group(), services=many), "services", f"at most {SERVICES_MAX}")
    refused(lambda: policy(rules=(replace(rule(), services=many),)), "rules[0].services")
    wide = tuple(replace(service("udp"), ports=(PortRange(first=i, last=i),) * 8) for i in range(32))
    assert replace(service_group(), services=wide).services == wide
    too_wide = (*wide, service("tcp/80"))
    refused(lambda: replace(service_group(), services=too_wide), "services", f"at most {ALL_RANGES_MAX}")
    refused(lambda: policy(rules=(replace(rule(), services=too_wide),)), "rules[0].services", "has 257 port")
    groups = tuple(f"serviceGroups/g{i}" for i in range(SERVICE_GROUPS_MAX + 1))
    assert policy(rules=(rule(services=groups[1:]),))
    refused(lambda: policy(rules=(rule(services=groups),)), "rules[0].service_groups", "at most 16")
    twice = ("serviceGroups/a", "serviceGroups/a")
    refused(lambda: policy(rules=(rule(services=twice),)), "rules[0].service_groups[1]", "listed twice")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"scope": PolicyScope.VPC_LIST}, "vpcs"),
        ({"vpcs": ("v1",), "scope": PolicyScope.ALL_VPC}, "vpcs"),
        ({"vpcs": ("v1", "v1")}, "vpcs[1]"),
        ({"vpcs": tuple(f"v{i}" for i in range(VPCS_MAX + 1))}, "vpcs"),
        ({"priority": -1}, "priority"),
        ({"priority": PRIORITY_MAX + 1}, "priority"),
        ({"log_rate": 0}, "log_rate"),
        ({"log_rate": 10_001}, "log_rate"),
        ({"kind": PolicyKind.ISOLATION}, "secured"),
        ({"kind": PolicyKind.SHARED_SERVICE}, "rules"),
        ({"kind": PolicyKind.QUARANTINE, "intra_group": IntraGroup.DENY}, "intra_group"),
        ({"rules": (rule(), rule())}, "rules[1].name"),
        ({"rules": (rule(applied_to=("app",)),)}, "rules[0].applied_to[0]"),
        ({"rules": (rule("r", "nics/n1"),)}, "rules[0].peers[0]"),
        ({"rules": (rule("r", "web", "web"),)}, "rules[0].peers[1]"),
        ({"rules": (rule(priority=PRIORITY_MAX + 1),)}, "rules[0].priority"),
        ({"rules": (rule(ip_version=5),)}, "rules[0].ip_version"),
        ({"rules": (rule(stateless=True, action=RuleAction.DENY),)}, "rules[0].stateless"),
        ({"rules": (rule(expire_time_s=-1.0),)}, "rules[0].expire_time"),
        ({"rules": (rule(owner="a\nb"),)}, "rules[0].owner"),
        ({"rules": (rule(ticket="x" * 257),)}, "rules[0].ticket"),
        ({"rules": (rule(description="\x1b]"),)}, "rules[0].description"),
        ({"kind": PolicyKind.QUARANTINE, "rules": (rule(action=RuleAction.DENY),)}, "rules[0].action"),
        ({"kind": PolicyKind.SHARED_SERVICE, "rules": (rule(action=RuleAction.REJECT),)}, "rules[0].action"),
    ],
)
def test_a_policy_that_is_not_one_is_refused(fields: dict[str, Any], field: str) -> None:
    refused(lambda: policy("p", "web", **fields), field)


def test_a_policy_is_about_categories_and_groups() -> None:
    assert policy("p", "web", "entityGroups/shop").secured == ("categories/web", "entityGroups/shop")
    for bad in ("subnets/s1", "vpcs/v1", "nics/n1", "addressGroups/a"):
        refused(partial(policy, "p", bad), "secured[0]", "is not categories/ID or entityGroups/ID")
    many = tuple(f"c{i}" for i in range(TERMS_MAX + 1))
    refused(lambda: policy("p", *many), "secured", f"at most {TERMS_MAX}")
    refused(lambda: replace(policy(), secured=()), "secured", "at least 1")
    both = policy("p", "dev", "prod", kind=PolicyKind.ISOLATION)
    refused(lambda: replace(both, rules=(rule(),)), "rules", "SHARED_SERVICE")


def test_so_many_rules_in_one_policy_are_refused_with_the_limit() -> None:
    many = tuple(rule(f"r{i}") for i in range(RULES_MAX))
    assert len(policy(rules=many).rules) == RULES_MAX
    with pytest.raises(Exhausted, match=f"100000 rules; a policy has at most {RULES_MAX}") as caught:
        policy(rules=many * 100)
    assert caught.value.field == "rules"


def test_each_kind_can_be_made() -> None:
    made: list[SecurityPolicy] = [
        policy(kind=PolicyKind.QUARANTINE),
        policy(kind=PolicyKind.QUARANTINE, rules=(rule(direction=Direction.IN_OUT),)),
        policy(kind=PolicyKind.SHARED_SERVICE, rules=(rule("r", "app", direction=Direction.OUT),)),
        policy("p", "dev", "prod", "test", kind=PolicyKind.ISOLATION),
        policy(kind=PolicyKind.VDI, intra_group=IntraGroup.DENY, rules=(rule(action=RuleAction.REJECT),)),
    ]
    assert {one.kind for one in made} == set(PolicyKind) - {PolicyKind.APPLICATION}
