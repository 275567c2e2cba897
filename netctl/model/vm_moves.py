"""Where a virtual machine is, and that it goes: its NICs follow in the same change."""

from __future__ import annotations

from netctl.errors import InvalidIntent
from netctl.model.chaining import check_chaining
from netctl.model.dependents import dependents_of
from netctl.model.infra import Host
from netctl.model.intent import Intent, Place, key_of
from netctl.model.keys import HostId, Key, Kind, VmId
from netctl.model.nic import Nic
from netctl.model.places import subnets_of
from netctl.model.snapshot import Draft
from netctl.model.stamp import Admitted, Context, absent, in_motion, in_use, replace_unchecked, updated
from netctl.model.vm import PowerState, Vm

# Of a machine that is being deleted: it is off, and holds nothing but its host.
_LEAVING = {
    "deleting": True,
    "power_state": PowerState.OFF,
    "graceful_off": False,
    "categories": (),
    "affinity_hosts": (),
    "pci_devices": (),
}


def place(edit: Place, before: Vm, draft: Draft, context: Context) -> tuple[Admitted, ...]:
    """Put a virtual machine on a host of its cluster."""
    check_not_moving(before.id, draft, "name")
    if before.deleting:
        raise InvalidIntent("name", f"vms/{before.id} is being deleted: it is not started any more")
    host = draft.host(edit.host)
    if host is None:
        raise absent((Kind.HOST, edit.host), "host")
    if host.cluster != before.cluster:
        raise InvalidIntent(
            "host",
            f"hosts/{host.id} is in clusters/{host.cluster}, vms/{before.id} in clusters/{before.cluster}: use a host"
            " of the same cluster",
        )
    after = replace_unchecked(before, host=host.id, effective_cpu_model=edit.cpu_model)
    if after == before:
        return (Admitted(key=key_of(before), before=before, after=before),)
    return _put_with_nics(before, after, draft, context)


def moved(vm: Vm, host: Host, draft: Draft, context: Context) -> tuple[Admitted, ...]:
    """Move a virtual machine that runs there already: nothing may be in the way any more."""
    after = replace_unchecked(vm, host=host.id, cluster=host.cluster)
    return _put_with_nics(vm, after, draft, context)


def check_reach(vm: Vm, host: Host, draft: Draft, field: str) -> None:
    """Refuse a host of a cluster that a NIC's subnet does not span."""
    for nic in sorted(draft.nics_of_vm(vm.id), key=lambda nic: nic.id):
        for subnet in subnets_of(draft, nic):
            if host.cluster not in subnet.clusters:
                raise InvalidIntent(
                    field,
                    f"hosts/{host.id} is in clusters/{host.cluster}, which subnets/{subnet.id} of nics/{nic.id} does"
                    " not span: use another host, or let the subnet span it",
                )


def check_not_moving(vm: VmId, draft: Draft, field: str) -> None:
    """Refuse what would disturb a migration."""
    migration = draft.active_migration_of(vm)
    if migration is not None:
        raise in_motion(vm, migration.id, field)


def removed(before: Vm, draft: Draft, context: Context) -> tuple[Admitted, ...]:
    """Remove a virtual machine: at once where it never was on a host, else its host has to remove it first."""
    if before.deleting:
        return (Admitted(key=key_of(before), before=before, after=before),)
    nics = sorted(draft.nics_of_vm(before.id), key=lambda nic: nic.id)
    users: list[Key] = [*dependents_of(before, draft)]
    for nic in nics:
        users += dependents_of(nic, draft)
    if users:
        raise in_use(f"vms/{before.id} is in use", dict.fromkeys(users), field="name")
    gone = [removed_alone(nic, draft) for nic in nics]
    if not before.host:
        return (*purged(before, draft), *gone)
    after = updated(replace_unchecked(before, **_LEAVING), context)
    draft.put(after)
    return (Admitted(key=key_of(before), before=before, after=after), *gone)


def purged(vm: Vm, draft: Draft) -> tuple[Admitted, ...]:
    """Remove the intent, with the migrations that ended."""
    ended = sorted(draft.migrations_of_vm(vm.id), key=lambda one: one.id)
    first = removed_alone(vm, draft)
    return (first, *(removed_alone(one, draft) for one in ended))


def remains_of(host: HostId, draft: Draft) -> tuple[Admitted, ...]:
    """Purge what only a host that is gone now would have had to remove."""
    left = sorted((vm for vm in draft.vms_of_host(host) if vm.deleting), key=lambda vm: vm.id)
    return tuple(one for vm in left for one in purged(vm, draft))


def removed_alone(intent: Intent, draft: Draft) -> Admitted:
    """Take an intent out of the draft, with nothing else."""
    draft.remove(key_of(intent))
    return Admitted(key=key_of(intent), before=intent, after=None)


def _put_with_nics(before: Vm, after: Vm, draft: Draft, context: Context) -> tuple[Admitted, ...]:
    after = updated(after, context)
    draft.put(after)
    nics: list[tuple[Nic, Nic]] = []
    for nic in sorted(draft.nics_of_vm(before.id), key=lambda nic: nic.id):
        if nic.host != after.host:
            follower = updated(replace_unchecked(nic, host=after.host), context)
            draft.put(follower)
            nics.append((nic, follower))
    for nic, follower in nics:  # only now: both NICs of a function's pair are there together
        check_chaining(nic, follower, draft, context)
    first = Admitted(key=key_of(before), before=before, after=after)
    return (first, *(Admitted(key=key_of(old), before=old, after=new) for old, new in nics))
