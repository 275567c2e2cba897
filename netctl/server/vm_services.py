"""VmService and VmMigrationService: messages to `resources.py`, `vm_operations.py` and `vm_copies.py`, and back."""

from __future__ import annotations

import asyncio

from netctl.model.intent import Create
from netctl.server.composed import submit_composed
from netctl.server.edge import Context
from netctl.server.nouns_compute import VM, VM_MIGRATION
from netctl.server.ports import Ports
from netctl.server.requests import Request
from netctl.server.resources import Resources
from netctl.server.vm_copies import copy_field, nics_of, plan_clone, vm_of
from netctl.server.vm_operations import console_of, plan_power, plan_reset, rehearsal, rehearse
from netctl.server.writes import actor_of
from netctl.v1 import compute_pb2 as pb
from netctl.v1 import compute_pb2_grpc


class VmService(compute_pb2_grpc.VmServiceServicer):
    """Virtual machines."""

    def __init__(self, ports: Ports) -> None:
        self._ports, self._intents = ports, ports.intents
        self._vms = Resources(VM, ports)

    async def GetVm(self, request: pb.GetVmRequest, context: Context) -> pb.GetVmResponse:
        """Return one."""
        return pb.GetVmResponse(vm=self._vms.get(request.name))

    async def ListVms(self, request: pb.ListVmsRequest, context: Context) -> pb.ListVmsResponse:
        """Return a page."""
        page = await self._vms.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListVmsResponse(
            vms=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateVm(self, request: pb.CreateVmRequest, context: Context) -> pb.CreateVmResponse:
        """Store a new one."""
        vm, diff = await self._vms.create(request.vm, (request, context))
        return pb.CreateVmResponse(vm=vm, row_changes=diff.rows, row_change_count=diff.count)

    async def UpdateVm(self, request: pb.UpdateVmRequest, context: Context) -> pb.UpdateVmResponse:
        """Change one."""
        vm, diff = await self._vms.update(
            request.vm, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateVmResponse(vm=vm, row_changes=diff.rows, row_change_count=diff.count)

    async def DeleteVm(self, request: pb.DeleteVmRequest, context: Context) -> pb.DeleteVmResponse:
        """Remove one."""
        revision, diff = await self._vms.delete(request.name, request.if_revision, (request, context))
        return pb.DeleteVmResponse(revision=revision, row_changes=diff.rows, row_change_count=diff.count)

    async def SetVmPower(self, request: pb.SetVmPowerRequest, context: Context) -> pb.SetVmPowerResponse:
        """Switch one on or off, or pause it."""
        answer = await submit_composed(
            self._intents,
            lambda snapshot: plan_power(request, snapshot, self._ports),
            (request, context),
            lambda index, field: "host" if index else field,
        )
        return pb.SetVmPowerResponse(vm=self._vms.rendered(vm_of(answer)))

    async def ResetVm(self, request: pb.ResetVmRequest, context: Context) -> pb.ResetVmResponse:
        """Press its reset button."""
        answer = await submit_composed(
            self._intents,
            lambda snapshot: plan_reset(request, snapshot),
            (request, context),
            lambda index, field: "name" if field == "power_state" else field,
        )
        return pb.ResetVmResponse(vm=self._vms.rendered(vm_of(answer)))

    async def CloneVm(self, request: pb.CloneVmRequest, context: Context) -> pb.CloneVmResponse:
        """Make one more."""
        answer = await submit_composed(
            self._intents,
            lambda snapshot: plan_clone(request, snapshot, self._ports.seal),
            (request, context),
            lambda index, field: copy_field(index, field, "source"),
        )
        return pb.CloneVmResponse(vm=self._vms.rendered(vm_of(answer)), nics=nics_of(answer))

    async def RehearseMigration(
        self, request: pb.RehearseMigrationRequest, context: Context
    ) -> pb.RehearseMigrationResponse:
        """Return what a migration would find."""
        snapshot = self._intents.snapshot()
        vm, migration = rehearsal(request, snapshot)
        dry = Request(edits=(Create(intent=migration),), actor=actor_of(context.peer()), validate_only=True)
        await asyncio.wrap_future(self._intents.submit(dry))
        view = await asyncio.to_thread(self._ports.view, snapshot)
        return await asyncio.to_thread(rehearse, vm, migration.destination, view)

    async def GetVmConsole(
        self, request: pb.GetVmConsoleRequest, context: Context
    ) -> pb.GetVmConsoleResponse:
        """Return where its console is."""
        return console_of(request.name, self._intents.snapshot(), self._ports)


class VmMigrationService(compute_pb2_grpc.VmMigrationServiceServicer):
    """Live migrations."""

    def __init__(self, ports: Ports) -> None:
        self._vm_migrations = Resources(VM_MIGRATION, ports)

    async def GetVmMigration(
        self, request: pb.GetVmMigrationRequest, context: Context
    ) -> pb.GetVmMigrationResponse:
        """Return one."""
        return pb.GetVmMigrationResponse(vm_migration=self._vm_migrations.get(request.name))

    async def ListVmMigrations(
        self, request: pb.ListVmMigrationsRequest, context: Context
    ) -> pb.ListVmMigrationsResponse:
        """Return a page."""
        page = await self._vm_migrations.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListVmMigrationsResponse(
            vm_migrations=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateVmMigration(
        self, request: pb.CreateVmMigrationRequest, context: Context
    ) -> pb.CreateVmMigrationResponse:
        """Store a new one."""
        vm_migration, diff = await self._vm_migrations.create(request.vm_migration, (request, context))
        return pb.CreateVmMigrationResponse(
            vm_migration=vm_migration, row_changes=diff.rows, row_change_count=diff.count
        )

    async def UpdateVmMigration(
        self, request: pb.UpdateVmMigrationRequest, context: Context
    ) -> pb.UpdateVmMigrationResponse:
        """Change one."""
        vm_migration, diff = await self._vm_migrations.update(
            request.vm_migration, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateVmMigrationResponse(
            vm_migration=vm_migration, row_changes=diff.rows, row_change_count=diff.count
        )

    async def DeleteVmMigration(
        self, request: pb.DeleteVmMigrationRequest, context: Context
    ) -> pb.DeleteVmMigrationResponse:
        """Remove one."""
        revision, diff = await self._vm_migrations.delete(
            request.name, request.if_revision, (request, context)
        )
        return pb.DeleteVmMigrationResponse(
            revision=revision, row_changes=diff.rows, row_change_count=diff.count
        )
