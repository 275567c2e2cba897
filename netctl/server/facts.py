"""What a resource tells beside its intent and status: derived from reports when it is asked for, stored nowhere.

`VirtualSwitch.pending_hosts` and `Subnet.migration`. In: the message of an intent; out: the same message, with that in
it.
"""

from __future__ import annotations

from dataclasses import dataclass

from netctl.model.infra import VirtualSwitch
from netctl.model.intent import Intent
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet
from netctl.server.convert import AnyResource
from netctl.server.ports import Ports
from netctl.v1 import infra_pb2, network_pb2


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

    def _add_migration(self, message: network_pb2.Subnet, subnet: Subnet, snapshot: Snapshot) -> None:
        migration = self.ports.migration(snapshot, subnet.id)
        if migration is None:
            return
        state = network_pb2.SubnetMigration
        message.migration.state = state.STATE_FAILED if migration.failed else state.STATE_IN_PROGRESS
        message.migration.moved_nics, message.migration.nics = migration.moved, migration.nics
        message.migration.message = migration.message
