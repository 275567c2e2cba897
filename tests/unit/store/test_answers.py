"""An answer is stored as what the change log does not say, and comes back whole."""

import dataclasses

import pytest

from netctl.model.intent import Change, Intent, key_of
from netctl.store.answers import decode_answer, encode_answer
from netctl.store.records import Outcome, Remembered
from tests.unit.store.samples import NIC, SUBNET, change, nic

CREATED: Outcome = (key_of(nic(1)), None, nic(1))
REMOVED: Outcome = (key_of(nic(2)), nic(2), None)
REPLACED: Outcome = (key_of(SUBNET), SUBNET, dataclasses.replace(SUBNET, vlan_id=13))
UNCHANGED: Outcome = (key_of(NIC), NIC, NIC)
NEVER_THERE: Outcome = (key_of(nic(3)), None, None)


def entries(outcomes: tuple[Outcome, ...]) -> list[Change]:
    changed = [(before, after) for _, before, after in outcomes if before is not after]
    return [change(before, after, revision=9, index=i) for i, (before, after) in enumerate(changed)]


def remembered(*outcomes: Outcome, extras: tuple[int, ...] = ()) -> Remembered:
    return Remembered(
        request_id="id", body_hash=b"hash", time_s=5.0, revision=9, outcomes=outcomes, extras=extras
    )


@pytest.mark.parametrize(
    "outcomes",
    [
        (),
        (CREATED,),
        (UNCHANGED,),
        (CREATED, UNCHANGED, REMOVED, NEVER_THERE, REPLACED),
        (UNCHANGED, UNCHANGED, REPLACED),
    ],
    ids=len,
)
def test_an_answer_comes_back_with_the_help_of_the_log(outcomes: tuple[Outcome, ...]) -> None:
    answer = remembered(*outcomes)
    row = ("id", b"hash", 5.0, encode_answer(answer))
    back = decode_answer(row, lambda revision: entries(outcomes) if revision == 9 else [])
    assert back == answer
    assert [before is after for _, before, after in back.outcomes] == [b is a for _, b, a in outcomes]


def test_entries_that_no_outcome_stands_for_are_left_out() -> None:
    """An edit may change more than its own intent: a cluster's MTU changes the MTU of its subnets."""
    answer = remembered(CREATED, REMOVED, extras=(1, 3))
    row = ("id", b"hash", 5.0, encode_answer(answer))
    log = entries((CREATED, REPLACED, REMOVED, REPLACED))
    assert decode_answer(row, lambda _: log) == answer


def test_an_answer_whose_changes_are_gone_is_forgotten() -> None:
    row = ("id", b"hash", 5.0, encode_answer(remembered(CREATED, REMOVED)))
    assert decode_answer(row, lambda _: entries((CREATED,))) is None


def test_the_size_of_an_answer_is_that_of_what_did_not_change() -> None:
    made: list[Intent] = [nic(i) for i in range(1000)]
    assert len(encode_answer(remembered(*((key_of(n), None, n) for n in made)))) < 32
