"""Which functions does a frame pass on its guest's host, and in which order? Said from the intents alone.

A frame does not say who opened the connection that it is of, so it is read in both ways: its guest did, or the peer. In
each way the first line that allows decides. Where the two ways disagree the compiler may choose between them, within
limits that are said at `may_pass`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from netctl.model.chain import NetworkFunction, ServiceChain
from netctl.model.security_policy import Direction
from tests.oracle.policy import Line, PolicyOracle
from tests.oracle.policy_words import ARP, ECHO, ICMP, VLANS, Packet, Port

# What is asked for by what answers it: echo, and the time.
_QUESTIONS = {(ICMP, 0): 8, (ICMP, 14): 13, (58, 129): 128}


@dataclass(frozen=True, slots=True)
class Frame:
    """A packet between a port of ours and somebody beyond its host; `outgoing`: the port sends it."""

    port: Port
    packet: Packet
    outgoing: bool

    @property
    def mirrored(self) -> Frame:
        """The frame that goes the other way, of the same connection; of echo, the answer or the question."""
        packet = replace(self.packet, source=self.packet.destination, destination=self.packet.source)
        if packet.protocol in ECHO:
            types = {**{q: a for (p, a), q in _QUESTIONS.items() if p == packet.protocol}}
            types |= {a: q for (p, a), q in _QUESTIONS.items() if p == packet.protocol}
            packet = replace(packet, icmp_type=types.get(packet.icmp_type, packet.icmp_type))
        else:
            packet = replace(packet, source_port=packet.destination_port, destination_port=packet.source_port)
        return Frame(self.port, packet, not self.outgoing)


class SteeringOracle:
    """Answers for one world; `chains` and `functions` are those that are there."""

    def __init__(
        self,
        policies: PolicyOracle,
        chains: Mapping[str, ServiceChain],
        functions: Mapping[str, NetworkFunction],
    ) -> None:
        self.policies = policies
        self.chains = chains
        self.functions = functions

    def may_pass(self, frame: Frame) -> set[str]:
        """Return the chains, "" for none, of which a frame passes one.

        A chain that only one way of reading asks for is passed, unless the other way finds an allow without a chain,
        and there is such an allow in front of the chain's rule in its own direction as well. Of two chains either may
        be passed.
        """
        own = self._there(frame.port.subnet.service_chain)
        if not self.is_ruled(frame):
            return {own}
        ways = [self._first(frame, way) for way in (Direction.OUT, Direction.IN)]
        asked = {
            self._there(line.chain): line for line in ways if line is not None and self._there(line.chain)
        }
        if not asked:
            return {own}
        answers = set(asked)
        if len(asked) == 1:
            ((_, line),) = asked.items()
            others = [way for way in ways if way is not None and not self._there(way.chain)]
            if others and self._has_plain_before(line):
                answers.add(own)
        return answers

    def path(self, chain: str, *, outgoing: bool) -> tuple[str, ...]:
        """Return the functions of a chain as a frame meets them: from guests in order, to guests the other way."""
        if not chain:
            return ()
        functions = tuple(str(id) for id in self.chains[chain].functions)
        return functions if outgoing else functions[::-1]

    def is_steered(self, subnet: str) -> bool:
        """Do frames of a VLAN pass br.nf: has it a chain, or a port that a rule with one is applied to?"""
        place = self.policies.world.subnets[subnet]
        if not place.has_vlan:
            return False
        if self._there(place.service_chain):
            return True
        lines = [
            line
            for line in self.policies.lines(VLANS)
            if line.allows and not line.monitored and self._there(line.chain)
        ]
        ports = [port for port in self.policies.ports if port.subnet.id == subnet]
        return any(self.policies.is_member(port, line.subject) for port in ports for line in lines)

    def is_ruled(self, frame: Frame) -> bool:
        """Is a frame subject to policies?"""
        return frame.packet.protocol != ARP and frame.packet.is_judged

    def _first(self, frame: Frame, way: Direction) -> Line | None:
        """Return the first line that allows a frame, read as one of a connection opened that way."""
        found = [
            line
            for packet in _openers(frame, way)
            for line in self.policies.allowing(frame.port, way, packet)
        ]
        order = self.policies.lines(frame.port.realm)
        return min(found, key=order.index, default=None)

    def _has_plain_before(self, line: Line) -> bool:
        order = self.policies.lines(VLANS)
        return any(
            other.direction is line.direction
            and other.allows
            and not other.monitored
            and not self._there(other.chain)
            for other in order[: order.index(line)]
        )

    def _there(self, chain: str) -> str:
        return chain if chain in self.chains else ""


def _openers(frame: Frame, way: Direction) -> Iterator[Packet]:
    """Yield the packets that may have opened the connection: questions of echo are not told from their answers."""
    packet = frame.packet
    if frame.outgoing is not (way is Direction.OUT):
        ports = {"source_port": packet.destination_port, "destination_port": packet.source_port}
        packet = replace(packet, source=packet.destination, destination=packet.source, **ports)
    yield packet
    question = _QUESTIONS.get((packet.protocol, packet.icmp_type)) if packet.protocol in ECHO else None
    if question is not None:
        yield replace(packet, icmp_type=question)
