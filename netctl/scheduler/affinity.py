"""Affinity: on which hosts a machine may run, whom it keeps away from, and who is not as a policy says.

In: intents; out: hosts and machines. VM_HOST must be obeyed; anti-affinity should: it orders hosts and excludes none.
"""

from __future__ import annotations

from dataclasses import dataclass

from netctl.model.affinity import AffinityKind, AffinityPolicy
from netctl.model.infra import Host
from netctl.model.keys import HostId, Kind, VmId
from netctl.model.snapshot import Snapshot
from netctl.model.vm import Vm


@dataclass(frozen=True, slots=True, kw_only=True)
class Compliance:
    """How many machines are as a policy says, and which are not."""

    compliant: int = 0
    non_compliant: tuple[VmId, ...] = ()


def objection_to(vm: Vm, host: Host, policies: list[AffinityPolicy]) -> str:
    """Say which of a machine's policies forbids a host; "" when none does."""
    if vm.affinity_hosts and host.id not in vm.affinity_hosts:
        return f"is not among the affinity_hosts of vms/{vm.id}: {_some(vm.affinity_hosts)}"
    for policy in policies:
        if not _has_host(policy, host):
            return f"is not among the hosts of affinityPolicies/{policy.id}"
    return ""


def policies_of(vm: Vm, snapshot: Snapshot, kind: AffinityKind) -> list[AffinityPolicy]:
    """Return the policies of a kind that hold for a machine, by id."""
    found = {policy.id: policy for policy in snapshot.affinities_of_vm(vm.id)}
    for category in vm.categories:
        found.update((policy.id, policy) for policy in snapshot.affinities_of_category(category))
    holding = (policy for policy in found.values() if policy.kind is kind and not policy.disabled)
    return sorted((policy for policy in holding if has_member(policy, vm)), key=lambda policy: policy.id)


def partners_of(vm: Vm, snapshot: Snapshot) -> frozenset[VmId]:
    """Return the machines that should not be on the host of this one."""
    policies = policies_of(vm, snapshot, AffinityKind.VM_ANTI_AFFINITY)
    if not policies:
        return frozenset()
    found = {member.id for policy in policies for member in members_of(policy, snapshot)}
    return frozenset(found - {vm.id})


def has_member(policy: AffinityPolicy, vm: Vm) -> bool:
    """Does a policy hold for a machine?"""
    return vm.id in policy.vms or not set(policy.vm_categories).isdisjoint(vm.categories)


def members_of(policy: AffinityPolicy, snapshot: Snapshot) -> list[Vm]:
    """Return the machines that a policy is about, by id."""
    found = {vm.id: vm for vm in map(snapshot.vm, policy.vms) if vm is not None}
    for category in policy.vm_categories:
        found.update((vm.id, vm) for vm in snapshot.vms_of_category(category))
    return [found[id] for id in sorted(found)]


def compliance_of(policy: AffinityPolicy, snapshot: Snapshot) -> Compliance:
    """Return who is as a policy says, by where machines are; one that is nowhere contradicts nothing."""
    members = members_of(policy, snapshot)
    if policy.disabled:
        return Compliance(compliant=len(members))
    placed = [vm for vm in members if vm.is_on and vm.is_placed]
    if policy.kind is AffinityKind.VM_HOST:
        wrong = [vm.id for vm in placed if not _is_allowed(policy, vm.host, snapshot)]
    else:
        on: dict[HostId, list[VmId]] = {}
        for vm in placed:
            on.setdefault(vm.host, []).append(vm.id)
        wrong = sorted(id for together in on.values() if len(together) > 1 for id in together)
    return Compliance(compliant=len(members) - len(wrong), non_compliant=tuple(wrong))


def hosts_of(policy: AffinityPolicy, snapshot: Snapshot) -> list[HostId]:
    """Return the hosts that a VM_HOST policy names, by name and by category, that exist."""
    hosts = (host for host in snapshot.of_kind(Kind.HOST) if isinstance(host, Host))
    return sorted(host.id for host in hosts if _has_host(policy, host))


def _is_allowed(policy: AffinityPolicy, id: HostId, snapshot: Snapshot) -> bool:
    host = snapshot.host(id)
    return host is not None and _has_host(policy, host)


def _has_host(policy: AffinityPolicy, host: Host) -> bool:
    return host.id in policy.hosts or not set(policy.host_categories).isdisjoint(host.categories)


def _some(ids: tuple[HostId, ...]) -> str:
    return ", ".join(ids[:10])
