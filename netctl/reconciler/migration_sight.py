"""What is seen of a migration of a virtual machine: what both hosts say of it, as far as that is known. Pure.

Read by `migration_steps.py`, which decides.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

from netctl.compiler.compute_assignment import share_store
from netctl.model.compute_report import MigrationReport, RunState, VmReport
from netctl.model.keys import HostId, Key, Kind
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.model.status import Phase, Status
from netctl.model.vm_migration import VmMigration
from netctl.reconciler.compute_book import ComputeHeard
from netctl.reconciler.reports import Heard

ALIVE = frozenset({RunState.RUNNING, RunState.PAUSED, RunState.SHUTTING_DOWN})


class Why(enum.Enum):
    """What a migration waits for, as far as it matters for how long.

    REFUSED by pre-flight. FLOWS: all ports are bound, nb_cfg is to be raised. EVIDENCE: the guest has arrived, and the
    source has not said what was measured. DOUBT: the source has it no more, and the destination is to say so again.
    """

    OTHER = enum.auto()
    REFUSED = enum.auto()
    FLOWS = enum.auto()
    EVIDENCE = enum.auto()
    DOUBT = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Pre-flight's answer: where to, and if not, why. `passing`: what is wrong may be well in a moment.

    `round_trip_us`: as measured, between clusters.
    """

    destination: HostId = HostId("")
    round_trip_us: int = 0
    ok: bool = False
    message: str = ""
    passing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is seen now, beside the migration itself.

    `now_s`: seconds since the epoch; `clock_s`: on the clock of reports. `why`: what it waited for last, without a
    break since `since_s` on that clock. QUEUED: `ahead` go first, `busy` hosts take part in two already. `raised`: the
    nb_cfg that was raised after all its ports were bound, None before. `behind`: hosts that have not installed one.
    COPYING: did the destination say that it `came`, INCOMING?
    """

    snapshot: Snapshot
    now_s: float
    clock_s: float
    compute: Callable[[HostId], ComputeHeard]
    is_gone: Callable[[HostId], bool]
    network: Callable[[HostId], Heard]
    status: Callable[[Key], Status | None]
    preflight: Callable[[VmMigration], Found]
    ahead: int = 0
    busy: Collection[HostId] = ()
    why: Why = Why.OTHER
    since_s: float = 0.0
    raised: int | None = None
    came: bool = False
    behind: Callable[[int], Collection[HostId]] = lambda nb_cfg: ()

    def lasted_s(self, why: Why) -> float:
        """Return for how long it has waited for this, without a break until now."""
        return self.clock_s - self.since_s if self.why is why else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Why a migration does not go on yet; `again_s`: when time alone may change that."""

    message: str
    again_s: float = math.inf
    why: Why = Why.OTHER


def is_bound(nic: Nic, heard: Heard) -> bool:
    """Is a NIC plugged on the host that was heard, and bound there?"""
    seen = heard.nics.get(nic.meta.uid)
    if not nic.has_port:
        return not nic.connected or (seen is not None and seen.plugged)
    return seen is not None and seen.plugged and seen.ovn_installed


def told(heard: ComputeHeard, migration: VmMigration) -> str:
    """Return what a host says that the machine does, for people."""
    state = state_on(heard, migration)
    return state.value if state is not None else "unknown"


def is_programmed(nic: Nic, sight: Sight) -> bool:
    """Is a NIC's network at its host?"""
    status = sight.status((Kind.NIC, nic.id))
    return status is not None and status.phase is Phase.PROGRAMMED and status.revision >= nic.meta.revision


def is_announced(nic: Nic, heard: Heard) -> bool:
    """Did a NIC's guest send something there, and was it announced?"""
    seen = heard.nics.get(nic.meta.uid)
    return seen is not None and seen.resumed


def is_away(host: HostId, sight: Sight) -> bool:
    """Is a host not waited for?"""
    return sight.snapshot.host(host) is None or sight.is_gone(host)


def left_at(migration: VmMigration, host: HostId, sight: Sight) -> str | None:
    """Say what a host still has of the machine, by a report that knows that it must go; None: nothing."""
    vm, heard = sight.snapshot.vm(migration.vm), sight.compute(host)
    if vm is None:
        return None
    report = heard.report
    if report is None or not heard.connected or report.assignment_revision < migration.meta.revision:
        return "it has not said so yet"
    if not report.libvirt_connected:
        return "its libvirt does not answer"
    seen = heard.vms.get(migration.vm)
    if seen is None:
        return None
    return left_over(seen, keep_disks=_shares(migration, sight))


def left_over(seen: VmReport, *, keep_disks: bool) -> str | None:
    """Say what of a machine a report still has; None: nothing but disks that others use."""
    if seen.run_state is not RunState.ABSENT:
        return f"it is {seen.run_state.value} there"
    if seen.problem:
        return seen.problem
    return "disks" if seen.disk_bytes and not keep_disks else None


def _shares(migration: VmMigration, sight: Sight) -> bool:
    ends = (migration.source, migration.destination)
    reports = {host: report for host in ends if (report := sight.compute(host).report) is not None}
    return share_store(reports, *ends) is not False


def state_on(heard: ComputeHeard, migration: VmMigration) -> RunState | None:
    """Return what the machine did on a host when that was last seen; None: nobody knows."""
    if heard.report is None or not heard.report.libvirt_connected:
        return None
    seen = heard.vms.get(migration.vm)
    return seen.run_state if seen is not None else None


def job_of(migration: VmMigration, sight: Sight) -> MigrationReport | None:
    """Return what the source says of this try."""
    found = sight.compute(migration.source).migrations.get(migration.id)
    return found if found is not None and found.attempt == migration.attempt else None


def entered_s(migration: VmMigration) -> float:
    """Return when the stage was entered."""
    return migration.steps[-1].time_s if migration.steps else migration.meta.create_time_s
