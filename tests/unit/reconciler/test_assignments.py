"""The assignment book: a host gets what it must have when that changes, and the same object as long as it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netctl.compiler.assignment import AssignmentSettings, compile_assignment
from netctl.model.keys import HostId
from netctl.reconciler.assignments import AssignmentBook
from tests.intents import FakeSource, host, infra, nic, snapshot, switch, vlan

H1, H2 = HostId("h1"), HostId("h2")
SETTINGS = AssignmentSettings(ovn_remote="tcp:192.0.2.100:6642", epoch=1)
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
    ],
    ids=["moves", "floats", "mac", "goes", "comes", "subnet", "switch", "host"],
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
