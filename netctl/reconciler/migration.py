"""Migration: NICs follow their subnet's kind, VLAN_BASIC or VLAN, a few at a time, while guests keep talking.

What is to be done is derived: the NICs that are not what their subnets are. So it goes on after a restart, and a subnet
that gets its old kind back takes its NICs back. What is kept is who is on the way, until it is PROGRAMMED again, and
which subnets rest: a NIC that does not come up is put back, and its subnet waits for an edit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import structlog

from netctl.errors import NetctlError
from netctl.loop import Clock, Wake
from netctl.model.admit_trunk import needs_basic
from netctl.model.intent import Restack
from netctl.model.keys import Key, Kind, NicId, SubnetId
from netctl.model.nic import Nic, NicKind
from netctl.model.places import subnets_of
from netctl.model.snapshot import Snapshot
from netctl.model.status import Phase, Status
from netctl.model.subnet import SubnetKind
from netctl.reconciler.metrics import Metrics
from netctl.reconciler.ports import IntentSource

log = structlog.get_logger()
MOVING_MAX = 8
DEADLINE_S = 30.0
_COMMIT_S = 30.0
_KINDS = (SubnetKind.VLAN, SubnetKind.VLAN_BASIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationState:
    """Where a subnet is: `moved` of `nics` are what they should be; `failed`: it rests, `message` says why."""

    moved: int
    nics: int
    failed: bool = False
    message: str = ""


def target_of(snapshot: Snapshot, nic: Nic) -> bool | None:
    """Return whether a NIC is to be basic; None when it stays what it is.

    A trunk moves when all its subnets are of one side; OVN cannot carry tags without a subnet.
    """
    if nic.kind is not NicKind.NORMAL:
        return None
    subnets = list(subnets_of(snapshot, nic))
    sides = {subnet.kind is SubnetKind.VLAN_BASIC for subnet in subnets}
    if len(sides) != 1:
        return None
    basic = sides.pop()
    if nic.basic and not basic and needs_basic(nic, subnets[0]):
        return None
    return basic


@dataclass(frozen=True, slots=True)
class _Move:
    """A NIC on its way: to where, in which revision of its own, and until when it has to be PROGRAMMED there."""

    basic: bool
    revision: int
    deadline_s: float


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a subnet rests, and the revision of the subnet that it failed at: an edit goes on."""

    revision: int
    message: str


class Migration:
    """Owns: NICs on their way and subnets that rest. `step` belongs to one thread; `state_of` to any."""

    def __init__(
        self,
        source: IntentSource,
        restack: Callable[[Restack], Future[Any]],
        status: Callable[[Key], Status | None],
        wake: Wake,
        *,
        metrics: Metrics | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._source, self._restack, self._status = source, restack, status
        self._wake, self._clock = wake, clock
        self._metrics = metrics or Metrics()
        self._revision = -1
        self._wrong: dict[NicId, bool] = {}  # NICs that are not what they should be, each with what that is
        self._moving: dict[NicId, _Move] = {}
        self._failures: dict[SubnetId, _Failure] = {}

    def step(self) -> None:
        """See who has arrived, put back who has not in time, and send others on their way."""
        snapshot = self._look()
        self._forget_edited(snapshot)
        for id, move in list(self._moving.items()):
            self._follow(snapshot, id, move)
        self._start(snapshot)
        self._metrics.migrating.set(len(self._wrong) + len(self._moving))
        left_s = min((move.deadline_s for move in self._moving.values()), default=None)
        if left_s is not None:
            self._wake.within(max(0.0, left_s - self._clock()))

    def state_of(self, snapshot: Snapshot, id: SubnetId) -> MigrationState | None:
        """Return where a subnet is; None when all its NICs are what they should be."""
        subnet = snapshot.subnet(id)
        if subnet is None or subnet.kind not in _KINDS:
            return None
        sides = [
            (nic.basic, target)
            for nic in _nics_on(snapshot, id)
            if (target := target_of(snapshot, nic)) is not None
        ]
        moved = sum(basic is target for basic, target in sides)
        failure = self._failures.get(id)
        rests = failure is not None and failure.revision == subnet.meta.revision
        if moved == len(sides) and not rests:
            return None
        message = failure.message if failure is not None and rests else ""
        return MigrationState(moved=moved, nics=len(sides), failed=rests, message=message)

    def _look(self) -> Snapshot:
        """Bring up to date which NICs are not what they should be."""
        snapshot = self._source.snapshot()
        if snapshot.revision == self._revision:
            return snapshot
        changed = self._source.changed_since(self._revision) if self._revision >= 0 else None
        if changed is None:
            self._wrong = {}
            touched: Iterable[NicId] = [NicId(id) for id in snapshot.table(Kind.NIC)]
        else:
            touched = set(_touched(snapshot, changed))
        for id in touched:
            nic = snapshot.nic(id)
            target = target_of(snapshot, nic) if nic is not None else None
            if nic is None or target is None or nic.basic is target:
                self._wrong.pop(id, None)
            else:
                self._wrong[id] = target
        self._revision = snapshot.revision
        return snapshot

    def _forget_edited(self, snapshot: Snapshot) -> None:
        for id, failure in list(self._failures.items()):
            subnet = snapshot.subnet(id)
            if subnet is None or subnet.meta.revision != failure.revision:
                del self._failures[id]

    def _follow(self, snapshot: Snapshot, id: NicId, move: _Move) -> None:
        """See whether a NIC has arrived; put it back when its time is over."""
        nic = snapshot.nic(id)
        status = self._status((Kind.NIC, id)) if nic is not None else None
        if nic is None or status is None or nic.basic is not move.basic or self._wrong.get(id) is not None:
            del self._moving[id]  # gone, moved by somebody, or to turn back
        elif status.revision >= move.revision and status.phase is Phase.PROGRAMMED:
            del self._moving[id]
            self._metrics.migrated.labels("moved").inc()
        elif self._clock() >= move.deadline_s:
            del self._moving[id]
            self._metrics.migrated.labels("put back").inc()
            why = f"nics/{id} did not come up in {DEADLINE_S:g} s: {status.message or status.reason}"
            self._fail(snapshot, nic, f"{why}; it is put back")
            self._submit(snapshot, nic, basic=not move.basic)

    def _start(self, snapshot: Snapshot) -> None:
        if len(self._moving) >= MOVING_MAX:
            return
        for id in sorted(id for id in self._wrong if id not in self._moving):
            if len(self._moving) >= MOVING_MAX:
                return
            nic = snapshot.nic(id)
            if nic is None or any(subnet.id in self._failures for subnet in subnets_of(snapshot, nic)):
                continue
            status = self._status((Kind.NIC, id))
            revision = self._submit(snapshot, nic, basic=self._wrong[id])
            was_up = status is not None and status.phase is Phase.PROGRAMMED
            if revision and was_up:
                self._moving[id] = _Move(self._wrong[id], revision, self._clock() + DEADLINE_S)
            elif revision:  # what did not work before need not after
                self._metrics.migrated.labels("moved").inc()

    def _submit(self, snapshot: Snapshot, nic: Nic, *, basic: bool) -> int:
        """Ask admission; return the revision of the move, 0 when it is refused."""
        try:
            edit = Restack(nic=nic.id, basic=basic, if_revision=nic.meta.revision)
            answer = self._restack(edit).result(timeout=_COMMIT_S)
        except NetctlError as error:
            fresh = self._source.snapshot().nic(nic.id)
            if fresh is not None and fresh.meta.revision == nic.meta.revision:  # else it is looked at anew
                self._fail(snapshot, nic, f"nics/{nic.id} cannot move: {error.message}")
            return 0
        return int(answer.revision)

    def _fail(self, snapshot: Snapshot, nic: Nic, message: str) -> None:
        log.warning("migration rests", nic=nic.id, reason=message)
        for subnet in subnets_of(snapshot, nic):
            self._failures[subnet.id] = _Failure(subnet.meta.revision, message)


def _touched(snapshot: Snapshot, changed: Iterable[Key]) -> Iterator[NicId]:
    for kind, id in changed:
        if kind is Kind.NIC:
            yield NicId(id)
        elif kind is Kind.SUBNET:
            yield from (nic.id for nic in _nics_on(snapshot, SubnetId(id)))


def _nics_on(snapshot: Snapshot, id: SubnetId) -> Iterator[Nic]:
    found: dict[NicId, Nic] = {}
    for nics in (snapshot.nics_of_subnet(id), snapshot.trunks_of_subnet(id)):
        found.update((nic.id, nic) for nic in nics)
    return iter(found.values())
