"""AffinityPolicy: where virtual machines may run, by name and by category."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netctl.model.infra import Meta
from netctl.model.keys import AffinityPolicyId, CategoryId, HostId, VmId, check_id


class AffinityKind(enum.StrEnum):
    """VM_HOST must be obeyed; VM_ANTI_AFFINITY should: availability wins when there are too few hosts."""

    VM_HOST = "vm-host"
    VM_ANTI_AFFINITY = "vm-anti-affinity"


@dataclass(frozen=True, slots=True, kw_only=True)
class AffinityPolicy:
    """Its members are `vms` and every virtual machine with one of `vm_categories`; hosts likewise."""

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
