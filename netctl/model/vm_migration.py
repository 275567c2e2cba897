"""VmMigration: a virtual machine on its way to another host, stage by stage, and what was measured."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.infra import Meta
from netctl.model.keys import HostId, VmId, VmMigrationId, check_id

ITERATIONS_MAX = 50  # the product's: times that the memory is gone through
PAUSE_MAX_MS = 300  # the product's: the longest that a guest is paused
ACTIVE_PER_HOST_MAX = 2  # the product's: a host takes part in at most two
ROUND_TRIP_MAX_US, ROUND_TRIP_ADVISED_US = 40_000, 5_000  # the product's, across clusters
RETRIES_MAX = 10
BANDWIDTH_MBPS_MAX = 1_000_000
KEPT_OF_VM = 20  # that ended, the newest
_CAUSES = ("manual", "maintenance")


class Stage(enum.StrEnum):
    """Where a migration is; `NEXT` says where it may go from there."""

    QUEUED = "queued"
    PREPARING = "preparing"
    BINDING = "binding"
    COPYING = "copying"
    SETTLING = "settling"
    CLEANING = "cleaning"
    DONE = "done"
    ABORTING = "aborting"
    FAILED = "failed"


# ABORTING to QUEUED is another try. SETTLING has no way back: the guest runs at the destination.
NEXT: dict[Stage, tuple[Stage, ...]] = {
    Stage.QUEUED: (Stage.PREPARING, Stage.FAILED),
    Stage.PREPARING: (Stage.BINDING, Stage.ABORTING),
    Stage.BINDING: (Stage.COPYING, Stage.ABORTING),
    Stage.COPYING: (Stage.SETTLING, Stage.ABORTING),
    Stage.SETTLING: (Stage.CLEANING,),
    Stage.CLEANING: (Stage.DONE,),
    Stage.DONE: (),
    Stage.ABORTING: (Stage.FAILED, Stage.QUEUED),
    Stage.FAILED: (),
}
ENDED = frozenset({Stage.DONE, Stage.FAILED})
# The destination has, or may have, something of the virtual machine.
AT_DESTINATION = frozenset({Stage.PREPARING, Stage.BINDING, Stage.COPYING, Stage.ABORTING})
# OVN binds its ports to both hosts.
ON_BOTH = frozenset({Stage.BINDING, Stage.COPYING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was measured of one try; units in the names, `bps` bytes a second."""

    iterations: int = 0
    memory_bytes: int = 0
    transferred_bytes: int = 0
    remaining_bytes: int = 0
    dirty_rate_bps: int = 0
    throughput_bps: int = 0
    throttle_percent: int = 0
    pause_ms: int = 0
    announce_ms: int = 0
    network_gap_ms: int = 0
    copy_ms: int = 0
    round_trip_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEntered:
    """When a stage was entered, and why."""

    stage: Stage
    time_s: float
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmMigration:
    """A migration. What follows `abort` is decided by us; `destination` "" is chosen when its turn comes."""

    id: VmMigrationId
    meta: Meta = Meta()
    vm: VmId
    destination: HostId = HostId("")
    bandwidth_mbps: int = 0
    cross_cluster: bool = False
    retries: int = 0
    abort: bool = False
    source: HostId = HostId("")
    stage: Stage = Stage.QUEUED
    failure: str = ""
    failure_message: str = ""
    evidence: Evidence = Evidence()
    steps: tuple[StageEntered, ...] = ()
    attempt: int = 1
    cause: str = "manual"

    def __post_init__(self) -> None:
        check_id("name", self.id)
        check_id("vm", self.vm)
        if self.destination:
            check_id("destination", self.destination)
        shape.check_range(
            "bandwidth_mbps", self.bandwidth_mbps, low=0, high=BANDWIDTH_MBPS_MAX, unit="Mbit/s"
        )
        shape.check_range("retries", self.retries, low=0, high=RETRIES_MAX)
        if self.cause not in _CAUSES:
            raise InvalidIntent("cause", f"{self.cause[:40]!r} is none of {', '.join(_CAUSES)}")

    @property
    def is_active(self) -> bool:
        """Does it still go on?"""
        return self.stage not in ENDED
