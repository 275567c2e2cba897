"""How often machines were started of late: one that fails again and again is tried less and less often.

A start counts as failed when libvirt refused it, or when the domain was gone again within `SETTLED_S`. Another
assignment of the machine starts anew. In memory alone: a restarted agent tries at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from netctl_compute.assignment import ComputeAssignment, VmAssignment
from netctl_compute.problem import Problem
from netctl_compute.state import HostState

FIRST_S, LONGEST_S = 1.0, 60.0
SETTLED_S = 60.0


@dataclass(slots=True)
class _Attempt:
    """`starts` in a row without a run of `SETTLED_S`; the next not before `after_s`."""

    assigned: VmAssignment | None = None
    starts: int = 0
    started_s: float = 0.0
    after_s: float = 0.0
    problem: Problem | None = None


class Attempts:
    """By uid; `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._attempts: dict[str, _Attempt] = {}

    def follow(self, assignment: ComputeAssignment, state: HostState) -> None:
        """Forget machines that run well, were assigned anew, or are gone."""
        now_s = self._clock()
        kept: dict[str, _Attempt] = {}
        for vm in assignment.vms:
            attempt = self._attempts.get(vm.uid)
            if attempt is None or (attempt.assigned is not None and attempt.assigned != vm):
                attempt = _Attempt()
            if vm.uid in state.domains:
                attempt.problem = None
                if now_s - attempt.started_s >= SETTLED_S:
                    attempt.starts = 0
            attempt.assigned = vm
            kept[vm.uid] = attempt
        self._attempts = kept

    def started(self, uid: str) -> None:
        """Note a start; the next one waits, twice as long each time."""
        attempt = self._attempts.setdefault(uid, _Attempt())
        attempt.starts += 1
        attempt.started_s = self._clock()
        # The second at once: most machines that end do so for the first time.
        wait_s = 0.0 if attempt.starts == 1 else min(LONGEST_S, FIRST_S * 2 ** (attempt.starts - 2))
        attempt.after_s = attempt.started_s + wait_s

    def failed(self, uid: str, problem: Problem) -> None:
        """Note why a start failed, to be told until the next."""
        attempt = self._attempts.setdefault(uid, _Attempt())
        attempt.problem = problem
        if attempt.starts == 1:
            attempt.after_s = attempt.started_s + FIRST_S

    def waiting(self) -> frozenset[str]:
        """Return whose next start waits."""
        now_s = self._clock()
        return frozenset(uid for uid, attempt in self._attempts.items() if attempt.after_s > now_s)

    def problems(self) -> Mapping[str, Problem]:
        """Return why the last start failed, by uid."""
        return {uid: found.problem for uid, found in self._attempts.items() if found.problem is not None}

    def next_in_s(self) -> float:
        """Return how soon the next waiting start is due; 0 when none waits."""
        now_s = self._clock()
        return min(
            (found.after_s - now_s for found in self._attempts.values() if found.after_s > now_s), default=0.0
        )
