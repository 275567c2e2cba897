"""reconcile: whatever the path and the faults, the northbound database ends equal to the last intents."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.compiler.compile import compile_rows
from netctl.compiler.identity import port_uuid, switch_uuid
from netctl.errors import Conflict, NorthboundUnavailable
from netctl.model.keys import Kind
from netctl.model.snapshot import Snapshot
from netctl.model.status import Phase
from netctl.nb.diff import diff
from netctl.reconciler.board import StatusBoard
from netctl.reconciler.reconcile import Held, Reconciler, Settings
from tests.fakes.northbound import FakeNorthbound
from tests.intents import OWNER, FakeSource, infra, meta, nic, snapshot, uid_of, vlan
from tests.paths import EXPANDERS
from tests.worlds import worlds


class Bench:
    """A reconciler between a fake source and a fake northbound, with a clock that the test moves."""

    def __init__(self, northbound: FakeNorthbound | None = None, epoch: int = 1) -> None:
        self.source = FakeSource()
        self.northbound = northbound or FakeNorthbound(owner=OWNER)
        self.now = 100.0
        self.board = StatusBoard(self.source.snapshot, clock=lambda: self.now)
        self.reconciler = Reconciler(
            self.source,
            self.northbound,
            self.board,
            Settings(owner=OWNER, epoch=epoch),
            clock=lambda: self.now,
        )

    def arrive(self, *intents: Any) -> None:
        """Make the world these intents, and run a pass."""
        self.source.set(snapshot([*infra(), *intents]))
        self.reconciler.step()

    def try_step(self) -> None:
        """Run a pass that may fail."""
        with contextlib.suppress(NorthboundUnavailable):
            self.reconciler.step()

    def assert_equal(self) -> None:
        """The database holds what a full compilation gives, and a second pass writes nothing."""
        self.now += 60  # what was observed of the states before is forgotten
        self.reconciler.step()
        self.reconciler.step()
        want = compile_rows(self.source.snapshot(), OWNER, self.reconciler.observed)
        self.northbound.take_changed()
        assert not diff(want, self.northbound.owned_rows())
        written = len(self.northbound.deltas)
        self.now += 60  # a full comparison
        self.reconciler.step()
        assert len(self.northbound.deltas) == written

    def phase(self, name: str, kind: Kind = Kind.NIC) -> tuple[Phase, str]:
        status = self.board.status((kind, name))
        assert status is not None
        return status.phase, status.reason


@pytest.mark.parametrize("expand", EXPANDERS, ids=lambda f: f.__name__)
@settings(max_examples=25, deadline=None)
@given(states=st.lists(worlds(), min_size=1, max_size=4))
def test_path_independence(expand: Callable[..., Iterator[Any]], states: list[Snapshot]) -> None:
    bench = Bench()
    for state in expand(states, snapshot(infra())):
        bench.source.set(state)
        bench.reconciler.step()
    bench.assert_equal()


@settings(max_examples=25, deadline=None)
@given(
    states=st.lists(worlds(), min_size=2, max_size=4),
    faults=st.lists(st.integers(0, 5), min_size=4, max_size=4),
)
def test_faults_on_the_way_change_nothing_in_the_end(states: list[Snapshot], faults: list[int]) -> None:
    bench = Bench()
    for state, fault in zip(states, faults, strict=False):
        bench.source.set(state)
        if fault in (1, 2):
            bench.northbound.fail_next_apply(after_commit=fault == 2)
        elif fault == 3:
            bench.northbound.disconnect()
        elif fault == 4:
            bench.source.forgetful = True
            bench.reconciler.allow_mass_delete()  # a log that forgot explains nothing
            bench.reconciler.allow_mass_delete()  # nobody asked for what goes now, as far as the log tells
        elif fault == 5:
            bench.northbound.lose_data()
        bench.try_step()
        bench.northbound.reconnect()
        bench.source.forgetful = False
    bench.try_step()  # may meet the failure that an empty delta left waiting
    bench.reconciler.step()
    bench.assert_equal()


@pytest.mark.parametrize("after_commit", [False, True])
def test_a_failed_transaction_is_tried_again_without_a_reconnect(after_commit: bool) -> None:
    bench = Bench()
    bench.arrive(vlan())
    bench.northbound.fail_next_apply(after_commit=after_commit)
    with pytest.raises(NorthboundUnavailable):
        bench.arrive(vlan(), nic())
    bench.reconciler.step()
    want = compile_rows(bench.source.snapshot(), OWNER)
    assert not diff(want, bench.northbound.owned_rows())


def test_one_change_is_one_small_transaction() -> None:
    bench = Bench()
    bench.arrive(vlan(), nic("n1"), nic("n2", number=6))
    bench.arrive(vlan(), nic("n1"))
    assert len(bench.northbound.deltas) == 2
    assert len(bench.northbound.deltas[-1]) == 2  # the port's row, and its membership


def test_nothing_to_do_writes_nothing() -> None:
    bench = Bench()
    bench.arrive(vlan(), nic())
    bench.arrive(vlan(), nic())
    assert (len(bench.northbound.deltas), bench.northbound.nb_cfg) == (1, 1)


def test_a_hand_edit_is_repaired() -> None:
    bench = Bench()
    bench.arrive(vlan(), nic())
    port = port_uuid(uid_of("n1"))
    bench.northbound.hand_update("Logical_Switch_Port", port, {"addresses": frozenset({"unknown"})})
    bench.reconciler.step()
    bench.assert_equal()
    bench.northbound.hand_delete("Logical_Switch", switch_uuid(uid_of("v10")))
    bench.reconciler.step()
    bench.assert_equal()


def test_foreign_rows_members_and_keys_stay() -> None:
    bench = Bench()
    bench.northbound.hand_insert("Logical_Switch", "foreign", {"name": "theirs"})
    bench.arrive(vlan(), nic())
    switch, port = switch_uuid(uid_of("v10")), port_uuid(uid_of("n1"))
    bench.northbound.hand_insert("Logical_Switch_Port", "p", {"name": "p"})
    bench.northbound.hand_add("Logical_Switch", switch, "ports", "p")
    options = {"requested-chassis": "h1", "qos_max_rate": "5"}
    bench.northbound.hand_update("Logical_Switch_Port", port, {"options": options})
    bench.arrive(vlan(), nic(host=""))
    row = bench.northbound.read_row("Logical_Switch_Port", port)
    assert row is not None
    assert row["options"] == {"qos_max_rate": "5"}
    assert "p" in bench.northbound.read_members("Logical_Switch", switch, "ports")
    assert bench.northbound.read_row("Logical_Switch", "foreign") is not None
    bench.assert_equal()


def many(count: int) -> list[Any]:
    return [vlan(), *(nic(f"n{i}", number=i % 200 + 5, host="") for i in range(count))]


def test_an_emptied_store_does_not_wipe_the_network() -> None:
    first = Bench()
    first.arrive(*many(60))
    rows = dict(first.northbound.owned_rows())
    second = Bench(first.northbound, epoch=2)
    second.source.set(snapshot(infra()))
    with pytest.raises(Held, match="allow-mass-delete"):
        second.reconciler.step()
    assert dict(first.northbound.owned_rows()) == rows
    second.reconciler.allow_mass_delete()
    second.reconciler.step()
    assert dict(first.northbound.owned_rows()) == {}


def test_what_users_removed_is_removed_however_much_it_is() -> None:
    bench = Bench()
    bench.arrive(*many(60))
    bench.arrive()
    assert dict(bench.northbound.owned_rows()) == {}


def test_a_poison_intent_is_set_aside_and_the_rest_goes_on() -> None:
    bench = Bench()
    bench.northbound.hand_insert("Logical_Switch", "foreign", {"name": "theirs"})
    bench.northbound.hand_insert("Logical_Switch_Port", "thief", {"name": uid_of("n2")})
    bench.northbound.hand_add("Logical_Switch", "foreign", "ports", "thief")
    bench.arrive(vlan(), *(nic(f"n{i}", number=i + 5, host="") for i in range(8)))
    written = {fact[1] for fact in bench.northbound.owned_rows()}
    assert {port_uuid(uid_of(f"n{i}")) in written for i in range(8) if i != 2} == {True}
    assert port_uuid(uid_of("n2")) not in written
    assert bench.phase("n2") == (Phase.FAILED, "REJECTED_BY_OVN")
    assert bench.phase("n3") == (Phase.PENDING, "NOT_ATTACHED")
    before = len(bench.northbound.deltas)
    bench.reconciler.step()
    assert len(bench.northbound.deltas) == before  # frozen, not tried again and again
    bench.northbound.hand_delete("Logical_Switch_Port", "thief")
    bench.now += 60
    bench.reconciler.step()
    assert bench.phase("n2") == (Phase.PENDING, "NOT_ATTACHED")
    bench.assert_equal()


def test_a_poisoned_subnet_takes_its_nics_along_and_no_others() -> None:
    bench = Bench()
    bench.northbound.hand_insert("Logical_Switch", "foreign", {"name": "theirs"})
    bench.northbound.hand_insert("Logical_Switch_Port", "thief", {"name": f"localnet-{uid_of('v20')}-vs0"})
    bench.northbound.hand_add("Logical_Switch", "foreign", "ports", "thief")
    bench.arrive(vlan(), nic("n1", host=""), vlan("v20", 20), nic("n2", "v20", number=6, host=""))
    assert bench.phase("v20", Kind.SUBNET)[1] == bench.phase("n2")[1] == "REJECTED_BY_OVN"
    assert bench.phase("n1") == (Phase.PENDING, "NOT_ATTACHED")


def test_a_stale_controller_is_refused() -> None:
    old = Bench(epoch=1)
    old.arrive(vlan())
    new = Bench(old.northbound, epoch=2)
    new.arrive(vlan(), nic())
    with pytest.raises(Conflict):
        old.arrive()
    new.assert_equal()


def test_a_subnet_is_programmed_when_northd_has_it() -> None:
    bench = Bench()
    bench.northbound.hold_northd()
    bench.arrive(vlan())
    assert bench.phase("v10", Kind.SUBNET) == (Phase.PENDING, "WAITING_FOR_NORTHD")
    bench.northbound.release_northd()
    bench.reconciler.step()
    assert bench.phase("v10", Kind.SUBNET) == (Phase.PROGRAMMED, "")


def test_a_restarted_controller_writes_nothing_when_nothing_changed() -> None:
    first = Bench()
    first.arrive(vlan(), nic())
    second = Bench(first.northbound, epoch=2)
    second.arrive(vlan(), nic())
    assert len(first.northbound.deltas) == 1
    assert second.phase("v10", Kind.SUBNET) == (Phase.PROGRAMMED, "")


def test_a_reused_name_is_another_port() -> None:
    bench = Bench()
    bench.arrive(vlan(), nic())
    again = replace(nic(), meta=replace(meta("n1"), uid=uid_of("n1 again")))
    bench.arrive(vlan(), again)
    written = {key[1] for key in bench.northbound.owned_rows()}
    assert port_uuid(uid_of("n1 again")) in written
    assert port_uuid(uid_of("n1")) not in written


def test_one_permit_is_for_one_mass_delete() -> None:
    first = Bench()
    first.arrive(*many(60))
    second = Bench(first.northbound, epoch=2)
    second.reconciler.allow_mass_delete()
    second.arrive(vlan())
    first.northbound.hand_insert("Logical_Switch", "copied", {"name": "copied"})
    rows = [f"copy-{number}" for number in range(60)]
    for uuid in rows:
        columns: dict[str, Any] = {"name": uuid, "external_ids": {"netctl:owner": OWNER, "netctl:id": uuid}}
        first.northbound.hand_insert("Logical_Switch_Port", uuid, columns)
        first.northbound.hand_add("Logical_Switch", "copied", "ports", uuid)
    with pytest.raises(Held, match="allow-mass-delete"):
        second.reconciler.step()


def test_a_mended_intent_is_tried_at_once() -> None:
    bench = Bench()
    bench.northbound.hand_insert("Logical_Switch", "foreign", {"name": "theirs"})
    bench.northbound.hand_insert("Logical_Switch_Port", "thief", {"name": uid_of("n1")})
    bench.northbound.hand_add("Logical_Switch", "foreign", "ports", "thief")
    bench.arrive(vlan(), nic("n1", host=""))
    assert bench.phase("n1") == (Phase.FAILED, "REJECTED_BY_OVN")
    bench.northbound.hand_delete("Logical_Switch_Port", "thief")
    bench.arrive(vlan(), nic("n1", host="", revision=2))
    assert bench.phase("n1") == (Phase.PENDING, "NOT_ATTACHED")
    assert ("Logical_Switch_Port", port_uuid(uid_of("n1"))) in bench.northbound.owned_rows()
