"""What a resource tells beside its intent and status: derived from reports when it is asked for, stored nowhere.

`VirtualSwitch.pending_hosts`, `Subnet.migration`, `Cluster.cpu_baseline`, `Host.remaining_vms`, `Vm.run_state`, whom an
affinity policy is obeyed by, `VmMigration.queue_position`. In: the message of an intent; out: the same message, with
that in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from netctl.model.affinity import AffinityPolicy
from netctl.model.infra import Cluster, Host, VirtualSwitch
from netctl.model.intent import Intent
from netctl.model.keys import HostId
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet
from netctl.model.vm import Vm
from netctl.model.vm_migration import Stage, VmMigration
from netctl.scheduler.affinity import compliance_of
from netctl.scheduler.cpu_models import baseline_of
from netctl.server.convert import AnyResource
from netctl.server.convert_compute_report import RUN_STATE_VALUES
from netctl.server.ports import Ports
from netctl.v1 import compute_pb2, infra_pb2, network_pb2


@dataclass(frozen=True, slots=True)
class Facts:
    """Knows whom to ask."""

    ports: Ports

    def add(self, message: AnyResource, intent: Intent, snapshot: Snapshot) -> None:
        """Write what is derived into the message of an intent."""
        if isinstance(intent, VirtualSwitch) and isinstance(message, infra_pb2.VirtualSwitch):
            message.pending_hosts.extend(
                f"hosts/{id}" for id in self.ports.pending_hosts(snapshot, intent.id)
            )
        elif isinstance(intent, Subnet) and isinstance(message, network_pb2.Subnet):
            self._add_migration(message, intent, snapshot)
        elif isinstance(intent, Cluster) and isinstance(message, infra_pb2.Cluster):
            message.cpu_baseline = baseline_of(
                heard.report.capacity
                for heard in map(self.ports.compute_reports.get, _hosts_of(snapshot, intent))
                if heard.report is not None
            )
        elif isinstance(intent, Host) and isinstance(message, infra_pb2.Host):
            if intent.maintenance:
                message.remaining_vms = sum(vm.is_on for vm in snapshot.vms_of_host(intent.id))
        elif isinstance(intent, Vm) and isinstance(message, compute_pb2.Vm):
            self._add_run_state(message, intent)
        elif isinstance(intent, AffinityPolicy) and isinstance(message, compute_pb2.AffinityPolicy):
            compliance = compliance_of(intent, snapshot)
            message.compliant_vms = compliance.compliant
            message.non_compliant_vms.extend(f"vms/{id}" for id in compliance.non_compliant)
        elif isinstance(intent, VmMigration) and isinstance(message, compute_pb2.VmMigration):
            queued = intent.stage is Stage.QUEUED
            message.queue_position = self.ports.queue_position(snapshot, intent.id) if queued else 0

    def _add_run_state(self, message: compute_pb2.Vm, vm: Vm) -> None:
        seen = self.ports.compute_reports.get(vm.host).vms.get(vm.id)
        if seen is not None and seen.uid == vm.meta.uid:
            message.run_state = RUN_STATE_VALUES[seen.run_state]

    def _add_migration(self, message: network_pb2.Subnet, subnet: Subnet, snapshot: Snapshot) -> None:
        migration = self.ports.migration(snapshot, subnet.id)
        if migration is None:
            return
        state = network_pb2.SubnetMigration
        message.migration.state = state.STATE_FAILED if migration.failed else state.STATE_IN_PROGRESS
        message.migration.moved_nics, message.migration.nics = migration.moved, migration.nics
        message.migration.message = migration.message


def _hosts_of(snapshot: Snapshot, cluster: Cluster) -> list[HostId]:
    return sorted(host.id for host in snapshot.hosts_of_cluster(cluster.id))
