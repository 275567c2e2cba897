"""Migrations of machines that are QUEUED: whose turn it is, what pre-flight says, where to."""

from __future__ import annotations

from dataclasses import replace

from netctl.model.keys import HostId
from netctl.model.vm_migration import Stage
from netctl.reconciler.migration_sight import Found
from netctl.reconciler.migration_steps import PATIENCE_S
from netctl.reconciler.vm_migrations import ahead_of, busy_hosts, in_order
from tests.intents import meta
from tests.migrations import migration
from tests.unit.reconciler.migrating import H1, H2, H3, M1, MigrationWorld


def test_pre_flight_refuses_at_once_what_does_not_pass_and_waits_for_what_may() -> None:
    world = MigrationWorld()
    world.found = Found(message="CPU: hosts/h2 lacks avx2 for Haswell")
    world.migrate()
    world.step()
    assert (world.stage, world.migration.failure) == (Stage.FAILED, "PREFLIGHT")
    assert "avx2" in world.migration.failure_message
    world = MigrationWorld()
    world.found = Found(message="HOST: hosts/h2 says nothing", passing=True)
    world.migrate()
    world.settle()
    assert world.stage is Stage.QUEUED
    world.now_s += PATIENCE_S / 2
    world.found = Found(destination=H2, ok=True)
    world.until(Stage.PREPARING)
    world = MigrationWorld()
    world.found = Found(message="HOST: hosts/h2 says nothing", passing=True)
    world.migrate()
    world.step()
    world.now_s += PATIENCE_S
    world.step()
    assert world.stage is Stage.FAILED


def test_a_destination_is_chosen_when_none_is_named() -> None:
    world = MigrationWorld()
    world.found = Found(destination=H3, ok=True)
    world.migrate(destination=HostId(""))
    world.until(Stage.DONE)
    assert (world.migration.destination, world.running_on()) == (H3, {H3})


def queue(*ends: tuple[str, str, Stage]) -> list[int]:
    """Return the places of migrations created one after the other; -1 for those that go on."""
    all_ = [
        replace(
            migration(name=f"m{i}", stage=stage),
            meta=replace(meta(f"m{i}"), create_time_s=float(i)),
            source=HostId(source),
            destination=HostId(destination),
        )
        for i, (source, destination, stage) in enumerate(ends)
    ]
    assert [one.id for one in in_order(reversed(all_))] == [one.id for one in all_]
    places = ahead_of(reversed(all_))
    return [places.get(one.id, -1) for one in all_]


def test_a_host_takes_part_in_two_and_the_rest_wait_in_order() -> None:
    wait, go = Stage.QUEUED, Stage.COPYING
    assert queue(("h1", "h2", wait), ("h1", "h3", wait), ("h1", "h4", wait), ("h1", "h2", wait)) == [
        0,
        0,
        1,
        2,
    ]
    assert queue(("h1", "h2", go), ("h3", "h1", go), ("h1", "h4", wait), ("h4", "h5", wait)) == [-1, -1, 1, 2]
    assert queue(("h1", "h2", go), ("h3", "h1", go), ("h4", "h5", wait), ("h6", "h1", wait)) == [-1, -1, 0, 1]
    assert queue(("h1", "h2", Stage.CLEANING), ("h1", "h2", Stage.ABORTING), ("h2", "", wait)) == [-1, -1, 1]
    assert queue(("h1", "h2", wait)) == [0]
    assert busy_hosts([migration(name="x", stage=go), migration(name="y", stage=go)]) == {"h1", "h2"}
    assert busy_hosts([migration(name="x", stage=go), migration(name="y")]) == set()


def test_a_queued_one_waits_and_says_who_goes_first() -> None:
    world = MigrationWorld()
    others = [
        migration(f"b{i}", name=f"z{i}", stage=Stage.COPYING, meta=replace(meta(f"z{i}"), create_time_s=1.0))
        for i in range(2)
    ]
    draft = world.snapshot.draft()
    for one in others:
        draft.put(one)
    world.source.set(draft.freeze(world.snapshot.revision + 1))
    world.migrate()
    world.step()
    assert world.stage is Stage.QUEUED
    assert world.engine.queue_position(world.snapshot, M1) == 1
    assert "1 go first" in world.engine.waits_for(M1)


def test_a_refused_step_is_said_and_tried_again() -> None:
    world = MigrationWorld()
    world.found = Found(destination=H1, ok=True)  # where it is already: admission refuses
    world.migrate(destination=HostId(""))
    world.step()
    assert world.stage is Stage.QUEUED
    assert "hosts/h1" in world.engine.waits_for(M1)
    world.found = Found(destination=H2, ok=True)
    world.until(Stage.DONE)
