"""One end's decision in full: what it is by, what it does in fact, tracking. The oracle says the rest."""

from __future__ import annotations

from time import monotonic
from typing import Any

import pytest

from netctl.analysis.verdict import Decision, Evaluator, Packet
from netctl.compiler.membership import Port, ports_of
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.intent import Intent
from netctl.model.keys import NicId
from netctl.model.security_policy import Direction, PolicyMode, RuleAction
from tests.intents import snapshot
from tests.security import policy, rule, service, small_world

IN, OUT = Direction.IN, Direction.OUT


def evaluator(*intents: Intent, observed: Observed = NOTHING_OBSERVED) -> Evaluator:
    return Evaluator(snapshot(small_world(*intents)), observed)


def port(asked: Evaluator, name: str) -> Port:
    nic = asked.snapshot.nic(NicId(name))
    assert nic is not None
    return next(ports_of(asked.snapshot, nic))


def decide(asked: Evaluator, what: str = "tcp/80", at: str = "d1", **packet: Any) -> Decision:
    """Return what happens to w1's packet to d1, at d1."""
    fields = {"source": "10.0.10.11", "destination": "10.0.10.14"} | packet
    of = service(what) if what else None
    return asked.decide(port(asked, at), IN, Packet(fields["source"], fields["destination"], of))


def shop(*rules: Any, name: str = "shop", **fields: Any) -> Any:
    return policy(name, "db", rules=rules, **fields)


def test_where_nothing_is_said_everything_passes_and_is_tracked() -> None:
    found = decide(evaluator())
    assert (found.action, found.clause, found.stateful, found.would_drop) == (
        RuleAction.ALLOW,
        None,
        True,
        None,
    )


def test_a_reject_denies_where_ovn_must_not_answer() -> None:
    rules = shop(rule("r1", action=RuleAction.REJECT))
    assert decide(evaluator(rules)).action is RuleAction.DENY
    assert decide(evaluator(rules, observed=Observed(reject=True))).action is RuleAction.REJECT


def test_everything_is_only_what_rules_for_everything_match() -> None:
    asked = evaluator(shop(rule("r1", "web", services=("tcp/80",)), rule("r2", "app")))
    assert not decide(asked, "").allows
    assert decide(asked, "tcp/80").allows
    assert decide(asked, "", source="10.0.10.13").allows
    assert not decide(asked, "tcp/79-80").allows, "a part of it is denied"


@pytest.mark.parametrize(
    ("direction", "services", "tracked"),
    [
        (IN, ("tcp/80",), False),  # the packet itself
        (IN, ("tcp/81",), True),
        (OUT, ("tcp",), False),  # its answers
        (OUT, ("udp",), True),
    ],
)
def test_tracking_is_taken_from_packets_and_from_answers(
    direction: Direction, services: tuple[str, ...], tracked: bool
) -> None:
    loose = rule("loose", "web", services=services, direction=direction, stateless=True)
    first = rule("first", "web", services=("tcp/80",), priority=9)
    found = decide(evaluator(shop(first, loose)))
    assert (found.allows, found.clause.rule if found.clause else "", found.stateful) == (
        True,
        "first",
        tracked,
    )
    watched = evaluator(shop(first), shop(loose, name="watched", mode=PolicyMode.MONITOR))
    assert decide(watched).stateful, "a policy in MONITOR takes nothing"


def test_answers_to_what_is_not_tracked_need_a_rule() -> None:
    there = rule("there", "web", services=("tcp/80",), stateless=True)
    back = rule("back", "web", direction=OUT, stateless=True)
    for rules, answered in (((there,), False), ((there, back), True)):
        asked = evaluator(shop(*rules))
        packet = Packet("10.0.10.11", "10.0.10.14", service("tcp/80"))
        verdict = asked.verdict(port(asked, "w1"), port(asked, "d1"), packet)
        assert (verdict.allowed, verdict.answered) == (True, answered)


def test_what_goes_to_many_is_never_tracked() -> None:
    asked = evaluator()
    for destination in ("224.0.0.5", "255.255.255.255"):
        assert not asked.decide(port(asked, "w1"), OUT, Packet("10.0.10.11", destination, None)).stateful
    assert not asked.decide(port(asked, "w1"), OUT, Packet("fd00:10::b", "ff02::1", None)).stateful
    assert asked.decide(port(asked, "w1"), OUT, Packet("10.0.10.11", "223.0.0.5", None)).stateful


def test_neighbours_are_found_in_spite_of_all() -> None:
    asked = evaluator(shop())
    found = [
        decide(asked, f"icmpv6/{kind}", source="fd00:10::b", destination="fd00:10::e") for kind in (135, 128)
    ]
    assert [one.allows for one in found] == [True, False]


def test_a_hundred_thousand_decisions_take_seconds() -> None:
    rules = tuple(rule(f"r{i}", "web" if i % 2 else "app", services=(f"tcp/{i + 1}",)) for i in range(50))
    asked = evaluator(shop(*rules))
    d1 = port(asked, "d1")
    packets = [Packet("10.0.10.11", "10.0.10.14", service(f"tcp/{i + 1}")) for i in range(100)]
    started = monotonic()
    allowed = sum(asked.decide(d1, IN, packets[i % 100]).allows for i in range(100_000))
    assert allowed == 25_000
    assert monotonic() - started < 30
