"""What becomes of a copy under way, of an order found again, of an address: decisions of `migration_jobs.py`. Pure.

In: orders, libvirt's statistics of a job. Out: evidence, whether to stop and why, the words of a report.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace

from netctl.errors import InvalidIntent
from netctl_compute.assignment import MigrationOrder
from netctl_compute.reported import Evidence, JobState, MigrationReport

FAILED_TO_CONVERGE, ABORTED = "FAILED_TO_CONVERGE", "ABORTED"
UNREACHABLE, LIBVIRT = "UNREACHABLE", "LIBVIRT"
_ADDRESS = re.compile(r"(tcp|tls)://((?:\[[0-9a-fA-F:.]+\])|(?:[0-9A-Za-z][0-9A-Za-z.-]*))(?::([0-9]{1,5}))?")
_PORTS = {"tcp": 16509, "tls": 16514}  # libvirtd(8)
_MIB_BITS = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """How libvirt is to copy a guest. `bandwidth_mib_s` 0 is all; `encrypted`: QEMU's own stream, too."""

    peer_uri: str
    migrate_uri: str
    bandwidth_mib_s: int
    pause_max_ms: int
    copy_disks: bool
    encrypted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStats:
    """What libvirt says of a job: bytes, bytes a second, milliseconds; what it does not say is 0."""

    iteration: int = 0
    total: int = 0
    processed: int = 0
    remaining: int = 0
    dirty_bps: int = 0
    throughput_bps: int = 0
    throttle_percent: int = 0
    downtime_ms: int = 0
    elapsed_ms: int = 0


class CopyEnd(enum.StrEnum):
    """How a copy ended: the guest runs at the destination, libvirt gave up, it was stopped, or nobody reached."""

    DONE = "done"
    LIBVIRT = LIBVIRT
    ABORTED = ABORTED
    UNREACHABLE = UNREACHABLE


class Progress(enum.StrEnum):
    """Where an order is. What STARTED became is asked of libvirt after a restart, and not guessed."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """An order that was begun, kept on disk: none is carried out twice."""

    migration: str
    attempt: int
    uid: str
    progress: Progress = Progress.STARTED
    failure: str = ""
    message: str = ""
    evidence: Evidence = Evidence()


def plan_copy(order: MigrationOrder) -> Copy:
    """Return how to carry out an order; raise InvalidIntent for an address that is none."""
    kind, host, port = _parts(order.destination_address)
    return Copy(
        peer_uri=f"qemu+{kind}://{host}{':' + port if port else ''}/system",
        migrate_uri=f"tcp://{host}",
        bandwidth_mib_s=-(-order.bandwidth_mbps * 1_000_000 // _MIB_BITS),
        pause_max_ms=order.pause_max_ms,
        copy_disks=order.copy_disks,
        encrypted=kind == "tls",
    )


def peer_of(address: str) -> tuple[str, int]:
    """Return host and port of a libvirtd; raise InvalidIntent for an address that is none."""
    kind, host, port = _parts(address)
    return host.strip("[]"), int(port) if port else _PORTS[kind]


def _parts(address: str) -> tuple[str, str, str]:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise InvalidIntent(
            "destination_address", f"{address!r} is no tcp://HOST or tls://HOST, with or without a port"
        )
    return found[1], found[2], found[3] or ""


def add_stats(evidence: Evidence, stats: JobStats) -> Evidence:
    """Return the evidence with what is known now; what is no longer said stays."""
    return replace(
        evidence,
        iterations=max(evidence.iterations, stats.iteration),
        memory_bytes=stats.total or evidence.memory_bytes,
        transferred_bytes=max(evidence.transferred_bytes, stats.processed),
        remaining_bytes=stats.remaining,
        dirty_rate_bps=stats.dirty_bps or evidence.dirty_rate_bps,
        throughput_bps=stats.throughput_bps or evidence.throughput_bps,
        throttle_percent=max(evidence.throttle_percent, stats.throttle_percent),
        pause_ms=stats.downtime_ms or evidence.pause_ms,
        copy_ms=max(evidence.copy_ms, stats.elapsed_ms),
    )


def reason_to_stop(order: MigrationOrder, evidence: Evidence) -> str:
    """Return why the copy must be stopped now, or ""."""
    if order.abort:
        return ABORTED
    return FAILED_TO_CONVERGE if evidence.iterations > order.iterations_max else ""


def end_order(record: OrderRecord, end: CopyEnd, message: str, *, stopped_for: str) -> OrderRecord:
    """Return the record of a copy that ended; `stopped_for` says why we had it stopped, or ""."""
    if end is CopyEnd.DONE:
        return replace(record, progress=Progress.DONE)
    failure = stopped_for if end is CopyEnd.ABORTED and stopped_for else str(end)
    if failure == FAILED_TO_CONVERGE:
        message = (
            f"after {record.evidence.iterations} iterations {record.evidence.remaining_bytes} bytes remained, and "
            f"{record.evidence.dirty_rate_bps} bytes a second became dirty; the virtual machine goes on here"
        )
    elif failure == ABORTED:
        message = "stopped as asked; the virtual machine goes on here" if stopped_for else message
    return replace(record, progress=Progress.FAILED, failure=failure, message=message)


def fail_order(record: OrderRecord, failure: str, message: str) -> OrderRecord:
    """Return the record of an order that came to nothing."""
    return replace(record, progress=Progress.FAILED, failure=failure, message=message)


def tell(record: OrderRecord) -> MigrationReport:
    """Return what the controller is told."""
    states = {
        Progress.STARTED: JobState.RUNNING,
        Progress.DONE: JobState.DONE,
        Progress.FAILED: JobState.FAILED,
    }
    return MigrationReport(
        migration=record.migration,
        attempt=record.attempt,
        state=states[record.progress],
        failure=record.failure,
        message=record.message,
        evidence=record.evidence,
    )
