"""Every field of an assignment travels, and what would damage the host is refused; reports travel, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from netctl_compute.assignment import (
    BootDevice,
    ComputeAssignment,
    DiskBus,
    DiskExport,
    DiskKind,
    Firmware,
    GuestCustomization,
    MachineType,
    MigrationOrder,
    NicModel,
    PowerState,
    RestartPolicy,
    VmAssignment,
    VmRole,
)
from netctl_compute.convert import assignment_from_proto
from netctl_compute.convert_report import report_to_proto
from netctl_compute.reported import (
    ComputeReport,
    CpuModel,
    Evidence,
    ExportReport,
    GpuProfile,
    HostCapacity,
    JobState,
    MigrationReport,
    RunState,
    UnknownDomain,
    VmReport,
)

from netctl.errors import InvalidIntent
from netctl.v1 import agent_compute_pb2 as pb
from netctl.v1 import compute_pb2
from tests.unit.compute.messages import to_proto
from tests.unit.compute.samples import assign, disk, nic, uid_of, vm

FULL = VmAssignment(
    vm="web-1",
    uid=uid_of("web-1"),
    role=VmRole.PLACEHOLDER,
    power_state=PowerState.PAUSED,
    graceful_off=True,
    restart_policy=RestartPolicy.NEVER,
    power_epoch=3,
    reset_epoch=4,
    num_vcpus=2,
    num_cores_per_vcpu=3,
    num_threads_per_core=2,
    memory_mib=4096,
    memory_overcommit=True,
    num_vnuma_nodes=2,
    disks=(
        disk(
            "web-1",
            3,
            kind=DiskKind.CDROM,
            bus=DiskBus.SATA,
            size_bytes=5,
            image="debian",
            image_sha256="a" * 64,
            source_vm_uid=uid_of("v"),
            source_disk=uid_of("d"),
        ),
    ),
    nics=(nic("web-1", 2, model=NicModel.E1000, queues=4, disconnected=True, mtu_bytes=9000),),
    boot_order=(BootDevice.NETWORK, BootDevice.DISK),
    firmware=Firmware.UEFI,
    machine_type=MachineType.Q35,
    secure_boot=True,
    vtpm=True,
    generation_id=uid_of("genid"),
    cpu_model="EPYC-Rome",
    cpu_passthrough=True,
    pci_devices=("0000:3b:00.1",),
    gpu_profiles=("nvidia-35",),
    vtpm_secret="c2VjcmV0",
    customization=GuestCustomization(
        user_data="u",
        meta_data="m",
        network_config="n",
        sysprep_unattend_xml="s",
        windows_license_key="w",
    ),
    keep_disks=True,
    description="what <it> is",
)
ORDER = MigrationOrder(
    migration="m1",
    attempt=2,
    vm="web-1",
    destination="h2",
    destination_address="tcp://192.0.2.2",
    bandwidth_mbps=100,
    copy_disks=True,
    iterations_max=40,
    pause_max_ms=200,
    abort=True,
)
ASSIGNMENT = ComputeAssignment(
    host="h1",
    revision=7,
    epoch=2,
    vms=(FULL,),
    migrations=(ORDER,),
    exports=(DiskExport(image="i1", vm_uid=uid_of("v"), disk=uid_of("d")),),
    measured_hosts={"h2": "tcp://192.0.2.2"},
)


def test_every_field_travels() -> None:
    plain = vm()
    for each, default in ((FULL, plain), (FULL.nics[0], nic("x")), (FULL.disks[0], disk("x"))):
        for field in fields(each):
            assert getattr(each, field.name) != getattr(default, field.name), f"{field.name} is not tried"
    assert assignment_from_proto(to_proto(ASSIGNMENT)) == ASSIGNMENT


def test_what_is_unset_is_the_default() -> None:
    message = pb.ComputeAssignment(host_id="h1")
    message.vms.add(vm_id="vm1", uid=uid_of("vm1"), role=pb.VM_ROLE_RUN, memory_mib=32)
    (read,) = assignment_from_proto(message).vms
    assert read == vm(power_state=PowerState.OFF, power_epoch=0, boot_order=())


def _change(field: str, value: object) -> Callable[[pb.ComputeAssignment], None]:
    def change(message: pb.ComputeAssignment) -> None:
        *path, last = field.split(".")
        target: Any = message.vms[0]
        for name in path:
            target = getattr(target, name)[0]
        if isinstance(value, list):
            del getattr(target, last)[:]
            getattr(target, last).extend(value)
        else:
            setattr(target, last, value)

    return change


@pytest.mark.parametrize(
    "change",
    [
        _change("vm_id", "../etc"),
        _change("vm_id", "a/b"),
        _change("vm_id", "<x>"),
        _change("vm_id", ""),
        _change("uid", "../../passwd"),
        _change("uid", uid_of("x").upper()),
        _change("uid", "{" + uid_of("x") + "}"),
        _change("generation_id", "x"),
        _change("cpu_model", "<model>"),
        _change("pci_devices", ["0000:3b:00.1/../.."]),
        _change("nics.tap_name", "eth0/.."),
        _change("nics.tap_name", "a" * 16),
        _change("nics.tap_name", "a b"),
        _change("nics.mac_address", "02:00"),
        _change("nics.model", "rtl8139"),
        _change("disks.disk_uid", "/dev/sda"),
        _change("disks.image_sha256", "../x"),
        _change("disks.source_vm_uid", ".."),
        _change("disks.source_disk_uid", ".."),
        _change("disks.index", -1),
        _change("disks.size_bytes", -1),
        _change("disks.bus", 99),
        _change("role", 0),
        _change("boot_order", [0]),
        lambda message: message.vms.add().CopyFrom(message.vms[0]),
        lambda message: setattr(message, "host_id", ""),
        lambda message: setattr(message.exports[0], "vm_uid", "../x"),
        lambda message: setattr(message.migrations[0], "vm_id", "-"),
    ],
)
def test_what_would_damage_the_host_is_refused(change: Callable[[pb.ComputeAssignment], None]) -> None:
    message = to_proto(ASSIGNMENT)
    change(message)
    with pytest.raises(InvalidIntent) as refused:
        assignment_from_proto(message)
    assert refused.value.field


def test_a_report_travels() -> None:
    report = ComputeReport(
        host="h1",
        assignment_revision=7,
        capacity=HostCapacity(
            cpus=2,
            store_id="s",
            cpu_models=(CpuModel(name="EPYC", usable=False, missing_features=("avx",)),),
            gpu_profiles=(GpuProfile(profile="p", free=1, total=2),),
            pci_devices=("0000:3b:00.1",),
        ),
        vms=(
            VmReport(
                vm="vm1",
                uid="u",
                run_state=RunState.SHUTTING_DOWN,
                ready=True,
                problem="p",
                reason="R",
                progress_percent=5,
                start_time_s=12.5,
                disk_bytes={"d": 9},
                pending_restart=("memory_mib",),
            ),
        ),
        unknown_domains=(UnknownDomain(name="n", uid="u", running=True),),
        migrations=(
            MigrationReport(
                migration="m", attempt=1, state=JobState.FAILED, failure="F", evidence=Evidence(pause_ms=3)
            ),
        ),
        exports=(ExportReport(image="i", done=True),),
        round_trips_us={"h2": 300},
        problems=("x",),
        libvirt_connected=True,
    )
    message = report_to_proto(report, agent_version="1", time=Timestamp(seconds=5))
    assert message.capacity.cpu_models[0].missing_features == ["avx"]
    assert message.capacity.gpu_profiles[0].total == 2
    (said,) = message.vms
    assert (said.vm_id, said.run_state) == ("vm1", compute_pb2.VM_RUN_STATE_SHUTTING_DOWN)
    assert (said.start_time.seconds, said.start_time.nanos) == (12, 500_000_000)
    assert dict(said.disk_bytes) == {"d": 9}
    assert message.migrations[0].state == pb.MIGRATION_JOB_STATE_FAILED
    assert message.migrations[0].evidence.pause_ms == 3
    assert message.exports[0].image_id == "i"
    assert message.unknown_domains[0].running
    assert dict(message.round_trips_us) == {"h2": 300}
    never = replace(report, vms=(replace(report.vms[0], start_time_s=0.0),))
    assert not report_to_proto(never, agent_version="1", time=Timestamp()).vms[0].HasField("start_time")


def test_every_run_state_and_job_state_has_a_number() -> None:
    for state in RunState:
        report = ComputeReport(host="h1", vms=(VmReport(vm="v", uid="u", run_state=state),))
        message = report_to_proto(report, agent_version="1", time=Timestamp())
        assert compute_pb2.VmRunState.Name(message.vms[0].run_state) == f"VM_RUN_STATE_{state.name}"
    assert assignment_from_proto(to_proto(assign())) == assign()
