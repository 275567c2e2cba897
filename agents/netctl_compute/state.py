"""HostState: everything of this host that the plan looks at. Read once for each pass; pure data."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from netctl_compute.domain_files import DomainFiles
from netctl_compute.reported import RunState, UnknownDomain


class HowEnded(enum.StrEnum):
    """Why a domain is no more, as libvirt's last event of it says; NONE: it has not ended."""

    NONE = ""
    SHUT_DOWN = "shut-down"  # by the guest
    CRASHED = "crashed"  # QEMU or the guest
    DESTROYED = "destroyed"  # by somebody else than the agent
    MIGRATED = "migrated"  # it runs elsewhere
    REBOOTED = "rebooted"  # with its host
    UNKNOWN = "unknown"  # while nobody looked


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainDisk:
    """One `<disk>`; `path` "" is a drive without a medium. `uid` "" is none of the assignment: the seed."""

    uid: str
    target: str
    bus: str
    device: str
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainNic:
    """One `<interface>`."""

    tap: str
    mac_address: str
    model: str
    queues: int = 1
    mtu_bytes: int = 0
    link_up: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainShape:
    """What cannot change while the guest runs; compared as a whole with what is assigned.

    Field names are the words of `VmReport.pending_restart`.
    """

    num_vcpus: int = 1
    num_cores_per_vcpu: int = 1
    num_threads_per_core: int = 1
    memory_mib: int = 0
    memory_overcommit: bool = False
    num_vnuma_nodes: int = 0
    boot_order: tuple[str, ...] = ()
    firmware: str = "bios"
    machine_type: str = "pc"
    secure_boot: bool = False
    cpu_model: str = ""
    cpu_passthrough: bool = False
    pci_devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A domain of ours: it carries our metadata. `start_time_s` is since the epoch."""

    vm: str
    uid: str
    run_state: RunState
    power_epoch: int = 0
    reset_epoch: int = 0
    start_time_s: float = 0.0
    shape: DomainShape = DomainShape()
    disks: tuple[DomainDisk, ...] = ()
    nics: tuple[DomainNic, ...] = ()
    console: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """A tap of this host; `persistent` ones are made by an agent."""

    name: str
    mtu_bytes: int
    multi_queue: bool = False
    persistent: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVm:
    """What storage has of one virtual machine.

    `files` is None until everything assigned is there; `reason` and `problem` say why, `progress_percent` how far.
    `present`: there is something of it (files, secrets, TPM state), so a REMOVE is not done. `disk_bytes`: sizes of its
    disks by uid, those that are no longer assigned (`Storage.remove_disk`) included.
    """

    files: DomainFiles | None = None
    present: bool = False
    reason: str = ""
    problem: str = ""
    progress_percent: int = 0
    disk_bytes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """Everything, by uid and by name; `migrating` are the uids of domains that a job here copies."""

    domains: Mapping[str, Domain] = field(default_factory=dict)
    unknown: tuple[UnknownDomain, ...] = ()
    taps: Mapping[str, Tap] = field(default_factory=dict)
    stored: Mapping[str, StoredVm] = field(default_factory=dict)
    migrating: frozenset[str] = frozenset()
