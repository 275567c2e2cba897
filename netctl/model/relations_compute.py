"""relations.py of virtual machines, their images and templates, affinity and migrations."""

from __future__ import annotations

from netctl.model.affinity import AffinityPolicy
from netctl.model.image import Image
from netctl.model.indexes import Relation
from netctl.model.template import VmTemplate
from netctl.model.vm import Vm
from netctl.model.vm_migration import VmMigration

Related = tuple[tuple[Relation, str], ...]


def relations_of_compute(intent: Vm | Image | VmTemplate | AffinityPolicy | VmMigration) -> Related:
    """Return the sets that the intent's id is in, each with the id of whose set it is."""
    match intent:
        case Vm():
            return _relations_of_vm(intent)
        case Image():
            waits = intent.source_vm and not intent.is_stored
            return ((Relation.IMAGES_OF_VM, intent.source_vm),) if waits else ()
        case VmTemplate():
            images = (image for version in intent.versions for image in version.images if image)
            return tuple((Relation.TEMPLATES_OF_IMAGE, id) for id in dict.fromkeys(images))
        case AffinityPolicy():
            categories = dict.fromkeys((*intent.vm_categories, *intent.host_categories))
            return (
                *((Relation.AFFINITIES_OF_VM, id) for id in intent.vms),
                *((Relation.AFFINITIES_OF_HOST, id) for id in intent.hosts),
                *((Relation.AFFINITIES_OF_CATEGORY, id) for id in categories),
            )
        case VmMigration():
            return _relations_of_migration(intent)


def _relations_of_vm(vm: Vm) -> Related:
    found = [(Relation.VMS_OF_CLUSTER, str(vm.cluster))]
    found += [(Relation.VMS_OF_HOST, str(vm.host))] if vm.host else []
    found += ((Relation.VMS_FOR_HOST, id) for id in vm.affinity_hosts)
    found += ((Relation.VMS_OF_CATEGORY, id) for id in vm.categories)
    found += ((Relation.VMS_OF_IMAGE, disk.image) for disk in vm.disks if disk.image)
    found += ((Relation.COPIES_OF_VM, disk.source_vm) for disk in vm.disks if disk.source_vm)
    return tuple(dict.fromkeys(found))


def _relations_of_migration(migration: VmMigration) -> Related:
    found = [(Relation.MIGRATIONS_OF_VM, str(migration.vm))]
    if migration.is_active:
        found.append((Relation.ACTIVE_MIGRATIONS, ""))
        ends = (migration.source, migration.destination)
        found += ((Relation.ACTIVE_MIGRATIONS_OF_HOST, host) for host in dict.fromkeys(ends) if host)
    return tuple(found)
