"""Which pair of a function is in use, after what it went through."""

from __future__ import annotations

from netctl_host.assignment_chains import Function, Pair
from netctl_host.function_health import (
    LOST,
    NO_CARRIER,
    NO_TAP,
    NOT_PROBED,
    PairHealth,
    Verdict,
    choose_active,
)

UP = {"in": True, "out": True}
PAIR = Pair(ingress_tap="in", egress_tap="out")
PROBED = Function(
    function_id="f",
    tap=False,
    fail_open=False,
    pairs=(PAIR,),
    interval_ms=100,
    timeout_ms=50,
    success_threshold=3,
    failure_threshold=2,
)


def pair(function: Function = PROBED, *, assumed: bool = False) -> PairHealth:
    health = PairHealth(function=function, pair=function.pairs[0], assumed=assumed)
    health.note_links(UP)
    return health


def probe(health: PairHealth, now_s: float, *, answered: bool) -> None:
    sequence = health.due(now_s)
    assert sequence is not None
    if answered:
        health.note_answer(sequence)
    health.note_time(now_s + 0.06)


def test_a_new_pair_proves_itself() -> None:
    health = pair()
    assert health.verdict() == NOT_PROBED
    for number in range(3):
        assert not health.verdict().healthy
        probe(health, number, answered=True)
    assert health.verdict().healthy


def test_one_lost_probe_is_none_and_losses_must_follow_each_other() -> None:
    health = pair(assumed=True)
    for number in range(10):
        probe(health, number, answered=bool(number % 2))
        assert health.verdict().healthy
    probe(health, 11, answered=False)
    probe(health, 12, answered=False)
    assert health.verdict() == Verdict(healthy=False, reason=LOST)
    probe(health, 13, answered=True)
    probe(health, 14, answered=True)
    probe(health, 15, answered=False)
    probe(health, 16, answered=True)
    probe(health, 17, answered=True)
    assert not health.verdict().healthy
    probe(health, 18, answered=True)
    assert health.verdict().healthy


def test_an_answer_that_is_late_or_was_never_asked_for_is_none() -> None:
    health = pair(assumed=True)
    for number in range(2):
        sequence = health.due(number)
        assert sequence is not None
        health.note_time(number + 0.06)
        health.note_answer(sequence)
        health.note_answer(999)
    assert health.verdict().reason == LOST


def test_carrier_counts_at_once_and_must_be_proved_again() -> None:
    health = pair(assumed=True)
    assert health.verdict().healthy
    health.note_links({"in": True, "out": False})
    assert health.verdict() == Verdict(healthy=False, reason=NO_CARRIER)
    assert health.due(1) is None
    health.note_links({"in": True})
    assert health.verdict() == Verdict(healthy=False, reason=NO_TAP)
    health.note_links(UP)
    assert health.verdict() == NOT_PROBED


def test_without_probes_carrier_is_all() -> None:
    plain = Function(function_id="f", tap=False, fail_open=False, pairs=(PAIR,))
    copies = Function(function_id="t", tap=True, fail_open=False, pairs=(Pair(ingress_tap="in"),))
    for function in (plain, copies):
        health = pair(function)
        assert health.verdict().healthy
        assert health.due(1) is None
        assert health.next_s() == float("inf")
        health.note_links({"in": False, "out": True})
        assert not health.verdict().healthy


def test_probes_keep_their_pace() -> None:
    health = pair()
    assert health.due(10.0) == 1
    assert health.due(10.05) is None
    assert health.next_s() == 10.05
    health.note_time(10.05)
    assert health.next_s() == 10.1
    assert health.due(10.1) == 2


def test_the_pair_in_use_stays_and_the_first_that_works_follows() -> None:
    works, fails = Verdict(healthy=True), Verdict(healthy=False)
    assert choose_active((("a", works), ("b", works)), "") == "a"
    assert choose_active((("a", works), ("b", works)), "b") == "b"
    assert choose_active((("a", works), ("b", fails)), "b") == "a"
    assert choose_active((("a", fails), ("b", fails)), "b") == ""
    assert choose_active((("a", works),), "gone") == "a"
