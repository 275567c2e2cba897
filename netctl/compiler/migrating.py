"""Where virtual machines are while they migrate: whose NICs are on which hosts. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from netctl.model.keys import HostId, Kind
from netctl.model.lookups import Lookups
from netctl.model.nic import Nic
from netctl.model.vm_migration import ON_BOTH, Stage, VmMigration

# The guest is expected on the destination, or has just gone on there.
_ARRIVING = ON_BOTH | {Stage.SETTLING}


def migration_of(snapshot: Lookups, nic: Nic) -> VmMigration | None:
    """Return the migration that a NIC's virtual machine is on, None while there is none."""
    if not nic.vm or not snapshot.count(Kind.VM_MIGRATION):
        return None
    return snapshot.active_migration_of(nic.vm)


def second_host(snapshot: Lookups, nic: Nic) -> HostId:
    """Return the host that a NIC is bound to beside its own, "" mostly."""
    migration = migration_of(snapshot, nic)
    if migration is None or migration.stage not in ON_BOTH or migration.destination == nic.host:
        return HostId("")
    return migration.destination


def is_incoming(snapshot: Lookups, nic: Nic, host: HostId) -> bool:
    """Does a migration bring a NIC's guest to a host, or has it only just brought it?"""
    migration = migration_of(snapshot, nic)
    return migration is not None and migration.destination == host and migration.stage in _ARRIVING


def nics_at(snapshot: Lookups, host: HostId) -> Iterator[Nic]:
    """Yield the NICs of a host, and those that are bound to it beside their own."""
    if not snapshot.count(Kind.VM_MIGRATION):
        return snapshot.nics_of_host(host)
    return chain(snapshot.nics_of_host(host), _expected(snapshot, host))


def _expected(snapshot: Lookups, host: HostId) -> Iterator[Nic]:
    for migration in snapshot.active_migrations_of_host(host):
        if migration.destination == host and migration.stage in ON_BOTH:
            yield from (nic for nic in snapshot.nics_of_vm(migration.vm) if nic.host != host)
