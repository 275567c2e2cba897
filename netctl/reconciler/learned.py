"""Learned addresses: what guests use that we did not give them, from what hosts report.

Comes in: a snapshot and the host reports. Goes out: `Observed.learned`, and a wake when it may have changed, one a
second at most. Owns: who holds which address. The first NIC keeps it: another one that reports it too gets it when the
first no longer does, or when the first one's host has been silent for a while.

An address is kept longer than it is reported, for a rule that names its group must not lose it while an agent restarts
or a guest moves: `Patience` says how long.
"""

from __future__ import annotations

import enum
import math
import operator
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from netctl.compiler.identity import child_name
from netctl.loop import Clock, Wake
from netctl.model.keys import HostId, Kind, NicId, SubnetId
from netctl.model.learnable import may_learn
from netctl.model.nic import Nic
from netctl.model.numbers import address_number, version_of
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport, NicReport
from netctl.nb.rows import Rows
from netctl.reconciler.recall import recall_learned
from netctl.reconciler.reports import Heard

# Of a port, as many as a host tells: an agent that has gone wrong must not fill the rows.
LEARNED_MAX = 8
# Reports wake the pass at most so often.
PACE_S = 1.0

# What intents the answer is made from.
_KINDS = (Kind.HOST, Kind.NIC, Kind.SUBNET, Kind.VPC)
Holding = tuple[SubnetId, str]  # an address on a subnet


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds that an address is kept which is not reported.

    `forget_s`: by a host that is connected; its agent may have started anew, or the guest come from another host.
    `silence_s`: by a host that is silent; as long as hosts remember a silent guest. `yield_s`: by a host that is
    silent, while another NIC reports the address; the patience that liveness has with silence.
    """

    forget_s: float = 60.0
    silence_s: float = 600.0
    yield_s: float = 15.0


class _Word(enum.Enum):
    """What a host says of an address that a NIC of its holds."""

    REPORTED = enum.auto()
    MISSING = enum.auto()
    SILENT = enum.auto()


@dataclass(slots=True)
class _Held:
    """Who holds an address; what its host says of it, and since when."""

    nic: NicId
    port: str
    word: _Word
    since_s: float


@dataclass(frozen=True, slots=True)
class _Port:
    """A port of a NIC, and the addresses that its guest is reported to use."""

    nic: Nic
    name: str
    subnet: SubnetId
    said: tuple[str, ...]


@dataclass(slots=True)
class _Answer:
    """What was answered last, from which tables and reports, and until when that holds."""

    ports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: list[Mapping[str, Any]] = field(default_factory=list)
    reports: int = -1
    until_s: float = -math.inf


class Learned:
    """`look` belongs to the reconciler's thread; `note_report` to any."""

    def __init__(
        self,
        heard: Callable[[HostId], Heard],
        wake: Wake,
        *,
        patience: Patience = Patience(),
        clock: Clock = time.monotonic,
    ) -> None:
        self._heard, self._wake = heard, wake
        self._patience, self._clock = patience, clock
        self._paced = PacedWake(wake, clock)
        self._held: dict[Holding, _Held] = {}
        self._recalled = False
        self._reports = 0  # that said something new
        self._answer = _Answer()
        self._until_s = math.inf  # what is held stays so, if nothing else changes

    @property
    def count(self) -> int:
        """How many addresses are held."""
        return len(self._held)

    def look(self, snapshot: Snapshot, actual: Rows | None) -> Mapping[str, tuple[str, ...]]:
        """Return the addresses of ports by name, the same mapping while it says the same.

        `actual` are our rows as they are there, None while nobody knows: the first ones tell what the controller before
        this one had learned.
        """
        now, answer, reports = self._clock(), self._answer, self._reports
        tables = [snapshot.table(kind) for kind in _KINDS]
        recalled = self._recall(snapshot, actual, now)
        same = answer.reports == reports and all(map(operator.is_, answer.tables, tables))
        if not (same and answer.tables) or recalled or now >= answer.until_s:
            self._judge(snapshot, now)
            ports = self._by_port()
            ports = answer.ports if ports == answer.ports else ports
            self._answer = answer = _Answer(ports, tables, reports, self._until_s)
        self._wake.within(max(0.0, answer.until_s - now))
        return answer.ports

    def note_report(self, report: HostReport | None, before: Heard) -> None:
        """A host reported, or its agent left (None): wake the pass when what its guests use may be another."""
        old = {uid: nic.learned_addresses for uid, nic in before.nics.items() if nic.learned_addresses}
        new = (
            {nic.iface_id: nic.learned_addresses for nic in report.nics if nic.learned_addresses}
            if report
            else {}
        )
        if old != new or (report is not None and not before.connected):
            self._reports += 1
            if old or new or self._held:
                self._paced()

    def _recall(self, snapshot: Snapshot, actual: Rows | None, now: float) -> bool:
        """Take over, once, what the controller before this one had learned; its hosts have not spoken yet."""
        if actual is None or self._recalled:
            return False
        self._recalled = True
        for nic, port, subnet, address in recall_learned(snapshot, actual):
            self._held.setdefault((subnet, address), _Held(nic.id, port, _Word.SILENT, now))
        return True

    def _judge(self, snapshot: Snapshot, now: float) -> None:
        """Bring what is held up to date."""
        wanted: dict[Holding, list[_Port]] = {}
        for port in self._reported(snapshot):
            for address in port.said:
                wanted.setdefault((port.subnet, address), []).append(port)
        for holding, held in list(self._held.items()):
            word = self._word(snapshot, holding, held, wanted.get(holding, ()))
            if word is not None and word is not held.word:
                held.word, held.since_s = word, now
            if word is None or self._keeps_until(holding, held, wanted) <= now:
                del self._held[holding]
        for holding, ports in wanted.items():
            if holding not in self._held:
                self._take(holding, min(ports, key=lambda port: port.name), now)
        deadlines = (self._keeps_until(holding, held, wanted) for holding, held in self._held.items())
        self._until_s = min(deadlines, default=math.inf)

    def _reported(self, snapshot: Snapshot) -> Iterator[_Port]:
        """Yield the ports whose guests use addresses that may be learned, by what connected hosts say."""
        for id in snapshot.table(Kind.HOST):
            heard = self._heard(HostId(id))
            said = {uid: nic for uid, nic in heard.nics.items() if nic.learned_addresses}
            if said and heard.connected:
                for nic in snapshot.nics_of_host(HostId(id)):
                    if nic.meta.uid in said:
                        yield from _ports(snapshot, nic, said[nic.meta.uid])

    def _word(
        self, snapshot: Snapshot, holding: Holding, held: _Held, ports: Collection[_Port]
    ) -> _Word | None:
        """Return what is said of an address that is held; None when it may not be held any more."""
        nic = snapshot.nic(held.nic)
        subnet = snapshot.subnet(holding[0])
        if nic is None or subnet is None or (held.port, subnet.id) not in _places(nic):
            return None
        if not may_learn(snapshot, nic, subnet, holding[1]):
            return None
        if nic.host and not self._heard(nic.host).connected:
            return _Word.SILENT
        return _Word.REPORTED if any(port.name == held.port for port in ports) else _Word.MISSING

    def _keeps_until(self, holding: Holding, held: _Held, wanted: Mapping[Holding, list[_Port]]) -> float:
        """Return until when an address is kept if its host says no more."""
        if held.word is _Word.REPORTED:
            return math.inf
        contested = any(port.name != held.port for port in wanted.get(holding, ()))
        if held.word is _Word.MISSING:
            return held.since_s + (0.0 if contested else self._patience.forget_s)
        return held.since_s + (self._patience.yield_s if contested else self._patience.silence_s)

    def _take(self, holding: Holding, port: _Port, now: float) -> None:
        """Give an address to a port; one that has as many as it may loses one that is not reported any more."""
        mine = [each for each, held in self._held.items() if held.port == port.name]
        if len(mine) >= LEARNED_MAX:
            gone = [each for each in mine if self._held[each].word is not _Word.REPORTED]
            if not gone:
                return
            del self._held[min(gone, key=lambda each: self._held[each].since_s)]
        self._held[holding] = _Held(port.nic.id, port.name, _Word.REPORTED, now)

    def _by_port(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for (_, address), held in self._held.items():
            found.setdefault(held.port, []).append(address)
        return {port: tuple(sorted(found[port], key=_order)) for port in sorted(found)}


class PacedWake:
    """A wake from any thread, passed on at most once in PACE_S; the last one is never lost."""

    def __init__(self, wake: Wake, clock: Clock, *, pace_s: float = PACE_S) -> None:
        self._wake, self._clock, self._pace_s = wake, clock, pace_s
        self._lock = threading.Lock()
        self._last_s = -math.inf
        self._pending = False

    def __call__(self) -> None:
        """Wake, now or when it is time again."""
        with self._lock:
            if self._pending:
                return
            now = self._clock()
            wait_s = self._last_s + self._pace_s - now
            self._pending = wait_s > 0
            self._last_s = self._last_s if self._pending else now
        if wait_s > 0:
            timer = threading.Timer(wait_s, self._pass_on)
            timer.daemon = True
            timer.start()
        else:
            self._wake()

    def _pass_on(self) -> None:
        with self._lock:
            self._pending, self._last_s = False, self._clock()
        self._wake()


def _ports(snapshot: Snapshot, nic: Nic, report: NicReport) -> Iterator[_Port]:
    """Yield the ports of a NIC whose guests use something that may be learned."""
    for (name, subnet_id), vlan_id in zip(_places(nic), _vlan_ids(nic), strict=True):
        subnet = snapshot.subnet(subnet_id)
        said = [address for vlan, address in report.learned_addresses if vlan == vlan_id]
        if subnet is not None and said:
            may = tuple(address for address in said if may_learn(snapshot, nic, subnet, address))
            yield _Port(nic, name, subnet_id, may[:LEARNED_MAX])


def _places(nic: Nic) -> tuple[tuple[str, SubnetId], ...]:
    """Return the names of a NIC's ports, each with its subnet."""
    children = ((child_name(nic.meta.uid, vlan.vlan_id), vlan.subnet) for vlan in nic.trunk_vlans)
    return ((nic.meta.uid, nic.subnet), *children)


def _vlan_ids(nic: Nic) -> tuple[int, ...]:
    return (0, *(vlan.vlan_id for vlan in nic.trunk_vlans))


def _order(address: str) -> tuple[int, int]:
    version = version_of(address)
    return version, address_number(version, address)
