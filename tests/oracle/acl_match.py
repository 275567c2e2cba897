"""Matches of ACLs read a second time: text, port groups and address sets go in, a question about a packet comes out.

As much of OVN's language (ovn-sb(5), "Expressions") as ACLs may use: fields, sets, `&&`, `||`, `!`, ranges. What is not
known is an error, never false.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tests.oracle.policy_words import ARP, ICMP, ICMPV6, NEIGHBOURHOOD, TCP, UDP, Packet, number_of

_TOKEN = re.compile(r"\s*(\|\||&&|[<>!=]=|[(){},<>!]|[@$]?[\w.:/-]+|\"[^\"]*\")")
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "==": lambda a, b: a == b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}
_PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp4": ICMP, "icmp6": ICMPV6}


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet as an ACL sees it: which port it enters or leaves by, and its numbers."""

    port: str
    packet: Packet
    version: int
    source: int
    destination: int

    @classmethod
    def of(cls, port: str, packet: Packet) -> Seen:
        """Look at a packet at a port."""
        return cls(port, packet, packet.version, number_of(packet.source), number_of(packet.destination))


Question = Callable[[Seen], bool]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Names:
    """What `@` and `$` stand for: ports of groups, addresses and networks of sets."""

    groups: Mapping[str, frozenset[str]]
    sets: Mapping[str, Iterable[str]]
    spans: dict[str, tuple[Span, ...]] = field(default_factory=dict)

    def addresses(self, text: str) -> tuple[Span, ...]:
        """Return the spans of a constant or of a set."""
        if text not in self.spans:
            texts = self.sets[text[1:]] if text.startswith("$") else (text,)
            networks = (ipaddress.ip_network(one) for one in texts)
            self.spans[text] = tuple((int(network[0]), int(network[-1])) for network in networks)
        return self.spans[text]


def question(text: str, direction: str, names: Names) -> Question:
    """Return what a match asks; `direction` is `from-lport` or `to-lport`."""
    parser = _Parser(text, direction, names)
    found = parser.either()
    assert parser.at == len(parser.tokens), f"{text!r}: {parser.tokens[parser.at :]} is left over"
    return found


class _Parser:
    """Reads one match."""

    def __init__(self, text: str, direction: str, names: Names) -> None:
        self.text, self.direction, self.names = text, direction, names
        self.tokens = _TOKEN.findall(text)
        assert "".join(self.tokens) == "".join(text.split()), f"{text!r} has characters that no match has"
        self.at = 0

    def either(self) -> Question:
        """Read terms between `||` or between `&&`; OVN refuses both without parentheses."""
        terms = [self.term()]
        joint = self.peek()
        while self.peek() in ("||", "&&"):
            assert self.take() == joint, f"{self.text!r}: && and || need parentheses"
            terms.append(self.term())
        if len(terms) == 1:
            return terms[0]
        every = tuple(terms)
        if joint == "||":
            return lambda seen: any(term(seen) for term in every)
        return lambda seen: all(term(seen) for term in every)

    def term(self) -> Question:
        """Read one question."""
        token = self.take()
        if token == "!":
            inner = self.term()
            return lambda seen: not inner(seen)
        if token == "(":
            inner = self.either()
            assert self.take() == ")", f"{self.text!r}: a parenthesis is not closed"
            return inner
        if token.isdigit():  # 5 <= tcp.dst <= 9
            operator, name = self.take(), self.take()
            turned = {"<=": ">=", ">=": "<=", "<": ">", ">": "<", "==": "=="}[operator]
            low = self._number(name, turned, (token,))
            if self.peek() not in _COMPARE:
                return low
            high = self._number(name, self.take(), (self.take(),))
            return lambda seen: low(seen) and high(seen)
        if self.peek() in _COMPARE or self.peek() == "!=":
            return self._comparison(token, self.take(), self._constants())
        return _flag(token)

    def peek(self) -> str:
        """Return the next token, "" at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        """Return the next token and go on."""
        assert self.peek(), f"{self.text!r} ends too early"
        self.at += 1
        found: str = self.tokens[self.at - 1]
        return found

    def _constants(self) -> tuple[str, ...]:
        first = self.take()
        if first != "{":
            return (first,)
        found = []
        while (token := self.take()) != "}":
            found += [] if token == "," else [token]
        return tuple(found)

    def _comparison(self, name: str, operator: str, constants: tuple[str, ...]) -> Question:
        if name in ("inport", "outport"):
            assert operator == "==", f"{self.text!r}: {operator} of a port"
            of = {"inport": "from-lport", "outport": "to-lport"}[name]
            assert of == self.direction, f"{self.text!r}: {name} is not known in {self.direction}"
            ports = frozenset().union(*(self._ports(text) for text in constants))
            return lambda seen: seen.port in ports
        if name in ("ip4.src", "ip4.dst", "ip6.src", "ip6.dst"):
            return self._address(name, operator, constants)
        return self._number(name, operator, constants)

    def _ports(self, text: str) -> frozenset[str]:
        return self.names.groups[text[1:]] if text.startswith("@") else frozenset({text.strip('"')})

    def _address(self, name: str, operator: str, constants: tuple[str, ...]) -> Question:
        version, is_source = int(name[2]), name.endswith("src")
        spans = tuple(span for text in constants for span in self.names.addresses(text))
        assert operator in ("==", "!="), f"{self.text!r}: {operator} of an address"
        wanted = operator == "=="

        def asked(seen: Seen) -> bool:
            if seen.version != version or seen.packet.protocol == ARP:
                return False
            number = seen.source if is_source else seen.destination
            return any(low <= number <= high for low, high in spans) is wanted

        return asked

    def _number(self, name: str, operator: str, constants: tuple[str, ...]) -> Question:
        prerequisite, _, part = name.partition(".")
        is_there = _flag(prerequisite)
        attribute = {
            "src": "source_port",
            "dst": "destination_port",
            "type": "icmp_type",
            "code": "icmp_code",
            "proto": "protocol",
        }[part]
        numbers = tuple(int(text) for text in constants)
        if operator == "!=":
            return lambda seen: is_there(seen) and getattr(seen.packet, attribute) not in numbers
        compare = _COMPARE[operator]
        return lambda seen: (
            is_there(seen) and any(compare(getattr(seen.packet, attribute), number) for number in numbers)
        )


def _flag(name: str) -> Question:
    """Return the question that a word alone asks."""
    if name == "ip":
        return lambda seen: seen.packet.protocol != ARP
    if name in ("ip4", "ip6"):
        version = int(name[2])
        return lambda seen: seen.version == version and seen.packet.protocol != ARP
    if name == "arp":
        return lambda seen: seen.packet.protocol == ARP
    if name == "nd":
        return lambda seen: seen.packet.protocol == ICMPV6 and seen.packet.icmp_type in NEIGHBOURHOOD
    if name in ("0", "1"):
        return lambda seen: name == "1"
    protocol = _PROTOCOLS[name]
    version = {"icmp4": 4, "icmp6": 6}.get(name, 0)
    return lambda seen: seen.packet.protocol == protocol and version in (0, seen.version)
