"""What hosts said last. Thread-safe; owns nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
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
_NOBODY = 1 << 62


class HostReports:
    """Last report of each host."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: dict[HostId, Heard] = {}
        self._slowest: int | None = None  # nb_cfg of the connected host that is furthest behind, None: look

    def get(self, host: HostId) -> Heard:
        """Return what the host said last."""
        return self._heard.get(host, _NEVER)

    def connected(self) -> int:
        """Return how many hosts have an agent connected."""
        with self._lock:
            return sum(heard.connected for heard in self._heard.values())

    def behind(self, nb_cfg: int) -> tuple[HostId, ...]:
        """Return the hosts with a connected agent that have not installed `nb_cfg` yet; mostly none are."""
        with self._lock:
            if self._slowest is None:
                self._slowest = min((report.nb_cfg for report in self._connected()), default=_NOBODY)
            if nb_cfg <= self._slowest:
                return ()
            return tuple(report.host for report in self._connected() if report.nb_cfg < nb_cfg)

    def _connected(self) -> Iterator[HostReport]:
        return (
            heard.report for heard in self._heard.values() if heard.connected and heard.report is not None
        )

    def put(self, report: HostReport) -> Heard:
        """Store a report from a connected agent; return what was heard before it."""
        heard = Heard(report, True, {nic.iface_id: nic for nic in report.nics})
        with self._lock:
            before = self._heard.get(report.host, _NEVER)
            self._heard[report.host] = heard
            self._slowest = None
        return before

    def disconnect(self, host: HostId) -> None:
        """Note that the agent's stream ended; its last report is kept, for people to read."""
        with self._lock:
            self._heard[host] = replace(self.get(host), connected=False)
            self._slowest = None
