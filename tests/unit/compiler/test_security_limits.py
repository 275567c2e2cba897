"""What admission counts is what is compiled, and what it lets in has room and is compiled in time."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netctl.compiler.clause import Phase
from netctl.compiler.clauses import lines_of
from netctl.compiler.membership import in_term, nics_of_term, ports_of, terms_of_port
from netctl.compiler.priority import ACL_BANDS
from netctl.model.bands import MONITORED, clause_counts
from netctl.model.groups import DEPTH_MAX
from netctl.model.keys import NicId
from netctl.model.security_policy import (
    CLAUSES_MAX,
    MONITORED_CLAUSES_MAX,
    PolicyMode,
    SecurityPolicy,
)
from tests.intents import snapshot
from tests.security import entity_group, small_world
from tests.unit.model.test_security_machine import policies


@given(st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_counted_is_what_is_lowered(data: st.DataObject) -> None:
    policy: SecurityPolicy = data.draw(policies)
    lowered = Counter(
        (MONITORED, 0, clause.direction.value)
        if clause.monitored
        else (clause.kind.value, clause.phase.value, clause.direction.value)
        for clause in (line.clause for line in lines_of(policy))
    )
    assert clause_counts(policy) == ({} if policy.mode is PolicyMode.SAVE else dict(lowered))


def test_each_band_holds_what_admission_lets_in() -> None:
    wanted = {(kind, Phase(phase)): limit for (kind, phase), limit in CLAUSES_MAX.items()}
    assert {band for band in ACL_BANDS if band is not None} == set(wanted)
    assert all(ACL_BANDS[band].places >= limit for band, limit in wanted.items())
    assert ACL_BANDS[None].places >= MONITORED_CLAUSES_MAX


def test_many_ways_through_groups_are_walked_once() -> None:
    """Three selectors in each name the one below: 3^15 ways."""
    groups = [entity_group("g0", "web")]
    for i in range(1, DEPTH_MAX):
        below = f"entityGroups/g{i - 1}"
        groups.append(entity_group(f"g{i}", f"{below},web", f"{below},prod", below, without=(f"{below},db",)))
    world = snapshot(small_world(*groups))
    top = f"entityGroups/g{DEPTH_MAX - 1}"
    assert nics_of_term(world, top) == {"w1", "w2", "pw1"}
    web = world.nic(NicId("w1"))
    assert web is not None
    (port,) = ports_of(world, web)
    assert in_term(world, port, top)
    assert len(terms_of_port(world, port)) == 2 + len(groups)
