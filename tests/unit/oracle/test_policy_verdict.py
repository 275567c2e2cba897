"""analysis/verdict.py says of every connection what the oracle says, with the line that decides, in random worlds.

NETCTL_ORACLE_WORLDS sets how many worlds are tried (100); together they have 100,000 decisions at the least.
"""

from __future__ import annotations

import os

from hypothesis import given, note, settings

from netctl.analysis import verdict
from netctl.analysis.verdict import Evaluator
from netctl.compiler import membership
from netctl.compiler.clause import Clause
from netctl.model.routing_policy import PortRange
from netctl.model.service import Service, ServiceProtocol
from tests.oracle.policy import Line, PolicyOracle, ends
from tests.oracle.policy_probes import PolicyProbe, some_of
from tests.oracle.policy_show import shown
from tests.oracle.policy_words import ARP, ICMP, ICMPV6, TCP, UDP, Packet, Port
from tests.oracle.policy_worlds import MadeWorld, policy_worlds
from tests.unit.oracle.observing import PHASES, observed

WORLDS = int(os.environ.get("NETCTL_ORACLE_WORLDS", "100"))
PROBES = 700  # of a world
LEAST = 100_000
_PROTOCOLS = {TCP: ServiceProtocol.TCP, UDP: ServiceProtocol.UDP}
_ICMP = {ICMP: ServiceProtocol.ICMP, ICMPV6: ServiceProtocol.ICMPV6}


class Asked:
    """The evaluator and the oracle of one world, side by side."""

    def __init__(self, made: MadeWorld) -> None:
        self.oracle = PolicyOracle(made.world)
        self.evaluator = Evaluator(made.snapshot, observed(made))
        self.ports: dict[tuple[str, int], membership.Port] = {}
        for nic in made.world.nics.values():
            for port in membership.ports_of(made.snapshot, nic):
                self.ports[nic.id, port.vlan_id] = port

    def check(self, probe: PolicyProbe) -> int:
        """Compare everything that is said of one probe; return how many decisions that were."""
        source, destination = (self.ports.get(end.name) if end is not None else None for end in probe.ends)
        packet = in_their_words(probe.packet)
        found = self.evaluator.verdict(source, destination, packet)
        assert found.allowed == self.oracle.passes(*probe.ends, probe.packet), f"{probe}: {found}"
        looked_at = ends(*probe.ends)
        for (port, way), decision in zip(looked_at, found.decisions, strict=True):
            self._check_end(probe, (port, way), decision)
        if found.allowed:
            wanted = self.oracle.answered(*probe.ends, probe.packet)
            assert found.answered == wanted, f"the answer to {probe}: {found}"
        return len(looked_at) * (2 if found.allowed else 1)

    def _check_end(self, probe: PolicyProbe, end: tuple[Port, object], decision: verdict.Decision) -> None:
        port, way = end[0], decision.direction
        assert way is end[1]
        assert decision.allows == self.oracle.allows(port, way, probe.packet), f"{probe}: {decision}"
        line = self.oracle.decides(port, way, probe.packet)
        own = self.oracle.is_question(port, probe.packet)
        if decision.clause is not None or (probe.packet.is_judged and not own):
            assert _same(decision.clause, line), f"{probe}: {line} but {decision}"
        watched = self.oracle.would_drop(port, way, probe.packet)
        assert _same(decision.would_drop, watched), f"{probe}: would drop {watched} but {decision}"


def test_the_evaluator_says_what_the_oracle_says() -> None:
    tally = [0]

    @settings(max_examples=WORLDS, phases=PHASES)
    @given(made=policy_worlds())
    def in_every_world(made: MadeWorld) -> None:
        note(shown(made.world))
        asked = Asked(made)
        for probe in some_of(made.world, PROBES):
            if probe.packet.protocol != ARP:  # no policy is about it, and nobody can ask
                tally[0] += asked.check(probe)

    in_every_world()
    assert tally[0] >= LEAST


def in_their_words(packet: Packet) -> verdict.Packet:
    """Return a packet as the analysis calls it."""
    if packet.protocol in _PROTOCOLS:
        sources, targets = (
            (PortRange(first=n, last=n),) for n in (packet.source_port, packet.destination_port)
        )
        service = Service(protocol=_PROTOCOLS[packet.protocol], source_ports=sources, ports=targets)
    elif packet.protocol in _ICMP:
        service = Service(
            protocol=_ICMP[packet.protocol], icmp_type=packet.icmp_type, icmp_code=packet.icmp_code
        )
    else:
        service = Service(protocol=ServiceProtocol.NUMBER, protocol_number=packet.protocol)
    return verdict.Packet(packet.source, packet.destination, service)


def _same(clause: Clause | None, line: Line | None) -> bool:
    if clause is None or line is None:
        return clause is None and line is None
    mine = (line.policy, line.rule, line.direction, line.subject, line.peers, line.action)
    theirs = (clause.policy, clause.rule, clause.direction, clause.subject, clause.peers, clause.action)
    return mine == theirs
