"""Each kind of security policy by packets: on a VLAN and routed in a VPC, on one host and across, IPv4 and IPv6.

Whom a policy is not about is asked at the same moment: bystanders always reach each other.
"""

from __future__ import annotations

import itertools

import pytest

from netctl.v1 import security_pb2
from tests.e2e.security import BOTH, DENY, ICMP, ICMP6, IN, OUT, Ask, asks, rule, tcp, udp
from tests.e2e.wards import APP, DB, WEB, Ward

SERVICES = ("tcp/80", "tcp/443", "udp/53", "icmp")
PEOPLE = tuple(f"{name}{number}" for name in ("web", "app", "db", "rest") for number in (1, 2))
EVERY_PAIR = tuple(itertools.permutations(PEOPLE, 2))


def tier(name: str) -> str:
    """Return the category of a guest."""
    return name.rstrip("12")


def judge(ward: Ward, allows: dict[tuple[str, str], set[str]], *, others: bool = False) -> None:
    """Ask everybody everything: between these categories these services pass, all between the rest, or nothing."""
    questions = asks(EVERY_PAIR, *SERVICES)
    allowed = [
        ask
        for ask in questions
        if ask.service
        in allows.get((tier(ask.source), tier(ask.destination)), set(SERVICES) if others else set())
    ]
    ward.guests.check(allowed, [ask for ask in questions if ask not in allowed])


def test_without_policies_everything_passes(ward: Ward) -> None:
    judge(ward, {}, others=True)


def test_an_application_gets_and_sends_what_its_rules_allow(ward: Ward) -> None:
    """Three tiers: everybody to web by HTTPS, web to app, app to db; web to the others by DNS; nothing else."""
    ward.put(
        ward.policy(
            "application",
            "shop",
            [WEB, APP, DB],
            rule("public", IN, tcp(443), applied_to=[WEB]),
            rule("to-app-in", IN, tcp(80), peers=[WEB], applied_to=[APP]),
            rule("to-app-out", OUT, tcp(80), peers=[APP], applied_to=[WEB]),
            rule("to-db", BOTH, udp(53), peers=[APP], applied_to=[DB]),
            rule("to-db-out", OUT, udp(53), peers=[DB], applied_to=[APP]),
            rule("names", OUT, udp(53), applied_to=[WEB]),
            intra_group=security_pb2.INTRA_GROUP_ALLOW,
        )
    )
    inside = {(name, name): set(SERVICES) for name in ("web", "app", "db", "rest")}
    allows = {
        ("rest", "web"): {"tcp/443"},
        ("web", "app"): {"tcp/80"},
        ("app", "db"): {"udp/53"},
        ("db", "app"): set(),
        ("web", "rest"): {"udp/53"},
    }
    judge(ward, inside | allows)
    assert ward.guests.talk(Ask("web1", "app2", "tcp/80")), "answers need no rule"
    assert ward.guests.talk(Ask("rest2", "web1", "tcp/443", 6))


@pytest.mark.parametrize("intra", ["RULES", "ALLOW", "DENY"])
def test_traffic_inside_a_group(ward: Ward, intra: str) -> None:
    """A rule of the policy decides before intra-group does, which decides before the implicit deny."""
    ward.put(
        ward.policy(
            "application",
            "inside",
            [WEB],
            rule("ping", BOTH, ICMP, ICMP6),
            rule("no-http", BOTH, tcp(80), peers=[WEB], action=DENY),
            intra_group=security_pb2.IntraGroup.Value(f"INTRA_GROUP_{intra}"),
        )
    )
    whole = set(SERVICES)
    between = {
        "RULES": {"icmp"},
        "ALLOW": whole - {"tcp/80"},
        "DENY": {"icmp"},
    }[intra]
    allows = {("web", name): {"icmp"} for name in ("app", "db", "rest")}
    allows |= {(name, "web"): {"icmp"} for name in ("app", "db", "rest")}
    judge(ward, allows | {("web", "web"): between}, others=True)


@pytest.mark.parametrize("count", [2, 3])
def test_isolation_keeps_environments_apart_and_nothing_else(ward: Ward, count: int) -> None:
    apart = ["web", "app", "db"][:count]
    ward.put(ward.policy("isolation", "apart", [f"categories/{name}" for name in apart]))
    judge(ward, {pair: set() for pair in itertools.permutations(apart, 2)}, others=True)


def test_a_shared_service_is_used_over_isolation(ward: Ward) -> None:
    """At both ends, whatever isolation says; the other way round and other services stay apart."""
    ward.put(
        ward.policy("isolation", "apart", [WEB, APP, DB]),
        ward.policy("shared_service", "names", [DB], rule("dns", IN, udp(53), peers=[WEB, APP])),
    )
    allows: dict[tuple[str, str], set[str]] = {
        pair: set() for pair in itertools.permutations(("web", "app", "db"), 2)
    }
    allows |= {("web", "db"): {"udp/53"}, ("app", "db"): {"udp/53"}}
    judge(ward, allows, others=True)
    assert ward.guests.talk(Ask("web1", "db2", "udp/53"))


def test_quarantine_is_before_everything(ward: Ward) -> None:
    """Strict: nothing, not even a shared service. Forensic: what the rules say, and nothing else."""
    ward.put(
        ward.policy("shared_service", "names", [DB], rule("dns", IN, udp(53))),
        ward.policy("quarantine", "strict", [DB]),
        ward.policy("quarantine", "forensic", [APP], rule("look", IN, tcp(443), peers=[WEB])),
    )
    people = ("web", "app", "db", "rest")
    shut: dict[tuple[str, str], set[str]] = {(name, shut): set() for name in people for shut in ("db", "app")}
    shut |= {(shut, name): set() for name in people for shut in ("db", "app")}
    judge(ward, shut | {("web", "app"): {"tcp/443"}}, others=True)
    assert ward.guests.talk(Ask("web1", "app2", "tcp/443"))
    ward.drop("securityPolicies/strict")
    ward.drop("securityPolicies/forensic")
    judge(ward, {}, others=True)


def test_desktops_come_after_applications(ward: Ward) -> None:
    """VDI denies what it does not allow; an application's rule for the same guests decides before it."""
    ward.put(
        ward.policy("vdi", "desks", [WEB], rule("dns", OUT, udp(53))),
        ward.policy("application", "shop", [APP], rule("http", BOTH, tcp(80), peers=[WEB])),
    )
    allows: dict[tuple[str, str], set[str]] = {
        (name, other): set() for name in ("web", "app") for other in ("web", "app", "db", "rest")
    }
    allows |= {
        (other, name): services for (name, other), services in allows.items() if other not in ("web", "app")
    }
    allows |= {("web", "db"): {"udp/53"}, ("web", "rest"): {"udp/53"}}
    judge(ward, allows, others=True)
    ward.put(ward.policy("application", "desks-too", [WEB], rule("http", BOTH, tcp(80), peers=[APP])))
    allows |= {("web", "db"): set(), ("web", "rest"): set()}
    judge(ward, allows | {("web", "app"): {"tcp/80"}, ("app", "web"): {"tcp/80"}}, others=True)
