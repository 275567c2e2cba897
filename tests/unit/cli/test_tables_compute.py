"""Cells and lines about virtual machines and migrations."""

from __future__ import annotations

import pytest

from netctl.cli.tables_compute import cpus, size, stage
from netctl.cli.vm_migrate import tell_end, tell_progress
from netctl.v1 import compute_pb2 as pb


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, ""), (512, "512 B"), (300 << 20, "300 MiB"), (3 << 29, "1.5 GiB"), (20 << 30, "20 GiB")],
)
def test_sizes_are_said_in_the_largest_unit_that_fits(count: int, text: str) -> None:
    assert size(count) == text


def test_processors_are_sockets_times_cores_times_threads() -> None:
    assert cpus(pb.Vm()) == 1
    assert cpus(pb.Vm(num_vcpus=2, num_cores_per_vcpu=4, num_threads_per_core=2)) == 16


def test_a_migration_says_where_it_is_and_what_became_of_it() -> None:
    migration = pb.VmMigration(vm="vms/a", source="hosts/h1", destination="hosts/h2", queue_position=2)
    migration.stage = pb.MIGRATION_STAGE_QUEUED
    assert stage(migration) == "queued (2 before)"
    migration.stage, migration.queue_position = pb.MIGRATION_STAGE_COPYING, 0
    migration.evidence.iterations, migration.evidence.remaining_bytes = 3, 5 << 20
    assert tell_progress(migration, live=False) == "a copying iteration 3"
    assert tell_progress(migration, live=True) == "a copying iteration 3 5 MiB remain"
    migration.stage = pb.MIGRATION_STAGE_DONE
    migration.evidence.pause_ms, migration.evidence.network_gap_ms, migration.evidence.copy_ms = 40, 90, 1500
    told = "vms/a  from hosts/h1 to hosts/h2: pause 40 ms, network gap 90 ms, 3 iterations, 0 B in 1.5 s"
    assert tell_end(migration) == told
    migration.stage, migration.failure, migration.failure_message = (
        pb.MIGRATION_STAGE_FAILED,
        "ABORTED",
        "asked",
    )
    assert tell_end(migration) == "vms/a  stays on hosts/h1: ABORTED: asked"
