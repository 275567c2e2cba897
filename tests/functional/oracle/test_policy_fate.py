"""northd and OVN's own tool agree with the oracle about who may talk to whom in random worlds of policies.

NETCTL_ORACLE_POLICY_WORLDS sets how many worlds are tried (12), NETCTL_ORACLE_POLICY_PROBES how many probes of each
(150); of a probe its first packet, one that follows, its answer and an error about it are asked.
"""

from __future__ import annotations

import os
import random

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.functional.oracle.conftest import Plane
from tests.functional.oracle.policy_trace import policy_tracing, questions
from tests.oracle.policy import PolicyOracle
from tests.oracle.policy_probes import PolicyProbe, truth_table
from tests.oracle.policy_show import shown
from tests.oracle.policy_worlds import MadeWorld, policy_worlds
from tests.unit.oracle.observing import observed

WORLDS = int(os.environ.get("NETCTL_ORACLE_POLICY_WORLDS", "12"))
PROBES = int(os.environ.get("NETCTL_ORACLE_POLICY_PROBES", "150"))


def test_ovn_does_with_every_packet_what_the_oracle_says(plane: Plane) -> None:
    tally = [0, 0]

    @settings(max_examples=WORLDS, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
    @given(made=policy_worlds(), seed=st.integers(0, 2**16), reject=st.booleans())
    def in_every_world(made: MadeWorld, seed: int, reject: bool) -> None:
        note(shown(made.world))
        plane.write(made.snapshot, observed(made, reject=reject))
        oracle = PolicyOracle(made.world)
        with policy_tracing(plane.sb) as trace:
            for probe in chosen(oracle, random.Random(seed)):
                for traced in questions(oracle, probe):
                    tally[traced.arrives] += 1
                    assert not (wrong := trace.disagreement(traced)), wrong

    in_every_world()
    assert min(tally) >= sum(tally) // 20, f"{tally}: both fates are seen"


def chosen(oracle: PolicyOracle, luck: random.Random) -> list[PolicyProbe]:
    """Return some probes of a world, as many that pass as that do not where there are."""
    fates: dict[bool, list[PolicyProbe]] = {True: [], False: []}
    for probe in truth_table(oracle.world):
        fates[oracle.passes(*probe.ends, probe.packet)].append(probe)
    some = min(len(fates[False]), PROBES // 2)
    return luck.sample(fates[False], some) + luck.sample(fates[True], min(len(fates[True]), PROBES - some))
