"""Whose status a report of a compute agent, or a change of another intent, may change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from netctl.model.image import Image
from netctl.model.indexes import Relation
from netctl.model.keys import HostId, Key, Kind
from netctl.model.snapshot import Snapshot
from netctl.model.vm import Vm
from netctl.model.vm_migration import VmMigration
from netctl.reconciler.compute_book import ComputeHeard
from netctl.reconciler.ports import IntentSource


def changed_by_compute(host: HostId, before: ComputeHeard, now: ComputeHeard, snapshot: Snapshot) -> set[Key]:
    """Return the intents whose status tells something else now; none when the agent only says that it lives."""
    if _reach(before) != _reach(now):
        guests = {(Kind.VM, str(vm.id)) for vm in snapshot.vms_of_host(host)}
        return {(Kind.HOST, host), *guests, *_images(before, now)}
    changed: set[Key] = {
        (Kind.VM, id) for id in before.vms.keys() | now.vms.keys() if before.vms.get(id) != now.vms.get(id)
    }
    if _applied(before) != _applied(now):
        changed |= {(Kind.VM, str(vm.id)) for vm in snapshot.vms_of_host(host)}
    if _problems(before) != _problems(now):
        changed.add((Kind.HOST, host))
    return changed | _images(before, now)


def _reach(heard: ComputeHeard) -> tuple[bool, bool]:
    return heard.connected, heard.report is not None and heard.report.libvirt_connected


def _applied(heard: ComputeHeard) -> int:
    return heard.report.assignment_revision if heard.report is not None else 0


def _problems(heard: ComputeHeard) -> tuple[str, ...]:
    return heard.report.problems if heard.report is not None else ()


def _images(before: ComputeHeard, now: ComputeHeard) -> set[Key]:
    old = {one.image: one for one in before.report.exports} if before.report is not None else {}
    new = {one.image: one for one in now.report.exports} if now.report is not None else {}
    return {(Kind.IMAGE, id) for id in old.keys() | new.keys() if old.get(id) != new.get(id)}


class Echo:
    """Owns: the revision up to which it was said whose status changes of other intents may change. One thread."""

    def __init__(self, source: IntentSource, changed: Callable[[Iterable[Key]], None]) -> None:
        self._source, self._changed = source, changed
        self._revision = source.snapshot().revision

    def step(self) -> None:
        """Name what tells of machines, migrations and images that changed: NICs, hosts, policies, templates."""
        snapshot = self._source.snapshot()
        changed = self._source.changed_since(self._revision) if snapshot.revision != self._revision else ()
        self._revision = snapshot.revision
        found = {other for key in changed or () for other in told_by(key, snapshot)}
        if found:
            self._changed(found)


def told_by(key: Key, snapshot: Snapshot) -> Iterator[Key]:
    """Yield the intents of others whose status tells something of an intent."""
    intent = snapshot.get(key)
    if isinstance(intent, Vm):
        yield Kind.HOST, intent.host
        yield from ((Kind.NIC, nic.id) for nic in snapshot.nics_of_vm(intent.id))
        yield from ((Kind.AFFINITY_POLICY, one.id) for one in snapshot.affinities_of_vm(intent.id))
        for category in intent.categories:
            yield from ((Kind.AFFINITY_POLICY, one.id) for one in snapshot.affinities_of_category(category))
    elif isinstance(intent, VmMigration):
        yield Kind.VM, intent.vm
        yield Kind.HOST, intent.source
    elif isinstance(intent, Image):
        yield from ((Kind.VM_TEMPLATE, id) for id in snapshot.related(Relation.TEMPLATES_OF_IMAGE, intent.id))
