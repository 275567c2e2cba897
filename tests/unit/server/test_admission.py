"""Admission answers what is durable, in order, once."""

import threading
from collections.abc import Iterator

import pytest

from netctl.errors import AlreadyExists, InvalidIntent, NotFound, Unsupported
from netctl.loop import wait_until
from netctl.model.infra import Cluster
from netctl.model.keys import Kind, SubnetId
from netctl.model.nic import Nic
from netctl.model.subnet import IpConfig, Ipv6Mode, Subnet, SubnetKind
from netctl.server.admission import Admission, Answer, Limits
from netctl.store.records import REMEMBER_S
from tests.fakes.store import FakeStore
from tests.unit.server.admission_samples import (
    ANSWER_S,
    C1,
    create,
    foundation,
    hold,
    key,
    nic,
    remove,
    replace,
    running,
)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def admission(store: FakeStore) -> Iterator[Admission]:
    with running(store) as one:
        yield one


def test_an_answer_can_be_read_back(admission: Admission, store: FakeStore) -> None:
    answer = admission.submit(create(nic(1), actor="zoë", reason="why")).result(ANSWER_S)
    assert answer.revision == 2
    made = answer.results[0].after
    assert made is not None
    assert admission.snapshot().get(key(1)) is made
    assert admission.snapshot().revision == made.meta.revision == 2
    entry = store.read_changes()[0]
    assert (entry.actor, entry.reason, entry.key, entry.before, entry.after) == (
        "zoë",
        "why",
        key(1),
        None,
        made,
    )


def test_a_request_is_all_or_nothing(admission: Admission) -> None:
    before = admission.snapshot()
    with pytest.raises(AlreadyExists) as caught:
        admission.submit(create(nic(1), nic(2), nic(1), batch=True)).result(ANSWER_S)
    assert caught.value.field == "edits[2].name"
    assert admission.snapshot() is before


def test_a_refused_request_leaves_nothing_to_its_group(admission: Admission, store: FakeStore) -> None:
    hold(admission, store)
    refused = admission.submit(create(nic(1), nic(2), nic(1)))
    made = admission.submit(create(nic(2), nic(3)))
    store.gate.set()
    assert isinstance(refused.exception(ANSWER_S), AlreadyExists)
    assert made.result(ANSWER_S).revision == 3
    assert {one.id for one in admission.snapshot().of_kind(Kind.NIC)} == {"n-held", "n-2", "n-3"}


def test_a_group_is_one_commit_and_each_request_a_revision(admission: Admission, store: FakeStore) -> None:
    hold(admission, store)
    futures = [admission.submit(create(nic(i))) for i in range(50)]
    refused = admission.submit(create(nic(7)))
    futures.append(admission.submit(remove(3)))
    store.gate.set()
    assert [future.result(ANSWER_S).revision for future in futures] == list(range(3, 54))
    with pytest.raises(AlreadyExists):
        refused.result(ANSWER_S)
    assert store.commits == [(3, 0), (1, 0), (51, 0)]
    nics = admission.snapshot().of_kind(Kind.NIC)
    assert len({one.ipv4_address for one in nics if isinstance(one, Nic)}) == 50


def test_a_group_has_a_size(store: FakeStore) -> None:
    with running(store, limits=Limits(group_requests=4, group_edits=6)) as admission:
        hold(admission, store)
        futures = [admission.submit(create(nic(i))) for i in range(5)]
        futures.append(admission.submit(create(*(nic(f"b{i}") for i in range(10)))))
        futures.append(admission.submit(create(nic("last"))))
        store.gate.set()
        assert all(future.result(ANSWER_S) for future in futures)
    assert store.commits[2:] == [(4, 0), (1, 0), (10, 0), (1, 0)]


def test_who_validates_only_changes_nothing(admission: Admission, store: FakeStore) -> None:
    hold(admission, store)
    tried = admission.submit(create(nic(1), validate_only=True, id="a"))
    made = admission.submit(create(nic(1), id="a"))
    again = admission.submit(create(nic(1), validate_only=True))
    store.gate.set()
    assert tried.result(ANSWER_S).results[0].after is not None
    assert made.result(ANSWER_S).replayed is False
    with pytest.raises(AlreadyExists):
        again.result(ANSWER_S)
    assert len(store.read_changes(key=key(1))) == 1


def test_what_changes_nothing_takes_no_revision(admission: Admission, store: FakeStore) -> None:
    made = admission.submit(create(nic(1))).result(ANSWER_S)
    before, commits = admission.snapshot(), len(store.commits)
    same = admission.submit(replace(nic(1))).result(ANSWER_S)
    assert same == Answer(revision=made.revision, results=same.results)
    assert same.results[0].before is same.results[0].after
    assert admission.snapshot() is before
    assert len(store.commits) == commits


def test_a_repeated_request_has_one_effect_and_the_same_answer(
    admission: Admission, store: FakeStore
) -> None:
    first = admission.submit(create(nic(1), id="a")).result(ANSWER_S)
    admission.submit(remove(1)).result(ANSWER_S)
    second = admission.submit(create(nic(1), id="a")).result(ANSWER_S)
    assert second == Answer(revision=first.revision, results=first.results, replayed=True)
    assert admission.snapshot().get(key(1)) is None


def test_ten_thousand_repeats_have_one_effect(admission: Admission, store: FakeStore) -> None:
    repeats = [admission.submit(create(nic(1), id="a")) for _ in range(10_000)]
    answers = [future.result(ANSWER_S) for future in repeats]
    assert [answer.replayed for answer in answers] == [False] + [True] * 9_999
    assert len({answer.revision for answer in answers}) == 1
    assert len(store.read_changes(key=key(1))) == 1


def test_an_id_serves_one_request(admission: Admission) -> None:
    admission.submit(create(nic(1), id="a")).result(ANSWER_S)
    with pytest.raises(InvalidIntent) as caught:
        admission.submit(create(nic(2), id="a")).result(ANSWER_S)
    assert caught.value.field == "request_id"


def test_a_request_repeated_within_a_group_has_one_effect(admission: Admission, store: FakeStore) -> None:
    hold(admission, store)
    first, second = (admission.submit(create(nic(1), id="a")) for _ in range(2))
    other = admission.submit(create(nic(2), id="a"))
    store.gate.set()
    assert first.result(ANSWER_S).results == second.result(ANSWER_S).results
    assert second.result().replayed
    assert isinstance(other.exception(ANSWER_S), InvalidIntent)
    assert store.commits[-1] == (1, 1)


def test_a_repeated_request_that_changed_nothing_still_changes_nothing(admission: Admission) -> None:
    """Judged anew it would undo what somebody else did since."""
    admission.submit(create(nic(1))).result(ANSWER_S)
    first = admission.submit(replace(nic(1), id="a")).result(ANSWER_S)
    admission.submit(replace(nic(1, connected=False))).result(ANSWER_S)
    assert admission.submit(replace(nic(1), id="a")).result(ANSWER_S).results == first.results
    stored = admission.snapshot().get(key(1))
    assert isinstance(stored, Nic)
    assert not stored.connected


def test_errors_are_not_remembered(admission: Admission) -> None:
    with pytest.raises(NotFound):
        admission.submit(remove(1, id="a")).result(ANSWER_S)
    admission.submit(create(nic(1))).result(ANSWER_S)
    assert not admission.submit(remove(1, id="a")).result(ANSWER_S).replayed


def test_an_id_is_forgotten_after_a_day(store: FakeStore) -> None:
    now = [1_000_000.0]
    admission = Admission(store, clock=lambda: now[0])
    admission.start()
    admission.submit(foundation()).result(ANSWER_S)
    admission.submit(create(nic(1), id="a")).result(ANSWER_S)
    assert REMEMBER_S == 24 * 60 * 60, "what the API promises"
    now[0] += REMEMBER_S - 1
    assert admission.submit(create(nic(1), id="a")).result(ANSWER_S).replayed
    now[0] += 2
    with pytest.raises(AlreadyExists):
        admission.submit(create(nic(1), id="a")).result(ANSWER_S)
    admission.close()


def test_answers_outlive_the_controller(store: FakeStore) -> None:
    with running(store) as admission:
        first = admission.submit(create(nic(1), id="a")).result(ANSWER_S)
    with running(store) as admission:
        assert admission.snapshot().revision == 2
        again = admission.submit(create(nic(1), id="a")).result(ANSWER_S)
    assert (again.results, again.replayed) == (first.results, True)


def test_which_keys_changed(admission: Admission) -> None:
    admission.submit(create(nic(1), nic(2))).result(ANSWER_S)
    admission.submit(remove(1)).result(ANSWER_S)
    assert admission.changed_since(3) == frozenset()
    assert admission.changed_since(2) == frozenset({key(1)})
    assert admission.changed_since(1) == frozenset({key(1), key(2)})
    assert admission.changed_since(4) is None


def test_callers_back_see_what_was_published(admission: Admission) -> None:
    seen: list[int] = []
    admission.on_change(lambda: seen.append(admission.snapshot().revision))
    admission.submit(create(nic(1))).result(ANSWER_S)
    admission.submit(replace(nic(1))).result(ANSWER_S)
    admission.submit(remove(1)).result(ANSWER_S)
    wait_until(lambda: seen == [2, 3], timeout_s=ANSWER_S, what=f"called back twice: {seen}")


def test_a_hundred_clients_share_a_small_subnet(store: FakeStore) -> None:
    """/28: 14 hosts, less what admission keeps for itself; not one address twice, not one lost."""
    with running(store, cidr="10.0.0.0/28") as admission:
        outcomes: list[str] = []

        def client(number: int) -> None:
            error = admission.submit(create(nic(number))).exception(ANSWER_S)
            outcomes.append("made" if error is None else type(error).__name__)

        threads = [threading.Thread(target=client, args=(i,)) for i in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(ANSWER_S)
        made = [one for one in admission.snapshot().of_kind(Kind.NIC) if isinstance(one, Nic)]
    assert set(outcomes) == {"made", "Exhausted"}
    assert len(made) == outcomes.count("made")
    assert len({one.ipv4_address for one in made}) == len(made) > 10


def test_a_subnet_whose_cluster_changed_comes_along(admission: Admission, store: FakeStore) -> None:
    """One edit may change more than its own intent; it still has one result, now and when it is repeated."""
    overlay = Subnet(id=SubnetId("o"), kind=SubnetKind.OVERLAY, clusters=(C1,))
    admission.submit(create(overlay)).result(ANSWER_S)
    bigger = Cluster(id=C1, underlay_mtu_bytes=9000)
    first = admission.submit(replace(bigger, id="a")).result(ANSWER_S)
    assert [result.key for result in first.results] == [(Kind.CLUSTER, "c1")]
    assert {c.key for c in store.read_changes(limit=2)} == {(Kind.CLUSTER, "c1"), (Kind.SUBNET, "o")}
    assert admission.submit(replace(bigger, id="a")).result(ANSWER_S).results == first.results


def test_the_core_is_told_whether_ovn_may_answer_dhcpv6(store: FakeStore) -> None:
    """As it is when the request's turn comes: OVN may be upgraded while the controller runs."""
    safe = False
    admission = Admission(store, dhcpv6=lambda: safe)
    admission.start()
    asked = Subnet(
        id=SubnetId("six"),
        kind=SubnetKind.OVERLAY,
        clusters=(C1,),
        ipv6=IpConfig(version=6, cidr="2001:db8::/64"),
        ipv6_mode=Ipv6Mode.DHCPV6_STATEFUL,
    )
    try:
        admission.submit(create(Cluster(id=C1))).result(ANSWER_S)
        with pytest.raises(Unsupported, match="DHCPv6"):
            admission.submit(create(asked)).result(ANSWER_S)
        safe = True
        assert admission.submit(create(asked)).result(ANSWER_S).results[0].after is not None
    finally:
        admission.close()
