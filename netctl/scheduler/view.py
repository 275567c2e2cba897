"""View: what the scheduler reads: all intents at one revision, and what every host said, at one moment.

In: a snapshot and what agents said last; out: what machines take of each host. Owns sums over all machines, made once;
`moved` gives a view in which one machine is elsewhere, for plans of several.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping

from netctl.model.compute_report import ComputeReport, RunState, VmReport
from netctl.model.infra import Host
from netctl.model.keys import ClusterId, HostId, Kind, VmId
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport
from netctl.model.vm import Vm
from netctl.model.vm_migration import AT_DESTINATION
from netctl.scheduler.cpu_models import baseline_of
from netctl.scheduler.memory import Room, charge_mib, usable_mib

# What an agent said last, None before it said anything, and whether it is connected.
ComputeSaid = tuple[ComputeReport | None, bool]
HostSaid = tuple[HostReport | None, bool]

_IN_MEMORY = frozenset({RunState.RUNNING, RunState.PAUSED, RunState.SHUTTING_DOWN, RunState.INCOMING})
_SILENT: ComputeSaid = (None, False)


class View:
    """Immutable once made; any thread. `overdue_nb_cfg`: what every host should have installed by now."""

    def __init__(
        self,
        snapshot: Snapshot,
        compute: Callable[[HostId], ComputeSaid],
        network: Callable[[HostId], HostSaid] = lambda host: (None, False),
        *,
        overdue_nb_cfg: int = 0,
    ) -> None:
        self.snapshot = snapshot
        self.overdue_nb_cfg = overdue_nb_cfg
        self._said = {id: compute(id) for id in map(HostId, snapshot.table(Kind.HOST))}
        self._network = {id: network(id) for id in self._said}
        self._reports = {
            id: {vm.vm: vm for vm in report.vms} if report is not None else {}
            for id, (report, _) in self._said.items()
        }
        self._machines: dict[HostId, dict[VmId, Vm]] = {}
        self._used_mib: dict[HostId, int] = {}
        self._baselines: dict[ClusterId, str] = {}
        for host, vm in self._taken():
            self._add(host, vm)

    def hosts(self, cluster: ClusterId) -> list[Host]:
        """Return the hosts of a cluster by id."""
        return sorted(self.snapshot.hosts_of_cluster(cluster), key=lambda host: host.id)

    def said(self, host: HostId) -> ComputeSaid:
        """Return what a host's compute agent said last, and whether it is connected."""
        return self._said.get(host, _SILENT)

    def network(self, host: HostId) -> HostSaid:
        """Return what a host's agent (networking) said last, and whether it is connected."""
        return self._network.get(host, (None, False))

    def seen(self, vm: Vm, host: HostId) -> VmReport | None:
        """Return what a host says of a machine; None when nothing."""
        found = self._reports.get(host, {}).get(vm.id)
        return found if found is not None and found.uid == vm.meta.uid else None

    def machines(self, host: HostId) -> Mapping[VmId, Vm]:
        """Return the machines that take something of a host."""
        return self._machines.get(host, {})

    def room(self, host: HostId, vm: Vm) -> Room:
        """Return a host's memory for a machine, which is not counted itself."""
        report = self.said(host)[0]
        total = usable_mib(report.capacity) if report is not None else 0
        counted = self.machines(host).get(vm.id)
        used = self._used_mib.get(host, 0) - (charge_mib(counted) if counted is not None else 0)
        return Room(free_mib=total - used, total_mib=total)

    def baseline(self, cluster: ClusterId) -> str:
        """Return the newest CPU model usable on all hosts of a cluster that said what they can; "" for none."""
        if cluster not in self._baselines:
            reports = (self.said(host.id)[0] for host in self.snapshot.hosts_of_cluster(cluster))
            self._baselines[cluster] = baseline_of(one.capacity for one in reports if one is not None)
        return self._baselines[cluster]

    def nics(self, vm: Vm) -> list[Nic]:
        """Return a machine's NICs by id."""
        return sorted(self.snapshot.nics_of_vm(vm.id), key=lambda nic: nic.id)

    def moved(self, vm: Vm, host: HostId) -> View:
        """Return the view in which a machine takes what it needs of one host, and nothing of others."""
        after = copy.copy(self)
        after._used_mib = dict(self._used_mib)
        after._machines = dict(self._machines)
        for id, machines in self._machines.items():
            if vm.id in machines:
                after._machines[id] = {other: one for other, one in machines.items() if other != vm.id}
                after._used_mib[id] -= charge_mib(machines[vm.id])
        after._machines[host] = dict(after._machines.get(host, {}))
        after._add(host, vm)
        return after

    def _add(self, host: HostId, vm: Vm) -> None:
        machines = self._machines.setdefault(host, {})
        if vm.id not in machines:
            machines[vm.id] = vm
            self._used_mib[host] = self._used_mib.get(host, 0) + charge_mib(vm)

    def _taken(self) -> Iterator[tuple[HostId, Vm]]:
        """Yield who takes something of whom: placed there, still in memory there, or on the way there."""
        for vm in self.snapshot.of_kind(Kind.VM):
            assert isinstance(vm, Vm)
            if vm.is_on and vm.is_placed:
                yield vm.host, vm
        for host, seen in self._reports.items():
            for id, report in seen.items():
                found = self.snapshot.vm(id)
                if found is not None and found.meta.uid == report.uid and report.run_state in _IN_MEMORY:
                    yield host, found
        for migration in self.snapshot.active_migrations():
            found = self.snapshot.vm(migration.vm) if migration.stage in AT_DESTINATION else None
            if found is not None and migration.destination:
                yield migration.destination, found
