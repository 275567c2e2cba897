"""One pass of the agent: read the host, plan, act, read again, report.

Comes in: the latest assignment and the host. Goes out: the host as assigned, and a ComputeReport. What one machine
cannot have is that machine's problem: the others go on. Remembers what is on disk (records), and how often a machine
failed of late, to try it less and less often.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from netctl.errors import HostUnavailable, NetctlError, Unavailable
from netctl_compute.actions import Action, DetachDisk, DetachNic, Request, StartDomain
from netctl_compute.assignment import ComputeAssignment
from netctl_compute.attempts import Attempts
from netctl_compute.plan import Past, plan
from netctl_compute.problem import Problem
from netctl_compute.records import Record, Seen, missed, update_records
from netctl_compute.report import Told, make_report
from netctl_compute.reported import ComputeReport, ExportReport, HostCapacity, MigrationReport
from netctl_compute.state import HostState, HowEnded

log = structlog.get_logger()

# An event says how a domain ended; it comes a moment after the domain is no longer listed.
MISSED_S = 2.0
# Machines are started a few at a time: in between the controller hears how far the host is.
_STARTS = 4


class Host(Protocol):
    """This machine: `host.py`, or a fake in memory."""

    def read_state(self, assignment: ComputeAssignment | None) -> HostState:
        """Return everything; raise HostUnavailable when it cannot be known."""
        ...

    def apply(self, action: Action, state: HostState) -> None:
        """Do one action; raise NetctlError when it cannot be done."""
        ...

    def take_ended(self) -> Mapping[str, HowEnded]:
        """Return once how domains ended since the last call."""
        ...

    def capacity(self) -> HostCapacity:
        """Return what the host can carry."""
        ...

    def serve(
        self, assignment: ComputeAssignment, state: HostState
    ) -> tuple[tuple[MigrationReport, ...], tuple[ExportReport, ...]]:
        """Go on with migrations and exports; return how far each is."""
        ...

    def measure(self, hosts: Mapping[str, str]) -> Mapping[str, int]:
        """Return round trips to hosts, in microseconds, as far as they are known."""
        ...


class AssignmentFile(Protocol):
    """Where the last assignment is kept."""

    def save(self, assignment: ComputeAssignment) -> None:
        """Replace it; raise HostUnavailable when that fails."""
        ...


class RecordsFile(Protocol):
    """Where the records are kept."""

    def load(self) -> dict[str, Record]:
        """Return them."""
        ...

    def save(self, records: Mapping[str, Record]) -> None:
        """Replace them; raise HostUnavailable when that fails."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is on disk, and which run of the kernel this is."""

    assignment: AssignmentFile
    records: RecordsFile
    boot_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """The controller as the agent uses it: where the assignment comes from and the report goes."""

    latest: Callable[[], ComputeAssignment | None]
    offer: Callable[[ComputeReport], None]


class Agent:
    """The loop's step, `Agent.step`; one thread. `within` asks for a look after so many seconds."""

    def __init__(
        self,
        host_id: str,
        host: Host,
        controller: Controller,
        memory: Memory,
        *,
        within: Callable[[float], None] = lambda seconds: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host_id = host_id
        self._host = host
        self._controller = controller
        self._memory = memory
        self._within = within
        self._clock = clock
        self._on_disk = controller.latest()
        self._records = memory.records.load()
        self._missed_s: dict[str, float] = {}
        self._attempts = Attempts(clock)
        self._report = ComputeReport(host=host_id)
        self._reached_revision = 0

    def step(self) -> None:
        """Make the host equal to its assignment; raise HostUnavailable when it is not, so that the loop retries."""
        assignment = self._controller.latest()
        problems = self._save(assignment)
        try:
            state, failed = self._make_equal(assignment)
            capacity = self._host.capacity()
            migrations, exports = self._host.serve(assignment, state) if assignment else ((), ())
            measured = self._host.measure(assignment.measured_hosts if assignment else {})
        except Unavailable as error:
            # The rest of the report is old, and says so.
            self._offer(replace(self._report, libvirt_connected=False, problems=(error.message,)))
            raise
        problems += self._save_records()
        if assignment is not None and not failed and self._is_equal(assignment, state):
            self._reached_revision = assignment.revision
        report = make_report(self._host_id, assignment, state, self._told(failed))
        self._offer(
            replace(
                report,
                assignment_revision=self._reached_revision,
                capacity=capacity,
                migrations=migrations,
                exports=exports,
                round_trips_us=measured,
                problems=problems,
            )
        )
        if next_s := self._attempts.next_in_s():
            self._within(next_s)
        left = (*problems, *(problem.message for problem in failed.values()))
        if left:
            raise HostUnavailable("; ".join(left))

    def _make_equal(self, assignment: ComputeAssignment | None) -> tuple[HostState, dict[str, Problem]]:
        """Act until nothing is left to do; return the state then, and by uid what could not be done."""
        state = self._look(assignment)
        failed: dict[str, Problem] = {}
        if assignment is None:
            return state, failed
        self._attempts.follow(assignment, state)
        done: list[Action] = []
        while actions := self._next(assignment, state, done, failed):
            log.info("acting", actions=[str(action) for action in actions], revision=assignment.revision)
            for action in actions:
                done.append(action)
                if not self._apply(action, state, failed):
                    break  # nobody may answer at all: look before the next
            state = self._look(assignment)
            self._offer_progress(assignment, state, failed)
        return state, failed

    def _is_equal(self, assignment: ComputeAssignment, state: HostState) -> bool:
        """Is nothing left to do, nor waited for? What a guest does not let go of waits for its next start."""
        left = plan(assignment, state, Past(records=self._records))
        return not missed(self._records, state.domains) and all(
            isinstance(action, DetachDisk | DetachNic) for action in left
        )

    def _next(
        self,
        assignment: ComputeAssignment,
        state: HostState,
        done: Sequence[Action],
        failed: dict[str, Problem],
    ) -> list[Action]:
        """Return what is planned and not done in this pass; what was done without effect is that machine's problem."""
        past = Past(records=self._records, waiting=self._attempts.waiting())
        actions: list[Action] = []
        for action in plan(assignment, state, past):
            if action.uid in failed:
                continue
            if action not in done:
                actions.append(action)
            elif not isinstance(action, Request | StartDomain):
                failed[action.uid] = Problem("NO_EFFECT", f"has no effect: {action}")
        starts = [action for action in actions if isinstance(action, StartDomain)]
        others = [action for action in actions if not isinstance(action, StartDomain)]
        return [*others, *starts[:_STARTS]]

    def _apply(self, action: Action, state: HostState, failed: dict[str, Problem]) -> bool:
        """Do one action; note what fails, and leave the machine alone for the rest of the pass. Say if it was done."""
        if action.uid in failed:
            return True
        if isinstance(action, StartDomain):
            self._attempts.started(action.uid)
        try:
            self._host.apply(action, state)
            if isinstance(action, StartDomain):
                self._note_start(action)
        except Problem as error:
            failed[action.uid] = error
        except NetctlError as error:
            reason = "START_FAILED" if isinstance(action, StartDomain) else "FAILED"
            failed[action.uid] = Problem(reason, error.message)
        if action.uid in failed:
            log.warning("action failed", action=str(action), error=failed[action.uid].message)
            if isinstance(action, StartDomain):
                self._attempts.failed(action.uid, failed[action.uid])
        return action.uid not in failed

    def _note_start(self, action: StartDomain) -> None:
        """Know that it ran, also when it is gone again before anybody looked."""
        epoch = action.assigned.power_epoch
        self._records[action.uid] = Record(power_epoch=epoch, boot_id=self._memory.boot_id)

    def _look(self, assignment: ComputeAssignment | None) -> HostState:
        """Read the host, and note what ran and how it ended."""
        state = self._host.read_state(assignment)
        seen = Seen(
            domains=state.domains,
            ended=self._host.take_ended(),
            boot_id=self._memory.boot_id,
            overdue=self._find_overdue(state),
        )
        self._records = update_records(self._records, assignment, seen)
        return state

    def _find_overdue(self, state: HostState) -> frozenset[str]:
        now_s = self._clock()
        gone = missed(self._records, state.domains)
        self._missed_s = {uid: self._missed_s.get(uid, now_s) for uid in gone}
        overdue = frozenset(uid for uid, since_s in self._missed_s.items() if now_s - since_s >= MISSED_S)
        if gone - overdue:
            self._within(MISSED_S)
        return overdue

    def _told(self, failed: Mapping[str, Problem]) -> Told:
        return Told(records=self._records, problems={**self._attempts.problems(), **failed})

    def _offer_progress(
        self, assignment: ComputeAssignment, state: HostState, failed: Mapping[str, Problem]
    ) -> None:
        """Tell how far the machines are while a long pass goes on; the rest is as before."""
        vms = make_report(self._host_id, assignment, state, self._told(failed)).vms
        self._offer(replace(self._report, vms=vms))

    def _save(self, assignment: ComputeAssignment | None) -> tuple[str, ...]:
        """Keep a new assignment on disk before acting on it; a full disk does not stop the host."""
        if assignment is None or assignment == self._on_disk:
            return ()
        try:
            self._memory.assignment.save(assignment)
        except HostUnavailable as error:
            return (error.message,)
        self._on_disk = assignment
        return ()

    def _save_records(self) -> tuple[str, ...]:
        try:
            self._memory.records.save(self._records)
        except HostUnavailable as error:
            return (error.message,)
        return ()

    def _offer(self, report: ComputeReport) -> None:
        self._report = report
        self._controller.offer(report)
