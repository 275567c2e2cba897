"""compile: intents to facts, one by one or all; and which intents' facts depend on which others."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler.nic import compile_nic
from netctl.compiler.subnet import compile_subnet
from netctl.model.keys import Key, Kind
from netctl.model.nic import Nic
from netctl.model.snapshot import Reader
from netctl.model.subnet import Subnet
from netctl.nb.rows import Fact, FactKey, collect


def compile_intent(reader: Reader, key: Key, owner: str) -> Iterator[Fact]:
    """Yield the facts of one intent; none when it is gone or has no rows of its own (hosts, clusters, switches)."""
    intent = reader.get(key)
    if isinstance(intent, Subnet):
        yield from compile_subnet(reader, intent, owner)
    elif isinstance(intent, Nic):
        yield from compile_nic(reader, intent, owner)


def compile_rows(reader: Reader, owner: str) -> dict[FactKey, Fact]:
    """Return all facts of a snapshot: the definition of correct."""
    return collect(
        fact
        for kind in (Kind.SUBNET, Kind.NIC)
        for intent in reader.of_kind(kind)
        for fact in compile_intent(reader, (kind, intent.id), owner)
    )


def dependents(reader: Reader, key: Key) -> Iterator[Key]:
    """Yield the intents whose facts read intent `key`, itself first."""
    yield key
    if key[0] is Kind.SUBNET:
        for nic in reader.nics_of_subnet(key[1]):
            yield Kind.NIC, nic.id
