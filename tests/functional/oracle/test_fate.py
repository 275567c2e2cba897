"""The compiler, northd and OVN's own tool agree with the oracle about where packets of random layouts go.

NETCTL_ORACLE_LAYOUTS sets how many layouts are tried (20), NETCTL_ORACLE_PROBES how many packets in each (25).
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.functional.oracle.conftest import Plane
from tests.oracle.layouts import Made, layouts
from tests.oracle.probes import Prober
from tests.oracle.show import shown
from tests.oracle.showcase import showcase

LAYOUTS = int(os.environ.get("NETCTL_ORACLE_LAYOUTS", "20"))
MORE = 100
PROBES = int(os.environ.get("NETCTL_ORACLE_PROBES", "25"))


@settings(max_examples=LAYOUTS, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(made=layouts(), seed=st.integers(0, 2**16))
def test_every_packet_meets_the_fate_that_the_oracle_says(plane: Plane, made: Made, seed: int) -> None:
    layout = made.layout
    plane.install(made)
    with plane.tracing(made) as trace:
        for probe in Prober(layout, seed).draw(PROBES):
            if wrong := trace.disagreement(probe):
                note(f"{wrong}\n{shown(layout)}")
            assert not wrong


def test_every_packet_of_the_showcase_meets_its_fate(plane: Plane) -> None:
    made = showcase()
    plane.install(made)
    prober = Prober(made.layout, 0)
    with plane.tracing(made) as trace:
        for probe in (*prober.thorough(), *prober.draw(MORE)):
            assert not trace.disagreement(probe)
