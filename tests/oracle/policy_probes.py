"""Probes of a world of policies: all ordered pairs of ports of a realm, and the outside, by everything worth asking."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

from netctl.model.service import Service, ServiceProtocol
from tests.oracle.policy_words import ARP, ECHO, ICMP, ICMPV6, TCP, UDP, VLANS, Packet, PolicyWorld, Port
from tests.oracle.policy_worlds import OUTSIDE

CLIENT_PORT = 40_000
GRE = 47
GROUPS = {4: "224.0.0.251", 6: "ff02::fb"}
_SOLICITATION, _ADVERTISEMENT = 135, 136
_BY_PROTOCOL = {ServiceProtocol.TCP: TCP, ServiceProtocol.UDP: UDP}


@dataclass(frozen=True, slots=True)
class PolicyProbe:
    """A first packet and whose it is: None is somebody who has no port of ours."""

    source: Port | None
    destination: Port | None
    packet: Packet

    def __str__(self) -> str:
        names = ("outside" if port is None else f"{port.nic.id}/{port.vlan_id}" for port in self.ends)
        return f"{' -> '.join(names)}: {self.packet}"

    @property
    def ends(self) -> tuple[Port | None, Port | None]:
        """Both ends."""
        return self.source, self.destination


def shapes(world: PolicyWorld, version: int) -> list[Packet]:
    """List packets between nobodies: every protocol, ports and types at the edges of what rules name."""
    named = [service for group in world.service_groups.values() for service in group.services]
    named += [service for policy in world.policies for rule in policy.rules for service in rule.services]
    protocol = ICMP if version == 4 else ICMPV6
    nobody = ("0.0.0.0", "0.0.0.0") if version == 4 else ("::", "::")
    found = {
        Packet(*nobody, protocol, icmp_type=ECHO[protocol]): None,
        Packet(*nobody, GRE): None,
        Packet(*nobody, ARP) if version == 4 else Packet(*nobody, ICMPV6, icmp_type=_SOLICITATION): None,
    }
    for transport in (TCP, UDP):
        sources, targets = {CLIENT_PORT}, {22, 53}
        for service in named:
            if _BY_PROTOCOL.get(service.protocol) == transport:
                sources |= _edges(service, "source_ports")
                targets |= _edges(service, "ports")
        pairs = {
            *itertools.product(sorted(sources), (22, 80)),
            *itertools.product((CLIENT_PORT,), sorted(targets)),
        }
        found |= {Packet(*nobody, transport, *pair): None for pair in sorted(pairs)}
    for service in named:
        found |= {
            Packet(*nobody, protocol, icmp_type=t, icmp_code=c): None for t, c in _types(service, version)
        }
        if service.protocol is ServiceProtocol.NUMBER and service.protocol_number not in (
            TCP,
            UDP,
            ICMP,
            ICMPV6,
        ):
            found[Packet(*nobody, service.protocol_number)] = None
    return list(found)


def _edges(service: Service, name: str) -> set[int]:
    ranges = getattr(service, name)
    every = {edge for r in ranges for edge in (r.first - 1, r.first, r.last, r.last + 1)}
    return {port for port in every if 0 < port < 65_536}


def _types(service: Service, version: int) -> Iterator[tuple[int, int]]:
    wanted = ServiceProtocol.ICMP if version == 4 else ServiceProtocol.ICMPV6
    if service.protocol is wanted and service.icmp_type is not None:
        yield from itertools.product((service.icmp_type,), {0, 1, service.icmp_code or 0})


def truth_table(world: PolicyWorld) -> Iterator[PolicyProbe]:
    """Yield every probe of a world."""
    ports = world.ports()
    by_version = {version: shapes(world, version) for version in (4, 6)}
    for source, destination in itertools.product([*ports, None], repeat=2):
        for pair in _addresses(source, destination):
            version = 6 if ":" in pair[0] else 4
            for shape in by_version[version]:
                yield PolicyProbe(source, destination, between(pair, shape))
    for port in ports:
        yield from _to_many(port, ports)


def some_of(world: PolicyWorld, count: int) -> list[PolicyProbe]:
    """Return so many probes of a world, of every kind; the same ones each time."""
    every = list(truth_table(world))
    return random.Random(len(every)).sample(every, min(count, len(every)))


def _to_many(port: Port, ports: list[Port]) -> Iterator[PolicyProbe]:
    """Yield what goes to several at once, to the port and from it, and questions for DHCP."""
    for version, group in GROUPS.items():
        heard = (one for one in ports if one.realm == port.realm and one.name != port.name)
        sources = [address for one in heard for address in _of(one, version, port.realm)][:3]
        for source in [*sources, *_of(None, version, port.realm)]:
            yield PolicyProbe(None, port, Packet(source, group, UDP, CLIENT_PORT, 5353))
        for source in _of(port, version, port.realm):
            yield PolicyProbe(port, None, Packet(source, group, UDP, CLIENT_PORT, 5353))
    four = Packet("0.0.0.0", "255.255.255.255", UDP, 68, 67)
    six = Packet("fe80::1", "ff02::1:2", UDP, 546, 547)
    for question in (four, six):
        yield PolicyProbe(port, None, question)
        yield PolicyProbe(None, port, question)
    if port.subnet.dhcp is not None and port.subnet.dhcp.server_address:
        for target in (67, 69):
            server = port.subnet.dhcp.server_address
            yield PolicyProbe(port, None, Packet("10.0.0.200", server, UDP, 68, target))


def between(pair: tuple[str, str], shape: Packet) -> Packet:
    """Return a packet of this shape from the first address to the second."""
    rest = (shape.source_port, shape.destination_port, shape.icmp_type, shape.icmp_code)
    return Packet(*pair, shape.protocol, *rest)


def _addresses(source: Port | None, destination: Port | None) -> Iterator[tuple[str, str]]:
    """Yield the addresses by which two ends may talk: ports of one realm, or a port and somebody outside."""
    if source is None or destination is None:
        if source is destination:
            return
    elif source.realm != destination.realm or source.name == destination.name:
        return
    for version in (4, 6):
        mine, theirs = (_of(port, version, realm_of(source, destination)) for port in (source, destination))
        yield from itertools.product(mine, theirs)


def _of(port: Port | None, version: int, realm: str) -> list[str]:
    if port is not None:
        return [address for address in port.addresses if (":" in address) == (version == 6)]
    # Somebody far away; and on VLANs somebody whom we do not know, with an address of the network.
    near = ["10.0.0.77", "fd00::77"] if realm == VLANS else []
    return [address for address in (*OUTSIDE, *near) if (":" in address) == (version == 6)]


def realm_of(source: Port | None, destination: Port | None) -> str:
    """Return where two ends talk."""
    port = source or destination
    assert port is not None
    return port.realm
