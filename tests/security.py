"""Builders of security intents for tests: complete, as admission would store them; and a small world of ports.

Terms are resource names; short ones are categories: `policy("p", "web")` is about `categories/web`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netctl.model.category import Category
from netctl.model.groups import AddressGroup, EntityGroup, EntitySelector, Term
from netctl.model.intent import Intent
from netctl.model.keys import (
    AddressGroupId,
    CategoryId,
    EntityGroupId,
    SecurityPolicyId,
    ServiceGroupId,
    VpcId,
)
from netctl.model.nic import Nic
from netctl.model.routing_policy import PortRange
from netctl.model.security_policy import (
    Direction,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
    SecurityPolicy,
    SecurityRule,
)
from netctl.model.service import Service, ServiceGroup, ServiceProtocol
from netctl.model.subnet import IpConfig, Subnet
from tests.intents import infra, meta, nic, routed, routed_nic, vlan, vpc


def term(name: str) -> Term:
    """Return a term; a bare id is a category's."""
    return name if "/" in name else f"categories/{name}"


def category(name: str = "web", key: str = "tier", value: str = "") -> Category:
    """Return a stored category, `tier:{name}` when nothing else is said."""
    return Category(id=CategoryId(name), meta=meta(name), key=key, value=value or name)


def address_group(name: str = "office", *addresses: str, without: tuple[str, ...] = ()) -> AddressGroup:
    """Return a stored address group."""
    return AddressGroup(
        id=AddressGroupId(name), meta=meta(name), addresses=addresses, except_addresses=without
    )


def selectors(*texts: str) -> tuple[EntitySelector, ...]:
    """Return selectors; `web,subnets/s1` selects what is in both."""
    return tuple(EntitySelector(all_of=tuple(map(term, text.split(",")))) for text in texts)


def entity_group(name: str = "shop", *include: str, without: tuple[str, ...] = ()) -> EntityGroup:
    """Return a stored entity group, made of texts for `selectors`."""
    return EntityGroup(
        id=EntityGroupId(name), meta=meta(name), include=selectors(*include), except_=selectors(*without)
    )


def service(text: str) -> Service:
    """Return a service: `tcp`, `tcp/443`, `udp/53,5000-5999`, `icmp`, `icmpv6/128`, `icmp/3/4` or a protocol number."""
    name, _, rest = text.partition("/")
    if name.isdigit():
        return Service(protocol=ServiceProtocol.NUMBER, protocol_number=int(name))
    protocol = ServiceProtocol(name)
    if protocol in (ServiceProtocol.ICMP, ServiceProtocol.ICMPV6):
        type, _, code = rest.partition("/")
        return Service(
            protocol=protocol, icmp_type=int(type) if type else None, icmp_code=int(code) if code else None
        )
    pairs = [part.partition("-") for part in rest.split(",") if part]
    ports = tuple(PortRange(first=int(first), last=int(last or first)) for first, _, last in pairs)
    return Service(protocol=protocol, ports=ports)


def service_group(name: str = "http", *services: str) -> ServiceGroup:
    """Return a stored service group, made of texts for `service`; TCP 80 when nothing else is said."""
    return ServiceGroup(
        id=ServiceGroupId(name), meta=meta(name), services=tuple(map(service, services or ("tcp/80",)))
    )


def rule(name: str = "r1", *peers: str, services: tuple[str, ...] = (), **fields: Any) -> SecurityRule:
    """Return a rule, which allows connections IN; a service that is a resource name is a group's."""
    inline = tuple(service(text) for text in services if not text.startswith("serviceGroups/"))
    groups = tuple(ServiceGroupId(text.partition("/")[2]) for text in services if "serviceGroups/" in text)
    named = {"applied_to": tuple(map(term, fields.pop("applied_to", ())))}
    what: dict[str, Any] = {"direction": Direction.IN, "action": RuleAction.ALLOW}
    return SecurityRule(
        name=name,
        peers=tuple(map(term, peers)),
        services=inline,
        service_groups=groups,
        **(what | named | fields),
    )


def policy(
    name: str = "shop", *secured: str, rules: tuple[SecurityRule, ...] = (), **fields: Any
) -> SecurityPolicy:
    """Return a stored policy: an APPLICATION that is enforced in all VLANs; `vpcs` are ids, which make it VPC_LIST."""
    vpcs = tuple(VpcId(id) for id in fields.pop("vpcs", ()))
    what: dict[str, Any] = {
        "kind": PolicyKind.APPLICATION,
        "mode": PolicyMode.ENFORCE,
        "scope": PolicyScope.VPC_LIST if vpcs else PolicyScope.ALL_VLAN,
    }
    return SecurityPolicy(
        id=SecurityPolicyId(name),
        meta=meta(name),
        secured=tuple(map(term, secured or ("web",))),
        vpcs=vpcs,
        rules=rules,
        **(what | fields),
    )


def in_categories(intent: Any, *categories: str) -> Any:
    """Return a NIC, subnet or VPC with these categories."""
    return replace(intent, categories=tuple(map(CategoryId, categories)))


def secured_nic(name: str, *categories: str, number: int = 5, host: str = "h1", six: bool = True) -> Nic:
    """Return a stored NIC of subnet v10 with categories: 10.0.10.{number}, fd00:10::{number}."""
    made: Nic = in_categories(nic(name, number=number, host=host), *categories)
    return replace(made, ipv6_address=f"fd00:10::{number:x}") if six else made


def secured_routed_nic(
    name: str, *categories: str, subnet: str = "s1", network: int = 1, number: int = 5, host: str = "h1"
) -> Nic:
    """Return a stored NIC of a subnet of a VPC with categories: 10.1.{network}.{number}, without IPv6."""
    made: Nic = in_categories(
        routed_nic(name, subnet, number=number, network=network, host=host), *categories
    )
    return made


def secured_vlan(name: str = "v10", vlan_id: int = 10) -> Subnet:
    """Return a stored VLAN subnet with IPv4 and IPv6 (fd00:{VLAN}::/64, STATIC)."""
    made = vlan(name, vlan_id)
    return replace(made, ipv6=IpConfig(version=6, cidr=f"fd00:{vlan_id}::/64", gateway=f"fd00:{vlan_id}::1"))


def small_world(*more: Intent) -> tuple[Intent, ...]:
    """Return categories, a VLAN subnet and a VPC with two overlay subnets, each with NICs, and what is given.

    Categories web, app, db (key tier) and prod, test (key environment). v10: w1, w2 web; a1 app; d1 db; x1 in none. VPC
    p1, itself in prod: s1 with pw1 web and pd1 db, s2, itself in test, with pa1 app. NICs are on h1 and h2 in turn.
    """
    return (
        *infra(),
        *(category(name) for name in ("web", "app", "db")),
        *(category(name, "environment") for name in ("prod", "test")),
        secured_vlan(),
        secured_nic("w1", "web", "prod", number=11),
        secured_nic("w2", "web", "test", number=12, host="h2"),
        secured_nic("a1", "app", "prod", number=13),
        secured_nic("d1", "db", "prod", number=14, host="h2"),
        secured_nic("x1", number=15),
        in_categories(vpc("p1"), "prod"),
        routed("s1", "p1", number=1),
        in_categories(routed("s2", "p1", number=2), "test"),
        secured_routed_nic("pw1", "web", number=11),
        secured_routed_nic("pd1", "db", number=12, host="h2"),
        secured_routed_nic("pa1", "app", subnet="s2", network=2, number=11),
        *more,
    )
