"""SteeringRule -> what OpenFlow matches it with, in each direction. Pure.

A rule is a product of sets: MAC addresses, networks, ports. `Match` keeps the sets apart; `function_flows.py` writes
them as conjunctions (ovs-fields(7)), so that 100 addresses times 100 networks are 201 flows and not 10,000.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from netctl_host.assignment_chains import PortSpan, SteeringRule

_PORT_FIELDS = {6: "tcp", 17: "udp", 132: "sctp"}  # IANA protocol numbers that have ports
_ICMP = {4: (1, "icmp"), 6: (58, "icmpv6")}
# RFC 792, RFC 950, RFC 4443: what answers what
_ANSWERS = {4: {8: 0, 13: 14, 15: 16, 17: 18}, 6: {128: 129}}


class Way(enum.Enum):
    """Where a frame goes: from guests to the network, or to guests."""

    OUT = enum.auto()
    IN = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """All of `common`, and of each of `dimensions` one. `later`: for fragments after the first, which have no ports."""

    common: tuple[str, ...]
    dimensions: tuple[tuple[str, ...], ...] = ()
    later: bool = False


def matches(rule: SteeringRule, way: Way) -> Iterator[Match]:
    """Yield what the rule matches of frames that go `way`; nothing where no frame can match."""
    local, peer = ("src", "dst") if way is Way.OUT else ("dst", "src")
    macs = tuple(f"dl_{local}={mac}" for mac in sorted(rule.local_mac_addresses))
    has_parts = bool(rule.source_ports or rule.destination_ports) or rule.icmp_type is not None
    if not rule.ip_version and rule.protocol is None and not has_parts and not _has_networks(rule):
        yield _match((), [macs])
        return
    for version in (rule.ip_version,) if rule.ip_version else (4, 6):
        networks = [
            _networks(rule.local_networks, version, local),
            _networks(rule.peer_networks, version, peer),
        ]
        if None in networks:
            continue
        sets = [macs, *(each for each in networks if each is not None)]
        kind = "ip" if version == 4 else "ipv6"
        for common, parts in _protocols(rule, way, version):
            yield _match((kind, *common), [*sets, *parts])
            if parts or any("_type" in field for field in common):
                later = tuple(field for field in common if field.startswith("nw_proto"))
                yield _match((kind, *later, "nw_frag=later"), sets, later=True)


def span_masks(span: PortSpan) -> Iterator[str]:
    """Yield the span as values with masks."""
    first = span.first
    while first <= span.last:
        size = (first & -first) or 1 << 16
        while first + size - 1 > span.last:
            size >>= 1
        yield str(first) if size == 1 else f"{first:#x}/{0x10000 - size:#x}"
        first += size


def _has_networks(rule: SteeringRule) -> bool:
    return bool(rule.local_networks or rule.peer_networks)


def _match(common: tuple[str, ...], sets: Iterable[tuple[str, ...]], *, later: bool = False) -> Match:
    """Sets of one are common to all; an empty one says nothing."""
    some = [each for each in sets if each]
    single = tuple(each[0] for each in some if len(each) == 1)
    return Match(
        common=(*common, *single), dimensions=tuple(each for each in some if len(each) > 1), later=later
    )


def _networks(networks: tuple[str, ...], version: int, side: str) -> tuple[str, ...] | None:
    """Return the networks of a version: () for any, None where there is none of it."""
    parsed = [ipaddress.ip_network(network, strict=False) for network in networks]
    own = sorted({str(network) for network in parsed if network.version == version})
    if networks and not own:
        return None
    if any(network.version == version and not network.prefixlen for network in parsed):
        return ()
    field = f"nw_{side}" if version == 4 else f"ipv6_{side}"
    return tuple(f"{field}={network}" for network in own)


def _protocols(
    rule: SteeringRule, way: Way, version: int
) -> Iterator[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Yield what is common, and the sets of ports, for each protocol that the rule may mean."""
    number, name = _ICMP[version]
    if rule.icmp_type is not None:
        if rule.protocol in (None, number):
            yield (f"nw_proto={number}", *_icmp(rule, way, version, name)), []
        return
    if not (rule.source_ports or rule.destination_ports):
        yield (() if rule.protocol is None else (f"nw_proto={rule.protocol}",)), []
        return
    is_opener = (way is Way.OUT) == rule.local_opens
    ends = ("src", "dst") if is_opener else ("dst", "src")
    for protocol, prefix in _PORT_FIELDS.items():
        if rule.protocol in (None, protocol):
            parts = [
                tuple(f"{prefix}_{end}={mask}" for span in spans for mask in span_masks(span))
                for end, spans in zip(ends, (rule.source_ports, rule.destination_ports), strict=True)
            ]
            yield (f"nw_proto={protocol}",), [part for part in parts if part]


def _icmp(rule: SteeringRule, way: Way, version: int, name: str) -> Iterator[str]:
    assert rule.icmp_type is not None
    is_opener = (way is Way.OUT) == rule.local_opens
    kind = rule.icmp_type if is_opener else _ANSWERS[version].get(rule.icmp_type, rule.icmp_type)
    yield f"{name}_type={kind}"
    if rule.icmp_code is not None:
        yield f"{name}_code={rule.icmp_code}"
