"""What is compiled for br.nf says what the intents say: random worlds, every kind of packet, both directions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

from hypothesis import given, settings

from netctl.compiler.steering import compile_service_chains
from netctl.compiler.steering_attached import passes_chains
from netctl.model.assignment_chains import Segment, ServiceChains
from netctl.model.infra import Host
from netctl.model.keys import HostId, Kind, SubnetId
from tests.oracle.policy import PolicyOracle
from tests.oracle.policy_probes import truth_table
from tests.oracle.policy_worlds import MadeWorld
from tests.oracle.steering import Frame, SteeringOracle
from tests.oracle.steering_worlds import chained_world, steering_worlds
from tests.unit.oracle.observing import PHASES, observed
from tests.unit.oracle.steering_rows import chain_of

FRAMES = 600


def oracle_of(made: MadeWorld) -> SteeringOracle:
    chains, functions = (made.snapshot.table(kind) for kind in (Kind.SERVICE_CHAIN, Kind.NETWORK_FUNCTION))
    return SteeringOracle(PolicyOracle(made.world), dict(chains), dict(functions))


def compiled(made: MadeWorld) -> dict[str, ServiceChains]:
    """Compile every host."""
    seen = observed(made)
    hosts = (host for host in made.snapshot.of_kind(Kind.HOST) if isinstance(host, Host))
    return {host.id: compile_service_chains(made.snapshot, host, seen) for host in hosts}


def frames(oracle: SteeringOracle) -> Iterator[Frame]:
    """Yield what ports of VLANs send and get, some of it."""
    every = [
        Frame(port, probe.packet, port is probe.source)
        for probe in truth_table(oracle.policies.world)
        for port in probe.ends
        if port is not None and port.subnet.has_vlan and port.nic.host
    ]
    every.sort(key=lambda frame: (frame.port.name, str(frame.packet), frame.outgoing))
    yield from random.Random(len(every)).sample(every, min(FRAMES, len(every)))


def check(made: MadeWorld) -> Counter[str]:
    """Hold what is compiled against the oracle; count the answers."""
    oracle, hosts, seen = oracle_of(made), compiled(made), Counter[str]()
    segments: dict[tuple[str, str], Segment] = {
        (host, segment.subnet_id): segment for host, found in hosts.items() for segment in found.segments
    }
    for frame in frames(oracle):
        segment = segments.get((frame.port.nic.host, frame.port.subnet.id))
        assert (segment is not None) == oracle.is_steered(frame.port.subnet.id), frame
        if segment is None:
            continue
        chain, answers = chain_of(segment, frame), oracle.may_pass(frame)
        assert chain in answers, f"{frame} passes {chain!r}, not one of {answers}"
        assert chain_of(segment, frame.mirrored) == chain, f"what comes back to {frame} passes another"
        mine = hosts[frame.port.nic.host]
        told = {one.chain_id: one.function_ids for one in mine.chains}
        order = told.get(chain, ()) if frame.outgoing else told.get(chain, ())[::-1]
        assert order == oracle.path(chain, outgoing=frame.outgoing)
        assert set(order) <= {function.function_id for function in mine.functions}
        seen["passes" if chain else "straight"] += 1
        seen["by rule"] += bool(chain) and chain != frame.port.subnet.service_chain
        seen["either"] += len(answers) > 1
    return seen


@settings(max_examples=40, phases=PHASES, deadline=None)
@given(made=steering_worlds())
def test_a_frame_passes_what_the_intents_say_and_its_answer_the_same(made: MadeWorld) -> None:
    check(made)


def test_the_worlds_have_chains_that_decide() -> None:
    total: Counter[str] = Counter()
    for seed in range(20):
        total += check(chained_world(seed, 6, 5))
    assert total["by rule"] > 200
    assert total["straight"] > 200
    assert total["either"] < total["by rule"] / 2, "mostly one answer is right"


@settings(max_examples=40, phases=PHASES, deadline=None)
@given(made=steering_worlds())
def test_no_two_rules_have_one_priority_and_one_function_decides(made: MadeWorld) -> None:
    for found in compiled(made).values():
        for segment in found.segments:
            priorities = [rule.priority for rule in segment.rules]
            assert priorities == sorted(set(priorities), reverse=True)
            subnet = made.snapshot.subnet(SubnetId(segment.subnet_id))
            assert subnet is not None
            assert passes_chains(made.snapshot, subnet, observed(made))
            assert HostId(segment.subnet_id) != ""
