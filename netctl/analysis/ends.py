"""Ends: which ports and addresses a question about two NICs, or a NIC and an address, is about. Pure.

A trunk NIC has a port for each VLAN. Of two NICs the ports are taken that are on one subnet, else those in one realm,
else the untagged ones; of a NIC and an address the port on whose subnet the address is, else the untagged one. An
address that is a NIC's in the realm of the other end is that NIC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

from netctl.analysis.verdict import Evaluator, Packet
from netctl.compiler.exits import holds
from netctl.compiler.membership import Port, ports_of
from netctl.errors import InvalidIntent
from netctl.model.keys import Kind, resource_name
from netctl.model.nic import Nic, NicKind
from netctl.model.numbers import version_of
from netctl.model.service import Service

End = Nic | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: NICs or addresses, not two addresses; `ip_version` 0 is whichever they have, IPv4 first."""

    source: End
    destination: End
    service: Service | None = None
    ip_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The packet, and the port at each of its ends; None is no port of ours."""

    source: Port | None
    destination: Port | None
    packet: Packet


def find_ends(evaluator: Evaluator, question: Question) -> Ends:
    """Return what is asked about; InvalidIntent says which field cannot be."""
    question = _without_ports(question)
    source, destination = question.source, question.destination
    if isinstance(source, str) and isinstance(destination, str):
        raise InvalidIntent(
            "source", "is an address, as the destination is; one of them must be a NIC, e.g. nics/web-1"
        )
    if source == destination:
        raise InvalidIntent("destination", f"{name_of(source)} is the source itself: nothing leaves it")
    version = _version_of(evaluator, question)
    ports = [
        _ports(evaluator, field, end, version)
        for field, end in (("source", source), ("destination", destination))
    ]
    first, second = _choose(ports[0], ports[1], question)
    addresses = [
        end if isinstance(end, str) else _address(evaluator, port, version)
        for end, port in ((source, first), (destination, second))
    ]
    if isinstance(source, str):
        first = _whose(evaluator, source, second)
    if isinstance(destination, str):
        second = _whose(evaluator, destination, first)
    return Ends(source=first, destination=second, packet=Packet(addresses[0], addresses[1], question.service))


def _without_ports(question: Question) -> Question:
    """Return the question with NICs beside OVN as what policies see of them: addresses."""
    beside = [
        end for end in (question.source, question.destination) if isinstance(end, Nic) and not end.has_port
    ]
    if not beside:
        return question
    others = [end for end in (question.source, question.destination) if end not in beside]
    if not any(isinstance(end, Nic) for end in others):
        field = "source" if question.source in beside else "destination"
        raise InvalidIntent(
            field,
            f"{name_of(beside[0])} is {plugged_as(beside[0])}: no policies apply to it; ask with a NIC of OVN at the"
            " other end",
        )
    texts = [end for end in others if isinstance(end, str)]
    version = question.ip_version or (version_of(texts[0]) if texts else 0)
    if not version and question.service is not None:
        version = question.service.version or 0
    return replace(
        question,
        source=_seen(question.source, "source", version),
        destination=_seen(question.destination, "destination", version),
    )


def _seen(end: End, field: str, version: int) -> End:
    if isinstance(end, str) or end.has_port:
        return end
    addresses = [text for text in (end.ipv4_address, end.ipv6_address) if text]
    found = next((text for text in addresses if version in (0, version_of(text))), "")
    if not found:
        raise InvalidIntent(
            field,
            f"{name_of(end)} is {plugged_as(end)} and has no{f' IPv{version}' if version else ''} address by which"
            " policies could see it; ask with one",
        )
    return found


def plugged_as(nic: Nic) -> str:
    """Say where a NIC without a port is: no policies apply there, and OVN sees nothing of it."""
    if nic.kind is NicKind.NORMAL:
        return "on VLAN basic"
    return f"of kind {nic.kind.name}"


def name_of(end: End) -> str:
    """Return an end as people name it."""
    return end if isinstance(end, str) else resource_name((Kind.NIC, end.id))


def _version_of(evaluator: Evaluator, question: Question) -> int:
    ends = (("source", question.source), ("destination", question.destination))
    wanted = [(field, version_of(end)) for field, end in ends if isinstance(end, str)]
    if question.service is not None and question.service.version is not None:
        wanted.append(("service", question.service.version))
    if question.ip_version:
        wanted.append(("ip_version", question.ip_version))
    for (_, first), (field, other) in pairwise(wanted):
        if first != other:
            raise InvalidIntent(field, f"is of IPv{other}, and another one of IPv{first}: use one IP version")
    if wanted:
        return wanted[0][1]
    nics = [end for _, end in ends if isinstance(end, Nic)]
    four = all(_with_addresses(evaluator, nic, 4) for nic in nics)
    six = all(_with_addresses(evaluator, nic, 6) for nic in nics)
    return 6 if six and not four else 4


def _ports(evaluator: Evaluator, field: str, end: End, version: int) -> list[Port]:
    """Return the ports of a NIC that have an address of an IP version."""
    if isinstance(end, str):
        return []
    found = _with_addresses(evaluator, end, version)
    if not found:
        raise InvalidIntent(
            field,
            f"{name_of(end)} has no IPv{version} address, given or learned; ask with one, or the other ip_version",
        )
    return found


def _with_addresses(evaluator: Evaluator, nic: Nic, version: int) -> list[Port]:
    ports = ports_of(evaluator.snapshot, nic)
    return [port for port in ports if _address(evaluator, port, version)]


def _address(evaluator: Evaluator, port: Port | None, version: int) -> str:
    """Return a port's first address of an IP version, "" when it has none."""
    found = port.addresses(evaluator.observed) if port is not None else ()
    return next((address for address in found if version_of(address) == version), "")


def _choose(
    sources: Sequence[Port], destinations: Sequence[Port], question: Question
) -> tuple[Port | None, Port | None]:
    if isinstance(question.source, str):
        return None, _towards(destinations, question.source)
    if isinstance(question.destination, str):
        return _towards(sources, question.destination), None
    return min(
        product(sources, destinations),
        key=lambda pair: (
            pair[0].subnet.id != pair[1].subnet.id,
            pair[0].realm != pair[1].realm,
            pair[0].vlan_id,
            pair[1].vlan_id,
        ),
    )


def _towards(ports: Sequence[Port], address: str) -> Port:
    return min(ports, key=lambda port: (not holds(port.subnet, address), port.vlan_id))


def _whose(evaluator: Evaluator, address: str, other: Port | None) -> Port | None:
    """Return the port that has an address in the realm of the other end, None when nobody or several have it."""
    if other is None:
        return None
    found = evaluator.whose.ports(other.realm, address)
    here = [port for port in found if port.subnet.id == other.subnet.id] or found
    if len(here) != 1:
        return None
    if here[0].nic.id == other.nic.id:
        raise InvalidIntent("destination", f"{address} is {name_of(other.nic)} itself: nothing leaves it")
    return here[0]
