"""The nouns of virtual machines: one descriptor each."""

from __future__ import annotations

from netctl.model.affinity import AffinityPolicy
from netctl.model.image import Image
from netctl.model.keys import Kind
from netctl.model.template import VmTemplate
from netctl.model.vm import Vm
from netctl.model.vm_migration import VmMigration
from netctl.server import convert_compute, convert_vm
from netctl.server.guest_secrets import sealed_vm
from netctl.server.noun import OUTPUT_ONLY, Noun
from netctl.v1 import compute_pb2

_VM_REFERENCES = {
    "cluster": "clusters/",
    "disks.image": "images/",
    "disks.source_vm": "vms/",
    "categories": "categories/",
    "affinity_hosts": "hosts/",
    "host": "hosts/",
    "template": "vmTemplates/",
}
VM = Noun(
    kind=Kind.VM,
    field="vm",
    message=compute_pb2.Vm,
    intent=Vm,
    from_proto=convert_vm.vm_from_proto,
    to_proto=convert_vm.vm_to_proto,
    to_request=convert_vm.vm_to_request,
    references=_VM_REFERENCES,
    output_only=OUTPUT_ONLY
    | {
        "customization.has_secrets",
        "host",
        "generation_id",
        "effective_cpu_model",
        "power_epoch",
        "reset_epoch",
        "deleting",
        "run_state",
        "template",
        "template_version",
    },
    derived=frozenset({"run_state"}),
    seal=sealed_vm,
)
IMAGE = Noun(
    kind=Kind.IMAGE,
    field="image",
    message=compute_pb2.Image,
    intent=Image,
    from_proto=convert_compute.image_from_proto,
    to_proto=convert_compute.image_to_proto,
    to_request=lambda image: convert_compute.image_to_proto(image, None),
    references={"source_vm": "vms/"},
    output_only=OUTPUT_ONLY | {"size_bytes", "stored_bytes"},
)
VM_TEMPLATE = Noun(
    kind=Kind.VM_TEMPLATE,
    field="vm_template",
    message=compute_pb2.VmTemplate,
    intent=VmTemplate,
    from_proto=convert_compute.vm_template_from_proto,
    to_proto=convert_compute.vm_template_to_proto,
    to_request=lambda template: convert_compute.vm_template_to_proto(template, None),
    references={
        "versions.images": "images/",
        "versions.nics.subnet": "subnets/",
        "versions.nics.categories": "categories/",
        **{f"versions.vm.{path}": prefix for path, prefix in _VM_REFERENCES.items()},
    },
    output_only=OUTPUT_ONLY | {"versions"},
)
AFFINITY_POLICY = Noun(
    kind=Kind.AFFINITY_POLICY,
    field="affinity_policy",
    message=compute_pb2.AffinityPolicy,
    intent=AffinityPolicy,
    from_proto=convert_compute.affinity_policy_from_proto,
    to_proto=convert_compute.affinity_policy_to_proto,
    to_request=lambda policy: convert_compute.affinity_policy_to_proto(policy, None),
    references={
        "vms": "vms/",
        "vm_categories": "categories/",
        "hosts": "hosts/",
        "host_categories": "categories/",
    },
    output_only=OUTPUT_ONLY | {"compliant_vms", "non_compliant_vms"},
    derived=frozenset({"compliant_vms", "non_compliant_vms"}),
)
VM_MIGRATION = Noun(
    kind=Kind.VM_MIGRATION,
    field="vm_migration",
    message=compute_pb2.VmMigration,
    intent=VmMigration,
    from_proto=convert_compute.vm_migration_from_proto,
    to_proto=convert_compute.vm_migration_to_proto,
    to_request=lambda migration: convert_compute.vm_migration_to_proto(migration, None),
    references={"vm": "vms/", "destination": "hosts/", "source": "hosts/"},
    output_only=OUTPUT_ONLY
    | {
        "source",
        "stage",
        "queue_position",
        "failure",
        "failure_message",
        "evidence",
        "steps",
        "attempt",
        "cause",
    },
    derived=frozenset({"queue_position"}),
)
