"""Who may talk to whom: the meaning of security policies stated a second time, from docs/design/security.md.

In: a world, a port, a direction, a packet. Out: does the port's end let it pass, which line decides, and which lines
in MONITOR would have dropped it. Lines are written down once for each realm and walked in order.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace

from netctl.model.groups import AddressGroup, EntitySelector, Term
from netctl.model.security_policy import (
    Direction,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
    SecurityPolicy,
    SecurityRule,
)
from netctl.model.service import Service, ServiceProtocol
from tests.oracle.policy_words import (
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    VLANS,
    Packet,
    PolicyWorld,
    Port,
    State,
    serves_dhcp,
    serves_dhcpv6,
)

KINDS = (
    PolicyKind.QUARANTINE,
    PolicyKind.SHARED_SERVICE,
    PolicyKind.ISOLATION,
    PolicyKind.APPLICATION,
    PolicyKind.VDI,
)
STRICT, RULES, REST = range(3)
OTHER_WAY = {Direction.IN: Direction.OUT, Direction.OUT: Direction.IN}
_PROTOCOLS = {
    ServiceProtocol.TCP: TCP,
    ServiceProtocol.UDP: UDP,
    ServiceProtocol.ICMP: ICMP,
    ServiceProtocol.ICMPV6: ICMPV6,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that a policy says: of whom, which way, with whom, what, and the verdict; `rule` "" is its own."""

    policy: str
    rule: str
    phase: int
    direction: Direction
    subject: Term
    peers: tuple[Term, ...]
    action: RuleAction
    services: tuple[Service, ...] = ()
    ip_version: int = 0
    stateless: bool = False
    monitored: bool = False
    chain: str = ""  # passed at the end that the rule is applied to

    @property
    def allows(self) -> bool:
        """Is this an allow? To reject is to deny aloud."""
        return self.action is RuleAction.ALLOW


class PolicyOracle:
    """Answers for one world."""

    def __init__(self, world: PolicyWorld) -> None:
        self.world = world
        self.ports = world.ports()
        self.at = {port.name: port for port in self.ports}
        self._members: dict[tuple[Term, str], frozenset[str]] = {}
        self._inside: dict[tuple[Term, str], bool] = {}
        self._spans = {name: _spans(group) for name, group in world.address_groups.items()}
        realms = {port.realm for port in self.ports}
        self._order = {realm: self._lines(realm) for realm in realms}
        self._of_end = {
            (port.name, direction): [
                line
                for line in self._order[port.realm]
                if line.direction is direction and self.is_member(port, line.subject)
            ]
            for port in self.ports
            for direction in (Direction.IN, Direction.OUT)
        }

    def lines(self, realm: str) -> list[Line]:
        """List what holds in a realm, the first that decides first."""
        return self._order.get(realm) or self._lines(realm)

    # -- what is asked -----------------------------------------------------------------------------------------------

    def passes(self, source: Port | None, destination: Port | None, packet: Packet) -> bool:
        """Do both ends let a first packet pass? An end that is no port of ours is not looked at."""
        return all(self.allows(*end, packet) for end in ends(source, destination))

    def allows(self, port: Port, direction: Direction, packet: Packet, state: State = State.FIRST) -> bool:
        """Does one end let a packet pass?"""
        if not packet.is_judged or self.is_own_dhcp(port, direction, packet):
            return True
        if direction is Direction.IN and self.is_question(port, packet) and self.has_policies(port.realm):
            return (
                False  # OVN answers on the asker's host, and what it does not take for a question nobody gets
            )
        if state is not State.FIRST and self.is_tracked(port, direction, packet):
            return True
        line = self.decides(port, direction, packet)
        return line is None or line.allows

    def knows(self, port: Port, direction: Direction, first: Packet) -> bool:
        """Has a first packet that passed opened a connection at this end, whose answers pass?"""
        return (
            first.is_judged
            and self.is_tracked(port, direction, first)
            and self.allows(port, direction, first)
            and not self.is_own_dhcp(port, direction, first)
        )

    def answered(self, source: Port | None, destination: Port | None, first: Packet) -> bool:
        """Does the answer to a first packet come back?"""
        for port, direction in ends(source, destination):
            state = State.ANSWER if self.knows(port, direction, first) else State.FIRST
            if not self.allows(port, OTHER_WAY[direction], first.answer(), state):
                return False
        return True

    def is_tracked(self, port: Port, direction: Direction, packet: Packet) -> bool:
        """Does conntrack see a packet? Not when it goes to many, nor when a stateless rule matches, deciding or not."""
        if packet.is_multicast:
            return False
        lines = self._of_end[port.name, direction]
        return not any(
            line.stateless and not line.monitored and self._matches(line, port, packet) for line in lines
        )

    def decides(self, port: Port, direction: Direction, packet: Packet) -> Line | None:
        """Return the line that decides of a packet that no connection lets pass; None where nobody objects."""
        return self._first(port, direction, packet, monitored=False)

    def allowing(self, port: Port, direction: Direction, packet: Packet) -> list[Line]:
        """List the lines of enforced policies that by themselves let a packet pass, the first first."""
        lines = self._of_end[port.name, direction]
        return [
            line for line in lines if line.allows and not line.monitored and self._matches(line, port, packet)
        ]

    def would_drop(self, port: Port, direction: Direction, packet: Packet) -> Line | None:
        """Return the line in MONITOR that would have dropped what passes."""
        if not packet.is_judged or not self.allows(port, direction, packet):
            return None
        if self.is_own_dhcp(port, direction, packet):
            return None
        line = self._first(port, direction, packet, monitored=True)
        return line if line is not None and line.monitored and not line.allows else None

    def is_member(self, port: Port, term: Term) -> bool:
        """Is a port in a category, group, subnet, VPC, or is it the NIC itself?"""
        kind, _, id = term.partition("/")
        if kind == "entityGroups":
            group = self.world.groups.get(id)
            if group is None:
                return False
            return self._selected(port, group.include) and not self._selected(port, group.except_)
        if kind == "categories":
            return id in port.categories
        own = {"subnets": port.subnet.id, "vpcs": port.subnet.vpc, "nics": port.nic.id}
        return own[kind] == id

    # -- the order ---------------------------------------------------------------------------------------------------

    def _lines(self, realm: str) -> list[Line]:
        """Write down what holds in a realm, the first that decides first."""
        order: list[tuple[tuple[int, int, int, str, int], Line]] = []
        for policy in self.world.policies:
            if policy.mode is PolicyMode.SAVE or not in_scope(policy, realm):
                continue
            for place, line in enumerate(self._said(policy)):
                kind = KINDS.index(policy.kind)
                order.append(((kind, line.phase, -policy.priority, policy.id, place), line))
        return [line for _, line in sorted(order, key=lambda pair: pair[0])]

    def _said(self, policy: SecurityPolicy) -> Iterator[Line]:
        """Yield what one policy says, in the order within it."""
        monitored = policy.mode is PolicyMode.MONITOR

        def own(phase: int, subject: Term, peers: tuple[Term, ...], action: RuleAction) -> Iterator[Line]:
            for way in (Direction.IN, Direction.OUT):
                yield Line(policy.id, "", phase, way, subject, peers, action, monitored=monitored)

        for rule in sorted(
            policy.rules, key=lambda rule: -rule.priority
        ):  # sorted() keeps the order of equal ones
            if not rule.disabled and (policy.id, rule.name) not in self.world.expired:
                yield from self._rule(policy, rule)
        for secured in policy.secured:
            others = tuple(other for other in policy.secured if other != secured)
            if policy.kind is PolicyKind.QUARANTINE and not policy.rules:
                yield from own(STRICT, secured, (), RuleAction.DENY)
            if policy.kind is PolicyKind.ISOLATION:
                yield from own(RULES, secured, others, RuleAction.DENY)
            if policy.intra_group is not IntraGroup.RULES:
                allow = policy.intra_group is IntraGroup.ALLOW
                action = RuleAction.ALLOW if allow else RuleAction.DENY
                yield from own(RULES, secured, (secured,), action)
        for secured in policy.secured:
            forensic = policy.kind is PolicyKind.QUARANTINE and policy.rules
            if forensic or policy.kind in (PolicyKind.APPLICATION, PolicyKind.VDI):
                yield from own(REST, secured, (), RuleAction.DENY)

    def _rule(self, policy: SecurityPolicy, rule: SecurityRule) -> Iterator[Line]:
        services = list(rule.services)
        for id in rule.service_groups:
            services += self.world.service_groups[id].services
        subjects = rule.applied_to or policy.secured

        def line(way: Direction, subject: Term, peers: tuple[Term, ...]) -> Line:
            return Line(
                policy.id,
                rule.name,
                RULES,
                way,
                subject,
                peers,
                rule.action,
                services=tuple(services),
                ip_version=rule.ip_version,
                stateless=rule.stateless,
                monitored=policy.mode is PolicyMode.MONITOR,
            )

        both = rule.direction is Direction.IN_OUT
        for way in (Direction.IN, Direction.OUT) if both else (rule.direction,):
            for subject in subjects:
                yield replace(line(way, subject, rule.peers), chain=rule.service_chain)
            if policy.kind is PolicyKind.SHARED_SERVICE:
                for peer in rule.peers:
                    if not peer.startswith("addressGroups/"):
                        yield line(OTHER_WAY[way], peer, subjects)

    def _first(self, port: Port, direction: Direction, packet: Packet, *, monitored: bool) -> Line | None:
        for line in self._of_end[port.name, direction]:
            if (monitored or not line.monitored) and self._matches(line, port, packet):
                return line
        return None

    # -- what matches ------------------------------------------------------------------------------------------------

    def _matches(self, line: Line, port: Port, packet: Packet) -> bool:
        """Does a line whose subject a port is match a packet?"""
        if line.ip_version and line.ip_version != packet.version:
            return False
        if line.services and not any(_is_service(service, packet) for service in line.services):
            return False
        peer = packet.source if line.direction is Direction.IN else packet.destination
        return not line.peers or any(self._is_peer(peer, term, port.realm) for term in line.peers)

    def _is_peer(self, address: str, term: Term, realm: str) -> bool:
        kind, _, id = term.partition("/")
        if kind != "addressGroups":
            return address in self._addresses(term, realm)
        if (term, address) not in self._inside:
            number, version = int(ipaddress.ip_address(address)), 6 if ":" in address else 4
            named, excepted = self._spans.get(id, ([], []))
            within = any(low <= number <= high for of, low, high in named if of == version)
            without = any(low <= number <= high for of, low, high in excepted if of == version)
            self._inside[term, address] = within and not without
        return self._inside[term, address]

    def _addresses(self, term: Term, realm: str) -> frozenset[str]:
        """Return the addresses of a term's members in a realm."""
        key = (term, realm)
        if key not in self._members:
            members = (port for port in self.ports if port.realm == realm and self.is_member(port, term))
            self._members[key] = frozenset(address for port in members for address in port.addresses)
        return self._members[key]

    def _selected(self, port: Port, selectors: tuple[EntitySelector, ...]) -> bool:
        return any(all(self.is_member(port, term) for term in one.all_of) for one in selectors)

    def is_own_dhcp(self, port: Port, direction: Direction, packet: Packet) -> bool:
        """Is this a guest's question to its subnet's own DHCP server, which policies do not keep from it?"""
        return direction is Direction.OUT and self.is_question(port, packet)

    def has_policies(self, realm: str) -> bool:
        """Does any policy hold in a realm?"""
        return any(p.mode is not PolicyMode.SAVE and in_scope(p, realm) for p in self.world.policies)

    def is_question(self, port: Port, packet: Packet) -> bool:
        """Is this addressed to the DHCP server that OVN is on the port's subnet?"""
        if packet.protocol != UDP:
            return False
        ports = (packet.source_port, packet.destination_port)
        if ports == (68, 67) and serves_dhcp(port.subnet):
            server = port.subnet.dhcp.server_address if port.subnet.dhcp is not None else ""
            everybody = (packet.source, packet.destination) == ("0.0.0.0", "255.255.255.255")
            return everybody or packet.destination == server
        if ports == (546, 547) and serves_dhcpv6(port.subnet, self.world):
            return packet.destination == "ff02::1:2"
        return False


def ends(source: Port | None, destination: Port | None) -> list[tuple[Port, Direction]]:
    """Return where a packet is looked at."""
    found = [] if source is None else [(source, Direction.OUT)]
    return found if destination is None else [*found, (destination, Direction.IN)]


def in_scope(policy: SecurityPolicy, realm: str) -> bool:
    """Does a policy say anything in a realm?"""
    if policy.scope is PolicyScope.ALL_VLAN:
        return realm == VLANS
    return realm != VLANS and (policy.scope is PolicyScope.ALL_VPC or realm in policy.vpcs)


def _is_service(service: Service, packet: Packet) -> bool:
    if service.protocol is ServiceProtocol.NUMBER:
        return packet.protocol == service.protocol_number
    if packet.protocol != _PROTOCOLS[service.protocol]:
        return False
    if service.protocol in (ServiceProtocol.TCP, ServiceProtocol.UDP):
        pairs = ((service.ports, packet.destination_port), (service.source_ports, packet.source_port))
        return all(not ranges or any(r.first <= port <= r.last for r in ranges) for ranges, port in pairs)
    if packet.version != (4 if service.protocol is ServiceProtocol.ICMP else 6):
        return False
    wanted = ((service.icmp_type, packet.icmp_type), (service.icmp_code, packet.icmp_code))
    return all(number is None or number == has for number, has in wanted)


_Span = tuple[int, int, int]  # IP version, first, last


def _spans(group: AddressGroup) -> tuple[list[_Span], list[_Span]]:
    """Return what a group names, and what it takes out of that."""
    return [_span(text) for text in group.addresses], [_span(text) for text in group.except_addresses]


def _span(text: str) -> _Span:
    version = 6 if ":" in text else 4
    if "-" in text:
        first, last = (int(ipaddress.ip_address(part)) for part in text.split("-"))
        return version, first, last
    network = ipaddress.ip_network(text)
    return version, int(network[0]), int(network[-1])
