"""Verdict: may a connection be opened, and which line of which policy decides that at each end? Pure.

In: the clauses that everything is compiled from, ports, addresses. docs/design/security.md says what they mean. An
`Evaluator` keeps what it found out, so that many questions about one snapshot are cheap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from netctl.analysis.order import Lines, Order
from netctl.analysis.services import NEIGHBOURHOOD
from netctl.analysis.whose import Whose
from netctl.compiler.clause import Clause, Realm
from netctl.compiler.clauses import OTHER_WAY
from netctl.compiler.dhcp import serves_dhcp, serves_dhcpv6
from netctl.compiler.membership import Port, terms_of_port
from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.compiler.realms import is_secured
from netctl.model.groups import Term
from netctl.model.numbers import version_of
from netctl.model.security_policy import Direction, RuleAction
from netctl.model.service import Service, ServiceProtocol
from netctl.model.snapshot import Snapshot

_ECHO = {8: 0, 128: 129}
_EVERYBODY = "255.255.255.255"
# RFC 2131, 4.1 and RFC 8415, 7.2: client and server.
_DHCP, _DHCPV6 = (68, 67), (546, 547)
_DHCPV6_SERVERS = "ff02::1:2"


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection. `service` None: everything of IP, which only clauses for everything match."""

    source: str
    destination: str
    service: Service | None = None

    @property
    def version(self) -> int:
        """The IP version."""
        return version_of(self.destination)

    @property
    def is_judged(self) -> bool:
        """Is it subject to policies? Neighbour discovery and MLD are not."""
        of = self.service
        return of is None or of.protocol is not ServiceProtocol.ICMPV6 or of.icmp_type not in NEIGHBOURHOOD

    @property
    def is_multicast(self) -> bool:
        """Does it go to several at once?"""
        if self.version == 6:
            return self.destination.startswith("ff")
        return self.destination == _EVERYBODY or 224 <= int(self.destination.partition(".")[0]) < 240

    def answer(self) -> Packet:
        """Return what comes back."""
        of = self.service
        if of is not None:
            kind = of.icmp_type
            of = replace(
                of,
                ports=of.source_ports,
                source_ports=of.ports,
                icmp_type=_ECHO.get(kind, kind) if kind is not None else None,
            )
        return Packet(self.destination, self.source, of)


@dataclass(frozen=True, slots=True)
class Decision:
    """What decides at one end: `clause` None where none matches, which allows. `action` is what is done in fact.

    `stateful`: answers pass without a look at any clause. `would_drop`: what in MONITOR would have dropped it.
    """

    port: Port
    direction: Direction
    action: RuleAction
    clause: Clause | None = None
    stateful: bool = False
    would_drop: Clause | None = None

    @property
    def allows(self) -> bool:
        """May it pass this end?"""
        return self.action is RuleAction.ALLOW


@dataclass(frozen=True, slots=True)
class Verdict:
    """Both ends together, the source's first; `answered`: do answers come back?"""

    decisions: tuple[Decision, ...]
    answered: bool

    @property
    def allowed(self) -> bool:
        """May the connection be opened?"""
        return all(decision.allows for decision in self.decisions)


class Evaluator:
    """Answers for one snapshot."""

    def __init__(self, snapshot: Snapshot, observed: Observed = NOTHING_OBSERVED) -> None:
        self.snapshot, self.observed = snapshot, observed
        self.whose = Whose(snapshot, observed)
        self._orders: dict[tuple[Realm, Direction], Order] = {}
        self._terms: dict[str, tuple[Term, ...]] = {}
        self._lines: dict[tuple[str, Direction], Lines] = {}
        self._peers: dict[tuple[Realm, Direction, str], frozenset[Term]] = {}

    def verdict(self, source: Port | None, destination: Port | None, packet: Packet) -> Verdict:
        """Return whether a connection may be opened; an end that is None is no port of ours."""
        ends = [(source, Direction.OUT), (destination, Direction.IN)]
        found = tuple(self.decide(port, way, packet) for port, way in ends if port is not None)
        answered = all(one.allows for one in found) and all(self._answers(one, packet) for one in found)
        return Verdict(found, answered)

    def decide(self, port: Port, direction: Direction, packet: Packet) -> Decision:
        """Return what one end does with the first packet of a connection: OUT at the source, IN at the destination."""
        if not packet.is_judged:
            return Decision(port, direction, RuleAction.ALLOW)
        if self._is_own_dhcp(port, packet):
            # OVN has answered where it was asked; what it did not take for a question, nobody gets.
            lost = direction is Direction.IN and is_secured(self.snapshot, port.realm)
            return Decision(port, direction, RuleAction.DENY if lost else RuleAction.ALLOW)
        decides, watched = self._first(port, direction, packet)
        action = decides.action if decides is not None else RuleAction.ALLOW
        if action is not RuleAction.ALLOW:
            if action is RuleAction.REJECT and not self.observed.reject:
                action = RuleAction.DENY
            return Decision(port, direction, action, decides)
        drops = watched if watched is not None and watched.action is not RuleAction.ALLOW else None
        return Decision(port, direction, action, decides, self._is_tracked(port, direction, packet), drops)

    def _first(self, port: Port, direction: Direction, packet: Packet) -> tuple[Clause | None, Clause | None]:
        """Return the clause that decides, and the first one in MONITOR that comes before it."""
        lines = self._lines_of(port, direction)
        if not lines.all:
            return None, None
        watched: Clause | None = None
        services, peers = self._found(port, direction, packet)
        for line in lines.all:
            if services[line.what] and (not line.peers or not line.peers.isdisjoint(peers)):
                if not line.clause.monitored:
                    return line.clause, watched
                watched = watched or line.clause
        return None, watched

    def _is_tracked(self, port: Port, direction: Direction, packet: Packet) -> bool:
        """Does conntrack see the packet here, and its answer?"""
        return not any(
            one.is_multicast or self._is_stateless(port, way, one)
            for one, way in ((packet, direction), (packet.answer(), OTHER_WAY[direction]))
        )

    def _is_stateless(self, port: Port, direction: Direction, packet: Packet) -> bool:
        """Does a stateless clause match, whichever decides?"""
        lines = self._lines_of(port, direction)
        if not lines.stateless:
            return False
        services, peers = self._found(port, direction, packet)
        return any(
            services[line.what] and (not line.peers or not line.peers.isdisjoint(peers))
            for line in lines.stateless
        )

    def _answers(self, decision: Decision, packet: Packet) -> bool:
        if decision.stateful:
            return True
        return self.decide(decision.port, OTHER_WAY[decision.direction], packet.answer()).allows

    def _found(self, port: Port, direction: Direction, packet: Packet) -> tuple[list[bool], frozenset[Term]]:
        """Return which sets of services hold the packet, and what its peer is known as here."""
        order = self._order(port.realm, direction)
        peer = packet.source if direction is Direction.IN else packet.destination
        return order.services(packet.service, packet.version), self._peers_of(port.realm, direction, peer)

    def _peers_of(self, realm: Realm, direction: Direction, address: str) -> frozenset[Term]:
        key = (realm, direction, address)
        found = self._peers.get(key)
        if found is None:
            terms = {t for port in self.whose.ports(realm, address) for t in self._terms_of(port)}
            groups = self._order(realm, direction).address_groups_with(address)
            found = self._peers[key] = frozenset((*terms, *groups))
        return found

    def _lines_of(self, port: Port, direction: Direction) -> Lines:
        key = (port.name, direction)
        found = self._lines.get(key)
        if found is None:
            order = self._order(port.realm, direction)
            found = self._lines[key] = order.about(self._terms_of(port))
        return found

    def _terms_of(self, port: Port) -> tuple[Term, ...]:
        found = self._terms.get(port.name)
        if found is None:
            found = self._terms[port.name] = terms_of_port(self.snapshot, port)
        return found

    def _order(self, realm: Realm, direction: Direction) -> Order:
        found = self._orders.get((realm, direction))
        if found is None:
            found = Order(self.snapshot, self.observed, realm, direction)
            self._orders[realm, direction] = found
        return found

    def _is_own_dhcp(self, port: Port, packet: Packet) -> bool:
        """Is it a question to the subnet's own DHCP server, which no policy keeps from it?"""
        of = packet.service
        if of is None or of.protocol is not ServiceProtocol.UDP:
            return False
        ports = tuple(
            ranges[0].first if len(ranges) == 1 and ranges[0].first == ranges[0].last else None
            for ranges in (of.source_ports, of.ports)
        )
        subnet = port.subnet
        if ports == _DHCP and serves_dhcp(subnet) and subnet.dhcp is not None:
            everybody = (packet.source, packet.destination) == ("0.0.0.0", _EVERYBODY)
            return everybody or packet.destination == subnet.dhcp.server_address
        if ports == _DHCPV6 and serves_dhcpv6(subnet, self.observed):
            return packet.destination == _DHCPV6_SERVERS
        return False
