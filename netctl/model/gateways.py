"""Which hosts may be the gateway of a VPC on an external subnet: those that can, the least used first.

A hash of VPC and host decides between equals, so that many VPCs spread. What was chosen stays while it can.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from netctl.errors import InvalidIntent
from netctl.model.indexes import Relation
from netctl.model.infra import Host
from netctl.model.intent import Intent, key_of
from netctl.model.keys import HostId, Key, Kind, SubnetId
from netctl.model.lookups import Lookups
from netctl.model.snapshot import Draft
from netctl.model.stamp import Admitted, Context, absent, in_use, replace_unchecked, updated
from netctl.model.subnet import Subnet
from netctl.model.vpc import ExternalConnection, Vpc


def candidates(intents: Lookups, subnet: Subnet) -> Collection[str]:
    """Return the hosts that can be a gateway to an external subnet."""
    found = [intents.related(Relation.HOSTS_OF_VIRTUAL_SWITCH, id) for id in subnet.virtual_switches]
    return found[0] if len(found) == 1 else frozenset().union(*found)


def choose(
    draft: Draft, vpc: str, connection: ExternalConnection, hosts: Collection[str]
) -> tuple[HostId, ...]:
    """Return the gateways of a connection out of the hosts that can: those that it has, then the least used."""
    kept = [id for id in connection.gateways if id in hosts][: connection.gateway_host_count]

    def burden(id: str) -> tuple[int, int, str]:
        roles = len(draft.related(Relation.VPCS_OF_GATEWAY, id))
        return roles, zlib.crc32(f"{vpc} {id}".encode()), id

    others = (id for id in hosts if id not in kept)
    more = heapq.nsmallest(connection.gateway_host_count - len(kept), others, key=burden)
    return (*kept, *(HostId(id) for id in more))


def check_named(draft: Draft, subnet: Subnet, connection: ExternalConnection, field: str) -> None:
    """Refuse hosts that were named as gateways and cannot be."""
    if connection.gateway_hosts and not subnet.has_vlan:
        raise InvalidIntent(
            f"{field}.gateway_hosts",
            f"subnets/{subnet.id} is inside a transit VPC: every host routes to it itself; leave it empty",
        )
    hosts = candidates(draft, subnet)
    for i, id in enumerate(connection.gateway_hosts):
        if draft.host(id) is None:
            raise absent((Kind.HOST, id), f"{field}.gateway_hosts[{i}]")
        if id not in hosts:
            raise InvalidIntent(
                f"{field}.gateway_hosts[{i}]",
                f"hosts/{id} {_why_not(subnet)}: name another host or connect it",
            )


def none_possible(subnet: Subnet, field: str) -> InvalidIntent:
    """Return the error for an external subnet that no host can be the gateway to."""
    return InvalidIntent(
        f"{field}.subnet",
        f"no host can be the gateway to subnets/{subnet.id}: each {_why_not(subnet)}; add one",
    )


def _why_not(subnet: Subnet) -> str:
    return "has no uplink of " + " or ".join(f"virtualSwitches/{id}" for id in subnet.virtual_switches)


@dataclass(frozen=True, slots=True)
class _Loss:
    """A host that was removed or lost uplinks, already in the draft; `hosts` remembers who can, by subnet."""

    draft: Draft
    host: HostId
    hosts: dict[SubnetId, Collection[str]]

    def candidates(self, id: SubnetId) -> Collection[str]:
        if id not in self.hosts:
            subnet = self.draft.subnet(id)
            self.hosts[id] = candidates(self.draft, subnet) if subnet is not None else ()
        return self.hosts[id]

    def is_lost(self, connection: ExternalConnection) -> bool:
        return self.host in connection.gateways and self.host not in self.candidates(connection.subnet)


def follow(
    draft: Draft, before: Intent | None, after: Intent | None, context: Context
) -> tuple[Admitted, ...]:
    """Choose other gateways where a host, removed or changed in the draft, can be it no longer.

    InUse when it was named by hand or when no other host can be the gateway.
    """
    if not isinstance(before, Host) or (isinstance(after, Host) and after.uplinks == before.uplinks):
        return ()
    loss = _Loss(draft, before.id, {})
    stuck: list[Key] = []
    changes: list[Admitted] = []
    for vpc in sorted(draft.vpcs_of_gateway(before.id), key=lambda vpc: vpc.id):
        moved = dict(_moved(vpc, loss))
        if not moved:
            continue
        if not all(moved.values()):
            stuck.append((Kind.VPC, vpc.id))
            continue
        connections = tuple(
            replace(one, gateways=moved.get(one.subnet, one.gateways)) for one in vpc.external_connections
        )
        changed = updated(replace_unchecked(vpc, external_connections=connections), context)
        draft.put(changed)
        changes.append(Admitted(key=key_of(vpc), before=vpc, after=changed))
    if stuck:
        field = "name" if after is None else "uplinks"
        raise in_use(
            f"hosts/{before.id} is needed as the gateway, by name or as the last one,", stuck, field=field
        )
    return tuple(changes)


def _moved(vpc: Vpc, loss: _Loss) -> Iterator[tuple[SubnetId, tuple[HostId, ...]]]:
    """Yield the new gateways of each connection that lost one; none where it may not move."""
    for connection in vpc.external_connections:
        if loss.is_lost(connection):
            named = loss.host in connection.gateway_hosts
            hosts = loss.candidates(connection.subnet)
            yield connection.subnet, () if named else choose(loss.draft, vpc.id, connection, hosts)
