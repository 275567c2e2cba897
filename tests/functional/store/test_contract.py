"""What every store promises, asked of the real one and of the fake."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netctl.errors import OutOfRange, StoreUnavailable
from netctl.model.intent import key_of
from netctl.store.records import REMEMBER_S, Remembered, Store
from netctl.store.sqlite import SqliteStore
from tests.fakes.store import FakeStore
from tests.unit.store.samples import NIC, ONE_OF_EACH, SUBNET, change, nic

Reopen = Callable[[], Store]


@pytest.fixture(params=["sqlite", "fake"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reopen]:
    """Give what opens the same store again, as a restart of the controller does."""
    fake, opened = FakeStore(), list[Store]()

    def open_again() -> Store:
        for store in opened:
            store.close()
        opened[:] = [fake if request.param == "fake" else SqliteStore(tmp_path / "netctl.db")]
        return opened[0]

    yield open_again
    for store in opened:
        store.close()


@pytest.fixture
def store(reopen: Reopen) -> Store:
    return reopen()


def test_a_new_store_is_empty(store: Store) -> None:
    loaded = store.load()
    assert (loaded.revision, list(loaded.intents), loaded.epoch) == (0, [], 0)
    assert store.read_changes() == ()
    assert store.changed_keys_since(0) == []


def test_what_was_committed_is_there_after_a_restart(store: Store, reopen: Reopen) -> None:
    owner = store.owner
    store.commit([change(None, one, revision=1, index=i) for i, one in enumerate(ONE_OF_EACH)], [])
    store.commit([change(SUBNET, None, revision=2), change(None, nic(1), revision=3)], [])
    loaded = reopen().load()
    expected = {key_of(one): one for one in (*ONE_OF_EACH, nic(1)) if one is not SUBNET}
    assert {key_of(one): one for one in loaded.intents} == expected
    assert (loaded.revision, loaded.owner) == (3, owner)


def test_the_last_of_several_changes_of_a_key_stays(store: Store) -> None:
    two, three = nic(1, revision=2), nic(1, revision=3)
    store.commit([change(None, nic(1), revision=1), change(nic(1), None, revision=1, index=1)], [])
    store.commit([change(None, two, revision=2), change(two, three, revision=3)], [])
    assert list(store.load().intents) == [three]


def test_the_log_tells_everything_newest_first(store: Store) -> None:
    first = [change(None, nic(i), revision=1, index=i, actor="zoë", reason="why\nnot") for i in range(3)]
    second = [change(nic(0), None, revision=2, request_id="r2"), change(NIC, NIC, revision=3)]
    store.commit(first, [])
    store.commit(second, [])
    everything = tuple(reversed(first + second))
    assert store.read_changes() == everything
    assert store.read_changes(limit=2) == everything[:2]
    assert store.read_changes(before=(2, 0)) == everything[2:]
    assert store.read_changes(before=(1, 1)) == everything[4:]
    assert store.read_changes(before=(1, 0)) == ()
    assert store.read_changes(key=key_of(nic(0))) == (second[0], first[0])
    assert store.read_changes(key=key_of(nic(0)), before=(2, 0)) == (first[0],)


def test_which_keys_changed_since(store: Store) -> None:
    store.commit([change(None, nic(i), revision=i) for i in (1, 2, 3)], [])
    store.commit([change(nic(1), None, revision=4)], [])
    keys = {i: key_of(nic(i)) for i in (1, 2, 3)}
    assert store.changed_keys_since(0) == [(keys[2], 2), (keys[3], 3), (keys[1], 4)]
    assert store.changed_keys_since(2) == [(keys[3], 3), (keys[1], 4)]
    assert store.changed_keys_since(4) == []
    with pytest.raises(OutOfRange, match="5"):
        store.changed_keys_since(5)


def test_a_revision_is_written_once(store: Store) -> None:
    store.commit([change(None, nic(1), revision=1)], [])
    with pytest.raises(StoreUnavailable):
        store.commit([change(None, nic(3), revision=2), change(None, nic(2), revision=1)], [])
    assert list(store.load().intents) == [nic(1)]
    assert store.load().revision == 1
    store.commit([change(None, nic(2), revision=2)], [])
    assert store.load().revision == 2


def answer(request_id: str, *, revision: int, time_s: float = 10.0) -> Remembered:
    made = nic(revision)
    outcomes = ((key_of(made), None, made), (key_of(NIC), NIC, NIC))
    return Remembered(
        request_id=request_id, body_hash=b"\x00hash", time_s=time_s, revision=revision, outcomes=outcomes
    )


def test_answers_are_remembered_across_restarts_and_later_changes(store: Store, reopen: Reopen) -> None:
    first, second = answer("a", revision=1), answer("b'\"; --", revision=2)
    store.commit([change(None, nic(1), revision=1), change(None, nic(2), revision=2)], [first, second])
    store.commit([change(nic(1), None, revision=3)], [])
    found = reopen().find_answers(["a", "b'\"; --", "unknown"], since_s=0.0)
    assert found == {"a": first, "b'\"; --": second}
    assert reopen().find_answers([], since_s=0.0) == {}


def test_answers_are_forgotten_after_their_time(store: Store) -> None:
    old, young = answer("old", revision=1, time_s=10.0), answer("young", revision=2, time_s=11.0)
    store.commit([change(None, nic(1), revision=1), change(None, nic(2), revision=2)], [old, young])
    assert set(store.find_answers(["old", "young"], since_s=10.5)) == {"young"}
    assert store.purge(10.5 + REMEMBER_S) == 1
    assert set(store.find_answers(["old", "young"], since_s=0.0)) == {"young"}
    assert store.purge(10.5 + REMEMBER_S) == 0


def test_an_expired_id_can_be_used_again(store: Store) -> None:
    store.commit([change(None, nic(1), revision=1)], [answer("a", revision=1)])
    again = answer("a", revision=2, time_s=10.0 + 2 * REMEMBER_S)
    store.commit([change(None, nic(2), revision=2)], [again])
    assert store.find_answers(["a"], since_s=0.0) == {"a": again}


def test_epochs_rise_across_restarts(store: Store, reopen: Reopen) -> None:
    assert [store.next_epoch(), store.next_epoch()] == [1, 2]
    again = reopen()
    assert again.load().epoch == 2
    assert again.next_epoch() == 3


def test_a_check_writes_nothing_that_is_seen(store: Store) -> None:
    store.check()
    assert store.load().revision == 0
    assert store.read_changes() == ()
