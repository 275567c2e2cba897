"""Sums of hits: over hosts, over counters that start anew, from zero again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netctl.analysis.hits import HitsBook
from netctl.model.hits import Counted, FlowKey, Hits
from netctl.model.keys import HostId, Uid

H1, H2 = HostId("h1"), HostId("h2")
DENY, ALLOW = Uid("deny"), Uid("allow")
FORTH, BACK, OTHER = FlowKey(1, 700), FlowKey(2, 700), FlowKey(1, 701)
ASKED = {FORTH: (Counted(DENY),), BACK: (Counted(DENY),), OTHER: (Counted(ALLOW),)}
NOW_S = 1000.0


def test_both_ways_and_all_hosts_are_one_sum() -> None:
    book = HitsBook()
    book.take(H1, ASKED, {FORTH: Hits(3, 300), BACK: Hits(1, 100), OTHER: Hits(9, 900)}, NOW_S)
    book.take(H2, ASKED, {FORTH: Hits(5, 500)}, NOW_S)
    assert book.tally(DENY).hosts == {H1: Hits(4, 400), H2: Hits(5, 500)}
    assert book.tally(DENY).total == Hits(9, 900)
    assert book.tally(ALLOW).total == Hits(9, 900)


def test_a_counter_is_added_once() -> None:
    book = HitsBook()
    for _ in range(3):
        book.take(H1, ASKED, {FORTH: Hits(3, 300)}, NOW_S)
    assert book.tally(DENY).total == Hits(3, 300)


def test_a_counter_that_started_anew_is_added() -> None:
    book = HitsBook()
    book.take(H1, ASKED, {FORTH: Hits(7, 700)}, NOW_S)
    book.take(H1, ASKED, {FORTH: Hits(2, 200)}, NOW_S)
    assert book.tally(DENY).total == Hits(9, 900)


def test_a_flow_that_was_away_starts_anew_even_when_it_is_ahead() -> None:
    book = HitsBook()
    book.take(H1, ASKED, {FORTH: Hits(7, 700)}, NOW_S)
    book.take(H1, ASKED, {}, NOW_S)
    book.take(H1, ASKED, {FORTH: Hits(8, 800)}, NOW_S)
    assert book.tally(DENY).total == Hits(15, 1500)


def test_cleared_is_zero_and_counts_on() -> None:
    book = HitsBook()
    book.take(H1, ASKED, {FORTH: Hits(7, 700), OTHER: Hits(1, 1)}, NOW_S)
    book.clear(DENY, 5.0, [])
    assert (book.tally(DENY).total, book.tally(DENY).clear_time_s) == (Hits(), 5.0)
    book.take(H1, ASKED, {FORTH: Hits(8, 800), OTHER: Hits(1, 1)}, NOW_S)
    assert book.tally(DENY).total == Hits(1, 100)
    assert book.tally(ALLOW).total == Hits(1, 1)


def test_what_a_silent_host_saw_before_the_clearing_is_not_counted_after_it() -> None:
    book = HitsBook()
    book.take(H1, ASKED, {FORTH: Hits(7, 700)}, NOW_S)
    book.clear(DENY, 5.0, [H1])
    book.take(H1, ASKED, {FORTH: Hits(50, 5000)}, NOW_S)
    assert book.tally(DENY).total == Hits()
    book.take(H1, ASKED, {FORTH: Hits(51, 5100)}, NOW_S)
    assert book.tally(DENY).total == Hits(1, 100)


def test_another_policy_with_the_same_flow_starts_from_zero() -> None:
    """Deleted and made again before northd looked: the flow, and its counter, never went away."""
    book = HitsBook()
    book.take(H1, {FORTH: (Counted(DENY),)}, {FORTH: Hits(7, 700)}, NOW_S)
    book.take(H1, {FORTH: (Counted(ALLOW),)}, {FORTH: Hits(9, 900)}, NOW_S)
    assert book.tally(ALLOW).total == Hits(2, 200)


def test_who_was_removed_is_forgotten() -> None:
    book = HitsBook()
    book.take(H1, ASKED, {FORTH: Hits(7, 700)}, NOW_S)
    book.take(H2, ASKED, {FORTH: Hits(7, 700)}, NOW_S)
    book.take(H2, ASKED, {FORTH: Hits(7, 700), OTHER: Hits(1, 1)}, NOW_S)
    book.forget({ALLOW: ()}, {H2}, {OTHER})
    assert set(book.tallies) <= {ALLOW}
    assert book.seen == {H2: {OTHER: Hits(1, 1)}}


@given(st.lists(st.tuples(st.sampled_from((H1, H2)), st.none() | st.integers(0, 50)), max_size=30))
def test_the_sum_never_falls(answers: list[tuple[HostId, int | None]]) -> None:
    book, before = HitsBook(), Hits()
    for host, packets in answers:
        book.take(
            host,
            {FORTH: (Counted(DENY),)},
            {} if packets is None else {FORTH: Hits(packets, packets * 100)},
            NOW_S,
        )
        total = book.tally(DENY).total
        assert total.packets >= before.packets
        assert total.bytes == total.packets * 100
        before = total
