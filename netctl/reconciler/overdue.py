"""Which nb_cfg every host should have installed by now: the newest that is old enough. Thread-safe."""

from __future__ import annotations

import threading
import time
from collections import deque

from netctl.loop import Clock

DUE_S = 10.0


class Overdue:
    """Owns: when each nb_cfg of the last seconds was seen first."""

    def __init__(self, *, clock: Clock = time.monotonic, due_s: float = DUE_S) -> None:
        self._clock, self._due_s = clock, due_s
        self._lock = threading.Lock()
        self._seen: deque[tuple[float, int]] = deque()
        self._nb_cfg = 0

    def note(self, nb_cfg: int) -> None:
        """The northbound database is at this nb_cfg."""
        with self._lock:
            if not self._seen or self._seen[-1][1] < nb_cfg:
                self._seen.append((self._clock(), nb_cfg))
            self._look()

    @property
    def nb_cfg(self) -> int:
        """What was due a while ago; 0 as long as nothing was."""
        with self._lock:
            self._look()
            return self._nb_cfg

    def _look(self) -> None:
        while self._seen and self._clock() - self._seen[0][0] >= self._due_s:
            self._nb_cfg = max(self._nb_cfg, self._seen.popleft()[1])
