"""Versions of templates: made of a machine that is off, with images of its disks; removed with those.

In: what is asked for and the intents as they are; out: the edits, the template's last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netctl.errors import InvalidIntent
from netctl.model.disk import Disk, DiskKind
from netctl.model.image import Image
from netctl.model.infra import Meta
from netctl.model.intent import Create, Edit, Remove, Replace
from netctl.model.keys import ImageId, Kind, Uid, VmId, VmTemplateId, check_id
from netctl.model.nic import Nic, NicMode
from netctl.model.snapshot import Snapshot
from netctl.model.template import TemplateNic, TemplateVersion, VmTemplate
from netctl.model.vm import PowerState, Vm
from netctl.server.convert import parse_name
from netctl.server.convert_vm import customization_from_proto
from netctl.server.guest_secrets import Sealer, sealed_customization
from netctl.server.vm_copies import anew, stored_template, version_of
from netctl.server.vm_operations import stored_vm
from netctl.v1 import compute_pb2 as pb

_TEMPLATE_ID_MAX = 51  # with `-v99-disk63` after it, it is an id


def plan_version(
    request: pb.CreateTemplateVersionRequest, snapshot: Snapshot, sealer: Sealer
) -> Sequence[Edit]:
    """Return the edits that add a version, and the template with its first."""
    id_ = VmTemplateId(parse_name("template", request.template, Kind.VM_TEMPLATE))
    check_id("template", id_)
    if len(id_) > _TEMPLATE_ID_MAX:
        raise InvalidIntent(
            "template",
            f"has {len(id_)} characters; with its images' names after it at most {_TEMPLATE_ID_MAX} fit",
        )
    vm = stored_vm("vm", request.vm, snapshot)
    if vm.power_state is not PowerState.OFF:
        raise InvalidIntent("vm", f"vms/{vm.id} is {vm.power_state.name}: switch it off first")
    stored = snapshot.vm_template(id_)
    versions = stored.versions if stored is not None else ()
    number = versions[-1].number + 1 if versions else 1
    images = tuple(_image_of(disk, image_id(id_, number, i)) for i, disk in enumerate(vm.disks))
    told = sealed_customization("customization", request.customization, sealer)
    added = TemplateVersion(
        number=number,
        description=request.description,
        vm=replace(_impersonal(vm, images), customization=customization_from_proto(told)),
        nics=tuple(_nic(nic) for nic in sorted(snapshot.nics_of_vm(vm.id), key=lambda nic: nic.id)),
        images=images,
    )
    return *_images(vm, images), _with_version(id_, stored, added, activate=request.activate)


def image_id(template: VmTemplateId, number: int, index: int) -> ImageId:
    """Return the id of the image of a disk of a version."""
    return ImageId(f"{template}-v{number}-disk{index}")


def _image_of(disk: Disk, id_: ImageId) -> ImageId:
    """Return what a disk of a version is made of: an image of its own, or the medium of a drive."""
    return id_ if disk.kind is DiskKind.DISK else disk.image


def _images(vm: Vm, images: tuple[ImageId, ...]) -> list[Create]:
    return [
        Create(intent=Image(id=images[i], source_vm=vm.id, source_index=i))
        for i, disk in enumerate(vm.disks)
        if disk.kind is DiskKind.DISK
    ]


def _impersonal(vm: Vm, images: tuple[ImageId, ...]) -> Vm:
    """Return what any machine may have of this one: no uids, no place, nothing of one host."""
    disks = tuple(
        replace(
            disk,
            uid=Uid(""),
            image=images[i],
            source_vm=VmId(""),
            source_index=0,
            source_disk=Uid(""),
            source_vm_uid=Uid(""),
        )
        for i, disk in enumerate(vm.disks)
    )
    return replace(anew(vm, vm.id), disks=disks, affinity_hosts=(), pci_devices=(), agent_vm=False)


def _nic(nic: Nic) -> TemplateNic:
    if not nic.has_subnet or nic.mode is NicMode.TRUNK:
        raise InvalidIntent(
            "vm",
            f"nics/{nic.id} is a {nic.mode.name} {nic.kind.name} NIC, which no template can hold: remove it first",
        )
    return TemplateNic(
        subnet=nic.subnet,
        model=nic.model,
        queues=nic.queues,
        connected=nic.connected,
        categories=nic.categories,
    )


def _with_version(
    id_: VmTemplateId, stored: VmTemplate | None, added: TemplateVersion, *, activate: bool
) -> Edit:
    if stored is None:
        return Create(intent=VmTemplate(id=id_, meta=Meta(), versions=(added,), active_version=added.number))
    active = added.number if activate or not stored.versions else stored.active_version
    wanted = replace(stored, versions=(*stored.versions, added), active_version=active)
    return Replace(intent=wanted, if_revision=stored.meta.revision)


def plan_removal(request: pb.DeleteTemplateVersionRequest, snapshot: Snapshot) -> Sequence[Edit]:
    """Return the edits that remove a version and the images that were made for it."""
    template = stored_template(request.template, snapshot)
    if request.number < 1:
        raise InvalidIntent("number", f"{request.number} is no version; they count from 1")
    gone = version_of(template, request.number, "number")
    if gone.number == template.active_version:
        raise InvalidIntent("number", f"version {gone.number} is the active one: make another active first")
    left = tuple(version for version in template.versions if version is not gone)
    own = {image_id(template.id, gone.number, i) for i in range(len(gone.images))}
    images = (image for image in gone.images if image in own and snapshot.image(image) is not None)
    replaced = Replace(intent=replace(template, versions=left), if_revision=template.meta.revision)
    return replaced, *(Remove(key=(Kind.IMAGE, image)) for image in images)


def version_field(index: int, field: str) -> str:
    """Return what a field of an edit that adds a version is called in the request."""
    return {"name": "template", "description": "description", "versions": "template"}.get(field, "vm")
