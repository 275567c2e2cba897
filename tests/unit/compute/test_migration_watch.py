"""What becomes of a copy, and of an address."""

from __future__ import annotations

from dataclasses import replace

import pytest
from netctl_compute.assignment import MigrationOrder
from netctl_compute.migration_watch import (
    CopyEnd,
    JobStats,
    OrderRecord,
    Progress,
    add_stats,
    end_order,
    peer_of,
    plan_copy,
    reason_to_stop,
    tell,
)
from netctl_compute.reported import Evidence, JobState

from netctl.errors import InvalidIntent

ORDER = MigrationOrder(
    migration="m", attempt=1, vm="web", destination="h2", destination_address="tcp://192.0.2.2"
)
BEGUN = OrderRecord(migration="m", attempt=1, uid="u")


@pytest.mark.parametrize(
    ("address", "peer", "memory", "encrypted"),
    [
        ("tcp://192.0.2.2", "qemu+tcp://192.0.2.2/system", "tcp://192.0.2.2", False),
        ("tcp://192.0.2.2:16510", "qemu+tcp://192.0.2.2:16510/system", "tcp://192.0.2.2", False),
        ("tls://h2.example.com", "qemu+tls://h2.example.com/system", "tcp://h2.example.com", True),
        ("tcp://[2001:db8::2]", "qemu+tcp://[2001:db8::2]/system", "tcp://[2001:db8::2]", False),
    ],
)
def test_an_address_says_where_libvirt_and_qemu_are(
    address: str, peer: str, memory: str, encrypted: bool
) -> None:
    copy = plan_copy(replace(ORDER, destination_address=address))
    assert (copy.peer_uri, copy.migrate_uri, copy.encrypted) == (peer, memory, encrypted)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "192.0.2.2",
        "ssh://192.0.2.2",
        "tcp://192.0.2.2/system?command=x",
        "tcp://admin@192.0.2.2",
        "tcp://-oProxyCommand=x",
        "tcp://192.0.2.2\n",
        "tcp://",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidIntent, match="no tcp://HOST"):
        plan_copy(replace(ORDER, destination_address=address))


def test_where_a_round_trip_is_measured_to() -> None:
    assert peer_of("tcp://192.0.2.2") == ("192.0.2.2", 16509)
    assert peer_of("tls://h2:1") == ("h2", 1)
    assert peer_of("tls://[2001:db8::2]") == ("2001:db8::2", 16514)


@pytest.mark.parametrize(("mbps", "mib_s"), [(0, 0), (1, 1), (8, 1), (9, 2), (1000, 120)])
def test_bandwidth_is_never_all_when_there_is_a_limit(mbps: int, mib_s: int) -> None:
    assert plan_copy(replace(ORDER, bandwidth_mbps=mbps)).bandwidth_mib_s == mib_s


def test_evidence_keeps_what_is_no_longer_said() -> None:
    stats = JobStats(
        iteration=3, total=9, processed=5, remaining=4, dirty_bps=7, throughput_bps=6, throttle_percent=20
    )
    evidence = add_stats(Evidence(), stats)
    last = add_stats(evidence, JobStats(iteration=2, processed=8, downtime_ms=12, elapsed_ms=900))
    assert last == Evidence(
        iterations=3,
        memory_bytes=9,
        transferred_bytes=8,
        remaining_bytes=0,
        dirty_rate_bps=7,
        throughput_bps=6,
        throttle_percent=20,
        pause_ms=12,
        copy_ms=900,
    )


def test_the_last_iteration_allowed_may_end() -> None:
    assert reason_to_stop(ORDER, Evidence(iterations=50)) == ""
    assert reason_to_stop(ORDER, Evidence(iterations=51)) == "FAILED_TO_CONVERGE"
    assert reason_to_stop(replace(ORDER, abort=True), Evidence()) == "ABORTED"


@pytest.mark.parametrize(
    ("end", "stopped_for", "progress", "failure"),
    [
        (CopyEnd.DONE, "", Progress.DONE, ""),
        (CopyEnd.DONE, "ABORTED", Progress.DONE, ""),  # too late: it runs over there
        (CopyEnd.ABORTED, "ABORTED", Progress.FAILED, "ABORTED"),
        (CopyEnd.ABORTED, "FAILED_TO_CONVERGE", Progress.FAILED, "FAILED_TO_CONVERGE"),
        (CopyEnd.ABORTED, "", Progress.FAILED, "ABORTED"),  # by an operator, with virsh
        (CopyEnd.UNREACHABLE, "ABORTED", Progress.FAILED, "UNREACHABLE"),
        (CopyEnd.LIBVIRT, "", Progress.FAILED, "LIBVIRT"),
    ],
)
def test_how_it_ended_is_what_libvirt_says(
    end: CopyEnd, stopped_for: str, progress: Progress, failure: str
) -> None:
    record = end_order(BEGUN, end, "words", stopped_for=stopped_for)
    assert (record.progress, record.failure) == (progress, failure)
    assert bool(record.message) == bool(failure)


def test_a_report_says_what_the_record_does() -> None:
    assert tell(BEGUN).state is JobState.RUNNING
    assert tell(end_order(BEGUN, CopyEnd.DONE, "", stopped_for="")).state is JobState.DONE
    report = tell(end_order(BEGUN, CopyEnd.LIBVIRT, "words", stopped_for=""))
    assert (report.state, report.failure, report.message) == (JobState.FAILED, "LIBVIRT", "words")
