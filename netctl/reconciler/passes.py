"""Which nb_cfg stands for which revision: the memory of what passes wrote. Thread-safe."""

from __future__ import annotations

import bisect
import threading

KEPT = 4096


class Passes:
    """Pairs (revision, nb_cfg): after the pass the northbound database equalled `revision`, at `nb_cfg`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._revisions: list[int] = []
        self._cfgs: list[int] = []

    @property
    def revision(self) -> int:
        """The newest revision that the northbound database equals; -1 before the first pass."""
        return self._revisions[-1] if self._revisions else -1

    def note(self, revision: int, nb_cfg: int) -> None:
        """Note a pass; one that moved no revision is the same as before."""
        with self._lock:
            if self._revisions and revision <= self._revisions[-1]:
                return
            self._revisions.append(revision)
            self._cfgs.append(nb_cfg)
            if len(self._revisions) > 2 * KEPT:
                del self._revisions[:KEPT], self._cfgs[:KEPT]

    def required_cfg(self, revision: int) -> int:
        """Return the nb_cfg of the first pass that covered `revision`.

        A forgotten one is answered with the oldest kept: later than needed, never too early.
        """
        with self._lock:
            at = bisect.bisect_left(self._revisions, revision)
            return self._cfgs[at] if at < len(self._cfgs) else (1 << 62)
