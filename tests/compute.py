"""Virtual machines and what they are made of, as a client asks for them, and the edits of our own loops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netctl.model.affinity import AffinityKind, AffinityPolicy
from netctl.model.disk import Disk
from netctl.model.image import Image, ImageFormat
from netctl.model.intent import Advance, Place, StoreImage
from netctl.model.keys import (
    AffinityPolicyId,
    ClusterId,
    HostId,
    ImageId,
    VmId,
    VmMigrationId,
    VmTemplateId,
)
from netctl.model.nic import Nic
from netctl.model.template import TemplateVersion, VmTemplate
from netctl.model.vm import PowerState, Vm
from netctl.model.vm_migration import Stage, VmMigration
from tests.unit.model.world import World, nic

GIB = 1 << 30
SHA256 = "0123456789abcdef" * 4
# The way of a migration that goes well.
STAGES = (
    Stage.QUEUED,
    Stage.PREPARING,
    Stage.BINDING,
    Stage.COPYING,
    Stage.SETTLING,
    Stage.CLEANING,
    Stage.DONE,
)


def a_vm(id: str = "vm1", cluster: str = "c1", **fields: Any) -> Vm:
    """Make a virtual machine of 512 MiB without disks, OFF."""
    return Vm(id=VmId(id), cluster=ClusterId(cluster), **({"memory_mib": 512} | fields))


def switched_on(vm: Vm) -> Vm:
    """Return a virtual machine that is ON."""
    return replace(vm, power_state=PowerState.ON)


def empty_disk(gib: int = 1, **fields: Any) -> Disk:
    """Make an empty disk."""
    return Disk(size_bytes=gib * GIB, **fields)


def an_image(id: str = "debian", **fields: Any) -> Image:
    """Make an image whose bytes are to be uploaded."""
    return Image(id=ImageId(id), **fields)


def bytes_of(id: str = "debian", **fields: Any) -> StoreImage:
    """Say that the bytes of an image are there: 2 GiB of QCOW2 in 300 MiB."""
    given: dict[str, Any] = {"format": ImageFormat.QCOW2, "sha256": SHA256, "size_bytes": 2 * GIB}
    return StoreImage(image=ImageId(id), **(given | {"stored_bytes": 300 << 20} | fields))


def nic_of(vm: str = "vm1", id: str = "n1", subnet: str = "app", **fields: Any) -> Nic:
    """Make a NIC of a virtual machine."""
    return nic(id, subnet, vm=VmId(vm), **fields)


def a_policy(
    id: str = "together", kind: AffinityKind = AffinityKind.VM_HOST, **fields: Any
) -> AffinityPolicy:
    """Make an affinity policy."""
    return AffinityPolicy(id=AffinityPolicyId(id), kind=kind, **fields)


def a_version(number: int = 1, *, images: tuple[ImageId, ...] = (), **vm: Any) -> TemplateVersion:
    """Make a version of a template, of a virtual machine with these fields and disks of these images."""
    return TemplateVersion(number=number, vm=a_vm(**vm), images=images)


def a_template(id: str = "golden", *versions: TemplateVersion, **fields: Any) -> VmTemplate:
    """Make a template."""
    return VmTemplate(id=VmTemplateId(id), versions=versions, **fields)


def a_migration(id: str = "m1", vm: str = "vm1", destination: str = "h2", **fields: Any) -> VmMigration:
    """Make a migration."""
    return VmMigration(id=VmMigrationId(id), vm=VmId(vm), destination=HostId(destination), **fields)


def step(migration: VmMigration, stage: Stage, **fields: Any) -> Advance:
    """Make the edit by which a migration enters a stage from where it is."""
    return Advance(migration=migration.id, if_stage=migration.stage, stage=stage, **fields)


def place(vm: str = "vm1", host: str = "h1", cpu_model: str = "qemu64") -> Place:
    """Make the edit that puts a virtual machine on a host."""
    return Place(vm=VmId(vm), host=HostId(host), cpu_model=cpu_model)


def placed(world: World, vm: Vm, host: str = "h1") -> Vm:
    """Create a virtual machine and put it on a host."""
    world.create(vm)
    after = world.admit(place(vm.id, host))[0].after
    assert isinstance(after, Vm)
    return after


def advanced(world: World, id: str, *stages: Stage, **fields: Any) -> VmMigration:
    """Let a migration enter stages, one after the other; `fields` go with the last."""
    found = world.draft.vm_migration(VmMigrationId(id))
    assert found is not None
    for stage in stages:
        after = world.admit(step(found, stage, **(fields if stage is stages[-1] else {})))[0].after
        assert isinstance(after, VmMigration)
        found = after
    return found
