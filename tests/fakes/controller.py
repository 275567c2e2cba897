"""The neighbours of the gRPC surface besides admission, in memory: statuses, host reports, assignments, controller."""

from __future__ import annotations

from collections.abc import Callable

from netctl.model.assignment import Assignment, Chassis, NicAssignment
from netctl.model.keys import HostId, Key, SubnetId, VirtualSwitchId, resource_name
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport, Phase, Status
from netctl.reconciler.migration import MigrationState
from netctl.server.ports import ControllerInfo, Intents


class FakeDerived:
    """What is derived of reports, as tests say: migrations by subnet, waiting hosts by virtual switch."""

    def __init__(self) -> None:
        self.moving: dict[str, MigrationState] = {}
        self.waiting: dict[str, tuple[HostId, ...]] = {}

    def migration(self, snapshot: Snapshot, subnet: SubnetId) -> MigrationState | None:
        return self.moving.get(subnet)

    def pending_hosts(self, snapshot: Snapshot, switch: VirtualSwitchId) -> tuple[HostId, ...]:
        return self.waiting.get(switch, ())


class FakeStatuses:
    """PENDING until `settle` says otherwise; one that was asked for is a candidate when it changes."""

    def __init__(self) -> None:
        self.phases: dict[Key, tuple[int, Phase, str]] = {}
        self.asked = 0
        self._candidates: set[Key] = set()
        self._callbacks: list[Callable[[], None]] = []

    def status(self, key: Key, snapshot: Snapshot | None = None) -> Status | None:
        assert snapshot is not None
        self.asked += 1
        intent = snapshot.get(key)
        if intent is None:
            return None
        revision, phase, reason = self.phases.get(key, (0, Phase.PENDING, "WAITING"))
        if revision < intent.meta.revision:
            phase, reason = Phase.PENDING, "WAITING"
        return Status(phase=phase, reason=reason, message=resource_name(key), revision=intent.meta.revision)

    def settle(self, key: Key, revision: int, phase: Phase = Phase.PROGRAMMED, reason: str = "") -> None:
        self.phases[key] = (revision, phase, reason)
        self.mark(key)

    def mark(self, key: Key) -> None:
        self._candidates.add(key)
        for callback in self._callbacks:
            callback()

    def on_status_change(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def take_changed(self) -> set[Key]:
        taken, self._candidates = self._candidates, set()
        return taken


class FakeReports:
    """Everything that hosts said, in order; None is a disconnect."""

    def __init__(self) -> None:
        self.log: list[tuple[HostId, HostReport | None]] = []

    def heard(self, host: HostId) -> tuple[HostReport | None, bool]:
        said = [report for name, report in self.log if name == host]
        last = next((report for report in reversed(said) if report is not None), None)
        return last, bool(said) and said[-1] is not None

    def note_report(self, report: HostReport) -> None:
        self.log.append((report.host, report))

    def note_disconnect(self, host: HostId) -> None:
        self.log.append((host, None))


class FakeAssignments:
    """A host's NICs, as the snapshot has them."""

    def __init__(self, intents: Intents) -> None:
        self._intents = intents
        intents.on_change(self.changed)
        self._callbacks: list[Callable[[], None]] = []

    def last_told(self, host: HostId) -> int:
        """Say that nobody waits."""
        return 0

    def assignment(self, host: HostId) -> Assignment | None:
        snapshot = self._intents.snapshot()
        if snapshot.host(host) is None:
            return None
        nics = sorted(snapshot.nics_of_host(host), key=lambda nic: nic.id)
        return Assignment(
            host=host,
            revision=snapshot.revision,
            epoch=1,
            chassis=Chassis(
                system_id=host, ovn_remote="tcp:192.0.2.1:6642", encap_type="geneve", encap_ip="192.0.2.9"
            ),
            uplink_bridges=(),
            nics=tuple(
                NicAssignment(
                    nic=nic.id,
                    iface_id=nic.meta.uid,
                    tap_name=nic.tap_name,
                    mac_address=nic.mac_address,
                    mtu_bytes=1500,
                    localnet="",
                )
                for nic in nics
            ),
        )

    def on_assignment_change(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def changed(self) -> None:
        for callback in self._callbacks:
            callback()


class FakeController:
    """Ready or not; remembers who allowed what."""

    def __init__(self) -> None:
        self.ready = True
        self.allowed: list[tuple[str, str]] = []

    def info(self) -> ControllerInfo:
        problems = () if self.ready else ("the northbound database is not connected",)
        return ControllerInfo(
            version="1.2.3", ready=self.ready, problems=problems, northbound_schema="7.0.0", passes=3
        )

    def allow_mass_delete(self, actor: str, reason: str) -> None:
        self.allowed.append((actor, reason))
