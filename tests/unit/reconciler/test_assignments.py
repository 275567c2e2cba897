"""The assignment book: a host gets what it must have when that changes, and the same object as long as it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.compiler.assignment import AssignmentSettings, compile_assignment
from netctl.compiler.observed import Observed
from netctl.compiler.steering import compile_service_chains
from netctl.model.chain import FailureHandling, ForwardingMode, NetworkFunction, ServiceChain
from netctl.model.intent import Intent
from netctl.model.keys import (
    HostId,
    NetworkFunctionId,
    NicId,
    ServiceChainId,
    SubnetId,
    TrafficMirrorId,
    VirtualSwitchId,
)
from netctl.model.mirror import MirrorSource, TrafficMirror
from netctl.model.nic import Nic, NicMode, TrunkVlan
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import SubnetKind
from netctl.reconciler.assignments import NEVER, AssignmentBook, Surroundings
from tests.intents import FakeSource, cluster, host, infra, meta, nic, snapshot, switch, vlan
from tests.security import address_group, category, in_categories, policy, rule
from tests.worlds import walks, worlds

H1, H2 = HostId("h1"), HostId("h2")
SETTINGS = AssignmentSettings(ovn_remote="tcp:192.0.2.100:6642", epoch=1)
FUNCTION = NetworkFunction(
    id=NetworkFunctionId("fw"),
    meta=meta("fw"),
    mode=ForwardingMode.INLINE,
    failure_handling=FailureHandling.FAIL_OPEN,
)
CHAIN = ServiceChain(id=ServiceChainId("c"), meta=meta("c"), functions=(FUNCTION.id,))
CHAINED = replace(vlan("v20", 20), service_chain=CHAIN.id)
MIRROR = TrafficMirror(
    id=TrafficMirrorId("m1"),
    meta=meta("m1"),
    host=H1,
    sources=(MirrorSource(virtual_switch=VirtualSwitchId("vs0")),),
    destinations=(NicId("n9"),),
)
RULED = (
    CHAIN,
    FUNCTION,
    category("web"),
    category("db"),
    policy("p1", "web", rules=(replace(rule("r1", "db"), service_chain=CHAIN.id),)),
)
BASE = [*infra(), vlan(), nic("n1"), nic("n2", number=6, host="h2")]


def changed(**kinds: Any) -> list[Any]:
    """Return the base with some of its intents in place of those of the same id."""
    return [kinds.get(intent.id, intent) for intent in BASE]


@pytest.mark.parametrize(
    "after",
    [
        changed(n1=nic("n1", host="h2")),
        changed(n1=nic("n1", host="")),
        changed(n1=replace(nic("n1"), mac_address="50:6b:8d:00:00:99")),
        [intent for intent in BASE if intent.id != "n1"],
        [*BASE, nic("n3", number=7)],
        changed(v10=replace(vlan(), mtu_bytes=1400)),
        changed(vs0=replace(switch(), mtu_bytes=9000)),
        changed(h1=replace(host(), tunnel_address="192.0.2.9/24")),
        changed(n1=replace(nic("n1"), basic=True)),
        [*changed(v10=replace(vlan(), service_chain=CHAIN.id)), CHAIN, FUNCTION],
        [*BASE, CHAINED, CHAIN, FUNCTION],
        [*BASE, MIRROR],
        [*changed(n1=in_categories(nic("n1"), "web")), *RULED],
    ],
    ids=[
        *("moves", "floats", "mac", "goes", "comes", "subnet", "switch", "host", "basic", "chained"),
        *("a chain on another subnet", "mirror", "a rule with a chain"),
    ],
)
@pytest.mark.parametrize("forgetful", [False, True])
def test_what_changes_is_told_to_every_host_that_it_concerns(after: list[Any], forgetful: bool) -> None:
    source = FakeSource()
    book = AssignmentBook(source, SETTINGS)
    for intents in (BASE, after, BASE):
        source.forgetful = forgetful
        source.set(snapshot(intents))
        for id_ in (H1, H2):
            want, told = compile_assignment(source.snapshot(), id_, SETTINGS), book.assignment(id_)
            assert want is not None
            assert told is not None
            assert replace(told, revision=0) == replace(want, revision=0)


def test_what_concerns_another_host_alone_is_not_told() -> None:
    source = FakeSource()
    book = AssignmentBook(source, SETTINGS)
    source.set(snapshot(BASE))
    before = book.assignment(H1)
    source.set(snapshot([*BASE, nic("n3", number=7, host="h2")]))
    assert book.assignment(H1) is before
    told = book.assignment(H2)
    assert told is not None
    assert [one.nic for one in told.nics] == ["n2", "n3"]


def test_a_host_that_is_gone_has_none() -> None:
    source = FakeSource()
    book = AssignmentBook(source, SETTINGS)
    source.set(snapshot(BASE))
    assert book.assignment(H1) is not None
    source.set(snapshot([intent for intent in BASE if intent.id not in ("h1", "n1")]))
    assert book.assignment(H1) is None


@settings(max_examples=40, deadline=None)
@given(states=st.lists(worlds(), min_size=2, max_size=4) | walks())
def test_whatever_changes_the_book_says_what_compiling_says(states: list[Snapshot]) -> None:
    source = FakeSource()
    book = AssignmentBook(source, SETTINGS)
    for state in states:
        source.set(state)
        for id_ in (H1, H2):
            want, told = compile_assignment(source.snapshot(), id_, SETTINGS), book.assignment(id_)
            assert want is not None
            assert told is not None
            assert replace(told, revision=0) == replace(want, revision=0)


class Counted:
    """Counts how often assignments, and chains alone, are compiled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.whole = self.chains = 0
        whole, chains = compile_assignment, compile_service_chains

        def count_whole(*given: Any) -> Any:
            self.whole += 1
            return whole(*given)

        def count_chains(*given: Any) -> Any:
            self.chains += 1
            return chains(*given)

        monkeypatch.setattr("netctl.reconciler.assignments.compile_assignment", count_whole)
        monkeypatch.setattr("netctl.reconciler.assignments.compile_service_chains", count_chains)

    def since(self) -> tuple[int, int]:
        """Return how often since the last call."""
        found = (self.whole, self.chains)
        self.whole = self.chains = 0
        return found


ELSEWHERE: list[tuple[str, list[Intent]]] = [
    ("a NIC of another host", [nic("n3", number=7, host="h2")]),
    ("another subnet", [vlan("v30", 30)]),
    ("another host", [host("h3", number=3)]),
    ("a switch without an uplink here", [switch("vs9", "br9")]),
    ("a mirror of another host", [replace(MIRROR, host=H2)]),
    ("a policy", [category("web"), policy("p1", "web")]),
    ("a group", [address_group("office", "10.9.0.0/16")]),
]


@pytest.mark.parametrize(("what", "more"), ELSEWHERE, ids=[name for name, _ in ELSEWHERE])
def test_what_is_elsewhere_compiles_nothing_again(
    what: str, more: list[Intent], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, source = Counted(monkeypatch), FakeSource()
    book = AssignmentBook(source, SETTINGS)
    source.set(snapshot(BASE))
    before = book.assignment(H1)
    assert counted.since() == (1, 0)
    source.set(snapshot([*BASE, *more]))
    assert book.assignment(H1) is before
    assert counted.since() == (0, 0)
    source.set(snapshot(BASE))
    told = book.assignment(H1)
    gone = what == "a mirror of another host"  # of one that is gone nobody knows where it was
    assert told is before or (gone and told is not None and told.mirrors == ())
    assert counted.since() == (1 if gone else 0, 0)


def test_with_chains_what_may_decide_them_compiles_them_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    counted, source = Counted(monkeypatch), FakeSource()
    book = AssignmentBook(source, SETTINGS)
    chained = [*BASE, CHAINED, CHAIN, FUNCTION]
    source.set(snapshot(chained))
    before = book.assignment(H1)
    assert counted.since() == (1, 0)
    source.set(snapshot([*chained, category("web"), policy("p1", "web"), nic("n3", number=7, host="h2")]))
    assert book.assignment(H1) is before
    assert counted.since() == (0, 1)
    source.set(snapshot([*BASE, replace(CHAINED, vlan_id=21), CHAIN, FUNCTION]))
    told = book.assignment(H1)
    assert told is not None
    assert [one.vlan_id for one in told.service_chains.segments] == [21]
    assert counted.since() == (1, 1)


def test_a_turn_and_what_ovn_can_are_told() -> None:
    source, held, observed = FakeSource(), {"br0"}, [Observed()]
    around = Surroundings(
        observed=lambda: observed[0], held=lambda snapshot, host: frozenset(held if host == H1 else ())
    )
    book = AssignmentBook(source, SETTINGS, around)
    source.set(snapshot(BASE))
    first = book.assignment(H1)
    assert first is not None
    assert [bridge.held for bridge in first.uplink_bridges] == [True]
    other = book.assignment(H2)
    assert other is not None
    assert [bridge.held for bridge in other.uplink_bridges] == [False]
    held.clear()
    freed = book.assignment(H1)
    assert freed is not None
    assert [bridge.held for bridge in freed.uplink_bridges] == [False]
    woken: list[int] = []
    book.on_assignment_change(lambda: woken.append(1))
    book.note_pass()
    assert not woken
    observed[0] = Observed(network_functions=True)
    book.note_pass()
    assert woken


def basic_n1(revision: int = 1) -> Nic:
    return replace(nic("n1", revision=revision), basic=True)


def test_a_nic_that_moves_to_ovn_stays_until_northd_has_its_port() -> None:
    source, written = FakeSource(), [0]
    book = AssignmentBook(source, SETTINGS, Surroundings(is_written=lambda revision: revision <= written[0]))
    beside = [*infra(), replace(vlan(), kind=SubnetKind.VLAN_BASIC), basic_n1()]
    source.set(snapshot(beside))
    before = book.assignment(H1)
    assert before is not None
    assert before.nics[0].bridge == "br0"
    assert book.told(H1, NicId("n1")) == 1
    source.set(snapshot([*infra(), vlan(), nic("n1", revision=2)]))
    waits = book.assignment(H1)
    assert waits is not None
    assert (waits.nics, waits.revision) == (before.nics, before.revision), "it is the assignment of before"
    assert book.told(H1, NicId("n1")) == NEVER
    woken: list[int] = []
    book.on_assignment_change(lambda: woken.append(1))
    book.note_pass()
    assert woken
    written[0] = 2
    moved = book.assignment(H1)
    assert moved is not None
    assert (moved.nics[0].bridge, moved.revision) == ("", 2)
    assert book.told(H1, NicId("n1")) == 2
    woken.clear()
    book.note_pass()
    assert not woken


def test_what_else_changes_meanwhile_is_told_and_a_nic_that_is_new_waits_for_nobody() -> None:
    source = FakeSource()
    book = AssignmentBook(source, SETTINGS, Surroundings(is_written=lambda revision: False))
    source.set(snapshot([*infra(), vlan(), basic_n1()]))
    book.assignment(H1)
    source.set(snapshot([*infra(), vlan(), nic("n1", revision=2), nic("new", number=7, revision=2)]))
    told = book.assignment(H1)
    assert told is not None
    assert [(one.nic, one.bridge) for one in told.nics] == [("n1", "br0"), ("new", "")]
    assert book.told(H1, NicId("new")) == 2


def test_a_nic_that_leaves_ovn_waits_for_nobody() -> None:
    source = FakeSource()
    book = AssignmentBook(source, SETTINGS, Surroundings(is_written=lambda revision: False))
    source.set(snapshot([*infra(), vlan(), nic()]))
    book.assignment(H1)
    source.set(snapshot([*infra(), vlan(), basic_n1(2)]))
    told = book.assignment(H1)
    assert told is not None
    assert told.nics[0].bridge == "br0"


def test_told_is_when_a_nic_last_became_what_it_is() -> None:
    source = FakeSource()
    book = AssignmentBook(source, SETTINGS)
    source.set(snapshot([cluster(), switch(), host(), vlan(), nic("n1"), nic("n2", number=6)]))
    assert book.told(H1, NicId("n1")) == 1
    source.set(
        snapshot([cluster(), switch(), host(), vlan(), nic("n1"), replace(nic("n2", number=6), basic=True)])
    )
    assert (book.told(H1, NicId("n1")), book.told(H1, NicId("n2"))) == (1, 2)
    assert book.told(H1, NicId("gone")) == NEVER
    assert book.told(H2, NicId("n1")) == NEVER


def test_a_chain_on_a_vlan_of_a_trunk_is_told_to_its_host() -> None:
    source = FakeSource()
    book = AssignmentBook(source, SETTINGS)
    tags = (TrunkVlan(vlan_id=20, subnet=SubnetId("v20")),)
    trunk = replace(basic_n1(), mode=NicMode.TRUNK, trunk_vlans=tags)
    second = replace(vlan("v20", 20), kind=SubnetKind.VLAN_BASIC)
    world = [*infra(), replace(vlan(), kind=SubnetKind.VLAN_BASIC), trunk, CHAIN, FUNCTION]
    for subnet, bridge in ((second, "br0"), (replace(second, service_chain=CHAIN.id), "br0.local")):
        source.set(snapshot([*world, subnet]))
        told = book.assignment(H1)
        assert told is not None
        assert told.nics[0].bridge == bridge


def test_whoever_asks_first_when_northd_has_the_port_the_host_is_told() -> None:
    source, written = FakeSource(), [0]
    book = AssignmentBook(source, SETTINGS, Surroundings(is_written=lambda revision: revision <= written[0]))
    source.set(snapshot([*infra(), vlan(), basic_n1()]))
    book.assignment(H1)
    source.set(snapshot([*infra(), vlan(), nic("n1", revision=2)]))
    book.assignment(H1)
    woken: list[int] = []
    book.on_assignment_change(lambda: woken.append(1))
    written[0] = 2
    assert book.told(H1, NicId("n1")) == 2, "a status was asked for"
    assert woken


def test_what_was_taken_back_before_it_was_told_is_to_be_heard_all_the_same() -> None:
    source = FakeSource()
    book = AssignmentBook(source, SETTINGS)
    states = (basic_n1(), nic("n1", revision=2), basic_n1(3))
    told = []
    for state in states:
        source.set(snapshot([*infra(), vlan(), state]))
        told.append((book.assignment(H1), book.last_told(H1)))
    assert [at for _, at in told] == [1, 2, 3]
    (first, _), _, (last, _) = told
    assert first is not None
    assert last is not None
    assert last.nics == first.nics
