"""What must hold of virtual machines, images, templates, affinity and migrations, by walking all; part of naive.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from netctl.model.affinity import AffinityPolicy
from netctl.model.disk import DiskKind
from netctl.model.image import Image
from netctl.model.infra import Host
from netctl.model.nic import Nic
from netctl.model.template import VmTemplate
from netctl.model.vm import PowerState, Vm
from netctl.model.vm_migration import Stage, VmMigration

if TYPE_CHECKING:
    from tests.unit.model.naive import World

_AHEAD = (Stage.QUEUED, Stage.PREPARING, Stage.BINDING, Stage.COPYING, Stage.ABORTING)
_BEHIND = (Stage.SETTLING, Stage.CLEANING)


class Compute:
    """The machines of a world, and what concerns them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.vms = {x.id: x for x in world.intents if isinstance(x, Vm)}
        self.images = {x.id: x for x in world.intents if isinstance(x, Image)}
        self.templates = [x for x in world.intents if isinstance(x, VmTemplate)]
        self.affinities = [x for x in world.intents if isinstance(x, AffinityPolicy)]
        self.migrations = [x for x in world.intents if isinstance(x, VmMigration)]

    def active(self, vm: str) -> list[VmMigration]:
        """Return the migrations of a machine that go on."""
        return [x for x in self.migrations if x.vm == vm and x.stage not in (Stage.DONE, Stage.FAILED)]

    def nics(self, vm: str) -> list[Nic]:
        """Return the NICs of a machine."""
        return [x for x in self.world.nics.values() if x.vm == vm]


def check(world: World) -> None:
    """Assert everything that admission promises of virtual machines."""
    compute = Compute(world)
    for vm in compute.vms.values():
        _check_vm(compute, vm)
        _check_moves(compute, vm)
    uids = [disk.uid for vm in compute.vms.values() for disk in vm.disks]
    uids += [vm.generation_id for vm in compute.vms.values()]
    assert "" not in uids
    assert len(set(uids)) == len(uids)
    for nic in world.nics.values():
        assert not nic.vm or nic.host == compute.vms[nic.vm].host
    for template in compute.templates:
        assert all(image in compute.images for v in template.versions for image in v.images if image)
        numbers = [version.number for version in template.versions]
        assert template.active_version in (numbers or [0])
    for policy in compute.affinities:
        assert all(vm in compute.vms for vm in policy.vms)
        assert all(host in world.hosts for host in policy.hosts)
    for migration in compute.migrations:
        assert migration.vm in compute.vms
    inside = Counter(host.cluster for host in world.hosts.values())
    assert max(inside.values(), default=0) <= 32


def references(world: World, kind: str, id: str) -> Iterator[str]:
    """Yield the names of what needs a host, cluster, NIC, image, machine, category or migration."""
    compute = Compute(world)
    for vm in compute.vms.values():
        placed = vm.host == id and not vm.deleting
        if (kind == "hosts" and (placed or id in vm.affinity_hosts)) or (
            kind == "clusters" and vm.cluster == id
        ):
            yield f"vms/{vm.id}"
        if kind == "categories" and id in vm.categories:
            yield f"vms/{vm.id}"
        disks = [disk for disk in vm.disks if disk.image == id]
        shown = any(not vm.host or disk.kind is DiskKind.CDROM for disk in disks)
        if kind == "images" and shown and not vm.deleting:
            yield f"vms/{vm.id}"
    for host in world.hosts.values():
        if kind == "categories" and id in host.categories:
            yield f"hosts/{host.id}"
    for policy in compute.affinities:
        named = {"vms": policy.vms, "hosts": policy.hosts}
        named["categories"] = policy.vm_categories + policy.host_categories
        if id in named.get(kind, ()):
            yield f"affinityPolicies/{policy.id}"
    for template in compute.templates:
        if kind == "images" and any(id in version.images for version in template.versions):
            yield f"vmTemplates/{template.id}"
    yield from _movers(compute, kind, id)
    if kind == "vms":
        yield from _waiting(compute, id)
        if not compute.vms[id].deleting:  # type: ignore[index]
            for nic in compute.nics(id):
                yield from world.dependents("nics", nic.id)


def _movers(compute: Compute, kind: str, id: str) -> Iterator[str]:
    for vm in compute.vms:
        for migration in compute.active(vm):
            ends = (migration.source, migration.destination)
            of_nic = kind == "nics" and compute.world.nics[id].vm == vm  # type: ignore[index]
            if of_nic or (kind == "vms" and vm == id) or (kind == "hosts" and id in ends):
                yield f"vmMigrations/{migration.id}"
            if kind == "vmMigrations" and migration.id == id:
                yield f"vms/{vm}"


def _waiting(compute: Compute, id: str) -> Iterator[str]:
    """Yield what is still to be copied of a machine's disks."""
    for other in compute.vms.values():
        if not other.host and any(disk.source_vm == id for disk in other.disks):
            yield f"vms/{other.id}"
    for image in compute.images.values():
        if image.source_vm == id and not image.stored_bytes:
            yield f"images/{image.id}"


def _check_vm(compute: Compute, vm: Vm) -> None:
    world = compute.world
    assert vm.cluster in world.clusters
    assert all(host in world.hosts for host in vm.affinity_hosts)
    places = [(disk.bus, disk.index) for disk in vm.disks]
    assert len(set(places)) == len(places)
    assert all(disk.bus.value and disk.index >= 0 for disk in vm.disks)
    for disk in vm.disks:
        if disk.image and (not vm.host or disk.kind is DiskKind.CDROM) and not vm.deleting:
            assert disk.image in compute.images
        if disk.source_vm and not vm.host:
            source = compute.vms[disk.source_vm]
            assert source.power_state is PowerState.OFF
            assert not source.deleting
            assert disk.source_vm_uid == source.meta.uid
    assert len(compute.nics(vm.id)) <= 32
    for nic in compute.nics(vm.id):
        if nic.subnet:
            assert vm.cluster in world.subnets[nic.subnet].clusters
    if vm.host:
        assert world.hosts[vm.host].cluster == vm.cluster
    if vm.deleting:
        assert vm.host
        assert vm.power_state is PowerState.OFF
        assert not compute.nics(vm.id)
        assert not compute.active(vm.id)
    assert bool(vm.vtpm_secret) == vm.vtpm


def _check_moves(compute: Compute, vm: Vm) -> None:
    active = compute.active(vm.id)
    assert len(active) <= 1
    for migration in active:
        assert migration.source in compute.world.hosts
        if migration.stage in _AHEAD:
            assert vm.host == migration.source
        if migration.stage in _BEHIND:
            assert vm.host == migration.destination
        assert vm.is_on
        if migration.stage is not Stage.QUEUED:
            destination: Host = compute.world.hosts[migration.destination]
            assert vm.power_state is PowerState.ON
            assert migration.destination != migration.source
            for nic in compute.nics(vm.id):
                if nic.subnet:
                    assert destination.cluster in compute.world.subnets[nic.subnet].clusters
    ended = [x for x in compute.migrations if x.vm == vm.id and x not in active]
    assert len(ended) <= 20
