"""What the gRPC surface needs of its neighbours; the composition root (`controller.py`) gives it.

The intents come from `server/admission.py`, everything computed about them from the reconciler's side. Every callback
is called from any thread and only wakes: nobody is told what changed, everybody looks again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from netctl.compiler.observed import NOTHING_OBSERVED, Observed
from netctl.model.assignment import Assignment
from netctl.model.compute_assignment import ComputeAssignment
from netctl.model.hits import AclFlow, RouterFlows
from netctl.model.intent import Change
from netctl.model.keys import HostId, Key, SubnetId, VirtualSwitchId, VmMigrationId
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport, Status
from netctl.reconciler.compute_book import ComputeBook
from netctl.reconciler.metrics import Metrics
from netctl.reconciler.migration import MigrationState
from netctl.scheduler.view import View
from netctl.server.image_store import ImageStore
from netctl.server.requests import Answer, Request
from netctl.server.sealing import Seal, random_seal
from netctl.server.syslog import SyslogTarget


class Intents(Protocol):
    """The single writer and the current snapshot (`server/admission.py`)."""

    def submit(self, request: Request) -> Future[Answer]:
        """Queue edits; the future answers once they are committed, or raises why they are not."""
        ...

    def snapshot(self) -> Snapshot:
        """Return the intents at the newest revision."""
        ...

    def changed_since(self, revision: int) -> frozenset[Key] | None:
        """Return the keys changed after `revision`, or None when that is no longer known."""
        ...

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back after every commit."""
        ...


class ChangeLog(Protocol):
    """The log of changes (`store/sqlite.py`)."""

    def read_changes(
        self, *, before: tuple[int, int] | None = None, limit: int = 100, key: Key | None = None
    ) -> Sequence[Change]:
        """Return changes newest first, older than `before` (revision, index); blocks."""
        ...

    def changed_keys_since(self, revision: int) -> Sequence[tuple[Key, int]]:
        """Return keys changed after `revision`; OutOfRange when the log does not reach back so far; blocks."""
        ...


class Statuses(Protocol):
    """Gate 3 (`reconciler/board.py`)."""

    def status(self, key: Key, snapshot: Snapshot | None = None) -> Status | None:
        """Return the status of an intent now; None when it does not exist. One that was asked for stays watched."""
        ...

    def on_status_change(self, callback: Callable[[], None]) -> None:
        """Call back when `take_changed` has something."""
        ...

    def take_changed(self) -> set[Key]:
        """Return the intents whose status may have changed since the last call."""
        ...


class HostReports(Protocol):
    """Who hears what hosts say (`reconciler/board.py`)."""

    def heard(self, host: HostId) -> tuple[HostReport | None, bool]:
        """Return what a host said last, and whether its agent is connected."""
        ...

    def note_report(self, report: HostReport) -> None:
        """A connected agent reported."""
        ...

    def note_disconnect(self, host: HostId) -> None:
        """The agent's stream ended."""
        ...


class Assignments(Protocol):
    """What each host must have."""

    def assignment(self, host: HostId) -> Assignment | None:
        """Return the host's assignment now, or None when there is no such host; quick when nothing changed."""
        ...

    def last_told(self, host: HostId) -> int:
        """Return the revision at which the host was last told something else of a NIC: status waits for that."""
        ...

    def on_assignment_change(self, callback: Callable[[], None]) -> None:
        """Call back when any host's assignment may have changed."""
        ...


class ComputeAssignments(Protocol):
    """What each host's libvirt must have; its secrets are sealed."""

    def assignment(self, host: HostId) -> ComputeAssignment | None:
        """Return the host's assignment now, or None when there is no such host; quick when nothing changed."""
        ...

    def on_assignment_change(self, callback: Callable[[], None]) -> None:
        """Call back when any host's assignment may have changed."""
        ...


class Southbound(Protocol):
    """What northd and the hosts made of our rows (`ovsdb/southbound.py`); blocks, SouthboundUnavailable in time."""

    @property
    def remote(self) -> str:
        """Where it is, as OVN spells it."""
        ...

    def policy_flows(
        self, routers: Collection[str], *, priorities: tuple[int, int]
    ) -> Mapping[str, RouterFlows]:
        """Return the flows of routers' policies with a priority from one to the other."""
        ...

    def acl_flows(self) -> Sequence[AclFlow]:
        """Return the flows in which ACLs decide, ours and others'."""
        ...

    def chassis_of_ports(self, ports: Collection[str]) -> Mapping[str, str]:
        """Return the chassis that holds each port; a port on none is missing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerInfo:
    """State of the controller itself; `problems` has one sentence for each thing that is wrong."""

    version: str
    northbound_revision: int = 0
    ready: bool = False
    problems: tuple[str, ...] = ()
    northbound_schema: str = ""
    northd_version: str = ""
    passes: int = 0
    rows_owned: int = 0


class Controller(Protocol):
    """The controller as operators see it."""

    def info(self) -> ControllerInfo:
        """Return what is so now."""
        ...

    def allow_mass_delete(self, actor: str, reason: str) -> None:
        """Let the next pass delete more rows than the guard allows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All neighbours of the gRPC surface.

    `pending_hosts`: which hosts have not got the last change of a virtual switch, in the order of their turns.
    `migration`: None for a subnet whose NICs all are what they should be. `owner`: whose rows ours are. `southbound`
    None: nothing can be explained that it would say. `hits_file` None: sums of hits are not kept. `syslog` None: the
    policy log is sent nowhere. `compute_reports`: what compute agents said. `compute_assignments` None: there is nobody
    who makes them, and no compute agent is served. `view`: what the scheduler reads. `queue_position`: how many
    migrations go before one. `seal` keeps secrets, `images` the bytes of images.
    """

    intents: Intents
    changes: ChangeLog
    statuses: Statuses
    reports: HostReports
    assignments: Assignments
    controller: Controller
    pending_hosts: Callable[[Snapshot, VirtualSwitchId], Sequence[HostId]] = lambda snapshot, switch: ()
    migration: Callable[[Snapshot, SubnetId], MigrationState | None] = lambda snapshot, subnet: None
    owner: str = ""
    southbound: Southbound | None = None
    observed: Callable[[], Observed] = lambda: NOTHING_OBSERVED
    hits_file: Path | None = None
    metrics: Metrics = field(default_factory=Metrics)
    syslog: SyslogTarget | None = None
    compute_reports: ComputeBook = field(default_factory=ComputeBook)
    compute_assignments: ComputeAssignments | None = None
    view: Callable[[Snapshot], View] = lambda snapshot: View(snapshot, lambda host: (None, False))
    queue_position: Callable[[Snapshot, VmMigrationId], int] = lambda snapshot, migration: 0
    seal: Seal = field(default_factory=random_seal)
    images: ImageStore = field(default_factory=lambda: ImageStore(Path(os.devnull, "images")))
