"""Migrations of virtual machines for tests, as admission would store them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netctl.model.intent import Intent
from netctl.model.keys import HostId, VmId, VmMigrationId
from netctl.model.vm_migration import Stage, StageEntered, VmMigration
from tests.intents import meta
from tests.machines import nic_of, vm

# The stages of one that goes well, after QUEUED.
WAY = (Stage.PREPARING, Stage.BINDING, Stage.COPYING, Stage.SETTLING, Stage.CLEANING, Stage.DONE)
# From SETTLING on the machine is at the destination.
AT_DESTINATION = frozenset({Stage.SETTLING, Stage.CLEANING, Stage.DONE})


def migration(
    machine: str = "a", *, stage: Stage = Stage.QUEUED, name: str = "m1", **change: Any
) -> VmMigration:
    """Return a stored migration from h1 to h2, whose stage was entered at 100 s."""
    base = VmMigration(
        id=VmMigrationId(name),
        meta=meta(name),
        vm=VmId(machine),
        source=HostId("h1"),
        destination=HostId("h2"),
        stage=stage,
        steps=(StageEntered(stage=stage, time_s=100.0),),
    )
    return replace(base, **change)


def moving(stage: Stage, **change: Any) -> tuple[Intent, ...]:
    """Return machine a with one NIC on v10, and its migration from h1 to h2 at a stage."""
    place = "h2" if stage in AT_DESTINATION else "h1"
    return (
        vm("a", on=place, disks=1),
        nic_of("a", "n1", host=place),
        migration(stage=stage, **change),
    )
