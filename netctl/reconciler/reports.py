"""What hosts said last. Thread-safe; owns nothing else."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from netctl.model.keys import HostId
from netctl.model.status import HostReport, NicReport


@dataclass(frozen=True, slots=True)
class Heard:
    """The last report of a host, None before the first; `connected` while its agent holds a stream.

    `nics` is the report's NICs by iface-id.
    """

    report: HostReport | None
    connected: bool
    nics: Mapping[str, NicReport] = field(default_factory=dict)


_NEVER = Heard(None, False)


class HostReports:
    """Last report of each host."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: dict[HostId, Heard] = {}

    def get(self, host: HostId) -> Heard:
        """Return what the host said last."""
        return self._heard.get(host, _NEVER)

    def connected(self) -> int:
        """Return how many hosts have an agent connected."""
        with self._lock:
            return sum(heard.connected for heard in self._heard.values())

    def put(self, report: HostReport) -> Heard:
        """Store a report from a connected agent; return what was heard before it."""
        heard = Heard(report, True, {nic.iface_id: nic for nic in report.nics})
        with self._lock:
            before = self._heard.get(report.host, _NEVER)
            self._heard[report.host] = heard
        return before

    def disconnect(self, host: HostId) -> None:
        """Note that the agent's stream ended; its last report is kept, for people to read."""
        with self._lock:
            self._heard[host] = replace(self.get(host), connected=False)
