"""One pass of the agent: read the host, plan, act, read again, report.

Comes in: the latest assignment and the host. Goes out: the host as assigned, and a HostReport. Remembers nothing that
matters; what it keeps between two passes only saves a write to disk, or is the revision last reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

import structlog

from netctl.errors import HostUnavailable
from netctl_host.actions import Action
from netctl_host.announce import Announcement, find_announcements
from netctl_host.assignment import Assignment
from netctl_host.learned import Tap, find_taps
from netctl_host.plan import plan
from netctl_host.report import make_report, tell_settings
from netctl_host.reported import HostReport, Reversion
from netctl_host.reversions import find_reversions, keep_newest
from netctl_host.settings import Settings
from netctl_host.state import HostState
from netctl_host.uplinks import Uplinks

log = structlog.get_logger()


class Host(Protocol):
    """This machine: `host.py`, or a fake in memory."""

    def read_state(self) -> HostState:
        """Return everything the host has; raise HostUnavailable when it cannot be known."""
        ...

    def apply(self, actions: Sequence[Action]) -> tuple[str, ...]:
        """Do `actions`; return what could not be done, one sentence each."""
        ...

    def announce(self, due: frozenset[Announcement]) -> None:
        """Tell the network what of it is new; raise HostUnavailable when that fails."""
        ...

    def listen(self, taps: frozenset[Tap]) -> tuple[str, ...]:
        """Learn the addresses of the guests of these taps alone; return what could not be done."""
        ...

    def serve(self, assignment: Assignment, state: HostState, settings: Settings) -> tuple[str, ...]:
        """Have the flows and the DHCP service that `state` needs; return what could not be done."""
        ...

    def take_reversions(self) -> tuple[str, ...]:
        """Return once what others had changed of our flows and was put right, one sentence each."""
        ...


class AssignmentFile(Protocol):
    """Where the last assignment is kept."""

    def save(self, assignment: Assignment) -> None:
        """Replace it; raise HostUnavailable when that fails."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is on disk: the last assignment, and which settings of uplink bridges are confirmed."""

    assignment: AssignmentFile
    uplinks: Uplinks


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """The controller as the agent uses it: where the assignment comes from and the report goes.

    `tell`: who answers its questions about this host hears what there is after each pass.
    """

    latest: Callable[[], Assignment | None]
    offer: Callable[[HostReport], None]
    tell: Callable[[Assignment, HostState], None] = lambda assignment, state: None


class Agent:
    """The loop's step, `Agent.step`; one thread."""

    def __init__(
        self,
        host_id: str,
        host: Host,
        controller: Controller,
        memory: Memory,
        settings: Settings,
    ) -> None:
        self._host_id = host_id
        self._host = host
        self._controller = controller
        self._saved = memory.assignment
        self._uplinks = memory.uplinks
        self._settings = settings
        self._equal: tuple[Assignment, HostState] | None = None
        self._reversions: tuple[Reversion, ...] = ()
        self._on_disk = controller.latest()
        self._reached_revision = 0
        self._report = HostReport(host_id=host_id)

    def step(self) -> None:
        """Make the host equal to its assignment; raise HostUnavailable when it is not, so that the loop retries."""
        assigned = self._controller.latest()
        problems = self._save(assigned)
        try:
            assignment, state, left = self._make_equal(assigned)
        except HostUnavailable as error:
            # The rest of the report is old, and says so.
            self._offer(replace(self._report, ovn_controller_connected=False, problems=(error.message,)))
            raise
        problems += left + self._announce(assignment, state) + self._listen(assignment, state)
        if assignment is not None:
            problems += self._host.serve(assignment, state, self._settings)
        if assignment is not None and not left:
            self._reached_revision = assignment.revision
            self._controller.tell(assignment, state)
        report = make_report(self._host_id, assignment, state, self._settings)
        bridges = assigned.uplink_bridges if assigned is not None else ()
        self._offer(
            replace(
                report,
                bridges=tell_settings(report.bridges, bridges, self._uplinks.records()),
                reversions=self._reversions,
                assignment_revision=self._reached_revision,
                problems=(*problems, *report.problems),
            )
        )
        if problems:
            raise HostUnavailable("; ".join(problems))

    def _make_equal(
        self, assigned: Assignment | None
    ) -> tuple[Assignment | None, HostState, tuple[str, ...]]:
        """Act until nothing is left to do.

        Return the assignment with the settings of uplinks that count, the state then, and what could not be done.
        """
        found = state = self._host.read_state()
        if assigned is None:
            return None, state, ()
        assignment, problems = self._uplinks.resolve(assigned, state)
        acted: list[Action] = []
        left: tuple[str, ...] = ()
        while not left and (actions := self._plan(assignment, state)):
            # New actions follow when a link came up; one that was done and is planned again had no effect.
            if again := [action for action in actions if action in acted]:
                left = tuple(f"has no effect: {action}" for action in again)
                break
            log.info("acting", actions=[str(action) for action in actions], revision=assignment.revision)
            left = self._host.apply(actions)
            state = self._host.read_state()
            acted.extend(actions)
        self._uplinks.settle(assignment, state, acted)
        self._compare(assignment, found, state, acted)
        self._equal = (assignment, state) if not left else None
        return assignment, state, (*problems, *left)

    def _plan(self, assignment: Assignment, state: HostState) -> tuple[Action, ...]:
        return (*self._uplinks.plan_undo(state), *plan(assignment, state, self._settings))

    def _compare(
        self, assignment: Assignment, found: HostState, state: HostState, acted: Sequence[Action]
    ) -> None:
        """Tell what somebody else had edited since the host was as it should be."""
        if self._equal is None or replace(self._equal[0], revision=0) != replace(assignment, revision=0):
            return
        undone = (*find_reversions(self._equal[1], found, state, acted), *self._host.take_reversions())
        for sentence in undone:
            log.warning("edit undone", what=sentence)
        self._reversions = keep_newest(self._reversions, undone, datetime.now(UTC))

    def _announce(self, assignment: Assignment | None, state: HostState) -> tuple[str, ...]:
        try:
            self._host.announce(find_announcements(assignment, state) if assignment else frozenset())
        except HostUnavailable as error:
            return (error.message,)
        return ()

    def _listen(self, assignment: Assignment | None, state: HostState) -> tuple[str, ...]:
        return self._host.listen(find_taps(assignment, state)) if assignment else ()

    def _save(self, assignment: Assignment | None) -> tuple[str, ...]:
        """Keep a new assignment on disk before acting on it; a full disk does not stop the host."""
        if assignment is None or assignment == self._on_disk:
            return ()
        try:
            self._saved.save(assignment)
        except HostUnavailable as error:
            return (error.message,)
        self._on_disk = assignment
        return ()

    def _offer(self, report: HostReport) -> None:
        self._report = report
        self._controller.offer(report)
