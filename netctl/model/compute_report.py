"""ComputeReport: everything that one host's libvirt has, as its compute agent last said."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from netctl.model.keys import HostId, ImageId, Uid, VmId, VmMigrationId
from netctl.model.vm_migration import Evidence


class RunState(enum.StrEnum):
    """What a virtual machine does on a host."""

    ABSENT = "absent"
    RUNNING = "running"
    PAUSED = "paused"
    SHUTTING_DOWN = "shutting-down"
    INCOMING = "incoming"
    SHUT_DOWN = "shut-down"
    CRASHED = "crashed"


class JobState(enum.StrEnum):
    """Where a migration is, as its source sees it."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuModel:
    """A CPU model that libvirt knows, and the features that the host lacks for it."""

    name: str
    usable: bool
    missing_features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProfile:
    """How many of a profile a host has."""

    profile: str
    free: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCapacity:
    """What a host can carry; hosts with equal `store_id` share their store."""

    cpus: int = 0
    memory_mib: int = 0
    reserved_memory_mib: int = 0
    store_id: str = ""
    store_free_bytes: int = 0
    store_total_bytes: int = 0
    arch: str = ""
    cpu_vendor: str = ""
    cpu_models: tuple[CpuModel, ...] = ()
    gpu_profiles: tuple[GpuProfile, ...] = ()
    pci_devices: tuple[str, ...] = ()
    migration_address: str = ""
    libvirt_version: str = ""
    qemu_version: str = ""
    vtpm: bool = False
    uefi: bool = False
    secure_boot: bool = False
    domain_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmReport:
    """A virtual machine of the assignment; `reason` and `problem` say why it is not as assigned."""

    vm: VmId
    uid: Uid
    run_state: RunState
    ready: bool = False
    problem: str = ""
    reason: str = ""
    progress_percent: int = 0
    cpu_model: str = ""
    console_address: str = ""
    start_time_s: float = 0.0
    power_epoch: int = 0
    reset_epoch: int = 0
    disk_bytes: Mapping[Uid, int] = field(default_factory=dict)
    pending_restart: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownDomain:
    """A domain that is not ours."""

    name: str
    uid: str
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationReport:
    """A migration as its source sees it; `failure` is FAILED_TO_CONVERGE, ABORTED, UNREACHABLE or LIBVIRT."""

    migration: VmMigrationId
    attempt: int
    state: JobState
    failure: str = ""
    message: str = ""
    evidence: Evidence = Evidence()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """How far an image made of a disk is."""

    image: ImageId
    done: bool
    progress_percent: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeReport:
    """Everything; `round_trips_us` by host. `time_s` is the host's clock, in seconds since the epoch."""

    host: HostId
    agent_version: str = ""
    assignment_revision: int = 0
    time_s: float = 0.0
    capacity: HostCapacity = HostCapacity()
    vms: tuple[VmReport, ...] = ()
    unknown_domains: tuple[UnknownDomain, ...] = ()
    migrations: tuple[MigrationReport, ...] = ()
    exports: tuple[ExportReport, ...] = ()
    round_trips_us: Mapping[HostId, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    libvirt_connected: bool = False
