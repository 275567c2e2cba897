"""SortedSet against a sorted list."""

from bisect import bisect_right

from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.model import sorted_set
from netctl.model.sorted_set import SortedSet

MEMBERS = st.sets(st.text("abc", min_size=1, max_size=5), max_size=60)


@given(st.lists(st.tuples(MEMBERS, MEMBERS), max_size=6), st.text("abc", max_size=5), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_it_is_a_sorted_list_whatever_the_path(
    steps: list[tuple[set[str], set[str]]], bound: str, chunk: int
) -> None:
    size, sorted_set.CHUNK = sorted_set.CHUNK, chunk
    try:
        found: SortedSet[str] = SortedSet()
        model: set[str] = set()
        for added, removed in steps:
            earlier, was = found, sorted(model)
            removed = (removed & model) - added
            found = found.changed(added - model, removed)
            model = (model | added) - removed
            assert list(earlier) == was
        ordered = sorted(model)
        assert list(found) == ordered
        assert len(found) == len(ordered)
        assert list(found.after(bound)) == [m for m in ordered if m > bound]
        assert found.floor(bound) == (
            ordered[bisect_right(ordered, bound) - 1] if ordered and ordered[0] <= bound else None
        )
        assert all((m in found) == (m in model) for m in {*ordered, bound})
    finally:
        sorted_set.CHUNK = size


def test_many_members_come_in_order() -> None:
    ids = [f"n{i}" for i in range(5000)]
    found = SortedSet[str]().changed(ids, ()).changed((), ids[::2])
    assert list(found) == sorted(ids[1::2])
