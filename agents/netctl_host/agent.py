"""One pass of the agent: read the host, plan, act, read again, report.

Comes in: the latest assignment and the host. Goes out: the host as assigned, and a HostReport. Remembers nothing that
matters; what it keeps between two passes only saves a write to disk, or is the revision last reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from netctl.errors import HostUnavailable
from netctl_host.actions import Action
from netctl_host.announce import Announcement, find_announcements
from netctl_host.assignment import Assignment
from netctl_host.learned import Tap, find_taps
from netctl_host.plan import plan
from netctl_host.report import make_report
from netctl_host.reported import HostReport
from netctl_host.settings import Settings
from netctl_host.state import HostState

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


class AssignmentFile(Protocol):
    """Where the last assignment is kept."""

    def save(self, assignment: Assignment) -> None:
        """Replace it; raise HostUnavailable when that fails."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """The controller as the agent uses it: where the assignment comes from and the report goes."""

    latest: Callable[[], Assignment | None]
    offer: Callable[[HostReport], None]


class Agent:
    """The loop's step, `Agent.step`; one thread."""

    def __init__(
        self,
        host_id: str,
        host: Host,
        controller: Controller,
        saved: AssignmentFile,
        settings: Settings,
    ) -> None:
        self._host_id = host_id
        self._host = host
        self._controller = controller
        self._saved = saved
        self._settings = settings
        self._on_disk = controller.latest()
        self._reached_revision = 0
        self._report = HostReport(host_id=host_id)

    def step(self) -> None:
        """Make the host equal to its assignment; raise HostUnavailable when it is not, so that the loop retries."""
        assignment = self._controller.latest()
        problems = self._save(assignment)
        try:
            state, left = self._make_equal(assignment)
        except HostUnavailable as error:
            # The rest of the report is old, and says so.
            self._offer(replace(self._report, ovn_controller_connected=False, problems=(error.message,)))
            raise
        problems += left + self._announce(assignment, state) + self._listen(assignment, state)
        if assignment is not None:
            problems += self._host.serve(assignment, state, self._settings)
        if assignment is not None and not left:
            self._reached_revision = assignment.revision
        report = make_report(self._host_id, assignment, state, self._settings)
        self._offer(
            replace(
                report,
                assignment_revision=self._reached_revision,
                problems=(*problems, *report.problems),
            )
        )
        if problems:
            raise HostUnavailable("; ".join(problems))

    def _make_equal(self, assignment: Assignment | None) -> tuple[HostState, tuple[str, ...]]:
        """Act until nothing is left to do; return the state then, and what could not be done."""
        state = self._host.read_state()
        if assignment is None:
            return state, ()
        done: set[Action] = set()
        while actions := plan(assignment, state, self._settings):
            # New actions follow when a link came up; one that was done and is planned again had no effect.
            if again := [action for action in actions if action in done]:
                return state, tuple(f"has no effect: {action}" for action in again)
            log.info("acting", actions=[str(action) for action in actions], revision=assignment.revision)
            problems = self._host.apply(actions)
            state = self._host.read_state()
            if problems:
                return state, problems
            done.update(actions)
        return state, ()

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
