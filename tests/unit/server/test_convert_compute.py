"""Between controller and compute agents: every field travels, secrets open on the way, nonsense is refused."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from netctl.errors import InvalidIntent, StoreUnavailable
from netctl.model.compute_assignment import (
    ComputeAssignment,
    DiskAssignment,
    DiskExport,
    MigrationOrder,
    VmAssignment,
    VmNicAssignment,
    VmRole,
)
from netctl.model.disk import DiskBus, DiskKind
from netctl.model.keys import HostId, ImageId, NicId, Uid, VmId, VmMigrationId
from netctl.model.nic import NicModel
from netctl.model.vm import BootDevice, Firmware, GuestCustomization, MachineType, PowerState, RestartPolicy
from netctl.server.convert_compute_assignment import compute_assignment_to_proto
from netctl.server.convert_compute_report import compute_report_from_proto, compute_report_to_proto
from netctl.server.convert_vm import SECRETS
from netctl.server.sealing import random_seal
from netctl.v1 import agent_compute_pb2 as pb
from netctl.v1 import compute_pb2 as compute
from tests.unit.server.test_convert_hostile import TEXTS

SEAL = random_seal()
NIC = VmNicAssignment(
    nic=NicId("web-1-a"),
    tap_name="tap1",
    mac_address="50:6b:8d:00:00:01",
    mtu_bytes=1442,
    model=NicModel.E1000,
    queues=2,
    disconnected=True,
)
DISK = DiskAssignment(
    uid=Uid("d-1"),
    kind=DiskKind.CDROM,
    bus=DiskBus.SATA,
    index=3,
    size_bytes=5,
    image=ImageId("debian"),
    image_sha256="5e" * 32,
    source_vm_uid=Uid("v-0"),
    source_disk=Uid("d-0"),
)
VM = VmAssignment(
    vm=VmId("web-1"),
    uid=Uid("v-1"),
    role=VmRole.PLACEHOLDER,
    power_state=PowerState.PAUSED,
    graceful_off=True,
    restart_policy=RestartPolicy.NEVER,
    power_epoch=3,
    reset_epoch=2,
    num_vcpus=2,
    num_cores_per_vcpu=3,
    num_threads_per_core=4,
    memory_mib=512,
    memory_overcommit=True,
    num_vnuma_nodes=1,
    disks=(DISK,),
    nics=(NIC,),
    boot_order=(BootDevice.NETWORK,),
    firmware=Firmware.UEFI,
    machine_type=MachineType.Q35,
    secure_boot=True,
    vtpm=True,
    generation_id=Uid("g-1"),
    cpu_model="Haswell",
    cpu_passthrough=True,
    pci_devices=("0000:3b:00.0",),
    gpu_profiles=("nvidia-35",),
    vtpm_secret=SEAL.seal("vtpm_secret", "c2VjcmV0"),
    customization=GuestCustomization(
        **{name: SEAL.seal(name, f"<{name}>") for name in ("user_data", "meta_data", "network_config")}
    ),
    keep_disks=True,
    description="the shop",
)
ORDER = MigrationOrder(
    migration=VmMigrationId("m1"),
    attempt=2,
    vm=VmId("web-1"),
    destination=HostId("h2"),
    destination_address="tcp://192.0.2.2",
    bandwidth_mbps=100,
    copy_disks=True,
    abort=True,
)
ASSIGNMENT = ComputeAssignment(
    host=HostId("h1"),
    revision=7,
    epoch=5,
    vms=(VM,),
    migrations=(ORDER,),
    exports=(DiskExport(image=ImageId("copy"), vm_uid=Uid("v-1"), disk=Uid("d-1")),),
    measured_hosts={HostId("h3"): "tcp://192.0.2.3"},
)


def unset(message: Message, path: str = "") -> list[str]:
    """Return the fields that a message leaves at their default, with those of its parts."""
    found = []
    for field in message.DESCRIPTOR.fields:
        value, name = getattr(message, field.name), f"{path}{field.name}"
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            found += [] if value else [name]
        elif field.is_repeated:
            found += [] if value else [name]
            for one in value if field.message_type is not None else ():
                found += unset(one, f"{name}.")
        elif field.message_type is not None:
            found += unset(value, f"{name}.") if message.HasField(field.name) else [name]
        elif value == field.default_value:
            found.append(name)
    return found


def test_every_field_of_an_assignment_travels_with_its_secrets_open() -> None:
    message = compute_assignment_to_proto(ASSIGNMENT, SEAL)
    windows = {f"vms.customization.{name}" for name in ("sysprep_unattend_xml", "windows_license_key")}
    assert set(unset(message)) == windows | {"vms.customization.has_secrets"}
    assert message.vms[0].vtpm_secret == "c2VjcmV0"
    told = message.vms[0].customization
    assert [getattr(told, name) for name in SECRETS[:3]] == [f"<{name}>" for name in SECRETS[:3]]
    assert (message.vms[0].nics[0].model, message.migrations[0].iterations_max) == ("e1000", 50)
    assert message.measured_hosts == {"h3": "tcp://192.0.2.3"}


def test_a_secret_that_does_not_open_is_not_sent() -> None:
    with pytest.raises(StoreUnavailable, match=r"cannot be opened.*secrets\.key"):
        compute_assignment_to_proto(ASSIGNMENT, random_seal())


def filled(message: Any, depth: int = 0) -> Any:
    """Set every field of a message to something."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(message, field.name)["h2" if field.name == "round_trips_us" else "d-1"] = 7
        elif field.message_type is not None:
            inner = getattr(message, field.name)
            filled(inner.add() if field.is_repeated else inner, depth + 1)
        elif field.is_repeated:
            getattr(message, field.name).append(_value(field))
        else:
            setattr(message, field.name, _value(field))
    return message


def _value(field: FieldDescriptor) -> Any:
    if field.enum_type is not None:
        return field.enum_type.values[1].number
    kinds = {
        FieldDescriptor.CPPTYPE_STRING: f"a-{field.name.replace('_', '-')}",
        FieldDescriptor.CPPTYPE_BOOL: True,
    }
    return kinds.get(field.cpp_type, 7)


def test_every_field_of_a_report_travels() -> None:
    message = filled(pb.ComputeReport())
    # To the microsecond, as everywhere.
    message.time.nanos = message.vms[0].start_time.nanos = 7000
    assert compute_report_to_proto(compute_report_from_proto(message)) == message


def test_a_report_can_say_every_state() -> None:
    for state in list(compute.VmRunState.values())[1:]:
        report = pb.ComputeReport(host_id="h1", vms=[pb.VmReport(vm_id="a", run_state=state)])
        report.capacity.SetInParent()
        assert compute_report_to_proto(compute_report_from_proto(report)) == report


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"host_id": ""}, "report.host_id"),
        ({"host_id": "../h1"}, "report.host_id"),
        ({"vms": [pb.VmReport(vm_id="<b>", run_state=compute.VM_RUN_STATE_RUNNING)]}, "report.vms[0].vm_id"),
        ({"vms": [pb.VmReport(vm_id="a")]}, "report.vms[0].run_state"),
        ({"migrations": [pb.MigrationReport(migration_id="m")]}, "report.migrations[0].state"),
        ({"problems": ["x"] * 10_001}, "report.problems"),
    ],
)
def test_nonsense_is_refused_by_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidIntent) as failed:
        compute_report_from_proto(pb.ComputeReport(**({"host_id": "h1"} | fields)))
    assert failed.value.field == field


@settings(max_examples=200)
@given(TEXTS, st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1))
def test_anything_a_host_says_is_taken_or_refused(text: str, small: int, large: int) -> None:
    message = pb.ComputeReport(host_id="h1", problems=[text], round_trips_us={text: small})
    message.time.seconds, message.time.nanos = large, small
    message.capacity.memory_mib, message.capacity.store_id = large, text
    message.vms.add(vm_id="a", run_state=2, problem=text * 1000, console_address=text, progress_percent=small)
    message.unknown_domains.add(name=text, uid=text)
    report = compute_report_from_proto(message)
    assert len(report.vms[0].problem) <= 2000
    told = (report.vms[0].problem, report.vms[0].console_address, report.unknown_domains[0].name)
    assert all(one.isprintable() for one in (*told, *report.problems))
    compute_report_to_proto(report)
