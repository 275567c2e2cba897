"""The services of images, templates and affinity policies: messages to `resources.py` and others, and back."""

from __future__ import annotations

from collections.abc import AsyncIterator

from netctl.errors import InvalidIntent
from netctl.model.template import VmTemplate
from netctl.server.composed import submit_composed
from netctl.server.edge import Context
from netctl.server.image_intake import Intake
from netctl.server.nouns_compute import AFFINITY_POLICY, IMAGE, VM, VM_TEMPLATE
from netctl.server.ports import Ports
from netctl.server.requests import Answer
from netctl.server.resources import Resources
from netctl.server.vm_copies import copy_field, nics_of, plan_deploy, vm_of
from netctl.server.vm_templates import plan_removal, plan_version, version_field
from netctl.server.writes import actor_of
from netctl.v1 import compute_pb2 as pb
from netctl.v1 import compute_pb2_grpc


class ImageService(compute_pb2_grpc.ImageServiceServicer):
    """Images."""

    def __init__(self, ports: Ports, intake: Intake) -> None:
        self._intents, self._intake = ports.intents, intake
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

    async def UploadImage(
        self, request_iterator: AsyncIterator[pb.UploadImageRequest], context: Context
    ) -> pb.UploadImageResponse:
        """Take the bytes of one."""
        first = await anext(request_iterator, None)
        if first is None:
            raise InvalidIntent("name", "is empty; the first message names the image, e.g. images/debian")
        image = self._images.stored(first.name, self._intents.snapshot())
        if image.source_uri or image.source_vm:
            field = "source_uri" if image.source_uri else "source_vm"
            raise InvalidIntent(
                "name", f"images/{image.id} has {field}: its bytes come from there, not by upload"
            )
        stored = await self._intake.take(
            image,
            _uploaded(first, request_iterator),
            actor_of(context.peer()),
            size_bytes=first.size_bytes,
        )
        return pb.UploadImageResponse(image=self._images.rendered(stored))


class VmTemplateService(compute_pb2_grpc.VmTemplateServiceServicer):
    """Templates of virtual machines."""

    def __init__(self, ports: Ports) -> None:
        self._intents, self._seal = ports.intents, ports.seal
        self._vm_templates, self._vms = Resources(VM_TEMPLATE, ports), Resources(VM, ports)

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

    async def CreateTemplateVersion(
        self, request: pb.CreateTemplateVersionRequest, context: Context
    ) -> pb.CreateTemplateVersionResponse:
        """Add a version made of a virtual machine."""
        answer = await submit_composed(
            self._intents,
            lambda snapshot: plan_version(request, snapshot, self._seal),
            (request, context),
            version_field,
        )
        return pb.CreateTemplateVersionResponse(vm_template=self._template(answer, -1))

    async def DeleteTemplateVersion(
        self, request: pb.DeleteTemplateVersionRequest, context: Context
    ) -> pb.DeleteTemplateVersionResponse:
        """Remove a version and its images."""
        answer = await submit_composed(
            self._intents,
            lambda snapshot: plan_removal(request, snapshot),
            (request, context),
            lambda index, field: "number",
        )
        return pb.DeleteTemplateVersionResponse(vm_template=self._template(answer, 0))

    async def DeployTemplate(
        self, request: pb.DeployTemplateRequest, context: Context
    ) -> pb.DeployTemplateResponse:
        """Make a virtual machine."""
        nics = "subnets" if request.subnets else "template"
        answer = await submit_composed(
            self._intents,
            lambda snapshot: plan_deploy(request, snapshot, self._seal),
            (request, context),
            lambda index, field: copy_field(index, field, nics),
        )
        return pb.DeployTemplateResponse(vm=self._vms.rendered(vm_of(answer)), nics=nics_of(answer))

    def _template(self, answer: Answer, place: int) -> pb.VmTemplate:
        after = answer.results[place].after
        assert isinstance(after, VmTemplate)
        return self._vm_templates.rendered(after)


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


async def _uploaded(
    first: pb.UploadImageRequest, others: AsyncIterator[pb.UploadImageRequest]
) -> AsyncIterator[bytes]:
    """Yield the bytes of an upload; only its first message says what it is."""
    yield first.data
    async for request in others:
        if request.name not in ("", first.name):
            raise InvalidIntent("name", f"was {first.name} before; one upload is of one image")
        yield request.data
