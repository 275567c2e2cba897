"""Admission of AffinityPolicy: whom it names is there."""

from __future__ import annotations

from netctl.errors import InvalidIntent
from netctl.model.affinity import AffinityPolicy
from netctl.model.keys import Kind
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, replace_unchecked, stamp


def admit_affinity_policy(
    asked: AffinityPolicy, before: AffinityPolicy | None, draft: Draft, context: Context
) -> AffinityPolicy:
    """Return the affinity policy to store; nothing in it is left to admission."""
    if before is not None:
        check_kept("kind", before.kind.name, asked.kind.name)
    for i, id in enumerate(asked.vms):
        vm = draft.vm(id)
        if vm is None:
            raise absent((Kind.VM, id), f"vms[{i}]")
        if vm.deleting:
            raise InvalidIntent(f"vms[{i}]", f"vms/{id} is being deleted: leave it out")
    for i, host in enumerate(asked.hosts):
        if draft.host(host) is None:
            raise absent((Kind.HOST, host), f"hosts[{i}]")
    for field in ("vm_categories", "host_categories"):
        for i, category in enumerate(getattr(asked, field)):
            if draft.category(category) is None:
                raise absent((Kind.CATEGORY, category), f"{field}[{i}]")
    return replace_unchecked(asked, meta=stamp(asked.meta, before, context))
