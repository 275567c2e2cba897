"""Recently changed keys: complete as far as they go, and saying so where they do not."""

from hypothesis import given
from hypothesis import strategies as st

from netctl.model.keys import Key, Kind
from netctl.server.recent import RecentKeys


def key(number: int) -> Key:
    return Kind.NIC, f"n-{number}"


def test_a_revision_that_is_yet_to_come_is_unknown() -> None:
    recent = RecentKeys(5)
    assert recent.since(5) == frozenset()
    assert recent.since(6) is None


def test_what_was_before_the_start_is_unknown() -> None:
    recent = RecentKeys(5)
    recent.record([(key(1), 6)])
    assert recent.since(5) == frozenset({key(1)})
    assert recent.since(4) is None


def test_a_key_that_changes_often_takes_one_place() -> None:
    recent = RecentKeys(0, keys_max=2)
    for revision in range(1, 100):
        recent.record([(key(revision % 2), revision)])
    assert recent.since(0) == frozenset({key(0), key(1)})
    assert recent.since(98) == frozenset({key(1)})


@given(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=4), max_size=12), st.integers(1, 5))
def test_it_is_right_or_unknown(changes: list[list[int]], keys_max: int) -> None:
    recent = RecentKeys(0, keys_max=keys_max)
    log: list[tuple[Key, int]] = []
    for revision, numbers in enumerate(changes, 1):
        log += [(key(number), revision) for number in numbers]
        recent.record([(key(number), revision) for number in numbers])
    known = False
    for since in range(len(changes) + 1):
        right = frozenset(changed for changed, revision in log if revision > since)
        told = recent.since(since)
        assert told in (right, None)
        assert not (known and told is None), "later revisions are known where earlier ones are"
        known = told is not None
    assert known, "at the last revision nothing has changed since"
