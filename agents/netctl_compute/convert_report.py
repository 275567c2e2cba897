"""ComputeReport -> protobuf; nothing else in the agent makes these messages."""

from __future__ import annotations

import dataclasses
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from netctl.v1 import agent_compute_pb2 as pb
from netctl.v1 import compute_pb2
from netctl_compute.reported import (
    ComputeReport,
    ExportReport,
    HostCapacity,
    JobState,
    MigrationReport,
    RunState,
    VmReport,
)

RUN_STATES = {state: getattr(compute_pb2, f"VM_RUN_STATE_{state.name}") for state in RunState}
JOB_STATES = {state: getattr(pb, f"MIGRATION_JOB_STATE_{state.name}") for state in JobState}


def report_to_proto(report: ComputeReport, *, agent_version: str, time: Timestamp) -> pb.ComputeReport:
    """Return the message for `report`."""
    return pb.ComputeReport(
        host_id=report.host,
        agent_version=agent_version,
        assignment_revision=report.assignment_revision,
        time=time,
        capacity=_capacity(report.capacity),
        vms=[_vm(vm) for vm in report.vms],
        unknown_domains=[pb.UnknownDomain(**_fields(domain)) for domain in report.unknown_domains],
        migrations=[_migration(migration) for migration in report.migrations],
        exports=[_export(export) for export in report.exports],
        round_trips_us=dict(report.round_trips_us),
        problems=report.problems,
        libvirt_connected=report.libvirt_connected,
    )


def _capacity(capacity: HostCapacity) -> pb.HostCapacity:
    lists: dict[str, Any] = {
        "cpu_models": [pb.CpuModel(**_fields(model)) for model in capacity.cpu_models],
        "gpu_profiles": [pb.GpuProfile(**_fields(profile)) for profile in capacity.gpu_profiles],
    }
    return pb.HostCapacity(**(_fields(capacity) | lists))


def _vm(vm: VmReport) -> pb.VmReport:
    values = _fields(vm) | {"run_state": RUN_STATES[vm.run_state], "disk_bytes": dict(vm.disk_bytes)}
    values["vm_id"] = values.pop("vm")
    start_time_s = values.pop("start_time_s")
    message = pb.VmReport(**values)
    if start_time_s:
        message.start_time.FromMilliseconds(round(start_time_s * 1000))
    return message


def _migration(migration: MigrationReport) -> pb.MigrationReport:
    return pb.MigrationReport(
        migration_id=migration.migration,
        attempt=migration.attempt,
        state=JOB_STATES[migration.state],
        failure=migration.failure,
        message=migration.message,
        evidence=compute_pb2.MigrationEvidence(**_fields(migration.evidence)),
    )


def _export(export: ExportReport) -> pb.ExportReport:
    values = _fields(export)
    values["image_id"] = values.pop("image")
    return pb.ExportReport(**values)


def _fields(value: Any) -> dict[str, Any]:
    """Return a dataclass's fields, one level deep."""
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
