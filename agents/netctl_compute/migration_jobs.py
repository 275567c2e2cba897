"""Carries out migration orders: at most once each, whatever dies in between.

In: the orders of the assignment, at each pass (`serve`). Out: how far each is. Owns the record of orders on disk, and
threads: one waits in libvirt for the copy's end, one looks at its statistics and has it stopped. An order is recorded
before it is begun. One that was begun by an agent that is no more is found again in libvirt's jobs and watched; what
became of one that ended meanwhile is not guessed: it has failed, and where the guest runs is in the reports of domains.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from netctl.errors import HostUnavailable, InvalidIntent, NetctlError, NotFound
from netctl_compute.assignment import ComputeAssignment, MigrationOrder, PowerState, VmRole
from netctl_compute.migration_watch import (
    ABORTED,
    LIBVIRT,
    Copy,
    CopyEnd,
    JobStats,
    OrderRecord,
    Progress,
    add_stats,
    end_order,
    fail_order,
    plan_copy,
    reason_to_stop,
    tell,
)
from netctl_compute.reported import Evidence, MigrationReport, RunState
from netctl_compute.round_trips import RoundTrips
from netctl_compute.saved_orders import KEPT, Key, SavedOrders
from netctl_compute.state import HostState

log = structlog.get_logger()

POLL_S = 0.1
NEWS_S = 1.0  # evidence is told that often while it goes on


class Result(Protocol):
    """How a copy ended: `libvirt_migration.py`."""

    @property
    def end(self) -> CopyEnd: ...
    @property
    def message(self) -> str: ...
    @property
    def stats(self) -> JobStats | None: ...


class Copier(Protocol):
    """libvirt's migrations: `libvirt_migration.py`. HostUnavailable: it is not known."""

    def copy(self, uid: str, copy: Copy) -> Result:
        """Copy a guest and return when that ended."""
        ...

    def stats(self, uid: str) -> JobStats | None:
        """Return where a copy is; None: there is none. Raise NotFound when the domain is not here."""
        ...

    def stop(self, uid: str) -> None:
        """Have a copy stopped; raise HostUnavailable when it cannot be."""
        ...

    def resume(self, uid: str) -> None:
        """Let a guest run again that a copy left paused."""
        ...


@dataclass(slots=True)
class _Job:
    """A copy under way; `order` is the newest, `ended` is set last. `result` None then: it is not known."""

    order: MigrationOrder
    uid: str
    evidence: Evidence = Evidence()
    stopped_for: str = ""
    result: tuple[CopyEnd, str] | None = None
    ended: threading.Event = field(default_factory=threading.Event)


class MigrationJobs:
    """`serve`, `running` and `close` in the loop's thread; `wake` is called on others."""

    def __init__(self, copier: Copier, saved: SavedOrders, wake: Callable[[], None]) -> None:
        self._copier = copier
        self._saved = saved
        self._wake = wake
        self._records: dict[Key, OrderRecord] | None = None
        self._jobs: dict[Key, _Job] = {}
        self._closing = threading.Event()
        self._round_trips = RoundTrips(wake)

    def serve(self, assignment: ComputeAssignment, state: HostState) -> tuple[MigrationReport, ...]:
        """Begin, watch or stop the orders, and say how far each is. What cannot be recorded is not begun."""
        if self._records is None:
            try:
                self._records = self._saved.load()
            except HostUnavailable as error:
                return tuple(_refuse(order, error.message) for order in assignment.migrations)
        self._harvest()
        uids = {vm.vm: vm.uid for vm in assignment.vms}
        for order in assignment.migrations:
            key = (order.migration, order.attempt)
            job, record = self._jobs.get(key), self._records.get(key)
            if job is not None:
                job.order = order
            elif (
                record is None and order.destination_address
            ):  # "" to a controller that has not heard of it yet
                self._begin(order, uids.get(order.vm, ""), state)
            elif record is not None and record.progress is Progress.STARTED:
                self._find_again(order, record)
        self._resume_left(assignment, state)
        self._stop_others({(order.migration, order.attempt) for order in assignment.migrations})
        return tuple(self._tell(order) for order in assignment.migrations if self._is_known(order))

    def _is_known(self, order: MigrationOrder) -> bool:
        """Is there something to say of it? Not while nobody knows yet where to."""
        assert self._records is not None
        return bool(order.destination_address) or (order.migration, order.attempt) in self._records

    def measure(self, hosts: Mapping[str, str]) -> Mapping[str, int]:
        """Return the round trips to these hosts' addresses, in microseconds, as far as they are known."""
        return self._round_trips.measure(hosts)

    def running(self) -> frozenset[str]:
        """Return the uids of the domains that are being copied from here."""
        return frozenset(job.uid for job in self._jobs.values() if not job.ended.is_set())

    def close(self) -> None:
        """Stop looking; copies go on in libvirtd, for the next agent to find."""
        self._closing.set()

    def _tell(self, order: MigrationOrder) -> MigrationReport:
        assert self._records is not None
        key = (order.migration, order.attempt)
        record, job = self._records.get(key), self._jobs.get(key)
        if record is None:
            return _refuse(order, "the order cannot be recorded in the agent's state directory: see its disk")
        return tell(replace(record, evidence=job.evidence) if job is not None else record)

    def _begin(self, order: MigrationOrder, uid: str, state: HostState) -> None:
        record = OrderRecord(migration=order.migration, attempt=order.attempt, uid=uid)
        domain = state.domains.get(uid)
        try:
            copy = plan_copy(order)
        except InvalidIntent as error:
            self._note(fail_order(record, LIBVIRT, str(error)))
            return
        if order.abort:
            self._note(fail_order(record, ABORTED, "aborted before it was begun"))
        elif domain is None or domain.run_state not in (RunState.RUNNING, RunState.PAUSED):
            self._note(fail_order(record, LIBVIRT, f"vms/{order.vm} does not run on this host"))
        elif self._note(record):
            job = self._watch(order, record, _look_until_ended)
            self._start("copy", lambda: self._copy(job, copy))

    def _find_again(self, order: MigrationOrder, record: OrderRecord) -> None:
        log.info("migration is looked for in libvirt", migration=order.migration, attempt=order.attempt)
        self._watch(order, record, _look_until_gone)

    def _resume_left(self, assignment: ComputeAssignment, state: HostState) -> None:
        """Let guests run again that a copy left paused when libvirtd died at its very end.

        Only who sees both hosts knows that such a guest does not run over there: it says so by ordering no more, and
        having it run here. libvirt calls it paused for a migration, as it does one that comes.
        """
        assert self._records is not None
        last = {record.uid: record.progress for record in self._records.values()}
        ordered = {order.vm for order in assignment.migrations}
        for vm in assignment.vms:
            domain = state.domains.get(vm.uid)
            wanted = vm.role is VmRole.RUN and vm.power_state is PowerState.ON and vm.vm not in ordered
            if not wanted or domain is None or domain.run_state is not RunState.INCOMING:
                continue
            if last.get(vm.uid) is Progress.FAILED:
                log.warning("resumed: a migration had left it paused", vm=vm.vm)
                self._copier.resume(vm.uid)

    def _stop_others(self, ordered: Collection[Key]) -> None:
        """Have copies stopped that nobody orders any more."""
        assert self._records is not None
        for key, record in self._records.items():
            if record.progress is not Progress.STARTED or key in ordered:
                continue
            if key not in self._jobs:
                self._find_again(_order_of(record), record)
            self._jobs[key].order = replace(self._jobs[key].order, abort=True)

    def _watch(
        self, order: MigrationOrder, record: OrderRecord, look: Callable[[MigrationJobs, _Job], None]
    ) -> _Job:
        job = _Job(order, record.uid, record.evidence)
        self._jobs[(order.migration, order.attempt)] = job
        self._start("watch", lambda: look(self, job))
        return job

    def _start(self, what: str, run: Callable[[], None]) -> None:
        threading.Thread(target=run, name=f"migration-{what}", daemon=True).start()

    def _copy(self, job: _Job, copy: Copy) -> None:
        """Wait for the copy's end, on a thread of its own."""
        try:
            result = self._copier.copy(job.uid, copy)
            if result.stats is not None:
                job.evidence = add_stats(job.evidence, result.stats)
            job.result = result.end, result.message
        except NotFound as error:
            job.result = CopyEnd.LIBVIRT, error.message
        except NetctlError as error:
            log.warning("how a migration ended is not known yet", uid=job.uid, error=error.message)
        finally:
            job.ended.set()
            self._wake()

    def look(self, job: _Job) -> bool | None:
        """Look at a copy once: is there one? None: it is not known. Raise NotFound when the domain is not here."""
        try:
            stats = self._copier.stats(job.uid)
            if stats is None:
                return False
            job.evidence = add_stats(job.evidence, stats)
            reason = job.stopped_for or reason_to_stop(job.order, job.evidence)
            if reason:
                job.stopped_for = reason
                self._copier.stop(job.uid)
        except HostUnavailable as error:
            log.debug("migration cannot be looked at", uid=job.uid, error=error.message)
            return None
        return True

    def rest(self, job: _Job, looks: int) -> bool:
        """Wait for the next look; say whether there is to be one."""
        if looks % round(NEWS_S / POLL_S) == 0:
            self._wake()
        return not job.ended.wait(POLL_S) and not self._closing.is_set()

    def finish(self, job: _Job, result: tuple[CopyEnd, str] | None) -> None:
        """Note the end of a copy that an earlier agent had begun; any thread."""
        job.result = result
        job.ended.set()
        self._wake()

    def _harvest(self) -> None:
        """Record what ended; where it is not known, the next pass asks libvirt."""
        assert self._records is not None
        for key, job in list(self._jobs.items()):
            if not job.ended.is_set():
                continue
            record = replace(self._records[key], evidence=job.evidence)
            if job.result is not None:
                record = end_order(record, *job.result, stopped_for=job.stopped_for)
                log.info("migration ended", migration=key[0], attempt=key[1], failure=record.failure)
            # One that is not on disk counts as begun, and would be looked for again: that does no harm.
            self._records[key] = record
            self._note(record)
            del self._jobs[key]

    def _note(self, record: OrderRecord) -> bool:
        """Keep a record; say whether it is on disk, or forget it."""
        assert self._records is not None
        records = {**self._records, (record.migration, record.attempt): record}
        ended = [key for key, one in records.items() if one.progress is not Progress.STARTED]
        for key in ended[:-KEPT]:
            del records[key]
        try:
            self._saved.save(records)
        except HostUnavailable as error:
            log.warning("migration not recorded", migration=record.migration, error=error.message)
            return False
        self._records = records
        return True


def _order_of(record: OrderRecord) -> MigrationOrder:
    """Return what is still known of an order."""
    return MigrationOrder(
        migration=record.migration, attempt=record.attempt, vm="", destination="", destination_address=""
    )


def _refuse(order: MigrationOrder, why: str) -> MigrationReport:
    record = OrderRecord(migration=order.migration, attempt=order.attempt, uid="")
    return tell(fail_order(record, LIBVIRT, why))


def _look_until_ended(jobs: MigrationJobs, job: _Job) -> None:
    """Look at a copy of our own until its end is known by the thread that waits for it."""
    looks = 0
    while jobs.rest(job, looks := looks + 1):
        try:
            jobs.look(job)
        except NotFound:
            continue  # it has just left


def _look_until_gone(jobs: MigrationJobs, job: _Job) -> None:
    """Look at a copy that an earlier agent, or an earlier connection, began; libvirt tells nobody how it ended."""
    looks, there = 0, True
    while there and jobs.rest(job, looks := looks + 1):
        try:
            there = jobs.look(job) is not False
        except NotFound:
            words = (
                "the virtual machine left libvirt while nobody waited for its migration: see where it runs"
            )
            jobs.finish(job, (CopyEnd.LIBVIRT, words))
            return
    if not there:
        end = CopyEnd.ABORTED if job.stopped_for else CopyEnd.LIBVIRT
        jobs.finish(
            job, (end, "the migration was broken off when libvirtd or the agent ended; the guest is here")
        )
