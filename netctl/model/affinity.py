"""AffinityPolicy: where virtual machines may run, by name and by category."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model.category_ids import check_categories
from netctl.model.host_shape import check_count
from netctl.model.infra import Meta
from netctl.model.keys import AffinityPolicyId, CategoryId, HostId, VmId, check_id

MEMBERS_MAX = 1024


class AffinityKind(enum.StrEnum):
    """VM_HOST must be obeyed; VM_ANTI_AFFINITY should: availability wins when there are too few hosts."""

    VM_HOST = "vm-host"
    VM_ANTI_AFFINITY = "vm-anti-affinity"


@dataclass(frozen=True, slots=True, kw_only=True)
class AffinityPolicy:
    """Its members are `vms` and every virtual machine with one of `vm_categories`; only a disabled one has none."""

    id: AffinityPolicyId
    meta: Meta = Meta()
    kind: AffinityKind
    vms: tuple[VmId, ...] = ()
    vm_categories: tuple[CategoryId, ...] = ()
    hosts: tuple[HostId, ...] = ()
    host_categories: tuple[CategoryId, ...] = ()
    disabled: bool = False

    def __post_init__(self) -> None:
        check_id("name", self.id)
        for field in ("vms", "hosts"):
            ids = getattr(self, field)
            check_count(field, ids, MEMBERS_MAX)
            for i, id in enumerate(ids):
                check_id(f"{field}[{i}]", id)
            if len(set(ids)) < len(ids):
                twice = next(i for i, id in enumerate(ids) if id in ids[:i])
                raise InvalidIntent(
                    f"{field}[{twice}]", f"{field}/{ids[twice]} is listed twice; list it once"
                )
        check_categories(self.vm_categories, "vm_categories")
        check_categories(self.host_categories, "host_categories")
        self._check_members()

    def _check_members(self) -> None:
        if not self.vms and not self.vm_categories and not self.disabled:
            raise InvalidIntent(
                "vms", "is empty, and vm_categories, too; say for which virtual machines it is"
            )
        named = bool(self.hosts or self.host_categories)
        if self.kind is AffinityKind.VM_HOST and not named:
            raise InvalidIntent(
                "hosts", "is empty, and host_categories, too; say on which hosts they may run"
            )
        if self.kind is AffinityKind.VM_ANTI_AFFINITY and named:
            field = "hosts" if self.hosts else "host_categories"
            raise InvalidIntent(field, "goes with VM_HOST; VM_ANTI_AFFINITY has none: leave it empty")
