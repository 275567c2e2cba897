"""compile: what the compute agent of a host is told, stage by stage, and what it is never told."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from netctl.compiler.compute_assignment import compile_compute_assignment, share_store
from netctl.model.compute_assignment import (
    ComputeAssignment,
    DiskAssignment,
    DiskExport,
    MigrationOrder,
    VmAssignment,
    VmNicAssignment,
    VmRole,
)
from netctl.model.compute_report import ComputeReport
from netctl.model.disk import Disk, DiskBus, DiskKind
from netctl.model.image import Image, ImageFormat
from netctl.model.intent import Intent
from netctl.model.keys import ClusterId, HostId, ImageId, SubnetId, Uid, VmId
from netctl.model.nic import NicKind, NicModel
from netctl.model.vm import (
    PASSTHROUGH,
    BootDevice,
    Firmware,
    GuestCustomization,
    MachineType,
    PowerState,
    RestartPolicy,
    Sealed,
    Vm,
)
from netctl.model.vm_migration import Stage
from tests.intents import cluster, host, infra, meta, overlay, snapshot, uid_of, vlan
from tests.machines import MODEL, compute, nic_of, seen, vm
from tests.migrations import migration, moving

H1, H2 = HostId("h1"), HostId("h2")
SHARED = {H1: compute("h1"), H2: compute("h2", migration_address="tcp://192.0.2.2")}
APART = {H1: compute("h1"), H2: compute("h2", store_id="another", migration_address="tcp://192.0.2.2")}
DISK = uid_of("disk a-0")

# What a host is for machine a of tests/migrations.py: docs/design/compute.md's table.
ROLES: dict[Stage, tuple[VmRole | None, VmRole | None]] = {
    Stage.QUEUED: (VmRole.RUN, None),
    Stage.PREPARING: (VmRole.RUN, VmRole.PLACEHOLDER),
    Stage.BINDING: (VmRole.RUN, VmRole.PLACEHOLDER),
    Stage.COPYING: (VmRole.RUN, VmRole.PLACEHOLDER),
    Stage.SETTLING: (None, VmRole.RUN),
    Stage.CLEANING: (VmRole.REMOVE, VmRole.RUN),
    Stage.DONE: (None, VmRole.RUN),
    Stage.ABORTING: (VmRole.RUN, VmRole.REMOVE),
    Stage.FAILED: (VmRole.RUN, None),
}


def told(
    name: str, *intents: Intent, reports: dict[HostId, ComputeReport] | None = None
) -> ComputeAssignment:
    found = compile_compute_assignment(
        snapshot([*infra(), *intents], revision=9), HostId(name), 4, reports or {}
    )
    assert found is not None
    return found


def role(name: str, *intents: Intent) -> VmRole | None:
    return next((one.role for one in told(name, *intents).vms if one.vm == "a"), None)


def only(name: str, *intents: Intent, reports: dict[HostId, ComputeReport] | None = None) -> VmAssignment:
    (found,) = told(name, *intents, reports=reports).vms
    return found


def test_a_machine_is_told_whole() -> None:
    secrets = GuestCustomization(user_data=Sealed("sealed user-data"))
    image = Image(id=ImageId("debian"), meta=meta("debian"), sha256="ab" * 32, size_bytes=5, stored_bytes=3)
    disks = (
        Disk(uid=Uid("d1"), bus=DiskBus.SCSI, index=0, size_bytes=1 << 30),
        Disk(uid=Uid("d2"), bus=DiskBus.PCI, index=1, image=ImageId("debian")),
        Disk(uid=Uid("d3"), kind=DiskKind.CDROM, bus=DiskBus.IDE, index=0),
        Disk(uid=Uid("d4"), index=2, source_vm=VmId("b"), source_disk=Uid("s"), source_vm_uid=Uid("v")),
    )
    machine = vm(
        "a",
        on="h1",
        disks=0,
        description="shop",
        num_vcpus=2,
        num_cores_per_vcpu=3,
        num_threads_per_core=2,
        num_vnuma_nodes=1,
        boot_order=(BootDevice.CDROM, BootDevice.DISK),
        firmware=Firmware.UEFI,
        machine_type=MachineType.Q35,
        secure_boot=True,
        vtpm=True,
        affinity_hosts=(H1,),
        graceful_off=True,
        restart_policy=RestartPolicy.NEVER,
        gpu_profiles=("nvidia-35",),
        pci_devices=("0000:3b:00.0",),
        customization=secrets,
        vtpm_secret=Sealed("sealed"),
        power_epoch=7,
        reset_epoch=2,
    )
    machine = replace(machine, disks=disks)
    late = replace(nic_of("a", "an-older-name", number=6, host="h1"), model=NicModel.E1000, connected=False)
    late = replace(late, meta=replace(late.meta, create_time_s=2.0))
    first = replace(nic_of("a", "n1", host="h1"), queues=4)
    expected = VmAssignment(
        vm=VmId("a"),
        uid=uid_of("a"),
        role=VmRole.RUN,
        power_state=PowerState.ON,
        graceful_off=True,
        restart_policy=RestartPolicy.NEVER,
        power_epoch=7,
        reset_epoch=2,
        num_vcpus=2,
        num_cores_per_vcpu=3,
        num_threads_per_core=2,
        memory_mib=1024,
        num_vnuma_nodes=1,
        disks=(
            DiskAssignment(uid=Uid("d1"), kind=DiskKind.DISK, bus=DiskBus.SCSI, index=0, size_bytes=1 << 30),
            DiskAssignment(
                uid=Uid("d2"),
                kind=DiskKind.DISK,
                bus=DiskBus.PCI,
                index=1,
                size_bytes=5,
                image=ImageId("debian"),
                image_sha256="ab" * 32,
            ),
            DiskAssignment(uid=Uid("d3"), kind=DiskKind.CDROM, bus=DiskBus.IDE, index=0, size_bytes=0),
            DiskAssignment(
                uid=Uid("d4"),
                kind=DiskKind.DISK,
                bus=DiskBus.AUTO,
                index=2,
                size_bytes=0,
                source_vm_uid=Uid("v"),
                source_disk=Uid("s"),
            ),
        ),
        nics=(
            VmNicAssignment(
                nic=first.id,
                tap_name=first.tap_name,
                mac_address=first.mac_address,
                mtu_bytes=1500,
                model=NicModel.VIRTIO,
                queues=4,
            ),
            VmNicAssignment(
                nic=late.id,
                tap_name=late.tap_name,
                mac_address=late.mac_address,
                mtu_bytes=1500,
                model=NicModel.E1000,
                disconnected=True,
            ),
        ),
        boot_order=(BootDevice.CDROM, BootDevice.DISK),
        firmware=Firmware.UEFI,
        machine_type=MachineType.Q35,
        secure_boot=True,
        vtpm=True,
        generation_id=uid_of("generation of a"),
        cpu_model=MODEL,
        pci_devices=("0000:3b:00.0",),
        gpu_profiles=("nvidia-35",),
        vtpm_secret=Sealed("sealed"),
        customization=secrets,
        description="shop",
    )
    assert told("h1", vlan(), image, machine, first, late) == ComputeAssignment(
        host=H1, revision=9, epoch=4, vms=(expected,)
    )
    assert told("h2", vlan(), image, machine, first, late).vms == ()
    assert {field.name for field in fields(Vm)} - {field.name for field in fields(VmAssignment)} <= {
        *("id", "meta", "cluster", "categories", "affinity_hosts", "agent_vm", "host", "effective_cpu_model"),
        *("deleting", "template", "template_version"),
    }


def test_a_machine_that_was_not_placed_since_it_was_switched_on_is_off() -> None:
    again = vm("a", on="h1", effective_cpu_model="")
    assert only("h1", again).power_state is PowerState.OFF
    assert only("h1", vm("a", on="h1")).power_state is PowerState.ON
    assert only("h1", vm("a", on="h1", power_state=PowerState.PAUSED)).power_state is PowerState.PAUSED


def test_the_hosts_cpu_as_it_is_has_no_model() -> None:
    found = only("h1", vm("a", on="h1", effective_cpu_model=PASSTHROUGH, memory_overcommit=True))
    assert (found.cpu_model, found.cpu_passthrough, found.memory_overcommit) == ("", True, True)


def test_a_machine_that_is_deleted_is_removed_with_its_disks_and_without_secrets() -> None:
    gone = vm("a", on="h1", disks=1, deleting=True, power_state=PowerState.OFF, vtpm_secret=Sealed("sealed"))
    found = only("h1", gone, reports=SHARED)
    assert (found.role, found.keep_disks, found.vtpm_secret) == (VmRole.REMOVE, False, "")
    assert [disk.uid for disk in found.disks] == [DISK]


def test_what_is_on_no_subnet_gets_the_largest_frames() -> None:
    side = replace(nic_of("a", "n1", host="h1"), kind=NicKind.DIRECT, subnet=SubnetId("o1"), ipv4_address="")
    (nic,) = only("h1", overlay(), vm("a", on="h1"), side).nics
    assert nic.mtu_bytes == 1442
    (nic,) = only("h1", vm("a", on="h1"), side).nics  # its subnet is gone: a store edited by hand
    assert nic.mtu_bytes == infra()[1].mtu_bytes  # type: ignore[union-attr]


@pytest.mark.parametrize("stage", Stage)
def test_roles_are_those_of_the_table(stage: Stage) -> None:
    assert (role("h1", vlan(), *moving(stage)), role("h2", vlan(), *moving(stage))) == ROLES[stage]


@pytest.mark.parametrize("stage", Stage)
def test_the_source_copies_while_it_is_copied_and_at_no_other_time(stage: Stage) -> None:
    world = (vlan(), *moving(stage, bandwidth_mbps=100, attempt=2, abort=True))
    order = MigrationOrder(
        migration=migration().id,
        attempt=2,
        vm=VmId("a"),
        destination=H2,
        destination_address="tcp://192.0.2.2",
        bandwidth_mbps=100,
        abort=True,
    )
    assert told("h1", *world, reports=SHARED).migrations == ((order,) if stage is Stage.COPYING else ())
    assert told("h2", *world, reports=SHARED).migrations == ()


def test_an_order_stays_while_the_destination_is_not_known_and_copies_disks_only_between_stores() -> None:
    world = (vlan(), *moving(Stage.COPYING))
    (blind,) = told("h1", *world).migrations
    (shared,) = told("h1", *world, reports=SHARED).migrations
    (apart,) = told("h1", *world, reports=APART).migrations
    assert (blind.destination_address, blind.copy_disks) == ("", False)
    assert (shared.copy_disks, apart.copy_disks) == (False, True)
    assert (apart.iterations_max, apart.pause_max_ms) == (50, 300)


@pytest.mark.parametrize(("stage", "name"), [(Stage.CLEANING, "h1"), (Stage.ABORTING, "h2")])
def test_disks_are_deleted_where_a_store_is_known_to_be_another(stage: Stage, name: str) -> None:
    world = (vlan(), *moving(stage))
    assert only(name, *world, reports=SHARED).keep_disks
    assert not only(name, *world, reports=APART).keep_disks
    for known in (H1, H2):  # the other host has not said yet
        assert only(name, *world, reports={known: APART[known]}).keep_disks
    unnamed = {H1: compute("h1", store_id=""), H2: compute("h2", store_id="")}
    assert only(name, *world, reports=unnamed).keep_disks


def test_stores_are_the_same_when_both_say_so() -> None:
    assert share_store(SHARED, H1, H2) is True
    assert share_store(APART, H1, H2) is False
    assert share_store({H1: SHARED[H1]}, H1, H2) is None


def test_disks_are_made_as_large_as_they_are_at_the_source() -> None:
    grown = replace(compute("h1", seen(vm("a", on="h1", disks=1), disk_bytes={DISK: 3 << 30})))
    world = (vlan(), *moving(Stage.PREPARING))
    assert only("h2", *world, reports={**APART, H1: grown}).disks[0].size_bytes == 3 << 30
    assert only("h2", *world, reports=APART).disks[0].size_bytes == 1 << 30
    assert only("h1", *world, reports={**APART, H1: grown}).disks[0].size_bytes == 1 << 30


def test_images_are_made_of_disks_where_these_are() -> None:
    image = Image(
        id=ImageId("i"),
        meta=meta("i"),
        format=ImageFormat.QCOW2,
        source_vm=VmId("a"),
        source_vm_uid=uid_of("a"),
        source_disk=DISK,
    )
    off = vm("a", on="h1", disks=1, power_state=PowerState.OFF)
    export = DiskExport(image=ImageId("i"), vm_uid=uid_of("a"), disk=DISK)
    assert told("h1", off, image).exports == (export,)
    assert told("h2", off, image).exports == ()
    assert told("h1", off, replace(image, stored_bytes=5, size_bytes=5)).exports == ()


def test_the_way_to_another_cluster_is_measured_before_the_start() -> None:
    far = replace(host("h9", number=9, uplink=""), cluster=ClusterId("c2"))
    reports = {**SHARED, HostId("h9"): compute("h9", migration_address="tcp://192.0.2.99")}
    waiting = migration(cross_cluster=True, destination=HostId("h9"))
    world = (cluster("c2"), far, vm("a", on="h1"))
    assert told("h1", *world, waiting, reports=reports).measured_hosts == {"h9": "tcp://192.0.2.99"}
    assert told("h1", *world, replace(waiting, destination=HostId("")), reports=reports).measured_hosts == {
        "h9": "tcp://192.0.2.99"
    }
    assert told("h2", *world, waiting, reports=reports).measured_hosts == {}
    assert told("h1", *world, replace(waiting, stage=Stage.PREPARING), reports=reports).measured_hosts == {}
    assert told("h1", *world, replace(waiting, cross_cluster=False), reports=reports).measured_hosts == {}


def test_there_is_no_assignment_without_a_host() -> None:
    assert compile_compute_assignment(snapshot(infra()), HostId("h7"), 1, {}) is None
