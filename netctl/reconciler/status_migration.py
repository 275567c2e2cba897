"""Gate 3 for migrations of virtual machines: where each is. Pure."""

from __future__ import annotations

from netctl.model.status import Phase
from netctl.model.vm_migration import Stage, VmMigration
from netctl.reconciler.status_vpc import PROGRAMMED, Verdict
from netctl.reconciler.world import World


def migration_verdict(migration: VmMigration, world: World) -> Verdict:
    """Say whether a machine has arrived; of a migration that goes on, what it waits for."""
    if migration.stage is Stage.DONE:
        return PROGRAMMED
    if migration.stage is Stage.FAILED:
        return Phase.FAILED, migration.failure or "FAILED", migration.failure_message
    waits = world.waits(migration.id)
    reason = migration.stage.name
    if migration.stage is Stage.ABORTING:
        why = f"{migration.failure}: {migration.failure_message}; " if migration.failure else ""
        return Phase.PENDING, reason, f"{why}{waits or 'what was made at the destination is removed'}"
    return Phase.PENDING, reason, waits
