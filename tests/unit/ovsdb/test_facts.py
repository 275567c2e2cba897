"""OwnedFacts: nothing that changed is forgotten, whenever it is merged and asked for, and what is held stays still."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netctl.nb.rows import Fact, FactKey, Row
from netctl.ovsdb.facts import OwnedFacts


def row(name: str, value: int = 0) -> Row:
    return Row("T", name, {"value": value})


def facts_with(*rows: Row) -> OwnedFacts:
    """Return facts whose reader has looked."""
    facts = OwnedFacts()
    facts.replace({row.key: row for row in rows})
    facts.merge()
    assert facts.take_changed() is None
    return facts


def test_after_a_reconnect_any_fact_may_have_changed() -> None:
    facts = facts_with(row("a"))
    facts.put_aside({row("a").key: row("a", 1)})
    facts.merge()  # as a write of ours does, before its outcome was lost
    facts.forget_changes()
    assert facts.take_changed() is None
    assert facts.take_changed() == frozenset()


def test_a_new_replica_is_all_changed() -> None:
    facts = facts_with(row("a"))
    facts.replace({row("b").key: row("b")})
    facts.merge()
    assert facts.take_changed() is None
    assert dict(facts.rows()) == {row("b").key: row("b")}


def test_what_is_held_does_not_move_until_it_is_merged() -> None:
    facts = facts_with(row("a"))
    held = facts.rows()
    assert facts.put_aside({row("a").key: None, row("b").key: row("b")})
    assert dict(held) == {row("a").key: row("a")}
    facts.merge()
    assert dict(facts.rows()) == {row("b").key: row("b")}
    assert facts.take_changed() == frozenset({row("a").key, row("b").key})


def test_what_came_and_went_between_two_looks_is_no_fact() -> None:
    facts = facts_with()
    facts.put_aside({row("a").key: row("a")})
    facts.put_aside({row("a").key: None})
    assert not facts.put_aside({row("a").key: None})
    facts.merge()
    assert dict(facts.rows()) == {}


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-1, 2), st.sampled_from(("", "merge", "take"))))
)
def test_a_reader_that_follows_the_changes_knows_everything(steps: list[tuple[str, int, str]]) -> None:
    facts, known, truth = facts_with(), dict[FactKey, Fact](), dict[FactKey, Fact]()
    for name, value, then in [*steps, ("a", 0, "take")]:
        fact = row(name, value) if value >= 0 else None
        facts.put_aside({row(name).key: fact})
        if fact is None:
            truth.pop(row(name).key, None)
        else:
            truth[fact.key] = fact
        if then:
            facts.merge()
        if then == "take":
            changed = facts.take_changed()
            assert changed is not None
            for key in changed:
                if (seen := facts.rows().get(key)) is None:
                    known.pop(key, None)
                else:
                    known[key] = seen
    assert known == truth == dict(facts.rows())
