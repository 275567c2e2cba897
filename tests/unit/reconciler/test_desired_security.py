"""DesiredFacts with security policies: after any path of updates, exactly what a full compilation gives."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.compiler.compile import compile_rows
from netctl.compiler.observed import Observed
from netctl.model.snapshot import Snapshot
from netctl.reconciler.desired import DesiredFacts
from tests.intents import OWNER, FakeSource
from tests.security_worlds import security_observations, security_walks, security_worlds


@settings(max_examples=100, deadline=None)
@given(states=security_walks(), observed=st.lists(security_observations(), min_size=7, max_size=7))
def test_one_change_recompiles_all_that_read_it(states: list[Snapshot], observed: list[Observed]) -> None:
    source, desired = FakeSource(), DesiredFacts(OWNER)
    before = observed[0]
    for state, after in zip(states, observed, strict=False):
        source.set(state)
        for seen in (before, after):  # the intents change alone, then what is observed
            desired.update(source.snapshot(), source.changed_since(desired.revision), seen)
            assert dict(desired.facts) == compile_rows(source.snapshot(), OWNER, seen)
        before = after


@settings(max_examples=100, deadline=None)
@given(states=st.lists(st.tuples(security_worlds(), security_observations()), min_size=2, max_size=3))
def test_any_world_becomes_any_other(states: list[tuple[Snapshot, Observed]]) -> None:
    source, desired = FakeSource(), DesiredFacts(OWNER)
    for state, observed in states:
        before = dict(desired.facts)
        source.set(state)
        touched = desired.update(source.snapshot(), source.changed_since(desired.revision), observed)
        assert dict(desired.facts) == compile_rows(source.snapshot(), OWNER, observed)
        assert touched >= {
            key for key in before.keys() | desired.facts.keys() if before.get(key) != desired.facts.get(key)
        }
