"""Admission when the store fails, clients leave, too many come, or it has a bug itself."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from netctl.errors import NotFound, StoreUnavailable, Unavailable
from netctl.loop import wait_until
from netctl.server.admission import Admission, Limits, Request
from tests.fakes.store import FakeStore
from tests.unit.server.admission_samples import (
    ANSWER_S,
    create,
    foundation,
    hold,
    key,
    nic,
    remove,
    running,
)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def admission(store: FakeStore) -> Iterator[Admission]:
    with running(store) as one:
        yield one


def test_when_the_commit_fails_nothing_happened(admission: Admission, store: FakeStore) -> None:
    hold(admission, store)
    before = admission.snapshot()
    store.failing = "the disk is full"
    written = [admission.submit(create(nic(i))) for i in range(3)]
    rests_on_it = admission.submit(create(nic(1)))
    tried = admission.submit(create(nic(1), validate_only=True))
    refused = admission.submit(remove("unknown"))
    repeated = admission.submit(remove("unknown", id="a"))
    store.gate.set()
    for future in (*written, rests_on_it, repeated):
        assert isinstance(future.exception(ANSWER_S), StoreUnavailable)
    assert tried.result(ANSWER_S).revision == 1
    assert isinstance(refused.exception(ANSWER_S), NotFound)
    assert admission.snapshot() is before
    assert admission.problem() == "the disk is full"
    store.failing = ""
    assert admission.submit(create(nic(1))).result(ANSWER_S).revision == 2
    assert admission.problem() == ""


def test_a_store_that_works_again_is_noticed_without_a_request(
    admission: Admission, store: FakeStore
) -> None:
    store.failing = "the disk is full"
    assert isinstance(admission.submit(create(nic(1))).exception(ANSWER_S), StoreUnavailable)
    assert admission.problem() == "the disk is full"
    store.failing = ""
    wait_until(lambda: not admission.problem(), timeout_s=ANSWER_S, what="the store was tried again")


@pytest.mark.parametrize("call", range(1, 5))
def test_any_call_to_the_store_may_fail(store: FakeStore, call: int) -> None:
    """SQLite's way: the n-th call fails, n = 1, 2, 3; afterwards the same request has its one effect."""
    with running(store) as admission:
        store.fail_at = call
        for _ in range(3):
            error = admission.submit(create(nic(1), id="a")).exception(ANSWER_S)
            assert error is None or isinstance(error, StoreUnavailable)
        store.fail_at = 0
        admission.submit(create(nic(1), id="a")).result(ANSWER_S)
        assert len(store.read_changes(key=key(1))) == 1


def broken() -> Request:
    """Return a request that admission's author did not think of."""
    nonsense: Any = object()
    return Request(edits=(nonsense,))


def test_a_bug_is_told_to_its_group_and_the_next_is_served(admission: Admission, store: FakeStore) -> None:
    hold(admission, store)
    group = [admission.submit(create(nic(1))), admission.submit(broken())]
    store.gate.set()
    assert [type(future.exception(ANSWER_S)) for future in group] == [AttributeError, AttributeError]
    assert admission.submit(create(nic(2))).result(ANSWER_S).revision == 3
    assert admission.snapshot().get(key(1)) is None
    wait_until(lambda: not admission.problem(), timeout_s=ANSWER_S, what="recovered")


def test_after_a_bug_memory_is_not_trusted(admission: Admission, store: FakeStore) -> None:
    """The store has what was committed before the bug struck, so admission has it too."""
    store.bug = ZeroDivisionError("planted")
    assert isinstance(admission.submit(create(nic(1))).exception(ANSWER_S), ZeroDivisionError)
    assert admission.submit(create(nic(2))).result(ANSWER_S).revision == 3
    assert {c.key for c in store.read_changes()} == set(admission.snapshot().keys())
    assert admission.changed_since(1) is None  # what the bug hid is unknown


def test_a_bug_shows_until_a_step_succeeds(store: FakeStore) -> None:
    with running(store, backoff_s=0.2) as admission:
        store.bug = ZeroDivisionError("planted")
        assert isinstance(admission.submit(create(nic(1))).exception(ANSWER_S), ZeroDivisionError)
        wait_until(lambda: "planted" in admission.problem(), timeout_s=ANSWER_S, what="the bug shows")
        wait_until(lambda: not admission.problem(), timeout_s=ANSWER_S, what="recovered")
        assert admission.snapshot().get(key(1)) is not None


def test_a_client_that_went_away_leaves_nothing(admission: Admission, store: FakeStore) -> None:
    hold(admission, store)
    gone, late = (
        admission.submit(create(nic(1))),
        admission.submit(create(nic(2), deadline_s=time.monotonic())),
    )
    here = admission.submit(create(nic(3), deadline_s=time.monotonic() + ANSWER_S))
    assert gone.cancel()
    store.gate.set()
    assert here.result(ANSWER_S).revision == 3
    with pytest.raises(CancelledError):
        gone.result(ANSWER_S)
    with pytest.raises(Unavailable, match="deadline"):
        late.result(ANSWER_S)
    assert [admission.snapshot().get(key(i)) is None for i in (1, 2, 3)] == [True, True, False]


def test_the_queue_has_a_bound(store: FakeStore) -> None:
    with running(store, limits=Limits(waiting=3)) as admission:
        hold(admission, store)
        waiting = [admission.submit(create(nic(i))) for i in range(3)]
        with pytest.raises(Unavailable, match="too many waiting requests"):
            admission.submit(create(nic(4))).result(ANSWER_S)
        store.gate.set()
        assert all(future.result(ANSWER_S) for future in waiting)


def test_closing_serves_who_waits_and_refuses_who_comes(store: FakeStore) -> None:
    with running(store) as admission:
        hold(admission, store)
        waiting = [admission.submit(create(nic(i))) for i in range(3)]
        closing = threading.Thread(target=admission.close)
        closing.start()
        store.gate.set()
        closing.join(ANSWER_S)
        assert [future.result(0).revision for future in waiting] == [3, 4, 5]
        with pytest.raises(Unavailable, match="stopping"):
            admission.submit(create(nic(9))).result(ANSWER_S)
        assert admission.problem() == "admission is not running"


def test_admission_that_never_ran_leaves_nobody_waiting(store: FakeStore) -> None:
    admission = Admission(store)
    future = admission.submit(foundation())
    admission.close()
    with pytest.raises(Unavailable, match="stopped"):
        future.result(ANSWER_S)
