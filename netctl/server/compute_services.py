"""The services of the nouns of virtual machines: messages to `resources.py` and back."""

from __future__ import annotations

from netctl.server.edge import Context
from netctl.server.nouns_compute import AFFINITY_POLICY, IMAGE, VM, VM_MIGRATION, VM_TEMPLATE
from netctl.server.ports import Ports
from netctl.server.resources import Resources
from netctl.v1 import compute_pb2 as pb
from netctl.v1 import compute_pb2_grpc


class VmService(compute_pb2_grpc.VmServiceServicer):
    """Virtual machines."""

    def __init__(self, ports: Ports) -> None:
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


class ImageService(compute_pb2_grpc.ImageServiceServicer):
    """Images."""

    def __init__(self, ports: Ports) -> None:
        self._images = Resources(IMAGE, ports)

    async def GetImage(self, request: pb.GetImageRequest, context: Context) -> pb.GetImageResponse:
        """Return one."""
        return pb.GetImageResponse(image=self._images.get(request.name))

    async def ListImages(self, request: pb.ListImagesRequest, context: Context) -> pb.ListImagesResponse:
        """Return a page."""
        page = await self._images.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListImagesResponse(
            images=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateImage(self, request: pb.CreateImageRequest, context: Context) -> pb.CreateImageResponse:
        """Store a new one."""
        image, diff = await self._images.create(request.image, (request, context))
        return pb.CreateImageResponse(image=image, row_changes=diff.rows, row_change_count=diff.count)

    async def UpdateImage(self, request: pb.UpdateImageRequest, context: Context) -> pb.UpdateImageResponse:
        """Change one."""
        image, diff = await self._images.update(
            request.image, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateImageResponse(image=image, row_changes=diff.rows, row_change_count=diff.count)

    async def DeleteImage(self, request: pb.DeleteImageRequest, context: Context) -> pb.DeleteImageResponse:
        """Remove one."""
        revision, diff = await self._images.delete(request.name, request.if_revision, (request, context))
        return pb.DeleteImageResponse(revision=revision, row_changes=diff.rows, row_change_count=diff.count)


class VmTemplateService(compute_pb2_grpc.VmTemplateServiceServicer):
    """Templates of virtual machines."""

    def __init__(self, ports: Ports) -> None:
        self._vm_templates = Resources(VM_TEMPLATE, ports)

    async def GetVmTemplate(
        self, request: pb.GetVmTemplateRequest, context: Context
    ) -> pb.GetVmTemplateResponse:
        """Return one."""
        return pb.GetVmTemplateResponse(vm_template=self._vm_templates.get(request.name))

    async def ListVmTemplates(
        self, request: pb.ListVmTemplatesRequest, context: Context
    ) -> pb.ListVmTemplatesResponse:
        """Return a page."""
        page = await self._vm_templates.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListVmTemplatesResponse(
            vm_templates=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateVmTemplate(
        self, request: pb.CreateVmTemplateRequest, context: Context
    ) -> pb.CreateVmTemplateResponse:
        """Store a new one."""
        vm_template, diff = await self._vm_templates.create(request.vm_template, (request, context))
        return pb.CreateVmTemplateResponse(
            vm_template=vm_template, row_changes=diff.rows, row_change_count=diff.count
        )

    async def UpdateVmTemplate(
        self, request: pb.UpdateVmTemplateRequest, context: Context
    ) -> pb.UpdateVmTemplateResponse:
        """Change one."""
        vm_template, diff = await self._vm_templates.update(
            request.vm_template, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateVmTemplateResponse(
            vm_template=vm_template, row_changes=diff.rows, row_change_count=diff.count
        )

    async def DeleteVmTemplate(
        self, request: pb.DeleteVmTemplateRequest, context: Context
    ) -> pb.DeleteVmTemplateResponse:
        """Remove one."""
        revision, diff = await self._vm_templates.delete(
            request.name, request.if_revision, (request, context)
        )
        return pb.DeleteVmTemplateResponse(
            revision=revision, row_changes=diff.rows, row_change_count=diff.count
        )


class AffinityPolicyService(compute_pb2_grpc.AffinityPolicyServiceServicer):
    """Affinity policies."""

    def __init__(self, ports: Ports) -> None:
        self._affinity_policies = Resources(AFFINITY_POLICY, ports)

    async def GetAffinityPolicy(
        self, request: pb.GetAffinityPolicyRequest, context: Context
    ) -> pb.GetAffinityPolicyResponse:
        """Return one."""
        return pb.GetAffinityPolicyResponse(affinity_policy=self._affinity_policies.get(request.name))

    async def ListAffinityPolicies(
        self, request: pb.ListAffinityPoliciesRequest, context: Context
    ) -> pb.ListAffinityPoliciesResponse:
        """Return a page."""
        page = await self._affinity_policies.list_page(request.page_size, request.page_token, request.filter)
        return pb.ListAffinityPoliciesResponse(
            affinity_policies=page.items, next_page_token=page.next_page_token, revision=page.revision
        )

    async def CreateAffinityPolicy(
        self, request: pb.CreateAffinityPolicyRequest, context: Context
    ) -> pb.CreateAffinityPolicyResponse:
        """Store a new one."""
        affinity_policy, diff = await self._affinity_policies.create(
            request.affinity_policy, (request, context)
        )
        return pb.CreateAffinityPolicyResponse(
            affinity_policy=affinity_policy, row_changes=diff.rows, row_change_count=diff.count
        )

    async def UpdateAffinityPolicy(
        self, request: pb.UpdateAffinityPolicyRequest, context: Context
    ) -> pb.UpdateAffinityPolicyResponse:
        """Change one."""
        affinity_policy, diff = await self._affinity_policies.update(
            request.affinity_policy, request.update_mask.paths, request.if_revision, (request, context)
        )
        return pb.UpdateAffinityPolicyResponse(
            affinity_policy=affinity_policy, row_changes=diff.rows, row_change_count=diff.count
        )

    async def DeleteAffinityPolicy(
        self, request: pb.DeleteAffinityPolicyRequest, context: Context
    ) -> pb.DeleteAffinityPolicyResponse:
        """Remove one."""
        revision, diff = await self._affinity_policies.delete(
            request.name, request.if_revision, (request, context)
        )
        return pb.DeleteAffinityPolicyResponse(
            revision=revision, row_changes=diff.rows, row_change_count=diff.count
        )


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
