"""What compute agents said last, and since when one is silent. Thread-safe; owns nothing else.

`version` names what assignments read of the reports: it moves when any of that does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from netctl.loop import Clock
from netctl.model.compute_report import ComputeReport, MigrationReport, VmReport
from netctl.model.keys import HostId, VmId, VmMigrationId

# An agent that restarts is back within seconds; after that its host counts as gone.
GONE_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeHeard:
    """The last report of a host, None before the first; `connected` while its agent holds a stream.

    `vms` and `migrations` are the report's by id. On the book's clock: when the report came (`received_s`), and since
    when there is no agent (`silent_since_s`), while there is none.
    """

    report: ComputeReport | None = None
    connected: bool = False
    vms: Mapping[VmId, VmReport] = field(default_factory=dict)
    migrations: Mapping[VmMigrationId, MigrationReport] = field(default_factory=dict)
    silent_since_s: float = 0.0
    received_s: float = 0.0


class ComputeBook:
    """Last report of each host's compute agent."""

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._heard: dict[HostId, ComputeHeard] = {}
        self._never = ComputeHeard(silent_since_s=clock())
        self._listeners: list[Callable[[HostId], None]] = []
        self._version = 0

    @property
    def version(self) -> int:
        """Counts the changes of what assignments read of reports."""
        return self._version

    def get(self, host: HostId) -> ComputeHeard:
        """Return what the host said last."""
        return self._heard.get(host, self._never)

    def reports(self) -> Mapping[HostId, ComputeReport]:
        """Return the last report of each host that ever reported, connected or not."""
        with self._lock:
            return {host: heard.report for host, heard in self._heard.items() if heard.report is not None}

    def live(self) -> Mapping[HostId, ComputeReport]:
        """Return the last report of each host whose agent is connected."""
        with self._lock:
            return {
                host: heard.report
                for host, heard in self._heard.items()
                if heard.connected and heard.report is not None
            }

    def silent_s(self, host: HostId) -> float:
        """Return for how long a host has had no agent, at most since this controller's start; 0 while it has one."""
        heard = self.get(host)
        return 0.0 if heard.connected else self._clock() - heard.silent_since_s

    def is_gone(self, host: HostId) -> bool:
        """Has a host had no agent for so long that it is not waited for?"""
        return self.silent_s(host) >= GONE_S

    def on_report(self, callback: Callable[[HostId], None]) -> None:
        """Call `callback` (which only wakes) after each report and when an agent left, with the host."""
        self._listeners.append(callback)

    def note_report(self, report: ComputeReport) -> None:
        """A connected agent reported."""
        heard = ComputeHeard(
            report=report,
            connected=True,
            vms={vm.vm: vm for vm in report.vms},
            migrations={one.migration: one for one in report.migrations},
            received_s=self._clock(),
        )
        with self._lock:
            before = self._heard.get(report.host, self._never)
            self._heard[report.host] = heard
            self._version += _compared(before.report) != _compared(report)
        self._tell(report.host)

    def note_disconnect(self, host: HostId) -> None:
        """An agent's stream ended; its last report is kept."""
        with self._lock:
            self._heard[host] = replace(self.get(host), connected=False, silent_since_s=self._clock())
        self._tell(host)

    def _tell(self, host: HostId) -> None:
        for listener in self._listeners:
            listener(host)


def _compared(report: ComputeReport | None) -> object:
    """Return what assignments, of this and of other hosts, are compiled from."""
    if report is None:
        return None
    sizes = {vm.vm: vm.disk_bytes for vm in report.vms if vm.disk_bytes}
    return report.capacity.store_id, report.capacity.migration_address, sizes
