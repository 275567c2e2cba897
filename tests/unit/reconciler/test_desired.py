"""DesiredFacts: after any path of updates, exactly what a full compilation gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.compiler.compile import compile_rows
from netctl.model.snapshot import Snapshot
from netctl.reconciler.desired import DesiredFacts
from tests.intents import OWNER, FakeSource, infra, nic, snapshot, vlan
from tests.paths import EXPANDERS
from tests.worlds import worlds


@pytest.mark.parametrize("expand", EXPANDERS, ids=lambda f: f.__name__)
@settings(max_examples=30, deadline=None)
@given(states=st.lists(worlds(), min_size=1, max_size=4))
def test_incremental_equals_full_and_names_what_it_touched(
    expand: Callable[..., Iterator[Any]], states: list[Snapshot]
) -> None:
    source, desired = FakeSource(), DesiredFacts(OWNER)
    for state in expand(states, Snapshot.empty()):
        before = dict(desired.facts)
        source.set(state)
        touched = desired.update(source.snapshot(), source.changed_since(desired.revision))
        assert dict(desired.facts) == compile_rows(source.snapshot(), OWNER)
        differing = {
            key for key in before.keys() | desired.facts.keys() if before.get(key) != desired.facts.get(key)
        }
        assert differing <= touched


@settings(max_examples=30, deadline=None)
@given(states=st.lists(worlds(), min_size=2, max_size=3))
def test_a_source_that_forgot_is_recompiled_whole(states: list[Snapshot]) -> None:
    source, desired = FakeSource(), DesiredFacts(OWNER)
    source.forgetful = True
    for state in states:
        source.set(state)
        desired.update(source.snapshot(), source.changed_since(desired.revision))
        assert dict(desired.facts) == compile_rows(source.snapshot(), OWNER)
        assert set(desired.intent_of) == set(desired.facts)


def test_a_change_of_a_subnet_is_one_of_its_nics_too() -> None:
    source, desired = FakeSource(), DesiredFacts(OWNER)
    for dhcp in (True, False, True):
        source.set(snapshot([*infra(), vlan(dhcp=dhcp), nic()]))
        desired.update(source.snapshot(), source.changed_since(desired.revision))
        assert dict(desired.facts) == compile_rows(source.snapshot(), OWNER)
