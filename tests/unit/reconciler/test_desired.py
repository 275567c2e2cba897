"""DesiredFacts: after any path of updates, exactly what a full compilation gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.compiler.compile import compile_rows
from netctl.compiler.observed import Observed
from netctl.model.keys import SubnetId
from netctl.model.route import Bfd
from netctl.model.snapshot import Snapshot
from netctl.model.vpc import ExternalConnection
from netctl.reconciler.desired import DesiredFacts
from tests.intents import OWNER, FakeSource, infra, nic, snapshot, vlan
from tests.paths import EXPANDERS
from tests.vpcs import connection, external, inside, route, transit, vpc
from tests.worlds import observations, walks, worlds


@pytest.mark.parametrize("expand", EXPANDERS, ids=lambda f: f.__name__)
@settings(max_examples=30, deadline=None)
@given(states=st.lists(st.tuples(worlds(), observations()), min_size=1, max_size=4))
def test_incremental_equals_full_and_names_what_it_touched(
    expand: Callable[..., Iterator[Any]], states: list[tuple[Snapshot, Observed]]
) -> None:
    source, desired = FakeSource(), DesiredFacts(OWNER)
    for state, observed in expand(states, (Snapshot.empty(), Observed())):
        before = dict(desired.facts)
        source.set(state)
        touched = desired.update(source.snapshot(), source.changed_since(desired.revision), observed)
        assert dict(desired.facts) == compile_rows(source.snapshot(), OWNER, observed)
        differing = {
            key for key in before.keys() | desired.facts.keys() if before.get(key) != desired.facts.get(key)
        }
        assert differing <= touched


@settings(max_examples=150, deadline=None)
@given(states=walks(), observed=st.lists(observations(), min_size=6, max_size=6))
def test_one_change_recompiles_all_that_read_it(states: list[Snapshot], observed: list[Observed]) -> None:
    source, desired = FakeSource(), DesiredFacts(OWNER)
    before = observed[0]
    for state, after in zip(states, observed, strict=False):
        source.set(state)
        for seen in (before, after):  # the intents change alone, then what is observed
            desired.update(source.snapshot(), source.changed_since(desired.revision), seen)
            assert dict(desired.facts) == compile_rows(source.snapshot(), OWNER, seen)
        before = after


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


def test_a_bfd_session_passes_from_one_route_to_another() -> None:
    source, desired = FakeSource(), DesiredFacts(OWNER)
    world = (*infra(), vpc("blue", connection()), external())
    second = route("b", "192.168.0.0/16", bfd=Bfd(min_rx_ms=900))
    for first in (route("a", bfd=Bfd(min_rx_ms=300)), route("a"), route("a", bfd=Bfd(min_rx_ms=300))):
        source.set(snapshot([*world, first, second]))
        desired.update(source.snapshot(), source.changed_since(desired.revision))
        assert dict(desired.facts) == compile_rows(source.snapshot(), OWNER)
        (holder,) = (key for fact, key in desired.intent_of.items() if fact[0] == "BFD")
        assert holder[1] == ("a" if first.bfd else "b")


def test_the_next_route_takes_over_when_the_first_goes_and_steps_back_when_it_returns() -> None:
    source, desired = FakeSource(), DesiredFacts(OWNER)
    world = (*infra(), vpc("blue", connection()), external(), route("spare", priority=50))
    for first, holder in (((), "spare"), ((route("first"),), "first"), ((), "spare")):
        source.set(snapshot([*world, *first]))
        desired.update(source.snapshot(), source.changed_since(desired.revision))
        assert dict(desired.facts) == compile_rows(source.snapshot(), OWNER)
        found = {key for fact, key in desired.intent_of.items() if fact[0] == "Logical_Router_Static_Route"}
        assert {id for _, id in found} == {holder}


def test_a_spokes_rows_follow_the_exits_of_its_hub() -> None:
    source, desired = FakeSource(), DesiredFacts(OWNER)
    to_hub = ExternalConnection(
        subnet=SubnetId("transfer"), ipv4_address="100.64.0.10", mac_address="50:6b:8d:00:09:01"
    )
    spoke = vpc("blue", to_hub, externally_routable_prefixes=("10.0.1.0/24",))
    for exits in ((), (connection(),), ()):
        source.set(snapshot([*infra(), external(), transit("hub", *exits), inside(), spoke]))
        desired.update(source.snapshot(), source.changed_since(desired.revision))
        assert dict(desired.facts) == compile_rows(source.snapshot(), OWNER)
        translated = [key for fact, key in desired.intent_of.items() if fact[0] == "NAT"]
        assert bool(translated) == bool(exits)
