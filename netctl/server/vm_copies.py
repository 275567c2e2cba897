"""New machines made of others: clones, and deployments of templates, with NICs of their own.

In: what is asked for and the intents as they are; out: the edits, the machine's first. Uids, addresses, generation ids
and secrets are admission's to make.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netctl.errors import InvalidIntent, NotFound
from netctl.model.disk import Disk, DiskKind
from netctl.model.infra import Meta
from netctl.model.intent import Create, Edit
from netctl.model.keys import (
    HostId,
    ImageId,
    Kind,
    NicId,
    SubnetId,
    Uid,
    VmId,
    VmTemplateId,
    check_id,
    resource_name,
)
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.model.template import TemplateNic, TemplateVersion, VmTemplate
from netctl.model.vm import NICS_MAX, PowerState, Sealed, Vm
from netctl.server import masks
from netctl.server.convert import parse_name
from netctl.server.convert_vm import customization_from_proto, vm_from_proto, vm_to_request
from netctl.server.guest_secrets import Sealer, sealed_customization, sealed_vm
from netctl.server.nouns_compute import VM
from netctl.server.requests import Answer
from netctl.server.vm_operations import stored_vm
from netctl.server.writes import within
from netctl.v1 import compute_pb2 as pb

_NIC_ID_MAX = 56  # with `-nic-31` after it, it is an id


def plan_clone(request: pb.CloneVmRequest, snapshot: Snapshot, sealer: Sealer) -> Sequence[Edit]:
    """Return the edits that make a copy of a machine."""
    source = stored_vm("source", request.source, snapshot)
    if source.power_state is not PowerState.OFF:
        raise InvalidIntent(
            "source", f"vms/{source.id} is {source.power_state.name}: switch it off, then clone it"
        )
    copy = replace(
        anew(source, new_id(request.name)),
        meta=Meta(labels=source.meta.labels),
        disks=tuple(_copied(source, i, disk) for i, disk in enumerate(source.disks)),
        template=source.template,
        template_version=source.template_version,
    )
    vm = overridden(copy, request, sealer)
    nics = sorted(snapshot.nics_of_vm(source.id), key=lambda nic: nic.id)
    copies = (_copied_nic(nic, nic_id(vm.id, i), vm.id) for i, nic in enumerate(nics))
    return Create(intent=vm), *(Create(intent=nic) for nic in copies)


def anew(vm: Vm, id_: VmId) -> Vm:
    """Return a machine as if it had never been: OFF, nowhere, without what is decided by us."""
    return replace(
        vm,
        id=id_,
        meta=Meta(),
        power_state=PowerState.OFF,
        host=HostId(""),
        generation_id=Uid(""),
        vtpm_secret=Sealed(""),
        effective_cpu_model="",
        power_epoch=0,
        reset_epoch=0,
        deleting=False,
        template=VmTemplateId(""),
        template_version=0,
    )


def new_id(name: str) -> VmId:
    """Return the id of a machine that is to be; its NICs' must fit, too."""
    id_ = VmId(parse_name("name", name, Kind.VM))
    check_id("name", id_)
    if len(id_) > _NIC_ID_MAX:
        raise InvalidIntent(
            "name", f"has {len(id_)} characters; with its NICs' names after it at most {_NIC_ID_MAX} fit"
        )
    return id_


def nic_id(vm: VmId, index: int) -> NicId:
    """Return the id of the n-th NIC of a machine that is made of another."""
    return NicId(f"{vm}-nic-{index}")


def overridden(vm: Vm, request: pb.CloneVmRequest | pb.DeployTemplateRequest, sealer: Sealer) -> Vm:
    """Return a machine with the fields of a mask as the request has them."""
    paths = request.update_mask.paths
    if not paths:
        if request.HasField("overrides") and request.overrides != pb.Vm():
            raise InvalidIntent(
                "update_mask", "is empty, so that no override counts: name the fields to override"
            )
        return vm
    if list(paths) == ["*"]:
        raise InvalidIntent(
            "update_mask", "is *, so that nothing of the original counts: name the fields to override"
        )
    with within("overrides", pb.Vm.DESCRIPTOR):
        merged = vm_to_request(vm)
        masks.merge(merged, sealed_vm(request.overrides, sealer), paths, VM.output_only)
        asked = vm_from_proto(merged)
    return replace(asked, template=vm.template, template_version=vm.template_version)


def _copied(source: Vm, index: int, disk: Disk) -> Disk:
    """Return a disk like another: a copy of it, or a drive with the same medium."""
    bare = replace(
        disk, uid=Uid(""), source_disk=Uid(""), source_vm_uid=Uid(""), source_vm=VmId(""), source_index=0
    )
    if disk.kind is DiskKind.CDROM:
        return bare
    return replace(bare, image=ImageId(""), source_vm=source.id, source_index=index)


def _copied_nic(nic: Nic, id_: NicId, vm: VmId) -> Nic:
    vlans = (replace(vlan, ipv4_address="", ipv6_address="") for vlan in nic.trunk_vlans)
    return replace(
        nic,
        id=id_,
        meta=Meta(labels=nic.meta.labels),
        host=HostId(""),
        mac_address="",
        ipv4_address="",
        ipv6_address="",
        tap_name="",
        basic=False,
        trunk_vlans=tuple(vlans),
        vm=vm,
    )


def plan_deploy(request: pb.DeployTemplateRequest, snapshot: Snapshot, sealer: Sealer) -> Sequence[Edit]:
    """Return the edits that make a machine of a template."""
    template = stored_template(request.template, snapshot)
    version = version_of(template, request.version)
    disks = (replace(disk, image=image) for disk, image in zip(version.vm.disks, version.images, strict=True))
    base = replace(
        anew(version.vm, new_id(request.name)),
        disks=tuple(disks),
        template=template.id,
        template_version=version.number,
    )
    if request.HasField("customization"):
        told = sealed_customization("customization", request.customization, sealer)
        base = replace(base, customization=customization_from_proto(told))
    vm = overridden(base, request, sealer)
    nics = _asked_nics(request, snapshot) if request.subnets else version.nics
    made = (_nic_of(nic, nic_id(vm.id, i), vm.id) for i, nic in enumerate(nics))
    return Create(intent=vm), *(Create(intent=nic) for nic in made)


def stored_template(name: str, snapshot: Snapshot) -> VmTemplate:
    """Return the template of a name; NotFound names it."""
    id_ = VmTemplateId(parse_name("template", name, Kind.VM_TEMPLATE))
    check_id("template", id_)
    template = snapshot.vm_template(id_)
    if template is None:
        raise NotFound(f"vmTemplates/{id_} does not exist", field="template")
    return template


def version_of(template: VmTemplate, number: int, field: str = "version") -> TemplateVersion:
    """Return a version by its number, the active one for 0."""
    wanted = number or template.active_version
    for version in template.versions:
        if version.number == wanted:
            return version
    there = ", ".join(str(version.number) for version in template.versions)
    raise NotFound(
        f"vmTemplates/{template.id} has no version {wanted}; it has {there or 'none: make one of a machine'}",
        field=field,
    )


def _asked_nics(request: pb.DeployTemplateRequest, snapshot: Snapshot) -> list[TemplateNic]:
    if len(request.subnets) > NICS_MAX:
        raise InvalidIntent(
            "subnets", f"has {len(request.subnets)} subnets; at most {NICS_MAX} NICs are allowed"
        )
    found = []
    for i, name in enumerate(request.subnets):
        field = f"subnets[{i}]"
        id_ = SubnetId(parse_name(field, name, Kind.SUBNET))
        check_id(field, id_)
        if snapshot.subnet(id_) is None:
            raise NotFound(f"subnets/{id_} does not exist", field=field)
        found.append(TemplateNic(subnet=id_))
    return found


def _nic_of(nic: TemplateNic, id_: NicId, vm: VmId) -> Nic:
    return Nic(
        id=id_,
        subnet=nic.subnet,
        model=nic.model,
        queues=nic.queues,
        connected=nic.connected,
        categories=nic.categories,
        vm=vm,
    )


def vm_of(answer: Answer) -> Vm:
    """Return the machine of an answer as the last edit left it; there is one."""
    return next(result.after for result in reversed(answer.results) if isinstance(result.after, Vm))


def nics_of(answer: Answer) -> list[str]:
    """Return the names of the NICs that were made with a machine."""
    return [resource_name(result.key) for result in answer.results[1:]]


def copy_field(index: int, field: str, nics: str) -> str:
    """Return what a field of an edit is called in the request: the machine's are overrides, NICs come from `nics`."""
    if index:
        return nics
    first = field.partition(".")[0].partition("[")[0]
    return field if first in ("", "name") else f"overrides.{field}"
