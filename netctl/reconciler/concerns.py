"""Concerns: what of a host's assignment a change of an intent may change. Pure.

Asked of every host after every change: what is elsewhere must cost nothing. Whatever decides which frames pass which
chain is looked at only while there are chains.
"""

from __future__ import annotations

import enum

from netctl.compiler.migrating import is_incoming, nics_at
from netctl.model.assignment import Assignment
from netctl.model.keys import HostId, Key, Kind
from netctl.model.mirror import TrafficMirror
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.model.vm_migration import VmMigration


class Concern(enum.IntEnum):
    """What of an assignment may differ: nothing, what passes br.nf, anything."""

    NONE = 0
    CHAINS = 1
    WHOLE = 2


# Nothing of them is in an assignment.
_NOWHERE = frozenset(
    {
        Kind.CLUSTER,
        Kind.FLOATING_IP,
        Kind.ROUTE,
        Kind.ADDRESS_RESERVATION,
        Kind.IMAGE,
        Kind.VM_TEMPLATE,
        Kind.AFFINITY_POLICY,
    }
)


def concern_of(key: Key, host: HostId, assignment: Assignment | None, snapshot: Snapshot) -> Concern:
    """Say what a change of intent `key` may change of the assignment that a host had."""
    kind, id = key
    if kind in _NOWHERE:
        return Concern.NONE
    match kind:
        case Kind.NIC:
            nic = snapshot.get(key)
            had = assignment is not None and any(one.nic == id for one in assignment.nics)
            here = had or (isinstance(nic, Nic) and (nic.host == host or is_incoming(snapshot, nic, host)))
            return Concern.WHOLE if here else Concern.CHAINS
        case Kind.HOST:
            return Concern.WHOLE if id == host else Concern.NONE
        case Kind.SUBNET:
            here = any(_is_on(nic, id) for nic in nics_at(snapshot, host))
            return Concern.WHOLE if here else Concern.CHAINS
        case Kind.VIRTUAL_SWITCH:
            machine = snapshot.host(host)
            here = machine is None or any(uplink.virtual_switch == id for uplink in machine.uplinks)
            return Concern.WHOLE if here else Concern.NONE
        case Kind.TRAFFIC_MIRROR:
            mirror = snapshot.get(key)
            here = not isinstance(mirror, TrafficMirror) or mirror.host == host
            return Concern.WHOLE if here else Concern.NONE
        case Kind.VM_MIGRATION:
            migration = snapshot.get(key)
            if isinstance(migration, VmMigration) and host not in (migration.source, migration.destination):
                return Concern.NONE
            return Concern.WHOLE
    return Concern.CHAINS


def _is_on(nic: Nic, subnet: str) -> bool:
    return nic.subnet == subnet or any(vlan.subnet == subnet for vlan in nic.trunk_vlans)
