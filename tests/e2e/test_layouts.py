"""Random layouts with real packets: every guest and the world outside see what the oracle says, and nothing else.

ICMP, TCP and UDP, IPv4 and IPv6; NETCTL_ORACLE_LABS sets how many layouts are built (4). A layout may need some moments
to be what was asked for (a service that begins to work, neighbours that are asked for): what counts is what is seen
when all agrees or the time is over. That nothing came is said only while every wire is known to carry.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from netctl.loop import wait_until
from tests.e2e.figures import FIGURES
from tests.e2e.layouts import Town, silence, town
from tests.e2e.site import Site, site
from tests.oracle.layouts import Made, layouts
from tests.oracle.probes import Probe, Prober
from tests.oracle.show import shown
from tests.oracle.words import Answered, Dropped, Fate, Layout, SentOut

LABS = int(os.environ.get("NETCTL_ORACLE_LABS", "4"))
PROBES = 40
ROUNDS_S, ROUND_S = 20.0, 1.5


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    with site("layouts", "three-hosts", ()) as running:
        silence(running)
        yield running


def is_rich(made: Made) -> bool:
    """Is there something of everything?"""
    layout = made.layout
    associated = [floating for floating in layout.floating_ips if layout.private_address(floating)]
    return len(layout.nics) <= 10 and all((associated, layout.policies, layout.routes))


@settings(
    max_examples=LABS,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
@given(made=layouts(live=True).filter(is_rich), seed=st.integers(0, 2**16))
def test_packets_arrive_where_the_oracle_says_and_nowhere_else(here: Site, made: Made, seed: int) -> None:
    with town(here, made) as place:
        probes = Prober(place.layout, seed).draw(PROBES)
        assert probes
        wrong: list[str] = []

        def agrees() -> bool:
            wrong[:] = disagreements(place, probes)
            return not wrong

        try:
            wait_until(agrees, timeout_s=ROUNDS_S, what="packets meet the fates of the oracle")
        except TimeoutError:
            raise AssertionError("\n".join([*wrong, shown(place.layout)])) from None
        arrived = sum(map(bool, place.seen(len(probes))))
        FIGURES.append(("layout", f"{len(probes)} probes, {arrived} arrived somewhere"))
        assert arrived >= len(probes) // 5, "a layout where hardly anything arrives shows little"


def disagreements(place: Town, probes: list[Probe]) -> list[str]:
    """Send every probe once; return what was seen otherwise than the oracle says."""
    wanted = [frozenset(map(seen_as, probe.fates(place.layout))) for probe in probes]
    for tap in place.taps.values():
        tap.frames.clear()
    place.send(probes)

    def all_there() -> bool:
        return all(
            seen or not must_be_seen(place.layout, fates)
            for fates, seen in zip(wanted, place.seen(len(probes)), strict=True)
        )

    with suppress(TimeoutError):  # which ones did not is said below
        wait_until(all_there, timeout_s=ROUND_S, what="probes arrive")
    place.check_wires()
    return [
        f"{probe}\n  oracle: {sorted(map(str, fates))}\n  seen: {sorted(map(str, seen))}"
        for probe, fates, seen in zip(probes, wanted, place.seen(len(probes)), strict=True)
        if not seen <= fates or len(seen) > 1 or (must_be_seen(place.layout, fates) and not seen)
    ]


def seen_as(fate: Fate) -> Fate:
    """Return a fate as it looks on the wire: one upstream has all addresses of the world outside."""
    return SentOut(fate.subnet, "", fate.source, fate.destination) if isinstance(fate, SentOut) else fate


def must_be_seen(layout: Layout, fates: frozenset[Fate]) -> bool:
    """Must one of these fates be seen? A router's answer may find no way back, or a policy on it."""
    return not any(isinstance(fate, Dropped | Answered) for fate in fates)
