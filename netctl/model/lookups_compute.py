"""Lookups of virtual machines, images, templates, affinity and migrations, and what all lookups are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar

from immutables import Map, MapMutation

from netctl.model.affinity import AffinityPolicy
from netctl.model.image import Image
from netctl.model.indexes import Relation
from netctl.model.infra import Host
from netctl.model.keys import (
    AffinityPolicyId,
    CategoryId,
    ClusterId,
    HostId,
    ImageId,
    Kind,
    VmId,
    VmMigrationId,
    VmTemplateId,
)
from netctl.model.nic import Nic
from netctl.model.template import VmTemplate
from netctl.model.vm import Vm
from netctl.model.vm_migration import VmMigration

K = TypeVar("K")
V = TypeVar("V")
Readable = Map[K, V] | MapMutation[K, V]


class ComputeLookups(ABC):
    """Read access by indexes, as `Lookups` has it, to virtual machines and what they are made of."""

    __slots__ = ("_tables",)

    _tables: Mapping[Kind, Readable[str, Any]]  # each table holds one kind; the accessors say which

    @abstractmethod
    def table(self, kind: Kind) -> Mapping[str, Any]:
        """Return the intents of a kind by id."""

    @abstractmethod
    def related(self, relation: Relation, id: str) -> Collection[str]:
        """Return the ids in a set, e.g. of the NICs of a host."""

    def vm(self, id: VmId) -> Vm | None:
        """Return a virtual machine, None when there is none."""
        found: Vm | None = self._tables[Kind.VM].get(id)
        return found

    def image(self, id: ImageId) -> Image | None:
        """Return an image, None when there is none."""
        found: Image | None = self._tables[Kind.IMAGE].get(id)
        return found

    def vm_template(self, id: VmTemplateId) -> VmTemplate | None:
        """Return a template, None when there is none."""
        found: VmTemplate | None = self._tables[Kind.VM_TEMPLATE].get(id)
        return found

    def affinity_policy(self, id: AffinityPolicyId) -> AffinityPolicy | None:
        """Return an affinity policy, None when there is none."""
        found: AffinityPolicy | None = self._tables[Kind.AFFINITY_POLICY].get(id)
        return found

    def vm_migration(self, id: VmMigrationId) -> VmMigration | None:
        """Return a migration, None when there is none."""
        found: VmMigration | None = self._tables[Kind.VM_MIGRATION].get(id)
        return found

    def nics_of_vm(self, id: VmId) -> Iterator[Nic]:
        """Yield the NICs of a virtual machine."""
        return self._related(Relation.NICS_OF_VM, id, Kind.NIC)

    def vms_of_cluster(self, id: ClusterId) -> Iterator[Vm]:
        """Yield the virtual machines of a cluster."""
        return self._related(Relation.VMS_OF_CLUSTER, id, Kind.VM)

    def vms_of_host(self, id: HostId) -> Iterator[Vm]:
        """Yield the virtual machines whose `host` it is, those that are off or being deleted, too."""
        return self._related(Relation.VMS_OF_HOST, id, Kind.VM)

    def vms_for_host(self, id: HostId) -> Iterator[Vm]:
        """Yield the virtual machines that name a host in `affinity_hosts`."""
        return self._related(Relation.VMS_FOR_HOST, id, Kind.VM)

    def vms_of_category(self, id: CategoryId) -> Iterator[Vm]:
        """Yield the virtual machines that have a category; their NICs have it, too."""
        return self._related(Relation.VMS_OF_CATEGORY, id, Kind.VM)

    def vms_of_image(self, id: ImageId) -> Iterator[Vm]:
        """Yield the virtual machines with a disk that was made of an image, or a CD-ROM that shows it."""
        return self._related(Relation.VMS_OF_IMAGE, id, Kind.VM)

    def copies_of_vm(self, id: VmId) -> Iterator[Vm]:
        """Yield the virtual machines with a disk that is a copy of one of a virtual machine."""
        return self._related(Relation.COPIES_OF_VM, id, Kind.VM)

    def images_of_vm(self, id: VmId) -> Iterator[Image]:
        """Yield the images that are still to be made of disks of a virtual machine."""
        return self._related(Relation.IMAGES_OF_VM, id, Kind.IMAGE)

    def hosts_of_category(self, id: CategoryId) -> Iterator[Host]:
        """Yield the hosts that have a category."""
        return self._related(Relation.HOSTS_OF_CATEGORY, id, Kind.HOST)

    def affinities_of_vm(self, id: VmId) -> Iterator[AffinityPolicy]:
        """Yield the affinity policies that name a virtual machine, not those that mean it by a category."""
        return self._related(Relation.AFFINITIES_OF_VM, id, Kind.AFFINITY_POLICY)

    def affinities_of_host(self, id: HostId) -> Iterator[AffinityPolicy]:
        """Yield the affinity policies that name a host, not those that mean it by a category."""
        return self._related(Relation.AFFINITIES_OF_HOST, id, Kind.AFFINITY_POLICY)

    def affinities_of_category(self, id: CategoryId) -> Iterator[AffinityPolicy]:
        """Yield the affinity policies of the virtual machines, or to the hosts, that have a category."""
        return self._related(Relation.AFFINITIES_OF_CATEGORY, id, Kind.AFFINITY_POLICY)

    def migrations_of_vm(self, id: VmId) -> Iterator[VmMigration]:
        """Yield the migrations of a virtual machine, ended ones too."""
        return self._related(Relation.MIGRATIONS_OF_VM, id, Kind.VM_MIGRATION)

    def active_migration_of(self, id: VmId) -> VmMigration | None:
        """Return the migration of a virtual machine that goes on, None when it stays."""
        return next((one for one in self.migrations_of_vm(id) if one.is_active), None)

    def active_migrations(self) -> Iterator[VmMigration]:
        """Yield all migrations that go on."""
        return self._related(Relation.ACTIVE_MIGRATIONS, "", Kind.VM_MIGRATION)

    def active_migrations_of_host(self, id: HostId) -> Iterator[VmMigration]:
        """Yield the migrations that go on from or to a host."""
        return self._related(Relation.ACTIVE_MIGRATIONS_OF_HOST, id, Kind.VM_MIGRATION)

    def _related(self, relation: Relation, id: str, kind: Kind) -> Iterator[Any]:
        table = self.table(kind)
        return (table[member] for member in self.related(relation, id))
