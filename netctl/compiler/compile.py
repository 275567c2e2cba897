"""compile: intents to facts, one by one or all; and which intents' facts depend on which others."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler.nic import compile_nic
from netctl.compiler.subnet import compile_subnet
from netctl.model.keys import Key, Kind, SubnetId
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet
from netctl.nb.rows import Fact, FactKey, collect


def compile_intent(snapshot: Snapshot, key: Key, owner: str) -> Iterator[Fact]:
    """Yield the facts of one intent; none when it is gone or has no rows of its own (hosts, clusters, switches)."""
    intent = snapshot.get(key)
    if isinstance(intent, Subnet):
        yield from compile_subnet(snapshot, intent, owner)
    elif isinstance(intent, Nic):
        yield from compile_nic(snapshot, intent, owner)


def compile_rows(snapshot: Snapshot, owner: str) -> dict[FactKey, Fact]:
    """Return all facts of a snapshot: the definition of correct."""
    return collect(
        fact
        for kind in (Kind.SUBNET, Kind.NIC)
        for intent in snapshot.of_kind(kind)
        for fact in compile_intent(snapshot, (kind, intent.id), owner)
    )


def dependents(snapshot: Snapshot, key: Key) -> Iterator[Key]:
    """Yield the intents whose facts read intent `key`, itself first.

    The intents that read one which is gone have changed themselves: nothing is removed while others refer to it.
    """
    yield key
    if key[0] is Kind.SUBNET:
        for nic in snapshot.nics_of_subnet(SubnetId(key[1])):
            yield Kind.NIC, nic.id
