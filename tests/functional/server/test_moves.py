"""What a migration would find and where a host's machines would go: asked over the API, nothing changes."""

from __future__ import annotations

from contextlib import AsyncExitStack

import grpc

from netctl.model.keys import HostId
from netctl.v1 import agent_compute_pb2 as agent
from netctl.v1 import compute_pb2 as compute
from netctl.v1 import infra_pb2 as infra
from tests.functional.server.compute import ComputeAgent, place, vm
from tests.functional.server.test_vms import capable
from tests.functional.server.world import World, refused, until

INVALID, MISSING = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND


async def run(world: World, stack: AsyncExitStack) -> None:
    """Let `web-1` run on h1, and h2 be there, too."""
    await world.furnish()
    created = (await world.vms.CreateVm(vm())).vm
    await place(world)
    on = compute.SetVmPowerRequest(name="vms/web-1", power_state=compute.POWER_STATE_ON)
    await world.vms.SetVmPower(on)
    await place(world)
    seen = agent.VmReport(vm_id="web-1", uid=created.uid, run_state=compute.VM_RUN_STATE_RUNNING)
    for host, vms in (("h1", [seen]), ("h2", [])):
        address = f"tcp://192.0.2.{host[1]}"
        capacity = capable(migration_address=address)
        await stack.enter_async_context(
            ComputeAgent(world, host, capacity=capacity, libvirt_connected=True, vms=vms)
        )
    book = world.ports.compute_reports
    await until(lambda: all(book.get(HostId(id)).connected for id in ("h1", "h2")))


def rehearse(**fields: object) -> compute.RehearseMigrationRequest:
    return compute.RehearseMigrationRequest(vm="vms/web-1", **fields)  # type: ignore[arg-type]


async def test_a_rehearsal_says_what_would_fail_and_changes_nothing(world: World) -> None:
    async with AsyncExitStack() as stack:
        await run(world, stack)
        before = world.admission.snapshot().revision
        found = await world.vms.RehearseMigration(rehearse(destination="hosts/h2"))
        checks = {check.check: check for check in found.checks}
        assert found.destination == "hosts/h2"
        assert {"HOST", "CPU", "MEMORY", "STORAGE", "AFFINITY", "DEVICES", "VLANS", "FLOWS"} <= set(checks)
        assert checks["CPU"].ok
        assert checks["MEMORY"].ok
        # No host agent (networking) has said anything here.
        assert not checks["FLOWS"].ok
        assert not found.ok
        chosen = await world.vms.RehearseMigration(rehearse())
        assert not chosen.ok
        assert "no host would take it: hosts/h2" in chosen.checks[0].message
        assert world.admission.snapshot().revision == before
        assert not (await world.migrations.ListVmMigrations(compute.ListVmMigrationsRequest())).vm_migrations


async def test_a_rehearsal_of_what_cannot_be_asked_is_refused(world: World) -> None:
    async with AsyncExitStack() as stack:
        await run(world, stack)
        async with refused(MISSING, "destination", text="hosts/h9 does not exist"):
            await world.vms.RehearseMigration(rehearse(destination="hosts/h9"))
        async with refused(INVALID, "destination", text="h1"):
            await world.vms.RehearseMigration(rehearse(destination="hosts/h1"))
        async with refused(MISSING, "vm", text="vms/none does not exist"):
            await world.vms.RehearseMigration(compute.RehearseMigrationRequest(vm="vms/none"))
        off = compute.SetVmPowerRequest(name="vms/web-1", power_state=compute.POWER_STATE_OFF)
        await world.vms.SetVmPower(off)
        async with refused(INVALID, "vm", text="is OFF"):
            await world.vms.RehearseMigration(rehearse(destination="hosts/h2"))


async def test_maintenance_is_checked_first(world: World) -> None:
    async with AsyncExitStack() as stack:
        await run(world, stack)
        asked = infra.CheckMaintenanceRequest(name="hosts/h1")
        found = await world.hosts.CheckMaintenance(asked)
        assert [move.vm for move in found.moves] == ["vms/web-1"]
        assert not found.ok  # as the rehearsal says
        assert found.moves[0].destination == ""
        assert found.moves[0].message
        empty = await world.hosts.CheckMaintenance(infra.CheckMaintenanceRequest(name="hosts/h2"))
        assert empty.ok
        assert not empty.moves
        async with refused(MISSING, "name", text="hosts/h9 does not exist"):
            await world.hosts.CheckMaintenance(infra.CheckMaintenanceRequest(name="hosts/h9"))


async def test_what_a_host_said_is_shown_also_when_it_is_gone(world: World) -> None:
    async with AsyncExitStack() as stack:
        await run(world, stack)
        request = infra.GetComputeReportRequest(name="hosts/h1")
        answer = await world.hosts.GetComputeReport(request)
        assert answer.connected
        assert answer.report.capacity == capable(migration_address="tcp://192.0.2.1")
        assert [one.vm_id for one in answer.report.vms] == ["web-1"]
        cluster = (await world.clusters.GetCluster(infra.GetClusterRequest(name="clusters/c1"))).cluster
        assert cluster.cpu_baseline == "qemu64"
    await until(lambda: not world.ports.compute_reports.get(HostId("h1")).connected)
    gone = await world.hosts.GetComputeReport(request)
    assert not gone.connected
    assert gone.report == answer.report
    async with refused(MISSING, "name", text="hosts/h9 does not exist"):
        await world.hosts.GetComputeReport(infra.GetComputeReportRequest(name="hosts/h9"))


async def test_a_migration_is_asked_for_watched_and_aborted(world: World) -> None:
    async with AsyncExitStack() as stack:
        await run(world, stack)
        asked = compute.VmMigration(name="vmMigrations/m1", vm="vms/web-1", destination="hosts/h2")
        made = (
            await world.migrations.CreateVmMigration(compute.CreateVmMigrationRequest(vm_migration=asked))
        ).vm_migration
        assert (made.stage, made.source, made.attempt, made.cause) == (
            compute.MIGRATION_STAGE_QUEUED,
            "hosts/h1",
            1,
            "manual",
        )
        assert [step.stage for step in made.steps] == [compute.MIGRATION_STAGE_QUEUED]
        listed = await world.migrations.ListVmMigrations(
            compute.ListVmMigrationsRequest(filter="vm = vms/web-1 AND stage = QUEUED")
        )
        assert len(listed.vm_migrations) == 1
        async with refused(grpc.StatusCode.FAILED_PRECONDITION, "name", text="abort it"):
            await world.migrations.DeleteVmMigration(compute.DeleteVmMigrationRequest(name="vmMigrations/m1"))
        made.abort = True
        update = compute.UpdateVmMigrationRequest(vm_migration=made)
        assert (await world.migrations.UpdateVmMigration(update)).vm_migration.abort


async def test_affinity_says_who_is_not_as_it_says(world: World) -> None:
    async with AsyncExitStack() as stack:
        await run(world, stack)
        policy = compute.AffinityPolicy(
            name="affinityPolicies/there",
            kind=compute.AFFINITY_KIND_VM_HOST,
            vms=["vms/web-1"],
            hosts=["hosts/h2"],
        )
        request = compute.CreateAffinityPolicyRequest(affinity_policy=policy)
        made = (await world.affinities.CreateAffinityPolicy(request)).affinity_policy
        assert (made.compliant_vms, list(made.non_compliant_vms)) == (0, ["vms/web-1"])
        listed = await world.affinities.ListAffinityPolicies(
            compute.ListAffinityPoliciesRequest(filter="compliant_vms = 0")
        )
        assert len(listed.affinity_policies) == 1
        async with refused(INVALID, "filter", text="is no part of the intent"):
            await world.affinities.ListAffinityPolicies(
                compute.ListAffinityPoliciesRequest(filter="non_compliant_vms:vms/web-1")
            )
