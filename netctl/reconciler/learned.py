"""Learned addresses: what guests use that we did not give them, from what hosts report.

Comes in: a snapshot and the host reports. Goes out: `Observed.learned`, and a wake when it may have changed, one a
second at most. Owns: who holds which address. The first NIC keeps it: another one that reports it too gets it when the
first no longer does, or when the first one's host has been silent for a while.

An address is kept longer than it is reported, for a rule that names its group must not lose it while an agent restarts
or a guest moves: `Patience` says how long.
"""

from __future__ import annotations

import enum
import itertools
import math
import operator
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from netctl.compiler.identity import child_name
from netctl.compiler.membership import given_to
from netctl.loop import Clock, Wake
from netctl.model.indexes import Claim
from netctl.model.keys import HostId, Kind, NicId, SubnetId
from netctl.model.learnable import claim_of, is_free, may_learn
from netctl.model.nic import Nic
from netctl.model.numbers import address_number, version_of
from netctl.model.snapshot import Snapshot
from netctl.model.status import HostReport, NicReport
from netctl.model.subnet import Subnet
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
_Subnets = tuple[tuple[SubnetId, Subnet | None], ...]  # of a NIC's ports, in their order


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
class _Wish:
    """An address that the guest behind a port is reported to use, and what nobody may hold for that."""

    nic: NicId
    port: str
    holding: Holding
    claim: Claim


@dataclass(frozen=True, slots=True)
class _Said:
    """The wishes of a NIC, and what they were made from."""

    nic: Nic
    report: NicReport
    subnets: _Subnets
    wishes: tuple[_Wish, ...]


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
        self._of_port: dict[str, set[Holding]] = {}  # what each port holds
        self._said: dict[str, _Said] = {}  # by the NIC's uid
        self._changed = False  # who holds what, since the last answer
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
            self._changed = False
            self._judge(snapshot, now)
            ports = self._by_port() if self._changed or recalled else answer.ports
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
            if (subnet, address) not in self._held:
                self._hold((subnet, address), _Held(nic.id, port, _Word.SILENT, now))
        return True

    def _judge(self, snapshot: Snapshot, now: float) -> None:
        """Bring what is held up to date."""
        wanted = self._wishes(snapshot)
        self._until_s = math.inf
        for holding, held in list(self._held.items()):
            wishes = wanted.get(holding, ())
            word = self._word(snapshot, holding, held, wishes)
            if word is not None and word is not held.word:
                held.word, held.since_s = word, now
            until_s = self._keeps_until(held, wishes)
            if word is None or until_s <= now:
                self._release(holding)
            else:
                self._until_s = min(self._until_s, until_s)
        for holding, wishes in wanted.items():
            if holding not in self._held:
                self._take(min(wishes, key=lambda wish: wish.port), now)

    def _wishes(self, snapshot: Snapshot) -> dict[Holding, list[_Wish]]:
        """Return the addresses that may be learned by what connected hosts say, each with who wants it."""
        found: dict[Holding, list[_Wish]] = {}
        said_now: dict[str, _Said] = {}
        for id in snapshot.table(Kind.HOST):
            heard = self._heard(HostId(id))
            reports = {uid: nic for uid, nic in heard.nics.items() if nic.learned_addresses}
            if not reports or not heard.connected:
                continue
            for nic in snapshot.nics_of_host(HostId(id)):
                report = reports.get(nic.meta.uid)
                if report is None:
                    continue
                said = said_now[nic.meta.uid] = self._said_of(snapshot, nic, report)
                for wish in said.wishes:
                    if is_free(snapshot, nic.id, wish.claim):
                        found.setdefault(wish.holding, []).append(wish)
        self._said = said_now
        return found

    def _said_of(self, snapshot: Snapshot, nic: Nic, report: NicReport) -> _Said:
        """Return the wishes of a NIC, made again only when it, its subnets or what is reported is another."""
        known = self._said.get(nic.meta.uid)
        if (
            known is not None
            and known.nic is nic
            and (known.report is report or known.report == report)
            and all(snapshot.subnet(id) is subnet for id, subnet in known.subnets)
        ):
            return known
        subnets = tuple((id, snapshot.subnet(id)) for _, id in _places(nic))
        return _Said(nic, report, subnets, tuple(_wishes(nic, report, subnets)))

    def _word(
        self, snapshot: Snapshot, holding: Holding, held: _Held, wishes: Collection[_Wish]
    ) -> _Word | None:
        """Return what is said of an address that is held; None when it may not be held any more."""
        if any(wish.port == held.port for wish in wishes):
            return _Word.REPORTED
        nic = snapshot.nic(held.nic)
        subnet = snapshot.subnet(holding[0])
        if nic is None or subnet is None or (held.port, subnet.id) not in _places(nic):
            return None
        given = dict(zip((port for port, _ in _places(nic)), _given(nic), strict=True))[held.port][1]
        if holding[1] in given or not may_learn(snapshot, nic.id, subnet, holding[1]):
            return None
        if nic.host and not self._heard(nic.host).connected:
            return _Word.SILENT
        return _Word.MISSING

    def _keeps_until(self, held: _Held, wishes: Collection[_Wish]) -> float:
        """Return until when an address is kept if its host says no more."""
        if held.word is _Word.REPORTED:
            return math.inf
        contested = any(wish.port != held.port for wish in wishes)
        if held.word is _Word.MISSING:
            return held.since_s + (0.0 if contested else self._patience.forget_s)
        return held.since_s + (self._patience.yield_s if contested else self._patience.silence_s)

    def _take(self, wish: _Wish, now: float) -> None:
        """Give an address to a port; one that has as many as it may loses one that is not reported any more."""
        mine = self._of_port.get(wish.port, set())
        if len(mine) >= LEARNED_MAX:
            gone = [each for each in mine if self._held[each].word is not _Word.REPORTED]
            if not gone:
                return
            self._release(min(gone, key=lambda each: self._held[each].since_s))
        self._hold(wish.holding, _Held(wish.nic, wish.port, _Word.REPORTED, now))

    def _hold(self, holding: Holding, held: _Held) -> None:
        self._held[holding] = held
        self._changed = True
        self._of_port.setdefault(held.port, set()).add(holding)

    def _release(self, holding: Holding) -> None:
        port = self._held.pop(holding).port
        self._changed = True
        self._of_port[port].discard(holding)
        if not self._of_port[port]:
            del self._of_port[port]

    def _by_port(self) -> Mapping[str, tuple[str, ...]]:
        """Return the addresses of each port; what has not changed is the tuple of before."""
        before = self._answer.ports
        found: dict[str, tuple[str, ...]] = {}
        for port, holdings in self._of_port.items():
            addresses = {address for _, address in holdings}
            same = before.get(port, ())
            found[port] = same if addresses == set(same) else tuple(sorted(addresses, key=_order))
        return found


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


def _wishes(nic: Nic, report: NicReport, subnets: _Subnets) -> Iterator[_Wish]:
    """Yield what guests of a NIC use and may be learned, so many for each port."""
    for (port, _), (vlan_id, given), (_, subnet) in zip(_places(nic), _given(nic), subnets, strict=True):
        if subnet is None:
            continue
        said = (
            address for vlan, address in report.learned_addresses if vlan == vlan_id and address not in given
        )
        claims = ((address, claim_of(subnet, address)) for address in said)
        may = (
            _Wish(nic.id, port, (subnet.id, address), claim) for address, claim in claims if claim is not None
        )
        yield from itertools.islice(may, LEARNED_MAX)


def _places(nic: Nic) -> tuple[tuple[str, SubnetId], ...]:
    """Return the names of a NIC's ports, each with its subnet."""
    children = ((child_name(nic.meta.uid, vlan.vlan_id), vlan.subnet) for vlan in nic.trunk_vlans)
    return ((nic.meta.uid, nic.subnet), *children)


def _given(nic: Nic) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Return the VLAN ids of a NIC's ports, each with the addresses that we gave it."""
    return (
        (0, given_to(nic, nic.ipv4_address, nic.ipv6_address)),
        *((vlan.vlan_id, given_to(nic, vlan.ipv4_address, vlan.ipv6_address)) for vlan in nic.trunk_vlans),
    )


def _order(address: str) -> tuple[int, int]:
    version = version_of(address)
    return version, address_number(version, address)
