"""Verdicts in a sentence, with the names of NICs, policies, rules and categories. Pure."""

from __future__ import annotations

from netctl.analysis.ends import Ends
from netctl.analysis.verdict import Decision, Verdict
from netctl.analysis.wording import line_of, policy_name, told
from netctl.compiler.membership import Port
from netctl.model.category import Category
from netctl.model.groups import Term, term_key
from netctl.model.keys import Kind, resource_name
from netctl.model.routing_policy import PortRange
from netctl.model.security_policy import Direction
from netctl.model.service import Service, ServiceProtocol
from netctl.model.snapshot import Snapshot

_WAYS = {Direction.OUT: "going out", Direction.IN: "coming in"}


def explain(snapshot: Snapshot, ends: Ends, verdict: Verdict) -> str:
    """Return why a verdict is what it is."""
    denials = [decision for decision in verdict.decisions if not decision.allows]
    packet = ends.packet
    source, destination = _end(ends.source, packet.source), _end(ends.destination, packet.destination)
    what = f"{describe(packet.service)} from {source} to {destination}"
    if denials:
        return f"{what} is denied: {', and '.join(_decision(snapshot, one) for one in denials)}"
    decided = [_decision(snapshot, one) for one in verdict.decisions if one.clause is not None]
    why = ", and ".join(decided) or "no policy in force says anything about it"
    more = ""
    if not verdict.answered:
        more = "; answers to it are not: they are not tracked, and no rule allows them"
    if (
        ends.source is not None
        and ends.destination is not None
        and ends.source.realm != ends.destination.realm
    ):
        more += (
            "; they are not in one VPC: where NAT is between them, ask with the address that each end sees"
        )
    for decision in verdict.decisions:
        if decision.would_drop is not None:
            name = resource_name((Kind.NIC, decision.port.nic.id))
            watching = decision.would_drop
            more += f"; {policy_name(watching)}, in MONITOR, would have dropped it ({line_of(watching)}) at {name}"
    return f"{what} is allowed: {why}{more}"


def describe(service: Service | None) -> str:
    """Return a service as people type it: `tcp/443`, `icmp/8`, `47`; `everything` for None."""
    if service is None:
        return "everything"
    if service.protocol is ServiceProtocol.NUMBER:
        return f"protocol {service.protocol_number}"
    parts = [service.protocol.value]
    if service.ports:
        parts.append(_ports(service.ports))
    numbers = (service.icmp_type, service.icmp_code)
    parts += (str(number) for number in numbers if number is not None)
    text = "/".join(parts)
    return f"{text} from port {_ports(service.source_ports)}" if service.source_ports else text


def _ports(ranges: tuple[PortRange, ...]) -> str:
    return ",".join(str(one.first) if one.first == one.last else f"{one.first}-{one.last}" for one in ranges)


def _end(port: Port | None, address: str) -> str:
    if port is None:
        return address
    vlan = f", VLAN {port.vlan_id} of its trunk" if port.vlan_id else ""
    return f"{resource_name((Kind.NIC, port.nic.id))} ({address}{vlan})"


def _decision(snapshot: Snapshot, decision: Decision) -> str:
    where = f"{resource_name((Kind.NIC, decision.port.nic.id))}, {_WAYS[decision.direction]}"
    clause = decision.clause
    assert clause is not None  # without one nothing is decided
    subject = _term(snapshot, clause.subject)
    return f"{told(clause, decision.action)} at {where}, as one of {subject}"


def _term(snapshot: Snapshot, term: Term) -> str:
    found = snapshot.get(term_key(term))
    return f"{term} ({found.key}:{found.value})" if isinstance(found, Category) else term
