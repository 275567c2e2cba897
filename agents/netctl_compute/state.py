"""HostState: everything of this host that the plan looks at. Read once for each pass; pure data."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from netctl_compute.reported import RunState, UnknownDomain
from netctl_compute.storage_state import VmStorage


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
    gpu_profiles: tuple[str, ...] = ()


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
    """A tap of this host; `owner` is the uid of the machine that we made it for, "" of those that we did not make."""

    name: str
    mtu_bytes: int
    multi_queue: bool = False
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """Everything, by uid and by name.

    `secrets` are the uids of libvirt's secrets, `tpm_states` those of machines whose vTPM has a state here;
    `migrating` those of domains that a job of this host copies away.
    """

    domains: Mapping[str, Domain] = field(default_factory=dict)
    unknown: tuple[UnknownDomain, ...] = ()
    taps: Mapping[str, Tap] = field(default_factory=dict)
    storage: Mapping[str, VmStorage] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    tpm_states: frozenset[str] = frozenset()
    migrating: frozenset[str] = frozenset()
