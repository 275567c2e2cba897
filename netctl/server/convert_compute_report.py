"""What compute agents say, in and out.

Names and numbers of a host are believed, its ids are checked: an agent that says nonsense is refused, not stored.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from netctl.errors import InvalidIntent
from netctl.model.compute_report import (
    ComputeReport,
    CpuModel,
    ExportReport,
    GpuProfile,
    HostCapacity,
    JobState,
    MigrationReport,
    RunState,
    UnknownDomain,
    VmReport,
)
from netctl.model.keys import HostId, ImageId, Uid, VmId, VmMigrationId, check_id
from netctl.server.convert import fill, seconds_from_proto, set_time
from netctl.server.convert_compute import evidence_from_proto
from netctl.v1 import agent_compute_pb2 as pb
from netctl.v1 import compute_pb2

PARTS_MAX = 10_000
TEXT_MAX = 2000
RUN_STATE_VALUES = {state: compute_pb2.VmRunState.Value(f"VM_RUN_STATE_{state.name}") for state in RunState}
_RUN_STATES = {value: state for state, value in RUN_STATE_VALUES.items()}
_JOB_STATE_VALUES = {
    state: pb.MigrationJobState.Value(f"MIGRATION_JOB_STATE_{state.name}") for state in JobState
}
_JOB_STATES = {value: state for state, value in _JOB_STATE_VALUES.items()}
_LISTED = ("cpu_models", "gpu_profiles", "pci_devices")
_CAPACITY = tuple(field.name for field in dataclasses.fields(HostCapacity) if field.name not in _LISTED)
_VM = (
    "ready",
    "progress_percent",
    "power_epoch",
    "reset_epoch",
)


def compute_report_from_proto(message: pb.ComputeReport) -> ComputeReport:
    """Return what a host says; InvalidIntent when that cannot be."""
    check_id("report.host_id", message.host_id)
    for name in ("vms", "unknown_domains", "migrations", "exports", "problems"):
        if len(getattr(message, name)) > PARTS_MAX:
            raise InvalidIntent(f"report.{name}", f"has more than {PARTS_MAX} entries")
    return ComputeReport(
        host=HostId(message.host_id),
        agent_version=message.agent_version,
        assignment_revision=message.assignment_revision,
        time_s=seconds_from_proto(message.time),
        capacity=_capacity(message.capacity),
        vms=tuple(_vm(f"report.vms[{i}]", vm) for i, vm in enumerate(message.vms)),
        unknown_domains=tuple(
            UnknownDomain(name=_told(one.name), uid=_told(one.uid), running=one.running)
            for one in message.unknown_domains
        ),
        migrations=tuple(_job(f"report.migrations[{i}]", one) for i, one in enumerate(message.migrations)),
        exports=tuple(
            ExportReport(
                image=ImageId(one.image_id),
                done=one.done,
                progress_percent=one.progress_percent,
                problem=_told(one.problem),
            )
            for one in message.exports
        ),
        round_trips_us={HostId(host): time for host, time in message.round_trips_us.items()},
        problems=tuple(_told(problem) for problem in message.problems),
        libvirt_connected=message.libvirt_connected,
    )


def _told(text: str) -> str:
    """Return what a host says without what breaks lines, terminals and tables: domains of others have any name."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:TEXT_MAX])


def _capacity(message: pb.HostCapacity) -> HostCapacity:
    plain: dict[str, Any] = {name: getattr(message, name) for name in _CAPACITY}
    return HostCapacity(
        **plain,
        cpu_models=tuple(
            CpuModel(name=one.name, usable=one.usable, missing_features=tuple(one.missing_features))
            for one in message.cpu_models
        ),
        gpu_profiles=tuple(
            GpuProfile(profile=one.profile, free=one.free, total=one.total) for one in message.gpu_profiles
        ),
        pci_devices=tuple(message.pci_devices),
    )


def _vm(field: str, message: pb.VmReport) -> VmReport:
    check_id(f"{field}.vm_id", message.vm_id)
    state = _RUN_STATES.get(message.run_state)
    if state is None:
        raise InvalidIntent(f"{field}.run_state", f"{message.run_state} is unknown to this controller")
    plain: dict[str, Any] = {name: getattr(message, name) for name in _VM}
    return VmReport(
        vm=VmId(message.vm_id),
        uid=Uid(message.uid),
        run_state=state,
        problem=_told(message.problem),
        reason=_told(message.reason),
        cpu_model=_told(message.cpu_model),
        console_address=_told(message.console_address),
        start_time_s=seconds_from_proto(message.start_time),
        disk_bytes={Uid(uid): size for uid, size in message.disk_bytes.items()},
        pending_restart=tuple(map(_told, message.pending_restart)),
        **plain,
    )


def _job(field: str, message: pb.MigrationReport) -> MigrationReport:
    state = _JOB_STATES.get(message.state)
    if state is None:
        raise InvalidIntent(f"{field}.state", f"{message.state} is unknown to this controller")
    return MigrationReport(
        migration=VmMigrationId(message.migration_id),
        attempt=message.attempt,
        state=state,
        failure=_told(message.failure),
        message=_told(message.message),
        evidence=evidence_from_proto(message.evidence),
    )


def compute_report_to_proto(report: ComputeReport) -> pb.ComputeReport:
    """Return the message of a report, for operators."""
    message = pb.ComputeReport()
    message.host_id = report.host
    message.agent_version = report.agent_version
    message.assignment_revision = report.assignment_revision
    if report.time_s:
        set_time(message.time, report.time_s)
    fill(message.capacity, report.capacity)
    for vm in report.vms:
        _vm_out(message.vms.add(), vm)
    for domain in report.unknown_domains:
        fill(message.unknown_domains.add(), domain)
    for job in report.migrations:
        _job_out(message.migrations.add(), job)
    for export in report.exports:
        message.exports.add(
            image_id=export.image,
            done=export.done,
            progress_percent=export.progress_percent,
            problem=export.problem,
        )
    for host, time_us in report.round_trips_us.items():
        message.round_trips_us[host] = time_us
    message.problems.extend(report.problems)
    message.libvirt_connected = report.libvirt_connected
    return message


def _vm_out(message: pb.VmReport, vm: VmReport) -> None:
    message.vm_id = vm.vm
    message.uid = vm.uid
    message.run_state = RUN_STATE_VALUES[vm.run_state]
    for name in (*_VM, "problem", "reason", "cpu_model", "console_address"):
        setattr(message, name, getattr(vm, name))
    if vm.start_time_s:
        set_time(message.start_time, vm.start_time_s)
    for uid, size in vm.disk_bytes.items():
        message.disk_bytes[uid] = size
    message.pending_restart.extend(vm.pending_restart)


def _job_out(message: pb.MigrationReport, job: MigrationReport) -> None:
    message.migration_id = job.migration
    message.attempt = job.attempt
    message.state = _JOB_STATE_VALUES[job.state]
    message.failure = job.failure
    message.message = job.message
    fill(message.evidence, job.evidence)
