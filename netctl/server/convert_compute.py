"""Image, VmTemplate, AffinityPolicy and VmMigration between protobuf and model."""

from __future__ import annotations

import dataclasses

from netctl.errors import InvalidIntent
from netctl.model.affinity import AffinityKind, AffinityPolicy
from netctl.model.image import Image, ImageFormat
from netctl.model.keys import (
    AffinityPolicyId,
    HostId,
    ImageId,
    Kind,
    VmId,
    VmMigrationId,
    VmTemplateId,
)
from netctl.model.status import Status
from netctl.model.template import TemplateNic, TemplateVersion, VmTemplate
from netctl.model.vm_migration import Evidence, Stage, StageEntered, VmMigration
from netctl.server.convert import (
    fill,
    meta_from_proto,
    meta_to_proto,
    parse_category_names,
    parse_enum,
    parse_name,
    parse_reference,
    render_categories,
    render_name,
    set_time,
    status_to_proto,
)
from netctl.server.convert_network import NIC_MODEL_NAMES
from netctl.server.convert_vm import vm_to_proto
from netctl.v1 import compute_pb2 as pb
from netctl.v1 import network_pb2

IMAGE_FORMATS = {
    pb.IMAGE_FORMAT_UNSPECIFIED: ImageFormat.AUTO,
    pb.IMAGE_FORMAT_RAW: ImageFormat.RAW,
    pb.IMAGE_FORMAT_QCOW2: ImageFormat.QCOW2,
    pb.IMAGE_FORMAT_ISO: ImageFormat.ISO,
}
_IMAGE_FORMAT_VALUES = {format: value for value, format in IMAGE_FORMATS.items()}
_IMAGE_FORMAT_TEXTS = {value: name for name, value in pb.ImageFormat.items()}
_AFFINITY_KINDS = {
    pb.AFFINITY_KIND_VM_HOST: AffinityKind.VM_HOST,
    pb.AFFINITY_KIND_VM_ANTI_AFFINITY: AffinityKind.VM_ANTI_AFFINITY,
}
_AFFINITY_KIND_VALUES = {kind: value for value, kind in _AFFINITY_KINDS.items()}
_AFFINITY_KIND_TEXTS = {value: name for name, value in pb.AffinityKind.items()}
_STAGES = {stage: pb.MigrationStage.Value(f"MIGRATION_STAGE_{stage.name}") for stage in Stage}
# How filters spell what the model holds.
IMAGE_FORMAT_NAMES = {format: _IMAGE_FORMAT_TEXTS[value] for value, format in IMAGE_FORMATS.items()}
AFFINITY_KIND_NAMES = {kind: _AFFINITY_KIND_TEXTS[value] for value, kind in _AFFINITY_KINDS.items()}
STAGE_NAMES = {stage: f"MIGRATION_STAGE_{stage.name}" for stage in Stage}


def image_from_proto(message: pb.Image) -> Image:
    """Return the image that a request asks for; its bytes come later."""
    return Image(
        id=ImageId(parse_name("name", message.name, Kind.IMAGE)),
        meta=meta_from_proto(message),
        format=parse_enum("format", message.format, IMAGE_FORMATS, _IMAGE_FORMAT_TEXTS),
        source_uri=message.source_uri,
        source_vm=VmId(parse_reference("source_vm", message.source_vm, Kind.VM)),
        source_index=message.source_index,
        sha256=message.sha256,
    )


def image_to_proto(image: Image, status: Status | None) -> pb.Image:
    """Return the message of an image."""
    message = pb.Image()
    message.name = f"images/{image.id}"
    meta_to_proto(image.meta, message)
    message.format = _IMAGE_FORMAT_VALUES[image.format]
    message.source_uri = image.source_uri
    message.source_vm = render_name(Kind.VM, image.source_vm)
    message.source_index = image.source_index
    message.sha256 = image.sha256
    message.size_bytes = image.size_bytes
    message.stored_bytes = image.stored_bytes
    if status is not None:
        status_to_proto(status, message.status)
    return message


def vm_template_from_proto(message: pb.VmTemplate) -> VmTemplate:
    """Return the template that a request asks for; its versions come by calls of their own."""
    if message.active_version < 0:
        raise InvalidIntent("active_version", f"{message.active_version} is negative; versions count from 1")
    return VmTemplate(
        id=VmTemplateId(parse_name("name", message.name, Kind.VM_TEMPLATE)),
        meta=meta_from_proto(message),
        active_version=message.active_version,
        description=message.description,
    )


def vm_template_to_proto(template: VmTemplate, status: Status | None) -> pb.VmTemplate:
    """Return the message of a template."""
    message = pb.VmTemplate()
    message.name = f"vmTemplates/{template.id}"
    meta_to_proto(template.meta, message)
    for version in template.versions:
        _version_to_proto(version, message.versions.add())
    message.active_version = template.active_version
    message.description = template.description
    if status is not None:
        status_to_proto(status, message.status)
    return message


def _version_to_proto(version: TemplateVersion, message: pb.TemplateVersion) -> None:
    message.number = version.number
    message.description = version.description
    if version.create_time_s:
        set_time(message.create_time, version.create_time_s)
    message.vm.CopyFrom(vm_to_proto(version.vm, None))
    message.vm.ClearField("name")  # of the machine that it was made from
    for nic in version.nics:
        _nic_to_proto(nic, message.nics.add())
    message.images.extend(render_name(Kind.IMAGE, id) for id in version.images)


def _nic_to_proto(nic: TemplateNic, message: pb.TemplateNic) -> None:
    message.subnet = f"subnets/{nic.subnet}"
    message.model = network_pb2.NicModel.Value(NIC_MODEL_NAMES[nic.model])
    message.categories.extend(render_categories(nic.categories))
    message.queues = nic.queues
    message.disconnected = not nic.connected


def affinity_policy_from_proto(message: pb.AffinityPolicy) -> AffinityPolicy:
    """Return the affinity policy that a request asks for; its kind must be said."""
    return AffinityPolicy(
        id=AffinityPolicyId(parse_name("name", message.name, Kind.AFFINITY_POLICY)),
        meta=meta_from_proto(message),
        kind=parse_enum("kind", message.kind, _AFFINITY_KINDS, _AFFINITY_KIND_TEXTS),
        vms=tuple(VmId(parse_name(f"vms[{i}]", name, Kind.VM)) for i, name in enumerate(message.vms)),
        vm_categories=parse_category_names("vm_categories", message.vm_categories),
        hosts=tuple(
            HostId(parse_name(f"hosts[{i}]", name, Kind.HOST)) for i, name in enumerate(message.hosts)
        ),
        host_categories=parse_category_names("host_categories", message.host_categories),
        disabled=message.disabled,
    )


def affinity_policy_to_proto(policy: AffinityPolicy, status: Status | None) -> pb.AffinityPolicy:
    """Return the message of an affinity policy."""
    message = pb.AffinityPolicy()
    message.name = f"affinityPolicies/{policy.id}"
    meta_to_proto(policy.meta, message)
    message.kind = _AFFINITY_KIND_VALUES[policy.kind]
    message.vms.extend(f"vms/{id}" for id in policy.vms)
    message.vm_categories.extend(render_categories(policy.vm_categories))
    message.hosts.extend(f"hosts/{id}" for id in policy.hosts)
    message.host_categories.extend(render_categories(policy.host_categories))
    message.disabled = policy.disabled
    if status is not None:
        status_to_proto(status, message.status)
    return message


def vm_migration_from_proto(message: pb.VmMigration) -> VmMigration:
    """Return the migration that a request asks for."""
    return VmMigration(
        id=VmMigrationId(parse_name("name", message.name, Kind.VM_MIGRATION)),
        meta=meta_from_proto(message),
        vm=VmId(parse_name("vm", message.vm, Kind.VM)),
        destination=HostId(parse_reference("destination", message.destination, Kind.HOST)),
        bandwidth_mbps=message.bandwidth_mbps,
        cross_cluster=message.cross_cluster,
        retries=message.retries,
        abort=message.abort,
    )


def vm_migration_to_proto(migration: VmMigration, status: Status | None) -> pb.VmMigration:
    """Return the message of a migration."""
    message = pb.VmMigration()
    message.name = f"vmMigrations/{migration.id}"
    meta_to_proto(migration.meta, message)
    message.vm = f"vms/{migration.vm}"
    message.destination = render_name(Kind.HOST, migration.destination)
    for name in ("bandwidth_mbps", "cross_cluster", "retries", "abort"):
        setattr(message, name, getattr(migration, name))
    message.source = render_name(Kind.HOST, migration.source)
    message.stage = _STAGES[migration.stage]
    for name in ("failure", "failure_message", "attempt", "cause"):
        setattr(message, name, getattr(migration, name))
    if migration.evidence != Evidence():
        fill(message.evidence, migration.evidence)
    for step in migration.steps:
        _step_to_proto(step, message.steps.add())
    if status is not None:
        status_to_proto(status, message.status)
    return message


def _step_to_proto(step: StageEntered, message: pb.MigrationStep) -> None:
    message.stage = _STAGES[step.stage]
    set_time(message.time, step.time_s)
    message.message = step.message


def evidence_from_proto(message: pb.MigrationEvidence) -> Evidence:
    """Return what a host measured."""
    return Evidence(**{field.name: getattr(message, field.name) for field in dataclasses.fields(Evidence)})
