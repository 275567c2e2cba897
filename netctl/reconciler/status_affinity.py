"""Gate 3 for affinity policies: is every machine where it should be? Pure: intents -> verdict."""

from __future__ import annotations

from netctl.model.affinity import AffinityKind, AffinityPolicy
from netctl.model.snapshot import Snapshot
from netctl.model.status import Phase
from netctl.reconciler.status_vpc import PROGRAMMED, Verdict
from netctl.reconciler.world import named
from netctl.scheduler.affinity import compliance_of


def affinity_verdict(policy: AffinityPolicy, snapshot: Snapshot) -> Verdict:
    """Say whether a policy holds; one that only should be obeyed does not fail."""
    if policy.disabled:
        return Phase.PROGRAMMED, "DISABLED", "it has no effect: disabled is set"
    found = compliance_of(policy, snapshot)
    if not found.non_compliant:
        return PROGRAMMED
    wrong = f"{len(found.non_compliant)} machine(s): {named(found.non_compliant)}"
    if policy.kind is AffinityKind.VM_HOST:
        return Phase.FAILED, "NON_COMPLIANT", f"on other hosts than it names, {wrong}; migrate them"
    return Phase.PROGRAMMED, "NON_COMPLIANT", f"together on one host, {wrong}; migrate some"
