"""Random worlds of security policies with real packets: what the oracle lets pass arrives, and nothing else does.

First packets and their answers by ICMP, TCP and UDP, IPv4 and IPv6, between guests on two hosts; then the policies
change and change again while packets go on: what was and will be allowed is never lost, what was and will be denied
never passes. NETCTL_ORACLE_POLICY_LABS sets how many worlds are built (8).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from netctl.model.security_policy import SecurityPolicy
from tests.e2e.figures import FIGURES
from tests.e2e.policy_town import PolicyTown, flipped, policy_town
from tests.e2e.site import Site, site
from tests.oracle.policy import OTHER_WAY, PolicyOracle, ends
from tests.oracle.policy_probes import PolicyProbe, truth_table
from tests.oracle.policy_show import shown
from tests.oracle.policy_words import ECHO, TCP, UDP
from tests.oracle.policy_worlds import MadeWorld, policy_worlds
from tests.oracle.words import gateway_of

WORLDS = int(os.environ.get("NETCTL_ORACLE_POLICY_LABS", "8"))
PROBES = 400
FLIPS, PPS = 6, 400
MODES = {"enforce": "monitor", "monitor": "enforce", "save": "enforce"}


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    with site("policies", subnets=()) as running:
        yield running


def is_rich(made: MadeWorld) -> bool:
    """Do policies of several modes decide of much?"""
    oracle = PolicyOracle(made.world)
    fates = [oracle.passes(*probe.ends, probe.packet) for probe in sendable(made)]
    modes = {policy.mode for policy in made.world.policies}
    return len(modes) > 1 and len(fates) > PROBES // 2 and 0.2 < sum(fates) / len(fates) < 0.8


def sendable(made: MadeWorld) -> list[PolicyProbe]:
    """List probes between guests that have a way to each other, none of which looks like an answer to another one."""
    found: dict[object, PolicyProbe] = {}
    for probe in truth_table(made.world):
        packet, (source, destination) = probe.packet, probe.ends
        if source is None or destination is None or packet.is_multicast:
            continue
        near = source.subnet.id == destination.subnet.id
        routed = source.realm and all(gateway_of(end.subnet, packet.version) for end in (source, destination))
        routed = routed and not packet.is_local
        is_echo = (
            packet.protocol in ECHO and packet.icmp_type == ECHO[packet.protocol] and not packet.icmp_code
        )
        if (near or routed) and (is_echo or packet.protocol in (TCP, UDP)):
            back = packet.answer()
            if back not in found:
                found[packet] = probe
    return list(found.values())


@settings(
    max_examples=WORLDS,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
@given(made=policy_worlds(live=True).filter(is_rich), seed=st.integers(0, 2**16))
def test_packets_pass_where_the_oracle_says_and_nowhere_else(here: Site, made: MadeWorld, seed: int) -> None:
    luck = random.Random(seed)
    probes = luck.sample(sendable(made), min(len(sendable(made)), PROBES))
    with policy_town(here, made) as town:
        check_packets(town, probes)
        check_answers(town, probes)
        before, after = made.world.policies, flipped(made.world.policies, MODES)
        churn(town, probes, (before, after))
        check_packets(town, [probe for probe in probes if probe.packet.protocol != TCP])


def check_packets(town: PolicyTown, probes: list[PolicyProbe]) -> None:
    """Send first packets."""
    oracle = town.oracle
    wanted = {n for n, probe in enumerate(probes) if oracle.passes(*probe.ends, probe.packet)}
    say_differences("first packets", town, probes, (wanted, town.arrived(probes)))


def check_answers(town: PolicyTown, probes: list[PolicyProbe]) -> None:
    """Send the answers to first packets that have just passed."""
    oracle = town.oracle
    passed = [p for p in probes if oracle.passes(*p.ends, p.packet) and has_answer(oracle, p)]
    wanted = {n for n, probe in enumerate(passed) if oracle.answered(*probe.ends, probe.packet)}
    # Once more, in the order in which they are answered: numbers tell a SYN's answer whose it is.
    say_differences("before their answers", town, passed, (set(range(len(passed))), town.arrived(passed)))
    say_differences("answers", town, passed, (wanted, town.arrived(passed, answers=True)))


def has_answer(oracle: PolicyOracle, probe: PolicyProbe) -> bool:
    """Is it said what becomes of the answer? Conntrack drops one to a SYN it has not seen; a datagram is judged."""
    back = probe.packet.answer()
    return probe.packet.protocol == UDP or all(
        oracle.knows(port, way, probe.packet) or not oracle.is_tracked(port, OTHER_WAY[way], back)
        for port, way in ends(*probe.ends)
    )


def churn(
    town: PolicyTown,
    probes: list[PolicyProbe],
    states: tuple[tuple[SecurityPolicy, ...], tuple[SecurityPolicy, ...]],
) -> None:
    """Change policies there and back while packets go on that mean the same in both states at every end."""
    oracles = [PolicyOracle(town.world.with_policies(policies)) for policies in states]
    steadies = [
        (probe, fate)
        for probe in probes
        if probe.packet.protocol != TCP and (fate := steady(oracles, probe)) is not None
    ]
    if not steadies:
        return
    with town.streaming([probe for probe, _ in steadies], PPS) as sent:
        for flip in range(FLIPS):
            town.apply(states[(flip + 1) % 2])
            town.here.settle_datapaths()
    heard = {number for numbers in town.heard().values() for number in numbers}
    fates = {number: steadies[number % len(steadies)][1] for number in sent}
    lost = [probe for number, probe in sent.items() if fates[number] and number not in heard]
    leaked = [probe for number, probe in sent.items() if not fates[number] and number in heard]
    passing = sum(fates.values())
    FIGURES.append(
        ("policies change", f"{len(sent)} packets, {passing} to pass; {len(lost)} lost, {len(leaked)} leaked")
    )
    told = "\n".join(map(str, [*lost[:5], "leaked:", *leaked[:5]]))
    assert not lost, f"{len(lost)} lost of {passing}: {told}"
    assert not leaked, f"{len(leaked)} leaked: {told}"


def steady(oracles: list[PolicyOracle], probe: PolicyProbe) -> bool | None:
    """Return the fate that a packet has in all states, hosts being in any of them; None when there is no such."""
    each = [
        {oracle.allows(oracle.at[port.name], way, probe.packet) for oracle in oracles}
        for port, way in ends(*probe.ends)
    ]
    if all(fates == {True} for fates in each):
        return True
    return False if any(fates == {False} for fates in each) else None


def say_differences(
    what: str, town: PolicyTown, probes: list[PolicyProbe], sets: tuple[set[int], set[int]]
) -> None:
    """Raise AssertionError unless what arrived is what was wanted."""
    wanted, arrived = sets
    FIGURES.append(("policies", f"{what}: {len(probes)} sent, {len(arrived)} arrived"))
    lost, leaked = ([str(probes[n]) for n in sorted(of)[:5]] for of in (wanted - arrived, arrived - wanted))
    assert wanted == arrived, f"{what}: lost {lost}; leaked {leaked}\n{shown(town.world)}"
